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
	o, err := plugin.InstanceAs[Observer](s.in, req.Instance)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	q := Question{Text: req.Text, Sources: req.Sources}
	if copy(q.ID[:], req.Question) != len(q.ID) || len(req.Question) != len(q.ID) {
		return nil, wire.ToWire(fmt.Errorf("%w: a question's id of %d bytes", ErrInvalid, len(req.Question)))
	}
	if err := q.check(); err != nil {
		return nil, wire.ToWire(err)
	}
	b, err := o.Observe(ctx, q)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	return &oraclev1.ObserveResponse{Value: uint32(b.Value), Reason: cut(b.Reason)}, nil
}
