package lane

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// few is how many seeds or attempts a simulation has: n, or an eighth of it under the race detector, which finds nothing in
// what is no more than one goroutine and takes ten times as long.
func few(n int) int {
	if raceDetector {
		return max(n/8, 1)
	}
	return n
}

// randomness is a stream of bytes that follows from a seed.
func randomness(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

// nodeKey is the node key of node i.
func nodeKey(i int) ed25519.PrivateKey {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], uint64(i))
	return ed25519.NewKeyFromSeed(s[:])
}

func nodeOf(i int) types.PublicKey {
	return types.Ed25519Key(nodeKey(i).Public().(ed25519.PublicKey))
}

// identity makes a certified session key of node i.
func identity(t testing.TB, random io.Reader, i int) *secure.Identity {
	t.Helper()
	id, err := secure.NewIdentity(random)
	if err == nil {
		_, err = id.Certify(transport.EncodeBinding(nodeOf(i), ed25519.Sign(nodeKey(i), transport.BindingBytes(id.Public()))))
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// open admits everybody.
func open(conn.Admission) string { return "" }

// admit lets in the other end alone.
func (w *world) admit(i int) func(conn.Admission) string {
	return func(a conn.Admission) string {
		if a.Node.Hash() != nodeOf(1-i).Hash() {
			return "another node"
		}
		return ""
	}
}
