package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Named errors of a node's own part in its chains' oracles.
var (
	ErrNoOracle   = errors.New("ErrNoOracle")   // the chain has no oracle
	ErrNoBelief   = errors.New("ErrNoBelief")   // this node has no answer, and says why
	ErrNothingDue = errors.New("ErrNothingDue") // no ballot of this node is due
	ErrCommitted  = errors.New("ErrCommitted")  // this node has committed to another value already
)

// MaxObservations is the most observations that a node tells.
const MaxObservations = 256

// OracleAdmin is what an [Admin] offers besides if its node takes part in disputes. Without it, the calls fail with
// ErrUnsupported. Chains go by name or id; "" stands for the only one.
type OracleAdmin interface {
	// Believe makes v the operator's own answer to a question, which the node's ballot is made from. It wins over the node's
	// sources. It fails with ErrNoOracle, with ErrNoBelief if the node can hold none, and with ErrCommitted.
	Believe(ctx context.Context, chain string, question types.Hash, v oracle.Value, reason string) error
	// Observations returns what the node believes, newest first.
	Observations(ctx context.Context, chain string) ([]Observation, error)
	// SignBallot returns the ballot of the node's producer that is due now: the body of the action "ballot". It fails with
	// ErrNoBelief if the node has no answer, and with ErrNothingDue if it is not the time.
	SignBallot(ctx context.Context, chain string, question types.Hash) ([]byte, error)
}

// Observation is what a node believes of a question, and where it is with its ballot.
type Observation struct {
	Question types.Hash    `json:"question"`
	State    string        `json:"state"`           // waiting, observing, believes, failed, committed or revealed
	Value    *oracle.Value `json:"value,omitempty"` // nil if it has none
	Reason   string        `json:"reason,omitempty"`
	Source   string        `json:"source,omitempty"` // where the answer comes from
	Attempts int           `json:"attempts"`
	At       time.Time     `json:"at"` // of the last change
}

// oracleAdmin returns the part of the administration that a node need not have.
func (a *adminService) oracleAdmin() (OracleAdmin, error) {
	o, ok := a.admin.(OracleAdmin)
	if !ok {
		return nil, fmt.Errorf("%w: this node takes no part in disputes", ErrUnsupported)
	}
	return o, nil
}

// ballotQuestion reads a question's id.
func ballotQuestion(s string) (types.Hash, error) {
	id, err := types.ParseHash(s)
	if err != nil {
		return id, fmt.Errorf("%w: question: %w", ErrInvalid, err)
	}
	return id, nil
}

// OracleBallot implements apiv1connect.AdminServiceHandler.
func (a *adminService) OracleBallot(ctx context.Context, r *connect.Request[apiv1.OracleBallotRequest]) (*connect.Response[apiv1.OracleBallotResponse], error) {
	if err := a.authorise(r.Header(), "OracleBallot"); err != nil {
		return nil, err
	}
	err := func() error {
		o, err := a.oracleAdmin()
		if err != nil {
			return err
		}
		id, err := ballotQuestion(r.Msg.Question)
		if err != nil {
			return err
		}
		v, err := oracle.ParseValue(r.Msg.Value)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if n := len(r.Msg.Reason); n > oracle.MaxReasonBytes {
			return fmt.Errorf("%w: a reason of %d bytes, at most %d are allowed", ErrInvalid, n, oracle.MaxReasonBytes)
		}
		return o.Believe(ctx, r.Msg.Chain, id, v, r.Msg.Reason)
	}()
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.OracleBallotResponse{}), nil
}

// OracleObservations implements apiv1connect.AdminServiceHandler.
func (a *adminService) OracleObservations(ctx context.Context, r *connect.Request[apiv1.OracleObservationsRequest]) (*connect.Response[apiv1.OracleObservationsResponse], error) {
	if err := a.authorise(r.Header(), "OracleObservations"); err != nil {
		return nil, err
	}
	o, err := a.oracleAdmin()
	if err != nil {
		return nil, wireError(err, 0)
	}
	list, err := o.Observations(ctx, r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	m := &apiv1.OracleObservationsResponse{}
	for _, x := range list[:min(len(list), MaxObservations)] {
		y := &apiv1.OracleObservation{Question: text(x.Question), State: clean(x.State), Reason: clean(x.Reason), Source: clean(x.Source),
			Attempts: uint32(min(count(x.Attempts), 1<<32-1)), AtMs: unixMs(x.At)}
		if x.Value != nil {
			y.Value = x.Value.String()
		}
		m.Observations = append(m.Observations, y)
	}
	return connect.NewResponse(m), nil
}

// OracleSignBallot implements apiv1connect.AdminServiceHandler.
func (a *adminService) OracleSignBallot(ctx context.Context, r *connect.Request[apiv1.OracleSignBallotRequest]) (*connect.Response[apiv1.OracleSignBallotResponse], error) {
	if err := a.authorise(r.Header(), "OracleSignBallot"); err != nil {
		return nil, err
	}
	ballot, err := func() ([]byte, error) {
		o, err := a.oracleAdmin()
		if err != nil {
			return nil, err
		}
		id, err := ballotQuestion(r.Msg.Question)
		if err != nil {
			return nil, err
		}
		return o.SignBallot(ctx, r.Msg.Chain, id)
	}()
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.OracleSignBallotResponse{Ballot: ballot}), nil
}

// ParseObservations reads an OracleObservationsResponse.
func ParseObservations(m *apiv1.OracleObservationsResponse) ([]Observation, error) {
	var p parser
	var out []Observation
	for _, x := range m.GetObservations() {
		o := Observation{Question: p.hash("question", x.GetQuestion()), State: x.GetState(), Reason: x.GetReason(), Source: x.GetSource(),
			Attempts: int(x.GetAttempts()), At: timeOf(x.GetAtMs())}
		if s := x.GetValue(); s != "" {
			v, err := oracle.ParseValue(s)
			p.fail("value", err)
			o.Value = &v
		}
		out = append(out, o)
	}
	return out, p.err
}
