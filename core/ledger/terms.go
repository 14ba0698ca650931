package ledger

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger/params"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	sdkparams "github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// terms are the parameters in force for a block: those of the state after its parent.
type terms struct {
	fees    fees
	modules map[string]map[string][]byte // what each module sees
	all     map[string][]byte            // what one sees that sees all of them
}

// book finds the terms of a block. It remembers some by the hash of all values, so that a block costs one read as long as no
// parameter changes.
type book struct {
	registry *params.Registry
	items    []state.Item // of the values, in the order of the registry
	first    *terms       // of genesis
	fees     chainspec.Fees
	least    fees // that no change can go below

	mu    sync.Mutex
	known map[types.Hash]*terms
	now   fees // of the block after the last that was executed
}

// maxTerms bounds how many terms are remembered. More than two are asked for only where the state is far behind.
const maxTerms = 8

func newBook(g *chainspec.Genesis) (*book, error) {
	k := &book{registry: params.NewRegistry(g), fees: g.Fees, known: map[types.Hash]*terms{}}
	for _, it := range k.registry.Items() {
		k.items = append(k.items, paramItem(it))
	}
	var err error
	if k.first, err = k.read(k.registry.Genesis()); err != nil {
		return nil, err
	}
	least := map[string][]byte{}
	for _, p := range k.registry.List() {
		if mod, name := p.Split(); mod == chainspec.FeesModule {
			least[name] = p.Min
		}
	}
	f, err := g.Fees.With(least)
	if err != nil {
		return nil, err
	}
	k.least, k.now = feesOf(f), k.first.fees
	return k, nil
}

// clone returns a book of its own that starts with what this one has learned.
func (k *book) clone() *book {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &book{registry: k.registry, items: k.items, first: k.first, fees: k.fees, least: k.least, known: maps.Clone(k.known), now: k.now}
}

func paramItem(it module.Item) state.Item {
	return state.Item{Module: sdkparams.Module, Place: it.Place, Key: it.Key}
}

func feesOf(f chainspec.Fees) fees { return fees{f.PerByte, f.PerGas, f.Floor, f.BurnPPM} }

func (k *book) read(v params.Values) (*terms, error) {
	t := &terms{modules: k.registry.ByModule(v), all: map[string][]byte{}}
	for i, p := range k.registry.List() {
		t.all[p.Name] = v[i].JSON
	}
	f, err := k.fees.With(t.modules[chainspec.FeesModule])
	t.fees = feesOf(f)
	return t, err
}

// at returns the terms of a block whose parent left the state view.
func (k *book) at(ctx context.Context, view View) (*terms, error) {
	if len(k.items) == 0 {
		return k.first, nil
	}
	v, err := view.Get(ctx, []state.Item{termsItem()})
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return k.of(ctx, view, v[0])
}

// termsItem is the one that tells which terms are in force.
func termsItem() state.Item { return paramItem(params.SetItem()) }

// of returns the terms of a state which holds raw at termsItem.
func (k *book) of(ctx context.Context, view View, raw []byte) (*terms, error) {
	if raw == nil {
		return k.first, nil
	}
	h, err := types.HashFromBytes(raw)
	if err != nil {
		return nil, fmt.Errorf("parameters in the state: %w", err)
	}
	k.mu.Lock()
	t := k.known[h]
	k.mu.Unlock()
	if t != nil {
		return t, nil
	}
	list, err := view.Get(ctx, k.items)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return k.learn(h, list)
}

// learn remembers the terms that the values of all parameters make, as the state holds them.
func (k *book) learn(h types.Hash, list [][]byte) (*terms, error) {
	values, err := k.registry.Values(list)
	if err != nil {
		return nil, err
	}
	t, err := k.read(values)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxTerms {
		clear(k.known)
	}
	k.known[h] = t
	return t, nil
}

// follow notes the fees of the block after one that is executed, with its own terms t on the state view.
func (k *book) follow(ctx context.Context, view View, t *terms, changes map[state.Item][]byte) error {
	if raw, ok := changes[termsItem()]; ok {
		h, err := types.HashFromBytes(raw)
		if err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
		list, err := view.Get(ctx, k.items)
		if err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
		for i, it := range k.items {
			if v, ok := changes[it]; ok {
				list[i] = v
			}
		}
		if t, err = k.learn(h, list); err != nil {
			return err
		}
	}
	k.mu.Lock()
	k.now = t.fees
	k.mu.Unlock()
	return nil
}

func (k *book) current() fees {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

// Fees returns the price list of the block after the last that was executed: what admission and clients go by. What a block
// costs is decided by the state after its parent.
func (l *Ledger) Fees() chainspec.Fees {
	f := l.book.current()
	return chainspec.Fees{PerByte: f.PerByte, PerGas: f.PerGas, Floor: f.Floor, BurnPPM: f.BurnPPM}
}

// params returns what a module sees of the parameters, in a map of its own.
func (t *terms) params(m Named) map[string][]byte {
	if m.AllParams {
		return maps.Clone(t.all)
	}
	return maps.Clone(t.modules[m.Name])
}
