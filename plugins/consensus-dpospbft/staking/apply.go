package staking

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// apply does one action.
func (e *effect) apply(t *module.Tx, action int, o *order) error {
	switch o.name {
	case types.ActionRegisterProducer:
		return e.register(t.Account, &o.register)
	case types.ActionRotateKey:
		return e.rotate(t.Account, &o.register)
	case types.ActionReactivate:
		return e.reactivate(t.Account)
	case types.ActionRetire:
		return e.retire(t.Account)
	case types.ActionStake:
		return e.stake(t, action, o.amount)
	case types.ActionUnstake:
		return e.unstake(t.Account, o.amount)
	case types.ActionVote:
		return e.vote(t.Account, o.vote)
	default:
		return e.accuse(o.evidence, t.Account)
	}
}

// claimKey makes a key an account's for ever.
func (e *effect) claimKey(a types.AccountID, b *types.RegisterBody) error {
	it := keyItem(b.Key.Hash())
	if r, err := e.get(it); err != nil {
		return err
	} else if r != nil {
		return fail(ErrKeyUsed, "key %s is or was a producer's; a producer's key is never used again", b.Key)
	}
	if err := types.VerifySignature(b.Key, types.PossessionBytes(e.x.b.Chain, a), b.Proof); err != nil {
		return fail(ErrPossession, "key %s has not signed for account %s on this chain: %v", b.Key, a, err)
	}
	e.put(it, &keyRecord{a})
	return nil
}

func (e *effect) register(a types.AccountID, b *types.RegisterBody) error {
	if p, err := e.producer(a); err != nil {
		return err
	} else if p != nil {
		return fail(ErrExists, "account %s is a producer already, and %s", a, p.Status)
	}
	o, err := e.owner(a)
	if err != nil {
		return err
	}
	stake := uint64(0)
	if o != nil {
		stake = o.Stake
	}
	if stake < e.x.p.MinStake {
		return fail(ErrMinStake, "account %s has staked %d, a producer needs %d", a, stake, e.x.p.MinStake)
	}
	if err := e.claimKey(a, b); err != nil {
		return err
	}
	e.put(producerItem(a), &producer{Key: keep(b.Key), Name: b.Name, Stake: stake})
	e.tell("registered", map[string]any{"producer": a, "key": b.Key, "name": b.Name}, a)
	return nil
}

// keep returns a key that does not alias a transaction's bytes.
func keep(k types.PublicKey) types.PublicKey {
	return types.PublicKey{Scheme: k.Scheme, Key: bytes.Clone(k.Key)}
}

// own returns the account's producer record for an action that a convicted producer may not do.
func (e *effect) own(a types.AccountID) (*producer, error) {
	p, err := e.producer(a)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, fail(ErrNotProducer, "account %s is no producer", a)
	case p.Status == Tombstoned:
		return nil, fail(ErrTombstoned, "producer %s was convicted", a)
	}
	q := *p
	return &q, nil
}

func (e *effect) rotate(a types.AccountID, b *types.RegisterBody) error {
	p, err := e.own(a)
	if err != nil {
		return err
	}
	if err := e.claimKey(a, b); err != nil {
		return err
	}
	p.Key = keep(b.Key)
	e.put(producerItem(a), p)
	e.tell("rotated", map[string]any{"producer": a, "key": b.Key}, a)
	return nil
}

func (e *effect) reactivate(a types.AccountID) error {
	p, err := e.own(a)
	switch {
	case err != nil:
		return err
	case p.Status == Active:
		return fail(ErrActive, "producer %s is active", a)
	case !p.Founder && p.Stake < e.x.p.MinStake:
		return fail(ErrMinStake, "producer %s has staked %d, it needs %d", a, p.Stake, e.x.p.MinStake)
	}
	was := p.Status
	p.Status = Active
	e.put(producerItem(a), p)
	e.then = append(e.then, func() {
		if s := e.x.seatOf(a); s != nil { // what it was excluded for counts anew
			s.Row, s.LastClock = 0, e.x.b.Clock
		}
	})
	e.tell("reactivated", map[string]any{"producer": a, "was": was.String()}, a)
	return nil
}

func (e *effect) retire(a types.AccountID) error {
	p, err := e.own(a)
	if err != nil {
		return err
	}
	if p.Status == Retired {
		return fail(ErrRetired, "producer %s has retired already", a)
	}
	p.Status, p.Founder = Retired, false
	e.put(producerItem(a), p)
	e.tell("retired", map[string]any{"producer": a}, a)
	return nil
}

func (e *effect) stake(t *module.Tx, action int, amount uint64) error {
	a := t.Account
	o, err := e.owner(a)
	if err != nil {
		return err
	}
	next := owner{Weeks: e.x.cfg.weeks(e.x.b.Clock)}
	if o != nil {
		next = *o
	}
	if next.escrow()+amount < amount {
		return fail(ErrOverflow, "%d more than are staked already", amount)
	}
	next.Stake += amount
	if err := e.restake(a, o, &next); err != nil {
		return err
	}
	it := OwnerItem(a)
	e.res.Transfers = append(e.res.Transfers, module.Transfer{From: module.Party{Account: &a}, To: module.Party{Escrow: &it}, Amount: amount, Action: action})
	e.tell("staked", map[string]any{"account": a, "amount": amount, "stake": next.Stake}, a)
	return nil
}

func (e *effect) unstake(a types.AccountID, amount uint64) error {
	o, err := e.owner(a)
	switch {
	case err != nil:
		return err
	case o == nil || o.Stake < amount:
		have := uint64(0)
		if o != nil {
			have = o.Stake
		}
		return fail(ErrStake, "account %s has staked %d, not %d", a, have, amount)
	}
	next := *o
	at := e.x.b.Clock + e.x.p.UnbondingTicks
	if at < e.x.b.Clock {
		return fail(ErrOverflow, "the end of time")
	}
	next.Stake -= amount
	next.Unbonding = slices.Clone(o.Unbonding)
	i, found := slices.BinarySearchFunc(next.Unbonding, at, func(u unbonding, at uint64) int {
		switch {
		case u.Clock < at:
			return -1
		case u.Clock > at:
			return 1
		}
		return 0
	})
	switch {
	case found:
		next.Unbonding[i].Amount += amount
	case len(next.Unbonding) >= MaxUnbonding:
		return fail(ErrTooManyUnbonding, "%d amounts wait already, the first until clock %d", len(next.Unbonding), next.Unbonding[0].Clock)
	default:
		next.Unbonding = slices.Insert(next.Unbonding, i, unbonding{at, amount})
		e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: at, ID: a, Item: OwnerItem(a)})
	}
	if err := e.restake(a, o, &next); err != nil {
		return err
	}
	e.tell("unstaked", map[string]any{"account": a, "amount": amount, "stake": next.Stake, "released_at": at}, a)
	return nil
}

// restake replaces an account's record after its stake has changed, with all that depends on it: the votes that it casts, and
// its own standing as a candidate. A vote lapses when nothing is staked any more.
func (e *effect) restake(a types.AccountID, was, now *owner) error {
	var old []types.AccountID
	var before Weight
	if was != nil {
		old, before = was.Approvals, was.weight()
	}
	if now.Stake == 0 {
		now.Approvals = nil
	}
	if err := e.shift(old, before, now.Approvals, now.weight()); err != nil {
		return err
	}
	if now.Stake == 0 && len(now.Unbonding) == 0 {
		e.put(OwnerItem(a), nil)
	} else {
		e.put(OwnerItem(a), now)
	}
	p, err := e.producer(a)
	if err != nil || p == nil || p.Stake == now.Stake {
		return err
	}
	q := *p
	q.Stake = now.Stake
	e.put(producerItem(a), &q)
	return nil
}

// shift takes weight was from the producers of old and gives now to those of list. Both are ascending.
func (e *effect) shift(old []types.AccountID, was Weight, list []types.AccountID, now Weight) error {
	items := make([]module.Item, 0, len(old)+len(list))
	for _, a := range slices.Concat(old, list) {
		if it := producerItem(a); e.changed[it] == nil {
			items = append(items, it)
		}
	}
	if err := e.x.load(e.tx, items...); err != nil {
		return err
	}
	change := func(a types.AccountID, less, more Weight) error {
		p, err := e.producer(a)
		if err != nil || less == more {
			return err
		}
		if p == nil {
			return fmt.Errorf("the state is not what this module wrote: a vote for %s, who is no producer", a)
		}
		q := *p
		if q.Votes, err = q.Votes.Sub(less); err == nil {
			q.Votes, err = q.Votes.Add(more)
		}
		if err != nil {
			return fmt.Errorf("the state is not what this module wrote: producer %s: %w", a, err)
		}
		e.put(producerItem(a), &q)
		return nil
	}
	for len(old)+len(list) > 0 {
		c := 0
		switch {
		case len(old) == 0:
			c = 1
		case len(list) == 0:
			c = -1
		default:
			c = bytes.Compare(old[0][:], list[0][:])
		}
		var err error
		switch {
		case c < 0:
			err, old = change(old[0], was, Weight{}), old[1:]
		case c > 0:
			err, list = change(list[0], Weight{}, now), list[1:]
		default:
			err, old, list = change(old[0], was, now), old[1:], list[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *effect) vote(a types.AccountID, list []types.AccountID) error {
	if n := uint64(len(list)); n > e.x.p.Approvals {
		return fail(ErrApprovals, "%d producers, at most %d can be voted for", n, e.x.p.Approvals)
	}
	o, err := e.owner(a)
	switch {
	case err != nil:
		return err
	case o == nil || o.Stake == 0:
		return fail(ErrNoStake, "account %s has staked nothing, so that its vote has no weight", a)
	}
	for _, id := range list {
		p, err := e.producer(id)
		switch {
		case err != nil:
			return err
		case p == nil:
			return fail(ErrUnknownProducer, "account %s is no producer", id)
		case p.Status == Tombstoned:
			return fail(ErrTombstoned, "producer %s was convicted", id)
		case p.Status == Retired:
			return fail(ErrRetired, "producer %s has retired", id)
		}
	}
	next := *o
	next.Approvals, next.Weeks = slices.Clone(list), e.x.cfg.weeks(e.x.b.Clock)
	if err := e.shift(o.Approvals, o.weight(), next.Approvals, next.weight()); err != nil {
		return err
	}
	e.put(OwnerItem(a), &next)
	e.tell("voted", map[string]any{"account": a, "producers": append([]types.AccountID{}, list...), "votes": next.weight().Votes()}, a)
	return nil
}
