// Package mempool holds the transactions that wait for a block: admission, batch verification of signatures, expiry and
// fairness.
//
// A signature is verified once in a node's life: the pool remembers the envelopes whose signatures it has verified, also those
// that it never admitted or that have left it, until they expire. A transaction stays in the pool until a final block holds
// it or it expires; a builder leaves out what the branch that it builds on holds already. So a fork that is dropped needs no
// special care.
//
// Signatures are no part of a transaction's id, so anybody can pass a transaction on with signatures that verify but authorise
// nothing. The pool knows no state and cannot tell; it keeps up to [MaxEnvelopes] envelopes of one transaction and gives
// builders the one that they have tried least, so that a forged envelope neither displaces a good one nor keeps it out.
// Builders help with [Pool.Refuse].
package mempool

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Errors of admission.
var (
	ErrFull  = errors.New("ErrPoolFull")
	ErrKnown = errors.New("ErrKnown") // it waits here already; no harm done
)

// MaxEnvelopes is how many envelopes of one transaction may wait.
const MaxEnvelopes = 4

// Options bound a pool.
type Options struct {
	MaxTxs     int // default 100,000
	MaxBytes   int // of envelopes; default 128 MiB
	PerAccount int // default a quarter of MaxTxs: one sender cannot fill the pool
	MaxKnown   int // envelopes that are remembered as verified; default four times MaxTxs
}

// Pool is a mempool of one chain. All methods may be called concurrently.
type Pool struct {
	ledger *ledger.Ledger
	opts   Options

	mu         sync.Mutex
	txs        map[types.TxID]*entry
	sums       map[[32]byte]*ledger.Tx // every envelope that waits
	head, tail *entry                  // in the order of arrival
	accounts   map[types.AccountID]int
	bytes      int
	verified   map[[32]byte]uint64 // hash of an envelope → the slot after which it can be forgotten
	slot       uint64              // newest known
}

// New makes an empty pool.
func New(l *ledger.Ledger, opts Options) *Pool {
	if opts.MaxTxs == 0 {
		opts.MaxTxs = 100_000
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 128 << 20
	}
	if opts.PerAccount == 0 {
		opts.PerAccount = max(1, opts.MaxTxs/4)
	}
	if opts.MaxKnown == 0 {
		opts.MaxKnown = 4 * opts.MaxTxs
	}
	return &Pool{ledger: l, opts: opts, txs: map[types.TxID]*entry{}, sums: map[[32]byte]*ledger.Tx{}, accounts: map[types.AccountID]int{}, verified: map[[32]byte]uint64{}}
}

// Size returns how many transactions wait, and their bytes.
func (p *Pool) Size() (txs, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.txs), p.bytes
}

// Has tells whether a transaction waits.
func (p *Pool) Has(id types.TxID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.txs[id] != nil
}

// waits tells whether an envelope waits, byte for byte.
func (p *Pool) waits(t *ledger.Tx) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sums[t.Sum] != nil
}

// Parse decodes envelopes for admission at slot: form, size, expiry, whether they wait already. txs[i] is nil if envelopes[i]
// cannot be read.
func (p *Pool) Parse(slot uint64, envelopes [][]byte) ([]*ledger.Tx, []error) {
	p.mu.Lock()
	p.slot = max(p.slot, slot)
	p.mu.Unlock()
	txs := make([]*ledger.Tx, len(envelopes))
	errs := make([]error, len(envelopes))
	for i, env := range envelopes {
		t, err := p.ledger.ParseTx(env)
		if err == nil {
			err = t.CheckExpiry(slot)
		}
		if err == nil && p.waits(t) {
			err = fmt.Errorf("%w: %s", ErrKnown, t.ID)
		}
		txs[i], errs[i] = t, err
	}
	return txs, errs
}

// Add admits a transaction whose signatures have been verified.
func (p *Pool) Add(t *ledger.Tx) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.txs[t.ID]
	switch {
	case p.sums[t.Sum] != nil:
		return fmt.Errorf("%w: %s", ErrKnown, t.ID)
	case p.bytes+len(t.Envelope) > p.opts.MaxBytes || e == nil && len(p.txs) >= p.opts.MaxTxs:
		return fmt.Errorf("%w: %d transactions, %d bytes; try again in a moment", ErrFull, len(p.txs), p.bytes)
	case e != nil:
		return p.another(e, t)
	case p.accounts[t.T.Account] >= p.opts.PerAccount:
		return fmt.Errorf("%w: %d transactions of %s wait already", ErrFull, p.accounts[t.T.Account], t.T.Account)
	}
	e = &entry{envelopes: []envelope{{tx: t}}, prev: p.tail}
	if p.tail != nil {
		p.tail.next = e
	} else {
		p.head = e
	}
	p.tail = e
	p.txs[t.ID] = e
	p.sums[t.Sum] = t
	p.accounts[t.T.Account]++
	p.bytes += len(t.Envelope)
	return nil
}

// another admits one more envelope of a transaction that waits. If there are too many it takes the place of one that was
// refused, or else of the one that builders have tried most.
func (p *Pool) another(e *entry, t *ledger.Tx) error {
	if len(e.envelopes) == MaxEnvelopes {
		i := e.most()
		if i < 0 {
			return fmt.Errorf("%w: %d other envelopes of %s wait; try again in a moment", ErrFull, len(e.envelopes), t.ID)
		}
		p.bytes -= len(e.envelopes[i].tx.Envelope)
		delete(p.sums, e.envelopes[i].tx.Sum)
		e.envelopes = slices.Delete(e.envelopes, i, i+1)
	}
	e.envelopes = append(e.envelopes, envelope{tx: t})
	p.sums[t.Sum] = t
	p.bytes += len(t.Envelope)
	return nil
}

// Refuse tells that transactions which Take gave are not authorised as the state stands. They stay, for that can change, but
// other envelopes of the same transactions come before them and may take their places.
func (p *Pool) Refuse(txs []*ledger.Tx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range txs {
		e := p.txs[t.ID]
		if e == nil {
			continue
		}
		for i := range e.envelopes {
			if v := &e.envelopes[i]; v.tx == t {
				v.taken = max(v.taken, refused)
			}
		}
	}
}

// Get returns waiting transactions by id, nil where there is none; of several envelopes the one that came first.
func (p *Pool) Get(ids []types.TxID) []*ledger.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*ledger.Tx, len(ids))
	for i, id := range ids {
		if e := p.txs[id]; e != nil {
			out[i] = e.tx()
		}
	}
	return out
}

// Take returns transactions for a block at slot, oldest first, for which use is true, within the bounds of bytes, gas and
// number. They stay in the pool. use must not call the pool.
func (p *Pool) Take(slot, maxBytes, maxGas uint64, use func(*ledger.Tx) bool) []*ledger.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*ledger.Tx
	var sum, gas uint64
	for e := p.head; e != nil && len(out) < types.MaxBlockTxs && maxBytes-sum >= leastTx; e = e.next {
		v := e.least()
		size := uint64(len(v.tx.Envelope)) + lengthBytes
		if sum+size > maxBytes || gas+v.tx.T.MaxGas > maxGas || v.tx.CheckExpiry(slot) != nil || !use(v.tx) {
			continue
		}
		v.taken++
		sum, gas = sum+size, gas+v.tx.T.MaxGas
		out = append(out, v.tx)
	}
	return out
}

const (
	leastTx     = 128 // no envelope with a signature is smaller
	lengthBytes = 4   // of an envelope's length in a body, at most
)

// Remove drops transactions, those of a final block for example.
func (p *Pool) Remove(ids []types.TxID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if e := p.txs[id]; e != nil {
			p.remove(e)
		}
	}
}

func (p *Pool) remove(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		p.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		p.tail = e.prev
	}
	id, a := e.tx().ID, e.tx().T.Account
	delete(p.txs, id)
	if p.accounts[a]--; p.accounts[a] == 0 {
		delete(p.accounts, a)
	}
	for _, v := range e.envelopes {
		p.bytes -= len(v.tx.Envelope)
		delete(p.sums, v.tx.Sum)
	}
}

// Advance drops what can no longer enter a block after slot, and returns how many.
func (p *Pool) Advance(slot uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slot = max(p.slot, slot)
	n := 0
	for e := p.head; e != nil; {
		next := e.next
		if e.tx().T.Expires < slot {
			p.remove(e)
			n++
		}
		e = next
	}
	for k, expires := range p.verified {
		if expires < slot {
			delete(p.verified, k)
		}
	}
	return n
}
