package pbft

import (
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/internal/simnet"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// scenario is a run that is about one thing. All invariants hold in all of them; where it heals, finality must advance.
type scenario struct {
	name string
	plan func(seed uint64) plan
	act  func(s *sim)        // schedules what the plan cannot say
	then func(s *sim) string // what else must have come of it; empty: it has
}

// base is a network of n with delays well below a slot.
func base(n, twins int, calm uint64) plan {
	p := plan{n: n, twins: twins, slots: 40, slotMs: 500, turn: 1, sync: true, link: simnet.Link{MinDelay: 5, MaxDelay: 60, Dup: 0.05}, skewMs: 20}
	if n > 7 {
		p.slots = 24
	}
	if calm > 0 {
		p.calm = p.calmSlots()
	}
	return p
}

// sizes are the networks that most scenarios run with, and their twins.
func sizes(seed uint64) (n, twins int) {
	switch seed % 8 {
	case 0:
		return 21, 6
	case 1, 2, 3:
		return 7, 2
	}
	return 4, 1
}

func sized(seed uint64) plan {
	n, twins := sizes(seed)
	return base(n, twins, 1)
}

// every calls f each so many slots until the troubles end.
func (s *sim) every(slots uint64, f func()) {
	s.w.Every(simGenesisMs, func() uint64 {
		if s.calmed {
			return 0
		}
		f()
		return slots * s.slotMs
	})
}

// kindOf returns the kind of an encoded message.
func kindOf(payload []byte) kind { return kind(payload[1]) }

var scenarios = []scenario{
	{name: "S1 twin leaders in two partitions", plan: sized, act: func(s *sim) {
		s.every(8, func() {
			group := make([]int, s.net.Len())
			for i := range group {
				group[i] = i % 2
				if i >= len(s.keys) {
					group[i] = 1 - s.nodes[i].id%2 // away from the other instance
				}
			}
			s.net.Partition(group)
			s.w.After(6*s.slotMs, s.net.Heal)
		})
	}},
	{name: "S2 leader shows one block to each half, in every slot of its turn", plan: func(seed uint64) plan {
		p := sized(seed)
		p.turn = 4
		return p
	}, act: func(s *sim) { s.behave(2) }, then: func(s *sim) string {
		if s.culprits == 0 {
			return "nobody has noticed the two blocks"
		}
		return ""
	}},
	{name: "S3 certificate shown to one node only", plan: func(seed uint64) plan {
		p := sized(seed)
		p.meddle = func(s *sim, _, to *simNode, payload []byte) (bool, uint64) {
			slot := (s.w.Now() - min(s.w.Now(), simGenesisMs)) / s.slotMs
			if k := kindOf(payload); slot%4 < 2 && k != kindProposal && k != kindHeaders && k != kindGetHeaders {
				return uint64(to.i) == slot/4%uint64(len(s.nodes)), 0
			}
			return true, 0
		}
		return p
	}},
	{name: "S4 leader releases its block a slot late", plan: sized, act: func(s *sim) { s.behave(1) }},
	{name: "S5 loss, duplicates, reordering, delays of several slots", plan: func(seed uint64) plan {
		p := sized(seed)
		p.link = simnet.Link{Loss: float64(seed%5) / 10, Dup: 0.2, MinDelay: 1, MaxDelay: 2000}
		return p
	}},
	{name: "S6 partitions without a quorum", plan: sized, act: func(s *sim) {
		s.every(3, func() { s.net.Split(3) })
	}},
	{name: "S7 one direction of a link is dead", plan: sized, act: func(s *sim) {
		s.every(5, func() {
			s.net.SetAll(s.link)
			for i := range s.nodes {
				s.net.SetLink(i, (i+1+s.w.Rand.IntN(len(s.nodes)-1))%len(s.nodes), simnet.Link{Down: true})
			}
		})
	}},
	{name: "S8 clocks are off, jump and stand still", plan: func(seed uint64) plan {
		p := base([]int{4, 7}[seed%2], 0, 1)
		p.skewMs, p.clocks = 200, true
		return p
	}},
	{name: "S9 crashes between persisting and sending, torn and older journals", plan: func(seed uint64) plan {
		p := sized(seed)
		p.crashes, p.stale, p.restarts = true, true, 200
		return p
	}, then: func(s *sim) string {
		if s.taken["crash"] == 0 {
			return "nothing crashed"
		}
		return ""
	}},
	{name: "S10 all restart at once", plan: sized, act: func(s *sim) {
		s.every(6, func() {
			for _, n := range s.nodes {
				s.crash(n, s.w.Between(1, 700))
			}
		})
	}},
	{name: "S11 f dead, then f+1, and all back", plan: func(seed uint64) plan {
		n, _ := sizes(seed)
		p := base(n, 0, 1)
		p.slots = 120
		return p
	}, act: func(s *sim) {
		f := s.maxByz()
		for i := range f + 1 {
			at := simGenesisMs + 10*s.slotMs
			if i == f {
				at = simGenesisMs + 30*s.slotMs
			}
			s.w.At(at, func() { s.crash(s.nodes[i], (s.slots-40)*s.slotMs) })
		}
		s.w.At(simGenesisMs+70*s.slotMs, func() {
			h := s.nodes[len(s.nodes)-1].final.h.Height
			s.w.After(5*s.slotMs, func() {
				if g := s.nodes[len(s.nodes)-1].final.h.Height; g > h {
					s.fail("S11: height %d becomes final with f+1 dead", g)
				}
			})
		})
	}},
	{name: "S12 closing block lost", plan: func(seed uint64) plan {
		p := epochs(seed, setsRotate)
		lost := map[types.BlockID]int{}
		p.meddle = func(_ *sim, _, _ *simNode, payload []byte) (bool, uint64) {
			if kindOf(payload) != kindProposal {
				return true, 0
			}
			msg, _ := DecodeMessage(payload)
			h := msg.(*Proposal).Header
			if !h.Closes() || len(lost) > 3 {
				return true, 0
			}
			lost[h.ID()]++
			return false, 0
		}
		return p
	}, then: handsOver(1)},
	{name: "S12 closing block twice", plan: func(seed uint64) plan { return epochs(seed, setsSame) }, act: func(s *sim) { s.behave(2) }, then: handsOver(1)},
	{name: "S12 finality stands still over the end of an epoch", plan: func(seed uint64) plan {
		p := epochs(seed, setsResize)
		p.meddle = func(s *sim, _, _ *simNode, payload []byte) (bool, uint64) {
			slot := (s.w.Now() - min(s.w.Now(), simGenesisMs)) / s.slotMs
			return kindOf(payload) != kindCommit || slot%p.epoch < p.epoch-3 && slot%p.epoch > 4, 0
		}
		return p
	}, then: handsOver(1)},
	{name: "S12 sets have no member in common", plan: func(seed uint64) plan { return epochs(seed, setsDisjoint) }, then: handsOver(2)},
	{name: "S12 members that have left sign on", plan: func(seed uint64) plan {
		p := epochs(seed, setsDisjoint)
		p.forger = true
		return p
	}, act: func(s *sim) {
		s.every(1, func() {
			for range 6 {
				s.forge.signsOn()
			}
		})
	}, then: handsOver(2)},
	{name: "S13 floods of evidence, true and false", plan: func(seed uint64) plan {
		p := epochs(seed, setsSame)
		p.forger, p.evidence, p.flood, p.mischief = true, true, true, true
		return p
	}, act: func(s *sim) {
		s.every(1, func() {
			for range 20 {
				s.forge.act()
			}
		})
	}, then: func(s *sim) string {
		if s.culprits == 0 {
			return "nobody is accused"
		}
		return handsOver(1)(s)
	}},
	{name: "S14 forged blocks, votes and certificates", plan: func(seed uint64) plan {
		p := sized(seed)
		p.forger = true
		return p
	}, act: func(s *sim) {
		s.every(1, func() {
			for range 30 {
				s.forge.act()
			}
		})
	}},
	{name: "S15 keys of an old epoch make another history", plan: func(seed uint64) plan {
		p := base(4, 0, 1)
		p.epoch, p.sets, p.slots = 6, setsDisjoint, 60
		return p
	}, act: func(s *sim) { s.every(2, s.otherHistory) }, then: func(s *sim) string {
		if s.taken["other history shown"] == 0 {
			return "it was not shown"
		}
		return handsOver(3)(s)
	}},
	{name: "S16 more twins than the bound", plan: func(seed uint64) plan {
		n, twins := []int{4, 7}[seed%2], []int{2, 3}[seed%2]
		p := base(n, twins, 0)
		p.link.Loss, p.link.MaxDelay = 0.1, 400
		p.partitions, p.mischief = true, true
		return p
	}},
	{name: "S17 commits that come after later prepares", plan: func(seed uint64) plan {
		p := sized(seed)
		p.meddle = func(s *sim, _, _ *simNode, payload []byte) (bool, uint64) {
			if kindOf(payload) == kindCommit {
				return true, s.w.Between(0, 3*s.slotMs)
			}
			return true, 0
		}
		return p
	}},
	{name: "S18 engines restart at any Ready, checks are late or never answered", plan: func(seed uint64) plan {
		p := epochs(seed, setsRotate)
		p.restarts, p.lateCheck, p.noCheck = 30, 0.4, 0.15
		return p
	}, then: func(s *sim) string {
		if s.taken["engine restart"] < 10 {
			return "the engines hardly restart"
		}
		return ""
	}},
	{name: "S19 delays above a slot, all turns", plan: func(seed uint64) plan {
		p := base(21, 0, 0)
		p.turn = []uint64{1, 4, 12}[seed%3]
		p.link = simnet.Link{MinDelay: 300, MaxDelay: 900}
		p.slots = 60
		return p
	}, then: func(s *sim) string {
		if s.finalBlocks == 0 {
			return "nothing is final"
		}
		return ""
	}},
}

// epochs is a network whose epochs are short.
func epochs(seed uint64, sets setMode) plan {
	n, twins := sizes(seed%8 + seed%2) // 21 seldom
	if n == 21 {
		n, twins = 7, 2
	}
	p := base(n, twins, 1)
	p.epoch, p.sets = 8+seed%5, sets
	return p
}

func handsOver(times uint64) func(s *sim) string {
	return func(s *sim) string {
		for _, n := range s.nodes {
			if n.m != nil && n.m.set.Epoch < times {
				return fmt.Sprintf("node %d is in epoch %d at the end, want %d and more", n.i, n.m.set.Epoch, times)
			}
		}
		return ""
	}
}

// behave sets how the twins misbehave.
func (s *sim) behave(hide int) {
	for _, n := range s.nodes {
		if n.byz {
			n.hide = hide
		}
	}
}

// signsOn signs for producers of an epoch that is over.
func (f *forger) signsOn() {
	s := f.s
	v, ok := f.some(kindPrepare).(*Prepare)
	if !ok || len(s.sets) < 2 {
		return
	}
	set := s.sets[s.w.Rand.IntN(len(s.sets))]
	seat, id := f.seat(set)
	if seat < 0 {
		return
	}
	hash := set.Hash()
	v.Epoch, v.Seat, v.Support, v.Slot = set.Epoch, uint32(seat), nil, v.Slot+uint64(s.w.Rand.IntN(3))
	v.Sig = f.sign(id, PurposePrepare, PreparePayload(hash, v.Epoch, v.Slot, v.Height, v.ID, v.Src))
	s.judge.signed(id, true, EncodeMessage(v))
	f.tell(v)
	c := &Commit{Epoch: v.Epoch, Slot: v.Slot, Height: v.Height, ID: v.ID, Seat: v.Seat}
	c.Sig = f.sign(id, types.PurposeCommit, types.CommitPayload(hash, c.Epoch, c.Slot, c.Height, c.ID))
	s.judge.signed(id, true, EncodeMessage(c))
	f.tell(c)
}

// otherHistory shows nodes that are two epochs and more further a block that the whole set of an old epoch has signed by now: its
// keys were sold.
func (s *sim) otherHistory() {
	for _, n := range s.nodes {
		if n.m == nil || n.m.set.Epoch < 2 {
			continue
		}
		set := s.sets[0]
		h := s.header(s.genesis, 0, 3, 77, nil)
		h.Producer = set.Seats[3].Key.Hash()
		h.NextSet = set.Hash()
		c := &types.Certificate{Scheme: types.CertEd25519List, SetHash: set.Hash(), Slot: h.Slot, Height: h.Height, Block: h.ID(), Bitmap: []byte{0b1111}}
		msg := types.SignBytes(s.genesis.h.Chain, types.PurposeCommit, types.CommitPayload(c.SetHash, 0, c.Slot, c.Height, c.Block))
		for _, id := range s.elected(0, 0) {
			c.Signatures = append(c.Signatures, s.ver.sign(s.keys[id], msg))
		}
		if s.ver.Certificate(c, s.genesis.h.Chain, set) != nil {
			s.fail("the certificate of the other history is no good")
		}
		from := types.Sum("test", []byte("liar"))
		proof := &types.Finality{Cert: c}
		next := *set
		next.Epoch = 1
		for _, msg := range []Message{&Status{Epoch: 0, Slot: 3, Head: Ref{h.Slot, h.ID()}, HeadHeight: 1, Final: c}, &HandOver{Header: h, Next: &next, Proof: proof},
			&Proofs{Items: []*Proof{{Commit: c}}}, &Status{Epoch: n.m.set.Epoch, Slot: n.m.slot, Head: n.m.head.ref(), HeadHeight: 1, Final: c}} {
			s.step(n, &consensus.Message{From: from, Payload: EncodeMessage(msg), NowMs: n.clock.Now()})
		}
		s.step(n, &consensus.Finalised{Header: h, Proof: proof, Next: &next, NowMs: n.clock.Now()})
		s.count("other history shown")
	}
}

// TestScenarios runs each scenario of the design with several seeds.
func TestScenarios(t *testing.T) {
	count := uint64(4)
	if raceEnabled || testing.Short() {
		count = 1
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			all := &tally{}
			first, last := uint64(1), count
			if *simSeed > 0 {
				first, last = *simSeed, *simSeed
			}
			for seed := first; seed <= last; seed++ {
				run := func(loud func(string, ...any)) (*sim, error) {
					p := sc.plan(seed)
					p.loud = loud
					s := newSim(seed, p)
					if sc.act != nil {
						sc.act(s)
					}
					err := s.run()
					if err == nil && sc.then != nil {
						if why := sc.then(s); why != "" {
							err = fmt.Errorf("%s", why)
						}
					}
					return s, err
				}
				s, err := run(nil)
				all.add(s)
				if err != nil {
					story := &lines{keep: *simLines}
					_, _ = run(story.add)
					t.Errorf("seed %d: %v\n%s", seed, err, story)
				}
			}
			t.Logf("%d seeds, %d final blocks:%s", all.seeds, all.blocks, all)
		})
	}
}
