// Command names is a plugin of kind module: first come, first served names. Transactions claim a name; queries tell whose it is.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func main() { sdk.Serve(names{}) }

// names is the plugin, and its only instance: it holds nothing, so one serves every chain.
type names struct{}

func (names) Describe() plugin.Info {
	return plugin.Info{Name: "names", Version: "0.1.0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: plugin.Module, Rules: []string{"1"}}}}
}

func (n names) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) { return n, nil }

// gas of a claim. It must be the same everywhere; the core charges at least one for each byte of the transaction.
const gas = 2_000

// item is where a name lies: anywhere in the state, so that claims spread over it.
func item(name []byte) module.Item {
	h := sha256.Sum256(name)
	return module.Item{Place: types.Place(h[:8]), Key: string(name)}
}

// wrong names what is wrong with a transaction whatever the state is; "" if nothing. Check and Execute ask alike.
func wrong(t *module.Tx) string {
	switch {
	case len(t.Actions) != 1 || t.Actions[0].Name != "claim":
		return "ErrUnknownAction"
	case len(t.Actions[0].Body) == 0 || len(t.Actions[0].Body) > 32:
		return "ErrBadName"
	case t.MaxGas < gas:
		return module.ErrOutOfGas
	}
	return ""
}

// Check says which transactions are well formed, and what they will read.
func (names) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		if out[i].Error = wrong(&txs[i]); out[i].Error == "" {
			out[i] = module.TxCheck{Reads: []module.Item{item(txs[i].Actions[0].Body)}, Gas: gas}
		}
	}
	return out, nil
}

// Execute computes a block. The values that Check asked for have come with it; what the block changes itself is kept in taken.
func (names) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	taken := map[module.Item]bool{}
	for _, v := range b.Values {
		taken[v.Item] = v.Data != nil
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i := range b.Txs {
		t, res := &b.Txs[i], &out.Txs[i]
		if res.Gas = min(gas, t.MaxGas); wrong(t) != "" {
			res.Error = wrong(t)
			continue
		}
		it := item(t.Actions[0].Body)
		if taken[it] {
			res.Error = "ErrTaken"
			continue
		}
		taken[it] = true
		res.Writes = []module.Write{{Item: it, Data: t.Account[:]}}
	}
	return out, nil
}

// Query answers "owner/NAME" with the account that has claimed the name, or null.
func (names) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	name, ok := strings.CutPrefix(q.Path, "owner/")
	if !ok || name == "" || len(name) > 32 {
		return module.Answer{}, fmt.Errorf("%w: %q; names has owner/NAME", module.ErrUnknownPath, q.Path)
	}
	it := item([]byte(name))
	v, err := r.Read(ctx, module.BlockTx, []module.Item{it})
	if err != nil {
		return module.Answer{}, err
	}
	var owner *types.AccountID
	if len(v[0]) == len(owner) {
		owner = (*types.AccountID)(v[0])
	}
	b, err := json.Marshal(map[string]any{"owner": owner})
	return module.Answer{JSON: b, RestsOn: []module.Item{it}}, err
}

func (names) Extend(context.Context, uint64, module.Reader) ([]byte, error) { return nil, nil }
func (names) ValidateParams(context.Context, map[string][]byte) error       { return nil }
func (names) Migrate(context.Context, string, string, module.Reader) ([]module.Write, error) {
	return nil, module.ErrUnsupported
}
