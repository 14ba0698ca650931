package oracle

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	oraclev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/oracle/v1"
)

// RegisterServer serves the instances of in that are an Observer. Their module face is served by module.RegisterServer.
func RegisterServer(s grpc.ServiceRegistrar, in plugin.Instances) {
	oraclev1.RegisterOracleServiceServer(s, &server{in: in})
}

type server struct {
	oraclev1.UnimplementedOracleServiceServer
	in plugin.Instances
}

// Observe implements the service.
func (s *server) Observe(ctx context.Context, req *oraclev1.ObserveRequest) (*oraclev1.ObserveResponse, error) {
	o, id, err := s.find(req.Instance, req.Question)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	q := Question{ID: id, Text: req.Text, Sources: req.Sources}
	if err := q.check(); err != nil {
		return nil, wire.ToWire(err)
	}
	b, err := o.Observe(ctx, q)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	return &oraclev1.ObserveResponse{Value: uint32(b.Value), Reason: cut(b.Reason, MaxReasonBytes)}, nil
}

// Believe implements the service.
func (s *server) Believe(ctx context.Context, req *oraclev1.BelieveRequest) (*oraclev1.BelieveResponse, error) {
	o, id, err := s.find(req.Instance, req.Question)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	if req.Value >= uint32(len(valueNames)) {
		return nil, wire.ToWire(fmt.Errorf("%w: %d is no answer", ErrInvalid, req.Value))
	}
	b := Belief{Value: Value(req.Value), Reason: req.Reason}
	if err := b.check(); err != nil {
		return nil, wire.ToWire(err)
	}
	if err := o.Believe(ctx, id, b); err != nil {
		return nil, wire.ToWire(err)
	}
	return &oraclev1.BelieveResponse{}, nil
}

// Observations implements the service.
func (s *server) Observations(ctx context.Context, req *oraclev1.ObservationsRequest) (*oraclev1.ObservationsResponse, error) {
	o, err := plugin.InstanceAs[Observer](s.in, req.Instance)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	list, err := o.Observations(ctx)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	resp := &oraclev1.ObservationsResponse{}
	for _, v := range list[:min(len(list), MaxObservations)] {
		resp.Observations = append(resp.Observations, observationToProto(v))
	}
	return resp, nil
}

// SignBallot implements the service.
func (s *server) SignBallot(ctx context.Context, req *oraclev1.SignBallotRequest) (*oraclev1.SignBallotResponse, error) {
	o, id, err := s.find(req.Instance, req.Question)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	b, err := o.SignBallot(ctx, id)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	return &oraclev1.SignBallotResponse{Carried: b}, nil
}

func (s *server) find(handle uint64, question []byte) (Observer, [32]byte, error) {
	o, err := plugin.InstanceAs[Observer](s.in, handle)
	if err != nil {
		return nil, [32]byte{}, err
	}
	id, err := questionID(question)
	return o, id, err
}
