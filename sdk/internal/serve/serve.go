// Package serve puts instances behind a gRPC server on a unix socket, for the conformance suites of all kinds: what a suite
// finds in process it must find through the wire as well.
package serve

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Instances are instances by handle, of whatever kind.
type Instances map[uint64]any

// Instance implements plugin.Instances.
func (in Instances) Instance(h uint64) (any, error) {
	v, ok := in[h]
	if !ok {
		return nil, fmt.Errorf("instance %#x: %w", h, plugin.ErrUnknownInstance)
	}
	return v, nil
}

// Unix serves what register registers, with the limits of a plugin's server, on a socket of its own. It returns a connection
// to it, and stop, which ends both and returns when nothing of them is left.
func Unix(register func(*grpc.Server)) (conn *grpc.ClientConn, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "serve") // not a test's own folder: a socket's path must be short
	if err != nil {
		return nil, nil, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	srv := grpc.NewServer(plugin.NewServer(nil, nil).ServerOptions("")...)
	register(srv)
	served := make(chan error, 1)
	go func() {
		err := srv.Serve(lis)
		if errors.Is(err, grpc.ErrServerStopped) { // it was stopped before it began
			err = nil
		}
		served <- err
	}()
	conn, err = grpc.NewClient("unix:"+path, append(plugin.DialOptions(""), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
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
