package ledger

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"strings"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Named is a module under the name by which transactions speak to it.
type Named struct {
	Name   string
	Module module.Module
	// Second is the instance that is asked the second time where the ledger is paranoid; nil: Module is asked twice.
	Second module.Module
	// AllParams lets the module see all parameters of the chain, under their full names, "MODULE.NAME", instead of its own.
	AllParams bool
}

// Config is what a ledger is made from.
type Config struct {
	Genesis *chainspec.Genesis
	Modules []Named // in the order of execution; the account module first
	// Consensus is the name of the module of the consensus plugin, which executes every block; empty if it has none.
	Consensus string
	// Exports are, by module, the prefixes of the keys that all other modules may read; an empty prefix is all keys.
	Exports map[string][]string
	// Called, if not nil, is told of every call of a module: of its name, and of check, execute, extend, query, validate_params,
	// migrate, or, for each time that the module asks for state meanwhile, read or scan. It may be called concurrently and must
	// not block.
	Called func(module, method string)
	// Paranoid asks every module twice what decides a block, and takes a difference for a failure, [ErrDiffers].
	Paranoid bool
}

// Ledger is the state machine of one chain. It holds nothing of its own that decides anything, and may be used concurrently.
type Ledger struct {
	chain   types.ChainID
	genesis *chainspec.Genesis
	limits  limits
	book    *book
	modules []Named
	exports map[string][]string

	consensus string
}

type limits struct{ BlockBytes, TxBytes, BlockGas uint64 }

type fees struct{ PerByte, PerGas, Floor, BurnPPM uint64 }

// New makes a ledger. It puts every module behind [module.Guard], so that what a module may answer is judged by the same code
// wherever the module runs; the ledger itself looks only at what needs the state.
func New(cfg Config) (*Ledger, error) {
	g := cfg.Genesis
	if len(cfg.Modules) == 0 || cfg.Modules[0].Name != AccountModule {
		return nil, fmt.Errorf("ledger: the first module must be %q", AccountModule)
	}
	seen := map[string]bool{}
	modules := make([]Named, len(cfg.Modules))
	for i, m := range cfg.Modules {
		if m.Name == "" || len(m.Name) > types.MaxNameBytes || strings.ContainsRune(m.Name, 0) || seen[m.Name] {
			return nil, fmt.Errorf("ledger: bad or repeated module name %q", m.Name)
		}
		seen[m.Name] = true
		modules[i] = cfg.wrap(m)
	}
	exports, err := cfg.exports(seen)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	book, err := newBook(g)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{
		chain: g.ID(), genesis: g, modules: modules, exports: exports, consensus: cfg.Consensus,
		limits: limits{g.Limits.BlockBytes, g.Limits.TxBytes, g.Limits.BlockGas},
		book:   book,
	}, nil
}

// Chain returns the chain's id.
func (l *Ledger) Chain() types.ChainID { return l.chain }

// MaxBlockGas is the most that the max_gas of a block's transactions may sum to.
func (l *Ledger) MaxBlockGas() uint64 { return l.limits.BlockGas }

// MaxBlockBytes is the most that a block's encoded body may have.
func (l *Ledger) MaxBlockBytes() uint64 { return l.limits.BlockBytes }

// LeastFee is the fee of a transaction of size bytes whose gas is free, by the price list of [Ledger.Fees].
func (l *Ledger) LeastFee(size int) uint64 { return l.book.current().of(size, 0) }

// ModuleNames returns the names of the modules in the order of execution.
func (l *Ledger) ModuleNames() []string {
	out := make([]string, len(l.modules))
	for i, m := range l.modules {
		out[i] = m.Name
	}
	return out
}

// Module returns the module with a name, or nil.
func (l *Ledger) Module(name string) module.Module {
	if i := l.group(name); i >= 0 {
		return l.modules[i].Module
	}
	return nil
}

func (l *Ledger) group(name string) int {
	for i := range l.modules {
		if l.modules[i].Name == name {
			return i
		}
	}
	return -1
}

// ValidateGenesis asks every module that has parameters about those of the genesis document. It fails with an error that wraps
// module.ErrBadParams and names the module if one of them refuses its own.
func (l *Ledger) ValidateGenesis(ctx context.Context) error {
	for _, m := range l.modules {
		set := l.book.first.modules[m.Name]
		if len(set) == 0 {
			continue
		}
		if err := m.Module.ValidateParams(ctx, maps.Clone(set)); err != nil {
			return fmt.Errorf("the genesis document's parameters of module %q: %w", m.Name, err)
		}
	}
	return nil
}

// GenesisChanges is the state after the genesis block.
func (l *Ledger) GenesisChanges() ([]state.Change, error) {
	accounts := map[types.AccountID]*Account{}
	var order []types.AccountID
	var sum uint64
	for _, al := range l.genesis.Allocations {
		a := accounts[al.Account]
		if a == nil {
			a = &Account{}
			accounts[al.Account] = a
			order = append(order, al.Account)
		}
		var carry uint64
		if sum, carry = bits.Add64(sum, al.Amount, 0); carry != 0 {
			return nil, fmt.Errorf("genesis: %w: allocations", ErrOverflow)
		}
		a.Balance += al.Amount
		if v := al.Vesting; v != nil {
			if len(a.Vesting) == maxVestings {
				return nil, fmt.Errorf("genesis: account %s has more than %d vesting schedules", al.Account, maxVestings)
			}
			a.Vesting = append(a.Vesting, Vesting{Total: al.Amount, Cliff: v.Cliff, Duration: v.Duration, Step: v.Step})
		}
	}
	if sum != l.genesis.Supply {
		return nil, fmt.Errorf("genesis: allocations sum to %d, the supply is %d", sum, l.genesis.Supply)
	}
	out := make([]state.Change, 0, len(order))
	for _, id := range order {
		out = append(out, state.Change{Item: balanceItem(id), Value: accounts[id].encode()})
	}
	return out, nil
}
