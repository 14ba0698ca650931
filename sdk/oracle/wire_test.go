package oracle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	oraclev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/oracle/v1"
)

// hostile is a plugin that answers whatever a test wants.
type hostile struct {
	oraclev1.OracleServiceClient
	list    []*oraclev1.Observation
	carried []byte
	err     error
}

func (h *hostile) Believe(context.Context, *oraclev1.BelieveRequest, ...grpc.CallOption) (*oraclev1.BelieveResponse, error) {
	return &oraclev1.BelieveResponse{}, h.err
}

func (h *hostile) Observations(context.Context, *oraclev1.ObservationsRequest, ...grpc.CallOption) (*oraclev1.ObservationsResponse, error) {
	return &oraclev1.ObservationsResponse{Observations: h.list}, h.err
}

func (h *hostile) SignBallot(context.Context, *oraclev1.SignBallotRequest, ...grpc.CallOption) (*oraclev1.SignBallotResponse, error) {
	return &oraclev1.SignBallotResponse{Carried: h.carried}, h.err
}

func TestTheClientTrustsNoObservation(t *testing.T) {
	u32 := func(v uint32) *uint32 { return &v }
	good := func() *oraclev1.Observation {
		return &oraclev1.Observation{Question: make([]byte, 32), State: ObservationBelieves, Value: u32(1), Reason: "so", Source: "operator", Attempts: 2, AtUnixMs: 5}
	}
	with := func(f func(*oraclev1.Observation)) []*oraclev1.Observation {
		o := good()
		f(o)
		return []*oraclev1.Observation{good(), o}
	}
	many := make([]*oraclev1.Observation, MaxObservations+1)
	for i := range many {
		many[i] = good()
	}
	for _, c := range []struct {
		name string
		list []*oraclev1.Observation
		ok   bool
	}{
		{"none", nil, true},
		{"good", []*oraclev1.Observation{good()}, true},
		{"as many as allowed", many[1:], true},
		{"one more", many, false},
		{"nil", []*oraclev1.Observation{nil}, false},
		{"a short id", with(func(o *oraclev1.Observation) { o.Question = o.Question[1:] }), false},
		{"no id", with(func(o *oraclev1.Observation) { o.Question = nil }), false},
		{"no value", with(func(o *oraclev1.Observation) { o.Value = nil }), true},
		{"a value that is none", with(func(o *oraclev1.Observation) { o.Value = u32(4) }), false},
		{"a value that is none, modulo 256", with(func(o *oraclev1.Observation) { o.Value = u32(257) }), false},
		{"no state", with(func(o *oraclev1.Observation) { o.State = "" }), false},
		{"a state that there is not", with(func(o *oraclev1.Observation) { o.State = "sleeping" }), false},
		{"a long reason", with(func(o *oraclev1.Observation) { o.Reason = strings.Repeat("ü", 10_000) }), true},
		{"a reason that is not UTF-8", with(func(o *oraclev1.Observation) { o.Reason = "\xff\xfe" }), true},
		{"a long source", with(func(o *oraclev1.Observation) { o.Source = strings.Repeat("x", 10_000) }), true},
		{"many attempts", with(func(o *oraclev1.Observation) { o.Attempts = 1<<32 - 1 }), true},
		{"the beginning of time", with(func(o *oraclev1.Observation) { o.AtUnixMs = -1 << 63 }), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := (&client{c: &hostile{list: c.list}}).Observations(t.Context())
			if (err == nil) != c.ok {
				t.Fatalf("%v, want it to pass: %t", err, c.ok)
			}
			for _, o := range list {
				if len(o.Reason) > MaxReasonBytes || len(o.Source) > maxSourceName || !utf8.ValidString(o.Reason) || o.Attempts < 0 {
					t.Errorf("it passes on %.80q", fmt.Sprintf("%+v", o))
				}
			}
		})
	}
}

func TestTheClientTrustsNoBallot(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, maxCarriedBytes: true, maxCarriedBytes + 1: false} {
		if _, err := (&client{c: &hostile{carried: make([]byte, n)}}).SignBallot(t.Context(), [32]byte{}); (err == nil) != ok {
			t.Errorf("a ballot of %d bytes: %v", n, err)
		}
	}
}

func TestErrorsOfAllCallsCrossTheWire(t *testing.T) {
	for _, want := range []error{ErrClosed, ErrNoBelief, ErrInvalid, ErrCommitted, ErrNothingDue, plugin.ErrUnknownInstance} {
		c := &client{c: &hostile{err: wire.ToWire(fmt.Errorf("%w: because", want))}}
		_, listErr := c.Observations(t.Context())
		_, signErr := c.SignBallot(t.Context(), [32]byte{})
		for what, err := range map[string]error{"believe": c.Believe(t.Context(), [32]byte{}, Belief{}), "observations": listErr, "sign": signErr} {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "because") {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
	}
	c := &client{c: &hostile{err: wire.ToWire(context.DeadlineExceeded)}}
	if err := c.Believe(t.Context(), [32]byte{}, Belief{}); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline of the plugin's own: %v", err)
	}
}

// counting is an instance that is never to see a malformed call.
type counting struct {
	NoVoter
	calls int
}

func (c *counting) Observe(context.Context, Question) (Belief, error) {
	c.calls++
	return Belief{Reason: strings.Repeat("ü", 5000)}, nil
}

func (c *counting) Believe(context.Context, [32]byte, Belief) error {
	c.calls++
	return nil
}

func (c *counting) Observations(context.Context) ([]Observation, error) {
	v := Value(7)
	list := []Observation{{State: "any", Value: &v, Reason: strings.Repeat("x", 10_000), Attempts: -1, At: time.Unix(1, 0)}}
	return append(list, make([]Observation, 1000)...), nil
}

// Instance implements plugin.Instances.
func (c *counting) Instance(uint64) (any, error) { return c, nil }

func TestTheServerTrustsNoCall(t *testing.T) {
	in := &counting{}
	s := &server{in: in}
	id := make([]byte, 32)
	for name, err := range map[string]func() error{
		"observe with a short id": func() error {
			_, err := s.Observe(t.Context(), &oraclev1.ObserveRequest{Question: id[1:], Text: "x"})
			return err
		},
		"observe without a text": func() error { _, err := s.Observe(t.Context(), &oraclev1.ObserveRequest{Question: id}); return err },
		"believe with a long id": func() error {
			_, err := s.Believe(t.Context(), &oraclev1.BelieveRequest{Question: append(id, 0)})
			return err
		},
		"believe a value that is none": func() error {
			_, err := s.Believe(t.Context(), &oraclev1.BelieveRequest{Question: id, Value: 4})
			return err
		},
		"believe value 256": func() error {
			_, err := s.Believe(t.Context(), &oraclev1.BelieveRequest{Question: id, Value: 256})
			return err
		},
		"believe for too long a reason": func() error {
			_, err := s.Believe(t.Context(), &oraclev1.BelieveRequest{Question: id, Reason: strings.Repeat("x", MaxReasonBytes+1)})
			return err
		},
		"believe for a reason that is not UTF-8": func() error {
			_, err := s.Believe(t.Context(), &oraclev1.BelieveRequest{Question: id, Reason: "\xff"})
			return err
		},
		"sign without an id": func() error { _, err := s.SignBallot(t.Context(), &oraclev1.SignBallotRequest{}); return err },
	} {
		if err := wire.FromWire(err()); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if in.calls != 0 {
		t.Errorf("%d malformed calls reach the instance", in.calls)
	}
	if _, err := s.Believe(t.Context(), &oraclev1.BelieveRequest{Question: id, Value: 3, Reason: strings.Repeat("x", MaxReasonBytes)}); err != nil || in.calls != 1 {
		t.Errorf("%v", err)
	}
	resp, err := s.Observe(t.Context(), &oraclev1.ObserveRequest{Question: id, Text: "x"})
	if err != nil || len(resp.Reason) > MaxReasonBytes || !utf8.ValidString(resp.Reason) || strings.ContainsRune(resp.Reason, '?') {
		t.Errorf("a reason of %d bytes, %v", len(resp.GetReason()), err)
	}
	list, err := s.Observations(t.Context(), &oraclev1.ObservationsRequest{})
	if err != nil || len(list.Observations) != MaxObservations || len(list.Observations[0].Reason) > MaxReasonBytes || list.Observations[0].Attempts != 0 {
		t.Errorf("%d observations, %v", len(list.GetObservations()), err)
	}
}
