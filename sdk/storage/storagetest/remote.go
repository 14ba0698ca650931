package storagetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
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
		remote, closeRemote, err := serve(s)
		if err != nil {
			return nil, nil, errors.Join(err, closeStore())
		}
		return remote, func() error { return errors.Join(closeRemote(), closeStore()) }, nil
	}
	return f
}

// handle is the only one that the server of a Remote store knows.
const handle = 42

type oneInstance struct{ s storage.Store }

func (o oneInstance) Instance(h uint64) (any, error) {
	if h != handle {
		return nil, plugin.ErrUnknownInstance
	}
	return o.s, nil
}

func serve(s storage.Store) (storage.Store, func() error, error) {
	dir, err := os.MkdirTemp("", "storagetest") // not the store's folder: a socket's path must be short
	if err != nil {
		return nil, nil, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(plugin.MaxMessage), grpc.MaxSendMsgSize(plugin.MaxMessage))
	storage.RegisterServer(srv, oneInstance{s})
	served := make(chan error, 1)
	go func() {
		err := srv.Serve(lis)
		if errors.Is(err, grpc.ErrServerStopped) { // it was stopped before it began
			err = nil
		}
		served <- err
	}()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		srv.Stop()
		return nil, nil, errors.Join(err, <-served, os.RemoveAll(dir))
	}
	return storage.NewClient(conn, handle), func() error {
		err := conn.Close()
		srv.Stop()
		return errors.Join(err, <-served, os.RemoveAll(dir))
	}, nil
}
