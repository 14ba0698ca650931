package chain

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// FinalBlock is a block that is irreversible, and what became of its transactions.
type FinalBlock struct {
	ID       types.BlockID
	Header   *types.Header
	TxIDs    []types.TxID
	Receipts []types.Receipt // the first len(TxIDs) belong to them
	body     []byte
	proof    *types.Finality
}

// Body returns the encoded body.
func (b *FinalBlock) Body() []byte { return b.body }

// Finality returns the proof that is for this very block, or nil if a descendant's made it final.
func (b *FinalBlock) Finality() *types.Finality { return b.proof }

// Certificate returns the certificate that names this very block, or nil if there is none.
func (b *FinalBlock) Certificate() *types.Certificate {
	if b.proof == nil || len(b.proof.Suffix) > 0 {
		return nil
	}
	return b.proof.Cert
}

// final returns the block for others; the lock is held, or the caller is the worker.
func (n *node) final() *FinalBlock {
	f := &FinalBlock{ID: n.id, Header: n.header, body: n.body, proof: n.proof}
	for _, t := range n.txs {
		f.TxIDs = append(f.TxIDs, t.ID)
	}
	if n.result != nil {
		f.Receipts = n.result.receipts
	}
	return f
}

// Status is where a chain stands on this node.
type Status struct {
	Name        string
	Chain       types.ChainID
	Head, Final uint64
	FinalID     types.BlockID
	FinalSlot   uint64
	Slot        uint64
	StateRoot   types.Hash // after the newest proven block
	StateHeight uint64
	Waiting     int // transactions in the pool
	Skipped     uint64
	Produced    uint64
	Burned      uint64 // since genesis, up to StateHeight
	Epoch       uint64 // in force: of the next final block
	EpochStart  uint64 // height of the block that it begins with
	Producer    bool   // this node has a seat in it
	Producers   int
	Halted      string
	Stalled     string
	Trouble     string // what is wrong with this node's part by the word of its engine, or why it does not take part
}

// Status returns where the chain stands.
func (c *Chain) Status() Status {
	n, _ := c.cfg.Pool.Size()
	c.mu.RLock()
	defer c.mu.RUnlock()
	now := c.tree.final.inForce()
	s := Status{
		Name: c.cfg.Name, Chain: c.id, Head: c.tree.head.header.Height, Final: c.tree.final.header.Height, FinalID: c.tree.final.id,
		FinalSlot: c.tree.final.header.Slot, Slot: c.Slot(), StateRoot: c.tree.root.result.layer.Root(), StateHeight: c.tree.root.header.Height,
		Waiting: n, Skipped: c.skipped.Load(), Produced: c.produced.Load(), Burned: c.tree.root.result.burned, Producer: !c.key.IsZero() && now.has(c.key), Producers: len(now.set.Seats),
		Epoch: now.set.Epoch, EpochStart: now.start.Height, Trouble: c.troubled(),
	}
	if h := c.halted.Load(); h != nil {
		s.Halted = h.err.Error()
	}
	if w := c.stalled.Load(); w != nil {
		s.Stalled = *w
	}
	return s
}

// ID returns the chain's id.
func (c *Chain) ID() types.ChainID { return c.id }

// Genesis returns the genesis document's canonical bytes.
func (c *Chain) Genesis() []byte { return c.cfg.Genesis.Encode() }

// FinalHeight returns the height of the newest final block.
func (c *Chain) FinalHeight() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.final.header.Height
}

// Reference is what a new transaction refers to: the newest final block and its clock, and the slot that the node's clock is in.
func (c *Chain) Reference() (height uint64, id types.BlockID, clock, slot uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	f := c.tree.final
	return f.header.Height, f.id, f.header.Clock, c.Slot()
}

// Modules returns the names of the chain's modules in the order of execution.
func (c *Chain) Modules() []string { return c.cfg.Ledger.ModuleNames() }

// Closed tells whether the chain has ended, so that nothing more becomes final here.
func (c *Chain) Closed() bool {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	return c.subs.closed
}

// view returns a state to answer from: that after the newest final block if final is true, else after the head.
func (c *Chain) view(final bool) *node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.tree.head
	if final {
		n = c.tree.final
	}
	for n.result == nil && n.parent != nil {
		n = n.parent
	}
	return n
}

// fresh calls ask with a state to answer from, and again with a newer one if a commit has dropped the first meanwhile. A store
// that has lost what was committed is mended first.
func (c *Chain) fresh(ctx context.Context, final bool, ask func(n *node) error) error {
	for try := 1; ; try++ {
		db := c.state()
		err := ask(c.view(final))
		if err == nil || try == maxFresh || ctx.Err() != nil {
			return err
		}
		switch {
		case errors.Is(err, state.ErrLost):
			if herr := c.heal(ctx); herr != nil {
				return herr
			}
		case errors.Is(err, state.ErrStale), db != c.state():
		default:
			return err
		}
	}
}

// maxFresh bounds how often a question is asked again. A commit comes once a block, so that the second time is rare.
const maxFresh = 8

// Submit admits transactions and sends those that are new to the other nodes. errs[i] says why envelopes[i] was refused; nil
// means that it waits for a block. ids are set where the envelope could be read.
func (c *Chain) Submit(ctx context.Context, envelopes [][]byte) (ids []types.TxID, errs []error) {
	ids, errs = make([]types.TxID, len(envelopes)), make([]error, len(envelopes))
	if h := c.halted.Load(); h != nil {
		for i := range errs {
			errs[i] = fmt.Errorf("%w: %w", ErrHalted, h.err)
		}
		return ids, errs
	}
	txs, errs := c.cfg.Pool.Parse(c.Slot(), envelopes)
	for i, t := range txs {
		if t != nil {
			ids[i] = t.ID
		}
	}
	parsed := append([]error(nil), errs...)
	err := c.fresh(ctx, false, func(head *node) error {
		copy(errs, parsed)
		c.onBranch(head, txs, errs)
		return c.screen(ctx, head, txs, errs)
	})
	var fresh [][]byte
	for i, t := range txs {
		if t == nil || errs[i] != nil {
			continue
		}
		if errs[i] = err; err != nil {
			continue
		}
		if errs[i] = c.cfg.Pool.Add(t); errs[i] == nil {
			fresh = append(fresh, t.Envelope)
		}
	}
	c.gossip(fresh)
	return ids, errs
}

// gossip sends transactions to the other nodes, in messages that they take.
func (c *Chain) gossip(envelopes [][]byte) {
	for len(envelopes) > 0 {
		n, size := 0, 0
		for n < len(envelopes) && n < maxGossip/4 && (n == 0 || size+len(envelopes[n]) <= maxGossipBytes) {
			size += len(envelopes[n])
			n++
		}
		c.cfg.Network.Broadcast(MsgTxs, EncodeTxs(envelopes[:n]))
		envelopes = envelopes[n:]
	}
}

// onBranch refuses what is in a block already, and what refers to a block that is no ancestor.
func (c *Chain) onBranch(head *node, txs []*ledger.Tx, errs []error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	br := c.branchOf(head)
	for i, t := range txs {
		if t == nil || errs[i] != nil && !errors.Is(errs[i], mempool.ErrKnown) {
			continue
		}
		if br.has(t.ID) {
			errs[i] = fmt.Errorf("%w: %s is in a block already", ledger.ErrDuplicate, t.ID)
		} else if errs[i] == nil {
			errs[i] = br.checkRef(t, head)
		}
	}
}

// screen refuses early what could never enter a block as the state stands: bad signatures, malformed actions, missing rights
// or money. Its error says why that could not be found out.
func (c *Chain) screen(ctx context.Context, head *node, txs []*ledger.Tx, errs []error) error {
	good := func() (list []*ledger.Tx, at []int) {
		for i, t := range txs {
			if t != nil && errs[i] == nil {
				list, at = append(list, t), append(at, i)
			}
		}
		return list, at
	}
	list, at := good()
	for j, e := range c.cfg.Pool.Verify(list) {
		errs[at[j]] = e
	}
	if list, at = good(); len(list) == 0 {
		return nil
	}
	checked, err := c.cfg.Ledger.Check(host.Asking(ctx), list)
	if err != nil {
		return err
	}
	for j, e := range checked {
		errs[at[j]] = e
	}
	if list, at = good(); len(list) == 0 {
		return nil
	}
	auth, err := c.cfg.Ledger.Authorise(ctx, head.result.layer, head.header.Clock, list)
	if err != nil {
		return err
	}
	for j, e := range auth {
		errs[at[j]] = e
	}
	return nil
}

// Account returns an account as of the newest final block, and the height and clock that it is as of.
func (c *Chain) Account(ctx context.Context, id types.AccountID) (a ledger.Account, auth *types.Authority, height, clock uint64, err error) {
	err = c.fresh(ctx, true, func(n *node) (err error) {
		height, clock = n.header.Height, n.header.Clock
		a, auth, err = ledger.AccountOf(ctx, n.result.layer, id)
		return err
	})
	return a, auth, height, clock, err
}

// Query asks a module about the state after the newest final block, in nobody's name and without proofs. See [Chain.Ask].
func (c *Chain) Query(ctx context.Context, mod, path string, argument []byte) (module.Answer, uint64, error) {
	a, err := c.Ask(ctx, Question{Module: mod, Path: path, Argument: argument})
	return a.Answer, a.Height, err
}

// notingReader remembers why a read failed.
type notingReader struct {
	module.Reader
	mu  sync.Mutex
	err error
}

func (r *notingReader) Read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	v, err := r.Reader.Read(ctx, tx, items)
	r.note(err)
	return v, err
}

func (r *notingReader) Scan(ctx context.Context, tx int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	v, more, err := r.Reader.Scan(ctx, tx, start, end, limit)
	r.note(err)
	return v, more, err
}

func (r *notingReader) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *notingReader) noted() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// finalAt returns the final block at a height.
func (c *Chain) finalAt(ctx context.Context, height uint64) (*FinalBlock, error) {
	c.mu.RLock()
	n := c.tree.final
	if height > n.header.Height {
		defer c.mu.RUnlock()
		return nil, fmt.Errorf("%w: height %d is above the final height %d", ErrNotFound, height, n.header.Height)
	}
	for n != nil && n.header.Height > height {
		n = n.parent
	}
	if n != nil && n.body != nil {
		defer c.mu.RUnlock()
		return n.final(), nil
	}
	c.mu.RUnlock()
	return c.stored(ctx, height)
}

// stored reads a committed block from storage.
func (c *Chain) stored(ctx context.Context, height uint64) (*FinalBlock, error) {
	v, err := c.getAll(ctx, [][]byte{heightKey(keyHeader, height), heightKey(keyBody, height), heightKey(keyReceipts, height), heightKey(keyFinal, height)})
	if err != nil {
		return nil, err
	}
	if v[0] == nil || v[1] == nil || v[2] == nil {
		return nil, fmt.Errorf("%w: block %d", ErrNotFound, height)
	}
	h, _, _, err := decodeHeaderRecord(v[0])
	if err != nil {
		return nil, err
	}
	b := &FinalBlock{ID: h.ID(), Header: h, body: v[1]}
	if b.Receipts, err = decodeReceipts(v[2]); err != nil {
		return nil, err
	}
	if v[3] != nil {
		if b.proof, err = types.DecodeFinality(v[3]); err != nil {
			return nil, err
		}
	}
	body, err := types.DecodeBody(v[1])
	if err != nil {
		return nil, err
	}
	for _, raw := range body.Txs {
		env, err := types.DecodeEnvelope(raw)
		if err != nil {
			return nil, err
		}
		b.TxIDs = append(b.TxIDs, types.TxIDOf(c.id, env.Raw))
	}
	return b, nil
}

// Block returns the final block at a height.
func (c *Chain) Block(ctx context.Context, height uint64) (*FinalBlock, error) {
	return c.finalAt(ctx, height)
}

// blockByID returns any block that this node has.
func (c *Chain) blockByID(ctx context.Context, id types.BlockID) (*FinalBlock, error) {
	if b := c.inTree(id); b != nil {
		return b, nil
	}
	v, err := c.getAll(ctx, [][]byte{idKey(keyBlock, id)})
	if err != nil {
		return nil, err
	}
	if len(v[0]) != 8 {
		return nil, fmt.Errorf("%w: block %s", ErrNotFound, id)
	}
	return c.stored(ctx, binary.BigEndian.Uint64(v[0]))
}

func (c *Chain) inTree(id types.BlockID) *FinalBlock {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if n := c.tree.nodes[id]; n != nil && n.body != nil {
		return n.final()
	}
	return nil
}

// TxStage says how far a transaction has come.
type TxStage int

// The stages.
const (
	TxUnknown TxStage = iota
	TxWaiting
	TxIncluded // in a block that is not final
	TxFinal
)

// TxInfo is what this node knows of a transaction.
type TxInfo struct {
	Stage    TxStage
	Height   uint64
	Block    types.BlockID
	Index    int
	Envelope []byte
	Receipt  *types.Receipt // set when final
}

// Tx returns what this node knows of a transaction.
func (c *Chain) Tx(ctx context.Context, id types.TxID) (TxInfo, error) {
	c.mu.RLock()
	for n := c.tree.head; n != nil && n.parent != nil; n = n.parent {
		if _, ok := n.ids[id]; !ok {
			continue
		}
		info := TxInfo{Stage: TxIncluded, Height: n.header.Height, Block: n.id}
		if n.header.Height <= c.tree.final.header.Height {
			info.Stage = TxFinal
		}
		for i, t := range n.txs {
			if t.ID == id {
				info.Index, info.Envelope = i, t.Envelope
				if info.Stage == TxFinal && n.result != nil {
					info.Receipt = &n.result.receipts[i]
				}
			}
		}
		c.mu.RUnlock()
		return info, nil
	}
	c.mu.RUnlock()
	v, err := c.getAll(ctx, [][]byte{idKey(keyTx, id)})
	if err != nil {
		return TxInfo{}, err
	}
	if v[0] != nil {
		d := types.NewDecoder(v[0])
		height, index := d.Uint(), d.Uint()
		b, err := c.stored(ctx, height)
		if err != nil {
			return TxInfo{}, err
		}
		if d.Finish() != nil || index >= uint64(len(b.TxIDs)) || index >= uint64(len(b.Receipts)) {
			return TxInfo{}, fmt.Errorf("transaction index in storage is damaged for %s", id)
		}
		body, err := types.DecodeBody(b.body)
		if err != nil {
			return TxInfo{}, err
		}
		return TxInfo{TxFinal, height, b.ID, int(index), body.Txs[index], &b.Receipts[index]}, nil
	}
	if t := c.cfg.Pool.Get([]types.TxID{id}); t[0] != nil {
		return TxInfo{Stage: TxWaiting, Envelope: t[0].Envelope}, nil
	}
	return TxInfo{}, nil
}

// subscribers are those who want to hear of final blocks.
type subscribers struct {
	mu     sync.Mutex
	m      map[chan *FinalBlock]bool
	closed bool
}

// MaxSubscribers bounds those who listen at the same time.
const MaxSubscribers = 1024

// Subscribe returns a channel of final blocks from now on. It is closed by cancel, at the end of the chain, or when the reader
// is too slow.
func (c *Chain) Subscribe() (blocks <-chan *FinalBlock, cancel func(), err error) {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	if c.subs.closed {
		return nil, nil, ErrClosed
	}
	if len(c.subs.m) >= MaxSubscribers {
		return nil, nil, fmt.Errorf("%d subscribers are the most", MaxSubscribers)
	}
	if c.subs.m == nil {
		c.subs.m = map[chan *FinalBlock]bool{}
	}
	ch := make(chan *FinalBlock, 256)
	c.subs.m[ch] = true
	return ch, func() {
		c.subs.mu.Lock()
		defer c.subs.mu.Unlock()
		c.subs.drop(ch)
	}, nil
}

func (s *subscribers) drop(ch chan *FinalBlock) {
	if s.m[ch] {
		delete(s.m, ch)
		close(ch)
	}
}

func (s *subscribers) publish(b *FinalBlock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.m {
		select {
		case ch <- b:
		default:
			s.drop(ch)
		}
	}
}

func (s *subscribers) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for ch := range s.m {
		s.drop(ch)
	}
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }
