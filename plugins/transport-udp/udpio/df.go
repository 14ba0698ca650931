//go:build linux || darwin || freebsd

package udpio

import (
	"net"

	"golang.org/x/sys/unix"
)

// dontFragment forbids fragmentation in each family that the socket speaks, and tells whether it did.
func dontFragment(conn *net.UDPConn) bool {
	return control(conn, func(fd int) error {
		name, err := unix.Getsockname(fd)
		if err != nil {
			return err
		}
		four := unix.SetsockoptInt(fd, unix.IPPROTO_IP, dfOption4, dfValue4)
		if _, ok := name.(*unix.SockaddrInet4); ok {
			return four
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, dfOption6, dfValue6); err != nil {
			return err
		}
		if only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); err == nil && only != 0 {
			return nil
		}
		return four
	}) == nil
}
