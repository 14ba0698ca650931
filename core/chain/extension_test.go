package chain

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// talker is a module that puts so many bytes into each block.
type talker struct {
	module.Module
	bytes int
}

func (m talker) Extend(context.Context, uint64, module.Reader) ([]byte, error) {
	return make([]byte, m.bytes), nil
}

func (talker) Execute(context.Context, *module.Block, module.Reader) (*module.Outcome, error) {
	return &module.Outcome{}, nil
}

// TestExtensions has modules put more into blocks than there is room for. Every block must keep to its limits, and no module that
// there is room for may be kept out of all.
func TestExtensions(t *testing.T) {
	const blocks = 12
	bytes := map[string]int{"long": types.MaxExtensionBytes, "middle": 20 << 10, "short": 300, "excess": types.MaxExtensionBytes + 1, "silent": 0}
	names := []string{"excess", "long", "middle", "short", "silent"}
	for _, c := range []struct {
		limit uint64 // of a block's bytes
		seen  map[string]bool
	}{
		{1 << 20, map[string]bool{"long": true, "middle": true, "short": true}},
		{60 << 10, map[string]bool{"long": true, "middle": true, "short": true}},
		{types.MaxExtensionBytes, map[string]bool{"middle": true, "short": true}},
		{8 << 10, map[string]bool{"short": true}},
		{256, nil},
	} {
		e := newScript()
		k := &kit{t: t, g: testGenesis(), fs: disktest.New(rand.New(rand.NewPCG(1, 1))), store: newMapStore(), net: newFakeNet()}
		k.g.Limits.BlockBytes = c.limit
		k.open(e, true, func(cfg *Config) {
			modules := []ledger.Named{{Name: types.ModuleAccount, Module: account.New(ledger.TillItem, ledger.AuthorityItem)}}
			for _, n := range names {
				modules = append(modules, ledger.Named{Name: n, Module: talker{bytes: bytes[n]}})
			}
			var err error
			if cfg.Ledger, err = ledger.New(ledger.Config{Genesis: k.g, Modules: modules}); err != nil {
				t.Fatal(err)
			}
		})
		k.run()
		s := <-e.runs
		count := map[string]int{}
		for slot := range uint64(blocks) {
			s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: slot + 1, Parent: k.genesis.ID()}}
			b := next[*consensus.Built](t, s)
			if b.Header == nil {
				t.Fatalf("limit %d: no block", c.limit)
			}
			raw := k.node(b.Header.ID()).body
			body, err := types.DecodeBody(raw)
			if err != nil || uint64(len(raw)) > c.limit {
				t.Errorf("limit %d: a body of %d bytes: %v", c.limit, len(raw), err)
				continue
			}
			for _, x := range body.Extensions {
				if count[x.Module]++; len(x.Data) != bytes[x.Module] {
					t.Errorf("limit %d: %d bytes of module %s", c.limit, len(x.Data), x.Module)
				}
			}
		}
		for _, n := range names {
			if (count[n] > 0) != c.seen[n] || n == "short" && c.seen[n] && count[n] != blocks {
				t.Errorf("limit %d: module %s is in %d of %d blocks", c.limit, n, count[n], blocks)
			}
		}
		if err := k.stop(); err != nil {
			t.Error(err)
		}
	}
}
