//go:build linux

package host

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func needLandlock(t *testing.T, abi int) {
	t.Helper()
	if have := landlockABI(); have < abi {
		t.Skipf("this kernel has Landlock %d, the test needs %d", have, abi)
	}
}

// home lays out a node's home around a plugin's folder.
func home(t *testing.T) (dir string, s Spec) {
	dir = shortDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keys", "node"), []byte("secret"), 0o600))
	return dir, fileSpec(filepath.Join(dir, "plugins", "file"))
}

func TestSandbox(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer tcp.Close()
	name := fmt.Sprintf("@alto-test-%d", os.Getpid())
	abstract, err := net.Listen("unix", name)
	require.NoError(t, err)
	defer abstract.Close()
	pid := os.Getpid()
	dir, s := home(t)

	attempts := []struct {
		what, order string
		abi         int  // that forbids it
		always      bool // forbidden without a sandbox too, or nothing to try on one's own test
	}{
		{"read the keystore", "read " + filepath.Join(dir, "keys", "node"), 1, false},
		{"list the keystore", "list " + filepath.Join(dir, "keys"), 1, false},
		{"write into the home", "write " + filepath.Join(dir, "f"), 1, false},
		{"write into the keystore", "write " + filepath.Join(dir, "keys", "g"), 1, false},
		{"write into /tmp", fmt.Sprintf("write /tmp/alto-test-%d", pid), 1, false},
		{"write beside its folder by a link", "write " + filepath.Join(s.DataDir, "a", "link", "f"), 1, false},
		{"read the core's memory", fmt.Sprintf("read /proc/%d/mem", pid), 1, false},
		{"read the core's environment", fmt.Sprintf("read /proc/%d/environ", pid), 1, false},
		{"list the core's files", fmt.Sprintf("list /proc/%d/fd", pid), 1, false},
		{"trace the core", fmt.Sprintf("ptrace %d", pid), 1, true},
		{"signal the core", fmt.Sprintf("signal %d", pid), 6, false},
		{"connect to an abstract socket", "dial unix " + name, 6, false},
		{"connect by TCP", "dial tcp " + tcp.Addr().String(), 4, false},
		{"listen on TCP", "listen tcp 127.0.0.1:0", 4, false},
		{"open a UDP socket", "udp", 1, false},
		{"run a program that it has made", "run", 1, false},
	}
	t.Cleanup(func() { _ = os.Remove(fmt.Sprintf("/tmp/alto-test-%d", pid)) })
	free := s
	free.NoSandbox = true
	for _, as := range []Spec{s, free} {
		t.Run(fmt.Sprintf("sandbox %t", !as.NoSandbox), func(t *testing.T) {
			needLandlock(t, 1)
			h := newHost(t, Options{})
			i := open(t, start(t, h, as), "a")
			_ = os.Symlink(dir, filepath.Join(s.DataDir, "a", "link"))
			cage := only(t, h).Cage
			if as.NoSandbox {
				require.Equal(t, "none", cage)
			} else {
				require.Contains(t, cage, fmt.Sprintf("Landlock %d", landlockABI()))
				require.Contains(t, cage, "PID namespace")
				require.Contains(t, cage, "no capabilities")
			}
			for _, a := range attempts {
				t.Run(a.what, func(t *testing.T) {
					if as.NoSandbox {
						if a.always {
							t.Skip("is not tried without a sandbox")
						}
						mustOrder(t, i, a.order)
						return
					}
					needLandlock(t, a.abi)
					_, err := order(testCtx(t), i, a.order)
					require.Error(t, err)
					require.Regexp(t, "permission denied|operation not permitted|no such process", err.Error())
				})
			}
			// What a plugin is for still works.
			mustOrder(t, i, "own")
			require.Equal(t, "hi\n", mustOrder(t, i, "sh echo hi"))
			mustOrder(t, i, "read /proc/self/status")
			mustOrder(t, i, "write /dev/null")
			mustOrder(t, i, "read /dev/urandom")
			require.Equal(t, !as.NoSandbox, strings.Contains(mustOrder(t, i, "status"), "NoNewPrivs:\t1"))
		})
	}
}

func TestSandboxOfTransportsAndOraclesLeavesTheNetworkOpen(t *testing.T) {
	needLandlock(t, 4)
	_, s := home(t)
	h := newHost(t, Options{})
	s.Network = true
	i := open(t, start(t, h, s), "a")
	mustOrder(t, i, "listen tcp 127.0.0.1:0")
	mustOrder(t, i, "udp")
	require.NotContains(t, only(t, h).Cage, "no network")
	if _, err := os.Stat("/etc/resolv.conf"); err == nil {
		mustOrder(t, i, "read /etc/resolv.conf")
	}
	for kind, online := range map[plugin.Kind]bool{plugin.Storage: false, plugin.VM: false, plugin.Consensus: false, plugin.Module: false, plugin.Transport: true, plugin.Oracle: true} {
		require.Equal(t, online, Spec{Kinds: []plugin.Kind{kind}}.online(), kind)
	}
}

func TestGrants(t *testing.T) {
	needLandlock(t, 1)
	dir, s := home(t)
	for _, d := range []string{"r", "w"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, d, "f"), []byte(d), 0o600))
	}
	h := newHost(t, Options{})
	s.Grants = []Grant{{Path: filepath.Join(dir, "r")}, {Path: filepath.Join(dir, "w"), Write: true}}
	i := open(t, start(t, h, s), "a")
	require.Equal(t, "r", mustOrder(t, i, "read "+filepath.Join(dir, "r", "f")))
	mustOrder(t, i, "write "+filepath.Join(dir, "w", "f"))
	_, err := order(testCtx(t), i, "write "+filepath.Join(dir, "r", "f"))
	require.ErrorContains(t, err, "permission denied")

	s.Grants = []Grant{{Path: filepath.Join(dir, "missing")}}
	_, err = h.Start(testCtx(t), s)
	require.ErrorContains(t, err, "open "+filepath.Join(dir, "missing")+" to the plugin: no such file")
}

func TestPrivateFoldersInSystemFolders(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b/home/keys", "c"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	in := func(names ...string) (out []string) {
		for _, n := range names {
			out = append(out, filepath.Join(dir, n))
		}
		return out
	}
	require.Equal(t, []string{dir}, around(dir, nil))
	require.Equal(t, []string{dir}, around(dir, []string{dir + "-beside", "/", filepath.Dir(dir)}))
	require.Equal(t, in("a", "c"), around(dir, in("b/home/plugins/x")))
	require.Equal(t, in("c"), around(dir, in("b/home", "a")))
	require.Empty(t, around(dir, []string{dir}))
	require.Empty(t, around(filepath.Join(dir, "missing"), in("missing/x")))
}

func TestLandlockVersions(t *testing.T) {
	last := landHandled(1, false)
	require.Zero(t, last.Handled_access_net)
	require.EqualValues(t, 1<<13-1, last.Handled_access_fs)
	for abi, want := range map[int]string{2: "1<<14-1 0 0", 3: "1<<15-1 0 0", 4: "1<<15-1 3 0", 5: "1<<16-1 3 0", 6: "1<<16-1 3 3", 7: "1<<16-1 3 3", 99: "1<<16-1 3 3"} {
		a := landHandled(abi, false)
		bits := map[uint64]string{1<<14 - 1: "1<<14-1", 1<<15 - 1: "1<<15-1", 1<<16 - 1: "1<<16-1"}[a.Handled_access_fs]
		require.Equal(t, want, fmt.Sprint(bits, " ", a.Handled_access_net, " ", a.Scoped), "version %d", abi)
		require.Zero(t, landHandled(abi, true).Handled_access_net)
	}
}

func TestShimRefusesNonsense(t *testing.T) {
	for name, args := range map[string][]string{"nothing": nil, "two": {"{}", "{}"}, "no JSON": {"x"}, "no program": {"{}"}, "a low descriptor": {`{"Args":["x"],"Image":1}`}} {
		require.Error(t, runShim(args), name)
	}
}
