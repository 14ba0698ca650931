package consensustest

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Remote returns a factory whose engines are those of another, each behind a gRPC server on a unix socket of its own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func() (consensus.Engine, func() error, error) {
		e, closeEngine, err := inner()
		if err != nil {
			return nil, nil, err
		}
		conn, closeRemote, err := Serve(Instances{Handle: e})
		if err != nil {
			return nil, nil, errors.Join(err, closeEngine())
		}
		return consensus.NewClient(conn, Handle), func() error { return errors.Join(closeRemote(), closeEngine()) }, nil
	}
	return f
}

// Handle is that of the engine behind a Remote connection.
const Handle = 42

// Instances are instances by handle, of whatever kind.
type Instances = serve.Instances

// Serve serves instances on a unix socket, and returns a connection to it and what ends both.
func Serve(in plugin.Instances) (grpc.ClientConnInterface, func() error, error) {
	return serve.Unix(func(srv *grpc.Server) { consensus.RegisterServer(srv, in) })
}
