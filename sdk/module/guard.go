package module

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Guard returns a Module that asks m and checks all that the core need not take on trust and that can be seen without the
// state: counts, sizes, indices, sources of transfers, what is read. An illegal answer becomes an error that wraps
// [ErrFault]; a failure of the Reader ends the call with the Reader's error, whatever m makes of it. What [NewClient]
// returns is guarded already, and so is what has a method Guarded: something that guards each of several attempts at a call by
// itself, over which a guard must not go on counting reads.
func Guard(m Module) Module {
	if g, ok := m.(interface {
		Module
		Guarded()
	}); ok {
		return g
	}
	return &guard{m}
}

// Guarded says that this is guarded.
func (*guard) Guarded() {}

type guard struct{ m Module }

// Check implements [Module].
func (g *guard) Check(ctx context.Context, txs []Tx) ([]TxCheck, error) {
	checks, err := g.m.Check(ctx, txs)
	if err == nil {
		err = CheckChecks(txs, checks)
	}
	if err != nil {
		return nil, err
	}
	return checks, nil
}

// Execute implements [Module].
func (g *guard) Execute(ctx context.Context, b *Block, r Reader) (*Outcome, error) {
	m := newMeter(r, len(b.Txs), MaxBlockReads)
	o, err := g.m.Execute(ctx, b, m)
	if err = m.verdict(err); err == nil {
		err = CheckOutcome(b, o)
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Extend implements [Module].
func (g *guard) Extend(ctx context.Context, slot uint64, r Reader) ([]byte, error) {
	m := newMeter(r, 0, MaxQueryReads)
	x, err := g.m.Extend(ctx, slot, m)
	if err = m.verdict(err); err == nil && len(x) > types.MaxExtensionBytes {
		err = faultf("extend: %d bytes, at most %d", len(x), types.MaxExtensionBytes)
	}
	if err != nil || len(x) == 0 {
		return nil, err
	}
	return x, nil
}

// Query implements [Module].
func (g *guard) Query(ctx context.Context, q Query, r Reader) (Answer, error) {
	m := newMeter(r, 0, MaxQueryReads)
	a, err := g.m.Query(ctx, q, m)
	if err = m.verdict(err); err == nil {
		err = checkAnswer(&a)
	}
	if err != nil {
		return Answer{}, err
	}
	return a, nil
}

// ValidateParams implements [Module].
func (g *guard) ValidateParams(ctx context.Context, params map[string][]byte) error {
	return g.m.ValidateParams(ctx, params)
}

// Migrate implements [Module].
func (g *guard) Migrate(ctx context.Context, from, to string, r Reader) ([]Write, error) {
	m := newMeter(r, 0, MaxMigrateReads)
	w, err := g.m.Migrate(ctx, from, to, m)
	if err = m.verdict(err); err == nil {
		err = checkMigration(w)
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}
