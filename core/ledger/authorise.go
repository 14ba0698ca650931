package ledger

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// View is the state as it stood after some block. [*state.Layer] is one.
type View interface {
	Get(ctx context.Context, items []state.Item) ([][]byte, error)
}

// Authorise decides whether each transaction may stand in a block on top of the parent whose state is view, at the parent's
// clock: its max_fee covers the least fee in force, its permission is satisfied, and its account covers what it reserves, debited in order. The signatures must have
// been verified. errs[i] is nil if txs[i] may stand; a transaction with an error reserves nothing, so a builder leaves it
// out and goes on. err is a failure to read.
func (l *Ledger) Authorise(ctx context.Context, view View, parentClock uint64, txs []*Tx) (errs []error, err error) {
	items := make([]state.Item, 0, 2*len(txs))
	index := make(map[types.AccountID]int, len(txs))
	for _, t := range txs {
		if _, ok := index[t.T.Account]; !ok {
			index[t.T.Account] = len(items)
			items = append(items, balanceItem(t.T.Account), authorityItem(t.T.Account))
		}
	}
	values, err := view.Get(ctx, append(items, termsItem()))
	if err != nil {
		return nil, fmt.Errorf("authorise: %w", err)
	}
	terms, err := l.book.of(ctx, view, values[len(items)])
	if err != nil {
		return nil, fmt.Errorf("authorise: %w", err)
	}
	type signer struct {
		free      uint64
		account   Account
		authority *types.Authority
	}
	signers := make(map[types.AccountID]*signer, len(index))
	for id, i := range index {
		s := &signer{}
		if s.account, err = decodeAccount(values[i]); err != nil {
			return nil, fmt.Errorf("authorise %s: %w", id, err)
		}
		s.free = s.account.Free(parentClock)
		if values[i+1] != nil {
			if s.authority, err = types.DecodeAuthority(values[i+1]); err != nil {
				return nil, fmt.Errorf("authorise %s: %w", id, err)
			}
		}
		signers[id] = s
	}
	w := &walker{ctx: ctx, view: view, known: map[types.AccountID]*types.Authority{}}
	errs = make([]error, len(txs))
	for i, t := range txs {
		if errs[i] = terms.fees.covers(t.T, len(t.Envelope)); errs[i] != nil {
			continue
		}
		s := signers[t.T.Account]
		auth := s.authority
		if auth == nil && len(t.T.Authority) > 0 {
			auth, err = types.DecodeAuthority(t.T.Authority)
			if err != nil {
				errs[i] = fmt.Errorf("%w: %w", ErrMalformed, err)
				continue
			}
		}
		if errs[i] = l.authorised(w, auth, t); errs[i] != nil {
			if w.err != nil {
				return nil, w.err
			}
			continue
		}
		if s.free < t.Reserve {
			errs[i] = insufficient(&s.account, s.free, t, parentClock)
			continue
		}
		s.free -= t.Reserve
	}
	return errs, nil
}

func insufficient(a *Account, free uint64, t *Tx, clock uint64) error {
	if locked := a.Locked(clock); locked > 0 && a.Balance >= t.Reserve {
		return fmt.Errorf("%w: %s needs %d (spend %d, max_fee %d), has %d of which %d are not vested", ErrVesting, t.T.Account, t.Reserve,
			t.Spend, t.T.MaxFee, a.Balance, locked)
	}
	return fmt.Errorf("%w: %s needs %d (spend %d, max_fee %d), has %d free", ErrInsufficient, t.T.Account, t.Reserve, t.Spend, t.T.MaxFee, free)
}

// authorised checks that the permission which the transaction names covers what each action needs, and is satisfied.
func (l *Ledger) authorised(w *walker, auth *types.Authority, t *Tx) error {
	if auth == nil {
		return fmt.Errorf("%w: %s has not revealed its authority; its first transaction must carry it", ErrUnauthorised, t.T.Account)
	}
	name := t.T.Permission
	for i, a := range t.T.Actions {
		required := auth.Required(t.T.Module, a.Name)
		if t.T.Module == AccountModule && guarded(a.Name) {
			required = auth.Guard
		}
		if name == "" {
			name = required
		}
		if !auth.Covers(name, required) {
			return fmt.Errorf("%w: action %d (%s.%s) of %s needs permission %q, the transaction names %q", ErrUnauthorised, i, t.T.Module,
				a.Name, t.T.Account, required, name)
		}
	}
	w.keys = make(map[types.Hash]bool, len(t.Sigs))
	for _, s := range t.Sigs {
		w.keys[s.Key.Hash()] = false
	}
	w.steps = 0
	for p := auth.Find(name); p != nil; p = auth.Find(p.Parent) {
		if w.satisfied(p, 0, false) {
			return w.needless(p, t)
		}
		if p.Parent == "" {
			break
		}
	}
	if w.err != nil {
		return w.err
	}
	return fmt.Errorf("%w: permission %q of %s is not satisfied by the %d signature(s); %s would do", ErrUnauthorised, name, t.T.Account, len(t.Sigs),
		strings.Join(explain(auth, name), " or "))
}

// needless refuses a transaction with a signature that has no part in what it names. Signatures are no part of a
// transaction's id: if any would do, whoever passes a transaction on could make it longer and dearer.
func (w *walker) needless(p *types.Permission, t *Tx) error {
	complete := func() int {
		for i, s := range t.Sigs {
			if !w.keys[s.Key.Hash()] {
				return i
			}
		}
		return -1
	}
	if complete() < 0 {
		return nil
	}
	w.steps = 0
	w.satisfied(p, 0, true) // those that would have done without the others count as well
	if w.err != nil {
		return w.err
	}
	if i := complete(); i >= 0 {
		return fmt.Errorf("%w: signature %d, by key %s, has no part in permission %q of %s; leave it out", ErrUnauthorised, i,
			t.Sigs[i].Key.Hash().Short(), p.Name, t.T.Account)
	}
	return nil
}

// walker follows permissions into other accounts, reading each authority at most once.
type walker struct {
	ctx   context.Context
	view  View
	known map[types.AccountID]*types.Authority
	keys  map[types.Hash]bool // that have signed the current transaction: whether one has been met in a permission
	steps int                 // permissions visited for the current transaction
	err   error
}

// maxSteps bounds the permissions that one transaction may lead through, so that a thicket of accounts that name each
// other costs no more than a signature. Depth and steps bound the walk even where accounts lead back to each other: the
// account module refuses a cycle when it is written, but a first authority, which its account's id is the hash of, may name
// an account that has come to name it.
const maxSteps = 256

// satisfied tells whether the keys that have signed reach the threshold of a permission. Without all it stops where they do.
func (w *walker) satisfied(p *types.Permission, depth int, all bool) bool {
	var sum uint64
	for _, k := range p.Keys {
		if _, ok := w.keys[k.Key]; ok {
			w.keys[k.Key] = true
			sum += uint64(k.Weight)
		}
	}
	if depth >= types.MaxAccountDepth {
		return sum >= uint64(p.Threshold)
	}
	if sum < uint64(p.Threshold) || all {
		w.load(p.Accounts)
	}
	for _, a := range p.Accounts {
		if sum >= uint64(p.Threshold) && !all {
			break
		}
		if w.steps++; w.steps > maxSteps {
			break
		}
		other := w.known[a.Account]
		if other == nil {
			continue
		}
		if q := other.Find(a.Permission); q != nil && w.satisfied(q, depth+1, all) {
			sum += uint64(a.Weight)
		}
	}
	return sum >= uint64(p.Threshold)
}

// load makes the authorities of accounts known, nil for those that have none, with one read for all that are not.
func (w *walker) load(accounts []types.AccountWeight) {
	var items []state.Item
	var ids []types.AccountID
	for _, a := range accounts {
		if _, ok := w.known[a.Account]; !ok {
			w.known[a.Account] = nil
			items, ids = append(items, authorityItem(a.Account)), append(ids, a.Account)
		}
	}
	if len(items) == 0 || w.err != nil {
		return
	}
	values, err := w.view.Get(w.ctx, items)
	if err != nil {
		w.err = fmt.Errorf("authorise: %w", err)
		return
	}
	for i, v := range values {
		if v == nil {
			continue
		}
		if w.known[ids[i]], err = types.DecodeAuthority(v); err != nil {
			w.err = fmt.Errorf("authorise %s: %w", ids[i], err)
			return
		}
	}
}

// Explain tells in words what would satisfy the permission that an action of the account needs.
func (l *Ledger) Explain(ctx context.Context, view View, id types.AccountID, mod, action string) ([]string, error) {
	v, err := view.Get(ctx, []state.Item{authorityItem(id)})
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if v[0] == nil {
		return []string{"the key that " + id.String() + " was made from"}, nil
	}
	auth, err := types.DecodeAuthority(v[0])
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", id, err)
	}
	required := auth.Required(mod, action)
	if mod == AccountModule && guarded(action) {
		required = auth.Guard
	}
	return explain(auth, required), nil
}

func explain(auth *types.Authority, name string) []string {
	var out []string
	for p := auth.Find(name); p != nil; p = auth.Find(p.Parent) {
		var parts []string
		for _, k := range p.Keys {
			parts = append(parts, fmt.Sprintf("key %s (weight %d)", k.Key.Short(), k.Weight))
		}
		for _, a := range p.Accounts {
			parts = append(parts, fmt.Sprintf("%s@%s (weight %d)", a.Account, a.Permission, a.Weight))
		}
		sort.Strings(parts)
		out = append(out, fmt.Sprintf("%q with weight %d of %s", p.Name, p.Threshold, strings.Join(parts, ", ")))
		if p.Parent == "" {
			break
		}
	}
	return out
}

// guarded tells whether an action of the account module changes the authority, which needs the guard permission.
func guarded(action string) bool {
	switch action {
	case "set_permission", "delete_permission", "link", "unlink":
		return true
	}
	return false
}
