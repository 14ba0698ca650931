//go:build linux

package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

func TestMemoryLimit(t *testing.T) {
	for name, o := range map[string]Options{"control group": {}, "watched": {Cgroup: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, o)
			if o.Cgroup == "" && h.cgroups == nil {
				t.Skip("no control group can be made here")
			}
			require.Equal(t, o.Cgroup == "", h.cgroups != nil)
			s := fileSpec(t.TempDir())
			s.Limits.Memory = 96 << 20
			s.MaxCrashes = 1
			i := open(t, start(t, h, s), "a")
			if h.cgroups != nil {
				require.Contains(t, only(t, h).Cage, "memory cgroup")
			} else {
				require.Contains(t, only(t, h).Cage, "memory watched")
			}
			require.Contains(t, mustOrder(t, i, "env"), "GOMEMLIMIT=90")
			_, err := order(testCtx(t), i, "alloc 300")
			require.ErrorIs(t, err, ErrMemory)
			require.ErrorIs(t, err, ErrFailed)
			require.ErrorContains(t, err, "over its memory limit of 96 MiB")
			require.NoError(t, h.Close(context.Background()))
			if h.cgroups != nil {
				left, err := filepath.Glob(filepath.Join(h.cgroups.parent, cgroupPrefix+"*"))
				require.NoError(t, err)
				for _, l := range left {
					require.NotContains(t, l, h.cgroups.name(""), "a group is left")
				}
			}
		})
	}
}

func TestCgroupPlaces(t *testing.T) {
	places := func(own string) (out []string) {
		for _, c := range cgroupPlaces("/m", own) {
			v := "1 "
			if c.v2 {
				v = "2 "
			}
			out = append(out, v+c.parent)
		}
		return out
	}
	require.Equal(t, []string{"2 /m/user/app", "2 /m/user", "2 /m/unified/user/app", "2 /m/unified/user"}, places("0::/user/app\n"))
	require.Equal(t, []string{"1 /m/memory/d/1", "1 /m/memory", "2 /m", "2 /m/unified"}, places("9:name=systemd:/\n4:memory:/d/1\n1:cpu,cpuacct:/\n0::/\n"))
	require.Equal(t, []string{"1 /m/memory/x", "1 /m/memory"}, places("4:cpu,memory:/x"))
	require.Empty(t, places("nonsense\n4:memory\n0::relative\n"))
	require.Nil(t, findCgroups(t.TempDir()))
}

func TestOpenFileLimit(t *testing.T) {
	h := newHost(t, Options{})
	s := fileSpec(t.TempDir())
	s.Limits.OpenFiles = 64
	i := open(t, start(t, h, s), "a")
	mustOrder(t, i, "files 20")
	_, err := order(testCtx(t), i, "files 100")
	require.ErrorContains(t, err, "too many open files")
	require.EqualValues(t, 1, i.Opens())
}

func TestMessageLimits(t *testing.T) {
	h := newHost(t, Options{})
	i := open(t, start(t, h, fileSpec(t.TempDir())), "a")
	require.Len(t, mustOrder(t, i, "big 1000000"), 1000000)
	_, err := order(testCtx(t), i, "big 17000000")
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)

	b, err := i.acquire(testCtx(t), needed, false)
	require.NoError(t, err)
	c := pluginv1.NewPluginServiceClient(b.inc.conn)
	big := &pluginv1.OpenRequest{ChainName: strings.Repeat("x", plugin.MaxMessage+1)}
	_, err = c.Open(testCtx(t), big)
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "the host does not send it")
	_, err = c.Open(testCtx(t), big, grpc.MaxCallSendMsgSize(1<<30))
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "the plugin does not take it: %v", err)
	mustOrder(t, i, "pid")
	require.EqualValues(t, 1, i.Opens(), "neither has cost the process")
}

func TestEnvironmentAndStdin(t *testing.T) {
	t.Setenv("ALTO_PASSPHRASE", "secret")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("PASSED", "on")
	h := newHost(t, Options{})
	s := fileSpec(t.TempDir())
	s.Env = []string{"PASSED", "SET=by the spec", "NOT_THERE"}
	i := open(t, start(t, h, s), "a")
	allowed := append(passedOn(), "TMPDIR", "PASSED", "SET", plugin.CookieKey)
	var names []string
	for _, e := range strings.Split(mustOrder(t, i, "env"), "\n") {
		name, value, _ := strings.Cut(e, "=")
		names = append(names, name)
		require.NotContains(t, value, "secret")
		if !strings.HasPrefix(name, "PLUGIN_") {
			require.Contains(t, allowed, name)
		}
	}
	require.Subset(t, names, []string{"LANG", "PASSED", "SET"})
	require.NotContains(t, names, "NOT_THERE")
	require.NotContains(t, names, plugin.EnvToken, "the plugin's children have no use for the secret")
	require.Empty(t, mustOrder(t, i, "stdin"))
}

func TestStderrIsKeptAndRotated(t *testing.T) {
	dir := t.TempDir()
	h, err := New(Options{LogDir: dir, LogBytes: 4000})
	require.NoError(t, err)
	s := fileSpec(t.TempDir())
	s.Name = "a.b" // as a file, it has one extension
	i := open(t, start(t, h, s), "a")
	mustOrder(t, i, "stderr 1000")
	require.NoError(t, h.Close(context.Background()))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		st, err := e.Info()
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(4000))
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"a_b.log", "a_b.log.1", "a_b.log.2", "a_b.log.3"}, names)
	b, err := os.ReadFile(filepath.Join(dir, "a_b.log"))
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(b), "line 999 of the log\n"), "%q", b)
}
