package contract

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// newLock is the lock that a step makes.
func (x *block) newLock(t *module.Tx, s *step) (*types.Lock, error) {
	b, now := &s.body, x.b.Clock
	switch {
	case b.Deadline <= now:
		return nil, failed(ErrDeadline, "the deadline, clock %d, is not after now, clock %d", b.Deadline, now)
	case b.Deadline-now > x.m.maxWait:
		return nil, failed(ErrDeadline, "the deadline lies %d ticks ahead, at most %d are possible", b.Deadline-now, x.m.maxWait)
	}
	return &types.Lock{Payer: t.Account, Participants: b.Participants, Code: b.Code, Amount: b.Amount, Made: now, Deadline: b.Deadline}, nil
}

// atFirst returns a lock as it was when the block began, or as an earlier transaction of the block makes it.
func (x *block) atFirst(id types.Hash) (*types.Lock, error) {
	if l := x.made[id]; l != nil {
		return l, nil
	}
	return x.load(id)
}

func (x *block) load(id types.Hash) (*types.Lock, error) {
	data := x.stored[Item(id)]
	if data == nil {
		return nil, failed(ErrUnknownLock, "there is no lock %s: it was never made, or is paid out", id)
	}
	l, err := types.DecodeLock(data)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", id, err)
	}
	return l, nil
}

// effect is one transaction taking effect.
type effect struct {
	x     *block
	t     *module.Tx
	r     *module.Result
	locks map[types.Hash]*types.Lock // that it has changed; nil: paid out
}

// lock returns a lock as earlier actions and transactions have left it.
func (e *effect) lock(id types.Hash) (*types.Lock, error) {
	l, ok := e.locks[id]
	if !ok {
		l, ok = e.x.now[id]
	}
	if ok && l == nil {
		return nil, failed(ErrUnknownLock, "lock %s was paid out earlier in this block", id)
	}
	if ok {
		return l, nil
	}
	return e.x.load(id)
}

func (e *effect) step(action int, s *step) error {
	switch s.name {
	case types.ActionRun:
		return e.run(s)
	case types.ActionLock:
		return e.make(action, s)
	}
	l, err := e.lock(s.lock)
	if err != nil {
		return err
	}
	switch s.name {
	case types.ActionClaim:
		return e.claim(s, l)
	case types.ActionSettle:
		return e.settle(s, l)
	}
	return e.refund(s, l)
}

// ran returns what the contract of a step came to.
func (e *effect) ran(s *step) (*vm.Result, error) {
	res := &e.x.result[s.run]
	if res.Status != vm.OK {
		// Not the VM's own text: a detail counts towards what a block may come to, so it must be the same on every node.
		return nil, failed(fmt.Sprintf("ErrContract.%d", res.Status), "the contract failed with status %d for %d gas", res.Status, res.Gas)
	}
	return res, nil
}

func (e *effect) run(s *step) error {
	res, err := e.ran(s)
	if err == nil {
		// An empty list is written in one way, whether the VM gave one or none.
		stack := append([]int64{}, res.Stack...)
		e.r.Events = append(e.r.Events, native.Event("result", types.ResultEvent{Stack: stack, Gas: res.Gas, Environment: e.x.environmentOf(s.run)}))
	}
	return err
}

// make takes the amount from the signer.
func (e *effect) make(action int, s *step) error {
	l, from, it := e.x.made[s.lock], e.t.Account, Item(s.lock)
	e.r.Transfers = append(e.r.Transfers, module.Transfer{From: module.Party{Account: &from}, To: module.Party{Escrow: &it}, Amount: l.Amount, Action: action})
	e.put(s.lock, l)
	for _, a := range accountsOf(l) {
		e.r.Writes = append(e.r.Writes, module.Write{Item: accountItem(a, s.lock), Data: []byte{1}})
	}
	e.tell("locked", s.lock, l, types.LockedEvent{Lock: s.lock, Payer: l.Payer, Participants: l.Participants, Code: l.Code, Amount: l.Amount, Deadline: l.Deadline})
	return nil
}

func (e *effect) put(id types.Hash, l *types.Lock) {
	e.locks[id] = l
	e.r.Writes = append(e.r.Writes, module.Write{Item: Item(id), Data: l.Encode()})
}

func (e *effect) tell(name string, id types.Hash, l *types.Lock, data any) {
	ev := native.Event(name, data)
	ev.Item, ev.Accounts = id[:], accountsOf(l)
	e.r.Events = append(e.r.Events, ev)
}

// claim shares out the lock, or has the claim wait. What the contract has read is the lock as the block found it; what it
// says counts for the lock as it is now, so the highest nonce of a block wins and not the first claim.
func (e *effect) claim(s *step, l *types.Lock) error {
	res, err := e.ran(s)
	if err != nil {
		return err
	}
	sh, due, err := judge(e.x.b.Clock, l, res)
	if err != nil {
		return err
	}
	if due == 0 {
		env := e.x.environmentOf(s.run)
		return e.pay("claimed", s.lock, l, sh, types.PaidEvent{Gas: res.Gas, Environment: &env})
	}
	ev := types.ClosingEvent{Lock: s.lock, By: e.t.Account, First: sh.first, Second: l.Amount - sh.first, Nonce: sh.nonce, Delay: sh.delay, Due: due, Gas: res.Gas,
		Environment: e.x.environmentOf(s.run)}
	if l.Closing != nil {
		ev.Replaced = &l.Closing.Nonce
	}
	next := *l
	next.Closing = &types.Closing{Nonce: sh.nonce, Due: due, First: sh.first}
	e.put(s.lock, &next)
	e.tell("closing", s.lock, l, ev)
	return nil
}

// pay empties a lock and removes it. ev is what the event says of the run, if there was one.
func (e *effect) pay(name string, id types.Hash, l *types.Lock, sh share, ev types.PaidEvent) error {
	second := l.Amount - sh.burn - sh.first
	e.give(id, types.BurnAccount, sh.burn)
	e.give(id, l.Participants[0], sh.first)
	e.give(id, l.Participants[1], second)
	e.remove(id, l)
	ev.Lock, ev.By, ev.Amount, ev.Burned, ev.First, ev.Second, ev.Nonce = id, e.t.Account, l.Amount, sh.burn, sh.first, second, sh.nonce
	e.tell(name, id, l, ev)
	return nil
}

func (e *effect) give(id types.Hash, to types.AccountID, amount uint64) {
	if amount == 0 {
		return
	}
	it := Item(id)
	e.r.Transfers = append(e.r.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &to}, Amount: amount})
}

func (e *effect) remove(id types.Hash, l *types.Lock) {
	e.locks[id] = nil
	e.r.Writes = append(e.r.Writes, module.Write{Item: Item(id)})
	for _, a := range accountsOf(l) {
		e.r.Writes = append(e.r.Writes, module.Write{Item: accountItem(a, id)})
	}
}

func (e *effect) settle(s *step, l *types.Lock) error {
	c := l.Closing
	switch now := e.x.b.Clock; {
	case c == nil:
		return failed(ErrNotClosing, "no claim for lock %s was accepted that would have to wait", s.lock)
	case now < c.Due:
		return failed(ErrTooEarly, "the claim is due at clock %d, now is clock %d", c.Due, now)
	}
	return e.pay("settled", s.lock, l, share{first: c.First, nonce: c.Nonce}, types.PaidEvent{})
}

func (e *effect) refund(s *step, l *types.Lock) error {
	switch now := e.x.b.Clock; {
	case l.Closing != nil:
		return failed(ErrClosing, "a claim for lock %s was accepted: settle it, from clock %d on", s.lock, l.Closing.Due)
	case now < l.Deadline:
		return failed(ErrTooEarly, "the deadline is clock %d, now is clock %d", l.Deadline, now)
	}
	e.give(s.lock, l.Payer, l.Amount)
	e.remove(s.lock, l)
	payer := l.Payer
	e.tell("refunded", s.lock, l, types.PaidEvent{Lock: s.lock, By: e.t.Account, Amount: l.Amount, Payer: &payer, Refund: l.Amount})
	return nil
}
