// Package bank is the native module that moves tokens: transfer and burn, any number of them in one transaction, all or
// nothing.
package bank

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Module implements module.Module.
type Module struct{ native.Base }

// New returns the module.
func New() Module { return Module{native.Base{Name: types.ModuleBank}} }

// ErrOverflow is the name of the error of a transaction whose amounts sum to more than 64 bits hold.
const ErrOverflow = "ErrOverflow"

// payment is one action, decoded.
type payment struct {
	to     types.AccountID
	amount uint64
}

func decode(a types.Action) (payment, string, error) {
	var p payment
	switch a.Name {
	case "transfer":
		b, err := types.DecodeTransferBody(a.Body)
		if err != nil {
			return p, native.ErrMalformed, err
		}
		if b.To == types.BurnAccount {
			return p, native.ErrMalformed, fmt.Errorf("the burn account takes no transfers; use burn")
		}
		p = payment{b.To, b.Amount}
	case "burn":
		b, err := types.DecodeBurnBody(a.Body)
		if err != nil {
			return p, native.ErrMalformed, err
		}
		p = payment{types.BurnAccount, b.Amount}
	default:
		return p, native.ErrUnknownAction, fmt.Errorf("bank has no action %q; it has transfer and burn", a.Name)
	}
	if p.amount > a.MaxSpend {
		return p, native.ErrSpend, fmt.Errorf("amount %d is above the action's max_spend %d", p.amount, a.MaxSpend)
	}
	return p, "", nil
}

// gas of a transaction; ok is false if its max_gas does not cover it.
func gas(t *module.Tx) (g uint64, ok bool) {
	g = types.GasTransfer * uint64(len(t.Actions))
	return g, g <= t.MaxGas
}

// Check implements module.Module. The facets are "spend", all that is moved, and "recipient" for each action. Where a
// transaction has more recipients than facets can name it names none: a predicate on recipients cannot hold of it.
func (Module) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		out[i] = check(&txs[i])
	}
	return out, nil
}

func check(t *module.Tx) module.TxCheck {
	g, ok := gas(t)
	if !ok {
		return module.TxCheck{Error: module.ErrOutOfGas}
	}
	c := module.TxCheck{Gas: g, Facets: make([]module.Facet, 1, 1+min(len(t.Actions), module.MaxFacets))}
	var sum uint64
	for _, a := range t.Actions {
		p, name, err := decode(a)
		if err != nil {
			return module.TxCheck{Error: name}
		}
		if sum += p.amount; sum < p.amount {
			return module.TxCheck{Error: ErrOverflow}
		}
		if len(t.Actions) < module.MaxFacets {
			c.Facets = append(c.Facets, module.Facet{Name: "recipient", Amount: p.amount, Account: &p.to})
		}
	}
	c.Facets[0] = module.Facet{Name: "spend", Amount: sum}
	return c
}

// Execute implements module.Module.
func (Module) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	var room native.Room
	for i := range b.Txs {
		out.Txs[i] = execute(&b.Txs[i])
		room.Fits(&out.Txs[i])
	}
	return out, nil
}

func execute(t *module.Tx) module.Result {
	g, ok := gas(t)
	if !ok {
		return native.Failed(module.ErrOutOfGas, nil, t.MaxGas)
	}
	r := module.Result{Gas: g, Transfers: make([]module.Transfer, 0, len(t.Actions))}
	from := t.Account
	for j, a := range t.Actions {
		p, name, err := decode(a)
		if err != nil {
			return native.Failed(name, err, g)
		}
		r.Transfers = append(r.Transfers, module.Transfer{From: module.Party{Account: &from}, To: module.Party{Account: &p.to},
			Amount: p.amount, Action: j})
	}
	return r
}
