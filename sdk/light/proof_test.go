package light

import (
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestItems(t *testing.T) {
	c := threeEpochs()
	cl := c.client(t)
	c.advance(t, cl, 2)
	now := at(c.tip().Slot)
	value := message(c.tip().Height - 1)
	if err := cl.VerifyItem(c.claim(c.tip()), item, value, &types.StateProof{}, now); err != nil {
		t.Error(err)
	}
	path := types.StatePathOf(item.Module, item.Place, item.Key)
	absent := &types.StateProof{Other: &types.StateLeaf{Path: path, Value: types.StateValueHash(value)}}
	other := Item{Module: "bank", Place: types.Place{1}, Key: "nothing"}
	if err := cl.VerifyItem(c.claim(c.tip()), other, nil, absent, now); err != nil {
		t.Errorf("absence: %v", err)
	}
	for name, err := range map[string]error{
		"another value":      cl.VerifyItem(c.claim(c.tip()), item, message(3), &types.StateProof{}, now),
		"no value":           cl.VerifyItem(c.claim(c.tip()), item, nil, &types.StateProof{}, now),
		"another item":       cl.VerifyItem(c.claim(c.tip()), other, value, &types.StateProof{}, now),
		"no proof":           cl.VerifyItem(c.claim(c.tip()), item, value, nil, now),
		"absence of what is": cl.VerifyItem(c.claim(c.tip()), item, nil, absent, now),
	} {
		if !errors.Is(err, types.ErrBadProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	x := c.claim(c.tip())
	x.Proof.Cert.Signatures[0] = make([]byte, 64)
	if err := cl.VerifyItem(x, item, value, &types.StateProof{}, now); !errors.Is(err, types.ErrBadCertificate) {
		t.Errorf("a bad certificate: %v", err)
	}
}

func TestMessages(t *testing.T) {
	c := threeEpochs()
	cl := c.client(t)
	c.advance(t, cl, 2)
	now := at(c.tip().Slot)
	h := c.tip()
	proof := types.MerkleProve(outbox(h.Height-1), 1)
	if err := cl.VerifyMessage(c.claim(h), message(h.Height-1), proof, now); err != nil {
		t.Error(err)
	}
	if err := cl.VerifyMessage(c.claim(h), message(h.Height), proof, now); !errors.Is(err, types.ErrBadProof) {
		t.Errorf("another message: %v", err)
	}
	if err := cl.VerifyMessage(c.claim(c.blocks[12]), message(h.Height-1), proof, now); !errors.Is(err, types.ErrBadProof) {
		t.Errorf("another block: %v", err)
	}
	x := c.claim(h)
	x.Proof.Cert.Signatures[0] = make([]byte, 64)
	if err := cl.VerifyMessage(x, message(h.Height-1), proof, now); !errors.Is(err, types.ErrBadCertificate) {
		t.Errorf("a bad certificate: %v", err)
	}
}

func TestAncestors(t *testing.T) {
	c := threeEpochs()
	cl := c.client(t)
	c.advance(t, cl, 2)
	now := at(c.tip().Slot)
	h := c.tip()
	x := c.claim(h)
	for i := range h.Height { // of all epochs, also such as are not known
		older := c.blocks[i]
		proof := types.MerkleProve(c.ids[:h.Height], int(i))
		if err := cl.VerifyAncestor(x, older, proof, now); err != nil {
			t.Fatalf("height %d: %v", i, err)
		}
		if i > 0 {
			if err := MessageIn(older, message(i-1), types.MerkleProve(outbox(i-1), 1)); err != nil {
				t.Errorf("message below height %d: %v", i, err)
			}
			if err := ItemIn(older, item, message(i-1), &types.StateProof{}); err != nil {
				t.Errorf("item below height %d: %v", i, err)
			}
		}
	}
	good := types.MerkleProve(c.ids[:h.Height], 7)
	change := func(f func(o *types.Header, p *types.MerkleProof)) error {
		o, p := clone(c.blocks[7]), good
		f(o, &p)
		return cl.VerifyAncestor(x, o, p, now)
	}
	for _, r := range []struct {
		name string
		want error
		err  error
	}{
		{"no header", ErrNotAncestor, cl.VerifyAncestor(x, nil, good, now)},
		{"the block itself", ErrNotAncestor, cl.VerifyAncestor(x, h, good, now)},
		{"another height", ErrNotAncestor, change(func(o *types.Header, _ *types.MerkleProof) { o.Height++ })},
		{"another block", types.ErrBadProof, change(func(o *types.Header, _ *types.MerkleProof) { o.BodyRoot[0] ^= 1 })},
		{"another chain", ErrNotAncestor, change(func(o *types.Header, _ *types.MerkleProof) { o.Chain[0] ^= 1 })},
		{"a later epoch", ErrNotAncestor, change(func(o *types.Header, _ *types.MerkleProof) { o.Epoch = 3 })},
		{"a later slot", ErrNotAncestor, change(func(o *types.Header, _ *types.MerkleProof) { o.Slot = h.Slot })},
		{"another count", ErrNotAncestor, change(func(_ *types.Header, p *types.MerkleProof) { p.Count++ })},
		{"another place", ErrNotAncestor, change(func(_ *types.Header, p *types.MerkleProof) { p.Index++ })},
		{"a short path", types.ErrBadProof, change(func(_ *types.Header, p *types.MerkleProof) { p.Path = p.Path[1:] })},
	} {
		if !errors.Is(r.err, r.want) {
			t.Errorf("%s: %v", r.name, r.err)
		}
	}
}
