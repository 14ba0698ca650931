package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// next waits for an event of a kind and drops others.
func next[E consensus.Event](t *testing.T, s *session) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		select {
		case e := <-s.events:
			if v, ok := e.(E); ok {
				return v
			}
		case <-ctx.Done():
			t.Fatal("the event did not come")
		}
	}
}

// scripted returns a follower whose engine the test speaks for, and a chain of some blocks to take them from.
func scripted(t *testing.T) (k *kit, s *session, far *kit, block func(h uint64) *FinalBlock) {
	t.Helper()
	far = longChain(t, 6)
	e := newScript()
	k = newKit(t, e, false)
	k.run()
	return k, <-e.runs, far, func(h uint64) *FinalBlock {
		t.Helper()
		b, err := far.Block(context.Background(), h)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func pushed(id types.BlockID, body []byte) []byte { return append(bytes.Clone(id[:]), body...) }

// Whoever sends a wrong body under a block's id says something about himself and nothing about the block.
func TestWrongBodies(t *testing.T) {
	k, s, far, block := scripted(t)
	liar, silent, honest := types.Hash{1}, types.Hash{2}, types.Hash{3}
	k.net.join(liar, func(context.Context, byte, []byte) ([]byte, error) { return []byte("other garbage"), nil })
	k.net.join(silent, func(ctx context.Context, _ byte, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() })
	b1, b2 := block(1), block(2)
	k.OnMessage(liar, MsgBody, pushed(b1.ID, []byte("garbage")))
	k.OnMessage(liar, MsgBody, pushed(b1.ID, b2.Body()))
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b1.Header, From: []types.Hash{liar, silent}}}}
	await(t, "the question to the liar", func() bool { return k.net.times(liar) > 0 })
	// The honest push comes last, and is believed all the same.
	k.OnMessage(honest, MsgBody, pushed(b1.ID, b1.Body()))
	if c := next[*consensus.Checked](t, s); !c.OK || c.Block != b1.ID {
		t.Fatalf("%+v", c)
	}
	// Asked for the same again.
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b1.Header, From: []types.Hash{liar}}}}
	if c := next[*consensus.Checked](t, s); !c.OK {
		t.Fatalf("%+v", c)
	}
	// By request, past a liar and one who does not answer.
	k.net.join(honest, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, honest, p, b) })
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b2.Header, From: []types.Hash{silent, liar, honest}}}}
	if c := next[*consensus.Checked](t, s); !c.OK || c.Block != b2.ID {
		t.Fatalf("%+v", c)
	}
	if len(k.bodies.m) > 0 || k.bodies.bytes != 0 || len(k.bodies.peers) != 0 {
		t.Errorf("bodies are left: %d of %d bytes", len(k.bodies.m), k.bodies.bytes)
	}
}

// A body that can be had nowhere is asked for again when the engine asks again, and no answer is given until then.
func TestMissingBodyIsAskedForAgain(t *testing.T) {
	k, s, far, block := scripted(t)
	peer := types.Hash{1}
	k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) {
		if k.net.times(peer) < 3 {
			return nil, errors.New("not here")
		}
		return far.OnRequest(ctx, peer, p, b)
	})
	b := block(1)
	for n := 1; n < 3; n++ {
		s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b.Header}}}
		await(t, "a question", func() bool { return k.net.times(peer) == n })
		idle := make(chan bool, 1)
		await(t, "the end of the questions", func() bool {
			k.do(func(context.Context) error { idle <- k.parked[b.ID].asked == nil; return nil })
			return <-idle
		})
	}
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b.Header}}}
	if c := next[*consensus.Checked](t, s); !c.OK {
		t.Fatalf("%+v", c)
	}
}

func TestInvalidBlocks(t *testing.T) {
	k, s, _, block := scripted(t)
	good := block(1)
	peer := types.Hash{1}
	body := func(b types.Body, ids ...types.TxID) func(h *types.Header) []byte {
		return func(h *types.Header) []byte {
			h.BodyRoot, h.ExtensionRoot = b.BodyRoot(ids), b.ExtensionRoot()
			return b.Encode()
		}
	}
	same := func(f func(h *types.Header)) func(h *types.Header) []byte {
		return func(h *types.Header) []byte { f(h); return good.Body() }
	}
	old, oldID := k.transfer(alice, bob.id(), 1)
	far, farID := k.transfer(newKey("nobody"), bob.id(), 1)
	cert := certify(k.first, good.Header).Encode()
	cases := map[string]func(h *types.Header) []byte{
		"height":        same(func(h *types.Header) { h.Height = 2 }),
		"slot":          same(func(h *types.Header) { h.Slot = 0 }),
		"clock":         same(func(h *types.Header) { h.Clock++ }),
		"shard":         same(func(h *types.Header) { h.Shard = []byte{1} }),
		"producer":      same(func(h *types.Header) { h.Producer[0] ^= 1 }),
		"chain":         same(func(h *types.Header) { h.Chain[0] ^= 1 }),
		"state root":    same(func(h *types.Header) { h.StateRoot[0] ^= 1 }),
		"receipts root": same(func(h *types.Header) { h.ReceiptsRoot[0] ^= 1 }),
		"outbox root":   same(func(h *types.Header) { h.OutboxRoot[0] ^= 1 }),
		"history root":  same(func(h *types.Header) { h.HistoryRoot[0] ^= 1 }),
		"certificate":   same(func(h *types.Header) { h.CertHeight = 3 }),
		"own certificate": func(h *types.Header) []byte {
			h.CertHeight = 1
			return body(types.Body{Certificate: cert})(h)
		},
		"bad certificate":   body(types.Body{Certificate: []byte{1, 2}}),
		"unknown extension": body(types.Body{Extensions: []types.Extension{{Module: "nobody", Data: []byte{1}}}}),
		"malformed":         body(types.Body{Txs: [][]byte{(&types.Envelope{Raw: []byte("junk")}).Encode()}}, types.TxIDOf(k.g.ID(), []byte("junk"))),
		"twice":             body(types.Body{Txs: [][]byte{old, old}}, oldID, oldID),
		"overspent":         body(types.Body{Txs: [][]byte{far}}, farID),
		"expired": func(h *types.Header) []byte {
			h.Slot, h.Clock = 500, types.NextClock(0, 0, 500)
			return body(types.Body{Txs: [][]byte{old}}, oldID)(h)
		},
		"other signature": func(h *types.Header) []byte {
			env, err := types.DecodeEnvelope(bytes.Clone(old))
			if err != nil {
				t.Fatal(err)
			}
			env.Signatures[0].Sig[5] ^= 1
			return body(types.Body{Txs: [][]byte{env.Encode()}}, oldID)(h)
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			h := *good.Header
			raw := f(&h)
			k.OnMessage(peer, MsgBody, pushed(h.ID(), raw))
			s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: &h}}}
			if c := next[*consensus.Checked](t, s); c.OK || c.Block != h.ID() || c.Reason == "" {
				t.Errorf("%+v", c)
			}
		})
	}
	k.OnMessage(peer, MsgBody, pushed(good.ID, good.Body()))
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: good.Header}}}
	if c := next[*consensus.Checked](t, s); !c.OK {
		t.Fatalf("the block itself: %+v", c)
	}
	// Final, and later committed: still the same answer.
	for h := uint64(1); h <= 3; h++ {
		b := block(h)
		k.OnMessage(peer, MsgBody, pushed(b.ID, b.Body()))
		s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b.Header}}}
		if c := next[*consensus.Checked](t, s); !c.OK {
			t.Fatalf("block %d: %+v", h, c)
		}
		s.ready <- &consensus.Ready{Final: []consensus.Final{{Block: b.ID, Proof: prove(k.first, b.Header)}}}
	}
	k.final(3)
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: good.Header}}}
	if c := next[*consensus.Checked](t, s); !c.OK {
		t.Errorf("a committed block: %+v", c)
	}
	rival := *good.Header
	rival.Slot++
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: &rival}}}
	if c := next[*consensus.Checked](t, s); c.OK {
		t.Error("a rival of a final block is valid")
	}
}

// A flood of peers' messages drops neither the core's own answers nor the messages of others.
func TestFloods(t *testing.T) {
	k, s, _, block := scripted(t)
	flooder, quietPeer := types.Hash{1}, types.Hash{2}
	flood := func() {
		for range 3 * maxPeerMessages {
			k.OnMessage(flooder, MsgConsensus, []byte("noise"))
			k.OnMessage(flooder, MsgTxs, []byte("noise"))
		}
		for i := range 3 * maxPeerBodies {
			k.OnMessage(flooder, MsgBody, pushed(types.BlockID{byte(i), byte(i >> 8)}, []byte("noise")))
		}
	}
	flood() // nobody reads: the way to the engine is full
	k.OnMessage(quietPeer, MsgConsensus, []byte("hello"))
	b := block(1)
	k.OnMessage(quietPeer, MsgBody, pushed(b.ID, b.Body()))
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b.Header}}}
	await(t, "the check", func() bool { return k.node(b.ID) != nil })
	flood()
	heard, checked := false, false
	for n := 0; !heard || !checked; n++ {
		if n > 200 { // those that were on the way to the engine, and a few
			t.Fatalf("after %d events: heard %v, checked %v", n, heard, checked)
		}
		switch e := (<-s.events).(type) {
		case *consensus.Checked:
			checked = e.OK
		case *consensus.Message:
			heard = heard || e.From == quietPeer
		}
	}
	if n := len(k.bodies.peers[flooder].order); n > maxPeerBodies {
		t.Errorf("%d bodies of one peer", n)
	}
}

// Nothing is sent before the records that it rests on are durable, also if they came with an earlier Ready.
func TestRecordsAreDurableBeforeAnythingIsSent(t *testing.T) {
	k, s, _, _ := scripted(t)
	sent := make(chan bool, 1)
	k.net.sent = func(purpose byte, payload []byte) {
		if purpose == MsgConsensus {
			sent <- k.journal.Synced() == k.journal.End()
		}
	}
	s.ready <- &consensus.Ready{Persist: [][]byte{[]byte("vote")}}
	s.ready <- &consensus.Ready{Send: []consensus.Outbound{{Payload: []byte("vote")}}}
	if !<-sent {
		t.Error("it was sent before the record was durable")
	}
}

// An engine that dies gets its records back; one that has failed for good halts the chain.
func TestEngineDies(t *testing.T) {
	e := newScript()
	k := newKit(t, e, false)
	k.run()
	s := <-e.runs
	s.ready <- &consensus.Ready{Persist: [][]byte{[]byte("a")}}
	s.ready <- &consensus.Ready{Snapshot: []byte("S"), Persist: [][]byte{[]byte("b")}}
	s.ready <- &consensus.Ready{Persist: [][]byte{[]byte("c")}}
	await(t, "the records", func() bool {
		k.records.mu.Lock()
		defer k.records.mu.Unlock()
		return len(k.records.records) == 2
	})
	check := func(start *consensus.Start) {
		t.Helper()
		if string(start.Snapshot) != "S" || len(start.Records) != 2 || string(start.Records[0]) != "b" || string(start.Records[1]) != "c" {
			t.Errorf("snapshot %q, records %q", start.Snapshot, start.Records)
		}
	}
	s.fail <- fmt.Errorf("test: %w", host.ErrPluginLost)
	s = <-e.runs
	check(s.start)
	if err := k.stop(); err != nil {
		t.Fatal(err)
	}
	k.fs = k.fs.Crash() // the journal was closed, so that all of it is there
	e = newScript()
	k.open(e, false)
	k.run()
	s = <-e.runs
	check(s.start)
	s.fail <- fmt.Errorf("test: %w", host.ErrFailed)
	await(t, "the halt", func() bool { return k.Status().Halted != "" })
	if err := k.stop(); !errors.Is(err, ErrHalted) || !errors.Is(err, host.ErrFailed) {
		t.Errorf("%v", err)
	}
}

// What the state refuses does not keep others out of the blocks.
func TestNobodyIsStarved(t *testing.T) {
	e := newScript()
	k := newKit(t, e, true)
	k.run()
	s := <-e.runs
	var junk [][]byte
	for i := range 600 { // several blocks full
		env, _ := k.transfer(newKey(fmt.Sprint("poor", i)), bob.id(), 1)
		junk = append(junk, env)
	}
	// Admission would refuse them; they came when their senders still had money.
	txs, _ := k.pool.Parse(k.Slot(), junk)
	for i, err := range k.pool.Verify(txs) {
		if err == nil {
			err = k.pool.Add(txs[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	env, id := k.transfer(alice, bob.id(), 1)
	k.submit(env)
	parent := k.genesis
	for slot := uint64(1); ; slot++ {
		if slot > maxRefusals {
			t.Fatal("the transaction does not get into a block")
		}
		s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: slot, Parent: parent.ID()}}
		b := next[*consensus.Built](t, s)
		s.ready <- &consensus.Ready{Final: []consensus.Final{{Block: b.Header.ID(), Proof: prove(k.first, b.Header)}}}
		k.final(b.Header.Height)
		parent = b.Header
		if info, err := k.Tx(t.Context(), id); err != nil || info.Stage == TxFinal {
			break
		}
	}
	for slot := parent.Slot + 1; ; slot++ {
		if n, _ := k.pool.Size(); n == 0 {
			break // the junk was given up
		}
		if slot > 40 {
			t.Fatal("the junk stays")
		}
		s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: slot, Parent: parent.ID()}}
		next[*consensus.Built](t, s)
	}
}

// Commits go on under the feet of those who ask.
func TestQueriesWhileBlocksAreCommitted(t *testing.T) {
	k := newKit(t, &solo{target: 200}, true)
	env, id := k.transfer(alice, bob.id(), 5)
	k.submit(env)
	k.run()
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for k.FinalHeight() < 200 && !t.Failed() {
				var err error
				switch w {
				case 0:
					_, _, _, _, err = k.Account(t.Context(), alice.id())
				case 1:
					_, _, err = k.Query(t.Context(), types.ModuleChains, "list", nil)
				case 2:
					// The reference goes stale in no time, and is then refused for that; anything else is a fault.
					env, _ := k.transfer(bob, alice.id(), 1)
					_, errs := k.Submit(t.Context(), [][]byte{env})
					if err = errs[0]; errors.Is(err, ledger.ErrForeignFork) {
						err = nil
					}
					k.Status()
					if _, berr := k.blockByID(t.Context(), k.Status().FinalID); berr != nil {
						err = errors.Join(err, berr)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	k.final(200)
	if _, err := k.Tx(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// The journal is trimmed, and what is left brings back everything, whenever the power goes.
func TestTrimAndPowerLoss(t *testing.T) {
	t.Run("one epoch", func(t *testing.T) { trimAndPowerLoss(t, newKit(t, &solo{target: 0}, true), 0) })
	t.Run("epochs", func(t *testing.T) { trimAndPowerLoss(t, newEpochKit(t, always, &solo{target: 0}, true), 2) })
}

func trimAndPowerLoss(t *testing.T, k *kit, suffix int) {
	var height uint64
	var roots []types.BlockID
	for round := range 6 {
		height += 120
		k.slack = 16 << 10
		e := &solo{target: height, suffix: suffix}
		k.cfg.Engine = e
		k.run()
		k.final(height)
		if k.journal.Start() == 0 {
			t.Fatal("the journal was not trimmed")
		}
		id := k.Status().FinalID
		roots = append(roots, id)
		fs := k.fs
		if round%2 == 0 {
			k.fs = fs.Crash()
		} else {
			k.fs = fs.Restart()
		}
		_ = k.stop()
		k.open(&solo{target: height, suffix: suffix}, true)
		// What was not synced may be gone, and only that: a block, since each of them is synced before the next is committed.
		if got := k.FinalHeight(); got+2 < height {
			t.Fatalf("round %d: height %d is left of %d", round, got, height)
		}
		for i, id := range roots[:len(roots)-1] {
			b, err := k.Block(t.Context(), uint64(i+1)*120)
			if err != nil || b.ID != id || b.Header.ID() != id {
				t.Errorf("block %d: %v", (i+1)*120, err)
			}
		}
		if snap := k.records.snapshot; height > 8 && snap == nil {
			t.Error("the engine's snapshot is lost")
		}
	}
	_ = k.journal.Close()
}

// Open is interrupted by a store that fails at its first, second, third … call, and opens in the end.
func TestOpenIsInterrupted(t *testing.T) {
	k := longChain(t, 40)
	want := k.Status()
	if err := k.stop(); err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string]storage.Store{"what was committed": k.store, "an empty one": newMapStore()} {
		for calls := 0; ; calls++ {
			f := &failing{Store: store, left: calls}
			k.store = f
			err := k.tryOpen(&solo{}, true)
			if err == nil {
				break
			}
			if !errors.Is(err, errCut) || calls > 1000 {
				t.Fatalf("%s, after %d calls: %v", name, calls, err)
			}
		}
		if s := k.Status(); s.Final != want.Final || s.FinalID != want.FinalID || s.StateRoot != want.StateRoot || s.Burned != want.Burned {
			t.Errorf("%s: %+v, want %+v", name, s, want)
		}
		_ = k.journal.Close()
	}
}

var errCut = errors.New("cut")

// failing is a store that fails after so many calls.
type failing struct {
	storage.Store
	left int
}

func (f *failing) cut() error {
	if f.left--; f.left < 0 {
		return errCut
	}
	return nil
}

func (f *failing) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	if err := f.cut(); err != nil {
		return nil, 0, err
	}
	return f.Store.Get(ctx, keys)
}

func (f *failing) Scan(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
	if err := f.cut(); err != nil {
		return storage.Page{}, err
	}
	return f.Store.Scan(ctx, start, end, limit)
}

func (f *failing) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	if err := f.cut(); err != nil {
		return storage.Status{}, err
	}
	return f.Store.Apply(ctx, b)
}

func (f *failing) Status(ctx context.Context, sync bool) (storage.Status, error) {
	if err := f.cut(); err != nil {
		return storage.Status{}, err
	}
	return f.Store.Status(ctx, sync)
}

// A store that fails halts the chain, which says why.
func TestStoreFails(t *testing.T) {
	k := newKit(t, &solo{target: 1000}, true, func(c *Config) { c.Store = &failing{Store: c.Store, left: 60} })
	k.run()
	await(t, "the halt", func() bool { return k.Status().Halted != "" && k.Closed() })
	if _, errs := k.Submit(t.Context(), [][]byte{{1}}); !errors.Is(errs[0], ErrHalted) {
		t.Errorf("%v", errs)
	}
	k.OnMessage(types.Hash{1}, MsgConsensus, []byte("late"))
	k.OnMessage(types.Hash{1}, MsgTxs, []byte("late"))
	k.do(func(context.Context) error { return nil })
	if err := k.stop(); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	if len(k.events.own)+len(k.events.ring)+len(k.txs.ring)+len(k.tasks.items) > 0 {
		t.Error("what nobody reads any more is kept")
	}
}

// A journal that fails halts the chain, too, and it opens again with all that was final.
func TestJournalFails(t *testing.T) {
	for _, op := range []disktest.Op{disktest.Sync, disktest.Write} {
		k := newKit(t, &solo{target: 100}, true)
		k.fs.Inject(func(step int, o disktest.Op, _ string) *disktest.Fault {
			if o == op && step > 60 {
				return &disktest.Fault{Err: errCut}
			}
			return nil
		})
		k.run()
		await(t, "the halt", func() bool { return k.Status().Halted != "" && k.Closed() })
		if err := k.stop(); !errors.Is(err, journal.ErrFailed) {
			t.Errorf("%s: %v", op, err)
		}
		had := k.FinalHeight()
		k.fs = k.fs.Crash()
		k.open(&solo{target: 100}, true)
		if got := k.FinalHeight(); got+2 < had {
			t.Errorf("%s: height %d is left of %d", op, got, had)
		}
		k.run()
		k.final(100)
		_ = k.stop()
	}
}

func TestLanes(t *testing.T) {
	q := newLanes[int](3, 100)
	a, b := types.Hash{1}, types.Hash{2}
	for i := range 10 {
		q.pushFrom(a, 1, i)
	}
	q.pushFrom(b, 1, 100)
	q.pushFrom(b, 101, 101) // never fits
	q.push(-1)
	var got []int
	for range 5 {
		v, ok := q.pop(t.Context())
		if !ok {
			t.Fatal("closed")
		}
		got = append(got, v)
	}
	if fmt.Sprint(got) != "[-1 7 100 8 9]" {
		t.Errorf("%v", got)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		if rng.IntN(3) > 0 {
			q.pushFrom(types.Hash{byte(rng.IntN(5))}, rng.IntN(60), i)
		} else if len(q.ring) > 0 {
			q.pop(t.Context())
		}
		if len(q.ring) != len(q.peers) {
			t.Fatal("a lane is in the ring and not among the peers, or the other way round")
		}
		for _, l := range q.ring {
			if len(l.items) == 0 || len(l.items) > 3 || l.bytes > 100 {
				t.Fatalf("%d items of %d bytes", len(l.items), l.bytes)
			}
		}
	}
	q.close()
	q.push(1)
	q.pushFrom(a, 1, 1)
	if _, ok := q.pop(t.Context()); ok {
		t.Error("a closed queue gives something")
	}
}
