package pbft

import (
	"testing"

	"github.com/paloalto-chain/paloalto/internal/simnet"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// calmRun is a simulation of four without trouble, over several epochs.
func calmRun(f testing.TB, slots uint64) *sim {
	s := newSim(1, plan{n: 4, slots: slots, slotMs: 500, turn: 1, epoch: 7, link: simnet.Link{MinDelay: 1, MaxDelay: 50}})
	if err := s.run(); err != nil {
		f.Fatal(err)
	}
	return s
}

// FuzzRestore starts machines from records and a snapshot of any kind: they start or say that these make no sense.
func FuzzRestore(f *testing.F) {
	s := calmRun(f, 20)
	f.Add(s.nodes[0].m.encodeSnapshot(), []byte{})
	for _, e := range s.nodes[0].journal {
		if e.record != nil {
			f.Add([]byte{}, e.record)
		}
	}
	for _, r := range sampleRecords() {
		f.Add([]byte{}, r)
	}
	f.Fuzz(func(t *testing.T, snap, rec []byte) {
		g, set := s.genesis.h, s.sets[0]
		st := &consensus.Start{Genesis: g, Set: set, Key: &set.Seats[0].Key, Final: g, EpochStart: g, NowMs: s.w.Now(), GenesisTimeMs: simGenesisMs}
		if len(snap) > 0 {
			st.Snapshot = snap
		}
		if len(rec) > 0 {
			st.Records = [][]byte{rec}
		}
		m, err := New(Config{SlotMs: 500, Turn: 1, Verifier: s.ver}, st)
		if err != nil {
			return
		}
		m.Ready()
		_ = m.Step(&consensus.Woken{NowMs: s.w.Now() + 1000})
	})
}

// FuzzStep gives a machine in the middle of a chain any message.
func FuzzStep(f *testing.F) {
	s := calmRun(f, 10)
	for _, x := range samples() {
		f.Add(EncodeMessage(x.msg))
	}
	for _, n := range s.nodes {
		f.Add(n.m.prepareMsg)
		f.Add(n.m.commitMsg)
		f.Add(EncodeMessage(&Status{Epoch: n.m.set.Epoch, Slot: n.m.slot, Head: n.m.head.ref(), HeadHeight: n.m.head.h.Height, High: n.m.high.proof, Final: n.m.final.fin}))
		f.Add(EncodeMessage(n.m.proposalOf(n.m.final)))
		for _, o := range n.m.hands {
			f.Add(EncodeMessage(o))
		}
	}
	m, peer := s.nodes[0].m, testHash("peer")
	f.Fuzz(func(t *testing.T, b []byte) {
		final := m.final
		if err := m.Step(&consensus.Message{From: peer, Payload: b, NowMs: s.w.Now()}); err != nil {
			t.Fatal(err)
		}
		if r := m.Ready(); len(r.Sign) > 0 && m.final == final && r.Halt != "" {
			t.Fatal("a message stops the chain")
		}
	})
}
