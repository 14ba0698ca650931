package consensustest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
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
type Instances map[uint64]any

// Instance implements plugin.Instances.
func (in Instances) Instance(h uint64) (any, error) {
	v, ok := in[h]
	if !ok {
		return nil, plugin.ErrUnknownInstance
	}
	return v, nil
}

// Serve serves instances on a unix socket, and returns a connection to it and what ends both.
func Serve(in plugin.Instances) (grpc.ClientConnInterface, func() error, error) {
	dir, err := os.MkdirTemp("", "consensustest")
	if err != nil {
		return nil, nil, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(plugin.MaxMessage), grpc.MaxSendMsgSize(plugin.MaxMessage))
	consensus.RegisterServer(srv, in)
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
	return conn, func() error {
		err := conn.Close()
		srv.Stop()
		return errors.Join(err, <-served, os.RemoveAll(dir))
	}, nil
}
