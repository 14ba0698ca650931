package conn

import (
	"encoding/binary"
	"io"
	"net/netip"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Env is what the connections of a socket share.
type Env struct {
	// Random gives keys, tags and jitter; outside of tests it must be unpredictable.
	Random   io.Reader
	Identity *secure.Identity
	// Admit tells why a handshake that a node has completed is refused, or "". It is called before the session begins, and
	// for nothing else. It must not call the connection.
	Admit    func(Admission) string
	Rotation secure.Rotation
	Out      *Output
	Tags     map[uint64]*Conn // connections by the tags of their sessions, those included that are not complete
	Jar      secure.Jar
	Stats    Stats
}

// Admission is who asks for a session.
type Admission struct {
	Addr netip.AddrPort
	Link uint64 // see Local
	secure.Peer
	Caller bool // it is this end that called
}

// Stats counts what the connections of a socket have seen.
type Stats struct {
	Handshakes uint64 // that were completed
	Denied     uint64 // of these, refused because of who it was
	Resets     uint64 // claims in the clear that a session does not exist
}

// number draws 64 bits.
func (e *Env) number() uint64 {
	var b [8]byte
	e.read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (e *Env) seed() (s [secure.SeedSize]byte) {
	e.read(s[:])
	return s
}

func (e *Env) read(b []byte) {
	if _, err := io.ReadFull(e.Random, b); err != nil {
		panic("conn: no randomness: " + err.Error()) // without it there is no safe way to go on
	}
}

// tag draws one whose session with a peer's tag has a name that no other session has. Zero names none.
func (e *Env) tag(remote uint64) uint64 {
	for {
		t := e.number()
		if s := t ^ remote; t != 0 && s != 0 && e.Tags[s] == nil {
			return t
		}
	}
}

// node tells whether two keys are the same.
func sameNode(a, b types.PublicKey) bool {
	return a.Scheme == b.Scheme && string(a.Key) == string(b.Key)
}
