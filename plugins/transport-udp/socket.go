package transportudp

import (
	"context"
	"net"

	"golang.org/x/sys/unix"
)

// openSocket opens a UDP socket with large buffers. It sets no SO_REUSEADDR: a UDP port is free the moment its process is
// gone, however it ended, and with that option two processes could share one and take each other's datagrams.
func openSocket(ctx context.Context, address string) (*net.UDPConn, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	sock := pc.(*net.UDPConn)
	_ = sock.SetReadBuffer(socketBuffer) // the kernel grants what it allows
	_ = sock.SetWriteBuffer(socketBuffer)
	return sock, nil
}

// receiveBuffer returns what the kernel has granted, in bytes.
func receiveBuffer(sock *net.UDPConn) int {
	size := 0
	raw, err := sock.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			if n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
				size = n
			}
		})
	}
	return size
}
