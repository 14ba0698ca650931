package ledger

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// QueryCaller decides who asks a module: the account of an encoded [types.SignedQuery], which must be for this very question and
// this chain, not have expired at a slot, and be signed as a transaction would have to be whose only action is
// [types.ActionQuery] of the module. Permissions and links are those of view. It fails with ErrMalformed, ErrUnknownModule,
// ErrExpired, ErrNotYet, ErrSignature or ErrUnauthorised; any other error is a failure to read.
func (l *Ledger) QueryCaller(ctx context.Context, view View, slot uint64, signed []byte, mod, path string, argument []byte) (types.AccountID, error) {
	id, err := l.queryCaller(ctx, view, slot, signed, mod, path, argument)
	if err != nil {
		return types.AccountID{}, fmt.Errorf("who asks: %w", err)
	}
	return id, nil
}

func (l *Ledger) queryCaller(ctx context.Context, view View, slot uint64, signed []byte, mod, path string, argument []byte) (id types.AccountID, err error) {
	s, err := types.DecodeSignedQuery(signed)
	if err != nil {
		return id, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	q, err := types.DecodeQueryAuth(s.Raw)
	if err != nil {
		return id, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case l.group(q.Module) < 0:
		return id, fmt.Errorf("%w: %q; this chain has %v", ErrUnknownModule, q.Module, l.ModuleNames())
	case q.Module != mod || q.Path != path:
		return id, fmt.Errorf("%w: what was signed is for the question %s %q, not for %s %q", ErrUnauthorised, q.Module, q.Path, mod, path)
	case q.Argument != types.QueryArgumentHash(argument):
		return id, fmt.Errorf("%w: what was signed is for another argument", ErrUnauthorised)
	case q.Expires < slot:
		return id, fmt.Errorf("%w: it expired at slot %d, it is %d", ErrExpired, q.Expires, slot)
	case q.Expires > slot+TxLifetime:
		return id, fmt.Errorf("%w: it expires at slot %d, more than %d slots after %d", ErrNotYet, q.Expires, TxLifetime, slot)
	}
	// The rights are looked at before the signatures are verified, which cost more.
	auth, err := l.queryAuthority(ctx, view, q)
	if err != nil {
		return id, err
	}
	if err := distinctKeys(s.Signatures); err != nil {
		return id, err
	}
	w := &walker{ctx: ctx, view: view, known: map[types.AccountID]*types.Authority{}}
	t := &Tx{Sigs: s.Signatures, T: &types.Transaction{Module: q.Module, Account: q.Account, Permission: q.Permission, Actions: []types.Action{{Name: types.ActionQuery}}}}
	if err := l.authorised(w, auth, t); err != nil {
		if w.err != nil {
			return id, w.err
		}
		return id, err
	}
	msg := types.QuerySignBytes(l.chain, s.Raw)
	for i, sig := range s.Signatures {
		if types.VerifySignature(sig.Key, msg, sig.Sig) != nil {
			return id, fmt.Errorf("%w: signature %d does not verify on chain %s", ErrSignature, i, l.chain.Short())
		}
	}
	return q.Account, nil
}

// queryAuthority returns the authority of the account that asks, or the one that it shows if the chain does not have it yet; nil
// if there is neither.
func (l *Ledger) queryAuthority(ctx context.Context, view View, q *types.QueryAuth) (*types.Authority, error) {
	v, err := view.Get(ctx, []state.Item{authorityItem(q.Account)})
	if err != nil {
		return nil, err
	}
	if v[0] != nil {
		return types.DecodeAuthority(v[0])
	}
	if len(q.Authority) == 0 {
		return nil, fmt.Errorf("%w: %s has not revealed its authority on the chain; what is signed must carry it", ErrUnauthorised, q.Account)
	}
	if types.AccountIDOf(q.Authority) != q.Account {
		return nil, fmt.Errorf("%w: the revealed authority is not the first one of %s", ErrUnauthorised, q.Account)
	}
	auth, err := types.DecodeAuthority(q.Authority)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return auth, nil
}

// distinctKeys checks that there are signatures, by keys of known schemes, none of which repeats.
func distinctKeys(sigs []types.Signature) error {
	if len(sigs) == 0 {
		return fmt.Errorf("%w: no signature", ErrSignature)
	}
	seen := make(map[types.Hash]bool, len(sigs))
	for i, s := range sigs {
		if err := s.Key.Validate(); err != nil {
			return fmt.Errorf("%w: signature %d: %w", ErrSignature, i, err)
		}
		h := s.Key.Hash()
		if seen[h] {
			return fmt.Errorf("%w: signature %d repeats a key", ErrSignature, i)
		}
		seen[h] = true
	}
	return nil
}
