package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
)

// What stands between the ledger and a module, from the inside: the guard, the counter, and, where the ledger is paranoid, the
// second question.

// wrap makes a module fit to be asked.
func (cfg *Config) wrap(m Named) Named {
	ask := func(x module.Module) module.Module {
		g := module.Guard(x)
		if cfg.Called == nil {
			return g
		}
		return &counted{m: g, called: func(method string) { cfg.Called(m.Name, method) }}
	}
	out := Named{Name: m.Name, AllParams: m.AllParams, Module: ask(m.Module)}
	if cfg.Paranoid {
		second := out.Module
		if m.Second != nil {
			second = ask(m.Second)
		}
		out.Module = &twice{Module: out.Module, second: second, name: m.Name}
	}
	return out
}

// exports copies the configured exports, and checks that they are those of modules.
func (cfg *Config) exports(names map[string]bool) (map[string][]string, error) {
	out := make(map[string][]string, len(cfg.Exports))
	for name, prefixes := range cfg.Exports {
		if !names[name] {
			return nil, fmt.Errorf("exports of %q, which is no module of this chain", name)
		}
		for _, p := range prefixes {
			if len(p) > module.MaxKeyBytes {
				return nil, fmt.Errorf("module %q exports a prefix of %d bytes, at most %d", name, len(p), module.MaxKeyBytes)
			}
		}
		out[name] = slices.Clone(prefixes)
	}
	return out, nil
}

// exported tells whether other modules may read an item that names its module.
func (l *Ledger) exported(it module.Item) bool {
	for _, p := range l.exports[it.Module] {
		if strings.HasPrefix(it.Key, p) {
			return true
		}
	}
	return false
}

// stateItem is where an item lies that the module mod names.
func stateItem(mod string, it module.Item) state.Item {
	if it.Module != "" {
		mod = it.Module
	}
	return state.Item{Module: mod, Place: it.Place, Key: it.Key}
}

// With returns the same ledger with another instance of one module, which is neither counted nor asked twice; a ledger that has
// no such module is returned as it is. It is for finding out what a module does not survive: nothing that it does shows
// in the other.
func (l *Ledger) With(name string, m module.Module) *Ledger {
	i := l.group(name)
	if i < 0 {
		return l
	}
	out := *l
	out.book = l.book.clone()
	out.modules = slices.Clone(l.modules)
	out.modules[i].Module = module.Guard(m)
	return &out
}

// counted tells of every call of a module.
type counted struct {
	m      module.Module
	called func(method string)
}

// Check implements module.Module.
func (c *counted) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	c.called("check")
	return c.m.Check(ctx, txs)
}

// Execute implements module.Module.
func (c *counted) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	c.called("execute")
	return c.m.Execute(ctx, b, &countedReader{r, c})
}

// Extend implements module.Module.
func (c *counted) Extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	c.called("extend")
	return c.m.Extend(ctx, slot, &countedReader{r, c})
}

// Query implements module.Module.
func (c *counted) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	c.called("query")
	return c.m.Query(ctx, q, &countedReader{r, c})
}

// ValidateParams implements module.Module.
func (c *counted) ValidateParams(ctx context.Context, params map[string][]byte) error {
	c.called("validate_params")
	return c.m.ValidateParams(ctx, params)
}

// Migrate implements module.Module.
func (c *counted) Migrate(ctx context.Context, from, to string, r module.Reader) ([]module.Write, error) {
	c.called("migrate")
	return c.m.Migrate(ctx, from, to, &countedReader{r, c})
}

type countedReader struct {
	r module.Reader
	c *counted
}

// Read implements module.Reader.
func (r *countedReader) Read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	r.c.called("read")
	return r.r.Read(ctx, tx, items)
}

// Scan implements module.Reader.
func (r *countedReader) Scan(ctx context.Context, tx int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	r.c.called("scan")
	return r.r.Scan(ctx, tx, start, end, limit)
}
