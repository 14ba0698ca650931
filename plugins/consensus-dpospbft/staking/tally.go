package staking

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// How much of the index of candidates one tally looks at, a page at a time. More than this many candidates would have to lose
// their place in one block, or stand in the index without the stake that they need, for a tally to miss anybody.
const (
	pageRanks = 64
	maxPages  = 64
)

// candidate is a producer in a tally.
type candidate struct {
	account types.AccountID
	p       *producer
	seat    *seat // nil if it is not in the set in force
}

// before orders candidates by rank.
func before(a, b *candidate) int {
	switch {
	case a.p.Votes != b.p.Votes:
		return b.p.Votes.Compare(a.p.Votes)
	case (a.seat != nil) != (b.seat != nil):
		if a.seat != nil {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.account[:], b.account[:])
}

// elect returns the next set if the next block has to close the epoch, else nil.
func (x *run) elect() (*types.Set, error) {
	ep := x.ep
	ep.Pending, ep.Leaving = pendingNone, nil
	due, guilty := x.b.Slot >= ep.end(ep.Length), false
	for i := range x.seats {
		guilty = guilty || x.seats[i].Guilty
	}
	if !due && !guilty {
		return nil, nil
	}
	e := x.effect(module.BlockTx) // to read with
	members, err := x.members(e)
	if err != nil {
		return nil, err
	}
	if due {
		chosen, leaving, err := x.tally(e, members)
		if err != nil {
			return nil, err
		}
		shuffle(ep.nextSeed(), chosen)
		set := x.setOf(chosen)
		if set != nil {
			ep.Pending, ep.Leaving = pendingRegular, leaving
		}
		return set, nil
	}
	chosen, err := x.replace(e, members)
	if err != nil || chosen == nil {
		return nil, err
	}
	set := x.setOf(chosen)
	if set != nil {
		ep.Pending = pendingEarly
	}
	return set, nil
}

// members returns the set in force in its order.
func (x *run) members(e *effect) ([]*candidate, error) {
	items := make([]module.Item, len(x.seats))
	for i := range x.seats {
		items[i] = producerItem(x.seats[i].Account)
	}
	if err := x.load(e.tx, items...); err != nil {
		return nil, err
	}
	out := make([]*candidate, len(x.seats))
	for i := range x.seats {
		p, err := e.producer(x.seats[i].Account)
		if err != nil {
			return nil, err
		}
		if p == nil { // not with the state that this module writes: it keeps its seat
			p = &producer{Key: x.set.Seats[i].Key, Founder: true}
		}
		out[i] = &candidate{x.seats[i].Account, p, &x.seats[i]}
	}
	return out, nil
}

// setOf makes the next set, or nil if that is more than an item may hold. Only a genesis set can be so large: it then stays until
// an elected one takes over.
func (x *run) setOf(list []*candidate) *types.Set {
	keys := make([]types.PublicKey, len(list))
	for i, c := range list {
		keys[i] = c.p.Key
	}
	set := types.EqualSet(x.ep.Number+1, keys)
	if len(set.Encode()) > module.MaxValueBytes {
		return nil
	}
	return set
}

// minSet is what a set does not shrink below, as far as there are members.
func (x *run) minSet() int {
	n := uint64(len(x.seats))
	least := x.p.MinSet
	if least == 0 {
		least = max(4, (2*n+2)/3)
	}
	return int(min(least, x.p.Seats))
}

// silent tells whether a member is to be excluded.
func (x *run) silent(s *seat) bool {
	return s.Row >= 1 && x.b.Clock-min(s.LastClock, x.b.Clock) >= x.p.SilenceTicks
}

// tally elects the members of the next set, in the order of rank, and says who loses its seat by silence.
func (x *run) tally(e *effect, members []*candidate) (chosen []*candidate, leaving []types.AccountID, err error) {
	var unfit, last, silent []*candidate
	for _, c := range members {
		switch {
		case c.p.Status == Tombstoned:
		case c.p.Status == Retired || c.p.Status == Active && !c.p.eligible(x.p.MinStake):
			last = append(last, c)
		case c.p.Status != Active:
			unfit = append(unfit, c)
		case x.silent(c.seat):
			unfit, silent = append(unfit, c), append(silent, c)
		default:
			chosen = append(chosen, c)
		}
	}
	seats := int(x.p.Seats)
	others, err := x.standbys(e, members, seats)
	if err != nil {
		return nil, nil, err
	}
	chosen = append(chosen, others...)
	slices.SortFunc(chosen, before)
	chosen = chosen[:min(len(chosen), seats)]
	for _, list := range [][]*candidate{unfit, last} { // the most recent first, so that the longest silent go
		slices.SortFunc(list, func(a, b *candidate) int {
			return cmp.Or(cmp.Compare(b.seat.LastClock, a.seat.LastClock), before(a, b))
		})
		for _, c := range list {
			if len(chosen) < x.minSet() {
				chosen = append(chosen, c)
			}
		}
	}
	if len(chosen) == 0 {
		chosen = slices.Clone(members) // nobody is left who might be elected: the chain goes on as it is
	}
	for _, c := range silent {
		if !slices.Contains(chosen, c) {
			leaving = append(leaving, c.account)
		}
	}
	return chosen, leaving, nil
}

// replace gives the seats of convicted members to standbys, each in the order of rank, or to nobody. It returns nil if nothing
// can change, because nobody would be left.
func (x *run) replace(e *effect, members []*candidate) ([]*candidate, error) {
	guilty := 0
	for _, c := range members {
		if c.seat.Guilty {
			guilty++
		}
	}
	others, err := x.standbys(e, members, guilty)
	if err != nil {
		return nil, err
	}
	var out []*candidate
	for _, c := range members {
		switch {
		case !c.seat.Guilty:
			out = append(out, c)
		case len(others) > 0:
			out, others = append(out, others[0]), others[1:]
		}
	}
	return out, nil
}

// standbys returns the n candidates with the most votes who are not in the set in force, as the state is after this block's
// transactions: those that the block has changed, and the index of candidates for the others.
func (x *run) standbys(e *effect, members []*candidate, n int) ([]*candidate, error) {
	skip := make(map[types.AccountID]bool, len(members)+len(x.changed))
	for _, c := range members {
		skip[c.account] = true
	}
	var out []*candidate
	consider := func(a types.AccountID) error {
		p, err := e.producer(a)
		if err == nil && p.ranked() && p.eligible(x.p.MinStake) {
			out = append(out, &candidate{account: a, p: p})
		}
		return err
	}
	for _, a := range x.changed {
		if skip[a] {
			continue
		}
		skip[a] = true
		if err := consider(a); err != nil {
			return nil, err
		}
	}
	found := len(out)
	start, end := module.Item{Key: prefixRank}, endOf(prefixRank)
	for range maxPages {
		if len(out)-found >= n {
			break
		}
		values, more, err := x.r.Scan(x.ctx, module.BlockTx, start, end, pageRanks)
		if err != nil {
			return nil, err
		}
		var accounts []types.AccountID
		var items []module.Item
		for _, v := range values {
			start = after(v.Item)
			if _, a, ok := rankOf(v.Item); ok && !skip[a] {
				accounts, items = append(accounts, a), append(items, producerItem(a))
			}
		}
		if err := x.load(e.tx, items...); err != nil {
			return nil, err
		}
		for _, a := range accounts {
			if err := consider(a); err != nil {
				return nil, err
			}
		}
		if !more || len(values) == 0 {
			break
		}
	}
	slices.SortFunc(out, before)
	return out[:min(len(out), n)], nil
}
