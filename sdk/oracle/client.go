package oracle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"

	oraclev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/oracle/v1"
)

// MaxReasonBytes bounds the Reason of a belief; a longer one is cut.
const MaxReasonBytes = 4 << 10

const maxMessage = 64 << 10

// NewClient returns the observer of the instance with a handle at the other end of a connection. Its answers are checked.
// The module face of the same instance is module.NewClient with the same arguments.
func NewClient(cc grpc.ClientConnInterface, handle uint64) Observer {
	return &client{oraclev1.NewOracleServiceClient(cc), handle}
}

type client struct {
	c      oraclev1.OracleServiceClient
	handle uint64
}

// Observe implements [Observer].
func (c *client) Observe(ctx context.Context, q Question) (Belief, error) {
	if err := q.check(); err != nil {
		return Belief{}, fmt.Errorf("oracle: observe: %w", err)
	}
	resp, err := c.c.Observe(ctx, &oraclev1.ObserveRequest{Instance: c.handle, Question: q.ID[:], Text: q.Text, Sources: q.Sources},
		grpc.MaxCallRecvMsgSize(maxMessage))
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			return Belief{}, fmt.Errorf("oracle: observe: %w", cause)
		}
		err = wire.FromWire(err)
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return Belief{}, fmt.Errorf("oracle: observe: the plugin gave up: %v", err)
		}
		return Belief{}, fmt.Errorf("oracle: observe: %w", err)
	}
	if resp.Value >= uint32(len(valueNames)) {
		return Belief{}, fmt.Errorf("oracle: observe: the observer answers %d, which is no value", resp.Value)
	}
	return Belief{Value(resp.Value), cut(resp.Reason)}, nil
}

// check is for what goes to an observer and comes from a node's own state or operator.
func (q Question) check() error {
	if q.Text == "" || len(q.Text) > MaxTextBytes || !utf8.ValidString(q.Text) || len(q.Sources) > MaxSources {
		return fmt.Errorf("%w: a question of %d bytes with %d sources", ErrInvalid, len(q.Text), len(q.Sources))
	}
	for _, s := range q.Sources {
		if len(s) > MaxSourceBytes || !utf8.ValidString(s) {
			return fmt.Errorf("%w: a source of %d bytes", ErrInvalid, len(s))
		}
	}
	return nil
}

func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), MaxReasonBytes)], "?")
}
