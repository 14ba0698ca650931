package host

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Module returns the instance's module face, which outlives its process. All its methods may be called again, so a block
// that was being executed when the process died is executed again in the next. It panics if the instance has no module
// face, which the description says.
func (i *Instance) Module() module.Module {
	if m, ok := localAs[module.Module](i, plugin.Module); ok {
		return m
	}
	return rules{i}
}

type rules struct{ i *Instance }

func (m rules) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	return call(ctx, m.i, "module.Check", module.NewClient, func(ctx context.Context, c module.Module) ([]module.TxCheck, error) {
		return c.Check(ctx, txs)
	})
}

func (m rules) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	return call(ctx, m.i, "module.Execute", module.NewClient, func(ctx context.Context, c module.Module) (*module.Outcome, error) {
		return c.Execute(ctx, b, r)
	})
}

func (m rules) Extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	return call(ctx, m.i, "module.Extend", module.NewClient, func(ctx context.Context, c module.Module) ([]byte, error) {
		return c.Extend(ctx, slot, r)
	})
}

func (m rules) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	return call(ctx, m.i, "module.Query", module.NewClient, func(ctx context.Context, c module.Module) (module.Answer, error) {
		return c.Query(ctx, q, r)
	})
}

func (m rules) ValidateParams(ctx context.Context, params map[string][]byte) error {
	_, err := call(ctx, m.i, "module.ValidateParams", module.NewClient, func(ctx context.Context, c module.Module) (struct{}, error) {
		return struct{}{}, c.ValidateParams(ctx, params)
	})
	return err
}

func (m rules) Migrate(ctx context.Context, from, to string, r module.Reader) ([]module.Write, error) {
	return call(ctx, m.i, "module.Migrate", module.NewClient, func(ctx context.Context, c module.Module) ([]module.Write, error) {
		return c.Migrate(ctx, from, to, r)
	})
}
