package localnet

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/core/signer"
)

// testNetwork makes the folder of a network of fake nodes, by the manners of each.
func testNetwork(t *testing.T, manners map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	s := &State{Format: 1, Name: "test"}
	for _, name := range []string{"a", "b", "c"} {
		m, ok := manners[name]
		if !ok {
			continue
		}
		s.Nodes = append(s.Nodes, testNode(t, name, 1))
		require.NoError(t, os.MkdirAll(NodeDir(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(NodeDir(dir, name), "manners"), []byte(m), 0o600))
	}
	require.NoError(t, s.write(dir))
	return dir
}

// testNode is a node with a key, and two ports from a number on.
func testNode(t *testing.T, name string, port int) NodeState {
	t.Helper()
	key, err := ensureKey(filepath.Join(t.TempDir(), "keys"), NodeKeyName, signer.RoleNode)
	require.NoError(t, err)
	return NodeState{Name: name, Listen: local(port), API: local(port + 1), Key: key}
}

type events struct {
	mu   sync.Mutex
	list []Event
	more chan struct{}
}

func (e *events) add(x Event) {
	e.mu.Lock()
	e.list = append(e.list, x)
	e.mu.Unlock()
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// await waits for an event.
func (e *events) await(t *testing.T, what func(Event) bool) Event {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		e.mu.Lock()
		for _, x := range e.list {
			if what(x) {
				e.mu.Unlock()
				return x
			}
		}
		e.mu.Unlock()
		select {
		case <-e.more:
		case <-deadline:
			t.Fatal("no such event")
		}
	}
}

func supervise(t *testing.T, dir string) (*Supervisor, *events) {
	t.Helper()
	ev := &events{more: make(chan struct{}, 1)}
	s, err := NewSupervisor(dir, Options{Notify: ev.add})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s, ev
}

func TestSupervisor(t *testing.T) {
	dir := testNetwork(t, map[string]string{"a": "", "b": "", "c": ""})
	require.False(t, Running(dir))
	s, ev := supervise(t, dir)
	require.True(t, Running(dir))
	require.NoError(t, s.StartAll(t.Context()))
	require.Len(t, s.Pids(), 3)

	_, err := NewSupervisor(dir, Options{})
	require.ErrorIs(t, err, ErrRunning)
	require.ErrorContains(t, s.Start(t.Context(), "b"), "runs already")
	require.ErrorContains(t, s.Start(t.Context(), "x"), `has no node "x"; it has [a b c]`)
	require.ErrorContains(t, s.Restart(t.Context(), "x"), `no node "x"`)

	control := NewControl(dir)
	info, err := control.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, Info{PID: os.Getpid(), Nodes: s.Pids()}, info)
	require.NoError(t, control.Node(t.Context(), "b", "stop"))
	require.NotContains(t, s.Pids(), "b")
	require.NoError(t, control.Node(t.Context(), "b", "stop"), "stopping twice is harmless")
	require.NoError(t, control.Node(t.Context(), "b", "restart"))
	require.NotEqual(t, info.Nodes["b"], s.Pids()["b"])
	require.ErrorContains(t, control.Node(t.Context(), "x", "restart"), `no node "x"`)

	require.NoError(t, syscall.Kill(s.Pids()["c"], syscall.SIGKILL))
	e := ev.await(t, func(e Event) bool { return e.Error != "" })
	require.Equal(t, "c", e.Node)
	require.Contains(t, e.Error, "signal: killed; `alto node restart c` starts it again")

	ended := make(chan error, 1)
	go func() { ended <- control.Down(context.Background()) }()
	<-s.Down()
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, <-ended)
	require.False(t, Running(dir))
	_, err = control.Info(t.Context())
	require.ErrorIs(t, err, ErrNotRunning)
}

func TestToken(t *testing.T) {
	dir := testNetwork(t, map[string]string{"a": ""})
	supervise(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("0000"), 0o600))
	_, err := NewControl(dir).Info(t.Context())
	require.ErrorContains(t, err, "does not have the network's token")
	c := NewControl(dir)
	req, err := http.NewRequest(http.MethodPost, "http://supervisor/v1/down", strings.NewReader(""))
	require.NoError(t, err)
	resp, err := c.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestStartFails(t *testing.T) {
	for _, c := range []struct {
		manners string
		check   func(t *testing.T, dir string, err error)
	}{
		{"refuses", func(t *testing.T, _ string, err error) {
			var n *NodeError
			require.True(t, errors.As(err, &n), "%v", err)
			require.Equal(t, NodeError{Node: "a", Stage: "do its work", Message: "the key is gone", Code: 3}, *n)
			require.EqualError(t, err, "node a could not do its work: the key is gone")
		}},
		{"ends", func(t *testing.T, dir string, err error) {
			require.ErrorContains(t, err, `node a ended during "do its work": exit status 7`)
			require.ErrorContains(t, err, filepath.Join(NodeDir(dir, "a"), "node.log"))
			require.ErrorContains(t, err, "| these are my last words")
		}},
		{"dawdles", func(t *testing.T, _ string, err error) {
			require.ErrorContains(t, err, "node a was not ready in time; it was at ")
		}},
	} {
		t.Run(c.manners, func(t *testing.T) {
			dir := testNetwork(t, map[string]string{"a": c.manners, "b": ""})
			s, ev := supervise(t, dir)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.manners == "dawdles" {
				go func() {
					ev.await(t, func(e Event) bool { return e.Node == "a" && e.Stage == "do its work" })
					cancel()
				}()
			}
			c.check(t, dir, s.Start(ctx, "a"))
			require.Empty(t, s.Pids())
			require.NoError(t, s.Start(t.Context(), "b"), "the others can be started")
		})
	}
}
