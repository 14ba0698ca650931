package vmtest

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Remote returns a factory whose VMs are those of another, behind a gRPC server on a unix socket of their own.
func Remote(f Factory) Factory {
	inner := f.Open
	f.Open = func(t T) (vm.VM, func() error, error) {
		v, closeVM, err := inner(t)
		if err != nil {
			return nil, nil, err
		}
		conn, stop, err := Serve(v)
		if err != nil {
			return nil, nil, errors.Join(err, closeVM())
		}
		t.Cleanup(func() {
			if err := stop(); err != nil {
				t.Errorf("stop the server: %v", err)
			}
		})
		return vm.NewClient(conn, Handle), closeVM, nil
	}
	return f
}

// Handle is the only one that the server of [Serve] knows.
const Handle = 42

// Serve serves an instance, which should be a vm.VM, under [Handle]. stop ends connection and server.
func Serve(v any) (conn *grpc.ClientConn, stop func() error, err error) {
	return serve.Unix(func(srv *grpc.Server) { vm.RegisterServer(srv, serve.Instances{Handle: v}) })
}
