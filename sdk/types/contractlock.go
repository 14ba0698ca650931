package types

import "fmt"

// Queries of the module [ModuleContract]: a lock by its id, in hexadecimal digits, answered by a [LockView]; and the locks
// that an account has paid for or has a part in, answered by a [LockPage]. The latter takes "?after=ID&limit=N".
const (
	PathLock  = "lock/"
	PathLocks = "locks/"
)

// MaxLockPage is the most locks of one page.
const MaxLockPage = 100

// Lock is what the state holds of an amount that a contract is going to share out, in the smallest unit.
type Lock struct {
	Payer        AccountID    `json:"payer"`
	Participants [2]AccountID `json:"participants"` // the first and the second
	Code         Hash         `json:"code_hash"`    // SHA-256 of the contract's bytecode
	Amount       uint64       `json:"amount,string"`
	Made         uint64       `json:"made"`     // clock
	Deadline     uint64       `json:"deadline"` // clock
	Closing      *Closing     `json:"closing,omitempty"`
}

// Closing is a claim that was accepted and waits for being paid out: from the clock Due on, unless one with a higher nonce
// takes its place before.
type Closing struct {
	Nonce uint64 `json:"nonce"`
	Due   uint64 `json:"due"`
	First uint64 `json:"first,string"` // for the first participant; the second gets the rest
}

// Encode returns the canonical bytes.
func (l *Lock) Encode() []byte {
	e := NewEncoder(192)
	e.Byte(1) // format
	e.Raw(l.Payer[:])
	e.Raw(l.Participants[0][:])
	e.Raw(l.Participants[1][:])
	e.Hash(l.Code)
	e.Uint(l.Amount)
	e.Uint(l.Made)
	e.Uint(l.Deadline)
	if l.Closing == nil {
		e.Byte(0)
		return e.Bytes()
	}
	e.Byte(1)
	e.Uint(l.Closing.Nonce)
	e.Uint(l.Closing.Due)
	e.Uint(l.Closing.First)
	return e.Bytes()
}

// DecodeLock is the inverse of [Lock.Encode].
func DecodeLock(raw []byte) (*Lock, error) {
	d := NewDecoder(raw)
	if f := d.Byte(); f != 1 {
		d.Fail("format %d is unknown", f)
	}
	l := &Lock{Payer: AccountID(d.Hash()), Participants: takeParticipants(d), Code: d.Hash(), Amount: d.Uint(), Made: d.Uint(), Deadline: d.Uint()}
	checkLocked(d, l.Amount)
	switch f := d.Byte(); f {
	case 0:
	case 1:
		l.Closing = &Closing{d.Uint(), d.Uint(), d.Uint()}
		if d.Err() == nil && l.Closing.First > l.Amount {
			d.Fail("%d of an amount of %d", l.Closing.First, l.Amount)
		}
	default:
		d.Fail("flag %d", f)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return l, nil
}

// Index returns 0 for the first participant, 1 for the second, and -1 for another account.
func (l *Lock) Index(a AccountID) int {
	for i, p := range l.Participants {
		if p == a {
			return i
		}
	}
	return -1
}

// Deposit returns what participant i has put in: all of it, or nothing.
func (l *Lock) Deposit(i int) uint64 {
	if l.Participants[i] == l.Payer {
		return l.Amount
	}
	return 0
}

// Balance returns how much of the amount stands to participant i before the contract speaks: its deposit; and if the payer
// is a third account, all of it to the second participant, who gets whatever a contract does not name. So the balances
// always sum to the amount.
func (l *Lock) Balance(i int) uint64 {
	if l.Index(l.Payer) < 0 && i == 1 {
		return l.Amount
	}
	return l.Deposit(i)
}

// States of a lock.
const (
	LockOpen    = "open"    // it can be claimed until the deadline
	LockClosing = "closing" // a claim was accepted, and is paid out when it is due
	LockExpired = "expired" // it can be refunded
	LockDue     = "due"     // it can be settled
)

// State tells what can happen to the lock in a block at a clock.
func (l *Lock) State(clock uint64) string {
	switch {
	case l.Closing != nil && clock >= l.Closing.Due:
		return LockDue
	case l.Closing != nil:
		return LockClosing
	case clock >= l.Deadline:
		return LockExpired
	}
	return LockOpen
}

// LockView is a lock as queries answer it.
type LockView struct {
	ID Hash `json:"id"`
	Lock
	State string `json:"state"` // at the clock of the block that the answer is about
}

// LockPage is a part of an account's locks, in the order of their ids.
type LockPage struct {
	Locks []LockView `json:"locks"`
	Next  *Hash      `json:"next,omitempty"` // what to give as "after" for the next page; nil: there is none
}
