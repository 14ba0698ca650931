package oracle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"

	oraclev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/oracle/v1"
)

// MaxReasonBytes bounds the Reason of a belief and of an observation; a longer one is cut.
const MaxReasonBytes = 4 << 10

// Bounds of what crosses the wire, in bytes.
const (
	maxMessage       = 64 << 10
	maxList          = 2 << 20 // of observations
	maxSourceName    = 256     // of an observation
	maxCarriedBytes  = 4 << 10 // of a ballot that is carried
	maxAttemptsShown = 1 << 30
)

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
		return Belief{}, failed(ctx, "observe", err)
	}
	if resp.Value >= uint32(len(valueNames)) {
		return Belief{}, fmt.Errorf("oracle: observe: the observer answers %d, which is no value", resp.Value)
	}
	return Belief{Value(resp.Value), cut(resp.Reason, MaxReasonBytes)}, nil
}

// Believe implements [Observer].
func (c *client) Believe(ctx context.Context, id [32]byte, b Belief) error {
	if err := b.check(); err != nil {
		return fmt.Errorf("oracle: believe: %w", err)
	}
	_, err := c.c.Believe(ctx, &oraclev1.BelieveRequest{Instance: c.handle, Question: id[:], Value: uint32(b.Value), Reason: b.Reason},
		grpc.MaxCallRecvMsgSize(maxMessage))
	return failed(ctx, "believe", err)
}

// Observations implements [Observer].
func (c *client) Observations(ctx context.Context) ([]Observation, error) {
	resp, err := c.c.Observations(ctx, &oraclev1.ObservationsRequest{Instance: c.handle}, grpc.MaxCallRecvMsgSize(maxList))
	if err != nil {
		return nil, failed(ctx, "observations", err)
	}
	if n := len(resp.Observations); n > MaxObservations {
		return nil, fmt.Errorf("oracle: observations: %d of them, at most %d are allowed", n, MaxObservations)
	}
	out := make([]Observation, 0, len(resp.Observations))
	for _, o := range resp.Observations {
		v, err := observationFromProto(o)
		if err != nil {
			return nil, fmt.Errorf("oracle: observations: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

// SignBallot implements [Observer].
func (c *client) SignBallot(ctx context.Context, id [32]byte) ([]byte, error) {
	resp, err := c.c.SignBallot(ctx, &oraclev1.SignBallotRequest{Instance: c.handle, Question: id[:]}, grpc.MaxCallRecvMsgSize(maxMessage))
	if err != nil {
		return nil, failed(ctx, "sign a ballot", err)
	}
	if n := len(resp.Carried); n == 0 || n > maxCarriedBytes {
		return nil, fmt.Errorf("oracle: sign a ballot: the plugin answers %d bytes, 1 to %d are allowed", n, maxCarriedBytes)
	}
	return resp.Carried, nil
}

// failed says what a call failed with. A deadline that is not ctx's is the plugin's own affair.
func failed(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("oracle: %s: %w", op, cause)
	}
	err = wire.FromWire(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("oracle: %s: the plugin gave up: %v", op, err)
	}
	return fmt.Errorf("oracle: %s: %w", op, err)
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

func (b Belief) check() error {
	if !b.Value.Valid() {
		return fmt.Errorf("%w: %s is no answer", ErrInvalid, b.Value)
	}
	if len(b.Reason) > MaxReasonBytes || !utf8.ValidString(b.Reason) {
		return fmt.Errorf("%w: a reason of %d bytes; it must be UTF-8 of at most %d", ErrInvalid, len(b.Reason), MaxReasonBytes)
	}
	return nil
}

// validState tells whether s is one of the Observation constants.
func validState(s string) bool {
	switch s {
	case ObservationWaiting, ObservationObserving, ObservationBelieves, ObservationFailed, ObservationCommitted, ObservationRevealed:
		return true
	}
	return false
}

func observationToProto(o Observation) *oraclev1.Observation {
	p := &oraclev1.Observation{Question: o.Question[:], State: o.State, Reason: cut(o.Reason, MaxReasonBytes), Source: cut(o.Source, maxSourceName),
		Attempts: uint32(min(max(o.Attempts, 0), maxAttemptsShown))}
	if !o.At.IsZero() {
		p.AtUnixMs = o.At.UnixMilli()
	}
	if o.Value != nil {
		v := uint32(*o.Value)
		p.Value = &v
	}
	return p
}

func observationFromProto(p *oraclev1.Observation) (Observation, error) {
	if p == nil || !validState(p.State) {
		return Observation{}, fmt.Errorf("one in the state %.40q, which there is not", p.GetState())
	}
	o := Observation{State: p.State, Reason: cut(p.Reason, MaxReasonBytes), Source: cut(p.Source, maxSourceName), Attempts: int(min(p.Attempts, maxAttemptsShown))}
	id, err := questionID(p.Question)
	if err != nil {
		return Observation{}, err
	}
	o.Question = id
	if p.Value != nil {
		if *p.Value >= uint32(len(valueNames)) {
			return Observation{}, fmt.Errorf("question %x: %d is no value", id[:4], *p.Value)
		}
		v := Value(*p.Value)
		o.Value = &v
	}
	if p.AtUnixMs != 0 {
		o.At = time.UnixMilli(p.AtUnixMs).UTC()
	}
	return o, nil
}

func questionID(b []byte) (id [32]byte, err error) {
	if len(b) != len(id) {
		return id, fmt.Errorf("%w: a question's id of %d bytes", ErrInvalid, len(b))
	}
	return [32]byte(b), nil
}

// cut shortens what is too long, at the beginning of a character, and mends what is not UTF-8.
func cut(s string, limit int) string {
	if len(s) > limit {
		n := limit
		for n > limit-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "?")
}
