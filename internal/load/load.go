// Package load makes many signed transfers and follows them until they are final: for benchmarks and end-to-end tests.
package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Account is a key, and the account that it alone is the authority of.
type Account interface {
	client.Signer
	Account() types.AccountID
}

// Batch is signed transfers of a chain.
type Batch struct {
	Chain     string
	Envelopes [][]byte
	IDs       []types.TxID
}

// Sign makes n transfers of one unit each, from the accounts in turn to their neighbours, on all processors.
func Sign(ctx context.Context, c *client.Client, chain string, accounts []Account, n int) (*Batch, error) {
	ref, err := c.Reference(ctx, chain)
	if err != nil {
		return nil, err
	}
	reveal := make([]*types.Authority, len(accounts))
	for i, a := range accounts {
		have, err := c.Account(ctx, chain, a.Account())
		if err != nil {
			return nil, err
		}
		if have.Authority == nil {
			reveal[i] = types.SingleKeyAuthority(a.Public())
		}
	}
	b := &Batch{Chain: chain, Envelopes: make([][]byte, n), IDs: make([]types.TxID, n)}
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				k := i % len(accounts)
				to := accounts[(k+1)%len(accounts)].Account()
				t, err := client.Build(ref, accounts[k].Account(), reveal[k], types.ModuleBank, []types.Action{client.Transfer(to, 1, nil)},
					client.BuildOptions{Salt: uint64(i) + 1, Lifetime: ref.Params.TxLifetime})
				if err == nil {
					b.Envelopes[i], b.IDs[i], err = client.Sign(ref.Chain, t, accounts[k])
				}
				errs[w] = err
			}
		})
	}
	wg.Wait()
	return b, errors.Join(errs...)
}

// Result is how the sending of a batch went.
type Result struct {
	Sent, Final int
	Refused     map[string]int // by the name of the error
	Elapsed     time.Duration  // from the first submission to the last finality
	Blocks      int            // that held them
	Failed      int            // final, with a status other than ok
}

// PerSecond is the rate of final transactions.
func (r Result) PerSecond() float64 { return float64(r.Final) / r.Elapsed.Seconds() }

// chunk is how many transactions a submission carries.
const chunk = 500

// Send submits a batch, spread over nodes, and returns when all that were taken are final, or ctx ends.
func Send(ctx context.Context, nodes []*client.Client, b *Batch) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ref, err := nodes[0].Reference(ctx, b.Chain)
	if err != nil {
		return Result{}, err
	}
	r := Result{Refused: map[string]int{}}
	want := make(map[types.TxID]bool, len(b.IDs))
	for _, id := range b.IDs {
		want[id] = true
	}
	var taken atomic.Int64
	taken.Store(int64(len(b.IDs)))
	watched := make(chan error, 1)
	var last time.Time
	go func() {
		for blk, err := range nodes[0].WatchFinal(ctx, b.Chain, ref.Height+1, client.DetailReceipts) {
			if err != nil {
				watched <- err
				return
			}
			hit := false
			for i, id := range blk.TxIDs {
				if want[id] {
					delete(want, id)
					r.Final++
					hit = true
					if blk.Receipts[i].Status != types.StatusOK {
						r.Failed++
					}
				}
			}
			if hit {
				r.Blocks++
				last = time.Now()
			}
			if int64(r.Final) >= taken.Load() {
				watched <- nil
				return
			}
		}
		watched <- ctx.Err()
	}()
	start := time.Now()
	if err := r.submit(ctx, nodes, b, &taken); err != nil {
		return r, err
	}
	select {
	case err = <-watched:
	case <-ctx.Done():
		err = ctx.Err()
		cancel()
		<-watched
	}
	r.Sent = len(b.IDs)
	if r.Elapsed = last.Sub(start); last.IsZero() {
		r.Elapsed = time.Since(start)
	}
	if err != nil {
		err = fmt.Errorf("%d of %d transactions are final: %w", r.Final, len(b.IDs), err)
	}
	return r, err
}

func (r *Result) submit(ctx context.Context, nodes []*client.Client, b *Batch, taken *atomic.Int64) error {
	var mu sync.Mutex
	errs := make([]error, len(nodes))
	var next atomic.Int64
	var wg sync.WaitGroup
	for k, c := range nodes {
		wg.Go(func() {
			for {
				from := int(next.Add(chunk)) - chunk
				if from >= len(b.Envelopes) || ctx.Err() != nil {
					return
				}
				res, err := c.Submit(ctx, b.Chain, b.Envelopes[from:min(from+chunk, len(b.Envelopes))]...)
				if err != nil {
					errs[k] = err
					return
				}
				for _, x := range res {
					if x.Name == "" || x.Name == api.ErrKnown.Error() || x.Name == api.ErrDuplicate.Error() {
						continue
					}
					taken.Add(-1)
					mu.Lock()
					r.Refused[x.Name]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// SameState checks that all nodes have the same block and state root at a height, and returns the root after it.
func SameState(ctx context.Context, nodes []*client.Client, chain string, height uint64) (types.Hash, error) {
	var root types.Hash
	for i, c := range nodes {
		b, err := waitBlock(ctx, c, chain, height+1) // its header carries the root after the block at height
		if err != nil {
			return root, err
		}
		if i == 0 {
			root = b.Header.StateRoot
		} else if b.Header.StateRoot != root {
			return root, fmt.Errorf("node %s has state root %s after block %d, node %s has %s", c.Address(), b.Header.StateRoot, height, nodes[0].Address(), root)
		}
	}
	return root, nil
}

func waitBlock(ctx context.Context, c *client.Client, chain string, height uint64) (*api.Block, error) {
	for b, err := range c.WatchFinal(ctx, chain, height, client.DetailHeader) {
		return b, err
	}
	return nil, ctx.Err()
}

// VerifyRate is how many signatures a second this machine verifies in batches, on all processors together.
func VerifyRate(b *Batch, d time.Duration) (float64, error) {
	var n atomic.Int64
	start := time.Now()
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	chain, err := types.ParseHash(b.Chain)
	if err != nil {
		return 0, fmt.Errorf("the batch names its chain by %q, not by its id", b.Chain)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for time.Since(start) < d {
				v := types.NewBatchVerifier(256)
				for i := range 256 {
					env, err := types.DecodeEnvelope(b.Envelopes[(i+w*256)%len(b.Envelopes)])
					if err != nil {
						errs[w] = err
						return
					}
					v.Add(env.Signatures[0].Key, types.TxSignBytes(chain, env.Raw), env.Signatures[0].Sig)
				}
				if ok, _ := v.Verify(); !ok {
					errs[w] = types.ErrBadSignature
					return
				}
				n.Add(256)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds(), errors.Join(errs...)
}
