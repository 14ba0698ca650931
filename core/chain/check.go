package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// parked is a check that waits for the block's body or for its parent.
type parked struct {
	header *types.Header
	from   []types.Hash
	body   *openedBody        // once it is here
	asked  context.CancelFunc // not nil while the body is being obtained
	offers chan offer         // short forms, for who obtains it
}

// maxParked bounds the checks that wait.
const maxParked = 4096

// errInvalid marks what makes a block invalid, as opposed to what keeps this node from judging.
var errInvalid = errors.New("invalid block")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errInvalid, fmt.Errorf(format, args...))
}

// checkTask answers the engine's question whether a block is valid, as soon as its body and its parent are here.
func (c *Chain) checkTask(ctx context.Context, h *types.Header, from []types.Hash) error {
	id := h.ID()
	if n := c.node(id); n != nil {
		if err := c.place(ctx, n); err != nil {
			return err
		}
		c.answer(id, n.nextSet(), nil)
		return nil
	}
	if h.Height <= c.tree.final.header.Height {
		if a, ok := c.recent.at(h.Height); ok && a.id == id {
			c.answer(id, nil, nil) // final and committed meanwhile
		} else {
			c.answer(id, nil, invalid("height %d is not above the final height %d", h.Height, c.tree.final.header.Height))
		}
		return nil
	}
	if now := c.tree.final.inForce().set.Epoch; h.Epoch < now {
		c.answer(id, nil, invalid("its epoch %d has ended, epoch %d is in force", h.Epoch, now))
		return nil
	}
	p := c.parked[id]
	if p == nil {
		if len(c.parked) >= maxParked && !c.unparkOldest(h.Slot) {
			c.log.Warn("too many blocks wait for their bodies; one is not checked until it is asked for again", "height", h.Height, "id", id.Short())
			return nil // a negative answer would be final
		}
		p = &parked{header: h}
		c.parked[id] = p
	}
	if p.from = append(p.from, from...); len(p.from) > maxVouchers {
		p.from = append([]types.Hash(nil), p.from[len(p.from)-maxVouchers:]...)
	}
	return c.tryParked(ctx, id)
}

// maxVouchers bounds the peers that are remembered for a block.
const maxVouchers = 64

// unparkOldest makes room for the check of a block: that of the earliest slot that still waits for its body goes, and comes again
// if the engine still wants it. Otherwise blocks whose bodies are kept back would stand in the way of all others for ever. It
// returns false if none is of an earlier slot.
func (c *Chain) unparkOldest(slot uint64) bool {
	var oldest *types.Header
	for _, p := range c.parked {
		if h := p.header; p.body == nil && h.Slot < slot && (oldest == nil || h.Slot < oldest.Slot) {
			oldest = h
		}
	}
	if oldest == nil {
		return false
	}
	c.unpark(oldest.ID())
	return true
}

// unpark forgets a check that waits.
func (c *Chain) unpark(id types.BlockID) {
	if p := c.parked[id]; p != nil && p.asked != nil {
		p.asked()
	}
	delete(c.parked, id)
	c.bodies.drop(id)
}

// tryParked goes on with a parked check if it can.
func (c *Chain) tryParked(ctx context.Context, id types.BlockID) error {
	p := c.parked[id]
	if p == nil {
		return nil
	}
	if p.body == nil && p.header.CertHeight == 0 { // the body that is empty need not be sent
		if o, err := c.openBody(p.header, emptyBody); err == nil {
			p.body = o
		}
	}
	if p.body == nil {
		for from, raw := range c.bodies.want(id) {
			o, err := c.openBody(p.header, raw)
			if err == nil {
				p.body = o
				break
			}
			c.log.Warn("a peer sent something else than a block's body", "peer", from.Short(), "block", id.Short(), "cause", err)
			c.bodies.reject(from, id)
		}
	}
	if p.body == nil {
		if p.asked == nil {
			fctx, cancel := context.WithCancel(ctx)
			p.asked, p.offers = cancel, make(chan offer, maxOffers)
			vouchers, offers := append([]types.Hash(nil), p.from...), p.offers
			c.fetch.Go(func() {
				defer cancel()
				c.obtainBody(fctx, p.header, vouchers, offers)
			})
		}
		for _, o := range c.bodies.offers(id) {
			select {
			case p.offers <- o:
			default: // more than anybody needs
			}
		}
		return nil
	}
	if p.asked != nil {
		p.asked()
		p.asked = nil
	}
	c.bodies.drop(id)
	parent := c.node(p.header.Parent)
	if parent == nil {
		return nil // its own check is on the way, or it never comes
	}
	n, err := c.check(ctx, parent, p.header, p.body)
	if err != nil && !errors.Is(err, errInvalid) {
		return err
	}
	c.unpark(id)
	if err != nil {
		c.log.Warn("a block is not valid", "height", p.header.Height, "slot", p.header.Slot, "id", id.Short(), "cause", err)
		c.answer(id, nil, err)
		return nil
	}
	if err := c.adopt(ctx, n); err != nil {
		return err
	}
	c.answer(id, n.nextSet(), nil)
	if err := c.execute(ctx, n); err != nil {
		return err
	}
	return c.tryChildren(ctx, id)
}

// tryChildren goes on with checks that waited for a parent.
func (c *Chain) tryChildren(ctx context.Context, id types.BlockID) error {
	var ready []types.BlockID
	for k, p := range c.parked {
		if p.header.Parent == id {
			ready = append(ready, k)
		}
	}
	for _, k := range ready {
		if err := c.tryParked(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// adopt puts a checked block into journal and tree.
func (c *Chain) adopt(ctx context.Context, n *node) (err error) {
	if n.pos, _, err = c.append(ctx, journal.Record{Type: recBlock, Data: encodeBlock(n.header.Encode(), n.body)}); err != nil {
		return err
	}
	c.unpark(n.id)
	c.insert(n)
	return nil
}

func (c *Chain) answer(id types.BlockID, next *types.Set, err error) {
	e := &consensus.Checked{Block: id, OK: err == nil, Next: next, NowMs: c.nowMs()}
	if err != nil {
		e.Reason = err.Error()
	}
	c.step(e)
}

// openedBody is a body that belongs to a header.
type openedBody struct {
	*types.Body
	raw []byte
	txs []*ledger.Tx
	bad error // why a transaction cannot be one, which makes the block invalid
}

// openBody decodes a body and checks that it is the one that the header commits to. If it is not, that says nothing about the
// block, only about whoever sent it.
func (c *Chain) openBody(h *types.Header, raw []byte) (*openedBody, error) {
	body, err := types.DecodeBody(raw)
	if err != nil {
		return nil, err
	}
	o := &openedBody{Body: body, raw: raw, txs: make([]*ledger.Tx, len(body.Txs))}
	ids := make([]types.TxID, len(body.Txs))
	known := c.cfg.Pool.Known(body.Txs)
	for i, b := range body.Txs {
		t, err := known[i], error(nil)
		if t == nil {
			t, err = c.cfg.Ledger.ParseTx(b)
		}
		if err == nil {
			o.txs[i], ids[i] = t, t.ID
			continue
		}
		if o.bad == nil {
			o.bad = fmt.Errorf("transaction %d: %w", i, err)
		}
		env, err := types.DecodeEnvelope(b)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		ids[i] = types.TxIDOf(c.id, env.Raw)
	}
	if h.BodyRoot != body.BodyRoot(ids) {
		return nil, fmt.Errorf("the header's body root is not that of the body")
	}
	if h.ExtensionRoot != body.ExtensionRoot() {
		return nil, fmt.Errorf("the header's extension root is not that of the body")
	}
	return o, nil
}

// check decides whether a block on parent is valid. An error that wraps errInvalid says that it is not; any other, that this
// could not be found out.
func (c *Chain) check(ctx context.Context, parent *node, h *types.Header, body *openedBody) (*node, error) {
	if err := c.checkHeader(parent.header, h); err != nil {
		return nil, err
	}
	if uint64(len(body.raw)) > c.cfg.Ledger.MaxBlockBytes() {
		return nil, invalid("body of %d bytes, at most %d are allowed", len(body.raw), c.cfg.Ledger.MaxBlockBytes())
	}
	if err := c.execute(ctx, parent); err != nil {
		return nil, err
	}
	n := &node{id: h.ID(), header: h, parent: parent, body: body.raw, ids: make(map[types.TxID]uint64, len(body.Txs))}
	if err := c.checkStanding(n, body); err != nil {
		return nil, err
	}
	if err := c.checkCarried(n, body.Body); err != nil {
		return nil, err
	}
	if err := c.checkTxs(parent, n, body); err != nil {
		return nil, err
	}
	if err := c.checkRoots(parent, h); err != nil {
		return nil, err
	}
	errs, err := c.cfg.Ledger.Authorise(ctx, parent.result.layer, parent.header.Clock, n.txs)
	if err != nil {
		return nil, err
	}
	for i, e := range errs {
		if e != nil {
			return nil, invalid("transaction %d (%s): %w", i, n.txs[i].ID.Short(), e)
		}
	}
	return n, nil
}

func (c *Chain) checkHeader(parent, h *types.Header) error {
	switch {
	case h.Chain != c.id:
		return invalid("it belongs to chain %s", h.Chain.Short())
	case h.Height != parent.Height+1:
		return invalid("height %d on a parent of height %d", h.Height, parent.Height)
	case h.Slot <= parent.Slot:
		return invalid("slot %d on a parent of slot %d", h.Slot, parent.Slot)
	case h.Clock != types.NextClock(parent.Clock, parent.Slot, h.Slot):
		return invalid("clock %d, want %d", h.Clock, types.NextClock(parent.Clock, parent.Slot, h.Slot))
	case len(h.Shard) != 0:
		return invalid("it has a shard's fields, and this chain is not sharded")
	}
	return nil
}

// checkStanding checks what the block says of its epoch.
func (c *Chain) checkStanding(n *node, body *openedBody) (err error) {
	if n.standing, err = c.stand(n.parent, n.header); err != nil {
		return err
	}
	if !n.epoch.has(n.header.Producer) {
		return invalid("its producer %s has no seat in epoch %d", n.header.Producer.Short(), n.header.Epoch)
	}
	if n.suffix && !bytes.Equal(body.raw, emptyBody) {
		return invalid("it follows the closing block of epoch %d, and its body is not empty", n.header.Epoch)
	}
	return nil
}

// checkCarried checks what the body carries besides transactions: the certificate and the extensions.
func (c *Chain) checkCarried(n *node, body *types.Body) error {
	h := n.header
	for i, x := range body.Extensions {
		if c.cfg.Ledger.Module(x.Module) == nil {
			return invalid("extension %d is for module %q, which this chain does not have", i, x.Module)
		}
	}
	if len(body.Certificate) == 0 {
		if h.CertHeight != 0 {
			return invalid("the header names a certificate of height %d, the body has none", h.CertHeight)
		}
		return nil
	}
	cert, err := types.DecodeCertificate(body.Certificate)
	if err != nil {
		return invalid("%w", err)
	}
	if cert.Height != h.CertHeight || cert.Height >= h.Height {
		return invalid("the certificate is for height %d, the header says %d at height %d", cert.Height, h.CertHeight, h.Height)
	}
	if err := c.verifyCert(n.epoch, cert); err != nil {
		return invalid("%w", err)
	}
	return nil
}

// verifyCert verifies a certificate of an epoch unless it is one that is known already.
func (c *Chain) verifyCert(e *epoch, cert *types.Certificate) error {
	if n := c.node(cert.Block); n != nil && n.epoch == e && n.proof != nil && bytes.Equal(n.proof.Cert.Encode(), cert.Encode()) {
		return nil
	}
	return cert.Verify(c.id, e.set)
}

// checkTxs checks of the transactions everything that needs no state but that of the branch.
func (c *Chain) checkTxs(parent, n *node, body *openedBody) error {
	br := c.branchOf(parent)
	if body.bad != nil {
		return invalid("%w", body.bad)
	}
	n.txs = body.txs
	var gas uint64
	for i, t := range n.txs {
		if err := t.CheckExpiry(n.header.Slot); err != nil {
			return invalid("transaction %d (%s): %w", i, t.ID.Short(), err)
		}
		if err := br.checkRef(t, parent); err != nil {
			return invalid("transaction %d (%s): %w", i, t.ID.Short(), err)
		}
		if _, twice := n.ids[t.ID]; twice || br.has(t.ID) {
			return invalid("transaction %d (%s): %w", i, t.ID.Short(), ledger.ErrDuplicate)
		}
		if gas += t.T.MaxGas; gas > c.cfg.Ledger.MaxBlockGas() {
			return invalid("max_gas sums to more than %d", c.cfg.Ledger.MaxBlockGas())
		}
		n.ids[t.ID] = t.T.Expires
	}
	for i, err := range c.cfg.Pool.Verify(n.txs) {
		if err != nil {
			return invalid("transaction %d: %w", i, err)
		}
	}
	return nil
}

// checkRoots checks that the header tells the same of its parent's execution as this node found.
func (c *Chain) checkRoots(parent *node, h *types.Header) error {
	r := parent.result
	for _, x := range []struct {
		what      string
		got, want types.Hash
	}{
		{"state", h.StateRoot, r.layer.Root()},
		{"receipts", h.ReceiptsRoot, r.receiptsRoot},
		{"outbox", h.OutboxRoot, outboxRoot},
		{"history", h.HistoryRoot, r.history.Root()},
	} {
		if x.got != x.want {
			return invalid("%s root of block %d: it says %s, this node has %s", x.what, parent.header.Height, x.got, x.want)
		}
	}
	return nil
}

// execute computes a block's layer, and those of its ancestors that have none yet.
func (c *Chain) execute(ctx context.Context, n *node) error {
	var todo []*node
	for m := n; m.result == nil; m = m.parent {
		todo = append(todo, m)
	}
	for i := len(todo) - 1; i >= 0; i-- {
		if err := c.executeOne(ctx, todo[i]); err != nil {
			return err
		}
	}
	return nil
}

// executeOne executes a block whose parent has been executed. If a module makes that come to nothing, its error says which, and
// what in the block is to blame.
func (c *Chain) executeOne(ctx context.Context, n *node) error {
	if err := c.place(ctx, n); err != nil {
		return err
	}
	w := c.watchExecution(n.header.Height)
	start := time.Now()
	err := c.executeBlock(ctx, n)
	told := w.end()
	if err != nil {
		return c.accuse(ctx, n, err)
	}
	if told {
		c.log.Info("the block has been executed; the chain goes on", "height", n.header.Height, "took", time.Since(start).Round(time.Millisecond))
	}
	return nil
}

// executeBlock is executeOne for a block that has been placed, without asking who is to blame.
func (c *Chain) executeBlock(ctx context.Context, n *node) error {
	h, parent := n.header, n.parent
	if n.suffix {
		c.mu.Lock()
		n.result = executeSuffix(parent.result)
		c.mu.Unlock()
		return nil
	}
	body, err := types.DecodeBody(n.body)
	if err != nil {
		return fmt.Errorf("block %d: %w", h.Height, err)
	}
	start := c.cfg.Clock.Now()
	res, err := c.cfg.Ledger.Execute(ctx, parent.result.layer, c.ledgerBlock(n, body), n.txs)
	if err != nil {
		return err
	}
	for _, f := range res.Faults {
		c.cfg.Metrics.fault(c.cfg.Name, f.Module)
		c.log.Error("a module answered illegally; its results in this block are dropped", "module", f.Module, "height", h.Height, "cause", f.Err)
	}
	layer, err := parent.result.layer.Derive(ctx, res.Changes)
	if err != nil {
		return fmt.Errorf("block %d: state: %w", h.Height, err)
	}
	r := &result{layer: layer, receipts: res.Receipts, receiptsRoot: types.ReceiptsRoot(res.Receipts),
		history: parent.result.history.Append(n.id), burned: parent.result.burned + res.Burned, pending: pendingAfter(parent.result.pending, res.Changes)}
	c.mu.Lock()
	n.result = r
	c.mu.Unlock()
	c.cfg.Metrics.executed(c.cfg.Name, len(n.txs), c.cfg.Clock.Now().Sub(start))
	return nil
}
