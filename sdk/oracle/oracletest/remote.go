package oracletest

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Remote returns a factory whose observers are those of another, behind a gRPC server on a unix socket of their own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func() (Instance, error) {
		in, err := inner()
		if err != nil {
			return in, err
		}
		out, err := serveObserver(serve.Instances{handle: in.Observer, OtherKindHandle: struct{}{}})
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

// handle is that of a Remote observer.
const handle = 42

func serveObserver(in plugin.Instances) (Instance, error) {
	conn, stop, err := serve.Unix(func(srv *grpc.Server) { oracle.RegisterServer(srv, in) })
	if err != nil {
		return Instance{}, err
	}
	return Instance{Observer: oracle.NewClient(conn, handle), Conn: conn, Close: stop}, nil
}
