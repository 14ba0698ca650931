package oracletest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

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
		out, err := serve(instances{handle: in.Observer, OtherKindHandle: struct{}{}})
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

type instances map[uint64]any

// Instance implements plugin.Instances.
func (i instances) Instance(h uint64) (any, error) {
	v, ok := i[h]
	if !ok {
		return nil, fmt.Errorf("instance %#x: %w", h, plugin.ErrUnknownInstance)
	}
	return v, nil
}

func serve(in plugin.Instances) (Instance, error) {
	dir, err := os.MkdirTemp("", "oracletest")
	if err != nil {
		return Instance{}, fmt.Errorf("folder for a socket: %w", err)
	}
	path := filepath.Join(dir, "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		return Instance{}, errors.Join(err, os.RemoveAll(dir))
	}
	srv := grpc.NewServer()
	oracle.RegisterServer(srv, in)
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
		return Instance{}, errors.Join(err, <-served, os.RemoveAll(dir))
	}
	return Instance{Observer: oracle.NewClient(conn, handle), Conn: conn, Close: func() error {
		err := conn.Close()
		srv.Stop()
		return errors.Join(err, <-served, os.RemoveAll(dir))
	}}, nil
}
