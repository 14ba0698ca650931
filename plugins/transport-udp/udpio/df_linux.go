package udpio

import "golang.org/x/sys/unix"

// The options that set DF and ignore what the kernel believes about the path.
const (
	dfOption4, dfValue4 = unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	dfOption6, dfValue6 = unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
)
