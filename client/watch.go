package client

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
)

// WatchFinal returns final blocks from a height on, each once and in order; from 0 begins with the next one. A stream that is
// lost, or cut because the reader was slow, is taken up where it ended; after Options.Attempts attempts in a row that brought
// nothing the sequence ends. It always ends with an error, which wraps ctx's when ctx ends.
func (c *Client) WatchFinal(ctx context.Context, chain string, from uint64, detail Detail) iter.Seq2[*api.Block, error] {
	return func(yield func(*api.Block, error) bool) {
		next := from
		pause := backoff{next: c.opts.Backoff, most: 20 * c.opts.Backoff}
		for failed := 0; ; {
			before := next
			more, err := c.watchOnce(ctx, chain, &next, detail, yield)
			if !more {
				return
			}
			if failed++; next != before {
				failed, pause.next = 1, c.opts.Backoff
			}
			var e *Error // one without a name is no word of the node, but a connection that broke
			resumable := errors.As(err, &e) && (e.Name == "" || retryable(err) || errors.Is(err, api.ErrSlow))
			if ctx.Err() != nil {
				err = fmt.Errorf("watch chain %s: %w", chain, ctx.Err())
			}
			if !resumable || failed >= c.opts.Attempts || !pause.wait(ctx) {
				yield(nil, err)
				return
			}
		}
	}
}

// watchOnce reads one stream. more is false if the caller wants no more.
func (c *Client) watchOnce(ctx context.Context, chain string, next *uint64, detail Detail, yield func(*api.Block, error) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	op := "watch chain " + chain
	stream, err := c.chain.WatchFinal(ctx, connect.NewRequest(&apiv1.WatchFinalRequest{Chain: chain, From: *next, Detail: detail}))
	if err != nil {
		return true, c.fault(op, err)
	}
	defer stream.Close()
	for stream.Receive() {
		b, err := api.ParseBlock(stream.Msg().GetBlock())
		if err != nil {
			return true, err
		}
		if *next != 0 && b.Header.Height != *next {
			return true, fmt.Errorf("%s: the node sent block %d where block %d was due", op, b.Header.Height, *next)
		}
		*next = b.Header.Height + 1
		if !yield(b, nil) {
			return false, nil
		}
	}
	if err := stream.Err(); err != nil {
		return true, c.fault(op, err)
	}
	return true, &Error{Op: op, Address: c.address, Code: connect.CodeUnavailable, Message: "the stream has ended"}
}
