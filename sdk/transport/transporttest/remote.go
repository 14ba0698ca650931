package transporttest

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Remote returns a factory whose transports are those of another, behind a gRPC server on a unix socket of their own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func(name string) (transport.Transport, func() error, error) {
		t, closeTransport, err := inner(name)
		if err != nil {
			return nil, nil, err
		}
		remote, closeRemote, err := serveTransport(one(t), handle)
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

// one is the only instance of a server.
func one(v any) plugin.Instances { return serve.Instances{handle: v} }

// serveTransport serves instances and returns the transport that a client sees under a handle.
func serveTransport(in plugin.Instances, h uint64) (transport.Transport, func() error, error) {
	conn, stop, err := serveRaw(in)
	if err != nil {
		return nil, nil, err
	}
	return transport.NewClient(conn, h), stop, nil
}

func serveRaw(in plugin.Instances) (*grpc.ClientConn, func() error, error) {
	return serve.Unix(func(srv *grpc.Server) { transport.RegisterServer(srv, in) })
}
