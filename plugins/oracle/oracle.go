package prophecy

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Oracle is an instance for one chain: a module.Module and an oracle.Observer. The rules keep nothing between calls, so it may
// be used concurrently; what this node itself believes is with its voter.
type Oracle struct {
	chain  types.ChainID
	terms  oracle.Terms
	voter  *voter // nil: this instance has no ballots
	closed atomic.Bool
}

var (
	_ module.Module   = (*Oracle)(nil)
	_ oracle.Observer = (*Oracle)(nil)
)

// New returns an instance with terms that are valid.
func New(chain types.ChainID, terms oracle.Terms) *Oracle { return &Oracle{chain: chain, terms: terms} }

// Terms returns the conditions on which questions are asked.
func (o *Oracle) Terms() oracle.Terms { return o.terms }

// Close ends the instance. Later calls fail with module.ErrClosed or oracle.ErrClosed.
func (o *Oracle) Close() error {
	if o.closed.Swap(true) || o.voter == nil {
		return nil
	}
	return o.voter.Close()
}

func (o *Oracle) open(ctx context.Context, op string) error {
	if o.closed.Load() {
		return fmt.Errorf("%s: %s: %w", pluginName, op, module.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %s: %w", pluginName, op, err)
	}
	return nil
}

// Check implements module.Module.
func (o *Oracle) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	if err := o.open(ctx, "check"); err != nil {
		return nil, err
	}
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		t := &txs[i]
		orders, err := parse(o.chain, t)
		if err != nil {
			out[i].Error = string(nameOf(err))
			continue
		}
		out[i].Gas = gasOf(t)
		for j := range orders {
			out[i].Reads = append(out[i].Reads, oracle.Item(orders[j].question(o.chain, t, j)))
		}
		for _, a := range t.Actions {
			if a.MaxSpend > 0 && len(out[i].Facets) < module.MaxFacets {
				out[i].Facets = append(out[i].Facets, module.Facet{Name: "spend", Amount: a.MaxSpend})
			}
		}
	}
	return out, nil
}

// Extend implements module.Module: the ballots that this node's producer has to cast, see oracle.EncodeBallots.
func (o *Oracle) Extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	if err := o.open(ctx, "extend"); err != nil || o.voter == nil {
		return nil, err
	}
	return o.voter.extend(ctx, slot, r)
}

// ValidateParams implements module.Module. The oracle's terms are part of the genesis document; none of them is a parameter.
func (o *Oracle) ValidateParams(ctx context.Context, params map[string][]byte) error {
	if err := o.open(ctx, "validate parameters"); err != nil {
		return err
	}
	first := ""
	for name := range params {
		if strings.HasPrefix(name, oracle.ModuleName+".") && (first == "" || name < first) {
			first = name
		}
	}
	if first != "" {
		return fmt.Errorf("%w: %.80q: rules version %s of the oracle has no parameters", module.ErrBadParams, first, rulesVersion)
	}
	return nil
}

// Migrate implements module.Module.
func (o *Oracle) Migrate(ctx context.Context, from, to string, _ module.Reader) ([]module.Write, error) {
	if err := o.open(ctx, "migrate"); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: the oracle has no migration from rules %.40q to %.40q", module.ErrUnsupported, from, to)
}
