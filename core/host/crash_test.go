//go:build linux

package host

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCallsAreMadeAgain(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, pid int){"kill -9": func(t *testing.T, pid int) { kill9(t, pid) }, "hangs": func(t *testing.T, pid int) { stop(t, pid) }} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Options{})
			s := fileSpec(shortDir(t))
			s.PingTimeout = time.Second
			ev := events(t, filepath.Join(s.DataDir, "a"))
			i := open(t, start(t, h, s), "a")
			type result struct {
				text string
				err  error
			}
			done := make(chan result, 1)
			go func() {
				text, err := order(testCtx(t), i, "block-once")
				done <- result{text, err}
			}()
			next(t, ev, "blocked")
			end(t, only(t, h).PID)
			r := <-done
			require.NoError(t, r.err)
			require.Equal(t, "second", r.text)
			st := only(t, h)
			require.Equal(t, 1, st.Restarts)
			if name == "hangs" {
				require.Contains(t, st.LastError, ErrHung.Error())
			} else {
				require.Contains(t, st.LastError, "ended by the signal killed")
			}
			require.Equal(t, 1, st.Instances[0].Crashes)
			i.Progress()
			require.Zero(t, only(t, h).Instances[0].Crashes)
		})
	}
}

func TestCallThatHangsIsTheInstances(t *testing.T) {
	h := newHost(t, Options{})
	s := fileSpec(shortDir(t))
	s.CallTimeout = 300 * time.Millisecond
	ev := events(t, filepath.Join(s.DataDir, "a"))
	p := start(t, h, s)
	i, other := open(t, p, "a"), open(t, p, "b")
	require.Equal(t, "second", mustOrder(t, i, "block-once"))
	next(t, ev, "blocked")
	mustOrder(t, other, "pid")
	for _, is := range only(t, h).Instances {
		require.Equal(t, map[string]int{"a": 1, "b": 0}[is.Chain], is.Crashes, is.Chain)
	}
}

func TestPanicIsTheInstancesAlone(t *testing.T) {
	h := newHost(t, Options{})
	p := start(t, h, fileSpec(t.TempDir()))
	i, other := open(t, p, "a"), open(t, p, "b")
	pid := only(t, h).PID
	require.Equal(t, "calm", mustOrder(t, i, "panic-once"))
	mustOrder(t, other, "pid")
	require.Equal(t, pid, only(t, h).PID)
	require.EqualValues(t, 2, i.Opens())
	require.EqualValues(t, 1, other.Opens())
}

func TestCrashLoopHaltsThatInstanceOnly(t *testing.T) {
	var mu sync.Mutex
	chains := map[string]bool{}
	h := newHost(t, Options{Notify: func(s Status) {
		mu.Lock()
		defer mu.Unlock()
		chains[s.Chain] = true
	}})
	s := fileSpec(t.TempDir())
	s.MaxCrashes = 4
	p := start(t, h, s)
	bad, good := open(t, p, "bad"), open(t, p, "good")
	_, err := order(testCtx(t), bad, "exit")
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorContains(t, err, `chain "bad" lost plugin "file" 4 times`)
	require.ErrorContains(t, err, "exited with status 7")
	require.ErrorIs(t, bad.Err(), ErrFailed)
	<-bad.Failed()

	mustOrder(t, good, "own")
	require.NoError(t, good.Err())
	require.LessOrEqual(t, good.Opens(), uint64(splitAfter+1), "after that it was left in peace")
	require.Eventually(t, func() bool { return len(h.Status()) == 1 }, patience, time.Millisecond)
	st := only(t, h)
	require.Len(t, st.Instances, 1)
	require.Equal(t, "good", st.Instances[0].Chain)
	mu.Lock()
	defer mu.Unlock()
	require.True(t, chains["bad"], "it had a process of its own at last")

	// It can be opened again, after it was mended.
	require.NoError(t, bad.Close(testCtx(t)))
	mustOrder(t, open(t, p, "bad"), "pid")
}

func TestIdlePluginIsNotRestartedForNobody(t *testing.T) {
	changed := make(chan Status, 64)
	h := newHost(t, Options{Notify: func(s Status) { changed <- s }})
	p := start(t, h, fileSpec(t.TempDir()))
	require.Equal(t, Ready, (<-changed).State)
	kill9(t, only(t, h).PID)
	require.Equal(t, Restarting, (<-changed).State)
	mustOrder(t, open(t, p, "a"), "pid")
	require.Equal(t, Starting, (<-changed).State)
}

func TestCallEndsWithItsContext(t *testing.T) {
	h := newHost(t, Options{})
	i := open(t, start(t, h, fileSpec(t.TempDir())), "a")
	pid := only(t, h).PID
	stop(t, pid)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := order(ctx, i, "pid")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	resume(t, pid)
	mustOrder(t, i, "pid")
	require.EqualValues(t, 1, i.Opens())
}
