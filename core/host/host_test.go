//go:build linux

package host

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// patience is how long what must happen is waited for.
const patience = 30 * time.Second

func newHost(t testing.TB, o Options) *Host {
	t.Helper()
	h, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h
}

func testCtx(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ah")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// fileSpec is the spec of the test plugin in a folder.
func fileSpec(dir string) Spec {
	return Spec{Name: "file", Builtin: true, DataDir: dir, Kinds: []plugin.Kind{plugin.Storage}}
}

func start(t testing.TB, h *Host, s Spec) *Process {
	t.Helper()
	p, err := h.Start(testCtx(t), s)
	require.NoError(t, err)
	return p
}

func open(t testing.TB, p *Process, chain string) *Instance {
	t.Helper()
	i, err := p.Open(testCtx(t), plugin.OpenRequest{Kind: plugin.Storage, ChainName: chain, DataDir: filepath.Join(p.spec.DataDir, chain)}, nil)
	require.NoError(t, err)
	return i
}

// order lets a plugin do something.
func order(ctx context.Context, i *Instance, what string) (string, error) {
	v, _, err := i.Store().Get(ctx, [][]byte{[]byte("!" + what)})
	if err != nil {
		return "", err
	}
	return string(v[0]), nil
}

func mustOrder(t testing.TB, i *Instance, what string) string {
	t.Helper()
	s, err := order(testCtx(t), i, what)
	require.NoError(t, err)
	return s
}

// only returns the status of the only process.
func only(t testing.TB, h *Host) Status {
	t.Helper()
	st := h.Status()
	require.Len(t, st, 1)
	require.NotZero(t, st[0].PID)
	return st[0]
}

// eventConn is a process that has said something and whose end is the end of the connection.
type eventConn struct {
	what string
	conn net.Conn
	r    *bufio.Reader
}

// events listens to what plugins and their children say.
func events(t testing.TB, dir string) <-chan eventConn {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	l, err := net.Listen("unix", filepath.Join(dir, eventSocket))
	require.NoError(t, err)
	out := make(chan eventConn, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			line, _ := r.ReadString('\n')
			out <- eventConn{strings.TrimSpace(line), c, r}
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for {
			select {
			case e := <-out:
				_ = e.conn.Close()
			default:
				return
			}
		}
	})
	return out
}

// next waits for something to be said.
func next(t testing.TB, ev <-chan eventConn, what string) eventConn {
	t.Helper()
	select {
	case e := <-ev:
		require.Equal(t, what, e.what)
		t.Cleanup(func() { _ = e.conn.Close() })
		return e
	case <-time.After(patience):
		require.FailNow(t, "nobody says "+what)
		return eventConn{}
	}
}

// gone waits for the end of the process.
func (e eventConn) gone(t testing.TB) {
	t.Helper()
	require.NoError(t, e.conn.SetReadDeadline(time.Now().Add(patience)))
	_, err := e.r.ReadByte()
	if err != io.EOF {
		require.ErrorContains(t, err, "reset", "the process %q lives on", e.what)
	}
}

func TestRoundTrip(t *testing.T) {
	for name, o := range map[string]Options{"caged": {}, "bare": {NoSandbox: true}} {
		for mtls, text := range map[bool]string{false: "peer credentials", true: "mTLS"} {
			t.Run(name+" with "+text, func(t *testing.T) {
				h := newHost(t, o)
				s := fileSpec(t.TempDir())
				s.MTLS = mtls
				p := start(t, h, s)
				require.Equal(t, "1.2.3", p.Info().Version)
				i := open(t, p, "a")
				_, err := i.Store().Apply(testCtx(t), storage.Batch{To: 1, Puts: []storage.KV{{Key: []byte("k"), Value: []byte("v")}}})
				require.NoError(t, err)
				get := func() string {
					values, _, err := i.Store().Get(testCtx(t), [][]byte{[]byte("k")})
					require.NoError(t, err)
					return string(values[0])
				}
				require.Equal(t, "v", get())
				require.Equal(t, mtls, strings.Contains(mustOrder(t, i, "env"), "PLUGIN_CLIENT_CERT="))
				before := only(t, h)
				require.Equal(t, Ready, before.State)
				kill9(t, before.PID)
				require.Equal(t, "v", get())
				after := only(t, h)
				require.NotEqual(t, before.PID, after.PID)
				require.Equal(t, 1, after.Restarts)
				require.EqualValues(t, 2, i.Opens())
			})
		}
	}
}

func TestManyInstancesShareAProcess(t *testing.T) {
	h := newHost(t, Options{})
	p := start(t, h, fileSpec(t.TempDir()))
	again := start(t, h, fileSpec(p.spec.DataDir))
	require.Same(t, p, again)
	all := make([]*Instance, 20)
	errs := make(chan error, len(all))
	for n := range all {
		all[n] = open(t, p, string(rune('a'+n)))
	}
	for n, i := range all {
		go func() {
			_, err := i.Store().Apply(testCtx(t), storage.Batch{To: 1, Puts: []storage.KV{{Key: []byte("k"), Value: []byte{byte(n)}}}})
			errs <- err
		}()
	}
	for range all {
		require.NoError(t, <-errs)
	}
	for n, i := range all {
		v, _, err := i.Store().Get(testCtx(t), [][]byte{[]byte("k")})
		require.NoError(t, err)
		require.Equal(t, []byte{byte(n)}, v[0])
	}
	require.Len(t, only(t, h).Instances, len(all))
	require.NoError(t, again.Release(testCtx(t)))
	require.Equal(t, "1", mustOrder(t, all[0], "pid"), "it runs on, and is the first in its PID namespace")
	require.NoError(t, all[0].Close(testCtx(t)))
	_, err := order(testCtx(t), all[0], "pid")
	require.ErrorIs(t, err, ErrClosed)
	mustOrder(t, all[1], "pid")
}

func TestIsolationChain(t *testing.T) {
	h := newHost(t, Options{})
	s := fileSpec(t.TempDir())
	s.Isolation = PerChain
	p := start(t, h, s)
	a, b := open(t, p, "a"), open(t, p, "b")
	st := h.Status()
	require.Len(t, st, 2)
	require.Equal(t, "a", st[0].Chain)
	require.Equal(t, "b", st[1].Chain)
	mustOrder(t, a, "write "+filepath.Join(s.DataDir, "a", "f"))
	if landlockABI() > 0 {
		_, err := order(testCtx(t), b, "write "+filepath.Join(s.DataDir, "a", "f"))
		require.ErrorContains(t, err, "permission denied")
	}
	kill9(t, st[0].PID)
	mustOrder(t, a, "pid")
	require.EqualValues(t, 1, b.Opens(), "the other chain's process is not touched")
	require.NoError(t, a.Close(testCtx(t)))
	require.Eventually(t, func() bool { return len(h.Status()) == 1 }, patience, time.Millisecond, "the process ends with its chain")
}

func TestSocketFolderIsPrivateAndCleared(t *testing.T) {
	dir := filepath.Join(shortDir(t), "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	h, err := New(Options{RunDir: dir})
	require.NoError(t, err)
	i := open(t, start(t, h, fileSpec(t.TempDir())), "a")
	mustOrder(t, i, "own")
	err = filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		require.NoError(t, err)
		if st.IsDir() {
			require.EqualValues(t, 0o700, st.Mode().Perm(), path)
		}
		require.Zero(t, st.Mode()&os.ModeSocket, "nobody finds the socket %s", path)
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, h.Close(context.Background()))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = New(Options{RunDir: "/tmp/" + strings.Repeat("x", MaxRunDir)})
	require.ErrorContains(t, err, "choose a shorter one")
}

func TestCloseWithAStoppedPlugin(t *testing.T) {
	h, err := New(Options{})
	require.NoError(t, err)
	i := open(t, start(t, h, fileSpec(t.TempDir())), "a")
	mustOrder(t, i, "pid")
	pid := only(t, h).PID
	stop(t, pid)
	before := time.Now()
	_ = h.Close(context.Background()) // it may say that the instance could not be closed
	require.Less(t, time.Since(before), closeTimeout+2*time.Second, "Close has a limit of its own")
	require.False(t, processExists(pid))
	require.Empty(t, h.Status())
	_, err = h.Start(testCtx(t), fileSpec(t.TempDir()))
	require.ErrorIs(t, err, ErrClosed)
}

func TestInProcess(t *testing.T) {
	p := InProcess(newTestPlugin("file"))
	dir := t.TempDir()
	i, err := p.Open(testCtx(t), plugin.OpenRequest{Kind: plugin.Storage, ChainName: "a", DataDir: dir}, nil)
	require.NoError(t, err)
	mustOrder(t, i, "write "+dir+"/f")
	require.Panics(t, func() { i.VM() })
	require.NoError(t, i.Close(testCtx(t)))
	require.NoError(t, p.Release(testCtx(t)))
}
