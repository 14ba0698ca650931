package chain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// A node that was away over epochs gets them one after the other, and its engine hears of each closing block in order.
func TestCatchingUpOverEpochs(t *testing.T) {
	far := epochChain(t, 35, 2)
	e := newScript()
	k := newEpochKit(t, always, e, false)
	peer := types.Hash{7}
	k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, peer, p, b) })
	k.run()
	s := <-e.runs
	k.OnMessage(peer, MsgFinal, claimOf(35))
	k.final(35)
	checkEpochs(t, k, 2)
	set := s.start.Set
	for epoch := range uint64(4) {
		f := next[*consensus.Finalised](t, s)
		if f.Header.Epoch != epoch || f.Header.Height != min(epochBlocks*(epoch+1), 35) || f.Proof.Verify(set, f.Header) != nil {
			t.Fatalf("%+v", f)
		}
		if epoch == 3 {
			break
		}
		if f.Next == nil || f.Next.Hash() != f.Header.NextSet || len(f.Proof.Suffix) != 2 {
			t.Fatalf("%+v", f)
		}
		set = f.Next
	}
	if n := k.net.times(peer); n != 4 {
		t.Errorf("%d requests, want one for each epoch", n)
	}
	if a, b := far.Status(), k.Status(); a.StateRoot != b.StateRoot || a.Epoch != b.Epoch {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// Ranges that mix up epochs are refused, and who sent them is left alone.
func TestRangesThatMixUpEpochs(t *testing.T) {
	far := epochChain(t, 25, 2)
	blocks := func(from, to uint64) (out [][]byte) {
		for h := from; h <= to; h++ {
			b, err := far.Block(context.Background(), h)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, encodeBlock(b.Header.Encode(), b.Body()))
		}
		return out
	}
	proof := func(h uint64) *types.Finality {
		b, err := far.Block(context.Background(), h)
		if err != nil || b.Finality() == nil {
			t.Fatalf("%v", err)
		}
		return b.Finality()
	}
	suffix := func(upTo int) (out [][]byte) {
		for _, h := range proof(10).Suffix[:upTo] {
			out = append(out, encodeBlock(h.Encode(), emptyBody))
		}
		return out
	}
	cases := map[string]struct {
		has    uint64 // final height of the node that asks
		answer []byte
	}{
		"over a closing block":                 {0, encodeRange(blocks(1, 15), proof(15).Encode())},
		"past the closing block to the suffix": {0, encodeRange(append(blocks(1, 10), suffix(2)...), (&types.Finality{Cert: proof(10).Cert}).Encode())},
		"the suffix alone":                     {10, encodeRange(suffix(2), (&types.Finality{Cert: proof(10).Cert}).Encode())},
		"a later epoch":                        {0, encodeRange(blocks(11, 15), proof(15).Encode())},
		"a suffix that is cut":                 {0, encodeRange(blocks(1, 10), (&types.Finality{Cert: proof(10).Cert, Suffix: proof(10).Suffix[:1]}).Encode())},
		"a suffix of a block that does not close": {0, encodeRange(blocks(1, 9),
			(&types.Finality{Cert: proof(10).Cert, Suffix: append([]*types.Header{headerOf(blocks(10, 10)[0])}, proof(10).Suffix...)}).Encode())},
		"by the set of the epoch before": {10, encodeRange(blocks(11, 15), (&types.Finality{Cert: certify(far.first, headerOf(blocks(15, 15)[0]))}).Encode())},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newEpochKit(t, always, &solo{}, false)
			honest, liar := types.Hash{1}, types.Hash{2}
			k.net.join(honest, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, honest, p, b) })
			k.run()
			if c.has > 0 { // just that epoch
				answer, err := far.serveRange(t.Context(), 1)
				if err == nil {
					var r *certified
					if r, err = k.openRange(answer); err == nil {
						k.do(func(ctx context.Context) error { return k.applyRange(ctx, r) })
						k.final(c.has)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			k.net.join(liar, func(context.Context, byte, []byte) ([]byte, error) { return c.answer, nil })
			if err := k.fetchRange(t.Context(), liar, c.has+1); !errors.Is(err, errRange) {
				t.Errorf("%v", err)
			}
			k.OnMessage(honest, MsgFinal, claimOf(25))
			k.final(25)
			if err := k.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The node dies when the closing block is final and nothing of the next epoch is there.
func TestRestartBetweenEpochs(t *testing.T) {
	for _, suffix := range []int{0, 2} {
		for name, wiped := range map[string]bool{"with its store": false, "from the journal alone": true} {
			t.Run(name, func(t *testing.T) {
				k := epochChain(t, 20, suffix)
				id := k.Status().FinalID
				k.fs = k.fs.Crash()
				if err := k.stop(); err != nil {
					t.Fatal(err)
				}
				if wiped {
					k.store = newMapStore()
				}
				e := &solo{target: 35, suffix: suffix}
				k.open(e, true)
				if s := k.Status(); s.FinalID != id || s.Epoch != 2 || s.EpochStart != 20 {
					t.Fatalf("%+v", s)
				}
				k.run()
				k.final(35)
				checkEpochs(t, k, suffix)
				e.mu.Lock()
				defer e.mu.Unlock()
				s := e.starts[0]
				if s.Set.Epoch != 1 || s.Next == nil || s.Next.Epoch != 2 || s.EpochStart.Height != 10 || s.EpochStart.NextSet != s.Set.Hash() ||
					s.FinalProof.Verify(s.Set, s.Final) != nil || s.EpochProof.Verify(k.first, s.EpochStart) != nil {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// The closing block is the committed one: what opens the next epoch comes from storage, and what followed it in its own epoch, which
// the journal still holds, does not come back.
func TestRestartOnAClosingBlock(t *testing.T) {
	k := epochChain(t, 11, 2)
	if err := k.stop(); err != nil {
		t.Fatal(err)
	}
	k.open(&solo{target: 15, suffix: 2}, true)
	if k.tree.root.header.Height != 10 || k.tree.final.header.Height != 11 || len(k.tree.nodes) != 2 {
		t.Errorf("root %d, final %d, %d blocks", k.tree.root.header.Height, k.tree.final.header.Height, len(k.tree.nodes))
	}
	k.run()
	k.final(15)
}

// In the midst of an epoch the engine is told how it began; at genesis there is nothing to prove.
func TestStartTellsTheEpoch(t *testing.T) {
	k := epochChain(t, 15, 1)
	if err := k.stop(); err != nil {
		t.Fatal(err)
	}
	k.open(&solo{}, true)
	defer k.journal.Close()
	s := k.startEvent()
	if s.Set.Epoch != 1 || s.Next != nil || s.EpochStart.Height != 10 || s.EpochProof.Verify(k.first, s.EpochStart) != nil || s.Final.Height != 15 {
		t.Errorf("%+v", s)
	}
	g := newEpochKit(t, always, &solo{}, false)
	defer g.journal.Close()
	if s := g.startEvent(); s.Set.Epoch != 0 || s.EpochStart.ID() != g.genesis.ID() || s.EpochProof != nil || s.FinalProof != nil || s.Key != nil {
		t.Errorf("%+v", s)
	}
}

// A journal that lacks the proof of a closing block brings back nothing that comes after.
func TestProofOfAClosingBlockIsMissing(t *testing.T) {
	k := epochChain(t, 15, 0)
	if err := k.stop(); err != nil {
		t.Fatal(err)
	}
	k.store = newMapStore()
	k.open(&solo{}, true)
	defer k.journal.Close()
	proof, id := k.tree.final.proof, k.tree.final.id
	k.cfg.Store = newMapStore()
	s := &Chain{cfg: k.cfg, id: k.id, first: k.first, genesis: k.genesis, log: k.log, trust: k.trust}
	if err := s.openRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.replay(); err != nil {
		t.Fatal(err)
	}
	err := s.replayFinal(t.Context(), finals{height: 15, newest: id, proof: proof})
	if err == nil || !strings.Contains(err.Error(), "closing block at height 10 is missing") {
		t.Errorf("%v", err)
	}
}

// at is a clock that stands at a slot.
func at(slot uint64) func(*Config) {
	return func(c *Config) {
		c.Clock = stopped{time.UnixMilli(int64(c.Genesis.TimeMs + slot*c.Genesis.SlotMs))}
	}
}

func TestCheckpoint(t *testing.T) {
	far := epochChain(t, 35, 1)
	id := func(h uint64) types.BlockID {
		b, err := far.Block(context.Background(), h)
		if err != nil {
			t.Fatal(err)
		}
		return b.ID
	}
	with := func(h uint64, id types.BlockID) func(*Config) {
		return func(c *Config) { c.Checkpoint = &chainspec.Checkpoint{Height: h, ID: id} }
	}
	peer := types.Hash{7}
	follow := func(e consensus.Engine, change ...func(*Config)) *kit {
		k := newEpochKit(t, always, e, false, change...)
		k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, peer, p, b) })
		k.run()
		k.OnMessage(peer, MsgFinal, claimOf(35))
		return k
	}
	t.Run("right", func(t *testing.T) {
		e := newScript()
		k := follow(e, with(33, id(33)))
		s := <-e.runs // not before it is reached
		if s.start.Final.Height < 33 {
			t.Errorf("the engine was started at height %d", s.start.Final.Height)
		}
		k.final(35)
		if why := k.Status().Trouble; why != "" {
			t.Error(why)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		e := newScript()
		k := follow(e, with(33, types.BlockID{1}))
		k.final(30)
		await(t, "the refusal", func() bool { return k.net.times(peer) >= 4 })
		await(t, "the reason", func() bool { return strings.Contains(k.Status().Trouble, "contradicts the checkpoint") })
		err := k.fetchRange(t.Context(), peer, 31)
		if !errors.Is(err, ErrCheckpoint) || !errors.Is(err, errRange) {
			t.Errorf("%v", err)
		}
		if s := k.Status(); s.Final != 30 || !strings.Contains(s.Trouble, "checkpoint at height 33") || s.Halted != "" || len(e.runs) > 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("against what the node has", func(t *testing.T) {
		k := epochChain(t, 15, 0)
		b, err := k.Block(t.Context(), 12)
		if err != nil {
			t.Fatal(err)
		}
		_ = k.stop()
		if err := k.tryOpen(&solo{}, true, with(12, types.BlockID{1})); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), "wipe") {
			t.Errorf("%v", err)
		}
		if err := k.tryOpen(&solo{}, true, with(12, b.ID)); err != nil {
			t.Error(err)
		}
		_ = k.journal.Close()
	})
	t.Run("by consensus", func(t *testing.T) {
		b := nearTheEnd(t, always)
		b.Chain.trust.checkpoint = &chainspec.Checkpoint{Height: 10, ID: types.BlockID{1}}
		b.finalise(b.build(b.tip, 0).Header)
		await(t, "the halt", func() bool { return b.Status().Halted != "" })
		if err := b.stop(); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%v", err)
		}
	})
}

// Certificates of a set are believed only as long as its members could be punished.
func TestTrustingPeriod(t *testing.T) {
	trusting := func(k *kit) { k.g.Consensus.Config = []byte(`{"trusting":"1s"}`) } // 50 slots
	far := &kit{t: t, g: testGenesis(), fs: newFS(), store: newMapStore(), net: newFakeNet(), seats: always}
	trusting(far)
	far.open(&solo{target: 35}, true)
	far.run()
	far.final(35)
	b, err := far.Block(t.Context(), 30)
	if err != nil {
		t.Fatal(err)
	}
	peer := types.Hash{7}
	follower := func(t *testing.T, e consensus.Engine, change ...func(*Config)) *kit {
		k := &kit{t: t, g: far.g, fs: newFS(), store: newMapStore(), net: newFakeNet(), seats: always}
		k.open(e, false, change...)
		k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, peer, p, b) })
		k.run()
		return k
	}
	t.Run("young enough", func(t *testing.T) {
		k := follower(t, &solo{}, at(50))
		k.OnMessage(peer, MsgFinal, claimOf(35))
		k.final(35)
	})
	t.Run("too old", func(t *testing.T) {
		e := newScript()
		k := follower(t, e, at(100))
		k.OnMessage(peer, MsgFinal, claimOf(35))
		await(t, "the refusal", func() bool { return strings.Contains(k.Status().Trouble, "--checkpoint test=") })
		if k.FinalHeight() != 0 || k.net.times(peer) != 0 || len(e.runs) > 0 {
			t.Error("it takes part")
		}
	})
	t.Run("too old, with a checkpoint", func(t *testing.T) {
		k := follower(t, &solo{}, at(65), func(c *Config) { c.Checkpoint = &chainspec.Checkpoint{Height: 30, ID: b.ID} })
		k.OnMessage(peer, MsgFinal, claimOf(35))
		k.final(35)
	})
	t.Run("away for too long", func(t *testing.T) {
		k := follower(t, &solo{}, at(20))
		k.OnMessage(peer, MsgFinal, claimOf(35))
		k.final(35)
		_ = k.stop()
		k.open(&solo{}, false, at(200))
		k.net.join(peer, func(context.Context, byte, []byte) ([]byte, error) { return nil, errors.New("not asked") })
		k.run()
		k.OnMessage(peer, MsgFinal, claimOf(500))
		await(t, "the refusal", func() bool { return strings.Contains(k.Status().Trouble, "block 35 is") })
	})
	for config, want := range map[string]time.Duration{`{}`: 0, `{"trusting":"336h"}`: 336 * time.Hour, `{"trusting":1000}`: 1000, `{"trusting":"2000"}`: 2000,
		`{"trusting":-5}`: 0, `{"trusting":{}}`: 0, `x`: 0, `{"trusting":null}`: 0} {
		if got := trustingPeriod([]byte(config)); got != want {
			t.Errorf("%s: %s", config, got)
		}
	}
}
