package transporttest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Remote returns a factory whose transports are those of another, behind a gRPC server on a unix socket of their own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func() (transport.Transport, func() error, error) {
		t, closeTransport, err := inner()
		if err != nil {
			return nil, nil, err
		}
		remote, closeRemote, err := serve(oneInstance{t}, handle)
		if err != nil {
			return nil, nil, errors.Join(err, closeTransport())
		}
		// As in a plugin: the instance is closed first, and calls that come later find none.
		return remote, func() error { return errors.Join(closeTransport(), closeRemote()) }, nil
	}
	return f
}

// handle is the only one that the server of a Remote transport knows.
const handle = 42

type oneInstance struct{ v any }

func (o oneInstance) Instance(h uint64) (any, error) {
	if h != handle {
		return nil, plugin.ErrUnknownInstance
	}
	return o.v, nil
}

// serve serves instances and returns the transport that a client sees under a handle.
func serve(in plugin.Instances, h uint64) (transport.Transport, func() error, error) {
	conn, stop, err := serveRaw(in)
	if err != nil {
		return nil, nil, err
	}
	return transport.NewClient(conn, h), stop, nil
}

func serveRaw(in plugin.Instances) (*grpc.ClientConn, func() error, error) {
	dir, err := os.MkdirTemp("", "transporttest")
	if err != nil {
		return nil, nil, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	opts := plugin.NewServer(nil, nil).ServerOptions("")
	srv := grpc.NewServer(opts...)
	transport.RegisterServer(srv, in)
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
		return nil, nil, errors.Join(err, <-served, os.RemoveAll(dir))
	}
	return conn, func() error {
		err := conn.Close()
		srv.Stop()
		return errors.Join(err, <-served, os.RemoveAll(dir))
	}, nil
}
