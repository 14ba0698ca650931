//go:build linux

package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// hostMain is a node's process: a host with a plugin that has a child. It never ends by itself.
func hostMain(dir string) {
	Harden()
	err := func() error {
		h, err := New(Options{})
		if err != nil {
			return err
		}
		ctx := context.Background()
		if socket := os.Getenv("EVENTS"); socket != "" {
			_, err := h.Start(ctx, Spec{Name: "stubborn", Builtin: true, DataDir: dir, Env: []string{"EVENTS"}, StartTimeout: time.Hour})
			return err
		}
		p, err := h.Start(ctx, fileSpec(dir))
		if err != nil {
			return err
		}
		i, err := p.Open(ctx, plugin.OpenRequest{Kind: plugin.Storage, DataDir: filepath.Join(dir, "a")}, nil)
		if err != nil {
			return err
		}
		for _, what := range []string{"hello", "child"} {
			if _, err := order(ctx, i, what); err != nil {
				return err
			}
		}
		// It is hardened, and still finds itself.
		if _, err := os.ReadFile("/proc/self/environ"); os.Geteuid() == 0 && err != nil {
			return err
		}
		sleepForever()
		return nil
	}()
	fmt.Fprintln(os.Stderr, "host:", err)
	os.Exit(1)
}

// both waits for the plugin and its child.
func both(t *testing.T, ev <-chan eventConn) (hello, child eventConn) {
	t.Helper()
	return next(t, ev, "hello"), next(t, ev, "child")
}

func TestNoOrphansAfterTheHostIsKilled(t *testing.T) {
	dir := shortDir(t)
	ev := events(t, filepath.Join(dir, "a"))
	cmd := exec.Command("/proc/self/exe", "plugin", "host", dir)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	hello, child := both(t, ev)
	left, err := filepath.Glob(filepath.Join(dir, runDirPrefix+"*"))
	require.NoError(t, err)
	require.Len(t, left, 1)

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	hello.gone(t)
	child.gone(t)

	// The next host clears away what it has left.
	t.Setenv("XDG_RUNTIME_DIR", dir)
	newHost(t, Options{})
	require.NoDirExists(t, left[0])
}

// TestAPluginOfAnotherMakeIsNoOrphan is about one that does not know of the lifeline, and while it starts.
func TestAPluginOfAnotherMakeIsNoOrphan(t *testing.T) {
	dir := shortDir(t)
	ev := events(t, dir)
	cmd := exec.Command("/proc/self/exe", "plugin", "host", dir)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "EVENTS="+filepath.Join(dir, eventSocket))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	hello := next(t, ev, "hello")
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	hello.gone(t)
}

func TestNoOrphansAfterThePluginIsLost(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Host, *Process){
		"killed":        func(t *testing.T, h *Host, _ *Process) { kill9(t, only(t, h).PID) },
		"released":      func(t *testing.T, _ *Host, p *Process) { require.NoError(t, p.Release(testCtx(t))) },
		"host closed":   func(t *testing.T, h *Host, _ *Process) { require.NoError(t, h.Close(context.Background())) },
		"stopped":       func(t *testing.T, h *Host, _ *Process) { stop(t, only(t, h).PID) },
		"exits by call": func(t *testing.T, h *Host, p *Process) { _, _ = order(testCtx(t), anyInstance(p), "exit") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Options{})
			dir := shortDir(t)
			ev := events(t, filepath.Join(dir, "a"))
			s := fileSpec(dir)
			s.PingTimeout = 1000e6
			s.MaxCrashes = 1
			p := start(t, h, s)
			i := open(t, p, "a")
			mustOrder(t, i, "hello")
			mustOrder(t, i, "child")
			hello, child := both(t, ev)
			end(t, h, p)
			hello.gone(t)
			child.gone(t)
		})
	}
}

func anyInstance(p *Process) *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return keys(p.instances)[0]
}
