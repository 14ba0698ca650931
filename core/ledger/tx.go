package ledger

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Tx is a transaction that has been decoded, with what can be told of it without any state.
type Tx struct {
	Envelope []byte // as received
	Raw      []byte // the signed part
	ID       types.TxID
	T        *types.Transaction
	Sigs     []types.Signature
	Spend    uint64   // sum of the actions' max_spend
	Reserve  uint64   // Spend + max_fee
	Sum      [32]byte // SHA-256 of Envelope: tells envelopes of the same transaction apart

	checked atomic.Pointer[checked] // what its module has said of its form
}

// TxLifetime is how many slots ahead a transaction may expire.
const TxLifetime = 120

// ParseTx decodes an envelope and checks everything that needs neither state nor the verification of a signature.
func (l *Ledger) ParseTx(envelope []byte) (*Tx, error) {
	if uint64(len(envelope)) > l.limits.TxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(envelope), l.limits.TxBytes)
	}
	env, err := types.DecodeEnvelope(envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	t, err := types.DecodeTransaction(env.Raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(env.Signatures) == 0 {
		return nil, fmt.Errorf("%w: no signature", ErrSignature)
	}
	seen := make(map[types.Hash]bool, len(env.Signatures))
	for i, s := range env.Signatures {
		if err := s.Key.Validate(); err != nil {
			return nil, fmt.Errorf("%w: signature %d: %w", ErrSignature, i, err)
		}
		if h := s.Key.Hash(); seen[h] {
			return nil, fmt.Errorf("%w: signature %d repeats a key", ErrSignature, i)
		} else {
			seen[h] = true
		}
	}
	if l.group(t.Module) < 0 {
		return nil, fmt.Errorf("%w: %q; this chain has %v", ErrUnknownModule, t.Module, l.ModuleNames())
	}
	if t.MaxGas > l.limits.BlockGas {
		return nil, fmt.Errorf("%w: max_gas %d is above a block's %d", ErrBlockGas, t.MaxGas, l.limits.BlockGas)
	}
	spend, ok := t.TotalSpend()
	if !ok || spend+t.MaxFee < spend {
		return nil, fmt.Errorf("%w: max_fee and max_spend together", ErrOverflow)
	}
	// The price list may change; Authorise goes by the one in force.
	if err := l.book.least.covers(t, len(envelope)); err != nil {
		return nil, err
	}
	if len(t.Authority) > 0 {
		if _, err := types.DecodeAuthority(t.Authority); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if types.AccountIDOf(t.Authority) != t.Account {
			return nil, fmt.Errorf("%w: the revealed authority is not the first one of %s", ErrUnauthorised, t.Account)
		}
	}
	return &Tx{Envelope: envelope, Raw: env.Raw, ID: types.TxIDOf(l.chain, env.Raw), T: t, Sigs: env.Signatures, Spend: spend,
		Reserve: spend + t.MaxFee, Sum: sha256.Sum256(envelope)}, nil
}

// VerifySignatures checks all signatures of all transactions in one batch and returns an error for each, nil if valid.
func (l *Ledger) VerifySignatures(txs []*Tx) []error {
	n := 0
	for _, t := range txs {
		n += len(t.Sigs)
	}
	b := types.NewBatchVerifier(n)
	for _, t := range txs {
		msg := types.TxSignBytes(l.chain, t.Raw)
		for _, s := range t.Sigs {
			b.Add(s.Key, msg, s.Sig)
		}
	}
	errs := make([]error, len(txs))
	all, each := b.Verify()
	if all {
		return errs
	}
	i := 0
	for j, t := range txs {
		for k := range t.Sigs {
			if !each[i] && errs[j] == nil {
				errs[j] = fmt.Errorf("%w: signature %d of transaction %s does not verify on chain %s", ErrSignature, k, t.ID.Short(), l.chain.Short())
			}
			i++
		}
	}
	return errs
}

// CheckExpiry tells whether a block at slot may include the transaction.
func (t *Tx) CheckExpiry(slot uint64) error {
	if t.T.Expires < slot {
		return fmt.Errorf("%w: it expired at slot %d, the block is at %d", ErrExpired, t.T.Expires, slot)
	}
	if t.T.Expires > slot+TxLifetime {
		return fmt.Errorf("%w: it expires at slot %d, more than %d slots after %d", ErrNotYet, t.T.Expires, TxLifetime, slot)
	}
	return nil
}

// of is what a transaction of size bytes that used gas pays.
func (f fees) of(size int, gas uint64) uint64 {
	return max(satAdd(satMul(uint64(size), f.PerByte), satMul(gas, f.PerGas)), f.Floor)
}

// covers tells whether a transaction's max_fee pays for its bytes.
func (f fees) covers(t *types.Transaction, size int) error {
	if least := f.of(size, 0); t.MaxFee < least {
		return fmt.Errorf("%w: max_fee %d is below the least fee %d for %d bytes", ErrFee, t.MaxFee, least, size)
	}
	return nil
}

// floorGas is the least gas of a transaction: one for each of its bytes, so that what a module reports as free is not.
func floorGas(t *Tx) uint64 { return uint64(len(t.Envelope)) }

// gasLimit is the gas that a module may use for a transaction: max_gas, or what max_fee pays for besides the bytes if that is
// less. So a module knows all that a transaction can fail for on account of gas, and nothing that it has taken as done comes
// to nothing afterwards.
func (f fees) gasLimit(t *Tx) uint64 {
	if f.PerGas == 0 {
		return t.T.MaxGas
	}
	bytes := satMul(uint64(len(t.Envelope)), f.PerByte)
	if bytes > t.T.MaxFee {
		return 0 // in no block: Authorise refuses it
	}
	return min(t.T.MaxGas, (t.T.MaxFee-bytes)/f.PerGas)
}

// short returns the status of a transaction whose own limits do not pay for its bytes, and why; "" if they do.
func (f fees) short(t *Tx) (status string, why error) {
	floor := floorGas(t)
	switch limit := f.gasLimit(t); {
	case floor > t.T.MaxGas:
		return StatusOutOfGas, fmt.Errorf("%w: max_gas is %d, its %d bytes alone take %d", ErrOutOfGas, t.T.MaxGas, len(t.Envelope), floor)
	case floor > limit:
		return StatusFee, fmt.Errorf("%w: max_fee %d pays for %d gas, its %d bytes alone take %d; the least is %d", ErrFee, t.T.MaxFee, limit,
			len(t.Envelope), floor, f.of(len(t.Envelope), floor))
	}
	return "", nil
}

func satAdd(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}

func satMul(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	if c := a * b; c/a == b {
		return c
	}
	return ^uint64(0)
}
