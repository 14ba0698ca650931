package vmtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Remote returns a factory whose VMs are those of another, behind a gRPC server on a unix socket of their own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func(t T) (vm.VM, func() error, error) {
		v, closeVM, err := inner(t)
		if err != nil {
			return nil, nil, err
		}
		conn, stop, err := Serve(v)
		if err != nil {
			return nil, nil, errors.Join(err, closeVM())
		}
		t.Cleanup(func() {
			if err := stop(); err != nil {
				t.Errorf("stop the server: %v", err)
			}
		})
		return vm.NewClient(conn, Handle), closeVM, nil
	}
	return f
}

// Handle is the only one that the server of [Serve] knows.
const Handle = 42

type oneInstance struct{ v any }

func (o oneInstance) Instance(h uint64) (any, error) {
	if h != Handle {
		return nil, plugin.ErrUnknownInstance
	}
	return o.v, nil
}

// Serve serves an instance, which should be a vm.VM, under [Handle]. stop ends connection and server.
func Serve(v any) (conn *grpc.ClientConn, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "vmtest") // a socket's path must be short
	if err != nil {
		return nil, nil, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(plugin.MaxMessage), grpc.MaxSendMsgSize(plugin.MaxMessage))
	vm.RegisterServer(srv, oneInstance{v})
	served := make(chan error, 1)
	go func() {
		err := srv.Serve(lis)
		if errors.Is(err, grpc.ErrServerStopped) { // it was stopped before it began
			err = nil
		}
		served <- err
	}()
	conn, err = grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		srv.Stop()
		return nil, nil, errors.Join(err, <-served, os.RemoveAll(dir))
	}
	return conn, func() error {
		err := conn.Close()
		srv.Stop()
		return errors.Join(err, <-served, os.RemoveAll(dir))
	}, nil
}
