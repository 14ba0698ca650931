//go:build !linux && !darwin && !freebsd

package udpio

import "net"

// dontFragment tells that datagrams may be fragmented.
func dontFragment(*net.UDPConn) bool { return false }
