package consensustest

import (
	"bytes"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// epochSlots is how many slots an epoch of these cases lasts before it is due to end.
const epochSlots = 4

// setOf makes a set of the suite's keys, by their numbers.
func setOf(epoch uint64, keys ...int) *types.Set {
	var pubs []types.PublicKey
	for _, k := range keys {
		_, pub := seatKey(k)
		pubs = append(pubs, pub)
	}
	return types.EqualSet(epoch, pubs)
}

// follow makes epochs end, with sets for those after the first. The last one lasts for ever.
func (w *world) follow(sets ...*types.Set) {
	w.next = func(b *types.Header) *types.Set {
		if b.Epoch >= uint64(len(sets)) || b.Slot < epochSlots*(b.Epoch+1) {
			return nil
		}
		return sets[b.Epoch]
	}
}

// inEpoch tells whether all nodes that run have a final block of an epoch.
func (w *world) inEpoch(epoch uint64) func() bool {
	return func() bool {
		for _, c := range w.nodes {
			if c.session != nil && c.final.Epoch < epoch {
				return false
			}
		}
		return true
	}
}

// setAt returns the set of an epoch of the node's chain, as far as the node knows it.
func (c *core) setAt(epoch uint64) *types.Set {
	if epoch == c.w.set.Epoch {
		return c.w.set
	}
	for _, s := range c.w.sets {
		if s.Epoch == epoch {
			return s
		}
	}
	return nil
}

// watchEpochs checks what an engine says of epochs. It returns the newest set that it has told of.
func watchEpochs(t T, c *core) **types.Set {
	told := new(*types.Set)
	var final *types.Header // the newest closing block that is final
	c.onReady = func(r *consensus.Ready) {
		for _, f := range r.Final {
			h := c.headers[f.Block]
			if h == nil {
				t.Errorf("node %d: block %s is final and was never checked", c.i, f.Block.Short())
				continue
			}
			if c.suffix[f.Block] {
				t.Errorf("node %d: height %d is final, which comes after the closing block of epoch %d", c.i, h.Height, h.Epoch)
			}
			if h.Closes() {
				if final = h; f.Proof == nil {
					t.Errorf("node %d: the closing block of epoch %d is final without a proof", c.i, h.Epoch)
				}
			}
			if f.Proof == nil {
				continue
			}
			if err := f.Proof.Verify(c.setAt(h.Epoch), h); err != nil {
				t.Errorf("node %d: height %d of epoch %d: %v", c.i, h.Height, h.Epoch, err)
			}
		}
		if s := r.Epoch; s != nil {
			switch {
			case final == nil || s.Hash() != final.NextSet:
				t.Errorf("node %d: a set of epoch %d takes over that no final block names", c.i, s.Epoch)
			case *told != nil && (*told).Epoch >= s.Epoch:
				t.Errorf("node %d: epoch %d takes over after epoch %d", c.i, s.Epoch, (*told).Epoch)
			}
			*told = s
		}
		if b := r.Build; b != nil {
			c.mayBuild(t, b, final)
		}
	}
	return told
}

// mayBuild checks that a body is asked for by a member of the epoch's set, on a block that it may stand on.
func (c *core) mayBuild(t T, b *consensus.Build, final *types.Header) {
	p := c.headers[b.Parent]
	if p == nil {
		t.Errorf("node %d: a body is asked for on block %s, which was never checked", c.i, b.Parent.Short())
		return
	}
	if b.Epoch != p.Epoch && (b.Epoch != p.Epoch+1 || !p.Closes() || final == nil || b.Parent != final.ID()) {
		t.Errorf("node %d: a body of epoch %d is asked for on a block of epoch %d, which closes it: %t, and is final: %t", c.i, b.Epoch, p.Epoch,
			p.Closes(), final != nil && b.Parent == final.ID())
	}
	set := c.setAt(b.Epoch)
	if _, pub := seatKey(max(c.seat, 0)); set == nil || c.seat < 0 || set.Index(pub.Hash()) < 0 {
		t.Errorf("node %d: a body of epoch %d is asked for, in which the node has no seat", c.i, b.Epoch)
	}
}

func epochCases() []Case {
	return []Case{
		{"epoch-hand-over", "a set that takes over too early, or not at all, splits or ends the chain", func(t T, f Factory) {
			w := newWorld(t, f, 1)
			defer w.done()
			w.follow(setOf(1, 1), setOf(2, 1, 0))
			var told []**types.Set
			for _, seat := range []int{0, 1, -1} {
				told = append(told, watchEpochs(t, w.add(seat)))
			}
			for _, c := range w.nodes {
				c.start()
			}
			if !w.run(100, func() bool { return w.inEpoch(2)() && w.nodes[0].final.Height >= w.nodes[0].opened.Height+3 }) {
				for _, c := range w.nodes {
					t.Logf("node %d: height %d of epoch %d is final", c.i, c.final.Height, c.final.Epoch)
				}
				t.Fatalf("after 100 slots the chain has not gone on in its third epoch")
			}
			for i, s := range told {
				if *s == nil || (*s).Epoch != 2 {
					t.Errorf("node %d has not told of the third epoch", i)
				}
			}
		}},
		{"suffix-is-empty", "what comes after a closing block is dropped, and with it all that it holds", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			w.follow(setOf(1, 0))
			watchEpochs(t, c)
			empty := 0
			c.sign = func(u consensus.Unsigned) bool { // nothing is committed to before there are some such blocks
				return u.Purpose != types.PurposeCommit || empty > 2
			}
			c.build = func(b *consensus.Build, h *types.Header) bool {
				if h != nil && h.Epoch == 0 && (c.headers[b.Parent].Closes() || c.suffix[b.Parent]) {
					empty++
					if !b.Empty || len(b.Certificate) > 0 {
						t.Errorf("after a closing block a body is asked for that is to be empty: %t, with a certificate of %d bytes", b.Empty, len(b.Certificate))
					}
				}
				return true
			}
			c.start()
			if !w.run(60, func() bool { return c.final.Epoch == 1 }) {
				t.Errorf("after %d blocks that follow the closing block, height %d of epoch %d is final", empty, c.final.Height, c.final.Epoch)
			}
			if empty < 3 {
				t.Errorf("while the closing block is not final, %d bodies are asked for after it", empty)
			}
		}},
		{"finished-epoch-is-over", "votes of a set that has given way could make a second end of its epoch final", func(t T, f Factory) {
			w := newWorld(t, f, 2)
			defer w.done()
			w.follow(setOf(1, 1, 0))
			a, b := w.add(0), w.add(1)
			var old [][]byte
			b.hears = func(_ *core, p []byte) ([]byte, bool) {
				if b.final.Epoch == 0 && len(old) < 2000 {
					old = append(old, bytes.Clone(p))
				}
				return p, true
			}
			for _, c := range w.nodes {
				over, wrong := false, false
				c.onReady = func(r *consensus.Ready) {
					for _, f := range r.Final {
						if h := c.headers[f.Block]; h != nil && h.Closes() {
							over = true
						}
					}
					if !over || wrong {
						return
					}
					first := w.set.Hash()
					for _, u := range r.Sign {
						if u.Purpose == types.PurposeCommit && bytes.HasPrefix(u.Payload, first[:]) {
							wrong = true
							t.Errorf("node %d: a commit of the first epoch is to be signed when its closing block is final", c.i)
						}
					}
					if r.Build != nil && r.Build.Epoch == 0 {
						wrong = true
						t.Errorf("node %d: a body of the first epoch is asked for when its closing block is final", c.i)
					}
				}
			}
			a.start()
			b.start()
			if !w.run(60, w.inEpoch(1)) {
				t.Fatalf("after 60 slots heights %d and %d are final, and no block of the second epoch", a.final.Height, b.final.Height)
			}
			for _, p := range old { // what it had heard in the first epoch comes again
				b.step(&consensus.Message{From: a.peer, Payload: p, NowMs: w.now})
			}
			if want := b.final.Height + 3; !w.run(30, w.finalAt(want)) {
				t.Errorf("after messages of the first epoch height %d of the second is final, want %d", b.final.Height, want)
			}
		}},
	}
}
