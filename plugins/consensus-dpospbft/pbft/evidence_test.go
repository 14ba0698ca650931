package pbft

import (
	"bytes"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// observer is a lab with the machine of seat 0 only; the test plays the others. With four seats and a turn of one slot, slot s
// belongs to seat s mod 4.
type observer struct {
	*lab
	n      *labNode
	blocks map[string]*types.Header
}

func newObserver(t *testing.T) *observer {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.slot = 7
	o := &observer{l, l.nodes[0], map[string]*types.Header{"G": l.genesis}}
	l.start(o.n)
	l.queue = nil
	return o
}

func (o *observer) show(raw []byte) {
	o.step(o.n, &consensus.Message{From: testPeer("x"), Payload: raw, NowMs: o.now(o.n)})
	o.queue = nil
}

// block makes a block in a slot, and shows it unless it is hidden.
func (o *observer) block(name, parent string, slot uint64, hidden bool) {
	p := o.blocks[parent]
	seat := int(slot % 4)
	priv, pub := labKey(seat)
	x := &Extra{Justify: Ref{0, o.genesis.ID()}, FinalRef: FinalRef{0, 0, o.genesis.ID()}}
	h := &types.Header{Chain: o.genesis.Chain, Height: p.Height + 1, Slot: slot, Parent: p.ID(), Producer: pub.Hash(), BodyRoot: types.Sum("test", []byte(name)),
		Consensus: append(x.withoutProof(), ecvrf.Prove(priv, consensus.VRFInput(o.sets[0].Hash(), slot))...)}
	o.blocks[name] = h
	if !hidden {
		o.propose(name)
	}
}

func (o *observer) propose(name string) {
	h := o.blocks[name]
	o.show(o.signMessage(int(h.Slot%4), PurposePropose, ProposePayload(h.ID(), h.Slot), &Proposal{Header: h}))
}

func (o *observer) prepares(seat int, name string, src uint64) {
	h := o.blocks[name]
	o.show(o.prepare(seat, h.Slot, h.Height, src, h.ID()))
}

func (o *observer) commits(seat int, name string) {
	h := o.blocks[name]
	o.show(o.commit(seat, h.Slot, h.Height, h.ID()))
}

// TestFindsEvidence plays seats that break the rules in each way, and such that do not.
func TestFindsEvidence(t *testing.T) {
	for _, c := range []struct {
		name string
		want []evidence.Kind
		play func(o *observer)
	}{
		{"two blocks", []evidence.Kind{evidence.Propose}, func(o *observer) { o.block("a", "G", 1, false); o.block("b", "G", 1, false) }},
		{"three blocks", []evidence.Kind{evidence.Propose}, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "G", 1, false)
			o.block("c", "G", 1, false)
		}},
		{"two PREPAREs", []evidence.Kind{evidence.Prepare}, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "a", 2, false)
			o.prepares(3, "b", 0)
			o.prepares(3, "b", 1)
			o.prepares(3, "b", 1)
		}},
		{"two COMMITs of unknown blocks", []evidence.Kind{evidence.Commit}, func(o *observer) {
			o.block("a", "G", 1, true)
			o.block("b", "G", 1, true)
			o.commits(3, "a")
			o.commits(3, "b")
		}},
		{"a hop, COMMIT first", []evidence.Kind{evidence.Hop}, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "G", 2, false)
			o.commits(3, "a")
			o.prepares(3, "b", 0)
		}},
		{"a hop, PREPARE first", []evidence.Kind{evidence.Hop}, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "G", 2, false)
			o.block("c", "b", 3, false)
			o.prepares(3, "c", 0)
			o.commits(3, "a")
		}},
		{"a hop, the blocks last", []evidence.Kind{evidence.Hop}, func(o *observer) {
			o.block("a", "G", 2, true)
			o.block("b", "G", 1, true)
			o.block("c", "b", 3, true)
			o.prepares(3, "c", 0)
			o.commits(3, "a")
			o.propose("c")
			o.propose("b")
		}},
		{"two seats do one thing each", nil, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "G", 2, false)
			o.commits(3, "a")
			o.prepares(2, "b", 0)
		}},
		{"a child is prepared before the COMMIT", nil, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "a", 2, false)
			o.block("c", "b", 3, false)
			o.prepares(3, "a", 0)
			o.prepares(3, "b", 0)
			o.prepares(3, "c", 0)
			o.commits(3, "a")
			o.commits(3, "b")
		}},
		{"another branch on a newer src", nil, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "G", 2, false)
			o.block("c", "b", 3, false)
			o.commits(3, "a")
			o.prepares(3, "c", 2)
		}},
		{"an older block is prepared", nil, func(o *observer) {
			o.block("a", "G", 1, false)
			o.block("b", "G", 2, false)
			o.prepares(3, "a", 0)
			o.commits(3, "b")
		}},
		{"the same again", nil, func(o *observer) {
			o.block("a", "G", 1, false)
			o.propose("a")
			o.prepares(3, "a", 0)
			o.prepares(3, "a", 0)
			o.commits(3, "a")
			o.commits(3, "a")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newObserver(t)
			c.play(o)
			var got []evidence.Kind
			for _, raw := range o.n.found {
				v, err := evidence.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				if err := v.Verify(o.genesis.Chain, o.sets[0]); err != nil {
					t.Error(err)
				}
				got = append(got, v.Kind)
				if o.n.m.offences[int(v.Seat)] == 0 {
					t.Error("the offender's blocks would be prepared")
				}
			}
			if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
				t.Errorf("evidence of %v, want %v", got, c.want)
			}
		})
	}
}

// TestLateEvidence has second signatures come when the block is final, and after the epoch's end.
func TestLateEvidence(t *testing.T) {
	l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
	l.startAll()
	n := l.nodes[0]
	for _, slot := range []uint64{5, 12} {
		l.run(slot)
		n.found = nil
		for seat := 2; seat < 4; seat++ {
			l.step(n, &consensus.Message{From: testPeer("x"), Payload: l.prepare(seat, slot/4+1, 3, 0, testPeer("other")), NowMs: l.now(n)})
			l.step(n, &consensus.Message{From: testPeer("x"), Payload: l.commit(seat, slot/4+1, 3, testPeer("other")), NowMs: l.now(n)})
		}
		h := *n.m.finalAt(slot / 4).h
		h.BodyRoot = types.Sum("test", []byte{byte(slot)})
		l.step(n, &consensus.Message{From: testPeer("x"), NowMs: l.now(n), Payload: l.signMessage(int(slot/4), PurposePropose, ProposePayload(h.ID(), h.Slot),
			&Proposal{Header: &h})})
		kinds := map[evidence.Kind]int{}
		for _, raw := range n.found {
			v, err := evidence.Decode(raw)
			if err != nil || v.Verify(l.genesis.Chain, l.sets[0]) != nil {
				t.Fatalf("%v", err)
			}
			kinds[v.Kind]++
		}
		if kinds[evidence.Prepare] != 2 || kinds[evidence.Commit] != 2 || kinds[evidence.Propose] != 1 {
			t.Errorf("in slot %d: %v", slot, kinds)
		}
	}
}

// TestOffenderIsNotPrepared has a seat make two blocks and then a third: that is not prepared, but one on top of it is.
func TestOffenderIsNotPrepared(t *testing.T) {
	o := newObserver(t)
	o.block("a", "G", 1, false)
	o.block("b", "G", 1, false)
	o.block("c", "a", 5, false)
	if s := o.n.m.lastPrep.Slot; s != 1 {
		t.Fatalf("the last slot prepared is %d", s)
	}
	o.block("d", "c", 6, false)
	if s := o.n.m.lastPrep.Slot; s != 6 {
		t.Fatalf("the last slot prepared is %d", s)
	}
}

// TestVRF shows that a header without a proof, or with that of another slot, set or key, may not stand.
func TestVRF(t *testing.T) {
	priv, _ := labKey(1)
	other, _ := labKey(2)
	var set types.Hash
	for name, proof := range map[string]func() []byte{
		"none":              func() []byte { return nil },
		"zeros":             func() []byte { return make([]byte, consensus.VRFBytes) },
		"of another slot":   func() []byte { return ecvrf.Prove(priv, consensus.VRFInput(set, 2)) },
		"of another set":    func() []byte { return ecvrf.Prove(priv, consensus.VRFInput(types.Hash{}, 1)) },
		"of another key":    func() []byte { return ecvrf.Prove(other, consensus.VRFInput(set, 1)) },
		"one byte too many": func() []byte { return append(ecvrf.Prove(priv, consensus.VRFInput(set, 1)), 0) },
	} {
		o := newObserver(t)
		set = o.sets[0].Hash()
		o.block("a", "G", 1, true)
		h := o.blocks["a"]
		h.Consensus = append(bytes.Clone(h.Consensus[:len(h.Consensus)-consensus.VRFBytes]), proof()...)
		o.propose("a")
		if o.n.m.nodes[h.ID()] != nil {
			t.Errorf("a block with a proof that is %s stands", name)
		}
	}
	o := newObserver(t)
	o.block("a", "G", 1, false)
	if o.n.m.nodes[o.blocks["a"].ID()] == nil {
		t.Error("a good one does not")
	}
}
