//go:build linux

package host

import (
	"context"
	"io"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutNamespacesAProcessStartsAllTheSame(t *testing.T) {
	l := newLauncher()
	defer l.close()
	run := func(path string, isolated bool) (fellBack bool, err error) {
		// No kernel makes a new mount namespace that shares its folders.
		attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_FS}
		r, err := newProcRunner("x", &exec.Cmd{Path: path, Args: []string{"sh", "-c", "echo here"}, SysProcAttr: attr}, l)
		require.NoError(t, err)
		require.NoError(t, r.addLifeline())
		if isolated {
			r.fallBack = func() { fellBack = true }
		}
		if err := r.Start(context.Background()); err != nil {
			require.Empty(t, r.ID())
			return fellBack, err
		}
		b, err := io.ReadAll(r.Stdout())
		require.NoError(t, err)
		require.Equal(t, "here\n", string(b))
		return fellBack, r.Wait(context.Background())
	}
	fellBack, err := run("/bin/sh", true)
	require.NoError(t, err)
	require.True(t, fellBack)
	fellBack, err = run("/nowhere/sh", true)
	require.Error(t, err)
	require.False(t, fellBack)
	_, err = run("/bin/sh", false)
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestARunnerThatIsKilledBeforeItStartsEnds(t *testing.T) {
	l := newLauncher()
	defer l.close()
	r, err := newProcRunner("x", &exec.Cmd{Path: "/bin/sleep", Args: []string{"sleep", "1000"}}, l)
	require.NoError(t, err)
	require.NoError(t, r.Kill(context.Background()))
	require.NoError(t, r.Start(context.Background()))
	require.Error(t, r.Wait(context.Background()))
	require.True(t, r.killed())
	require.ErrorContains(t, r.exit(), "killed")
}

func TestCageInWords(t *testing.T) {
	var none *cage
	require.Equal(t, "none", none.String())
	require.Equal(t, "none", (&cage{}).String())
	require.Equal(t, "Landlock 7, PID namespace, memory watched", (&cage{shim: "Landlock 7", isolated: true, limit: 1}).String())
	require.Equal(t, "memory cgroup", (&cage{limit: 1, group: &cgroup{}}).String())
}
