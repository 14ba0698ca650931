package pbft

import (
	"bytes"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// forger is a peer that sees all messages, holds the keys of the twins, and sends whatever it can make of that.
type forger struct {
	s     *sim
	seen  [16][][]byte // messages by kind, the newest few
	count int
	made  map[types.BlockID]bool // blocks whose bodies it gives away
}

func newForger(s *sim) *forger { return &forger{s: s, made: map[types.BlockID]bool{}} }

func (f *forger) sees(payload []byte) {
	k := int(payload[1])
	if k >= len(f.seen) {
		return
	}
	if len(f.seen[k]) < 32 {
		f.seen[k] = append(f.seen[k], payload)
	} else {
		f.seen[k][f.count%32] = payload
	}
	f.count++
}

func (f *forger) has(id types.BlockID) bool { return f.made[id] }

// some returns a message of a kind that was seen, decoded anew.
func (f *forger) some(k kind) Message {
	if len(f.seen[k]) == 0 {
		return nil
	}
	msg, _ := DecodeMessage(bytes.Clone(f.seen[k][f.s.w.Rand.IntN(len(f.seen[k]))]))
	return msg
}

// tell sends a message to a node, or to some.
func (f *forger) tell(msg Message) {
	raw := EncodeMessage(msg)
	r := f.s.w.Rand
	from := types.Sum("test", []byte("forger"))
	if n := f.s.nodes[r.IntN(len(f.s.nodes))]; n.byz {
		from = n.peer
	}
	for _, n := range f.s.nodes {
		if r.IntN(2) == 0 {
			f.s.in(n, f.s.w.Between(1, 300), func() { f.s.step(n, &consensus.Message{From: from, Payload: raw, NowMs: n.clock.Now()}) })
		}
	}
}

// seat returns a twin that has a seat in a set, or -1.
func (f *forger) seat(set *types.Set) (seat, id int) {
	first := f.s.w.Rand.IntN(len(f.s.keys))
	for i := range f.s.keys {
		id := (first + i) % len(f.s.keys)
		if f.s.isByz(id) {
			if seat := set.Index(f.s.keys[id].hash); seat >= 0 {
				return seat, id
			}
		}
	}
	return -1, -1
}

func (f *forger) sign(id int, purpose string, payload []byte) []byte {
	return f.s.ver.sign(f.s.keys[id], types.SignBytes(f.s.genesis.h.Chain, purpose, payload))
}

func (f *forger) act() {
	s, r := f.s, f.s.w.Rand
	victim := s.nodes[r.IntN(len(s.nodes))]
	if victim.m == nil || victim.m.halted {
		return
	}
	m := victim.m
	s.count("forged")
	switch r.IntN(9) {
	case 0: // somebody's vote, changed
		if v, ok := f.some(kindPrepare).(*Prepare); ok {
			f.twist(&v.Epoch, &v.Slot, &v.Height, &v.ID, &v.Seat)
			if r.IntN(2) == 0 {
				v.Src += uint64(r.IntN(4)) - 2
			}
			f.tell(v)
		}
	case 1:
		if v, ok := f.some(kindCommit).(*Commit); ok {
			f.twist(&v.Epoch, &v.Slot, &v.Height, &v.ID, &v.Seat)
			if r.IntN(2) == 0 {
				v.Proof = f.bend(v.Proof)
			}
			f.tell(v)
		}
	case 2: // a vote of its own, for anything and with any src
		if v, ok := f.some(kindPrepare).(*Prepare); ok {
			if seat, id := f.seat(m.set); seat >= 0 {
				v.Seat, v.Epoch = uint32(seat), m.set.Epoch
				v.Src = max(v.Src, uint64(r.IntN(4))) - min(v.Src, uint64(r.IntN(4)))
				if r.IntN(3) == 0 {
					v.Src = v.Slot - 1
				}
				v.Support = nil
				v.Sig = f.sign(id, PurposePrepare, PreparePayload(m.setHash, v.Epoch, v.Slot, v.Height, v.ID, v.Src))
				raw := EncodeMessage(v)
				s.judge.signed(id, true, raw)
				f.tell(v)
			}
		}
	case 3:
		if p, ok := f.some(kindPrepare).(*Prepare); ok {
			if seat, id := f.seat(m.set); seat >= 0 {
				v := &Commit{Epoch: m.set.Epoch, Slot: p.Slot, Height: p.Height, ID: p.ID, Seat: uint32(seat)}
				v.Sig = f.sign(id, types.PurposeCommit, types.CommitPayload(m.setHash, v.Epoch, v.Slot, v.Height, v.ID))
				s.judge.signed(id, true, EncodeMessage(v))
				f.tell(v)
			}
		}
	case 4: // proofs, bent
		if v, ok := f.some(kindStatus).(*Status); ok {
			v.High = f.bend(v.High)
			if v.Final != nil && r.IntN(2) == 0 {
				v.Final = f.bend(&Proof{Commit: v.Final}).Commit
			}
			f.tell(v)
		}
	case 5:
		if v, ok := f.some(kindProposal).(*Proposal); ok {
			v.Justify = f.bend(v.Justify)
			f.tell(v)
		}
	case 6: // a replay, of any epoch
		k := r.IntN(len(f.seen))
		if len(f.seen[k]) > 0 {
			if msg := f.some(kind(k)); msg != nil {
				f.tell(msg)
			}
		}
	case 7:
		f.tell(&GetHeaders{Want: m.head.id, Have: []types.BlockID{types.Sum("test", []byte("unknown"))}})
		f.tell(&GetProofs{IDs: []types.BlockID{m.head.id, m.high.id, m.lock.ID}})
	default:
		f.propose(m)
	}
}

// twist changes one thing that a vote says, and keeps the signature.
func (f *forger) twist(epoch, slot, height *uint64, id *types.BlockID, seat *uint32) {
	r := f.s.w.Rand
	switch r.IntN(6) {
	case 0:
		*epoch += uint64(r.IntN(3)) - 1
	case 1:
		*slot++
	case 2:
		*height--
	case 3:
		*seat = uint32(r.IntN(f.s.n + 2))
	case 4:
		if o, ok := f.some(kindPrepare).(*Prepare); ok {
			*id = o.ID
		}
	}
}

// bend makes a proof say what it does not.
func (f *forger) bend(p *Proof) *Proof {
	r := f.s.w.Rand
	if p == nil {
		return nil
	}
	if c := p.Commit; c != nil {
		switch r.IntN(6) {
		case 0:
			c.Signatures = c.Signatures[:len(c.Signatures)-min(1, len(c.Signatures))]
		case 1:
			if len(c.Bitmap) > 0 {
				c.Bitmap[r.IntN(len(c.Bitmap))] ^= 1 << r.IntN(8)
			}
		case 2:
			c.Epoch++
		case 3:
			c.Slot++
		case 4:
			c.Signatures = append(c.Signatures, c.Signatures...)
		default:
			if o, ok := f.some(kindPrepare).(*Prepare); ok {
				c.Block = o.ID
			}
		}
		return p
	}
	q := p.Prepare
	if len(q.Votes) < 2 {
		return p
	}
	switch r.IntN(8) {
	case 0: // too little weight
		q.Votes = q.Votes[1:]
	case 1: // one voter for two
		q.Votes[1] = q.Votes[0]
	case 2: // one voter for two, under another seat's number
		q.Votes[1].Src, q.Votes[1].Sig = q.Votes[0].Src, q.Votes[0].Sig
	case 3: // a foreign voter
		q.Votes[len(q.Votes)-1].Seat = uint32(f.s.n + r.IntN(3))
	case 4:
		q.Votes[0].Src += uint64(r.IntN(5)) - 2
	case 5:
		q.Epoch++
	case 6:
		q.Slot++
	default:
		if o, ok := f.some(kindPrepare).(*Prepare); ok {
			q.ID = o.ID
		}
	}
	return p
}

// propose makes a block with the key of a twin in one of its slots: a good one, a second one, or one with a fault.
func (f *forger) propose(m *Machine) {
	s, r := f.s, f.s.w.Rand
	seat, id := f.seat(m.set)
	if seat < 0 {
		return
	}
	parent := s.blocks[m.head.id]
	if r.IntN(3) == 0 {
		parent = s.blocks[m.high.id]
	}
	if r.IntN(8) == 0 && parent != nil && parent.parent != nil {
		parent = parent.parent
	}
	pn := m.nodes[parent.id]
	if parent == nil || pn == nil {
		return
	}
	slot := max(m.slot, parent.h.Slot+1)
	for range 4 * s.n {
		if m.leader(pn, slot) == seat {
			break
		}
		slot++
	}
	x := &Extra{Justify: m.high.ref(), FinalRef: pn.x.FinalRef}
	epoch := m.set.Epoch
	fault := r.IntN(16)
	switch fault {
	case 0: // no ancestor
		for _, n := range []*node{m.head, m.high, m.final} {
			for _, k := range n.kids {
				if k.id != parent.id {
					x.Justify = k.ref()
				}
			}
		}
	case 1: // older than the parent's
		x.Justify = m.final.ref()
	case 2:
		x.Justify.Slot++
	case 3:
		x.FinalRef.Slot++
	case 4:
		epoch++
	case 5:
		slot++
	case 6:
		slot += 40
	case 7: // itself, nearly
		x.Justify = Ref{slot, parent.id}
	}
	h := s.header(parent, epoch, slot, 0, nil)
	h.Producer = s.keys[id].hash
	h.Consensus = f.extra(m, x, id, slot, fault == 8)
	switch fault {
	case 9:
		h.NextSet = s.setFrom(epoch+1, 0).Hash()
	case 10:
		h.NextSet = types.Hash{}
	case 11:
		h.Height++
	case 12:
		h.BodyRoot = types.Sum("test", []byte{byte(r.IntN(3))})
	case 13:
		h.CertHeight = h.Height - 1
	}
	s.count("forged block")
	p := &Proposal{Header: h, Justify: m.high.proof}
	bid := h.ID()
	p.Sig = f.sign(id, PurposePropose, ProposePayload(bid, slot))
	s.judge.signed(id, true, EncodeMessage(p))
	f.made[bid] = true
	if len(f.made) > 512 {
		clear(f.made)
	}
	f.tell(p)
}

// extra returns a header's consensus bytes, with the producer's proof or with one that is not its own.
func (f *forger) extra(m *Machine, x *Extra, id int, slot uint64, wrong bool) []byte {
	input := consensus.VRFInput(m.setHash, slot)
	if wrong {
		if f.s.w.Rand.IntN(2) == 0 {
			id = (id + 1) % len(f.s.keys)
		} else {
			input = consensus.VRFInput(m.setHash, slot+1)
		}
	}
	return append(x.withoutProof(), f.s.ver.prove(f.s.keys[id], input)...)
}

// falseEvidence makes what looks like evidence: of another epoch or chain, with a signature that is not valid, against somebody
// who has signed but one of the two things.
func (s *sim) falseEvidence() []byte {
	r := s.w.Rand
	id := r.IntN(len(s.keys))
	k, set := s.keys[id], s.sets[r.IntN(len(s.sets))]
	seat := max(0, set.Index(k.hash))
	chain := s.genesis.h.Chain
	if r.IntN(3) == 0 {
		chain = types.Sum("test", []byte("another chain"))
	}
	slot := uint64(r.IntN(40))
	signed := func(what byte, real bool) evidence.Signed {
		v := evidence.Signed{Slot: slot, ID: types.Sum("test", []byte{what})}
		v.Sig = make([]byte, sigBytes)
		if real && chain != s.genesis.h.Chain {
			v.Sig = s.ver.sign(k, types.SignBytes(chain, PurposePropose, ProposePayload(v.ID, slot)))
		}
		return v
	}
	return evidence.Pair(evidence.Propose, set.Epoch+uint64(r.IntN(2)), uint32(seat), signed(1, true), signed(2, r.IntN(2) == 0)).Encode()
}
