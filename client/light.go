package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client/bundle"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ErrUnproven says that what a node answered does not prove itself. What is wrong wraps the errors of package light too: after
// light.ErrExpired, a checkpoint from somebody who is trusted is needed.
var ErrUnproven = errors.New("ErrUnproven")

// Trust is what a [Light] believes from elsewhere.
type Trust struct {
	// Chain is the chain's id, which is the hash of its genesis document ([chainspec.Genesis.ID]).
	Chain types.ChainID
	// Checkpoint is the id of a block that closed an epoch, at Height. Zero stands for the genesis block, which is good for as
	// long as the first producers are believed.
	Checkpoint types.BlockID
	Height     uint64
	// Trusting is how long producers are believed. Default: as the genesis document says.
	Trusting time.Duration
	// Now tells the time. Default [time.Now].
	Now func() time.Time
}

// Light asks a node about a chain and believes only what is proven: that blocks are final, by the producers of their epoch,
// and what the state holds, by its root. It goes from one epoch to the next by the proofs that the node gives, in the manner of
// package light. It may be used concurrently.
//
// What a node leaves unsaid stays unknown: that there are newer blocks, or that a transaction is in none.
type Light struct {
	c     *Client
	chain string
	now   func() time.Time

	mu    sync.Mutex
	light *light.Client
	sets  map[uint64]*types.Set // of the epochs before, whose blocks can still be verified
}

// Light begins with the genesis document or the checkpoint, of which the node gives what the ids are the hashes of. It fails
// with [ErrUnproven] if these are others.
func (c *Client) Light(ctx context.Context, t Trust) (*Light, error) {
	name := t.Chain.String()
	info, err := c.Chain(ctx, name)
	if err != nil {
		return nil, err
	}
	g, err := chainspec.DecodeGenesis(info.Genesis)
	if err != nil {
		return nil, fmt.Errorf("%w: chain %s: %w", ErrUnproven, name, err)
	}
	at := bundle.Origin(g, t.Trusting)
	if at.Chain != t.Chain {
		return nil, fmt.Errorf("%w: the genesis document is that of chain %s, not of %s", ErrUnproven, at.Chain, name)
	}
	at.Keep = light.MaxKeep
	if !t.Checkpoint.IsZero() {
		closing, err := c.Block(ctx, name, t.Height, DetailHeader)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		e, err := c.Epoch(ctx, name, closing.Header.Epoch+1)
		if err != nil {
			return nil, fmt.Errorf("checkpoint at height %d: %w", t.Height, err)
		}
		at.ID, at.Opened, at.Set = t.Checkpoint, e.Opened, e.Set
	}
	l := &Light{c: c, chain: name, now: t.Now, sets: map[uint64]*types.Set{}}
	if l.now == nil {
		l.now = time.Now
	}
	if l.light, err = light.New(at, light.AllSchemes()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return l, nil
}

// Epoch returns the newest epoch that is known, and its set, which must not be changed. The block that opened it is what to
// trust as a checkpoint the next time.
func (l *Light) Epoch() (light.Epoch, *types.Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.light.Epoch(), l.light.Set()
}

// Advance goes on to the newest epoch that the node knows. Other methods go as far as they need by themselves; who asks less
// often than once in a trusting period has to call it in between.
func (l *Light) Advance(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.advance(ctx, ^uint64(0)); !errors.Is(err, api.ErrNotFound) {
		return err
	}
	return nil
}

// advance goes on to an epoch. The lock is held.
func (l *Light) advance(ctx context.Context, epoch uint64) error {
	for {
		now := l.light.Set()
		if now.Epoch >= epoch {
			return nil
		}
		e, err := l.c.Epoch(ctx, l.chain, now.Epoch+1)
		if err != nil {
			return err
		}
		if err := l.light.Advance(e.Opened, e.Set, e.Proof, l.nowMs()); err != nil {
			return fmt.Errorf("%w: epoch %d: %w", ErrUnproven, now.Epoch+1, err)
		}
		l.sets[now.Epoch] = now
		delete(l.sets, now.Epoch-light.MaxKeep)
	}
}

func (l *Light) nowMs() uint64 { return uint64(max(l.now().UnixMilli(), 0)) }

// verify checks that the last of headers is final by a proof, and each of the others by being the parent of the next. real
// tells whether the first one is shown to be part of the chain.
func (l *Light) verify(ctx context.Context, headers []*types.Header, proof *types.Finality) (real bool, err error) {
	if err := bundle.Linked(headers); err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	top := headers[len(headers)-1]
	if err := l.advance(ctx, top.Epoch); err != nil {
		return false, fmt.Errorf("proof of block %d: %w", headers[0].Height, err)
	}
	if err := l.light.Verify(light.Claim{Header: top, Proof: proof, Set: l.sets[top.Epoch]}, l.nowMs()); err != nil {
		return false, fmt.Errorf("%w: block %d: %w", ErrUnproven, top.Height, err)
	}
	return top.Epoch < l.light.Set().Epoch || isReal(headers), nil
}

// isReal tells whether certified blocks of the newest known epoch show that the first one is no suffix block. Those carry votes
// above a closing block and are dropped, so somebody who hides the closing block could pass one off as the block at its height.
// They are empty and change nothing, and nothing but their like is above them.
func isReal(headers []*types.Header) bool {
	empty := &types.Body{}
	for i, h := range headers {
		if h.Closes() || h.BodyRoot != empty.BodyRoot(nil) || h.ExtensionRoot != empty.ExtensionRoot() ||
			i+1 < len(headers) && headers[i+1].StateRoot != h.StateRoot {
			return true
		}
	}
	return false
}
