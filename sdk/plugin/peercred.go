package plugin

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
)

// Peer is the process at the other end of a local socket, as the kernel knows it. Seen from inside a PID namespace, a
// process outside has the PID 0.
type Peer struct {
	PID      int
	UID, GID int
}

// AuthType implements credentials.AuthInfo.
func (Peer) AuthType() string { return "peercred" }

// PeerCredentials are transport credentials for unix sockets: no encryption, but the kernel's word on who is there. check
// refuses a peer by returning an error.
func PeerCredentials(check func(Peer) error) credentials.TransportCredentials {
	return peerCredentials{check}
}

type peerCredentials struct{ check func(Peer) error }

type peerInfo struct {
	credentials.CommonAuthInfo
	Peer
}

func (p peerCredentials) handshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	peer, err := PeerOf(conn)
	if err == nil {
		err = p.check(peer)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("peer credentials: %w", err)
	}
	return conn, peerInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, peer}, nil
}

func (p peerCredentials) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return p.handshake(c)
}

func (p peerCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return p.handshake(c)
}

func (peerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peercred"}
}
func (p peerCredentials) Clone() credentials.TransportCredentials { return p }
func (peerCredentials) OverrideServerName(string) error           { return nil }
