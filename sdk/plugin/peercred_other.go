//go:build !linux

package plugin

import (
	"errors"
	"net"
)

// PeerOf asks the kernel who is at the other end of a unix socket. It is implemented on Linux only.
func PeerOf(net.Conn) (Peer, error) {
	return Peer{}, errors.New("peer credentials: not supported on this platform; use mTLS")
}
