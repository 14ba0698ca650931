//go:build linux

package host

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// work is one piece of work through a plugin of a kind, which goes on with a conversation where the kind has them. again
// begins that anew after the process was lost.
type work struct {
	do    func(context.Context) error
	again func(t *testing.T)
}

func consensusStart() *consensus.Start {
	h := &types.Header{}
	key := types.PublicKey{Scheme: types.SchemeEd25519, Key: make([]byte, 32)}
	return &consensus.Start{Genesis: h, Final: h, Set: &types.Set{Seats: []types.Seat{{Key: key, Weight: 1}}, Threshold: 1}}
}

// works opens an instance of a kind and says how to work through it.
func works(t *testing.T, i *Instance, kind plugin.Kind) *work {
	w := &work{again: func(*testing.T) {}}
	switch kind {
	case plugin.Storage:
		w.do = func(ctx context.Context) error {
			_, err := order(ctx, i, "pid")
			return err
		}
	case plugin.VM:
		w.do = func(ctx context.Context) error {
			_, err := i.VM().RunBatch(ctx, vm.Batch{Runs: []vm.Run{{Code: []byte("#h"), GasLimit: 9}}})
			return err
		}
	case plugin.Oracle:
		w.do = func(ctx context.Context) error {
			_, err := i.Observer().Observe(ctx, oracle.Question{Text: "is it?"})
			return err
		}
	case plugin.Module:
		w.do = func(ctx context.Context) error {
			_, err := i.Module().Check(ctx, moduletest.TallyTxs(1, 3))
			return err
		}
	case plugin.Consensus:
		var s consensus.Session
		w.again = func(t *testing.T) {
			var err error
			s, err = i.Engine().Run(context.Background(), consensusStart())
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
		}
		w.do = func(ctx context.Context) error {
			if err := s.Step(ctx, &consensus.Woken{NowMs: 1}); err != nil {
				return err
			}
			_, err := s.Next(ctx)
			return err
		}
	case plugin.Transport:
		var l transport.Link
		w.again = func(t *testing.T) {
			var err error
			l, err = i.Transport().Attach(context.Background(), transport.Control)
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}
		w.do = func(ctx context.Context) error {
			if err := l.Send(transport.Outgoing{Peers: []transport.PeerID{{1}}, Channel: "c", Payload: []byte("x")}); err != nil {
				return err
			}
			got := make(chan error, 1)
			go func() {
				_, err := l.Recv()
				got <- err
			}()
			select {
			case err := <-got:
				return err
			case <-ctx.Done():
				t.Cleanup(func() { <-got })
				return ctx.Err()
			}
		}
	}
	return w
}

// TestWorkStallsWithItsPlugin shows that no kind is an ornament: while its process is stopped nothing goes on through it,
// afterwards everything does, and when it does not come back another takes its place.
func TestWorkStallsWithItsPlugin(t *testing.T) {
	for _, kind := range []plugin.Kind{plugin.Storage, plugin.Consensus, plugin.Transport, plugin.VM, plugin.Oracle, plugin.Module} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			dir := t.TempDir()
			p := start(t, h, Spec{Name: "kinds", Builtin: true, DataDir: dir, Kinds: []plugin.Kind{kind}, PingTimeout: 5 * time.Second})
			i, err := p.Open(testCtx(t), plugin.OpenRequest{Kind: kind, ChainName: "a", DataDir: filepath.Join(dir, "a")}, nil)
			require.NoError(t, err)
			w := works(t, i, kind)
			w.again(t)
			require.NoError(t, w.do(testCtx(t)))

			pid := only(t, h).PID
			stop(t, pid)
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, w.do(ctx), context.DeadlineExceeded)
			resume(t, pid)
			require.NoError(t, w.do(testCtx(t)))
			require.Equal(t, pid, only(t, h).PID, "the same process has gone on")
			require.EqualValues(t, 1, i.Opens())

			kill9(t, pid)
			err = w.do(testCtx(t))
			if kind == plugin.Consensus || kind == plugin.Transport {
				for err == nil { // what was under way before
					err = w.do(testCtx(t))
				}
				require.ErrorIs(t, err, ErrPluginLost)
				w.again(t)
				err = w.do(testCtx(t))
			}
			require.NoError(t, err)
			require.NotEqual(t, pid, only(t, h).PID)
		})
	}
}
