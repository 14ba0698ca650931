package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
)

// RegisterServer serves the open engines of a plugin. The gRPC server must accept messages of plugin.MaxMessage.
func RegisterServer(s grpc.ServiceRegistrar, in plugin.Instances) {
	consensusv1.RegisterConsensusServiceServer(s, &server{in: in, errs: errorMap()})
}

type server struct {
	consensusv1.UnimplementedConsensusServiceServer
	in   plugin.Instances
	errs plugin.ErrorMap
}

func (s *server) Run(stream consensusv1.ConsensusService_RunServer) error {
	return s.errs.ToWire(s.run(stream))
}

func (s *server) run(stream consensusv1.ConsensusService_RunServer) error {
	handle, start, err := readStart(stream.Recv)
	if err != nil {
		return err
	}
	eng, err := plugin.InstanceAs[Engine](s.in, handle)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	session, err := eng.Run(ctx, start)
	if err != nil {
		return err
	}
	// The headers tell the client that the run has begun.
	if err := stream.SendHeader(metadata.Pairs("paloalto-run", "1")); err != nil {
		return errors.Join(err, session.Close())
	}
	// The reader ends at the latest when this handler returns, which ends the stream.
	go func() { cancel(read(ctx, stream, session)) }()
	for {
		r, err := session.Next(ctx)
		if err == nil {
			err = stream.Send(readyToWire(r))
		}
		if err == nil {
			continue
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		closeErr := session.Close()
		if errors.Is(err, io.EOF) { // the client has hung up
			return closeErr
		}
		return err
	}
}

// read hands the stream's events to the session until one of them ends; io.EOF says that the client has closed it.
func read(ctx context.Context, stream consensusv1.ConsensusService_RunServer, session Session) error {
	for {
		w, err := stream.Recv()
		if err != nil {
			return err
		}
		ev, err := eventFromWire(w)
		if err != nil {
			return fmt.Errorf("step: %w", err)
		}
		if err := session.Step(ctx, ev); err != nil {
			return fmt.Errorf("step: %w", err)
		}
	}
}
