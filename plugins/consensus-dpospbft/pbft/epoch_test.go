package pbft

import (
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// closingOf returns the final closing block of an epoch as a node has it, and what it says of that.
func closingOf(t *testing.T, n *labNode, epoch uint64) *HandOver {
	t.Helper()
	for _, o := range n.m.hands {
		if o.Header.Epoch == epoch {
			return o
		}
	}
	t.Fatalf("node %d does not know how epoch %d ended", n.i, epoch)
	return nil
}

// TestHandOver goes through several epochs with different members.
func TestHandOver(t *testing.T) {
	l := newLab(t, []uint64{6, 12, 18}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4}, []int{0, 4, 5, 1}, []int{1, 2, 3, 4})
	l.startAll()
	l.run(24)
	l.agree(3, 22)
	for _, n := range l.nodes {
		if len(n.epochs) != 3 || n.records(recEpoch) != 3 || n.m.Halted() != "" {
			t.Errorf("node %d was told of epochs %v and has %d records of ends", n.i, n.epochs, n.records(recEpoch))
		}
		for _, h := range n.bodies {
			if h.Epoch > 0 && n.bodies[h.Parent].Epoch < h.Epoch && !n.bodies[h.Parent].Closes() {
				t.Errorf("an epoch begins on a block that does not close one")
			}
			if p := n.bodies[h.Parent]; h.Height > 0 && p.Epoch < h.Epoch {
				x, err := DecodeExtra(h.Consensus)
				if err != nil || x.Justify != (Ref{p.Slot, h.Parent}) || x.FinalRef != (FinalRef{p.Slot, p.Height, h.Parent}) || h.CertHeight != 0 {
					t.Errorf("the first block of epoch %d rests on %+v: %v", h.Epoch, x, err)
				}
			}
		}
		for e := range uint64(3) {
			o := closingOf(t, n, e)
			if err := o.Proof.Verify(l.sets[e], o.Header); err != nil || len(o.Proof.Suffix) != 0 {
				t.Errorf("node %d: the end of epoch %d: %d blocks, %v", n.i, e, len(o.Proof.Suffix), err)
			}
		}
	}
}

// TestHandOverBySuffix loses all COMMITs of the closing block and the two after it.
func TestHandOverBySuffix(t *testing.T) {
	l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
	l.drop = func(_, _ int, msg Message) bool {
		switch c := msg.(type) {
		case *Commit:
			return c.Slot >= 6 && c.Slot < 9 && c.Epoch == 0
		case *Prepare:
			return c.Slot == 8
		}
		return false
	}
	l.startAll()
	l.run(20)
	l.agree(1, 14)
	for _, n := range l.nodes {
		o := closingOf(t, n, 0)
		if o.Header.Slot != 6 || len(o.Proof.Suffix) != 3 || o.Proof.Cert.Slot != 9 {
			t.Fatalf("node %d: closing block of slot %d with %d more, certificate of slot %d", n.i, o.Header.Slot, len(o.Proof.Suffix), o.Proof.Cert.Slot)
		}
		if n.final.Height != n.final.Slot-2 { // the next epoch begins in the slot that ended this one
			t.Errorf("node %d: height %d in slot %d: the blocks after the closing one must not be on the chain", n.i, n.final.Height, n.final.Slot)
		}
		for _, h := range o.Proof.Suffix {
			if n.m.nodes[h.ID()] != nil {
				t.Errorf("node %d keeps a block after the closing one", n.i)
			}
		}
	}
}

// TestSuffixEnds has the COMMITs lost until the suffix is as long as it may be, and for long after that: blocks are made beside
// one another then, and the epoch still ends when votes are back.
func TestSuffixEnds(t *testing.T) {
	for _, back := range []uint64{20, 150} {
		t.Run(fmt.Sprintf("votes are back in slot %d", back), func(t *testing.T) {
			l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
			l.suffix = 4
			l.drop = func(_, _ int, msg Message) bool {
				switch msg.(type) {
				case *Prepare, *Commit:
					return l.slot >= 6 && l.slot < back
				}
				return false
			}
			l.startAll()
			l.run(back - 1)
			n := l.nodes[0]
			if h := n.m.head.h; h.Epoch != 0 || h.Height != 10 {
				t.Fatalf("the head is at height %d of epoch %d", h.Height, h.Epoch)
			}
			open := n.m.open
			if back == 150 && (open < 6 || open > 20) {
				t.Errorf("%d blocks are open", open)
			}
			l.run(back + 80)
			l.agree(1, 60)
			if len(closingOf(t, n, 0).Proof.Suffix) > 4 {
				t.Error("the proof has more blocks than there may be")
			}
		})
	}
}

// TestLostClosingBlock has the first closing block seen by its producer only.
func TestLostClosingBlock(t *testing.T) {
	l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
	l.drop = func(from, _ int, msg Message) bool {
		switch p := msg.(type) {
		case *Proposal:
			return p.Header.Slot == 6
		case *Prepare:
			return p.Slot == 6
		case *Status:
			return from == 2 && l.slot < 9
		}
		return false
	}
	l.startAll()
	l.run(16)
	l.agree(1, 12)
	for _, n := range l.nodes {
		if o := closingOf(t, n, 0); o.Header.Slot != 7 {
			t.Errorf("node %d: epoch 0 ended in slot %d", n.i, o.Header.Slot)
		}
	}
	var rivals int
	for _, h := range l.nodes[2].bodies {
		if h.Slot == 6 && h.Closes() {
			rivals++
		}
	}
	if rivals != 1 {
		t.Errorf("the producer of slot 6 has %d closing blocks of that slot", rivals)
	}
}

// TestLaggard has a node miss everything from before an epoch's end until long after it: the others show it the hand-over.
func TestLaggard(t *testing.T) {
	for _, back := range []uint64{9, 15} { // in the next epoch, and in the one after
		t.Run(fmt.Sprintf("back in slot %d", back), func(t *testing.T) {
			l := newLab(t, []uint64{6, 12}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4}, []int{0, 4, 5, 1})
			l.drop = func(from, to int, _ Message) bool { return (from == 0 || to == 0) && l.slot >= 5 && l.slot < back }
			l.startAll()
			l.run(back - 1)
			if n := l.nodes[0]; n.m.set.Epoch != 0 {
				t.Fatalf("node 0 is in epoch %d though it hears nothing", n.m.set.Epoch)
			}
			l.run(back + 6)
			l.agree(uint64(2), back+2)
		})
	}
}

// TestCatchUpByCore has the core of a node that was off find the ends of two epochs by itself.
func TestCatchUpByCore(t *testing.T) {
	l := newLab(t, []uint64{6, 12}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4}, []int{0, 4, 5, 1})
	l.startAll()
	off := l.nodes[1]
	l.run(3)
	off.m = nil
	l.run(18)
	n := l.nodes[4]
	off.final, off.proof = l.genesis, nil
	l.start(off)
	for e := range uint64(2) {
		o := closingOf(t, n, e)
		for h := o.Header; off.bodies[h.ID()] == nil; h = n.bodies[h.Parent] {
			off.bodies[h.ID()] = h
		}
		l.step(off, &consensus.Finalised{Header: o.Header, Proof: o.Proof, NowMs: l.now(off)}) // without the set it is of no use
		if off.m.set.Epoch != e {
			t.Fatalf("epoch %d without a set", off.m.set.Epoch)
		}
		l.step(off, &consensus.Finalised{Header: o.Header, Proof: o.Proof, Next: l.sets[e+1], NowMs: l.now(off)})
		if off.m.set.Epoch != e+1 || off.m.final.id != o.Header.ID() {
			t.Fatalf("after the end of epoch %d: epoch %d, final height %d", e, off.m.set.Epoch, off.m.final.h.Height)
		}
		off.final, off.proof, off.opened, off.shown = o.Header, o.Proof, o.Header, o.Proof
	}
	if len(off.epochs) != 2 || len(off.finals) > 3 {
		t.Errorf("epochs %v told, %d blocks told", off.epochs, len(off.finals))
	}
	l.run(24)
	l.agree(2, 21)
}

// TestCrashesAroundTheEnd crashes a node with each Ready around the end of an epoch: before its records are durable, and after
// them with nothing else done. The core's own finality may be durable or lag behind for good.
func TestCrashesAroundTheEnd(t *testing.T) {
	memo := newMemo()
	run := func(t *testing.T, dies int, whole, deaf, suffix bool) (from, to int) {
		l := newLab(t, []uint64{3}, []int{0, 1, 2, 3}, []int{3, 2, 1, 4})
		l.memo = memo
		if suffix {
			l.drop = func(_, _ int, msg Message) bool {
				c, ok := msg.(*Commit)
				return ok && c.Slot == 3
			}
		}
		v := l.nodes[2]
		v.dies, v.whole, v.deaf = dies, whole, deaf
		l.startAll()
		l.run(2)
		from = v.readies
		l.run(5)
		to = v.readies
		l.run(7)
		l.agree(1, 5)
		if dies > 0 && v.final.Height > 0 == deaf {
			t.Fatal("the core is not as the test wants it")
		}
		return from, to
	}
	for _, c := range []struct{ whole, deaf, suffix bool }{
		{false, false, false}, {true, false, false}, {false, true, false}, {true, true, false}, {false, false, true}, {true, true, true},
	} {
		t.Run(fmt.Sprintf("durable %t, core behind %t, by suffix %t", c.whole, c.deaf, c.suffix), func(t *testing.T) {
			from, to := run(t, 0, false, false, c.suffix)
			if to-from < 12 {
				t.Fatalf("only %d Readies", to-from)
			}
			for dies := from; dies <= to; dies++ {
				run(t, dies, c.whole, c.deaf, c.suffix)
			}
		})
	}
}

// TestRestartBehindRecords starts from records and from a snapshot that are one or two epochs ahead of the core: the ends are
// told again.
func TestRestartBehindRecords(t *testing.T) {
	for _, snap := range []bool{false, true} {
		t.Run(fmt.Sprintf("from a snapshot %t", snap), func(t *testing.T) {
			l := newLab(t, []uint64{6, 12}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4}, []int{0, 4, 5, 1})
			n := l.nodes[1]
			n.deaf = true
			l.startAll()
			l.run(17)
			if snap {
				n.journal = []labEntry{{snapshot: n.m.encodeSnapshot()}}
			}
			before := n.m.View()
			n.epochs, n.finals = nil, nil
			l.start(n)
			after := n.m.View()
			if before.Epoch != 2 || after.Epoch != 2 || len(n.epochs) != 1 || n.epochs[0] != 2 {
				t.Fatalf("epoch %d before, %d after, told %v", before.Epoch, after.Epoch, n.epochs)
			}
			if len(n.finals) < int(closingOf(t, n, 1).Header.Height) || snap && after.FinalHeight != before.FinalHeight {
				t.Fatalf("%d blocks told, final height %d before and %d after", len(n.finals), before.FinalHeight, after.FinalHeight)
			}
			l.run(20)
			l.agree(2, 17)
		})
	}
}

// TestDoneForGood has a record of an epoch's end without the blocks up to it: the node signs nothing in that epoch.
func TestDoneForGood(t *testing.T) {
	l := newLab(t, []uint64{3}, []int{0, 1, 2, 3}, []int{3, 2, 1, 4})
	l.startAll()
	l.run(6)
	var rec []byte
	for _, e := range l.nodes[1].journal {
		if e.record[1] == recEpoch {
			rec = e.record
		}
	}
	n := &labNode{i: 1, final: l.genesis, opened: l.genesis, bodies: map[types.BlockID]*types.Header{l.genesis.ID(): l.genesis},
		signed: map[string][]byte{}, journal: []labEntry{{record: rec}}}
	n.priv, n.pub = labKey(1)
	l2 := newLab(t, []uint64{3}, []int{0, 1, 2, 3}, []int{3, 2, 1, 4})
	l2.nodes[1] = n
	l2.startAll()
	l2.run(2)
	if len(n.signed) != 0 || n.m.set.Epoch != 0 {
		t.Fatalf("it signs %d things in epoch %d, which is over", len(n.signed), n.m.set.Epoch)
	}
}

// TestAheadOfTime sends messages of the next epoch to a machine that has not seen this one end. They are kept, so many for
// each peer.
func TestAheadOfTime(t *testing.T) {
	l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
	l.drop = func(_, to int, msg Message) bool {
		if to != 3 || l.slot < 6 || l.slot > 7 {
			return false
		}
		c, ok := msg.(*Commit) // node 3 never has a quorum of COMMITs for the closing block
		_, shown := msg.(*HandOver)
		return ok && c.Epoch == 0 || shown
	}
	l.startAll()
	l.run(7)
	n := l.nodes[3]
	if n.m.set.Epoch != 0 || len(n.m.ahead) < 3 {
		t.Fatalf("epoch %d, %d messages kept", n.m.set.Epoch, len(n.m.ahead))
	}
	for i := range 1000 {
		raw := EncodeMessage(&Commit{Epoch: 1, Slot: uint64(i), Sig: make([]byte, sigBytes)})
		for _, from := range []string{"a", "b", "c"} {
			l.step(n, &consensus.Message{From: testPeer(from), Payload: raw})
		}
	}
	if most := len(l.nodes)*maxPeerAhead + 3*maxPeerAhead; len(n.m.ahead) > most {
		t.Errorf("%d messages are kept, want at most %d", len(n.m.ahead), most)
	}
	o := closingOf(t, l.nodes[1], 0)
	l.step(n, &consensus.Message{From: l.nodes[1].pub.Hash(), Payload: EncodeMessage(o)})
	if v := n.m.View(); v.Epoch != 1 || n.m.nodes[l.nodes[1].m.head.id] == nil {
		t.Errorf("after the hand-over: %+v", v)
	}
}

// TestFalseHandOver gives a machine hand-overs that prove nothing.
func TestFalseHandOver(t *testing.T) {
	l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
	l.drop = func(_, to int, _ Message) bool { return to == 0 && l.slot >= 5 }
	l.startAll()
	l.run(9)
	n := l.nodes[0]
	good := closingOf(t, l.nodes[1], 0)
	for name, f := range map[string]func(o *HandOver){
		"another set":      func(o *HandOver) { o.Next = l.sets[0] },
		"another block":    func(o *HandOver) { h := *o.Header; h.BodyRoot = types.Hash{1}; o.Header = &h },
		"no closing block": func(o *HandOver) { h := *o.Header; h.NextSet = types.Hash{}; o.Header = &h },
		"a spoilt vote": func(o *HandOver) {
			c := *o.Proof.Cert
			c.Signatures = append([][]byte{make([]byte, 64)}, c.Signatures[1:]...)
			o.Proof = &types.Finality{Cert: &c}
		},
		"a foreign suffix": func(o *HandOver) { o.Proof = &types.Finality{Cert: o.Proof.Cert, Suffix: []*types.Header{o.Header}} },
		"of another epoch": func(o *HandOver) { h := *o.Header; h.Epoch = 4; o.Header = &h },
		"of another chain": func(o *HandOver) { h := *o.Header; h.Chain = types.Hash{2}; o.Header = &h },
	} {
		o := *good
		f(&o)
		l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(&o)})
		if n.m.hand != nil || n.m.set.Epoch != 0 {
			t.Errorf("%s is believed", name)
		}
	}
	l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(good)})
	if n.m.hand == nil {
		t.Error("the true one is not")
	}
}

// TestStartAtEnd starts from a final closing block.
func TestStartAtEnd(t *testing.T) {
	l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 5, 4})
	l.startAll()
	l.run(9)
	o := closingOf(t, l.nodes[1], 0)
	st := func() *consensus.Start {
		return &consensus.Start{Genesis: l.genesis, Set: l.sets[0], Final: o.Header, FinalProof: o.Proof, EpochStart: l.genesis, Next: l.sets[1],
			NowMs: labGenesisMs + 5000, GenesisTimeMs: labGenesisMs}
	}
	m, err := New(Config{SlotMs: 500, Turn: 1}, st())
	if err != nil || m.set.Epoch != 1 || m.final.id != o.Header.ID() {
		t.Fatalf("%v", err)
	}
	if r := m.Ready(); r.Epoch == nil || r.Epoch.Epoch != 1 || len(r.Final) != 0 {
		t.Errorf("told epoch %v and %d final blocks", r.Epoch, len(r.Final))
	}
	for _, next := range []*types.Set{nil, l.sets[0]} {
		bad := st()
		bad.Next = next
		if _, err := New(Config{SlotMs: 500, Turn: 1}, bad); err == nil {
			t.Errorf("it starts with the next set %v", next)
		}
	}
}

func testPeer(s string) types.Hash { return types.Sum("test", []byte(s)) }
