//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// moody is a module that does what a query's path, or the body of the first action, says: words, each of which may have
// "-once" at its end, and is then heeded once in the life of the folder.
type moody struct {
	module.Module // what it does not do itself
	f             *fileStore
}

func newMoody(dir string) *moody { return &moody{moduletest.NewTally(), &fileStore{dir: dir}} }

func (m *moody) obey(ctx context.Context, orders string, r module.Reader) error {
	for _, word := range strings.Fields(orders) {
		if short, ok := strings.CutSuffix(word, "-once"); ok {
			if !m.f.first(strings.ReplaceAll(orders, " ", "_") + "." + word) {
				continue
			}
			word = short
		}
		switch word {
		case "ok":
		case "hang":
			sleepForever()
		case "wait": // tells the test, and until nobody wants to know any more
			if _, err := m.f.tell("here"); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		case "stay": // as wait, but for ever
			if _, err := m.f.tell("here"); err != nil {
				return err
			}
			sleepForever()
		case "panic":
			panic("in a mood")
		case "exit":
			fmt.Fprintln(os.Stderr, "moody: farewell")
			os.Exit(9)
		case "fail":
			return errors.New("not in the mood")
		case "closed":
			return module.ErrClosed
		case "unknown":
			return plugin.ErrUnknownInstance
		case "read":
			if _, err := r.Read(ctx, module.BlockTx, []module.Item{{Key: "k"}}); err != nil {
				return fmt.Errorf("could not read: %w", err)
			}
		case "read200":
			items := make([]module.Item, 200)
			for n := range items {
				items[n].Key = fmt.Sprint(n)
			}
			if _, err := r.Read(ctx, 0, items); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unknown order %q", word)
		}
	}
	return nil
}

func (m *moody) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	body := string(txs[0].Actions[0].Body)
	if strings.HasPrefix(body, "big") && (!strings.HasSuffix(body, "-once") || m.f.first(body)) {
		return []module.TxCheck{{Facets: []module.Facet{{Name: strings.Repeat("x", module.MaxMessage)}}}}, nil
	}
	if !strings.HasPrefix(body, "big") {
		if err := m.obey(ctx, body, nil); err != nil {
			return nil, err
		}
	}
	return make([]module.TxCheck, len(txs)), nil
}

func (m *moody) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	if string(b.Txs[0].Actions[0].Body) == "fault" {
		return &module.Outcome{}, nil
	}
	if err := m.obey(ctx, string(b.Txs[0].Actions[0].Body), r); err != nil {
		return nil, err
	}
	return &module.Outcome{Txs: make([]module.Result, len(b.Txs))}, nil
}

func (m *moody) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	return module.Answer{JSON: []byte("1")}, m.obey(ctx, q.Path, r)
}

func (m *moody) Extend(ctx context.Context, _ uint64, r module.Reader) ([]byte, error) {
	return []byte("x"), m.obey(ctx, "fail", r)
}

func (m *moody) ValidateParams(ctx context.Context, params map[string][]byte) error {
	if o, ok := params["bad"]; ok {
		return fmt.Errorf("%w: %s", module.ErrBadParams, o)
	}
	return m.obey(ctx, string(params["order"]), nil)
}

// moodySpec is the spec of the moody module in a folder.
func moodySpec(dir string) Spec {
	return Spec{Name: "moody", Builtin: true, DataDir: dir, Kinds: []plugin.Kind{plugin.Module}}
}

func openMoody(t testing.TB, p *Process, chain string) *Instance {
	t.Helper()
	i, err := p.Open(testCtx(t), plugin.OpenRequest{Kind: plugin.Module, ChainName: chain, DataDir: filepath.Join(p.spec.DataDir, chain)}, nil)
	require.NoError(t, err)
	return i
}

func moodyTxs(order string) []module.Tx {
	return []module.Tx{{MaxGas: 1, Actions: []types.Action{{Name: "do", Body: []byte(order)}}}}
}

// execute lets a module execute a block with an order in it.
func execute(ctx context.Context, i *Instance, order string, r module.Reader) error {
	_, err := module.Guard(i.Module()).Execute(ctx, &module.Block{Height: 1, Txs: moodyTxs(order)}, r)
	return err
}

func query(ctx context.Context, i *Instance, order string) error {
	_, err := i.Module().Query(ctx, module.Query{Path: order}, answers{})
	return err
}

// answers is a Reader that knows nothing, or fails.
type answers struct {
	err  error
	wait func()
}

func (a answers) Read(_ context.Context, _ int, items []module.Item) ([][]byte, error) {
	if a.wait != nil {
		a.wait()
	}
	return make([][]byte, len(items)), a.err
}

func (a answers) Scan(context.Context, int, module.Item, module.Item, int) ([]module.Value, bool, error) {
	return nil, false, a.err
}
