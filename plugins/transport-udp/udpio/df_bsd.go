//go:build darwin || freebsd

package udpio

import "golang.org/x/sys/unix"

// The options that set DF.
const (
	dfOption4, dfValue4 = unix.IP_DONTFRAG, 1
	dfOption6, dfValue6 = unix.IPV6_DONTFRAG, 1
)
