package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// recover brings back what storage and journal hold: the committed root from storage, the blocks above it, the newest
// certificate and the engine's records from the journal. Blocks in the journal were checked before they were written, and
// are executed again when they are needed.
func (c *Chain) recover(ctx context.Context) error {
	if err := c.openRoot(ctx); err != nil {
		return err
	}
	found, err := c.replay()
	if err != nil {
		return err
	}
	return c.replayFinal(ctx, found)
}

// openRoot opens the state and makes a tree of the committed block.
func (c *Chain) openRoot(ctx context.Context) error {
	db, err := state.Open(ctx, c.cfg.Store, c.cfg.State)
	if err != nil {
		return err
	}
	c.db = db
	if db.Version() == 0 {
		if err := c.commitGenesis(ctx); err != nil {
			return fmt.Errorf("genesis: %w", err)
		}
	}
	root, err := c.loadRoot(ctx)
	if err != nil {
		return err
	}
	c.tree = newTree(root)
	return nil
}

// reopen recovers while the chain runs, after the store has lost what was committed and not kept in memory: a store that keeps
// nothing over its process. The journal holds everything that such a store ever held. It is called by the worker.
func (c *Chain) reopen(ctx context.Context, cause error) error {
	c.log.Warn("the store has lost what was committed; the journal is replayed", "cause", cause)
	s := &Chain{cfg: c.cfg, id: c.id, first: c.first, genesis: c.genesis, key: c.key, log: c.log, trust: c.trust}
	if err := s.recover(ctx); err != nil {
		return fmt.Errorf("replay after a loss of the store: %w", err)
	}
	if had, have := c.tree.final.header.Height, s.tree.final.header.Height; have < had {
		return fmt.Errorf("%w: the store has lost final blocks that the journal does not hold: height %d was final, %d is the highest that is left; "+
			"wipe the chain's data in the store and start again", errFatal, had, have)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if head := s.tree.nodes[c.tree.head.id]; head != nil {
		if _, ok := path(s.tree.final, head); ok {
			s.tree.head = head
		}
	}
	c.db, c.tree, c.recent = s.db, s.tree, s.recent
	return nil
}

// commitGenesis writes the state and the block that the genesis document stands for. The chain id proves them.
func (c *Chain) commitGenesis(ctx context.Context) error {
	changes, err := c.cfg.Ledger.GenesisChanges()
	if err != nil {
		return err
	}
	layer, err := c.db.Base().Derive(ctx, changes)
	if err != nil {
		return err
	}
	id := c.genesis.ID()
	n := &node{id: id, header: c.genesis, body: (&types.Body{}).Encode(),
		result: &result{layer: layer, receiptsRoot: types.ReceiptsRoot(nil), history: types.History{}.Append(id)}}
	puts := append(blockPuts(n), storage.KV{Key: heightKey(keyEpoch, 0), Value: encodeEpoch(c.first, c.genesis, nil)})
	return c.withRoom(ctx, func() error { return c.db.Commit(ctx, layer, 1, puts, nil) })
}

// loadRoot reads the committed block and what replay protection has to know of those before it.
func (c *Chain) loadRoot(ctx context.Context) (*node, error) {
	height := c.db.Version() - 1
	values, _, err := c.cfg.Store.Get(ctx, [][]byte{heightKey(keyHeader, height), heightKey(keyReceipts, height), heightKey(keyFinal, height)})
	if err != nil {
		return nil, err
	}
	if values[0] == nil || values[1] == nil {
		return nil, fmt.Errorf("storage has state of height %d but not the block", height)
	}
	h, hist, burned, err := decodeHeaderRecord(values[0])
	if err != nil {
		return nil, err
	}
	receipts, err := decodeReceipts(values[1])
	if err != nil {
		return nil, err
	}
	if h.Chain != c.id {
		return nil, fmt.Errorf("storage holds chain %s, the genesis document is that of %s", h.Chain, c.id)
	}
	root := &node{id: h.ID(), header: h, ids: map[types.TxID]uint64{},
		result: &result{layer: c.db.Base(), receipts: receipts, receiptsRoot: types.ReceiptsRoot(receipts), history: hist, burned: burned}}
	if values[2] != nil {
		if root.proof, err = types.DecodeFinality(values[2]); err != nil {
			return nil, err
		}
	}
	if err := c.loadEpochs(ctx, root); err != nil {
		return nil, err
	}
	return root, c.loadRecent(ctx, h)
}

// loadEpochs reads the epoch that the committed block is of, and the one that it opens.
func (c *Chain) loadEpochs(ctx context.Context, root *node) (err error) {
	if root.epoch, err = c.loadEpoch(ctx, root.header.Epoch); err != nil {
		return err
	}
	if root.header.Closes() {
		if root.next, err = c.loadEpoch(ctx, root.header.Epoch+1); err != nil {
			return err
		}
	}
	v, err := root.result.layer.Get(ctx, []state.Item{nextSetItem})
	if err != nil {
		return err
	}
	root.result.pending = decodeNext(v[0])
	return nil
}

func (c *Chain) loadEpoch(ctx context.Context, number uint64) (*epoch, error) {
	v, err := c.getAll(ctx, [][]byte{heightKey(keyEpoch, number)})
	if err != nil {
		return nil, err
	}
	if v[0] == nil {
		return nil, fmt.Errorf("storage has blocks of epoch %d but not its producers", number)
	}
	i, err := decodeEpoch(v[0])
	if err != nil {
		return nil, err
	}
	return newEpoch(i.Set, i.Start, i.Proof), nil
}

// loadRecent fills the window of committed blocks.
func (c *Chain) loadRecent(ctx context.Context, root *types.Header) error {
	first := root.Height - min(root.Height, refWindow-1)
	var keys [][]byte
	for h := first; h <= root.Height; h++ {
		keys = append(keys, heightKey(keyHeader, h))
	}
	headers, err := c.getAll(ctx, keys)
	if err != nil {
		return err
	}
	for i, raw := range headers {
		if raw == nil {
			return fmt.Errorf("storage lacks block %d", first+uint64(i))
		}
		h, _, _, err := decodeHeaderRecord(raw)
		if err != nil {
			return err
		}
		a := ancestor{h.ID(), h.Slot, nil}
		if h.Slot+ledger.TxLifetime >= root.Slot && h.Height > 0 {
			if a.ids, err = c.bodyIDs(ctx, h.Height); err != nil {
				return err
			}
		}
		c.recent.push(h.Height, a)
	}
	return nil
}

func (c *Chain) bodyIDs(ctx context.Context, height uint64) (map[types.TxID]uint64, error) {
	v, err := c.getAll(ctx, [][]byte{heightKey(keyBody, height)})
	if err != nil {
		return nil, err
	}
	body, err := types.DecodeBody(v[0])
	if err != nil {
		return nil, fmt.Errorf("block %d in storage: %w", height, err)
	}
	ids := make(map[types.TxID]uint64, len(body.Txs))
	for _, env := range body.Txs {
		t, err := c.cfg.Ledger.ParseTx(env)
		if err != nil {
			return nil, fmt.Errorf("block %d in storage: %w", height, err)
		}
		ids[t.ID] = t.T.Expires
	}
	return ids, nil
}

// getAll reads keys that may be more than one call allows. A store that has fallen back is brought forward first.
func (c *Chain) getAll(ctx context.Context, keys [][]byte) ([][]byte, error) {
	var out [][]byte
	for tries := 0; len(keys) > 0; tries++ {
		n := min(len(keys), storage.MaxPage)
		v, version, err := c.cfg.Store.Get(ctx, keys[:n])
		if err != nil {
			return nil, fmt.Errorf("storage: %w", err)
		}
		if db := c.state(); version < db.Version() && tries < 8 {
			if err := c.bringForward(ctx, db); err != nil {
				return nil, err
			}
			continue
		}
		out, keys = append(out, v...), keys[n:]
	}
	return out, nil
}

func (c *Chain) state() *state.DB {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.db
}

// probe is an item that no module has: to ask for it is to have the state look where the store stands.
var probe = []state.Item{{Module: "probe"}}

// bringForward has the state apply again what the store has lost.
func (c *Chain) bringForward(ctx context.Context, db *state.DB) error {
	_, err := db.Base().Get(ctx, probe)
	switch {
	case errors.Is(err, state.ErrStale):
		return nil // there is a newer base, which was read or written just now
	case errors.Is(err, state.ErrLost):
		return c.heal(ctx)
	}
	return err
}

// heal has the worker look at the store, and open the state again if the store has lost too much.
func (c *Chain) heal(ctx context.Context) error {
	if c.tasks == nil {
		return state.ErrLost // it is being opened again at this moment
	}
	done := make(chan error, 1)
	c.do(func(ctx context.Context) error {
		_, err := c.db.Base().Get(ctx, probe)
		if !errors.Is(err, state.ErrLost) {
			done <- err
			return nil
		}
		return err // the worker opens it again and comes back here
	})
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the state is being opened again: %w", ctx.Err())
	}
}

// healTimeout bounds how long a query waits for a state that is opened again.
const healTimeout = 10 * time.Second

// finals is what the journal says of final blocks above the root: the proof of the highest, and those of closing blocks.
type finals struct {
	height  uint64
	newest  types.BlockID
	proof   *types.Finality // nil if there is none
	closing map[types.BlockID]*types.Finality
}

// replay reads the journal: blocks above the root go back into the tree.
func (c *Chain) replay() (found finals, err error) {
	found.closing = map[types.BlockID]*types.Finality{}
	headers := map[types.BlockID]*types.Header{c.tree.root.id: c.tree.root.header}
	type block struct {
		header *types.Header
		body   []byte
		pos    journal.Position
	}
	children := map[types.BlockID][]block{}
	err = c.cfg.Journal.Replay(c.cfg.Journal.Start(), func(pos journal.Position, rec journal.Record) error {
		switch rec.Type {
		case recBlock:
			h, body, err := decodeBlock(append([]byte(nil), rec.Data...)) // header and body keep pointing into it
			if err != nil {
				return fmt.Errorf("journal at %d: %w", pos, err)
			}
			if h.Chain != c.id {
				return fmt.Errorf("journal at %d: a block of chain %s", pos, h.Chain)
			}
			if h.Height > c.tree.root.header.Height {
				children[h.Parent] = append(children[h.Parent], block{h, body, pos})
				headers[h.ID()] = h
			}
		case recFinal:
			id, proof, err := decodeFinal(append([]byte(nil), rec.Data...))
			if err != nil {
				return fmt.Errorf("journal at %d: %w", pos, err)
			}
			h := headers[id]
			if h == nil {
				return nil // below the root
			}
			if found.proof == nil || found.height <= h.Height {
				found.height, found.newest, found.proof = h.Height, id, proof
			}
			if h.Closes() {
				found.closing[id] = proof
			}
		case recSnapshot:
			c.records.snapshot, c.records.records = append([]byte(nil), rec.Data...), nil
		case recConsensus:
			c.records.records = append(c.records.records, append([]byte(nil), rec.Data...))
		}
		return nil
	})
	if err != nil {
		return found, err
	}
	queue := []*node{c.tree.root}
	for len(queue) > 0 {
		parent := queue[0]
		queue = queue[1:]
		for _, b := range children[parent.id] {
			n := &node{id: b.header.ID(), header: b.header, parent: parent, body: b.body, pos: b.pos, ids: map[types.TxID]uint64{}}
			if c.tree.nodes[n.id] != nil {
				continue
			}
			body, err := types.DecodeBody(b.body)
			if err != nil {
				return found, fmt.Errorf("journal at %d: %w", b.pos, err)
			}
			for _, env := range body.Txs {
				t, err := c.cfg.Ledger.ParseTx(env)
				if err != nil {
					return found, fmt.Errorf("journal at %d: %w", b.pos, err)
				}
				n.txs = append(n.txs, t)
				n.ids[t.ID] = t.T.Expires
			}
			c.tree.nodes[n.id] = n
			queue = append(queue, n)
		}
	}
	return found, nil
}

// replayFinal makes final again what the newest proof in the journal is for.
func (c *Chain) replayFinal(ctx context.Context, found finals) error {
	n := c.tree.nodes[found.newest]
	switch {
	case found.proof == nil || n == nil:
	case n == c.tree.root:
		if err := found.proof.Verify(n.epoch.set, n.header); err != nil {
			return fmt.Errorf("journal: proof of block %d: %w", n.header.Height, err)
		}
		n.proof = found.proof
	default:
		if err := c.replayTo(ctx, n, found); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.dropEnded()
	c.mu.Unlock()
	return nil
}

// replayTo executes and commits what leads to a final block, in steps: of a store that keeps nothing it is everything since
// genesis. Closing blocks on the way are made final by their own proofs, which storage keeps.
func (c *Chain) replayTo(ctx context.Context, n *node, found finals) error {
	blocks, ok := path(c.tree.final, n)
	if !ok {
		return c.conflict(n)
	}
	for i, b := range blocks[:len(blocks)-1] {
		proof := found.closing[b.id]
		if b.header.Closes() && proof == nil {
			return fmt.Errorf("journal: the proof of the closing block at height %d is missing; put the newest copy of the journal back, or wipe "+
				"the chain's data and sync again", b.header.Height)
		}
		if proof != nil || i%commitBlocks == commitBlocks-1 {
			if err := c.replayStep(ctx, b, proof); err != nil {
				return err
			}
		}
	}
	return c.replayStep(ctx, n, found.proof)
}

func (c *Chain) replayStep(ctx context.Context, n *node, proof *types.Finality) error {
	if _, err := c.prove(ctx, n); err != nil {
		return err
	}
	if proof != nil {
		if err := proof.Verify(n.epoch.set, n.header); err != nil {
			return fmt.Errorf("journal: proof of block %d: %w", n.header.Height, err)
		}
	}
	c.setFinal(n, proof)
	return c.commit(ctx, n.parent)
}
