package transportudp

import (
	"context"
	"net"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/udpio"
)

// socketBuffer is what is asked of the kernel for each direction of a socket, in bytes. It may grant less.
const socketBuffer = 4 << 20

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
func receiveBuffer(sock *net.UDPConn) int { return udpio.ReceiveBuffer(sock) }
