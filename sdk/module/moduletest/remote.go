package moduletest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Remote returns a factory whose instances are those of another, behind a gRPC server on a unix socket of their own. A
// panic of the module fails the call.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func() (Instance, error) {
		in, err := inner()
		if err != nil {
			return Instance{}, err
		}
		out, err := serve(instances{handle: in.Module, OtherKindHandle: struct{}{}})
		if err != nil {
			if in.Close != nil {
				err = errors.Join(err, in.Close())
			}
			return Instance{}, err
		}
		closeServer := out.Close
		out.Close = func() error {
			err := closeServer()
			if in.Close != nil {
				err = errors.Join(err, in.Close())
			}
			return err
		}
		return out, nil
	}
	return f
}

// handle is that of a Remote instance.
const handle = 42

type instances map[uint64]any

// Instance implements plugin.Instances.
func (i instances) Instance(h uint64) (any, error) {
	v, ok := i[h]
	if !ok {
		return nil, fmt.Errorf("instance %#x: %w", h, plugin.ErrUnknownInstance)
	}
	return v, nil
}

func serve(in plugin.Instances) (Instance, error) {
	dir, err := os.MkdirTemp("", "moduletest")
	if err != nil {
		return Instance{}, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return Instance{}, errors.Join(err, os.RemoveAll(dir))
	}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(plugin.MaxMessage), grpc.MaxSendMsgSize(plugin.MaxMessage),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
			defer contain(&err)
			return h(srv, ss)
		}),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (resp any, err error) {
			defer contain(&err)
			return h(ctx, req)
		}))
	module.RegisterServer(srv, in)
	served := make(chan error, 1)
	go func() {
		err := srv.Serve(lis)
		if errors.Is(err, grpc.ErrServerStopped) { // it was stopped before it began
			err = nil
		}
		served <- err
	}()
	conn, err := grpc.NewClient("unix:"+path, append(plugin.DialOptions(""), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		srv.Stop()
		return Instance{}, errors.Join(err, <-served, os.RemoveAll(dir))
	}
	return Instance{
		Module: module.NewClient(conn, handle),
		Dial:   func(uint64) grpc.ClientConnInterface { return conn },
		Close: func() error {
			err := conn.Close()
			srv.Stop()
			return errors.Join(err, <-served, os.RemoveAll(dir))
		},
	}, nil
}

func contain(err *error) {
	if p := recover(); p != nil {
		*err = status.Errorf(codes.Internal, "%v: %v", plugin.ErrPanicked, p)
	}
}
