package staking

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ready returns a chain of four founders with accounts that have tokens, after its first block.
func ready(t testing.TB, change func(*Config)) *chain {
	cfg := small()
	cfg.Params.MinSet = 0
	if change != nil {
		change(&cfg)
	}
	c := newChain(t, cfg, 4)
	for i := range 40 {
		c.core.Fund(account(i), 1_000_000)
	}
	c.step(testBlock{})
	return c
}

// join makes account i a producer with key 100+i, its own stake and votes of it.
func (c *chain) join(i int, stake uint64) types.AccountID {
	c.t.Helper()
	a := account(i)
	c.do("", a, stakeOf(stake), registerOf(100+i, a, ""), voteFor(a))
	return a
}

func (c *chain) members() (out []types.AccountID) {
	for _, s := range c.seats() {
		out = append(out, s.Account)
	}
	return out
}

func sortedIDs(list ...types.AccountID) []types.AccountID {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b types.AccountID) int { return bytes.Compare(a[:], b[:]) })
	return list
}

func (c *chain) nextEpoch() {
	c.t.Helper()
	n := c.epoch().Number
	c.until(func() bool { return c.epoch().Number > n })
}

func TestGenesis(t *testing.T) {
	c := ready(t, nil)
	for i := range 4 {
		p := c.producerOf(founder(i))
		if !p.Founder || p.Status != Active || p.Key.Hash() != public(i).Hash() || p.Stake != 0 || c.seats()[i].Account != founder(i) {
			t.Errorf("founder %d: %+v", i, p)
		}
	}
	if e := c.epoch(); e.Number != 0 || e.Origin != 0 || e.Seats != 4 || e.Pending != pendingNone {
		t.Errorf("%+v", e)
	}
}

// TestRegularEpochs follows epochs without any vote: the same members, another order, a chain of seeds.
func TestRegularEpochs(t *testing.T) {
	c := ready(t, nil)
	orders, seeds := map[string]bool{}, map[types.Hash]bool{}
	for n := uint64(1); n <= 6; n++ {
		// The state says it at the first block in a slot at or after the end; the block after that closes.
		end := c.epoch().end(10)
		c.until(func() bool { return c.slot >= end })
		if c.slot != end || c.pending() == nil || c.epoch().Pending != pendingRegular || c.closes {
			t.Fatalf("%v: no next set in slot %d", c, end)
		}
		want := c.pending()
		e := c.step(testBlock{final: c.height})
		if !c.closes || c.pending() != nil || c.epoch().Number != n || c.epoch().Start != c.slot || !slices.Contains(names(e), "epoch") {
			t.Fatalf("%v: %+v", c, c.epoch())
		}
		c.step(testBlock{final: c.height})
		if c.set.Hash() != want.Hash() || c.set.Epoch != n {
			t.Fatal("another set took over")
		}
		if got := c.members(); !slices.Equal(sortedIDs(got...), sortedIDs(founder(0), founder(1), founder(2), founder(3))) {
			t.Fatalf("members %v", got)
		}
		orders[string(want.Encode()[2:])], seeds[c.epoch().Seed] = true, true
	}
	if len(seeds) != 6 || len(orders) < 3 {
		t.Errorf("%d seeds and %d orders in six epochs", len(seeds), len(orders))
	}
}

// TestElection lets candidates with votes replace founders without.
func TestElection(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.MinSet = 40, 1 })
	a, b := c.join(1, 100), c.join(2, 200)
	x := c.join(3, 50)
	c.do(ErrMinStake, account(4), stakeOf(49), registerOf(104, account(4), ""))
	c.do("", account(5), stakeOf(40), voteFor(sortedIDs(b, founder(2))...))
	c.nextEpoch()
	c.step(testBlock{final: c.height})
	if got, want := sortedIDs(c.members()...), sortedIDs(a, b, x, founder(2)); !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
	if p := c.producerOf(b); p.Votes != Weigh(240, 1<<20) {
		t.Errorf("votes %s", p.Votes.Votes())
	}
	// Who takes its stake out is no candidate any more, whatever votes it has, but a member keeps its seat until the tally.
	c.do("", account(6), stakeOf(1000), voteFor(x))
	c.do("", x, unstakeOf(1))
	c.nextEpoch()
	c.step(testBlock{final: c.height})
	if slices.Contains(c.members(), x) {
		t.Error("a producer whose stake is below min_stake was elected")
	}
}

// TestEqualVotes: members come first, then the smaller id.
func TestEqualVotes(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.Seats = 40, 2 })
	a, b := c.join(1, 100), c.join(2, 100)
	c.do("", account(5), stakeOf(100), voteFor(founder(3)))
	c.nextEpoch()
	c.step(testBlock{final: c.height})
	if got, want := sortedIDs(c.members()...), sortedIDs(founder(3), sortedIDs(a, b)[0]); !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
}

// TestDecay casts the same stake at different times.
func TestDecay(t *testing.T) {
	for _, decay := range []bool{false, true} {
		c := ready(t, func(cfg *Config) { cfg.Decay = decay })
		c.do("", account(1), stakeOf(1000), voteFor(founder(0)))
		early := c.clock / 3
		c.until(func() bool { return c.clock >= 3*60 })
		c.do("", account(2), stakeOf(1000), voteFor(founder(1)))
		late := c.clock / 3
		c.do("", account(1), stakeOf(500)) // stake that is added counts as the vote was cast
		if !decay {
			early, late = 0, 0
		}
		if got := c.producerOf(founder(0)).Votes; got != Weigh(1500, Factor(early)) {
			t.Errorf("decay %t: %s", decay, got.Votes())
		}
		if got := c.producerOf(founder(1)).Votes; got != Weigh(1000, Factor(late)) {
			t.Errorf("decay %t: %s", decay, got.Votes())
		}
		c.do("", account(1), voteFor(founder(0))) // renewed
		if decay {
			late = c.clock / 3
		}
		if got := c.producerOf(founder(0)).Votes; got != Weigh(1500, Factor(late)) {
			t.Errorf("decay %t: renewed %s", decay, got.Votes())
		}
	}
}

func TestUnbonding(t *testing.T) {
	c := ready(t, nil)
	a := account(1)
	c.do("", a, stakeOf(1000), voteFor(founder(0)))
	c.do("", a, unstakeOf(300))
	at := c.clock + 20
	had := c.core.Balance(a)
	c.until(func() bool { return c.clock == at-1 })
	if c.core.Balance(a) != had {
		t.Fatal("released too early")
	}
	e := c.step(testBlock{final: c.height})
	if c.core.Balance(a) != had+300 || c.core.Escrow(OwnerItem(a)) != 700 || !slices.Contains(names(e), "released") {
		t.Fatalf("balance %d, was %d", c.core.Balance(a), had)
	}
	// With nothing staked the vote lapses, and at last the record goes.
	c.do("", a, unstakeOf(700))
	if !c.producerOf(founder(0)).Votes.IsZero() || c.ownerOf(a).Approvals != nil {
		t.Error("a vote without stake")
	}
	c.until(func() bool { return len(c.core.Queue()) == 0 || c.core.Escrows() == 0 })
	if c.read(OwnerItem(a)) != nil {
		t.Error("an empty record is kept")
	}
}

func TestNamedErrors(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots = 1000 })
	a := c.join(1, 100)
	own := founder(0)
	raw := twice(c.set, 3, c.slot)
	bad := bytes.Clone(raw)
	bad[len(bad)-1] ^= 1
	early := twice(c.set, 2, 0)
	noSeat := twice(&types.Set{Epoch: 0, Seats: append(slices.Clone(c.set.Seats), c.set.Seats[0])}, 4, c.slot)
	later := twice(&types.Set{Epoch: 7, Seats: c.set.Seats}, 2, c.slot)
	wrong := types.RegisterBody{Key: public(200), Proof: proofOf(200, account(9))} // signed for another account
	for _, tc := range []struct {
		name    string
		want    Error
		from    types.AccountID
		actions []types.Action
	}{
		{"no vote without stake", ErrNoStake, account(2), []types.Action{voteFor(a)}},
		{"too many approvals", ErrApprovals, a, []types.Action{voteFor(sortedIDs(a, own, founder(1), founder(2))...)}},
		{"vote for nobody", ErrUnknownProducer, a, []types.Action{voteFor(account(8))}},
		{"more than there is", ErrStake, a, []types.Action{unstakeOf(101)}},
		{"nothing there", ErrStake, account(2), []types.Action{unstakeOf(1)}},
		{"registered twice", ErrExists, a, []types.Action{registerOf(201, a, "")}},
		{"without a stake", ErrMinStake, account(2), []types.Action{registerOf(201, account(2), "")}},
		{"key of a founder", ErrKeyUsed, account(2), []types.Action{stakeOf(50), registerOf(1, account(2), "")}},
		{"own key again", ErrKeyUsed, a, []types.Action{rotateTo(101, a)}},
		{"key of somebody else", ErrPossession, account(2), []types.Action{stakeOf(50), {Name: types.ActionRegisterProducer, Body: wrong.Encode()}}},
		{"rotated by nobody", ErrNotProducer, account(2), []types.Action{rotateTo(201, account(2))}},
		{"retired by nobody", ErrNotProducer, account(2), []types.Action{plain(types.ActionRetire)}},
		{"reactivated by nobody", ErrNotProducer, account(2), []types.Action{plain(types.ActionReactivate)}},
		{"nothing to reactivate", ErrActive, own, []types.Action{plain(types.ActionReactivate)}},
		{"evidence that is none", ErrBadEvidence, account(2), []types.Action{evidenceOf([]byte("junk"))}},
		{"forged evidence", ErrBadEvidence, account(2), []types.Action{evidenceOf(bad)}},
		{"evidence of a slot before the epoch", ErrBadEvidence, account(2), []types.Action{evidenceOf(early)}},
		{"evidence against no seat", ErrBadEvidence, account(2), []types.Action{evidenceOf(noSeat)}},
		{"evidence of an epoch to come", ErrUnknownEpoch, account(2), []types.Action{evidenceOf(later)}},
		{"evidence", "", account(2), []types.Action{evidenceOf(raw)}},
		{"the same", ErrKnownEvidence, account(2), []types.Action{evidenceOf(raw)}},
		{"another of that seat", ErrKnownEvidence, account(2), []types.Action{evidenceOf(twice(c.set, 3, c.slot+1))}},
		{"vote for a convict", ErrTombstoned, a, []types.Action{voteFor(founder(3))}},
		{"a convict rotates", ErrTombstoned, founder(3), []types.Action{rotateTo(201, founder(3))}},
		{"a convict comes back", ErrTombstoned, founder(3), []types.Action{plain(types.ActionReactivate)}},
		{"a convict retires", ErrTombstoned, founder(3), []types.Action{plain(types.ActionRetire)}},
		{"retires", "", a, []types.Action{plain(types.ActionRetire)}},
		{"retires again", ErrRetired, a, []types.Action{plain(types.ActionRetire)}},
		{"vote for who has retired", ErrRetired, a, []types.Action{voteFor(a)}},
		{"takes the stake out and comes back", ErrMinStake, a, []types.Action{unstakeOf(51), plain(types.ActionReactivate)}},
		{"comes back", "", a, []types.Action{plain(types.ActionReactivate)}},
		{"a failed action undoes those before", ErrStake, a, []types.Action{stakeOf(5), unstakeOf(1000)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.t = t
			c.do(tc.want, tc.from, tc.actions...)
		})
	}
	if c.t = t; c.ownerOf(a).Stake != 100 {
		t.Errorf("stake %d", c.ownerOf(a).Stake)
	}
}

func TestFormErrors(t *testing.T) {
	a := account(1)
	many := make([]types.Action, MaxActions+1)
	for i := range many {
		many[i] = plain(types.ActionRetire)
	}
	dear := tx(1, a, plain(types.ActionRetire))
	dear.MaxGas--
	short := stakeOf(5)
	short.MaxSpend = 4
	for name, tc := range map[string]struct {
		want Error
		tx   module.Tx
	}{
		"no actions":      {ErrMalformed, tx(1, a)},
		"unknown action":  {ErrUnknownAction, tx(1, a, plain("bribe"))},
		"many actions":    {ErrTooManyActions, tx(1, a, many...)},
		"out of gas":      {ErrOutOfGas, dear},
		"max_spend":       {ErrMaxSpend, tx(1, a, short)},
		"nothing staked":  {ErrMalformed, tx(1, a, stakeOf(0))},
		"junk body":       {ErrMalformed, tx(1, a, types.Action{Name: types.ActionVote, Body: []byte{200}})},
		"vote not sorted": {ErrMalformed, tx(1, a, voteFor(sortedIDs(a, account(2))[1], sortedIDs(a, account(2))[0]))},
		"31 approvals":    {ErrMalformed, tx(1, a, voteFor(make([]types.AccountID, 31)...))},
		"long name":       {ErrMalformed, tx(1, a, registerOf(1, a, strings.Repeat("n", 65)))},
		"name with a tab": {ErrMalformed, tx(1, a, registerOf(1, a, "a\tb"))},
		"huge evidence":   {ErrMalformed, tx(1, a, evidenceOf(make([]byte, maxEvidenceBytes+1)))},
	} {
		out, err := New(small()).Check(t.Context(), []module.Tx{tc.tx})
		if err != nil || out[0].Error != string(tc.want) {
			t.Errorf("%s: %+v, %v, want %s", name, out, err, tc.want)
		}
	}
}

func TestTooManyUnbonding(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.UnbondingTicks = 1000 })
	c.do("", account(1), stakeOf(1000))
	for range MaxUnbonding {
		c.do("", account(1), unstakeOf(1), unstakeOf(1)) // of one block, one entry
	}
	c.do(ErrTooManyUnbonding, account(1), unstakeOf(1))
	if o := c.ownerOf(account(1)); len(o.Unbonding) != MaxUnbonding || o.Stake != 1000-2*MaxUnbonding {
		t.Errorf("%+v", o)
	}
}

// TestRotation: the new key counts from the next set on, and the old one stays the producer's for evidence.
func TestRotation(t *testing.T) {
	c := ready(t, nil)
	c.do("", founder(2), rotateTo(50, founder(2)))
	if c.set.Index(public(2).Hash()) < 0 {
		t.Fatal("the set in force has changed")
	}
	old, slot := c.set, c.slot
	c.nextEpoch()
	c.step(testBlock{final: c.height})
	if c.set.Index(public(50).Hash()) < 0 || c.set.Index(public(2).Hash()) >= 0 || !slices.Contains(c.members(), founder(2)) {
		t.Fatal("the next set does not have the new key")
	}
	c.do(ErrKeyUsed, founder(2), rotateTo(2, founder(2)))
	c.do("", account(1), evidenceOf(twice(old, 2, slot)))
	if c.producerOf(founder(2)).Status != Tombstoned {
		t.Error("evidence of the epoch before does not count against the new key")
	}
}

// skip makes blocks in which a seat's slots stay empty.
func (c *chain) skipping(seat types.AccountID, done func() bool) {
	c.t.Helper()
	for range 1000 {
		if done() {
			return
		}
		gap := uint64(1)
		set, members := c.set, c.members()
		if c.closes {
			set = c.next
		}
		for int(c.slot+gap)%len(set.Seats) == slices.Index(members, seat) {
			gap++
		}
		c.step(testBlock{gap: gap, final: c.height})
	}
	c.t.Fatal("it never comes")
}

func (c *chain) seatOf(a types.AccountID) seat {
	for _, s := range c.seats() {
		if s.Account == a {
			return s
		}
	}
	c.t.Fatalf("%s has no seat", a)
	return seat{}
}

// TestJail: at jail_missed_turns in a row, not before; a block in between begins anew.
func TestJail(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.MinSet = 60, 1 })
	c.join(1, 100)
	lazy := founder(2)
	c.skipping(lazy, func() bool { return c.seatOf(lazy).Row == 2 })
	if c.producerOf(lazy).Status != Active {
		t.Fatal("jailed too early")
	}
	c.until(func() bool { return c.seatOf(lazy).Row == 0 })
	c.skipping(lazy, func() bool { return c.seatOf(lazy).Row == 2 })
	if c.producerOf(lazy).Status != Active {
		t.Fatal("jailed for turns that were not in a row")
	}
	c.skipping(lazy, func() bool { return c.seatOf(lazy).Row == 3 })
	if c.producerOf(lazy).Status != Jailed || !slices.Contains(names(c.effect), "jailed") {
		t.Fatal("not jailed")
	}
	if s := c.seatOf(lazy); s.Turns != 5 || s.Slots != 5 {
		t.Errorf("%+v", s)
	}
	c.skipping(lazy, func() bool { return c.epoch().Number == 1 })
	c.step(testBlock{final: c.height})
	if slices.Contains(c.members(), lazy) {
		t.Fatal("elected while jailed")
	}
	c.do("", lazy, plain(types.ActionReactivate))
	c.do("", account(3), stakeOf(500), voteFor(lazy))
	c.nextEpoch()
	c.step(testBlock{final: c.height})
	if !slices.Contains(c.members(), lazy) {
		t.Error("not elected after reactivate")
	}
}

// TestMinSet: with min_set members are kept although they are jailed, those that produced last first.
func TestMinSet(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.MinSet = 60, 4 })
	lazy := founder(2)
	c.skipping(lazy, func() bool { return c.epoch().Number == 1 })
	c.step(testBlock{final: c.height})
	if !slices.Contains(c.members(), lazy) || c.producerOf(lazy).Status != Jailed {
		t.Fatalf("members %v, %s", c.members(), c.producerOf(lazy).Status)
	}
	// A standby takes the place.
	a := c.join(1, 100)
	c.skipping(lazy, func() bool { return c.epoch().Number == 2 })
	c.step(testBlock{final: c.height})
	if slices.Contains(c.members(), lazy) || !slices.Contains(c.members(), a) {
		t.Fatalf("members %v", c.members())
	}
}

// TestSilence: excluded at a tally at the time of silence, not a tick before.
func TestSilence(t *testing.T) {
	for _, more := range []uint64{0, 1} {
		c := ready(t, func(cfg *Config) {
			cfg.Params.EpochSlots, cfg.Params.MinSet, cfg.Params.JailMissedTurns, cfg.Params.SilenceTicks = 30, 3, 1000, 30+more
		})
		lazy := founder(2) // never produces: it counts from the first block, in slot 1
		c.skipping(lazy, func() bool { return c.slot >= 29 })
		if c.slot != 29 {
			t.Fatalf("slot %d", c.slot)
		}
		c.step(testBlock{gap: 2, final: c.height}) // slot 31, clock 31
		if c.clock != 31 || c.pending() == nil {
			t.Fatalf("clock %d", c.clock)
		}
		c.step(testBlock{gap: 1, final: c.height})
		status := c.producerOf(lazy).Status
		c.step(testBlock{gap: 1, final: c.height})
		in := slices.Contains(c.members(), lazy)
		if more == 0 && (status != Excluded || in) || more == 1 && (status != Active || !in) {
			t.Errorf("silence of %d ticks after 30: %s, in the set: %t", 30+more, status, in)
		}
	}
}

// TestOutage: a chain that stood still for a long time blames nobody for it.
func TestOutage(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.MinSet = 30, 1 })
	c.until(func() bool { return c.slot >= 12 })
	c.step(testBlock{gap: 1_000_003, final: c.height})
	for _, s := range c.seats() {
		if p := c.producerOf(s.Account); p.Status != Active || s.Row > 1 || s.Slots < 250_000-1 {
			t.Errorf("%s %+v", p.Status, s)
		}
	}
	if c.pending() == nil || len(c.pending().Seats) != 4 {
		t.Errorf("next set %+v", c.pending())
	}
}

// TestPartition: turns missed while finality does not keep up count, but not towards jail.
func TestPartition(t *testing.T) {
	c := ready(t, func(cfg *Config) { cfg.Params.EpochSlots, cfg.Params.JailMissedTurns = 5000, 2 })
	for c.backoff() == 0 {
		c.step(testBlock{final: 1})
	}
	for range 60 {
		c.step(testBlock{gap: 40, final: 1})
	}
	for _, s := range c.seats() {
		if p := c.producerOf(s.Account); p.Status != Active || s.Turns < 10 {
			t.Errorf("%s %+v", p.Status, s)
		}
	}
}

func TestMissedCommits(t *testing.T) {
	c := ready(t, nil)
	c.step(testBlock{final: 1, absent: []int{2}})
	c.step(testBlock{final: 1, absent: []int{1}}) // the same certificate again
	c.step(testBlock{final: 3, absent: []int{2, 3}})
	for i, want := range []uint64{0, 0, 2, 1} {
		if got := c.seats()[i].Commits; got != want {
			t.Errorf("seat %d: %d COMMITs missed, want %d", i, got, want)
		}
	}
}
