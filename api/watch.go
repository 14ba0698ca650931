package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// untilStopping returns a context that ends with ctx, or, with ErrStopped as its cause, when the server begins to stop.
func (s *Server) untilStopping(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.stopping, func() { cancel(fmt.Errorf("%w: the node is stopping", ErrStopped)) })
	return ctx, func() { stop(); cancel(nil) }
}

// causeOf prefers why a context ended to that it has ended.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// WatchFinal implements apiv1connect.ChainServiceHandler.
func (c *chainService) WatchFinal(ctx context.Context, r *connect.Request[apiv1.WatchFinalRequest], out *connect.ServerStream[apiv1.WatchFinalResponse]) error {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return wireError(err, 0)
	}
	detail, err := detailOr(r.Msg.Detail, apiv1.BlockDetail_BLOCK_DETAIL_IDS)
	if err != nil {
		return wireError(err, 0)
	}
	ctx, cancel := c.s.untilStopping(ctx)
	defer cancel()
	params := ch.Params()
	w := &watcher{ctx: ctx, chain: ch, next: r.Msg.From}
	write := func(m *apiv1.WatchFinalResponse) error {
		writeWithin(ctx, c.s.opts.Limits.Write)
		err := out.Send(m)
		writeWithin(ctx, 0)
		return err
	}
	w.send = func(b *Block) error {
		return write(&apiv1.WatchFinalResponse{Block: blockMessage(b, &params, detail)})
	}
	if err := write(nil); err != nil { // the headers: the caller knows that it is listening
		return err
	}
	err = causeOf(ctx, w.run())
	c.s.opts.Log.Debug("a stream of final blocks ends", "chain", ch.Name(), "next", w.next, "cause", err)
	if errors.Is(err, ErrSlow) {
		err = fmt.Errorf("%w: blocks became final faster than they were read; go on from height %d", ErrSlow, w.next)
	}
	writeWithin(ctx, c.s.opts.Limits.Write)
	return wireError(err, w.next)
}

// watcher sends each final block from next on once and in order.
type watcher struct {
	ctx   context.Context
	chain Chain
	next  uint64 // height to be sent next; 0 until the first block is known
	send  func(*Block) error
}

func (w *watcher) run() error {
	// Far from the end, reading the store is enough; a subscription would overflow meanwhile.
	if w.next > 0 {
		if err := w.stored(); err != nil {
			return err
		}
	}
	sub, err := w.chain.Subscribe()
	if err != nil {
		return err
	}
	defer sub.Close()
	if w.next > 0 { // what became final before the subscription
		if err := w.stored(); err != nil {
			return err
		}
	}
	for {
		b, err := sub.Next(w.ctx)
		if err != nil {
			return err
		}
		height := b.Header.Height
		if w.next == 0 {
			w.next = height
		}
		for ; w.next < height; w.next++ { // the chain may make several blocks final at once
			if err := w.one(w.next); err != nil {
				return err
			}
		}
		if height == w.next {
			if err := w.send(b); err != nil {
				return err
			}
			w.next++
		}
	}
}

// stored sends what is final now.
func (w *watcher) stored() error {
	for w.next <= w.chain.Status().Final {
		if err := w.one(w.next); err != nil {
			return err
		}
		w.next++
	}
	return nil
}

func (w *watcher) one(height uint64) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	b, err := w.chain.Block(w.ctx, height)
	if err != nil {
		return err
	}
	return w.send(b)
}

// WaitTransaction implements apiv1connect.ChainServiceHandler.
func (c *chainService) WaitTransaction(ctx context.Context, r *connect.Request[apiv1.WaitTransactionRequest]) (*connect.Response[apiv1.WaitTransactionResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	id, err := txID(r.Msg.Id)
	if err != nil {
		return nil, wireError(err, 0)
	}
	until := Stage(r.Msg.Until)
	switch until {
	case Unknown:
		until = Final
	case Included, Final:
	default:
		return nil, wireError(fmt.Errorf("%w: one can wait for STAGE_INCLUDED and STAGE_FINAL, not for %v", ErrInvalid, r.Msg.Until), 0)
	}
	wait := c.s.opts.Limits.Wait
	if ms := r.Msg.WaitMs; ms > 0 {
		wait = min(wait, time.Duration(ms)*time.Millisecond)
	}
	ctx, cancel := c.s.untilStopping(ctx)
	defer cancel()
	timed, over := context.WithTimeout(ctx, wait)
	defer over()
	w := &waiter{chain: ch, id: id, until: until, expires: r.Msg.Expires}
	done, err := w.look(ctx) // however short the time is
	if err == nil && !done {
		err = w.run(timed)
	}
	if err != nil && (ctx.Err() != nil || timed.Err() == nil) {
		return nil, wireError(causeOf(ctx, err), 0)
	}
	writeWithin(ctx, c.s.opts.Limits.Write)
	return connect.NewResponse(&apiv1.WaitTransactionResponse{Transaction: txMessage(&w.tx), Reached: w.tx.Stage >= until, Expired: w.expired}), nil
}

// waiter waits until a transaction has come as far as it should, or never can.
type waiter struct {
	chain   Chain
	id      types.TxID
	until   Stage
	expires uint64 // 0 while it is not known
	tx      Tx     // as last seen
	expired bool
}

// headPoll is how often a waiter looks for a transaction in blocks that are not final, of which nothing is told.
const headPoll = 50 * time.Millisecond

func (w *waiter) run(ctx context.Context) error {
	for {
		sub, err := w.chain.Subscribe()
		if err != nil {
			return err
		}
		err = w.follow(ctx, sub)
		sub.Close()
		if !errors.Is(err, ErrSlow) { // a waiter loses nothing by what it has not read
			return err
		}
	}
}

func (w *waiter) follow(ctx context.Context, sub Subscription) error {
	for {
		if done, err := w.look(ctx); done || err != nil {
			return err
		}
		nctx, cancel := ctx, context.CancelFunc(func() {})
		if w.until == Included {
			nctx, cancel = context.WithTimeout(ctx, headPoll)
		}
		_, err := sub.Next(nctx)
		cancel()
		if err != nil && (ctx.Err() != nil || nctx.Err() == nil) {
			return err
		}
	}
}

// look sees where the transaction is. The order matters: the final slot is read before the transaction, so a transaction that
// is not final then is in no block up to that slot, and later blocks have larger ones.
func (w *waiter) look(ctx context.Context) (done bool, err error) {
	st := w.chain.Status()
	tx, err := w.chain.Tx(ctx, w.id)
	if err != nil {
		return false, err
	}
	tx.ID, w.tx = w.id, tx
	if tx.Stage >= w.until {
		return true, nil
	}
	if w.expires == 0 && len(tx.Envelope) > 0 {
		if env, err := types.DecodeEnvelope(tx.Envelope); err == nil {
			if t, err := types.DecodeTransaction(env.Raw); err == nil {
				w.expires = t.Expires
			}
		}
	}
	if w.expires > 0 && st.FinalSlot >= w.expires {
		w.expired = true
		return true, nil
	}
	if st.Halted != "" {
		return false, fmt.Errorf("%w: %s", ErrHalted, st.Halted)
	}
	return false, nil
}
