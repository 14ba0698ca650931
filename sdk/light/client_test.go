package light

import (
	"bytes"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestFollowsAChain(t *testing.T) {
	c := threeEpochs()
	cl := c.client(t)
	now := at(c.tip().Slot)
	if err := cl.Verify(c.claim(c.blocks[3]), now); err != nil {
		t.Error(err)
	}
	c.advance(t, cl, 2)
	cl = again(t, cl)
	if cl.Epoch().Number != 2 || cl.Set().Hash() != c.sets[2].Hash() || cl.Epoch().Opened.ID != c.closing[1].ID() {
		t.Fatalf("epoch %+v", cl.Epoch())
	}
	for _, h := range c.blocks[1:] { // of all three epochs
		if err := cl.Verify(c.claim(h), now); err != nil {
			t.Errorf("height %d: %v", h.Height, err)
		}
	}
	if got := cl.Newest(); got != pointOf(c.tip()) {
		t.Errorf("newest is %+v", got)
	}
	if got, want := cl.TrustedUntilMs(), at(c.tip().Slot)+14*day; got != want {
		t.Errorf("trusted until %d, want %d", got, want)
	}
	cl = again(t, cl)
	current := c.claim(c.tip())
	current.Set = nil // it is known
	if err := cl.Verify(current, now); err != nil {
		t.Error(err)
	}
}

func TestCheckpoint(t *testing.T) {
	c := threeEpochs()
	fromX := Checkpoint{Params: c.checkpoint().Params, ID: c.closing[1].ID(), Opened: c.closing[1], Set: c.sets[2]}
	cl, err := New(fromX, AllSchemes())
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.Verify(c.claim(c.tip()), at(c.tip().Slot)); err != nil {
		t.Error(err)
	}
	if err := cl.Verify(c.claim(c.blocks[7]), at(c.tip().Slot)); !errors.Is(err, ErrEpoch) {
		t.Errorf("a block before the checkpoint: %v", err)
	}
	for name, change := range map[string]func(x *Checkpoint){
		"no header":                 func(x *Checkpoint) { x.Opened = nil },
		"no set":                    func(x *Checkpoint) { x.Set = nil },
		"another id":                func(x *Checkpoint) { x.ID[0] ^= 1 },
		"another header":            func(x *Checkpoint) { x.Opened = clone(x.Opened); x.Opened.Slot++ },
		"another chain":             func(x *Checkpoint) { x.Chain[0] ^= 1 },
		"another set":               func(x *Checkpoint) { x.Set = c.sets[1] },
		"no slot length":            func(x *Checkpoint) { x.SlotMs = 0 },
		"no trusting period":        func(x *Checkpoint) { x.TrustingMs = 0 },
		"too many epochs":           func(x *Checkpoint) { x.Keep = MaxKeep + 1 },
		"an ordinary block":         func(x *Checkpoint) { x.Opened = c.blocks[7]; x.ID = x.Opened.ID() },
		"a set of a later epoch":    func(x *Checkpoint) { x.name(c.newSet(4, 1, 2, 3, 4)) },
		"a set with a bad quorum":   func(x *Checkpoint) { s := c.newSet(2, 1, 2, 3, 4); s.Threshold = 1; x.name(s) },
		"a set of the epoch before": func(x *Checkpoint) { x.name(c.newSet(1, 1, 2, 3, 4)) },
	} {
		x := fromX
		change(&x)
		if _, err := New(x, AllSchemes()); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// name makes the checkpoint's block name a set.
func (x *Checkpoint) name(s *types.Set) {
	x.Opened, x.Set = clone(x.Opened), s
	x.Opened.NextSet = s.Hash()
	x.ID = x.Opened.ID()
}

// refused is a forgery and the error that it must give.
type refused struct {
	name string
	want error
	do   func(c *testChain, cl *Client) error
}

func (r refused) check(t *testing.T, c *testChain, cl *Client) {
	t.Helper()
	before := cl.Encode()
	if err := r.do(c, cl); !errors.Is(err, r.want) {
		t.Errorf("error %v, want %v", err, r.want)
	}
	if !bytes.Equal(cl.Encode(), before) {
		t.Error("the client has changed")
	}
}

func TestAdvanceRefuses(t *testing.T) {
	closing := func(change func(c *testChain, x *types.Header)) func(c *testChain, cl *Client) error { // signed anew
		return func(c *testChain, cl *Client) error {
			x := clone(c.closing[0])
			change(c, x)
			return cl.Advance(x, c.sets[1], c.prove(c.sets[0], x, 0), at(c.tip().Slot))
		}
	}
	proof := func(change func(c *testChain, f *types.Finality)) func(c *testChain, cl *Client) error {
		return func(c *testChain, cl *Client) error {
			f := c.prove(c.sets[0], c.closing[0], 2)
			if err := f.Verify(c.sets[0], c.closing[0]); err != nil {
				return err
			}
			change(c, f)
			return cl.Advance(c.closing[0], c.sets[1], f, at(c.tip().Slot))
		}
	}
	next := func(s func(c *testChain) *types.Set) func(c *testChain, cl *Client) error {
		return func(c *testChain, cl *Client) error {
			return cl.Advance(c.closing[0], s(c), c.proofs[0], at(c.tip().Slot))
		}
	}
	for _, r := range []refused{
		{"nothing", ErrNotClosing, func(c *testChain, cl *Client) error { return cl.Advance(nil, nil, nil, 0) }},
		{"another chain", ErrChain, closing(func(_ *testChain, x *types.Header) { x.Chain[0] ^= 1 })},
		{"a block that does not close", ErrNotClosing, closing(func(_ *testChain, x *types.Header) { x.NextSet = types.Hash{} })},
		{"a later epoch", ErrEpoch, closing(func(_ *testChain, x *types.Header) { x.Epoch++ })},
		{"a height that does not grow", ErrNotClosing, closing(func(_ *testChain, x *types.Header) { x.Height = 0 })},
		{"a slot that does not grow", ErrOrder, closing(func(_ *testChain, x *types.Header) { x.Slot = 0 })},
		{"a slot that has not come", ErrFuture, closing(func(_ *testChain, x *types.Header) { x.Slot += 1000 })},
		{"a slot beyond all time", ErrFuture, closing(func(_ *testChain, x *types.Header) { x.Slot = 1<<64 - 1 })},
		{"two epochs at once", ErrEpoch, func(c *testChain, cl *Client) error {
			return cl.Advance(c.closing[1], c.sets[2], c.proofs[1], at(c.tip().Slot))
		}},
		{"another set", ErrSet, next(func(c *testChain) *types.Set { return c.newSet(1, 50, 51, 52, 53) })},
		{"the set of another epoch", ErrSet, next(func(c *testChain) *types.Set { s := clone(c.sets[1]); s.Epoch++; return s })},
		{"a lower threshold", ErrSet, next(func(c *testChain) *types.Set { s := clone(c.sets[1]); s.Threshold--; return s })},
		{"a named set that is not usable", types.ErrBadSet, func(c *testChain, cl *Client) error {
			s, x := clone(c.sets[1]), clone(c.closing[0])
			s.Threshold--
			x.NextSet = s.Hash()
			return cl.Advance(x, s, c.prove(c.sets[0], x, 0), at(c.tip().Slot))
		}},
		{"a named set of the same epoch", ErrSet, func(c *testChain, cl *Client) error {
			s, x := clone(c.sets[1]), clone(c.closing[0])
			s.Epoch = 0
			x.NextSet = s.Hash()
			return cl.Advance(x, s, c.prove(c.sets[0], x, 0), at(c.tip().Slot))
		}},
		{"a signer missing", types.ErrBadCertificate, proof(func(c *testChain, f *types.Finality) {
			f.Cert = c.cert(c.sets[0], f.Suffix[1], int(c.sets[0].Threshold)-1)
		})},
		{"signed by the next set", types.ErrBadCertificate, proof(func(c *testChain, f *types.Finality) {
			f.Cert = c.cert(c.sets[1], f.Suffix[1], 4)
		})},
		{"signed by strangers", types.ErrBadCertificate, proof(func(c *testChain, f *types.Finality) {
			f.Cert = c.cert(c.newSet(0, 60, 61, 62, 63), f.Suffix[1], 4)
		})},
		{"a spoilt signature", types.ErrBadCertificate, proof(func(_ *testChain, f *types.Finality) { f.Cert.Signatures[0] = make([]byte, 64) })},
		{"an unknown scheme", ErrScheme, proof(func(_ *testChain, f *types.Finality) { f.Cert.Scheme = 9 })},
		{"a suffix that is swapped", types.ErrBadCertificate, proof(func(_ *testChain, f *types.Finality) {
			f.Suffix[0], f.Suffix[1] = f.Suffix[1], f.Suffix[0]
		})},
		{"a suffix with a hole", types.ErrBadCertificate, proof(func(_ *testChain, f *types.Finality) { f.Suffix = f.Suffix[1:] })},
		{"a suffix of another block", types.ErrBadCertificate, proof(func(c *testChain, f *types.Finality) {
			*f = *c.prove(c.sets[0], c.child(c.blocks[4], 3, 0, "rival"), 2)
		})},
		{"no suffix", types.ErrBadCertificate, proof(func(_ *testChain, f *types.Finality) { f.Suffix = nil })},
		{"no certificate", types.ErrBadCertificate, proof(func(_ *testChain, f *types.Finality) { f.Cert = nil })},
		{"too late", ErrExpired, func(c *testChain, cl *Client) error {
			return cl.Advance(c.closing[0], c.sets[1], c.proofs[0], genesisMs+14*day+1)
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			c := threeEpochs()
			r.check(t, c, c.client(t))
		})
	}
	// The last moment is not too late.
	c := threeEpochs()
	if err := c.client(t).Advance(c.closing[0], c.sets[1], c.proofs[0], genesisMs+14*day); err != nil {
		t.Error(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	signed := func(change func(c *testChain, h *types.Header)) func(c *testChain, cl *Client) error { // by the current set
		return func(c *testChain, cl *Client) error {
			h := clone(c.blocks[12])
			change(c, h)
			return cl.Verify(Claim{Header: h, Proof: c.prove(c.sets[2], h, 0)}, at(c.tip().Slot))
		}
	}
	for _, r := range []refused{
		{"nothing", types.ErrBadCertificate, func(_ *testChain, cl *Client) error { return cl.Verify(Claim{}, 0) }},
		{"another chain", ErrChain, signed(func(_ *testChain, h *types.Header) { h.Chain[0] ^= 1 })},
		{"a later epoch", ErrEpoch, signed(func(_ *testChain, h *types.Header) { h.Epoch++ })},
		{"the height at which the epoch was opened", ErrOrder, signed(func(_ *testChain, h *types.Header) { h.Height = 10 })},
		{"the slot at which the epoch was opened", ErrOrder, signed(func(_ *testChain, h *types.Header) { h.Slot = 20 })},
		{"a slot that has not come", ErrFuture, signed(func(_ *testChain, h *types.Header) { h.Slot += 25 })},
		{"another block's certificate", types.ErrBadCertificate, func(c *testChain, cl *Client) error {
			x := c.claim(c.blocks[12])
			x.Header = c.blocks[13]
			return cl.Verify(x, at(c.tip().Slot))
		}},
		{"headers after a block that does not close", types.ErrBadCertificate, func(c *testChain, cl *Client) error {
			return cl.Verify(Claim{Header: c.blocks[12], Proof: c.prove(c.sets[2], c.blocks[12], 1)}, at(c.tip().Slot))
		}},
		{"keys of an epoch before for a block of this one", types.ErrBadCertificate, func(c *testChain, cl *Client) error {
			h := c.child(c.tip(), 2, 2, "rival")
			old := clone(c.sets[1])
			old.Epoch = 2
			return cl.Verify(Claim{Header: h, Proof: c.prove(old, h, 0), Set: old}, at(h.Slot))
		}},
		{"an epoch before without its set", ErrSet, func(c *testChain, cl *Client) error {
			x := c.claim(c.blocks[7])
			x.Set = nil
			return cl.Verify(x, at(c.tip().Slot))
		}},
		{"an epoch before with another set", ErrSet, func(c *testChain, cl *Client) error {
			x := c.claim(c.blocks[7])
			x.Set = c.newSet(1, 70, 71, 72, 73)
			x.Proof = c.prove(x.Set, x.Header, 0)
			return cl.Verify(x, at(c.tip().Slot))
		}},
		{"a block after a closing block", ErrSuffix, func(c *testChain, cl *Client) error {
			return cl.Verify(c.claim(c.proofs[1].Suffix[0]), at(c.tip().Slot))
		}},
		{"a block after a closing block that closes as well", ErrConflict, func(c *testChain, cl *Client) error {
			h := clone(c.proofs[1].Suffix[0])
			h.NextSet = c.sets[2].Hash()
			return cl.Verify(c.claim(h), at(c.tip().Slot))
		}},
		{"a rival of a closing block", ErrConflict, func(c *testChain, cl *Client) error {
			return cl.Verify(c.claim(c.child(c.blocks[9], 3, 1, "rival")), at(c.tip().Slot))
		}},
		{"keys that are too old", ErrExpired, func(c *testChain, cl *Client) error {
			return cl.Verify(c.claim(c.blocks[7]), at(c.closing[1].Slot)+14*day+1)
		}},
		{"another past by keys that are too old", ErrExpired, func(c *testChain, cl *Client) error {
			return cl.Verify(c.claim(c.child(c.blocks[6], 1, 1, "rival")), at(c.closing[1].Slot)+14*day+1)
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			c := threeEpochs()
			cl := c.client(t)
			c.advance(t, cl, 2)
			r.check(t, c, cl)
		})
	}

	// The current epoch is believed for longer than the one before, which ended earlier.
	c := threeEpochs()
	cl := c.client(t)
	c.advance(t, cl, 2)
	if err := cl.Verify(c.claim(c.tip()), at(c.tip().Slot)); err != nil {
		t.Fatal(err)
	}
	if err := cl.Verify(c.claim(c.blocks[12]), at(c.closing[1].Slot)+14*day+1); err != nil {
		t.Error(err)
	}
	rival := c.claim(c.child(c.blocks[13], 2, 2, "rival"))
	if err := cl.Verify(rival, at(c.tip().Slot)); !errors.Is(err, ErrConflict) {
		t.Errorf("a rival of the newest block: %v", err)
	}
	lower := c.claim(c.child(c.blocks[12], 9, 2, "rival")) // later and not higher
	if err := cl.Verify(lower, at(c.tip().Slot)); !errors.Is(err, ErrConflict) {
		t.Errorf("a later block that is not higher: %v", err)
	}
	higher := clone(c.child(c.blocks[13], 2, 2, "rival"))
	higher.Height, higher.Slot = c.tip().Height+3, c.tip().Slot-1
	if err := cl.Verify(c.claim(higher), at(c.tip().Slot)); !errors.Is(err, ErrConflict) {
		t.Errorf("a higher block that is not later: %v", err)
	}
	// What this epoch has signed of late does not bind those of the one before.
	if err := cl.Verify(c.claim(c.blocks[7]), at(c.closing[1].Slot)+14*day+1); !errors.Is(err, ErrExpired) {
		t.Errorf("keys that are too old: %v", err)
	}
}

// TestForgetsEpochs keeps no more than it was told.
func TestForgetsEpochs(t *testing.T) {
	c := newChain(1, 2, 3, 4)
	for range 6 {
		c.grow(1)
		c.close(1, 0, 1, 2, 3, 4)
	}
	cl := c.client(t)
	c.advance(t, cl, 6)
	cl = again(t, cl)
	for e := range uint64(6) {
		err := cl.Verify(c.claim(c.blocks[2*e+1]), at(c.tip().Slot))
		if known := e >= 3; known && err != nil || !known && !errors.Is(err, ErrEpoch) {
			t.Errorf("epoch %d: %v", e, err)
		}
	}
}

func TestSchemes(t *testing.T) {
	if _, err := NewSchemes(Ed25519List{}, Ed25519List{}); !errors.Is(err, ErrDoubleScheme) {
		t.Errorf("a scheme twice: %v", err)
	}
	none, err := NewSchemes()
	if err != nil {
		t.Fatal(err)
	}
	c := threeEpochs()
	x := c.claim(c.blocks[1])
	for name, s := range map[string]Schemes{"none": none, "zero value": {}} {
		if err := s.Certificate(x.Proof.Cert, c.id, x.Set); !errors.Is(err, ErrScheme) || !errors.Is(err, types.ErrBadCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	own, err := NewSchemes(Ed25519List{}, countScheme{})
	if err != nil {
		t.Fatal(err)
	}
	x.Proof.Cert.Scheme, x.Proof.Cert.Signatures = 200, [][]byte{{byte(x.Set.Threshold)}}
	if err := own.Finality(x.Proof, x.Set, x.Header); err != nil {
		t.Errorf("a scheme with one signature for all: %v", err)
	}
	if err := x.Proof.Verify(x.Set, x.Header); !errors.Is(err, types.ErrBadCertificate) {
		t.Errorf("types knows scheme 200: %v", err)
	}
}

// countScheme is a scheme whose one signature is the number of signers.
type countScheme struct{}

func (countScheme) ID() types.CertScheme { return 200 }

func (countScheme) Verify(keys []types.PublicKey, _ []byte, sigs [][]byte) error {
	if len(sigs) != 1 || int(sigs[0][0]) != len(keys) {
		return types.ErrBadCertificate
	}
	return nil
}
