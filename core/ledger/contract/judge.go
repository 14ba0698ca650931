package contract

import (
	"crypto/sha256"

	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// MayClaim checks what can be seen of a claim before its contract has run, in a block at a clock. Its error begins with the stable name.
func MayClaim(now uint64, account types.AccountID, id types.Hash, l *types.Lock, code []byte) error {
	switch {
	case l.Index(account) < 0:
		return failed(ErrNotParticipant, "lock %s is between %s and %s", id, l.Participants[0], l.Participants[1])
	case l.Closing != nil && now >= l.Closing.Due:
		return failed(ErrTooLate, "an accepted claim is due since clock %d: settle it", l.Closing.Due)
	case now >= l.Deadline:
		return failed(ErrTooLate, "the deadline was clock %d", l.Deadline)
	}
	if h := types.Hash(sha256.Sum256(code)); h != l.Code {
		return failed(ErrCodeHash, "the lock is for the contract %s, this is %s", l.Code, h)
	}
	return nil
}

// Judge says whether a lock takes what its contract came to, in a block at a clock at which [MayClaim] lets the claim through.
// Its error begins with the stable name.
func Judge(now uint64, l *types.Lock, res *vm.Result) error {
	_, _, err := judge(now, l, res)
	return err
}

// judge returns what each gets, and when: due is 0 for at once.
func judge(now uint64, l *types.Lock, res *vm.Result) (sh share, due uint64, err error) {
	if sh, err = shareOf(res, l.Amount); err != nil {
		return sh, 0, err
	}
	if l.Closing != nil && sh.nonce <= l.Closing.Nonce {
		return sh, 0, failed(ErrNonce, "nonce %d, a claim with nonce %d was accepted", sh.nonce, l.Closing.Nonce)
	}
	if sh.delay == 0 {
		return sh, 0, nil
	}
	due = l.Deadline // to which a replacement is shortened
	if sh.delay <= due-now {
		due = now + sh.delay
	} else if l.Closing == nil {
		return sh, 0, failed(ErrDelay, "a delay of %d ticks; the deadline, clock %d, comes before its end", sh.delay, due)
	}
	return sh, due, nil
}

// share is how a contract shares out a lock.
type share struct {
	burn, first, nonce, delay uint64
}

// shareOf reads the result of a contract, which is not believed: a share never comes to more than the amount.
func shareOf(res *vm.Result, amount uint64) (sh share, err error) {
	if len(res.Stack) != 3 {
		return sh, failed(ErrBadResult, "%d results, a contract that shares out a lock has 3", len(res.Stack))
	}
	var v [3]uint64
	for i, n := range res.Stack {
		if n < 0 {
			return sh, failed(ErrBadResult, "a result of %d; none can be negative", n)
		}
		v[i] = uint64(n)
	}
	switch res.Convention {
	case vm.BurnPayNonce:
		sh = share{burn: v[0], first: v[1], nonce: v[2]}
	case vm.DelayNonceAmount:
		sh = share{delay: v[0], nonce: v[1], first: v[2]}
	default:
		return sh, failed(ErrBadResult, "result convention %d is unknown", res.Convention)
	}
	if sum := sh.burn + sh.first; sum > amount { // of two numbers below 2^63
		return sh, failed(ErrBadResult, "the contract gives away %d of an amount of %d", sum, amount)
	}
	return sh, nil
}
