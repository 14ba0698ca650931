package staking

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const rulesVersion = "1"

// Config is what a chain spec says of elections.
type Config struct {
	SlotMs uint64 // length of a slot, which is a tick of the chain's clock
	Turn   uint64 // consecutive slots of one producer
	Decay  bool   // votes lose half their weight a year against new ones
	Params Params // the first values
}

// Validate checks the configuration.
func (c *Config) Validate() error {
	if c.SlotMs == 0 || c.Turn == 0 {
		return fmt.Errorf("%w: slot of %d ms and turn of %d slots: both must be above 0", ErrParams, c.SlotMs, c.Turn)
	}
	return c.Params.Validate(c.Turn)
}

// weeks is how many whole weeks a clock is after the chain's beginning, for [Factor].
func (c *Config) weeks(clock uint64) uint64 {
	const weekMs = 7 * 24 * 60 * 60 * 1000
	if !c.Decay {
		return 0
	}
	return clock / max(weekMs/c.SlotMs, 1)
}

// Module is an instance for one chain. It may be used concurrently.
type Module struct {
	cfg    Config
	judge  func(raw []byte) (*accusation, error)
	closed atomic.Bool

	mu      sync.Mutex
	offered []*offer
}

var _ module.Module = (*Module)(nil)

// New returns an instance with a configuration that is valid.
func New(cfg Config) *Module { return &Module{cfg: cfg, judge: readEvidence} }

// Close ends the instance. Later calls fail with module.ErrClosed.
func (m *Module) Close() error {
	m.closed.Store(true)
	return nil
}

func (m *Module) open(ctx context.Context, op string) error {
	if m.closed.Load() {
		return fmt.Errorf("staking: %s: %w", op, module.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("staking: %s: %w", op, err)
	}
	return nil
}

// Check implements module.Module.
func (m *Module) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	if err := m.open(ctx, "check"); err != nil {
		return nil, err
	}
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		t := &txs[i]
		orders, err := parse(t)
		if err != nil {
			out[i].Error = nameOf(err)
			continue
		}
		out[i].Gas = gasOf(t)
		seen := map[module.Item]bool{}
		for j := range orders {
			for _, it := range orders[j].reads(t.Account) {
				if !seen[it] && len(out[i].Reads) < module.MaxReadsPerTx {
					seen[it] = true
					out[i].Reads = append(out[i].Reads, it)
				}
			}
		}
		for _, a := range t.Actions {
			if a.MaxSpend > 0 {
				out[i].Facets = append(out[i].Facets, module.Facet{Name: "spend", Amount: a.MaxSpend})
			}
		}
	}
	return out, nil
}

// ValidateParams implements module.Module.
func (m *Module) ValidateParams(ctx context.Context, params map[string][]byte) error {
	if err := m.open(ctx, "validate parameters"); err != nil {
		return err
	}
	_, err := m.cfg.with(params)
	return err
}

// Migrate implements module.Module.
func (m *Module) Migrate(ctx context.Context, from, to string, _ module.Reader) ([]module.Write, error) {
	if err := m.open(ctx, "migrate"); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: staking has no migration from rules %.40q to %.40q; this build has %s", module.ErrUnsupported, from, to, rulesVersion)
}

// accountOf is the account that a genesis seat's key stands for.
func accountOf(key types.PublicKey) types.AccountID { return types.SingleKeyAuthority(key).ID() }
