// Command names is a plugin of kind module: first come, first served names. Whoever claims one can keep a note with it that
// nobody else is shown, give it to somebody, or give it up. Bodies of actions are text, so that they can be typed:
//
//	claim     alice                for a deposit, which lies in escrow with the name
//	note      alice=what I like    at most 256 bytes
//	transfer  alice=alto1…         without the note; the deposit goes with the name
//	release   alice                and the deposit goes back to the owner
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func main() { sdk.Serve(names{}) }

// names is the plugin, and, with the settings of a chain, an instance of it.
type names struct{ deposit uint64 }

func (names) Describe() plugin.Info {
	return plugin.Info{Name: "names", Version: "0.2.0", API: plugin.API, Kinds: []plugin.KindInfo{{
		Kind: plugin.Module, Rules: []string{"2"},
		Exports: []string{"n/"}, // other modules may read whose a name is
		Schema: plugin.Schema{Attributes: []plugin.Attribute{
			{Name: "deposit", Type: plugin.Amount, Default: "0", ConsensusCritical: true, Description: "what a claim puts into escrow until the name is given up"},
		}},
	}}}
}

func (names) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	var cfg struct {
		Deposit json.Number `json:"deposit"`
	}
	dec := json.NewDecoder(bytes.NewReader(req.Config))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		return nil, fmt.Errorf("names: settings: %w: %w", plugin.ErrBadConfig, err)
	}
	deposit, err := strconv.ParseUint(cfg.Deposit.String(), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("names: deposit %q: %w: %w", cfg.Deposit, plugin.ErrBadConfig, err)
	}
	return names{deposit}, nil
}

// Check says which transactions are well formed, and what they will read.
func (n names) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		a, wrong := parse(&txs[i])
		if out[i].Error = wrong; wrong == "" {
			out[i] = module.TxCheck{Reads: []module.Item{owned(a.name), noted(a.name)}, Gas: gas}
		}
	}
	return out, nil
}

// Execute computes a block. The values that Check asked for have come with it; what the block changes itself is kept in now, as
// the state is shown as it was at the start of the block.
func (n names) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	now := map[module.Item][]byte{}
	for _, v := range b.Values {
		now[v.Item] = v.Data
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i := range b.Txs {
		t, res := &b.Txs[i], &out.Txs[i]
		a, wrong := parse(t) // again: a block may hold what this node has never checked
		if wrong == "" {
			*res = n.do(t, a, now)
		} else {
			res.Error = wrong
		}
		res.Gas = min(gas, t.MaxGas)
		for _, w := range res.Writes {
			now[w.Item] = w.Data
		}
	}
	return out, nil
}

// do is what one transaction does, as things stand.
func (n names) do(t *module.Tx, a action, now map[module.Item][]byte) module.Result {
	it, me := owned(a.name), t.Account
	owner, taken := accountOf(now[it])
	switch {
	case a.kind == "claim" && taken:
		return module.Result{Error: "ErrTaken", Detail: a.name + " belongs to " + owner.String()}
	case a.kind != "claim" && (!taken || owner != me):
		return module.Result{Error: "ErrNotOwner"}
	case a.kind == "claim" && t.Actions[0].MaxSpend < n.deposit:
		return module.Result{Error: "ErrDeposit", Detail: fmt.Sprintf("a claim takes a deposit of %d", n.deposit)}
	}
	var res module.Result
	switch a.kind {
	case "claim":
		res.Writes = []module.Write{{Item: it, Data: me[:]}}
		if n.deposit > 0 {
			res.Transfers = []module.Transfer{{From: module.Party{Account: &me}, To: module.Party{Escrow: &it}, Amount: n.deposit}}
		}
	case "note":
		return module.Result{Writes: []module.Write{{Item: noted(a.name), Data: []byte(a.text)}}} // an event would tell it to everybody
	case "transfer":
		res.Writes = []module.Write{{Item: it, Data: a.to[:]}, {Item: noted(a.name)}}
	case "release":
		res.Writes = []module.Write{{Item: it}, {Item: noted(a.name)}}
		if n.deposit > 0 {
			res.Transfers = []module.Transfer{{From: module.Party{Escrow: &it}, To: module.Party{Account: &me}, Amount: module.WholeEscrow}}
		}
	}
	e := module.Event{Name: a.kind, Data: fmt.Appendf(nil, `{"name":%q}`, a.name), Accounts: []types.AccountID{me}}
	if a.kind == "transfer" {
		e.Data, e.Accounts = fmt.Appendf(nil, `{"name":%q,"to":%q}`, a.name, a.to), append(e.Accounts, a.to)
	}
	res.Events = []module.Event{e}
	return res
}

func (names) Extend(context.Context, uint64, module.Reader) ([]byte, error) { return nil, nil }
func (names) ValidateParams(context.Context, map[string][]byte) error       { return nil }
func (names) Migrate(context.Context, string, string, module.Reader) ([]module.Write, error) {
	return nil, module.ErrUnsupported
}
