package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
)

// ErrTxFailed says that a transaction is final, and that what it wanted has not happened; its receipt says why.
var ErrTxFailed = errors.New("ErrTxFailed")

// Error is a node's refusal, or the failure to reach it.
type Error struct {
	Op      string // what was asked
	Address string // of the node
	Name    string // stable, "ErrNotFound"; empty if the answer did not come from a node
	Code    connect.Code
	Message string
	Resume  uint64 // height from which a stream can go on; 0 if it cannot
	cause   error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Address == "" {
		return fmt.Sprintf("%s: %s", e.Op, e.Message)
	}
	return fmt.Sprintf("%s: node %s: %s", e.Op, e.Address, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, api.ErrNotFound) and the like true by the stable name.
func (e *Error) Is(target error) bool { return e.Name != "" && target.Error() == e.Name }

// Name returns the stable name of an error from this package, or what [api.ErrorName] says of another.
func Name(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Name != "" {
		return e.Name
	}
	return api.ErrorName(err)
}

// fault turns an error of the framework into an *Error.
func (c *Client) fault(op string, err error) error {
	e := &Error{Op: op, Address: c.address, Code: connect.CodeOf(err), Message: err.Error(), cause: err}
	var ce *connect.Error
	if errors.As(err, &ce) {
		e.Message = ce.Message()
		for _, d := range ce.Details() {
			v, err := d.Value()
			if err != nil {
				continue
			}
			if info, ok := v.(*apiv1.ErrorInfo); ok {
				e.Name, e.Resume = info.GetName(), info.GetResumeHeight()
			}
		}
	}
	return e
}

// backoff is a pause that grows. Half of it is random, so that clients that lost one node at the same time do not come back to
// it at the same time.
type backoff struct{ next, most time.Duration }

// wait pauses, and tells whether ctx still goes on.
func (b *backoff) wait(ctx context.Context) bool {
	d := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.most)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
