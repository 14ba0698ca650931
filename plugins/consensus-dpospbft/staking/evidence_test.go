package staking

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// hop is evidence that the holder of a seat has committed to one block and prepared another n-1 blocks above its sibling.
func hop(set *types.Set, seat int, slot uint64, n int) []byte {
	k := keys[string(set.Seats[seat].Key.Key)]
	headers, parent := make([]*types.Header, n), types.BlockID{9}
	x := pbft.Extra{VRF: make([]byte, consensus.VRFBytes)}
	for i := n - 1; i >= 0; i-- {
		h := &types.Header{Chain: testChain, Epoch: set.Epoch, Height: uint64(1000 - i), Slot: slot - uint64(i), Parent: parent, Consensus: x.Encode()}
		headers[i], parent = h, h.ID()
	}
	sign := func(purpose string, payload []byte) []byte {
		return ed25519.Sign(k, types.SignBytes(testChain, purpose, payload))
	}
	a := evidence.Signed{Slot: headers[n-1].Slot, Height: headers[n-1].Height, ID: types.BlockID{8}}
	b := evidence.Signed{Slot: slot, Height: headers[0].Height, ID: headers[0].ID()}
	a.Sig = sign(types.PurposeCommit, types.CommitPayload(set.Hash(), set.Epoch, a.Slot, a.Height, a.ID))
	b.Sig = sign(evidence.PurposePrepare, evidence.PreparePayload(set.Hash(), set.Epoch, b.Slot, b.Height, b.ID, b.Src))
	return (&evidence.Evidence{Kind: evidence.Hop, Epoch: set.Epoch, Slot: slot, Seat: uint32(seat), A: a, B: b, Headers: headers}).Encode()
}

// extended returns what a module puts into the next block, encoded as a body and decoded.
func (c *chain) extended(m *Module) (items [][]byte) {
	c.t.Helper()
	raw, err := module.Guard(m).Extend(c.t.Context(), c.slot+1, c.core.Reader())
	if err != nil {
		c.t.Fatal(err)
	}
	if raw == nil {
		return nil
	}
	b, err := types.DecodeBody((&types.Body{Extensions: []types.Extension{{Module: types.ModuleConsensus, Data: raw}}}).Encode())
	if err != nil {
		c.t.Fatal(err)
	}
	if items, err = decodeExtension(b.Extensions[0].Data); err != nil {
		c.t.Fatal(err)
	}
	return items
}

// is tells whether the items of an extension are these.
func is(got [][]byte, want ...[]byte) bool {
	return len(got) == len(want) && bytes.Equal(bytes.Join(got, nil), bytes.Join(want, nil))
}

// TestLongEvidence: the longest evidence goes into a block like any other, alone, and after the short.
func TestLongEvidence(t *testing.T) {
	c := ready(t, nil)
	c.do("", founder(1), stakeOf(1000))
	m := c.m.(*Module)
	long, other := hop(c.set, 1, c.slot+100, evidence.MaxHeaders), hop(c.set, 3, c.slot+100, evidence.MaxHeaders)
	two, three := twice(c.set, 2, c.slot), hop(c.set, 0, c.slot+1, 2)
	if len(long) < 5*maxShared {
		t.Fatalf("%d bytes are not much", len(long))
	}
	m.Offer(long)
	m.Offer(other)
	if got := c.extended(m); !is(got, long) {
		t.Fatalf("%d pieces, want a long one", len(got))
	}
	m.Offer(three)
	m.Offer(two)
	got := c.extended(m)
	if !is(got, two, three) {
		t.Fatalf("%d pieces, want both that are short", len(got))
	}
	before := c.ownerOf(founder(1)).Stake
	c.step(testBlock{final: c.height, ext: [][]byte{encodeExtension([][]byte{two})}})
	if got = c.extended(m); !is(got, three) {
		t.Fatalf("%d pieces, want the one that is short", len(got))
	}
	m.Offer(twice(c.set, 3, c.slot)) // shorter than what waits against this seat
	m.Offer(other)
	c.step(testBlock{final: c.height, ext: [][]byte{encodeExtension([][]byte{long})}})
	if p, s := c.producerOf(founder(1)), c.ownerOf(founder(1)).Stake; p.Status != Tombstoned || s != before-before/10 || before < 1000 {
		t.Errorf("%s, with %d of %d", p.Status, s, before)
	}
	if got = c.extended(m); len(got) != 2 || len(got[0])+len(got[1]) > maxShared {
		t.Errorf("%d pieces, want the two that are short", len(got))
	}
}

// TestManyLong: one that signs a thousand things takes the place of one piece of evidence in a node, and of one in a block.
func TestManyLong(t *testing.T) {
	c := ready(t, nil)
	m := c.m.(*Module)
	for i := range uint64(20) {
		m.Offer(hop(c.set, 1, c.slot+100+i, evidence.MaxHeaders))
	}
	if n := len(m.waiting()); n != 1 {
		t.Fatalf("%d pieces wait, want 1", n)
	}
	judged := 0
	m2 := New(c.cfg)
	m2.judge = func(raw []byte) (*accusation, error) {
		v, err := readEvidence(raw)
		if err == nil {
			verify := v.verify
			v.verify = func(chain types.Hash, set *types.Set) error { judged++; return verify(chain, set) }
		}
		return v, err
	}
	c.m = m2
	var ext [][]byte
	for i := range uint64(20) {
		ext = append(ext, encodeExtension([][]byte{hop(c.set, 1, c.slot+100+i, evidence.MaxHeaders)}))
	}
	c.step(testBlock{final: c.height, ext: ext})
	if judged != 1 || c.producerOf(founder(1)).Status != Tombstoned {
		t.Errorf("signatures of %d were verified, want 1", judged)
	}
}
