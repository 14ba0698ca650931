package udpio

import (
	"errors"
	"net"
	"syscall"
)

// harmless tells whether an error is one that ICMP brings, about some datagram that was sent earlier: WSAENETRESET,
// WSAECONNRESET, WSAECONNREFUSED, WSAENETUNREACH, WSAEHOSTUNREACH. Such an error is told once.
func harmless(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case 10051, 10052, 10054, 10061, 10065:
		return true
	}
	return false
}

// tooLong tells whether an error is WSAEMSGSIZE.
func tooLong(err error) bool { return errors.Is(err, syscall.Errno(10040)) }

func receiveBuffer(*net.UDPConn) int { return 0 }
