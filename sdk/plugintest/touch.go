package plugintest

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// touch makes a call of a kind that needs no state and leaves none. It returns nil if the instance has answered, be it with an
// error of its kind, and otherwise why it has not.
func touch(ctx context.Context, kind plugin.Kind, cc grpc.ClientConnInterface, handle uint64) error {
	err := harmless(ctx, kind, cc, handle)
	for _, common := range []error{plugin.ErrUnknownInstance, plugin.ErrWrongKind, plugin.ErrPanicked, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, common) {
			return err
		}
	}
	if s, ok := status.FromError(err); ok && err != nil {
		switch s.Code() {
		case codes.Internal, codes.FailedPrecondition: // an error of the instance without a number
		default:
			return err
		}
	}
	return nil
}

func harmless(ctx context.Context, kind plugin.Kind, cc grpc.ClientConnInterface, handle uint64) error {
	switch kind {
	case plugin.Storage:
		_, err := storage.NewClient(cc, handle).Status(ctx, false)
		return err
	case plugin.Transport:
		_, err := transport.NewClient(cc, handle).Probe(ctx, transport.PeerID{}, 1)
		return err
	case plugin.Consensus:
		session, err := consensus.NewClient(cc, handle).Run(ctx, someStart())
		if err == nil {
			err = session.Close()
		}
		return err
	case plugin.VM:
		_, err := vm.NewClient(cc, handle).RunBatch(ctx, vm.Batch{})
		return err
	case plugin.Oracle:
		_, err := oracle.NewClient(cc, handle).Observe(ctx, oracle.Question{Text: "Is anybody there?"})
		return err
	case plugin.Module:
		return module.NewClient(cc, handle).ValidateParams(ctx, nil)
	}
	return fmt.Errorf("this version of the SDK does not know the kind %q", kind)
}

// someStart is a start whose form is right.
func someStart() *consensus.Start {
	key := types.Ed25519Key(make([]byte, 32))
	genesis := &types.Header{}
	return &consensus.Start{Genesis: genesis, Final: genesis, GenesisTimeMs: 1, NowMs: 1,
		Set: &types.Set{Threshold: 1, Seats: []types.Seat{{Key: key, Weight: 1}}}}
}
