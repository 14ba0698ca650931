package staking

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestEarlyClose convicts a member: the next block closes, order, seed and time of the tally stay, and a standby has the
// seat.
func TestEarlyClose(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots = 60 })
	a := c.join(1, 100)
	b := c.join(2, 90)
	before, seed, origin := c.members(), c.epoch().Seed, c.epoch().Origin
	guilty := before[1]
	c.do("", account(9), evidenceOf(twice(c.set, 1, c.slot)))
	if c.pending() == nil || c.epoch().Pending != pendingEarly {
		t.Fatal("the next block does not close the epoch")
	}
	c.step(testBlock{final: c.height, vrf: true})
	if !c.closes || c.epoch().Number != 1 {
		t.Fatal("not closed")
	}
	if e := c.epoch(); e.Seed != seed || e.Origin != origin || e.Mix.IsZero() {
		t.Errorf("%+v", e)
	}
	c.step(testBlock{final: c.height})
	want := slices.Clone(before)
	want[1] = a // with the most votes
	if got := c.members(); !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
	if c.producerOf(guilty).Status != Tombstoned {
		t.Error("not convicted")
	}
	// The seats of who stays go on, those of who comes begin.
	if s := c.seats()[0]; s.LastSlot == 0 || c.seats()[1].LastSlot != 0 {
		t.Errorf("%+v", c.seats())
	}
	// Two more, at once: the standby, then nobody.
	n := c.epoch().Number
	c.n++
	evid := []types.Action{evidenceOf(twice(c.set, 0, c.slot)), evidenceOf(twice(c.set, 3, c.slot))}
	e := c.step(testBlock{txs: []module.Tx{tx(c.n, account(9), evid...)}, final: c.height})
	if e.Txs[0].Error != "" {
		t.Fatal(e.Txs[0].Error, e.Txs[0].Detail)
	}
	c.step(testBlock{final: c.height})
	c.step(testBlock{final: c.height})
	if got, want := c.members(), []types.AccountID{b, want[1], want[2]}; !slices.Equal(got, want) || c.epoch().Number != n+1 {
		t.Fatalf("members %v, want %v", got, want)
	}
	// No more closings follow, and the regular one comes at its time.
	end := origin + 60
	c.until(func() bool { return c.epoch().Number > n+1 })
	if c.slot != end+1 {
		t.Errorf("the tally was closed in slot %d, want %d", c.slot, end+1)
	}
	if c.ownerOf(guilty).Stake != 0 {
		t.Error("a founder had no stake")
	}
}

// TestConvictionWhileClosing brings evidence into the blocks around a regular close.
func TestConvictionWhileClosing(t *testing.T) {
	for late := range 3 { // in the block that elects, in the one that closes, in the first of the epoch
		for _, ext := range []bool{false, true} {
			c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.MinSet = 20, 1 })
			c.until(func() bool { return c.slot == 19 })
			for range late {
				c.step(testBlock{final: c.height})
			}
			raw := twice(c.sets[0], 2, c.slot)
			tb := testBlock{final: c.height}
			if ext {
				tb.ext = [][]byte{encodeExtension([][]byte{raw})}
			} else {
				c.n++
				tb.txs = []module.Tx{tx(c.n, account(9), evidenceOf(raw))}
			}
			c.step(tb)
			if c.producerOf(founder(2)).Status != Tombstoned {
				t.Fatalf("late %d, extension %t: not convicted", late, ext)
			}
			c.until(func() bool { return !slices.Contains(c.members(), founder(2)) })
			if late == 0 && c.epoch().Number != 1 || late > 0 && c.epoch().Number != 2 || c.slot > 24 {
				t.Errorf("late %d, extension %t: gone in epoch %d, slot %d", late, ext, c.epoch().Number, c.slot)
			}
			for range 8 {
				c.step(testBlock{final: c.height})
			}
			if n := c.epoch().Number; n > 2 {
				t.Errorf("late %d: epoch %d: one conviction closes one epoch", late, n)
			}
		}
	}
}

// TestLastOneStays: the only producer can be convicted, but the chain goes on, and does not close an epoch with every block.
func TestLastOneStays(t *testing.T) {
	cfg := small()
	c := newChain(t, cfg, 1)
	c.core.Fund(account(1), 1000)
	c.core.Fund(founder(0), 1000)
	c.do("", founder(0), stakeOf(100), voteFor(founder(0)))
	c.do("", account(1), evidenceOf(twice(c.set, 0, c.slot)))
	c.until(func() bool { return c.slot == 40 })
	if n := c.epoch().Number; n < 3 || n > 4 || !slices.Equal(c.members(), []types.AccountID{founder(0)}) {
		t.Fatalf("epoch %d of %v", n, c.members())
	}
	// As soon as there is somebody else, the seat changes hands.
	a := c.join(1, 100)
	c.step(testBlock{final: c.height})
	c.step(testBlock{final: c.height})
	if !slices.Equal(c.members(), []types.AccountID{a}) {
		t.Fatalf("members %v", c.members())
	}
}

// TestSlash takes its share of all that is staked, what is unbonding included, and of the weight of the offender's votes.
func TestSlash(t *testing.T) {
	c := ready(t, nil)
	a := founder(1)
	c.core.Fund(a, 10_000)
	c.do("", a, stakeOf(1005), voteFor(founder(0)))
	c.do("", a, unstakeOf(405))
	raw := twice(c.set, 1, c.slot)
	c.do("", account(9), evidenceOf(raw))
	o := c.ownerOf(a)
	if o.Stake != 540 || len(o.Unbonding) != 1 || o.Unbonding[0].Amount != 365 || c.core.Balance(types.BurnAccount) != 60+40 {
		t.Fatalf("%+v, %d burned", o, c.core.Balance(types.BurnAccount))
	}
	if got := c.producerOf(founder(0)).Votes; got != Weigh(540, 1<<20) {
		t.Errorf("votes %s", got.Votes())
	}
	c.do("", a, unstakeOf(540)) // what is left is the offender's
	c.until(func() bool { return c.core.Escrows() == 0 })
	if c.core.Balance(a) != 10_000+1005-100 { // do has paid for the stake
		t.Errorf("balance %d", c.core.Balance(a))
	}
}

// TestExpiry: evidence counts for the unbonding time from the epoch's end on.
func TestExpiry(t *testing.T) {
	for _, late := range []bool{false, true} {
		c := ready(t, func(cfg *Config) { cfg.Params.UnbondingTicks = 25 })
		set, slot := c.set, c.slot
		c.nextEpoch()
		at := c.clock + 25
		for c.clock+2 < at { // the next block's is one below at
			c.step(testBlock{final: c.height})
		}
		if late {
			c.step(testBlock{final: c.height})
			c.do(ErrExpired, account(9), evidenceOf(twice(set, 1, slot)))
		} else {
			c.do("", account(9), evidenceOf(twice(set, 1, slot)))
		}
	}
}

// TestExtensions: what a producer puts in costs a bounded number of signatures, and bad things are ignored.
func TestExtensions(t *testing.T) {
	c := ready(t, nil)
	tries := 0
	m := New(c.cfg)
	m.judge = func(raw []byte) (*accusation, error) {
		v, err := readEvidence(raw)
		if err == nil {
			verify := v.verify
			v.verify = func(chain types.Hash, set *types.Set) error {
				tries++
				return verify(chain, set)
			}
		}
		return v, err
	}
	c.m = m
	forged := twice(c.set, 1, c.slot)
	forged[len(forged)-1] ^= 1
	var ext [][]byte
	for range 50 {
		ext = append(ext, encodeExtension([][]byte{forged, forged, forged, forged}))
	}
	c.step(testBlock{final: c.height, ext: ext})
	if tries != maxExtensionTries {
		t.Errorf("%d signatures were looked at, want %d", tries, maxExtensionTries)
	}
	good := twice(c.set, 1, c.slot)
	tries = 0
	ext = [][]byte{{9}, nil, encodeExtension([][]byte{[]byte("junk")}), encodeExtension([][]byte{good, good}), encodeExtension([][]byte{good})}
	c.step(testBlock{final: c.height, ext: ext})
	if tries != 1 || c.producerOf(founder(1)).Status != Tombstoned {
		t.Errorf("%d tries, %s", tries, c.producerOf(founder(1)).Status)
	}
}

func TestOfferAndExtend(t *testing.T) {
	c := ready(t, nil)
	m := c.m.(*Module)
	extend := func() [][]byte {
		t.Helper()
		raw, err := module.Guard(m).Extend(t.Context(), c.slot+1, c.core.Reader())
		if err != nil {
			t.Fatal(err)
		}
		if raw == nil {
			return nil
		}
		items, err := decodeExtension(raw)
		if err != nil || len(raw) > types.MaxExtensionBytes {
			t.Fatal(err)
		}
		return items
	}
	if extend() != nil {
		t.Fatal("an extension out of nothing")
	}
	one, two := twice(c.set, 1, c.slot), twice(c.set, 2, c.slot)
	m.Offer([]byte("junk"))
	m.Offer(one)
	m.Offer(one)
	m.Offer(twice(c.set, 1, c.slot+1)) // of a seat that is accused already
	m.Offer(twice(&types.Set{Epoch: 5, Seats: c.set.Seats}, 3, c.slot))
	if got := extend(); len(got) != 1 || !bytes.Equal(got[0], one) {
		t.Fatalf("%d pieces", len(got))
	}
	m.Offer(two)
	for range 2 {
		if len(extend()) != 2 {
			t.Fatal("it is handed out until it has been executed")
		}
	}
	raw, _ := m.Extend(t.Context(), c.slot+1, c.core.Reader())
	fork := c.core.Clone()
	c.step(testBlock{final: c.height, ext: [][]byte{raw}})
	if extend() != nil || c.producerOf(founder(1)).Status != Tombstoned || c.producerOf(founder(2)).Status != Tombstoned {
		t.Fatal("not executed, or handed out again")
	}
	if x, err := m.Extend(t.Context(), c.slot+1, fork.Reader()); err != nil || x == nil {
		t.Fatal("gone on the branch where it was not executed")
	}
	// What nobody executes is given up.
	m3 := New(c.cfg)
	m3.Offer(one)
	for i := range maxHanded + 1 {
		if x, err := m3.Extend(t.Context(), c.slot+1, fork.Reader()); err != nil || (x == nil) != (i == maxHanded) {
			t.Fatalf("time %d: %d bytes, %v", i, len(x), err)
		}
	}
	// At most so many, and no junk of an epoch whose set is gone.
	for i := range 3 * maxOffered {
		m.Offer(twice(&types.Set{Epoch: 1000 + uint64(i), Seats: c.set.Seats}, 0, c.slot))
	}
	if n := len(m.waiting()); n != maxOffered {
		t.Errorf("%d wait, want %d", n, maxOffered)
	}
	m2 := New(c.cfg)
	c.until(func() bool { return c.clock > 80 })
	m2.Offer(one)
	m2.Offer(twice(c.sets[0], 3, 1))
	if x, err := m2.Extend(t.Context(), c.slot+1, c.core.Reader()); err != nil || x != nil || len(m2.waiting()) != 1 {
		t.Errorf("void evidence: %d bytes, %v, %d wait", len(x), err, len(m2.waiting()))
	}
}

// TestLostBlocks drops the module's results of single blocks: the next one must put it right.
func TestLostBlocks(t *testing.T) {
	for lost := range 45 { // each block of the first three epochs in turn
		for _, double := range []bool{false, true} {
			c := newChain(t, small(), 4)
			for i := range 60 {
				c.step(testBlock{final: c.height, vrf: true, lost: i == lost || double && i == lost+1})
				if c.core.Items() == nil {
					continue
				}
				if e, ok := c.read(epochItem()).(*epoch); ok && i > lost+1 && (e.Number < c.set.Epoch || len(c.seats()) != len(c.set.Seats)) {
					t.Fatalf("lost %d: after block %d the state is in epoch %d, the chain in %d", lost, i, e.Number, c.set.Epoch)
				}
			}
			if n := c.epoch().Number; n < 4 || n > 6 {
				t.Errorf("lost %d: epoch %d after 60 blocks", lost, n)
			}
			if got := c.members(); !slices.Equal(sortedIDs(got...), sortedIDs(founder(0), founder(1), founder(2), founder(3))) {
				t.Errorf("lost %d: members %v", lost, got)
			}
			for i := range c.set.Seats {
				a := c.members()[i]
				if s := c.set; !c.closes && s.Seats[i].Key.Hash() != c.producerOf(a).Key.Hash() {
					t.Errorf("lost %d: seat %d is of %s", lost, i, a)
				}
			}
		}
	}
}

// TestParams: values that come with a block overrule the configuration.
func TestParams(t *testing.T) {
	c := ready(t, nil)
	tick := "604800000000000" // a third of it is a slot
	c.params = map[string][]byte{"consensus.epoch": []byte(tick + "0"), "consensus.seats": []byte("2"), "consensus.approvals": []byte("1"),
		"consensus.min_stake": []byte(`"7"`), "oracle.base": []byte("1")}
	c.step(testBlock{final: c.height})
	if c.epoch().Length != 30 {
		t.Fatalf("length %d", c.epoch().Length)
	}
	c.do(ErrApprovals, account(1), stakeOf(7), voteFor(sortedIDs(founder(0), founder(1))...))
	c.do("", account(1), stakeOf(7), registerOf(101, account(1), ""), voteFor(account(1)))
	c.until(func() bool { return c.pending() != nil })
	if c.slot != 30 || len(c.pending().Seats) != 2 {
		t.Errorf("slot %d, %d seats", c.slot, len(c.pending().Seats))
	}
	m := New(small())
	for name, bad := range map[string]map[string][]byte{
		"no JSON":        {"consensus.seats": []byte("x")},
		"fraction":       {"consensus.seats": []byte("1.5")},
		"a string":       {"consensus.seats": []byte(`"5"`)},
		"out of bounds":  {"consensus.approvals": []byte("31")},
		"fixed":          {"consensus.turn": []byte("3")},
		"trusting":       {"consensus.unbonding": []byte(tick)},
		"silence":        {"consensus.silence": []byte(tick)},
		"silent seats":   {"consensus.seats": []byte("7")},
		"nothing at all": {"consensus.": nil},
	} {
		if err := m.ValidateParams(t.Context(), bad); !errors.Is(err, module.ErrBadParams) {
			t.Errorf("%s: %v", name, err)
		}
		if p, err := m.cfg.with(bad); err == nil || p != m.cfg.Params {
			t.Errorf("%s: a bad set changes something", name)
		}
	}
}

// TestLargeSets: a genesis set of the most seats that there can be.
func TestLargeSets(t *testing.T) {
	cfg := small()
	cfg.Params.Seats, cfg.Params.SilenceTicks, cfg.Params.EpochSlots = MaxSeats, 2*MaxSeats, 4
	var list []types.PublicKey
	for i := range types.MaxSeats {
		h := types.Sum("test/many\x00", []byte{byte(i), byte(i >> 8)})
		list = append(list, types.PublicKey{Scheme: types.SchemeEd25519, Key: h[:]})
	}
	c := &chain{t: t, core: moduletest.NewCore(testChain, nil), m: New(cfg), cfg: cfg, set: types.EqualSet(0, list), sets: map[uint64]*types.Set{}}
	c.step(testBlock{gap: 3, final: 0})
	c.until(func() bool { return c.epoch().Number == 1 })
	c.step(testBlock{final: c.height})
	if len(c.set.Seats) != MaxSeats || len(c.seats()) != MaxSeats || c.read(setItem(1)) == nil {
		t.Errorf("%d seats", len(c.seats()))
	}
	if a, err := c.m.Query(t.Context(), module.Query{Path: PathProducers}, c.core.Reader()); err != nil || len(a.JSON) > module.MaxAnswerBytes {
		t.Errorf("%d bytes, %v", len(a.JSON), err)
	}
}

func (c *chain) query(path string, into any) []module.Item {
	c.t.Helper()
	a, err := module.Guard(c.m).Query(c.t.Context(), module.Query{Path: path}, c.core.Reader())
	if err != nil {
		c.t.Fatalf("query %q: %v", path, err)
	}
	if err := json.Unmarshal(a.JSON, into); err != nil {
		c.t.Fatalf("query %q: %v\n%s", path, err, a.JSON)
	}
	return a.RestsOn
}

func TestQueries(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots = 60 })
	for i := 1; i <= 9; i++ {
		c.join(i, 100+uint64(i))
	}
	c.do("", account(20), stakeOf(40), voteFor(founder(1)))
	c.do("", account(20), unstakeOf(15))
	c.do("", founder(1), rotateTo(60, founder(1)))
	c.do("", account(9), plain(types.ActionRetire))
	var p Producers
	c.query(PathProducers, &p)
	if len(p.Schedule) != 4 || len(p.Standbys) != 8 || p.Next != "" {
		t.Fatalf("%+v", p)
	}
	if s := p.Schedule[1]; *s.Seat != 1 || s.Account != founder(1) || s.Votes != "25" || s.State != "active" || s.Key.Hash() != public(1).Hash() ||
		s.NextKey != public(60).String() || s.Produced == 0 || s.LastSlot == 0 {
		t.Errorf("%+v", s)
	}
	for i, s := range p.Standbys {
		if s.Account != account(8-i) || s.State != "standby" || s.Seat != nil || s.Stake != 108-uint64(i) {
			t.Errorf("standby %d: %+v", i, s)
		}
	}
	var pages []Producer
	q := Producers{Next: ""}
	for path := PathProducers + "?limit=3"; ; path = PathProducers + "?limit=3&after=" + q.Next {
		q = Producers{}
		c.query(path, &q)
		if pages = append(pages, q.Standbys...); q.Next == "" {
			break
		}
	}
	if len(pages) != 8 || pages[7].Account != account(1) {
		t.Errorf("%d in pages", len(pages))
	}
	c.do("", account(10), stakeOf(100), registerOf(70, account(10), ""))
	states := map[types.AccountID]string{}
	for path := PathAll + "?limit=4"; ; {
		var all All
		c.query(path, &all)
		for _, x := range all.Producers {
			if states[x.Account] != "" {
				t.Errorf("%s is listed twice", x.Account)
			}
			states[x.Account] = x.State
		}
		if path = PathAll + "?limit=4&after=" + all.Next; all.Next == "" {
			break
		}
	}
	if len(states) != 4+10 || states[account(9)] != "retired" || states[account(10)] != "standby" || states[founder(1)] != "active" {
		t.Errorf("%v", states)
	}
	var one Producer
	c.query(PathProducer+account(9).String(), &one)
	if one.State != "retired" {
		t.Errorf("%+v", one)
	}
	var acc Account
	c.query(PathAccount+account(20).String(), &acc)
	if acc.Stake != 25 || len(acc.Unbonding) != 1 || acc.Unbonding[0].Amount != 15 || len(acc.Approvals) != 1 || acc.Votes != "25" {
		t.Errorf("%+v", acc)
	}
	var set Set
	c.query(PathSet, &set)
	if set.Epoch != 0 || set.Hash != c.set.Hash() || len(set.Members) != 4 {
		t.Errorf("%+v", set)
	}
	slot := c.slot
	c.n++
	c.step(testBlock{final: c.height, txs: []module.Tx{tx(c.n, account(9), evidenceOf(twice(c.set, 1, slot)), evidenceOf(twice(c.set, 3, slot)))}})
	var ep Epoch
	c.query(PathEpoch, &ep)
	if ep.Closing != "early" || len(ep.Next) != 4 || ep.Next[1].Account != account(8) || ep.EndSlot != 60 || ep.Height != c.height {
		t.Errorf("%+v", ep)
	}
	var ev Convictions
	c.query(PathEvidence+"?limit=1", &ev)
	if len(ev.Evidence) != 1 || ev.Next == "" || ev.Evidence[0].Kind != "two-blocks" || ev.Evidence[0].Producer != founder(1) || ev.Evidence[0].Slot != slot ||
		ev.Evidence[0].Seat != 1 {
		t.Errorf("%+v", ev)
	}
	next := ev.Next
	ev = Convictions{}
	c.query(PathEvidence+"?after="+next, &ev)
	if len(ev.Evidence) != 1 || ev.Next != "" || ev.Evidence[0].Producer != founder(3) {
		t.Errorf("%+v", ev)
	}
	for range 3 {
		c.step(testBlock{final: c.height})
	}
	c.query(PathSet+"/0", &set)
	c.query(PathSet+"/1", &set)
	for path, want := range map[string]error{
		"": module.ErrUnknownPath, "x": module.ErrUnknownPath, PathSet + "/9": module.ErrUnknownPath, PathSet + "/x": module.ErrInvalid,
		PathAccount: module.ErrInvalid, PathAccount + "alto1x": module.ErrInvalid, PathProducer + account(30).String(): module.ErrUnknownPath,
		PathProducers + "?limit=0": module.ErrInvalid, PathProducers + "?limit=201": module.ErrInvalid, PathProducers + "?after=00": module.ErrInvalid,
		PathAll + "?after=00": module.ErrInvalid, PathEvidence + "?x=1": module.ErrInvalid, PathEvidence + "?limit=1&limit=1": module.ErrInvalid, PathEpoch + "?a": module.ErrUnknownPath,
	} {
		if _, err := c.m.Query(t.Context(), module.Query{Path: path}, c.core.Reader()); !errors.Is(err, want) {
			t.Errorf("query %q: %v, want %v", path, err, want)
		}
	}
}
