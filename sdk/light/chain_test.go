package light

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The chains of the tests: real keys, sets that change, and blocks whose state and outbox can be asked.

const (
	genesisMs = 1_700_000_000_000
	slotMs    = 500
	day       = 24 * 3600 * 1000
)

var item = Item{Module: "bank", Place: types.Place{1}, Key: "balance"}

type testChain struct {
	id      types.Hash
	history types.History
	ids     [][]byte
	sets    []*types.Set // by epoch
	blocks  []*types.Header
	closing []*types.Header   // by epoch
	proofs  []*types.Finality // of closing
	keys    map[types.Hash]ed25519.PrivateKey
}

func (c *testChain) key(i int) types.PublicKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "light %d", i))
	priv := ed25519.NewKeyFromSeed(seed[:])
	pub := types.Ed25519Key(priv.Public().(ed25519.PublicKey))
	c.keys[pub.Hash()] = priv
	return pub
}

// newChain starts a chain with a first set.
func newChain(keys ...int) *testChain {
	c := &testChain{id: types.Sum("light test", []byte("chain")), keys: map[types.Hash]ed25519.PrivateKey{}}
	c.sets = append(c.sets, c.newSet(0, keys...))
	genesis := &types.Header{Chain: c.id, NextSet: c.sets[0].Hash()}
	c.put(genesis)
	return c
}

func (c *testChain) newSet(epoch uint64, keys ...int) *types.Set {
	var pubs []types.PublicKey
	for _, k := range keys {
		pubs = append(pubs, c.key(k))
	}
	return types.EqualSet(epoch, pubs)
}

func (c *testChain) put(h *types.Header) {
	c.blocks = append(c.blocks, h)
	id := h.ID()
	c.history, c.ids = c.history.Append(id), append(c.ids, id[:])
}

func (c *testChain) tip() *types.Header { return c.blocks[len(c.blocks)-1] }

func message(height uint64) []byte { return fmt.Appendf(nil, "message %d", height) }

func outbox(height uint64) [][]byte {
	return [][]byte{[]byte("first"), message(height), []byte("last")}
}

// child makes a block on another; salt makes it differ.
func (c *testChain) child(p *types.Header, slots, epoch uint64, salt string) *types.Header {
	h := &types.Header{Chain: c.id, Height: p.Height + 1, Slot: p.Slot + slots, Epoch: epoch, Parent: p.ID(), BodyRoot: types.Sum(salt),
		OutboxRoot: types.MerkleRoot(outbox(p.Height))}
	path := types.StatePathOf(item.Module, item.Place, item.Key)
	h.StateRoot = types.StateLeafHash(&path, types.StateValueHash(message(p.Height)))
	h.HistoryRoot = types.MerkleRoot(c.ids[:h.Height])
	return h
}

// grow adds a block to the current epoch.
func (c *testChain) grow(slots uint64) *types.Header {
	h := c.child(c.tip(), slots, c.epoch(), "")
	c.put(h)
	return h
}

func (c *testChain) epoch() uint64 { return uint64(len(c.sets) - 1) }

// close ends the epoch; so many suffix blocks carry the votes.
func (c *testChain) close(slots uint64, suffix int, keys ...int) {
	set := c.sets[c.epoch()]
	next := c.newSet(set.Epoch+1, keys...)
	x := c.child(c.tip(), slots, set.Epoch, "")
	x.NextSet = next.Hash()
	c.put(x)
	c.closing, c.proofs = append(c.closing, x), append(c.proofs, c.prove(set, x, suffix))
	c.sets = append(c.sets, next)
}

// prove shows that a block is final, by the smallest quorum.
func (c *testChain) prove(set *types.Set, h *types.Header, suffix int) *types.Finality {
	f := &types.Finality{}
	tip := h
	for range suffix {
		s := *tip
		s.Height, s.Slot, s.Parent, s.NextSet = tip.Height+1, tip.Slot+1, tip.ID(), types.Hash{}
		f.Suffix = append(f.Suffix, &s)
		tip = &s
	}
	f.Cert = c.cert(set, tip, int(set.Threshold))
	return f
}

// cert is signed by the first seats.
func (c *testChain) cert(set *types.Set, h *types.Header, signers int) *types.Certificate {
	cert := &types.Certificate{Scheme: types.CertEd25519List, SetHash: set.Hash(), Epoch: set.Epoch, Slot: h.Slot, Height: h.Height, Block: h.ID(),
		Bitmap: make([]byte, (len(set.Seats)+7)/8)}
	msg := types.SignBytes(h.Chain, types.PurposeCommit, types.CommitPayload(cert.SetHash, cert.Epoch, cert.Slot, cert.Height, cert.Block))
	for i := range signers {
		cert.Bitmap[i/8] |= 1 << (i % 8)
		cert.Signatures = append(cert.Signatures, ed25519.Sign(c.keys[set.Seats[i].Key.Hash()], msg))
	}
	return cert
}

// claim says that a block of the chain is final.
func (c *testChain) claim(h *types.Header) Claim {
	set := c.sets[h.Epoch]
	return Claim{Header: h, Proof: &types.Finality{Cert: c.cert(set, h, int(set.Threshold))}, Set: set}
}

func at(slot uint64) uint64 { return genesisMs + slot*slotMs }

func (c *testChain) checkpoint() Checkpoint {
	return Checkpoint{Params: Params{Chain: c.id, GenesisTimeMs: genesisMs, SlotMs: slotMs, TrustingMs: 14 * day, DriftMs: 10_000, Keep: 3},
		ID: c.blocks[0].ID(), Opened: c.blocks[0], Set: c.sets[0]}
}

func (c *testChain) client(t testing.TB) *Client {
	t.Helper()
	cl, err := New(c.checkpoint(), AllSchemes())
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// advance moves a client through the next epochs.
func (c *testChain) advance(t testing.TB, cl *Client, epochs int) {
	t.Helper()
	for range epochs {
		e := cl.Epoch().Number
		if err := cl.Advance(c.closing[e], c.sets[e+1], c.proofs[e], at(c.closing[e].Slot)); err != nil {
			t.Fatalf("advance from epoch %d: %v", e, err)
		}
	}
}

// seats returns n numbers of keys from a first one on.
func seats(from, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = from + i
	}
	return out
}

// threeEpochs is a chain with sets of other keys: blocks 1 to 4 and X at 5, 6 to 9 and X at 10, which suffix blocks make
// final, 11 to 14.
func threeEpochs() *testChain {
	c := newChain(seats(0, 4)...)
	for e := range 3 {
		for range 4 {
			c.grow(2)
		}
		if e < 2 {
			c.close(2, e*2, seats(10*(e+1), 4+e)...)
		}
	}
	return c
}

// again encodes and decodes a client: what it knows must be all in its bytes.
func again(t testing.TB, cl *Client) *Client {
	t.Helper()
	b := cl.Encode()
	out, err := Decode(b, AllSchemes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Encode(), b) {
		t.Fatalf("encoded anew as %x\nwant %x", out.Encode(), b)
	}
	return out
}

func clone[T any](v *T) *T { c := *v; return &c }

func cloneProof(f *types.Finality) *types.Finality {
	c := clone(f.Cert)
	c.Bitmap, c.Signatures = bytes.Clone(c.Bitmap), slices.Clone(c.Signatures)
	out := &types.Finality{Cert: c}
	for _, h := range f.Suffix {
		out.Suffix = append(out.Suffix, clone(h))
	}
	return out
}
