// Package account is the native module that keeps authorities: set_permission, delete_permission, link and unlink change the
// tree of permissions, and claim_fees moves all that lies in a producer's till to the producer, whose account is the one that
// its key alone is the authority of.
//
// The ledger has seen to it that changes of the tree are authorised by the account's guard permission, and it records the
// authority that an account's first transaction reveals before this module runs.
package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Module implements module.Module.
type Module struct {
	native.Base
	till func(types.AccountID) module.Item
	auth func(types.AccountID) module.Item
}

// New returns the module. till and auth say where the ledger keeps an account's till and authority.
func New(till, auth func(types.AccountID) module.Item) *Module {
	return &Module{native.Base{Name: types.ModuleAccount}, till, auth}
}

// Names of errors that this module gives.
const (
	ErrThreshold  = "ErrThreshold"
	ErrCycle      = "ErrCycle"
	ErrPermission = "ErrPermission" // the change leaves a tree that is not valid
	ErrTooDeep    = "ErrTooDeep"
	ErrUnrevealed = "ErrUnrevealed" // not reachable in a ledger: the authority is not in the state
)

func gas(t *module.Tx) uint64 { return types.GasPermission * uint64(len(t.Actions)) }

// Check implements module.Module.
func (m *Module) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i, t := range txs {
		c := &out[i]
		if c.Gas = gas(&t); c.Gas > t.MaxGas {
			*c = module.TxCheck{Error: module.ErrOutOfGas}
			continue
		}
		c.Reads = []module.Item{m.auth(t.Account)}
		for _, a := range t.Actions {
			if name, err := wellFormed(a); err != nil {
				*c = module.TxCheck{Error: name}
				break
			}
		}
	}
	return out, nil
}

func wellFormed(a types.Action) (string, error) {
	var err error
	switch a.Name {
	case "set_permission":
		_, err = types.DecodePermissionBody(a.Body)
	case "delete_permission", "unlink":
		_, err = types.DecodeNameBody(a.Body)
	case "link":
		_, err = types.DecodeLinkBody(a.Body)
	case "claim_fees":
		if len(a.Body) != 0 {
			err = fmt.Errorf("claim_fees has no body")
		}
	default:
		return native.ErrUnknownAction, fmt.Errorf("account has no action %q", a.Name)
	}
	return native.ErrMalformed, err
}

// Execute implements module.Module.
func (m *Module) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	s := &session{m: m, ctx: ctx, r: r, known: map[types.AccountID]*types.Authority{}}
	for _, v := range b.Values {
		if v.Data == nil || len(v.Item.Key) != 32 {
			continue
		}
		a, err := types.DecodeAuthority(v.Data)
		if err != nil {
			return nil, fmt.Errorf("authority in the state: %w", err)
		}
		var id types.AccountID
		copy(id[:], v.Item.Key)
		s.known[id] = a
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i := range b.Txs {
		res, err := s.transaction(i, &b.Txs[i])
		if err != nil {
			return nil, err
		}
		out.Txs[i] = res
	}
	return out, nil
}

// session is the authorities as they stand after the transactions so far.
type session struct {
	m     *Module
	ctx   context.Context
	r     module.Reader
	known map[types.AccountID]*types.Authority
	room  native.Room
}

func (s *session) transaction(i int, t *module.Tx) (module.Result, error) {
	res := module.Result{Gas: gas(t)}
	if res.Gas > t.MaxGas {
		return native.Failed(module.ErrOutOfGas, nil, t.MaxGas), nil
	}
	var auth *types.Authority // as changed; nil: not changed
	for j, a := range t.Actions {
		if name, err := wellFormed(a); err != nil {
			return native.Failed(name, err, res.Gas), nil
		}
		if a.Name == "claim_fees" {
			till, to := s.m.till(t.Account), t.Account
			res.Transfers = append(res.Transfers, module.Transfer{From: module.Party{Escrow: &till}, To: module.Party{Account: &to},
				Amount: module.WholeEscrow, Action: j})
			continue
		}
		if auth == nil {
			now, err := s.load(i, t.Account)
			if err != nil {
				return res, err
			}
			if now == nil {
				return native.Failed(ErrUnrevealed, fmt.Errorf("account %s has no authority in the state", t.Account), res.Gas), nil
			}
			auth = clone(now)
		}
		if name, err := change(auth, a); err != nil {
			return native.Failed(name, err, res.Gas), nil
		}
	}
	if auth != nil {
		name, err := s.validate(i, t.Account, auth)
		if name != "" {
			return native.Failed(name, err, res.Gas), nil
		}
		if err != nil {
			return res, err
		}
		res.Writes = []module.Write{{Item: s.m.auth(t.Account), Data: auth.Encode()}}
		res.Events = []module.Event{native.Event("authority", struct {
			Account types.AccountID `json:"account"`
		}{t.Account})}
		res.Events[0].Accounts = []types.AccountID{t.Account}
	}
	if s.room.Fits(&res) && auth != nil {
		s.known[t.Account] = auth
	}
	return res, nil
}

// validate sorts and judges a changed authority. name is that of what is wrong with it; an error without a name is a failure
// to read.
func (s *session) validate(i int, self types.AccountID, auth *types.Authority) (name string, err error) {
	auth.Sort()
	if err := auth.Validate(); err != nil {
		switch {
		case errors.Is(err, types.ErrThreshold):
			return ErrThreshold, err
		case errors.Is(err, types.ErrCycle):
			return ErrCycle, err
		}
		return ErrPermission, err
	}
	return s.cycles(i, self, auth)
}

func clone(a *types.Authority) *types.Authority {
	c := *a
	c.Permissions = append([]types.Permission(nil), a.Permissions...)
	c.Links = append([]types.Link(nil), a.Links...)
	return &c
}

// change edits the tree; what it leaves is validated as a whole afterwards.
func change(auth *types.Authority, a types.Action) (string, error) {
	switch a.Name {
	case "set_permission":
		b, err := types.DecodePermissionBody(a.Body)
		if err != nil {
			return native.ErrMalformed, err
		}
		if p := auth.Find(b.Permission.Name); p != nil {
			*p = b.Permission
		} else {
			auth.Permissions = append(auth.Permissions, b.Permission)
		}
		if len(auth.Permissions) > types.MaxPermissions {
			return ErrPermission, fmt.Errorf("more than %d permissions", types.MaxPermissions)
		}
	case "delete_permission":
		b, err := types.DecodeNameBody(a.Body)
		if err != nil {
			return native.ErrMalformed, err
		}
		if auth.Find(b.Name) == nil || b.Name == types.OwnerPermission {
			return ErrPermission, fmt.Errorf("permission %q does not exist or cannot be deleted", b.Name)
		}
		keep := auth.Permissions[:0]
		for _, p := range auth.Permissions {
			if p.Name != b.Name {
				keep = append(keep, p)
			}
		}
		auth.Permissions = keep
	case "link":
		b, err := types.DecodeLinkBody(a.Body)
		if err != nil {
			return native.ErrMalformed, err
		}
		unlink(auth, b.Link.Pattern)
		if auth.Links = append(auth.Links, b.Link); len(auth.Links) > types.MaxLinks {
			return ErrPermission, fmt.Errorf("more than %d links", types.MaxLinks)
		}
	case "unlink":
		b, err := types.DecodeNameBody(a.Body)
		if err != nil {
			return native.ErrMalformed, err
		}
		if !unlink(auth, b.Name) {
			return ErrPermission, fmt.Errorf("there is no link %q", b.Name)
		}
	default:
		return native.ErrUnknownAction, fmt.Errorf("account has no action %q", a.Name)
	}
	return "", nil
}

func unlink(auth *types.Authority, pattern string) bool {
	for i, l := range auth.Links {
		if l.Pattern == pattern {
			auth.Links = append(auth.Links[:i], auth.Links[i+1:]...)
			return true
		}
	}
	return false
}

// maxAccounts is how many other accounts an authority may lead to.
const maxAccounts = 64

// cycles refuses an authority that leads back to its own account, or further than the depth allows.
func (s *session) cycles(tx int, self types.AccountID, auth *types.Authority) (string, error) {
	type step struct {
		auth  *types.Authority
		depth int
	}
	queue := []step{{auth, 0}}
	seen := map[types.AccountID]bool{}
	for len(queue) > 0 {
		st := queue[0]
		queue = queue[1:]
		for _, p := range st.auth.Permissions {
			for _, w := range p.Accounts {
				if w.Account == self {
					return ErrCycle, fmt.Errorf("permission %q leads back to %s", p.Name, self)
				}
				if st.depth+1 > types.MaxAccountDepth {
					return ErrTooDeep, fmt.Errorf("more than %d accounts one behind the other", types.MaxAccountDepth)
				}
				if seen[w.Account] {
					continue
				}
				if seen[w.Account] = true; len(seen) > maxAccounts {
					return ErrTooDeep, fmt.Errorf("it leads to more than %d accounts", maxAccounts)
				}
				next, err := s.load(tx, w.Account)
				if err != nil {
					return "", err
				}
				if next != nil {
					queue = append(queue, step{next, st.depth + 1})
				}
			}
		}
	}
	return "", nil
}

func (s *session) load(tx int, id types.AccountID) (*types.Authority, error) {
	if a, ok := s.known[id]; ok {
		return a, nil
	}
	v, err := s.r.Read(s.ctx, tx, []module.Item{s.m.auth(id)})
	if err != nil {
		return nil, err
	}
	var a *types.Authority
	if v[0] != nil {
		if a, err = types.DecodeAuthority(v[0]); err != nil {
			return nil, fmt.Errorf("authority of %s in the state: %w", id, err)
		}
	}
	s.known[id] = a
	return a, nil
}
