package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Chain is one running chain of a node.
type Chain struct {
	cfg     Config
	id      types.ChainID
	first   *types.Set // of epoch 0
	genesis *types.Header
	key     types.Hash // hash of this node's key, which may have a seat or come to one; zero if it only follows
	trust   trust
	log     *slog.Logger

	mu     sync.RWMutex // guards what follows; only the worker writes
	db     *state.DB
	tree   *tree
	recent recent

	parked   map[types.BlockID]*parked // checks that wait for a body or a parent; the worker's
	refused  map[types.TxID]int        // how often a transaction could not be built in, or took too long; the worker's
	shunned  map[types.TxID]uint64     // transactions that are in no own block, and up to which slot; the worker's
	manners  map[string]*manners       // of modules, when own blocks are made; the worker's
	late     map[string]*extending     // by module: what it has not said in time; the worker's
	life     context.Context           // that of Run; set before anything runs
	bodies   *bodyCache
	records  engineRecords
	recorded journal.Position // where the newest of the engine's records ends; the driver's
	slack    uint64           // bytes of the journal that may lie before what is needed until a trim is worth it

	tasks  *queue[func(context.Context) error]
	events *lanes[consensus.Event]
	txs    *lanes[[]byte]
	behind chan struct{} // kicks the syncer
	peers  peerFinals
	subs   subscribers
	fetch  sync.WaitGroup // fetches of bodies under way

	halted   atomic.Pointer[haltError]
	stalled  atomic.Pointer[string]
	trouble  atomic.Pointer[string] // the engine's word
	own      atomic.Pointer[node]   // the newest own block, until its proposal has left
	skipped  atomic.Uint64
	produced atomic.Uint64
	hadSeat  atomic.Bool   // see HadSeat
	looked   atomic.Uint64 // see HadSeat
}

type haltError struct{ err error }

// What one peer may have waiting here: messages for the engine, and batches of transactions.
const (
	maxPeerMessages     = 1 << 12
	maxPeerMessageBytes = 16 << 20
	maxPeerBatches      = 1 << 8
	maxPeerBatchBytes   = 32 << 20
)

// GenesisHeader returns the header of the genesis block of a chain with this first set.
func GenesisHeader(id types.ChainID, set *types.Set) *types.Header {
	return &types.Header{Chain: id, NextSet: set.Hash()}
}

// Open makes a chain ready to run: it reads what storage and journal hold and replays it. It asks plugins, so ctx should
// have a deadline.
func Open(ctx context.Context, cfg Config) (*Chain, error) {
	keys := make([]types.PublicKey, 0, len(cfg.Genesis.Producers))
	for _, p := range cfg.Genesis.Producers {
		keys = append(keys, p.Key)
	}
	set := types.EqualSet(0, keys)
	if err := set.Validate(); err != nil {
		return nil, fmt.Errorf("chain %s: %w", cfg.Name, err)
	}
	id := cfg.Genesis.ID()
	c := &Chain{
		cfg: cfg, id: id, first: set, genesis: GenesisHeader(id, set), log: cfg.Log.With("chain", cfg.Name),
		parked: map[types.BlockID]*parked{}, refused: map[types.TxID]int{},
		shunned: map[types.TxID]uint64{}, manners: map[string]*manners{}, late: map[string]*extending{}, life: context.Background(), bodies: newBodyCache(), slack: journalSlack,
		tasks:  newQueue[func(context.Context) error](),
		events: newLanes[consensus.Event](maxPeerMessages, maxPeerMessageBytes), txs: newLanes[[]byte](maxPeerBatches, maxPeerBatchBytes),
		behind: make(chan struct{}, 1), trust: newTrust(&cfg),
	}
	if cfg.Signer != nil {
		c.key = cfg.Signer.Public().Hash()
	}
	if err := c.recover(ctx); err != nil {
		return nil, fmt.Errorf("chain %s: recover: %w", cfg.Name, err)
	}
	if err := c.openTrust(ctx); err != nil {
		return nil, fmt.Errorf("chain %s: %w", cfg.Name, err)
	}
	return c, nil
}

// Run runs the chain until ctx ends, which is no error, or the chain halts.
func (c *Chain) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.life = ctx
	var wg sync.WaitGroup
	for name, f := range map[string]func(context.Context) error{
		"driver": c.drive, "worker": c.runWorker, "syncer": c.runSyncer, "admission": c.runAdmission,
	} {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				c.halt(fmt.Errorf("%s: %w", name, err))
				cancel(err)
			}
		})
	}
	<-ctx.Done()
	c.tasks.close()
	c.events.close()
	c.txs.close()
	wg.Wait()
	c.fetch.Wait()
	c.subs.closeAll()
	if h := c.halted.Load(); h != nil {
		return fmt.Errorf("chain %s: %w: %w", c.cfg.Name, ErrHalted, h.err)
	}
	return nil
}

// halt stops this chain, and this chain only, for good. The first reason counts.
func (c *Chain) halt(err error) {
	if c.halted.CompareAndSwap(nil, &haltError{err}) {
		c.log.Error("the chain halts", "reason", err)
		c.cfg.Metrics.status(c)
	}
}

// runWorker does the tasks, one after the other.
func (c *Chain) runWorker(ctx context.Context) error {
	for {
		task, ok := c.tasks.pop(ctx)
		if !ok {
			return nil
		}
		err := task(ctx)
		for range maxReopens {
			if !errors.Is(err, state.ErrLost) {
				break
			}
			if err = c.reopen(ctx, err); err == nil {
				err = task(ctx)
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// maxReopens is how often one task may find that the store has lost what was committed.
const maxReopens = 3

func (c *Chain) do(task func(context.Context) error) { c.tasks.push(task) }

// doSoon does a task before all others that wait: a block has to be out when its slot begins.
func (c *Chain) doSoon(task func(context.Context) error) { c.tasks.pushSoon(task) }

func (c *Chain) nowMs() uint64 { return uint64(c.cfg.Clock.Now().UnixMilli()) }

// Slot returns the slot that the clock is in; 0 before genesis.
func (c *Chain) Slot() uint64 {
	now := c.nowMs()
	if now < c.cfg.Genesis.TimeMs {
		return 0
	}
	return (now - c.cfg.Genesis.TimeMs) / c.cfg.Genesis.SlotMs
}

// slotTime returns when a slot starts, in Unix milliseconds.
func (c *Chain) slotTime(slot uint64) uint64 { return c.cfg.Genesis.TimeMs + slot*c.cfg.Genesis.SlotMs }

// OnMessage takes a message from a peer. It never blocks. The payload is the chain's from then on.
func (c *Chain) OnMessage(from types.Hash, purpose byte, payload []byte) {
	switch purpose {
	case MsgConsensus:
		c.events.pushFrom(from, len(payload), &consensus.Message{From: from, Payload: payload, NowMs: c.nowMs()})
	case MsgBody:
		c.onBody(from, payload)
	case MsgShort:
		c.onShort(from, payload)
	case MsgTxs:
		c.txs.pushFrom(from, len(payload), payload)
	case MsgFinal:
		c.onPeerFinal(from, payload)
	}
}

// step hands an event to the engine, in order with all others.
func (c *Chain) step(e consensus.Event) { c.events.push(e) }

// wait waits for a moment or the end of ctx, and tells which.
func (c *Chain) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
