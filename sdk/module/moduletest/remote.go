package moduletest

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
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
		out, err := serveModule(serve.Instances{handle: in.Module, OtherKindHandle: struct{}{}})
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

func serveModule(in plugin.Instances) (Instance, error) {
	conn, stop, err := serve.Unix(func(srv *grpc.Server) { module.RegisterServer(srv, in) })
	if err != nil {
		return Instance{}, err
	}
	return Instance{Module: module.NewClient(conn, handle), Dial: func(uint64) grpc.ClientConnInterface { return conn }, Close: stop}, nil
}
