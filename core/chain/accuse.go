package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Probe opens an instance of a module that has a process of its own and has seen nothing of the chain; what becomes of it counts for
// nobody else. close ends it.
type Probe func(ctx context.Context, module string) (m module.Module, close func(), err error)

// Bounds of a search.
const (
	probeTimeout  = 5 * time.Second
	searchTimeout = 2 * time.Minute
)

// mended is what goes on with a chain whose module does not survive a block.
const mended = "to go on, put a good build of its plugin in place, with the same rules (alto plugin lock), and start the node again: " +
	"it goes on with this block"

// accuse turns the error of an execution that came to nothing because of a module into the one that the chain halts with: it names
// the module, the block, what of it the module does not survive, what to do, and the cause. Other errors stay as they are. It may take
// minutes, since it searches for the transaction.
func (c *Chain) accuse(ctx context.Context, n *node, cause error) error {
	if errors.Is(cause, ledger.ErrDiffers) {
		return fmt.Errorf("%w: a module does not compute the same each time, so that its results are worth nothing; %s. %w", errFatal, mended, cause)
	}
	var e *ledger.ModuleError
	if !errors.As(cause, &e) || ctx.Err() != nil || errors.Is(cause, host.ErrClosed) {
		return cause
	}
	body, err := types.DecodeBody(n.body)
	if err != nil {
		return cause
	}
	h := n.header.Height
	c.log.Error("a module does not survive a block; looking for what in it is to blame", "module", e.Module, "height", h, "cause", e.Err)
	w := c.watch(0, func() string {
		return fmt.Sprintf("module %q does not survive block %d; the chain looks for the transaction that is to blame, and then halts", e.Module, h)
	})
	defer w.end()
	sctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	txs := ofModule(n.txs, e.Module)
	layer := func() *state.Layer { return n.parent.result.layer }
	var due dueList
	found, err := search(sctx, len(txs), hasExtension(body, e.Module), c.prober(n, body, e.Module, txs, layer, &due))
	if ctx.Err() != nil {
		return cause
	}
	return fmt.Errorf("%w: module %q does not survive block %d: %s; %s. The cause: %w", errFatal, e.Module, h, found.text(n, txs, due, err), mended, e.Err)
}

// dueList is what of a module's scheduled work is due in a block.
type dueList []module.Due

// text says what of a block a module does not survive. err is what ended the search.
func (f charge) text(n *node, txs []*ledger.Tx, due dueList, err error) string {
	switch {
	case f.tx >= 0:
		return fmt.Sprintf("transaction %s, number %d in the block, is what it does not survive", txs[f.tx].ID, place(n, txs[f.tx]))
	case f.extension:
		return fmt.Sprintf("the extension that the producer %s put in for it is what it does not survive", n.header.Producer.Short())
	case f.due >= 0:
		if f.due < len(due) {
			return fmt.Sprintf("scheduled work that is due, entry %x, is what it does not survive", due[f.due].ID)
		}
		return "scheduled work that is due is what it does not survive"
	case f.block:
		return "it does not survive the block whatever is in it"
	case err != nil && len(txs) > 0:
		return fmt.Sprintf("which of its transactions (%d) is to blame could not be found out (%v)", len(txs), err)
	case err != nil:
		return fmt.Sprintf("what is to blame could not be found out (%v)", err)
	}
	return fmt.Sprintf("a fresh instance of it survives its part of that block, %d transactions, so that no transaction alone is to blame", len(txs))
}

// place returns the index of a transaction in a block.
func place(n *node, t *ledger.Tx) int {
	for i := range n.txs {
		if n.txs[i].ID == t.ID {
			return i
		}
	}
	return -1
}

func ofModule(txs []*ledger.Tx, name string) (out []*ledger.Tx) {
	for _, t := range txs {
		if t.T.Module == name {
			out = append(out, t)
		}
	}
	return out
}

func hasExtension(body *types.Body, name string) bool {
	for _, x := range body.Extensions {
		if x.Module == name {
			return true
		}
	}
	return false
}

// prober returns what executes parts of a block with fresh instances of a module, on the state that layer returns. It notes what is due.
func (c *Chain) prober(n *node, body *types.Body, name string, txs []*ledger.Tx, layer func() *state.Layer, due *dueList) prober {
	b := c.ledgerBlock(n, body)
	ext := b.Extensions[name]
	if name != types.ModuleConsensus {
		b.Consensus = nil
	}
	quiet := c.cfg.Ledger
	for _, other := range quiet.ModuleNames() {
		if other != name {
			quiet = quiet.With(other, idle{})
		}
	}
	return func(ctx context.Context, p part) (dies bool, entries int, err error) {
		if c.cfg.Probe == nil {
			return false, 0, errors.New("this node cannot open another instance of it")
		}
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		m, done, err := c.cfg.Probe(ctx, name)
		if err != nil {
			return false, 0, err
		}
		defer done()
		t := &trimmed{Module: m, limit: p.due, due: due}
		b := b
		b.Extensions = nil
		if p.extension {
			b.Extensions = map[string][][]byte{name: ext}
		}
		_, err = quiet.With(name, t).Execute(host.Once(ctx), layer(), b, txs[:p.txs])
		var e *ledger.ModuleError
		switch {
		case err == nil:
			return false, len(*due), nil
		case errors.As(err, &e), errors.Is(ctx.Err(), context.DeadlineExceeded):
			return true, len(*due), nil
		}
		return false, len(*due), err
	}
}

// idle is a module that does nothing, in the place of one that is not under suspicion.
type idle struct{ module.Module }

func (idle) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	return make([]module.TxCheck, len(txs)), nil
}

func (idle) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	return &module.Outcome{Txs: make([]module.Result, len(b.Txs))}, nil
}

// trimmed is a module that sees but the beginning of what is due.
type trimmed struct {
	module.Module
	limit int      // -1: all
	due   *dueList // all that there was
}

func (t *trimmed) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	if len(b.Due) > len(*t.due) {
		*t.due = b.Due
	}
	if t.limit >= 0 && t.limit < len(b.Due) {
		c := *b
		c.Due = b.Due[:t.limit]
		b = &c
	}
	return t.Module.Execute(ctx, b, r)
}
