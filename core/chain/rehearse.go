package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// A producer executes its block before it proposes it if there is anything in it for a module that is a plugin, and leaves out what
// the plugin does not survive: the others' plugins might not survive it either. Nothing is done twice, since the result is kept; the
// proposal leaves later by the time that the execution takes. Where that would be long on account of native modules, only the
// plugins' parts are tried. Blocks that only native modules have to do with are executed when their proposal has left.

// backoff counts for how many own blocks something is left alone after it has failed: 2, then 4, and so on.
type backoff struct{ left, strikes int }

// Most strikes that count: after them a module has no part in 16 own blocks, and is not asked what it puts into 8. The latter is little,
// since what it has to say, such as a ballot, may have to be said within a few turns of this producer.
const (
	maxExecuteStrikes = 4
	maxExtendStrikes  = 3
)

func (b *backoff) failed(most int) {
	b.strikes = min(b.strikes+1, most)
	b.left = 1 << b.strikes
}

// skip tells whether to leave it alone for one more block.
func (b *backoff) skip() bool {
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}

// manners is what this node has learned of a module when it made own blocks. The worker's.
type manners struct {
	extend    backoff // it did not say in time what it puts in
	execute   backoff // its plugin died of an own block, and nothing was found to blame
	searching bool    // for the transaction that its plugin died of
	most      int     // of its transactions in an own block, because more took too long; 0: no limit
	resting   bool    // nothing of it is in the block that is being made
}

func (c *Chain) mannersOf(module string) *manners {
	m := c.manners[module]
	if m == nil {
		m = &manners{}
		c.manners[module] = m
	}
	return m
}

// rest finds out which modules have no part in the own block that is being made.
func (c *Chain) rest() {
	for _, m := range c.manners {
		m.resting = m.searching || m.execute.skip()
	}
}

// mayTake tells whether an own block may have a transaction.
func (c *Chain) mayTake(t *ledger.Tx) bool {
	if len(c.manners) == 0 && len(c.shunned) == 0 {
		return true
	}
	m := c.manners[t.T.Module]
	until, shunned := c.shunned[t.ID]
	return !(shunned && c.Slot() <= until) && (m == nil || !m.resting)
}

// trim drops from an own block what a module would take too long for.
func (c *Chain) trim(txs []*ledger.Tx) []*ledger.Tx {
	if len(c.manners) == 0 {
		return txs
	}
	seen := map[string]int{}
	return slices.DeleteFunc(txs, func(t *ledger.Tx) bool {
		m := c.manners[t.T.Module]
		if m == nil || m.most == 0 {
			return false
		}
		seen[t.T.Module]++
		return seen[t.T.Module] > m.most
	})
}

// shun remembers that a transaction is in no own block up to a slot.
func (c *Chain) shun(t *ledger.Tx, until uint64) {
	slot := c.Slot()
	if len(c.shunned) >= maxShunned {
		for id, until := range c.shunned {
			if until < slot {
				delete(c.shunned, id)
			}
		}
	}
	if len(c.shunned) < maxShunned {
		c.shunned[t.ID] = min(until, t.T.Expires)
	}
}

// suspects returns the modules of a block's transactions that were in no own block for a while: those are not proposed untried.
func (c *Chain) suspects(n *node) (out []string) {
	for _, t := range n.txs {
		if _, shunned := c.shunned[t.ID]; shunned && !slices.Contains(out, t.T.Module) {
			out = append(out, t.T.Module)
		}
	}
	return out
}

// slowSlots is for how many slots a transaction is left to others that took too long alone; twice as many the next time, and after
// maxSlow times until it expires. It may have been the machine, or a plugin that stood still for a moment, and that on every node.
const (
	slowSlots = 16
	maxSlow   = 3
)

// tooSlowAlone leaves a transaction to others for a while.
func (c *Chain) tooSlowAlone(t *ledger.Tx) {
	if len(c.refused) > maxRefusedKnown {
		clear(c.refused)
	}
	until := t.T.Expires
	if n := c.refused[t.ID]; n < maxSlow {
		until = c.Slot() + slowSlots<<n
	}
	c.refused[t.ID]++
	c.shun(t, until)
}

// maxShunned bounds the transactions that are remembered not to be built in.
const maxShunned = 1 << 12

// foreign returns the modules in plugins that a block has transactions or extensions for, in the order of execution.
func (c *Chain) foreign(n *node) (out []string) {
	if len(c.cfg.Foreign) == 0 {
		return nil
	}
	has, last := map[string]bool{}, ""
	for _, t := range n.txs {
		if t.T.Module != last {
			last = t.T.Module
			has[last] = true
		}
	}
	for _, m := range n.extended {
		has[m] = true
	}
	for _, m := range c.cfg.Ledger.ModuleNames() {
		if has[m] && c.cfg.Foreign[m] {
			out = append(out, m)
		}
	}
	return out
}

// leastRehearsal is the least time that there is to execute an own block before it is proposed; a quarter of a slot is the usual one.
const leastRehearsal = 50 * time.Millisecond

// rehearse executes an own block if a plugin has a part in it, and returns the block, or what is left of it when the parts that a
// plugin does not survive, or not in time, are left out.
func (c *Chain) rehearse(ctx context.Context, n *node) (*node, error) {
	names := c.foreign(n)
	if len(names) == 0 {
		return n, nil
	}
	limit := max(time.Duration(c.cfg.Genesis.SlotMs)*time.Millisecond/4, leastRehearsal)
	tctx, cancel := context.WithTimeout(host.Once(ctx), limit)
	defer cancel()
	for len(names) > 0 {
		c.cfg.Calls.set("")
		err := c.try(tctx, n, names)
		if err == nil {
			for _, m := range names {
				c.survived(m)
			}
			return n, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		var e *ledger.ModuleError
		out := names
		switch {
		case tctx.Err() != nil:
			slow := c.cfg.Calls.executing()
			if !slices.Contains(names, slow) { // the machine is slow, or something that every block has
				if bad := c.suspects(n); len(bad) > 0 {
					return c.without(n, bad)
				}
				return n, nil
			}
			c.tooSlow(n, slow, limit)
		case !errors.As(err, &e):
			return nil, c.accuse(ctx, n, err) // of the state: the worker knows what to do
		case !slices.Contains(names, e.Module):
			// It dies of what is due, which every block on this parent has; the host tries again what was tried once.
			return n, nil
		default:
			c.died(n, e.Module, err)
			out = []string{e.Module}
		}
		if n, err = c.without(n, out); err != nil {
			return nil, err
		}
		names = c.foreign(n)
	}
	return n, nil
}

// maxNative is how many transactions for native modules a block may have to be executed whole before it is proposed.
const maxNative = 512

// try executes a block, or, if native modules have much to do with it, what it has for the modules in plugins alone.
func (c *Chain) try(ctx context.Context, n *node, names []string) error {
	var txs []*ledger.Tx
	for _, t := range n.txs {
		if c.cfg.Foreign[t.T.Module] {
			txs = append(txs, t)
		}
	}
	if len(n.txs)-len(txs) <= maxNative {
		return c.executeBlock(ctx, n)
	}
	body, err := types.DecodeBody(n.body)
	if err != nil {
		return fmt.Errorf("an own block: %w", err)
	}
	b := c.ledgerBlock(n, body)
	if !slices.Contains(names, types.ModuleConsensus) {
		b.Consensus = nil
	}
	l := c.cfg.Ledger
	for _, m := range l.ModuleNames() {
		if !slices.Contains(names, m) {
			l = l.With(m, idle{})
			delete(b.Extensions, m)
		}
	}
	_, err = l.Execute(ctx, n.parent.result.layer, b, txs)
	return err
}

// survived notes that a module has executed its part of an own block in time.
func (c *Chain) survived(module string) {
	m := c.manners[module]
	if m == nil {
		return
	}
	m.execute = backoff{}
	if m.most *= 2; m.most > maxTaken {
		m.most = 0
	}
}

// maxTaken is a number of transactions that no block has.
const maxTaken = 1 << 20

// tooSlow notes that the execution of an own block took too long when a module was at it. The next block has half as much for it, and
// a transaction that takes too long alone is left to others for a while.
func (c *Chain) tooSlow(n *node, module string, limit time.Duration) {
	txs := ofModule(n.txs, module)
	m := c.mannersOf(module)
	switch {
	case len(txs) > 1:
		m.most = len(txs) / 2
	case len(txs) == 1:
		c.tooSlowAlone(txs[0])
	default: // its extension alone
		m.extend.failed(maxExtendStrikes)
	}
	c.log.Warn("the execution of an own block takes too long; what it has for plugins is left out", "module", module, "transactions", len(txs),
		"height", n.header.Height, "limit", limit)
}

// died notes that a module's plugin did not survive an own block, and looks beside everything else for the transaction that it died of.
func (c *Chain) died(n *node, module string, cause error) {
	c.log.Error("a module does not survive an own block; what the block has for it is left out", "module", module, "height", n.header.Height,
		"cause", cause)
	m := c.mannersOf(module)
	txs := ofModule(n.txs, module)
	body, err := types.DecodeBody(n.body)
	if err != nil || c.cfg.Probe == nil || m.searching {
		m.execute.failed(maxExecuteStrikes)
		return
	}
	m.searching = true
	// The block is in no tree, and its parent may be committed meanwhile: any state will do that is there when a probe begins.
	layer := func() *state.Layer { return c.view(false).result.layer }
	var due dueList
	probe := c.prober(n, body, module, txs, layer, &due)
	ext := hasExtension(body, module)
	c.fetch.Go(func() {
		ctx, cancel := context.WithTimeout(c.life, searchTimeout)
		defer cancel()
		found, err := search(ctx, len(txs), ext, probe)
		c.do(func(context.Context) error { c.searched(n, module, txs, found, err); return nil })
	})
}

// searched hears what a module's plugin died of.
func (c *Chain) searched(n *node, module string, txs []*ledger.Tx, found charge, err error) {
	m := c.mannersOf(module)
	m.searching = false
	if found.tx < 0 {
		m.execute.failed(maxExecuteStrikes)
		c.log.Warn("it is not known what of an own block a module did not survive; the module has no part in the next own blocks", "module", module,
			"blocks", m.execute.left, "found", found.text(n, txs, nil, err))
		return
	}
	m.execute = backoff{}
	t := txs[found.tx]
	c.shun(t, t.T.Expires)
	c.cfg.Pool.Remove([]types.TxID{t.ID})
	c.log.Error("a transaction is dropped that a module does not survive", "module", module, "transaction", t.ID, "probes", found.probes)
}

// without returns an own block without its transactions and extensions for some modules.
func (c *Chain) without(n *node, modules []string) (*node, error) {
	body, err := types.DecodeBody(n.body)
	if err != nil {
		return nil, fmt.Errorf("an own block: %w", err)
	}
	h := *n.header
	out := &node{header: &h, parent: n.parent, ids: map[types.TxID]uint64{}}
	if out.standing, err = c.stand(n.parent, &h); err != nil {
		return nil, fmt.Errorf("an own block: %w", err)
	}
	rest := types.Body{Certificate: body.Certificate}
	for _, x := range body.Extensions {
		if !slices.Contains(modules, x.Module) {
			rest.Extensions = append(rest.Extensions, x)
		}
	}
	var txs []*ledger.Tx
	for _, t := range n.txs {
		if !slices.Contains(modules, t.T.Module) {
			txs = append(txs, t)
		}
	}
	out.seal(&rest, txs)
	return out, nil
}

// seal completes an own block with its body.
func (n *node) seal(body *types.Body, txs []*ledger.Tx) {
	h := n.header
	ids := make([]types.TxID, len(txs))
	n.txs, n.extended = txs, nil
	for i, t := range txs {
		body.Txs = append(body.Txs, t.Envelope)
		ids[i] = t.ID
		n.ids[t.ID] = t.T.Expires
	}
	for _, x := range body.Extensions {
		n.extended = append(n.extended, x.Module)
	}
	h.BodyRoot, h.ExtensionRoot = body.BodyRoot(ids), body.ExtensionRoot()
	n.body, n.id = body.Encode(), h.ID()
}
