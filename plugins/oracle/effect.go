package prophecy

import (
	"encoding/json"
	"math"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// effect collects what one transaction does, or one piece of a block's own work, or all of that.
type effect struct {
	x        *run
	under    *effect // whose changes are seen, too; nil: none's
	res      module.Result
	changed  map[[32]byte]*oracle.Record
	order    [][32]byte // of changed, as first changed
	disputes map[life]*dispute
	lives    []life // of disputes, as first changed
	noticed  []contradicted
	writes   []module.Write // of the index
	encoded  []module.Write // of all that has changed, once it is known to be all
}

// contradicted is a question whose answer was contradicted, in a life of it.
type contradicted struct {
	question oracle.Question
	life     int
}

// dispute is one that has changed, and in which of its items.
type dispute struct {
	*oracle.Dispute
	base, commits bool
}

func (x *run) effect(under *effect) *effect {
	return &effect{x: x, under: under, changed: map[[32]byte]*oracle.Record{}, disputes: map[life]*dispute{}}
}

func (e *effect) get(id [32]byte) *oracle.Record {
	for f := e; f != nil; f = f.under {
		if q, ok := f.changed[id]; ok {
			return q
		}
	}
	return e.x.known[id]
}

func (e *effect) put(q oracle.Record) {
	if _, ok := e.changed[q.ID]; !ok {
		e.order = append(e.order, q.ID)
	}
	e.changed[q.ID] = &q
}

// dispute returns that of a question which is disputed. load has seen to it that it is there.
func (e *effect) dispute(q *oracle.Record) *oracle.Dispute {
	l := life{q.ID, q.Life()}
	for f := e; f != nil; f = f.under {
		if d, ok := f.disputes[l]; ok {
			return d.Dispute
		}
	}
	return e.x.disputes[l]
}

func (e *effect) putDispute(d *oracle.Dispute, base, commits bool) {
	l := life{d.ID, d.Life}
	old, ok := e.disputes[l]
	if !ok {
		e.lives = append(e.lives, l)
		old = &dispute{}
	}
	e.disputes[l] = &dispute{d, base || old.base, commits || old.commits}
}

// absorb adds what an effect does that saw this one's changes.
func (e *effect) absorb(f *effect) {
	for _, id := range f.order {
		e.put(*f.changed[id])
	}
	for _, l := range f.lives {
		d := f.disputes[l]
		e.putDispute(d.Dispute, d.base, d.commits)
	}
	e.noticed = append(e.noticed, f.noticed...)
	e.writes = append(e.writes, f.writes...)
	e.res.Transfers = append(e.res.Transfers, f.res.Transfers...)
	e.res.Schedule = append(e.res.Schedule, f.res.Schedule...)
	e.res.Events = append(e.res.Events, f.res.Events...)
}

// encode writes down all that has changed. Nothing may change afterwards.
func (e *effect) encode() []module.Write {
	if e.encoded != nil {
		return e.encoded
	}
	e.encoded = []module.Write{}
	for _, id := range e.order {
		e.encoded = append(e.encoded, module.Write{Item: oracle.Item(id), Data: e.changed[id].Encode()})
	}
	for _, l := range e.lives {
		d := e.disputes[l]
		if d.base {
			e.encoded = append(e.encoded, module.Write{Item: oracle.DisputeItem(l.id, l.n), Data: d.Encode()})
		}
		if d.commits {
			e.encoded = append(e.encoded, module.Write{Item: oracle.CommitsItem(l.id, l.n), Data: d.EncodeCommits()})
		}
	}
	e.encoded = append(e.encoded, e.writes...)
	return e.encoded
}

// size is what the limits of results count.
func (e *effect) size() int {
	n := e.res.Size()
	for _, w := range e.encode() {
		n += module.RecordBytes + len(w.Item.Key) + len(w.Data)
	}
	return n
}

// commit makes the effect known to what follows in the block and returns it as a result.
func (e *effect) commit() module.Result {
	for _, id := range e.order {
		e.x.known[id] = e.changed[id]
	}
	for _, l := range e.lives {
		e.x.disputes[l] = e.disputes[l].Dispute
	}
	e.x.noticed = append(e.x.noticed, e.noticed...)
	e.res.Writes = e.encode()
	return e.res
}

// take moves tokens of the signer into a question's escrow.
func (e *effect) take(t *module.Tx, action int, id [32]byte, amount uint64) {
	if amount == 0 {
		return
	}
	from, it := t.Account, oracle.Item(id)
	e.res.Transfers = append(e.res.Transfers, module.Transfer{From: module.Party{Account: &from}, To: module.Party{Escrow: &it}, Amount: amount, Action: action})
}

// give moves tokens out of a question's escrow.
func (e *effect) give(id [32]byte, to types.AccountID, amount uint64) {
	if amount == 0 {
		return
	}
	it := oracle.Item(id)
	e.res.Transfers = append(e.res.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &to}, Amount: amount})
}

// schedule enters a question at the clock at which it leaves its state, which is later than now.
func (e *effect) schedule(q *oracle.Record) {
	now := e.x.b.Clock
	if at, ok := e.x.terms.Due(q); ok && now < math.MaxUint64 { // nothing can be later than the end of time
		e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: max(at, now+1), ID: q.ID, Item: oracle.Item(q.ID)})
	}
}

// again enters a question at the next clock there is.
func (e *effect) again(id [32]byte) {
	if now := e.x.b.Clock; now < math.MaxUint64 {
		e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: now + 1, ID: id, Item: oracle.Item(id)})
	}
}

func (e *effect) unschedule(q *oracle.Record) {
	if at, ok := e.x.terms.Due(q); ok {
		e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: at, ID: q.ID, Item: oracle.Item(q.ID), Cancel: true})
	}
}

func (e *effect) tell(name string, id [32]byte, data any, accounts ...types.AccountID) {
	b, err := json.Marshal(data)
	if err != nil { // not with these types
		b = []byte(`{}`)
	}
	e.res.Events = append(e.res.Events, module.Event{Name: name, Data: b, Accounts: accounts, Item: id[:]})
}
