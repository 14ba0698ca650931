package types

import (
	"bytes"
	"math"
)

// Actions of the native module [ModuleContract].
const (
	ActionRun    = "run"    // RunBody
	ActionLock   = "lock"   // LockBody; max_spend must cover it
	ActionClaim  = "claim"  // ClaimBody
	ActionSettle = "settle" // LockRefBody
	ActionRefund = "refund" // LockRefBody
)

// Gas of these actions. That of a run or claim is what the VM counts and, besides, what is named here.
const (
	GasContractRun   = 5_000
	GasContractLock  = 4_000  // four items are written
	GasContractClaim = 10_000 // and deleted
	GasContractPay   = 3_000  // of settle and refund

	GasContractQuestion = 2_000 // of each question that a run or a claim names
)

// MaxLockAmount is the most that one lock can hold: contracts count with signed numbers.
const MaxLockAmount = math.MaxInt64

// DomainLock separates ids of locks from everything else that is hashed.
const DomainLock = "paloalto/lock/1\x00"

// LockIDOf returns the id of the lock that an action of a transaction makes, which is also what its contract knows as
// channel-id.
func LockIDOf(tx TxID, action int) Hash {
	e := NewEncoder(3)
	e.Uint(uint64(action))
	return Sum(DomainLock, tx[:], e.Bytes())
}

// MaxQuestions is how many answers of the oracle one run can read.
const MaxQuestions = 8

// RunBody is the body of contract.run: bytecode for the chain's VM, and the evidence that runs first. Questions, of the chain's
// oracle, are those whose answers the contract can read, in ascending order, each once; asking for another one makes it fail.
type RunBody struct {
	Code, Evidence []byte
	Questions      [][32]byte
}

// Encode returns the canonical bytes.
func (b RunBody) Encode() []byte {
	e := NewEncoder(16 + len(b.Code) + len(b.Evidence) + 32*len(b.Questions))
	e.Blob(b.Code)
	e.Blob(b.Evidence)
	putQuestions(e, b.Questions)
	return e.Bytes()
}

// putQuestions writes a list that is not empty. No list has no bytes.
func putQuestions(e *Encoder, list [][32]byte) {
	if len(list) == 0 {
		return
	}
	e.Uint(uint64(len(list)))
	for i := range list {
		e.Raw(list[i][:])
	}
}

func takeQuestions(d *Decoder) (list [][32]byte) {
	if d.Err() != nil || d.Rest() == 0 {
		return nil
	}
	n := d.Count(MaxQuestions, 32)
	if d.Err() == nil && n == 0 {
		d.Fail("an empty list of questions, which has to be left out")
	}
	for i := range n {
		list = append(list, d.Hash())
		if d.Err() == nil && i > 0 && bytes.Compare(list[i-1][:], list[i][:]) >= 0 {
			d.Fail("question %d is not above the one before", i)
		}
	}
	return list
}

// DecodeRunBody is the inverse of [RunBody.Encode].
func DecodeRunBody(raw []byte) (RunBody, error) {
	d := NewDecoder(raw)
	return finish(d, "contract.run", RunBody{d.Blob(MaxTxBytes), d.Blob(MaxTxBytes), takeQuestions(d)})
}

// LockBody is the body of contract.lock: the signer pays Amount of the smallest unit, 1 to [MaxLockAmount], into a lock that
// the contract with the hash Code shares out between two different accounts. Until Deadline, a clock of the chain, it can
// be claimed; from then on it goes back. Code is the SHA-256 of the bytecode.
type LockBody struct {
	Participants [2]AccountID // the first and the second
	Code         Hash
	Amount       uint64
	Deadline     uint64
}

// Encode returns the canonical bytes.
func (b LockBody) Encode() []byte {
	e := NewEncoder(96 + 20)
	e.Raw(b.Participants[0][:])
	e.Raw(b.Participants[1][:])
	e.Hash(b.Code)
	e.Uint(b.Amount)
	e.Uint(b.Deadline)
	return e.Bytes()
}

// DecodeLockBody is the inverse of [LockBody.Encode].
func DecodeLockBody(raw []byte) (LockBody, error) {
	d := NewDecoder(raw)
	b := LockBody{takeParticipants(d), d.Hash(), d.Uint(), d.Uint()}
	checkLocked(d, b.Amount)
	return finish(d, "contract.lock", b)
}

func takeParticipants(d *Decoder) (p [2]AccountID) {
	p[0], p[1] = AccountID(d.Hash()), AccountID(d.Hash())
	if d.Err() != nil {
		return p
	}
	if p[0] == p[1] {
		d.Fail("both participants are the same account")
	}
	if p[0] == BurnAccount || p[1] == BurnAccount {
		d.Fail("the burn account can be no participant")
	}
	return p
}

func checkLocked(d *Decoder, amount uint64) {
	if d.Err() == nil && (amount == 0 || amount > MaxLockAmount) {
		d.Fail("an amount of %d, 1 to %d can be locked", amount, uint64(MaxLockAmount))
	}
}

// ClaimBody is the body of contract.claim: the bytecode that the lock has the hash of, the evidence that runs first, and
// questions as [RunBody] has them.
type ClaimBody struct {
	Lock           Hash
	Code, Evidence []byte
	Questions      [][32]byte
}

// Encode returns the canonical bytes.
func (b ClaimBody) Encode() []byte {
	e := NewEncoder(48 + len(b.Code) + len(b.Evidence) + 32*len(b.Questions))
	e.Hash(b.Lock)
	e.Blob(b.Code)
	e.Blob(b.Evidence)
	putQuestions(e, b.Questions)
	return e.Bytes()
}

// DecodeClaimBody is the inverse of [ClaimBody.Encode].
func DecodeClaimBody(raw []byte) (ClaimBody, error) {
	d := NewDecoder(raw)
	return finish(d, "contract.claim", ClaimBody{d.Hash(), d.Blob(MaxTxBytes), d.Blob(MaxTxBytes), takeQuestions(d)})
}

// LockRefBody is the body of contract.settle and contract.refund.
type LockRefBody struct{ Lock Hash }

// Encode returns the canonical bytes.
func (b LockRefBody) Encode() []byte {
	e := NewEncoder(32)
	e.Hash(b.Lock)
	return e.Bytes()
}

// DecodeLockRefBody is the inverse of [LockRefBody.Encode].
func DecodeLockRefBody(raw []byte) (LockRefBody, error) {
	d := NewDecoder(raw)
	return finish(d, "lock", LockRefBody{d.Hash()})
}
