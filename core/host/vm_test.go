//go:build linux

package host

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestSessionEndsWithItsProcess holds a session with a VM whose process is killed: what was said cannot be said again, so
// the session ends. Calls, and further sessions, go to the process that takes its place.
func TestSessionEndsWithItsProcess(t *testing.T) {
	h := newHost(t, Options{})
	dir := t.TempDir()
	p := start(t, h, Spec{Name: "kinds", Builtin: true, DataDir: dir, Kinds: []plugin.Kind{plugin.VM}, PingTimeout: 5 * time.Second})
	i, err := p.Open(testCtx(t), plugin.OpenRequest{Kind: plugin.VM, ChainName: "a", DataDir: filepath.Join(dir, "a")}, nil)
	require.NoError(t, err)
	v, pid := i.VM(), only(t, h).PID
	info, err := v.Info(testCtx(t))
	require.NoError(t, err)

	n := 0
	err = v.Interact(testCtx(t), vm.Session{}, func(o vm.Output) (vm.Input, error) {
		if n++; n == 2 {
			require.Equal(t, []string{"5"}, o.Stack)
			kill9(t, pid)
		}
		return vm.Input{Text: "5"}, nil
	})
	require.ErrorIs(t, err, ErrPluginLost)
	require.Equal(t, 2, n, "nothing is said twice")

	again, err := v.Info(testCtx(t))
	require.NoError(t, err)
	require.Equal(t, info, again)
	require.NotEqual(t, pid, only(t, h).PID)
	enough := errors.New("enough")
	for _, end := range []error{io.EOF, enough} {
		heard := []vm.Output{}
		err = v.Interact(testCtx(t), vm.Session{}, func(o vm.Output) (vm.Input, error) {
			if heard = append(heard, o); len(heard) == 3 {
				return vm.Input{}, end
			}
			return vm.Input{Text: "7"}, nil
		})
		if end == io.EOF {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, enough)
		}
		require.Equal(t, []string{"7", "7"}, heard[2].Stack)
	}
	require.ErrorIs(t, v.Interact(testCtx(t), vm.Session{Dialect: "none"}, func(vm.Output) (vm.Input, error) { return vm.Input{Text: "1"}, nil }), vm.ErrUnsupported)
}
