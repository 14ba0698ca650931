package pbft

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// rivals makes signed blocks of one key and slot on the head of a node.
func (l *lab) rivals(n *labNode, key int, slot uint64, count int) (out []*Proposal) {
	priv, pub := labKey(key)
	p := n.m.head
	x := &Extra{Justify: n.m.high.ref(), FinalRef: p.x.FinalRef}
	for i := range count {
		h := &types.Header{Chain: l.genesis.Chain, Height: p.h.Height + 1, Slot: slot, Clock: types.NextClock(p.h.Clock, p.h.Slot, slot), Parent: p.id,
			Producer: pub.Hash(), BodyRoot: types.Sum("rival", binary.AppendUvarint(nil, uint64(i))),
			Consensus: append(bytes.Clone(x.withoutProof()), l.memo.prove(priv, consensus.VRFInput(n.m.setHash, slot))...)}
		raw := l.signMessage(key, PurposePropose, ProposePayload(h.ID(), slot), &Proposal{Header: h})
		out = append(out, &Proposal{Header: h, Sig: raw[len(raw)-sigBytes:]})
	}
	return out
}

// TestRivalsUnasked has a producer send a lot of blocks of its one slot as if they had been asked for. They must not fill the
// tree: nothing else would find room in it, and what is not there can never become final.
func TestRivalsUnasked(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(10)
	l.drop = func(_, _ int, _ Message) bool { return true }
	n := l.nodes[0]
	list := l.rivals(n, 3, 11, 200)
	l.run(11)
	before := n.m.open
	for len(list) > 0 {
		k := min(len(list), maxHeaders)
		l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(&Headers{Items: list[:k]})})
		list = list[k:]
	}
	if got := n.m.open - before; got > maxRivals {
		t.Errorf("%d blocks of one seat and slot are in the tree, at most %d may be", got, maxRivals)
	}
}

// TestRivalNeeded has the block that the others go on with be one of more than are taken of a seat and slot: with a vote, with
// a block of somebody else on it, or with one on which there is one.
func TestRivalNeeded(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(10)
	l.drop = func(_, _ int, _ Message) bool { return true }
	n := l.nodes[0]
	list := l.rivals(n, 3, 11, maxRivals+3)
	l.run(13)
	peer := testPeer("x")
	for _, p := range list[:maxRivals] {
		l.step(n, &consensus.Message{From: peer, Payload: EncodeMessage(p)})
	}
	in := func(p *Proposal) bool { return n.m.nodes[p.Header.ID()] != nil }
	offer := func(p *Proposal) bool {
		l.step(n, &consensus.Message{From: peer, Payload: EncodeMessage(&Headers{Items: []*Proposal{p}})})
		return in(p)
	}
	voted, parent := list[maxRivals], list[maxRivals+1]
	if offer(voted) || offer(parent) {
		t.Fatal("a block is taken that nobody needs")
	}
	id := voted.Header.ID()
	l.step(n, &consensus.Message{From: peer, Payload: l.prepare(3, 11, voted.Header.Height, 10, id)})
	if offer(voted) {
		t.Error("the vote of its own producer makes a block needed")
	}
	l.step(n, &consensus.Message{From: peer, Payload: l.prepare(1, 11, voted.Header.Height, 10, id)})
	if !offer(voted) {
		t.Error("a block that another seat has voted for is not taken")
	}
	child := func(key int, slot uint64, on *Proposal) *Proposal {
		c := l.rivals(n, key, slot, 1)[0]
		c.Header.Parent, c.Header.Height = on.Header.ID(), on.Header.Height+1
		raw := l.signMessage(key, PurposePropose, ProposePayload(c.Header.ID(), slot), c)
		c.Sig = raw[len(raw)-sigBytes:]
		return c
	}
	own := child(3, 12, parent)
	offer(own)
	if offer(parent) {
		t.Error("a block of its own producer makes a block needed")
	}
	offer(child(1, 13, own))
	if !offer(parent) {
		t.Error("a block on which others have built is not taken")
	}
}

// TestSuffixFullAndCertified has the last block that is made after a closing one get its PrepareQC, but half of the nodes hear of
// that only when they have prepared another: there is no quorum of COMMITs for it, and all blocks from now on have to descend
// from it. The chain must go on all the same.
func TestSuffixFullAndCertified(t *testing.T) {
	fresh := func(drop func(l *lab, from, to int, msg Message) bool) *lab {
		l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 1, 0})
		l.suffix = 16
		l.drop = func(from, to int, msg Message) bool { return drop(l, from, to, msg) }
		l.startAll()
		return l
	}
	votes := func(l *lab, msg Message) bool {
		switch msg.(type) {
		case *Prepare, *Commit:
			return l.slot >= 6 && l.slot < 200
		}
		return false
	}
	l := fresh(func(l *lab, _, _ int, msg Message) bool { return votes(l, msg) })
	l.run(60)
	last, full := l.nodes[0].m.head.h.Height, uint64(0) // height that the suffix has grown to, and the slot in which it does

	half := func(i int) bool { return i < 2 }
	l = fresh(func(l *lab, from, to int, msg Message) bool {
		if v, ok := msg.(*Prepare); ok && v.Height == last {
			if full == 0 {
				full = v.Slot
			}
			if v.Slot == full && !half(to) {
				return false
			}
		}
		return votes(l, msg) || full > 0 && l.slot > full && l.slot < 200 && half(from) != half(to)
	})
	l.run(199)
	if n := l.nodes[3]; n.m.high.h.Height != last || n.m.lock.Slot != full || l.nodes[0].m.lastPrep.Slot <= full {
		t.Fatalf("it has not come to what the test is about: %+v", n.m.View())
	}
	l.run(400)
	l.agree(1, 100)
}

// TestVotesOfLostEpoch starts a node whose core has fallen so far behind its records that they do not connect: it has voted in
// an epoch of which it knows neither the blocks nor the lock any more. When the core has caught up, the node must not vote in
// that epoch as if it had never done so, or a block beside the one that it has committed to gets its PREPARE.
func TestVotesOfLostEpoch(t *testing.T) {
	for _, snap := range []bool{true, false} {
		l := newLab(t, []uint64{6}, []int{0, 1, 2, 3}, []int{3, 2, 1, 0})
		n := l.nodes[1]
		n.deaf = true
		l.startAll()
		l.run(90)
		if snap {
			n.journal = []labEntry{{snapshot: n.m.encodeSnapshot()}}
		} else {
			for n.journal[0].record[1] != recEpoch {
				n.journal = n.journal[1:]
			}
		}
		committed := n.m.lastCommit.Slot
		l.start(n)
		o := closingOf(t, l.nodes[0], 0)
		if n.m.set.Epoch != 0 || committed < 80 {
			t.Fatalf("epoch %d, COMMIT for slot %d", n.m.set.Epoch, committed)
		}
		l.drop = func(_, _ int, _ Message) bool { return true }
		n.bodies[o.Header.ID()] = o.Header
		l.step(n, &consensus.Message{From: l.nodes[0].pub.Hash(), Payload: EncodeMessage(o)})
		l.step(n, &consensus.Finalised{Header: o.Header, Proof: o.Proof, Next: l.sets[1], NowMs: l.now(n)})
		if n.m.set.Epoch != 1 {
			t.Fatal("it does not get to the next epoch")
		}
		slot := l.slot + 1
		key := []int{3, 2, 1, 0}[slot%4]
		b := l.rivals(n, key, slot, 1)[0]
		b.Header.Epoch = 1
		raw := l.signMessage(key, PurposePropose, ProposePayload(b.Header.ID(), slot), &Proposal{Header: b.Header})
		l.run(slot)
		l.step(n, &consensus.Message{From: l.nodes[0].pub.Hash(), Payload: raw, NowMs: l.now(n)})
		if b := n.m.nodes[b.Header.ID()]; b == nil || b.state != checked {
			t.Fatal("the block is not taken")
		}
		if v := n.m.lastPrep; v.Slot == slot || n.m.own != nil && n.m.own.Slot == slot {
			t.Errorf("from a snapshot %t: after a COMMIT for slot %d it prepares slot %d with src %d", snap, committed, v.Slot, v.Src)
		}
	}
}

// TestClockAheadIntoNextEpoch has a node whose clock is far ahead go on to the next epoch: what it has heard of the time from
// those who stay is not forgotten, so that it signs nothing of the future there either.
func TestClockAheadIntoNextEpoch(t *testing.T) {
	for more := range int64(4) { // one of four slots is its own
		l := newLab(t, []uint64{9}, []int{0, 1, 2, 3}, []int{3, 2, 1, 0})
		n := l.nodes[0]
		l.startAll()
		l.run(4)
		n.skew = hourMs + 500*more
		l.run(20)
		if n.m.set.Epoch != 1 {
			t.Fatalf("it is in epoch %d", n.m.set.Epoch)
		}
		if s := n.highest(); s > 20 {
			t.Errorf("it has signed something for slot %d in slot %d", s, l.slot)
		}
	}
}

// TestOffencesThatAreNone has a member of the second epoch sign things twice in slots before that epoch. Nobody can be convicted
// of that, and it must not keep back what it can be convicted of.
func TestOffencesThatAreNone(t *testing.T) {
	l := newLab(t, []uint64{12}, []int{0, 1, 2, 3}, []int{3, 2, 1, 0})
	l.startAll()
	l.run(16)
	n, set := l.nodes[0], l.sets[1]
	n.found = nil
	peer := testPeer("x")
	twice := func(slot uint64) {
		for i := range 2 {
			p := l.rivals(n, 3, slot, i+1)[i]
			p.Header.Epoch = 1
			l.step(n, &consensus.Message{From: peer, Payload: l.signMessage(3, PurposePropose, ProposePayload(p.Header.ID(), slot), &Proposal{Header: p.Header})})
			id := testHash("block" + string(rune('a'+i)))
			l.step(n, &consensus.Message{From: peer, Payload: l.signMessage(3, PurposePrepare, PreparePayload(set.Hash(), 1, slot, slot, id, slot-1),
				&Prepare{Epoch: 1, Slot: slot, Height: slot, ID: id, Src: slot - 1})})
			l.step(n, &consensus.Message{From: peer, Payload: l.signMessage(3, types.PurposeCommit, types.CommitPayload(set.Hash(), 1, slot, slot, id),
				&Commit{Epoch: 1, Slot: slot, Height: slot, ID: id})})
		}
	}
	for slot := uint64(1); slot <= 12; slot++ {
		twice(slot)
	}
	if len(n.found) != 0 {
		t.Errorf("%d pieces of evidence of slots before the epoch", len(n.found))
	}
	l.drop = func(_, _ int, _ Message) bool { return true }
	n.found = nil
	twice(l.slot + 2)
	if len(n.found) == 0 {
		t.Error("what comes then goes unnoticed")
	}
}

// TestBesideTurns has every seat lead some slots of those that are used once a suffix has grown up, whatever the back-off is: if
// it were always the same one, and that one is gone, the epoch would never end.
func TestBesideTurns(t *testing.T) {
	for _, n := range []int{4, 7, 21} {
		for _, turn := range []uint64{1, 4, 12} {
			for k := range uint(maxBackoff + 1) {
				leads, used := map[int]bool{}, 0
				period := uint64(n) * turn * cappedPatience
				for slot := range 4 * period {
					if seat := LeaderSeat(n, turn, k, slot); seat >= 0 && besideTurn(n, turn, k, slot) {
						leads[seat] = true
						used++
					}
				}
				if len(leads) != n || used != int(4*period/cappedPatience) {
					t.Errorf("%d seats, turns of %d, back-off %d: %d seats lead %d of %d slots", n, turn, k, len(leads), used, 4*period)
				}
			}
		}
	}
}

// TestLargeAhead sends large blocks of the next epoch, which nobody has signed. They must not be kept.
func TestLargeAhead(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(3)
	n := l.nodes[0]
	h := *n.m.head.h
	h.Epoch = 1
	cert := &types.Certificate{Scheme: types.CertEd25519List, Block: h.Parent, Bitmap: []byte{1}, Signatures: make([][]byte, types.MaxSeats)}
	for i := range cert.Signatures {
		cert.Signatures[i] = make([]byte, sigBytes)
	}
	small := &Proposal{Header: &h, Sig: make([]byte, sigBytes)}
	large := &Proposal{Header: &h, Cert: cert, Sig: make([]byte, sigBytes)}
	for _, list := range [][]*Proposal{{large}, {large, large}} {
		l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(list[0])})
		l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(&Headers{Items: list})})
	}
	if k := len(n.m.ahead); k != 0 {
		t.Errorf("%d large messages are kept", k)
	}
	l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(&Headers{Items: []*Proposal{small, large}})})
	if len(n.m.ahead) != 1 {
		t.Errorf("%d messages are kept, want 1", len(n.m.ahead))
	}
}

// TestDecodedStandsAlone checks that what was decoded does not keep the message that it came with: a vote of 64 bytes may come
// with a megabyte around it, and votes are kept by the thousand.
func TestDecodedStandsAlone(t *testing.T) {
	for _, c := range samples() {
		raw := EncodeMessage(c.msg)
		used := bytes.Clone(raw)
		msg, err := DecodeMessage(used)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		clear(used)
		if !bytes.Equal(EncodeMessage(msg), raw) {
			t.Errorf("%s changes with the bytes that it was decoded from", c.name)
		}
	}
}

// TestOwnVoteFromPeer has a peer send a node's own vote back, with a lot around it, before the node itself has seen it. It does not
// become what the node sends to all, slot for slot.
func TestOwnVoteFromPeer(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(6)
	n := l.nodes[1]
	own := bytes.Clone(n.m.prepareMsg)
	l.start(n)
	n.m.prepareMsg, n.m.prepares = nil, newVotebook(4)
	msg, err := DecodeMessage(own)
	if err != nil {
		t.Fatal(err)
	}
	v := msg.(*Prepare)
	v.Support = []*Proof{n.m.final.proof, n.m.final.proof}
	l.step(n, &consensus.Message{From: testPeer("x"), Payload: EncodeMessage(v)})
	if n.m.prepareMsg != nil {
		t.Error("it sends what the peer has made of its vote")
	}
	l.step(n, &consensus.Message{Payload: own})
	if !bytes.Equal(n.m.prepareMsg, own) {
		t.Error("it does not send its own vote")
	}
}

// longHop lets four nodes make 66 blocks, of which none counts the votes of seat 3, and shows the first that seat 3 has broken the
// fourth rule over as many of them as evidence may have.
func longHop(t *testing.T) *lab {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.drop = func(from, _ int, msg Message) bool {
		switch msg.(type) {
		case *Prepare, *Commit:
			return from == 3
		}
		return false
	}
	l.startAll()
	l.run(evidence.MaxHeaders + 2)
	l.showVote(l.commit(3, 3, 3, testHash("nothing")))
	l.showPrepare(evidence.MaxHeaders + 2)
	return l
}

// showVote shows something to node 0.
func (l *lab) showVote(raw []byte) {
	n := l.nodes[0]
	l.step(n, &consensus.Message{From: testPeer("x"), Payload: raw, NowMs: l.now(n)})
}

// showPrepare shows a PREPARE by seat 3 of the final block of a slot, with src 2, to node 0.
func (l *lab) showPrepare(slot uint64) {
	for a := l.nodes[0].m.final; a != nil; a = a.parent {
		if a.h.Slot == slot {
			l.showVote(l.prepare(3, slot, a.h.Height, 2, a.id))
			return
		}
	}
	l.t.Fatalf("no block of slot %d", slot)
}

// TestLargeEvidence has a seat break the fourth rule over many blocks, and then again and again. The longest evidence is told like
// any other, each slot's once, by the nearest way that shows it, and what is told of a seat is bounded.
func TestLargeEvidence(t *testing.T) {
	l := longHop(t)
	n := l.nodes[0]
	last := func(count, headers int) {
		t.Helper()
		if len(n.found) != count {
			t.Fatalf("%d pieces of evidence, want %d", len(n.found), count)
		}
		raw := n.found[count-1]
		v, err := evidence.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(l.genesis.Chain, l.sets[0]); err != nil {
			t.Error(err)
		}
		if v.Kind != evidence.Hop || v.Seat != 3 || len(v.Headers) != headers {
			t.Errorf("%s by seat %d with %d headers in %d bytes, want a hop by seat 3 with %d", v.Kind, v.Seat, len(v.Headers), len(raw), headers)
		}
	}
	last(1, evidence.MaxHeaders)
	if len(n.found[0]) < types.MaxExtensionBytes/2 {
		t.Errorf("%d bytes are not much", len(n.found[0]))
	}
	if n.m.offences[3] == 0 {
		t.Error("the offender's blocks would be prepared")
	}
	l.showVote(l.commit(3, 64, 64, testHash("nothing else")))
	last(1, evidence.MaxHeaders)
	l.showPrepare(65)
	last(2, 2)
	for slot := uint64(64); slot > 40; slot-- {
		l.showPrepare(slot)
	}
	last(maxOffences, 64-(maxOffences-3)-3+1)
}

// TestTreeFull parts the network until each half has filled its tree with blocks that cannot become final. When it is whole again,
// the halves must find room for something that both can vote for.
func TestTreeFull(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.tree = 24
	l.drop = func(from, to int, _ Message) bool { return l.slot >= 6 && l.slot < 200 && from/2 != to/2 }
	l.startAll()
	full := map[int]int{}
	for _, n := range l.nodes {
		n.m.cfg.count = func(branch string) {
			if branch == "tree full" {
				full[n.i]++
			}
		}
	}
	l.run(199)
	for _, n := range l.nodes {
		if full[n.i] == 0 || n.m.open > 24 {
			t.Errorf("node %d has %d blocks above the final one; the tree was full %d times", n.i, n.m.open, full[n.i])
		}
	}
	l.start(l.nodes[1])
	l.run(600)
	l.agree(0, 100)
	l.start(l.nodes[2])
	l.run(610)
	l.agree(0, 110)
}
