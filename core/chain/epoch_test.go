package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// newEpochKit opens a chain whose epochs have ten blocks.
func newEpochKit(t testing.TB, s seats, engine consensus.Engine, seat bool, change ...func(*Config)) *kit {
	t.Helper()
	k := &kit{t: t, g: testGenesis(), fs: newFS(), store: newMapStore(), net: newFakeNet(), seats: s}
	k.open(engine, seat, change...)
	return k
}

func newFS() *disktest.FS { return disktest.New(rand.New(rand.NewPCG(1, 1))) }

// epochChain returns a chain of so many blocks, whose closing blocks are made final by the certificate of a block after them.
func epochChain(t testing.TB, height uint64, suffix int) *kit {
	t.Helper()
	k := newEpochKit(t, always, &solo{target: height, suffix: suffix}, true)
	env, _ := k.transfer(alice, bob.id(), 5)
	k.submit(env)
	k.run()
	k.final(height)
	return k
}

func TestEpochs(t *testing.T) {
	for _, suffix := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("%d blocks after the closing one", suffix), func(t *testing.T) {
			k := epochChain(t, 35, suffix)
			checkEpochs(t, k, suffix)
			if s := k.Status(); s.Epoch != 3 || s.EpochStart != 30 || s.Head != 35 || !s.Producer || s.Producers != 1 {
				t.Errorf("%+v", s)
			}
			checkSeen(t, k)
			k.mu.RLock()
			defer k.mu.RUnlock()
			for id, n := range k.tree.nodes {
				if n.suffix {
					t.Errorf("block %s, which only carried votes, is kept", id.Short())
				}
			}
		})
	}
}

// checkEpochs checks that the chain is one, and that a light client can follow it from genesis.
func checkEpochs(t *testing.T, k *kit, suffix int) {
	t.Helper()
	set := types.EqualSet(0, always(0))
	var before *types.Header
	for h := range k.FinalHeight() + 1 {
		b, err := k.Block(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		epoch := (max(h, 1) - 1) / epochBlocks
		if b.Header.Height != h || b.Header.Epoch != epoch || b.Header.Closes() != (h > 0 && h%epochBlocks == 0) {
			t.Errorf("block %d: %+v", h, b.Header)
		}
		if h > 0 && b.Header.Parent != before.ID() {
			t.Errorf("block %d does not follow the one before", h)
		}
		before = b.Header
	}
	for e := range uint64(4) {
		i, err := k.Epoch(t.Context(), e)
		if err != nil {
			t.Fatalf("epoch %d: %v", e, err)
		}
		if i.Set.Epoch != e || i.Start.Height != e*epochBlocks || i.Start.NextSet != i.Set.Hash() {
			t.Errorf("epoch %d: %+v", e, i)
		}
		if e > 0 {
			if err := i.Proof.Verify(set, i.Start); err != nil || len(i.Proof.Suffix) != suffix {
				t.Errorf("epoch %d: %d blocks: %v", e, len(i.Proof.Suffix), err)
			}
		}
		set = i.Set
	}
	if _, err := k.Epoch(t.Context(), 4); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// checkSeen checks what the module was told.
func checkSeen(t *testing.T, k *kit) {
	t.Helper()
	n := k.view(true)
	for h := uint64(1); h <= 35; h++ {
		v, err := ledger.QueryReader(n.result.layer, types.ModuleConsensus).Read(t.Context(), module.BlockTx, []module.Item{seen(h)})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := k.Block(t.Context(), h)
		p, _ := k.Block(t.Context(), h-1)
		i, _ := k.Epoch(t.Context(), b.Header.Epoch)
		d := types.NewDecoder(v[0])
		if e, slot, closes := d.Uint(), d.Uint(), d.String(8); e != b.Header.Epoch || slot != p.Header.Slot || (closes == "true") != b.Header.Closes() {
			t.Errorf("block %d: epoch %d, parent's slot %d, closes %s", h, e, slot, closes)
		}
		if header, _, set := d.Blob(99), d.Blob(99), d.Blob(999); !bytes.Equal(header, b.Header.Consensus) || !bytes.Equal(set, i.Set.Encode()) {
			t.Errorf("block %d: other bytes", h)
		}
		if d.Finish() != nil {
			t.Error("the module has seen a block that it should not have")
		}
	}
}

// builder speaks for the engine of a producer, with an epoch's worth of blocks behind it.
type builder struct {
	*kit
	t   *testing.T
	s   *session
	set *types.Set
	tip *types.Header
}

func (b *builder) build(parent *types.Header, epoch uint64) *consensus.Built {
	b.t.Helper()
	b.s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: parent.Slot + 1, Parent: parent.ID(), Epoch: epoch, Consensus: []byte("c")}}
	return next[*consensus.Built](b.t, b.s)
}

func (b *builder) check(h *types.Header, body []byte) *consensus.Checked {
	b.t.Helper()
	b.OnMessage(types.Hash{1}, MsgBody, pushed(h.ID(), body))
	b.s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: h}}}
	for {
		if c := next[*consensus.Checked](b.t, b.s); c.Block == h.ID() {
			return c
		}
	}
}

func (b *builder) finalise(h *types.Header, suffix ...*types.Header) {
	b.s.ready <- &consensus.Ready{Final: []consensus.Final{{Block: h.ID(), Proof: prove(b.set, h, suffix...)}}}
}

// nearTheEnd returns a chain of nine final blocks, of which the next has to close its epoch.
func nearTheEnd(t *testing.T, s seats) *builder {
	e := newScript()
	k := newEpochKit(t, s, e, true)
	k.run()
	b := &builder{kit: k, t: t, s: <-e.runs, set: k.first, tip: k.genesis}
	for range epochBlocks - 1 {
		b.tip = b.build(b.tip, 0).Header
		b.finalise(b.tip)
	}
	b.final(epochBlocks - 1)
	return b
}

func TestClosingBlock(t *testing.T) {
	b := nearTheEnd(t, always)
	paid, _ := b.transfer(alice, bob.id(), 1)
	b.submit(paid)
	x := b.build(b.tip, 0)
	if n := b.node(x.Header.ID()); len(n.txs) != 1 {
		t.Fatalf("%d transactions in the closing block", len(n.txs))
	}
	if !x.Header.Closes() || x.Next == nil || x.Next.Hash() != x.Header.NextSet || x.Next.Epoch != 1 {
		t.Fatalf("%+v", x)
	}
	// What follows carries votes: empty, without a next set, on the state after the closing block.
	env, _ := b.transfer(alice, bob.id(), 1)
	b.submit(env)
	s1 := b.build(x.Header, 0)
	s2 := b.build(s1.Header, 0)
	f := b.build(x.Header, 1)
	if s1.Header.Closes() || s2.Header.Closes() || s1.Header.Epoch != 0 || s2.Header.StateRoot != s1.Header.StateRoot ||
		s2.Header.HistoryRoot != s1.Header.HistoryRoot || f.Header.HistoryRoot != s1.Header.HistoryRoot || f.Header.StateRoot != s1.Header.StateRoot ||
		f.Header.Closes() || f.Next != nil || s2.Header.ReceiptsRoot != types.ReceiptsRoot(nil) {
		t.Fatalf("%+v\n%+v\n%+v", s1.Header, s2.Header, f.Header)
	}
	if n := b.node(s2.Header.ID()); !n.suffix || !bytes.Equal(n.body, emptyBody) {
		t.Error("the second block after the closing one carries something")
	}
	if n := b.node(s1.Header.ID()); !n.suffix || !bytes.Equal(n.body, emptyBody) || len(n.result.receipts) != 0 || n.result.layer != b.node(x.Header.ID()).result.layer {
		t.Error("a block after the closing one does something")
	}
	if n := b.node(f.Header.ID()); len(n.txs) != 1 {
		t.Errorf("%d transactions in the first block of the next epoch", len(n.txs))
	}
	for _, epoch := range []uint64{1, 2} { // on a block that does not close, and two further
		if r := b.build(s1.Header, epoch); r.Header != nil {
			t.Errorf("a block of epoch %d on one of epoch 0", epoch)
		}
	}
	if r := b.build(x.Header, 2); r.Header != nil {
		t.Error("a block that skips an epoch")
	}
	// Asked again, as after a restart of the engine: the same answer, with the set.
	b.s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: x.Header}}}
	if c := next[*consensus.Checked](t, b.s); !c.OK || c.Next == nil || c.Next.Hash() != x.Header.NextSet {
		t.Errorf("%+v", c)
	}
	// A block of the suffix is never final, and nothing of the next epoch before the closing block.
	b.finalise(s1.Header)
	b.s.ready <- &consensus.Ready{Final: []consensus.Final{{Block: f.Header.ID(), Proof: prove(x.Next, f.Header)}}}
	forged := prove(b.set, x.Header)
	forged.Cert.Signatures[0][3] ^= 1
	for _, p := range []*types.Finality{forged, prove(x.Next, x.Header), prove(b.set, x.Header, s2.Header), {}} {
		b.s.ready <- &consensus.Ready{Final: []consensus.Final{{Block: x.Header.ID(), Proof: p}}}
	}
	b.s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: x.Header}}} // answered when all that has been looked at
	if next[*consensus.Checked](t, b.s); b.FinalHeight() != 9 {
		t.Fatalf("height %d is final", b.FinalHeight())
	}
	b.finalise(x.Header, s1.Header, s2.Header)
	b.final(10)
	b.set = x.Next
	b.finalise(f.Header)
	b.final(11)
	if b.node(s1.Header.ID()) != nil || b.node(s2.Header.ID()) != nil {
		t.Error("what followed the closing block is kept")
	}
	late := *s2.Header
	late.Slot++
	if c := b.check(&late, emptyBody); c.OK {
		t.Error("a block of an epoch that has ended is valid")
	}
	if s := b.Status(); s.Halted != "" || s.FinalID != f.Header.ID() || s.Epoch != 1 {
		t.Errorf("%+v", s)
	}
}

func TestBlocksThatBreakTheEpoch(t *testing.T) {
	other := newKey("other")
	b := nearTheEnd(t, func(uint64) []types.PublicKey { return []types.PublicKey{other.pub} })
	x := b.build(b.tip, 0)
	bodyOf := func(h *types.Header) []byte { return b.node(h.ID()).body }
	s1 := b.build(x.Header, 0)
	// The first block of the next epoch, which somebody else may make.
	f := *s1.Header
	f.Epoch, f.Producer = 1, other.pub.Hash()
	filled := func(h *types.Header, body types.Body) []byte {
		h.BodyRoot, h.ExtensionRoot = body.BodyRoot(nil), body.ExtensionRoot()
		return body.Encode()
	}
	env, id := b.transfer(alice, bob.id(), 1)
	cert0 := certify(b.set, b.tip)
	cases := map[string]struct {
		on   *types.Header
		f    func(h *types.Header) []byte
		want string
	}{
		"no next set":    {x.Header, func(h *types.Header) []byte { h.NextSet = types.Hash{}; return bodyOf(x.Header) }, "next set"},
		"other next set": {x.Header, func(h *types.Header) []byte { h.NextSet[0] ^= 1; return bodyOf(x.Header) }, "next set"},
		"early":          {x.Header, func(h *types.Header) []byte { h.Epoch = 1; return bodyOf(x.Header) }, "does not close"},
		"suffix closes again": {s1.Header, func(h *types.Header) []byte { h.NextSet = x.Header.NextSet; return emptyBody },
			"not due"},
		"suffix with a transaction": {s1.Header, func(h *types.Header) []byte {
			body := types.Body{Txs: [][]byte{env}}
			h.BodyRoot, h.ExtensionRoot = body.BodyRoot([]types.TxID{id}), body.ExtensionRoot()
			return body.Encode()
		}, "not empty"},
		"suffix with an extension": {s1.Header, func(h *types.Header) []byte {
			return filled(h, types.Body{Extensions: []types.Extension{{Module: types.ModuleConsensus, Data: []byte{1}}}})
		}, "not empty"},
		"suffix with a certificate": {s1.Header, func(h *types.Header) []byte {
			h.CertHeight = cert0.Height
			return filled(h, types.Body{Certificate: cert0.Encode()})
		}, "not empty"},
		"suffix by the next producer": {s1.Header, func(h *types.Header) []byte { h.Producer = other.pub.Hash(); return emptyBody }, "no seat"},
		"skips an epoch":              {&f, func(h *types.Header) []byte { h.Epoch = 2; return emptyBody }, "does not close"},
		"goes back":                   {x.Header, func(h *types.Header) []byte { h.Epoch = ^uint64(0); return bodyOf(x.Header) }, "does not close"},
		"first closes":                {&f, func(h *types.Header) []byte { h.NextSet[3] = 1; return emptyBody }, "not due"},
		"first by the old producer":   {&f, func(h *types.Header) []byte { h.Producer = producer.pub.Hash(); return emptyBody }, "no seat"},
		"first with an old certificate": {&f, func(h *types.Header) []byte {
			h.CertHeight = cert0.Height
			return filled(h, types.Body{Certificate: cert0.Encode()})
		}, "made by set"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := *c.on
			body := c.f(&h)
			if h.ID() == c.on.ID() {
				t.Fatal("nothing is wrong with it")
			}
			if got := b.check(&h, body); got.OK || !strings.Contains(got.Reason, c.want) {
				t.Errorf("%+v", got)
			}
		})
	}
	rival := *x.Header
	rival.Slot++
	rival.Clock = types.NextClock(b.tip.Clock, b.tip.Slot, rival.Slot)
	if c := b.check(&rival, bodyOf(x.Header)); !c.OK || c.Next == nil || c.Next.Hash() != rival.NextSet {
		t.Errorf("a rival closing block: %+v", c)
	}
	if c := b.check(&f, emptyBody); !c.OK || c.Next != nil {
		t.Errorf("the first block of the next epoch: %+v", c)
	}
	if r := b.build(x.Header, 1); r.Header != nil {
		t.Error("a node without a seat in the next epoch makes a block of it")
	}
}

// What a module leaves that is no set of the next epoch ends nothing.
func TestNonsenseDoesNotEndAnEpoch(t *testing.T) {
	good := types.EqualSet(1, always(1)).Encode()
	for name, v := range map[string][]byte{"garbage": {1, 2, 3}, "empty": {}, "cut": good[:len(good)-1], "other epoch": types.EqualSet(2, always(2)).Encode()} {
		t.Run(name, func(t *testing.T) {
			k := newEpochKit(t, always, &solo{}, true)
			defer k.journal.Close()
			p := k.tree.root
			p.result.pending = decodeNext(v)
			if s := k.due(p, 0); s != nil {
				t.Errorf("%+v", s)
			}
			p.result.pending = decodeNext(good)
			if s := k.due(p, 0); s == nil {
				t.Error("the set itself does not")
			}
		})
	}
}

// A key that is elected signs from then on, one that is not any more does not, and no node is started again for it.
func TestSeatsChange(t *testing.T) {
	other := newKey("other")
	turns := func(epoch uint64) []types.PublicKey {
		if epoch%2 == 1 {
			return []types.PublicKey{other.pub}
		}
		return []types.PublicKey{producer.pub}
	}
	far := newEpochKit(t, turns, &solo{target: 35}, true)
	far.run()
	far.final(10)
	e := newScript()
	k := newEpochKit(t, turns, e, false, func(c *Config) { c.Signer = keySigner{other} })
	peer := types.Hash{7}
	k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, peer, p, b) })
	k.run()
	s := <-e.runs
	if s.start.Key == nil || s.start.Key.Hash() != other.pub.Hash() || k.Seated() {
		t.Fatalf("%+v", s.start)
	}
	had := func(c *kit, want bool) {
		t.Helper()
		if got, err := c.HadSeat(t.Context()); got != want || err != nil {
			t.Errorf("%t, %v", got, err)
		}
	}
	had(k, false)
	k.OnMessage(peer, MsgFinal, claimOf(10))
	k.final(10)
	f := next[*consensus.Finalised](t, s)
	had(k, true)
	had(far, true) // it has left the schedule
	if !k.Seated() || far.Seated() || f.Next == nil || f.Next.Index(other.pub.Hash()) != 0 {
		t.Fatalf("%+v", f)
	}
	s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: f.Header.Slot + 1, Parent: f.Header.ID(), Epoch: 1}}
	if b := next[*consensus.Built](t, s); b.Header == nil || b.Header.Producer != other.pub.Hash() || b.Header.Epoch != 1 {
		t.Errorf("%+v", b)
	}
}

func TestVRFIsAppended(t *testing.T) {
	e := newScript()
	k := newKit(t, e, true)
	k.run()
	s := <-e.runs
	input := []byte("input")
	s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: 1, Parent: k.genesis.ID(), Consensus: []byte("own"), VRFInput: input}}
	want, _ := keySigner{producer}.ProveVRF(input)
	b := next[*consensus.Built](t, s)
	if b.Header == nil || string(b.Header.Consensus) != "own"+string(want) {
		t.Errorf("%q", b.Header.Consensus)
	}
}

// What the engine says is wrong is seen in the status until it says that it is over; what ends the chain is seen for good.
func TestTrouble(t *testing.T) {
	e := newScript()
	k := newKit(t, e, true)
	k.run()
	s := <-e.runs
	say := func(text string) { s.ready <- &consensus.Ready{Trouble: &text} }
	say("the clock is wrong")
	await(t, "the trouble", func() bool { return k.Status().Trouble == "the clock is wrong" })
	say("")
	await(t, "its end", func() bool { return k.Status().Trouble == "" })
	s.ready <- &consensus.Ready{Halt: "a second instance signs with this key"}
	await(t, "the halt", func() bool { return strings.Contains(k.Status().Halted, "second instance") })
	if err := k.stop(); !errors.Is(err, ErrHalted) || !strings.Contains(err.Error(), "second instance") {
		t.Errorf("%v", err)
	}
}

// settable is a clock that the test sets.
type settable struct{ ms atomic.Int64 }

func (c *settable) Now() time.Time { return time.UnixMilli(c.ms.Load()) }

// An alarm goes by the clock, whatever that does while it waits: it does not ring while the clock stands, and not an hour late when
// the clock is set forward.
func TestAlarmGoesByTheClock(t *testing.T) {
	clock := &settable{}
	clock.ms.Store(1_000_000)
	e := newScript()
	k := newKit(t, e, false, func(c *Config) { c.Clock = clock })
	k.run()
	s := <-e.runs
	s.ready <- &consensus.Ready{WakeAtMs: 1_000_030}
	time.Sleep(60 * time.Millisecond)
	select {
	case ev := <-s.events:
		t.Errorf("%+v although the clock stands", ev)
	default:
	}
	clock.ms.Store(1_000_100)
	if w := next[*consensus.Woken](t, s); w.NowMs != 1_000_100 {
		t.Errorf("%+v", w)
	}
	s.ready <- &consensus.Ready{WakeAtMs: 5_000_000} // more than an hour ahead
	s.ready <- &consensus.Ready{Persist: [][]byte{{1}}, WakeAtMs: 5_000_000}
	await(t, "the record", func() bool { return k.journal.End() > 0 })
	clock.ms.Store(5_000_000)
	if w := next[*consensus.Woken](t, s); w.NowMs != 5_000_000 {
		t.Errorf("%+v", w)
	}
}
