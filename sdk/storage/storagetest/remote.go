package storagetest

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// Remote returns a factory whose stores are those of another, behind a gRPC server on a unix socket of their own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func(dir string) (storage.Store, func() error, error) {
		s, closeStore, err := inner(dir)
		if err != nil {
			return nil, nil, err
		}
		conn, stop, err := serve.Unix(func(srv *grpc.Server) { storage.RegisterServer(srv, serve.Instances{handle: s}) })
		if err != nil {
			return nil, nil, errors.Join(err, closeStore())
		}
		return storage.NewClient(conn, handle), func() error { return errors.Join(stop(), closeStore()) }, nil
	}
	return f
}

// handle is the only one that the server of a Remote store knows.
const handle = 42
