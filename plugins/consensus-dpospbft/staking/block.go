package staking

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// begin does what comes before the block's transactions.
func (x *run) begin(e *effect) error {
	if err := e.release(); err != nil {
		return err
	}
	if err := x.loadEpoch(e); err != nil || x.ep == nil {
		return err
	}
	if err := x.count(e); err != nil {
		return err
	}
	if err := e.extensions(); err != nil {
		return err
	}
	if x.b.Consensus.Closes {
		return x.closeEpoch(e)
	}
	return nil
}

// release does the scheduled work. An entry that is out of date does nothing.
func (e *effect) release() error {
	items := make([]module.Item, 0, len(e.x.b.Due))
	for i := range e.x.b.Due {
		if k := e.x.b.Due[i].Item.Key; strings.HasPrefix(k, prefixOwner) || strings.HasPrefix(k, prefixSet) {
			items = append(items, e.x.b.Due[i].Item)
		}
	}
	if err := e.x.load(e.tx, items...); err != nil {
		return err
	}
	for _, it := range items {
		r, err := e.get(it)
		if err != nil {
			return err
		}
		switch r := r.(type) {
		case *setRecord:
			e.put(it, nil)
		case *owner:
			var a types.AccountID
			copy(a[:], it.Key[len(prefixOwner):])
			next, sum := *r, uint64(0)
			next.Unbonding = nil
			for _, u := range r.Unbonding {
				if u.Clock <= e.x.b.Clock {
					sum += u.Amount
				} else {
					next.Unbonding = append(next.Unbonding, u)
				}
			}
			if sum == 0 {
				continue
			}
			e.give(a, a, sum)
			if next.Stake == 0 && len(next.Unbonding) == 0 {
				e.put(it, nil)
			} else {
				e.put(it, &next)
			}
			e.tell("released", map[string]any{"account": a, "amount": sum}, a)
		}
	}
	return nil
}

// loadEpoch reads what the state knows of the epoch in force and brings it up to what the core says. The two differ if the
// results of a block were lost; the core is right.
func (x *run) loadEpoch(e *effect) error {
	info := x.b.Consensus
	if info == nil {
		return nil
	}
	set, err := types.DecodeSet(info.Set)
	if err != nil {
		return fmt.Errorf("the set in force: %w", err)
	}
	if set.Epoch != info.Epoch {
		return fmt.Errorf("the set in force is of epoch %d, the block of %d", set.Epoch, info.Epoch)
	}
	if err := x.load(module.BlockTx, epochItem(), seatsItem(0)); err != nil {
		return err
	}
	ep, _ := x.known[epochItem()].(*epoch)
	if ep == nil {
		return x.found(e, set)
	}
	if ep.Number > info.Epoch {
		return fmt.Errorf("the state is in epoch %d, the block in %d", ep.Number, info.Epoch)
	}
	next := *ep
	x.ep, x.set = &next, set
	chunks := int(ep.Seats+chunkSeats-1) / chunkSeats
	items := make([]module.Item, chunks)
	for i := range items {
		items[i] = seatsItem(i)
	}
	if err := x.load(module.BlockTx, items...); err != nil {
		return err
	}
	for _, it := range items {
		c, _ := x.known[it].(*seatChunk)
		if c == nil {
			return fmt.Errorf("the state is not what this module wrote: item %q is missing", it.Key)
		}
		x.seats, x.stored = append(x.seats, c.Seats...), append(x.stored, encode(c))
	}
	x.seats = slices.Clone(x.seats)
	if ep.Number < info.Epoch {
		return x.enter(e, set, ep.Pending == pendingEarly && set.Epoch == ep.Number+1, info.ParentSlot)
	}
	if len(x.seats) != len(set.Seats) {
		return fmt.Errorf("the state has %d seats in epoch %d, the set has %d", len(x.seats), ep.Number, len(set.Seats))
	}
	return nil
}

// found begins with the first set: each of its keys is a producer.
func (x *run) found(e *effect, set *types.Set) error {
	info := x.b.Consensus
	chain := x.b.Chain
	x.set = set
	x.ep = &epoch{Number: set.Epoch, Start: info.ParentSlot, Origin: info.ParentSlot, Seed: types.Sum(domainSeed, chain[:]), Seats: uint64(len(set.Seats))}
	if x.b.Height == 1 {
		x.ep.Slot, x.ep.HasFinal = info.ParentSlot, true // genesis
	}
	return x.seatAll(e, set, nil)
}

// seatAll fills the seats by the set's keys. Members of the set before keep what is counted of them. A key that nobody has
// registered is a founder's.
func (x *run) seatAll(e *effect, set *types.Set, before []seat) error {
	old := make(map[types.AccountID]*seat, len(before))
	for i := range before {
		old[before[i].Account] = &before[i]
	}
	items := make([]module.Item, len(set.Seats))
	for i := range set.Seats {
		items[i] = keyItem(set.Seats[i].Key.Hash())
	}
	if err := x.load(module.BlockTx, items...); err != nil {
		return err
	}
	x.seats = make([]seat, len(set.Seats))
	accounts := make([]types.AccountID, len(set.Seats))
	stays := make(map[types.AccountID]bool, len(set.Seats))
	for i := range set.Seats {
		r, err := e.get(items[i])
		if err != nil {
			return err
		}
		k, _ := r.(*keyRecord)
		if k == nil {
			k = &keyRecord{accountOf(set.Seats[i].Key)}
			if err := e.founder(items[i], k, set.Seats[i].Key); err != nil {
				return err
			}
		}
		s := seat{Account: k.Account, LastClock: x.b.Clock}
		if o := old[k.Account]; o != nil {
			s.Guilty, s.LastClock, s.Row, s.LastSlot = o.Guilty, o.LastClock, o.Row, o.LastSlot
		}
		x.seats[i], accounts[i], stays[k.Account] = s, k.Account, true
	}
	for i := range before {
		s := &before[i]
		if stays[s.Account] || s.LastSlot == 0 {
			continue
		}
		p, err := e.producer(s.Account)
		if err != nil {
			return err
		}
		if p != nil {
			q := *p
			q.LastSlot = s.LastSlot
			e.put(producerItem(s.Account), &q)
		}
	}
	x.ep.Seats = uint64(len(x.seats))
	if r := (&setRecord{x.ep.Start, set.Encode(), accounts}); len(encode(r)) <= module.MaxValueBytes {
		e.put(setItem(set.Epoch), r)
	} // else no evidence can be judged once the epoch is over; elected sets are small enough
	return nil
}

// founder makes a producer of a key that a genesis set has.
func (e *effect) founder(it module.Item, k *keyRecord, key types.PublicKey) error {
	e.put(it, k)
	p, err := e.producer(k.Account)
	if err != nil || p != nil {
		return err
	}
	o, err := e.owner(k.Account)
	if err != nil {
		return err
	}
	next := &producer{Key: keep(key), Founder: true}
	if o != nil {
		next.Stake = o.Stake
	}
	e.put(producerItem(k.Account), next)
	return nil
}

// seatOf returns an account's seat, or nil.
func (x *run) seatOf(a types.AccountID) *seat {
	for i := range x.seats {
		if x.seats[i].Account == a {
			return &x.seats[i]
		}
	}
	return nil
}

// count takes note of who has produced, and of who has not.
func (x *run) count(e *effect) error {
	info, ep, n := x.b.Consensus, x.ep, uint64(len(x.seats))
	if ep.HasFinal && ep.Slot == info.ParentSlot && x.b.Slot > ep.Slot {
		k := pbft.Backoff(ep.Height-min(ep.Final, ep.Height), x.cfg.Turn)
		for i := uint64(0); x.b.Slot-ep.Slot > 1 && i < n; i++ {
			slots, turns := missed(n, x.cfg.Turn, k, ep.Slot, x.b.Slot, i)
			s := &x.seats[i]
			s.Slots += slots
			s.Turns += turns
			if turns > 0 && k == 0 {
				s.Row++ // once, however long the gap is: nobody has produced in it
			}
			if turns > 0 && s.Row >= x.p.JailMissedTurns {
				if err := e.jail(s); err != nil {
					return err
				}
			}
		}
	}
	if i := x.set.Index(x.b.Producer); i >= 0 {
		s := &x.seats[i]
		s.Produced++
		s.Row, s.LastSlot, s.LastClock = 0, x.b.Slot, x.b.Clock
	}
	if c, err := types.DecodeCertificate(info.Certificate); err == nil && c.Epoch == ep.Number && c.Height > ep.Certified &&
		len(c.Bitmap) == (len(x.seats)+7)/8 {
		ep.Certified = c.Height
		for i := range x.seats {
			if c.Bitmap[i/8]>>(i%8)&1 == 0 {
				x.seats[i].Commits++
			}
		}
	}
	ep.Height, ep.Slot, ep.Clock, ep.Length = x.b.Height, x.b.Slot, x.b.Clock, x.p.EpochSlots
	ep.Final, ep.HasFinal = 0, false
	if extra, err := pbft.DecodeExtra(info.Header); err == nil {
		ep.Final, ep.HasFinal = extra.FinalRef.Height, true
		if len(extra.VRF) == ecvrf.ProofSize && ep.mixes(x.b.Slot, ep.Length) {
			if out, err := ecvrf.ProofToHash(extra.VRF); err == nil {
				ep.Mix = types.Sum(domainMix, ep.Mix[:], out)
			}
		}
	}
	return nil
}

// jail takes a member out of the running for the next set.
func (e *effect) jail(s *seat) error {
	p, err := e.producer(s.Account)
	if err != nil || p == nil || p.Status != Active {
		return err
	}
	q := *p
	q.Status = Jailed
	e.put(producerItem(s.Account), &q)
	e.tell("jailed", map[string]any{"producer": s.Account, "turns": s.Row}, s.Account)
	return nil
}

// closeEpoch is for the block that closes the epoch.
func (x *run) closeEpoch(e *effect) error {
	values, err := x.r.Read(x.ctx, module.BlockTx, []module.Item{nextSetItem()})
	if err != nil {
		return err
	}
	if len(values) != 1 {
		return errors.New("read: no value for an item")
	}
	set, err := types.DecodeSet(values[0])
	if err != nil || set.Epoch != x.ep.Number+1 {
		return nil // the next block tells what the set is
	}
	return x.enter(e, set, x.ep.Pending == pendingEarly, x.b.Slot)
}

// enter moves to an epoch. start is the slot of the block that closed the one before.
func (x *run) enter(e *effect, set *types.Set, early bool, start uint64) error {
	ep := x.ep
	for _, a := range ep.Leaving {
		p, err := e.producer(a)
		if err != nil {
			return err
		}
		if p == nil || p.Status != Active {
			continue
		}
		q := *p
		q.Status = Excluded
		e.put(producerItem(a), &q)
		e.tell("excluded", map[string]any{"producer": a}, a)
	}
	old := types.NewEncoder(16)
	old.Uint(ep.Number)
	e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: x.b.Clock + x.p.EvidenceTicks(), ID: types.Sum(domainRelease, old.Bytes()), Item: setItem(ep.Number)})
	if !early {
		ep.Seed, ep.Mix, ep.Origin = ep.nextSeed(), types.Hash{}, start
	}
	ep.Number, ep.Start, ep.Pending, ep.Leaving, ep.Certified = set.Epoch, start, pendingNone, nil, 0
	if start == x.b.Slot { // this block is the root of the epoch: final for all that builds on it
		ep.Final, ep.HasFinal = x.b.Height, true
	}
	x.set = set
	if err := x.seatAll(e, set, x.seats); err != nil {
		return err
	}
	e.tell("epoch", map[string]any{"epoch": ep.Number, "start": ep.Start, "seats": ep.Seats, "early": early})
	return nil
}

// end does what comes after the transactions: it elects the next set if it is time, and returns what has become of the epoch
// in force.
func (x *run) end() ([]module.Write, error) {
	if x.ep == nil {
		return nil, nil
	}
	var out []module.Write
	ep := x.ep
	was, _ := x.known[epochItem()].(*epoch)
	var next *types.Set
	if !x.b.Consensus.Closes {
		var err error
		if next, err = x.elect(); err != nil {
			return nil, err
		}
	}
	switch {
	case next != nil:
		out = append(out, module.Write{Item: nextSetItem(), Data: next.Encode()})
	case x.b.Consensus.Closes || was != nil && was.Pending != pendingNone:
		out = append(out, module.Write{Item: nextSetItem()})
	}
	out = append(out, module.Write{Item: epochItem(), Data: encode(ep)})
	chunks := (len(x.seats) + chunkSeats - 1) / chunkSeats
	for i := range max(chunks, len(x.stored)) {
		if i >= chunks {
			out = append(out, module.Write{Item: seatsItem(i)})
			continue
		}
		data := encode(&seatChunk{x.seats[i*chunkSeats : min((i+1)*chunkSeats, len(x.seats))]})
		if i >= len(x.stored) || string(data) != string(x.stored[i]) {
			out = append(out, module.Write{Item: seatsItem(i), Data: data})
		}
	}
	return out, nil
}
