package consensustest

import (
	"math/rand/v2"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// certifiedTo is the height up to which certificates are verified; cases that use certificates of an engine for something
// else stay below half of it.
const certifiedTo = 20

func finalCases() []Case {
	return []Case{
		{"certificates-verify", "finality is what others can verify", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.onReady = func(r *consensus.Ready) {
				for i, f := range r.Final {
					if f.Proof == nil {
						if i == len(r.Final)-1 {
							t.Errorf("the last of %d final blocks has no proof", len(r.Final))
						}
						continue
					}
					if h := c.headers[f.Block]; h == nil {
						t.Errorf("block %s is final and was never checked", f.Block.Short())
					} else if err := f.Proof.Verify(w.set, h); err != nil {
						t.Errorf("%v", err)
					}
				}
			}
			c.start()
			if !w.run(60, w.finalAt(certifiedTo)) {
				t.Errorf("after 60 slots height %d is final", c.final.Height)
			}
		}},
		{"final-ascends", "receipts go out once and in order", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			watch := watchFinal(t, c)
			c.start()
			if !w.run(30, func() bool { return *watch > 3 }) {
				t.Errorf("after 30 slots height %d is final", *watch)
			}
		}},
		{"finalised-is-not-repeated", "what the core has told is no news for it", func(t T, f Factory) {
			w, p := alone(t, f)
			defer w.done()
			p.start()
			if !w.run(30, w.finalAt(5)) {
				t.Fatalf("after 30 slots height %d is final", p.final.Height)
			}
			h, proof := p.final, p.proof
			c := w.add(-1)
			deaf := true
			c.hears = func(_ *core, b []byte) ([]byte, bool) { return b, !deaf }
			c.start()
			c.finalise(h, proof)
			watch := watchFinal(t, c)
			*watch = h.Height
			c.step(&consensus.Finalised{Header: h, Proof: proof, NowMs: w.now})
			w.run(2, nil)
			if c.head != h.ID() {
				t.Errorf("the head is %s, not the block at height %d that the core has finalised", c.head.Short(), h.Height)
			}
			deaf = false
			if !w.run(30, w.finalAt(p.final.Height+1)) {
				t.Errorf("a follower that was told of height %d is at %d, the producer at %d", h.Height, c.final.Height, p.final.Height)
			}
		}},
		{"garbage-changes-nothing", "anybody can send anything", func(t T, f Factory) {
			w, p := alone(t, f)
			defer w.done()
			c := w.add(-1)
			rng := rand.New(rand.NewPCG(1, 2))
			c.hears = func(from *core, b []byte) ([]byte, bool) { // each message comes once broken, then as it is
				bad := append([]byte(nil), b...)
				if len(bad) > 0 {
					bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
				}
				c.step(&consensus.Message{From: stranger, Payload: bad[:rng.IntN(len(bad)+1)], NowMs: w.now})
				c.step(&consensus.Message{From: stranger, Payload: bad, NowMs: w.now})
				return b, true
			}
			for _, n := range w.nodes {
				n.start()
			}
			for range 4 {
				for _, n := range w.nodes {
					for range 20 {
						b := make([]byte, rng.IntN(400))
						for i := range b {
							b[i] = byte(rng.Uint32())
						}
						n.step(&consensus.Message{From: stranger, Payload: b, NowMs: w.now})
					}
					n.step(&consensus.Checked{Block: stranger, OK: true, NowMs: w.now})
					n.step(&consensus.Built{Slot: w.slot(), Parent: stranger, Header: w.genesis, NowMs: w.now})
					forged := &types.Header{Chain: w.genesis.Chain, Height: 3, Slot: 3, Parent: stranger}
					n.step(&consensus.Finalised{Header: forged, NowMs: w.now, Proof: &types.Finality{Cert: &types.Certificate{Scheme: types.CertEd25519List,
						SetHash: w.set.Hash(), Slot: 3, Height: 3, Block: forged.ID(), Bitmap: []byte{1}, Signatures: [][]byte{make([]byte, 64)}}}})
				}
				w.run(1, nil)
			}
			if !w.run(30, w.finalAt(4)) {
				t.Errorf("under garbage the producer is at height %d, a follower at %d", p.final.Height, c.final.Height)
			}
			for _, n := range w.nodes {
				if n.ended != nil {
					t.Errorf("garbage ends the run of node %d: %v", n.i, n.ended)
				}
			}
		}},
	}
}

// stranger sends the garbage.
var stranger = types.Sum("consensustest", []byte("stranger"))

// watchFinal checks that what a node calls final ascends from what it knows, without a gap; it returns the height.
func watchFinal(t T, c *core) *uint64 {
	last := new(uint64)
	*last = c.final.Height
	c.onReady = func(r *consensus.Ready) {
		for _, f := range r.Final {
			h := c.headers[f.Block]
			if h == nil {
				t.Errorf("block %s is final and was never checked", f.Block.Short())
				continue
			}
			if h.Height != *last+1 {
				t.Errorf("height %d is final after height %d", h.Height, *last)
			}
			*last = h.Height
		}
	}
	return last
}
