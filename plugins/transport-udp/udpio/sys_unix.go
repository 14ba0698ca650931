//go:build unix

package udpio

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// harmless tells whether an error is one that ICMP brings, about some datagram that was sent earlier. Such an error is
// told once.
func harmless(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && harmlessErrno(errno)
}

func harmlessErrno(errno syscall.Errno) bool {
	switch errno {
	case unix.ECONNREFUSED, unix.ECONNRESET, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENETDOWN, unix.ENOPROTOOPT,
		unix.EPROTO, unix.EACCES, unix.EMSGSIZE:
		return true
	}
	return false
}

func tooLong(err error) bool { return errors.Is(err, unix.EMSGSIZE) }

func receiveBuffer(conn *net.UDPConn) int {
	size := 0
	_ = control(conn, func(fd int) error {
		n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err == nil {
			size = n
		}
		return err
	})
	return size
}

// control calls f with the socket's descriptor and returns its error.
func control(conn *net.UDPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
