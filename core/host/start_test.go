//go:build linux

package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// copySelf copies this binary, and returns the copy and its digest.
func copySelf(t testing.TB) (path, digest string) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	path = filepath.Join(shortDir(t), "plug")
	require.NoError(t, os.WriteFile(path, b, 0o700))
	sum := sha256.Sum256(b)
	return path, hex.EncodeToString(sum[:])
}

// script is an external plugin that is a shell script, which runs this binary as a plugin.
func script(t testing.TB, serve string) Spec {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	text := fmt.Sprintf("#!/bin/sh\nexec %s plugin serve %s\n", self, serve)
	path := filepath.Join(shortDir(t), "plug.sh")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
	sum := sha256.Sum256([]byte(text))
	return Spec{Name: "ext", Path: path, SHA256: hex.EncodeToString(sum[:]), DataDir: t.TempDir(), Grants: []Grant{{Path: self}}}
}

func TestTheBytesThatWereCheckedRun(t *testing.T) {
	path, digest := copySelf(t)
	h := newHost(t, Options{})
	p := start(t, h, Spec{Name: "ext", Path: path, SHA256: digest, Args: []string{"plugin", "serve", "file"}, DataDir: t.TempDir()})
	require.Equal(t, digest, p.Digest())
	i := open(t, p, "a")
	mustOrder(t, i, "pid")
	// The file is changed in place, and then another one lies there.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err, "the file is not in use")
	_, err = f.WriteAt([]byte("garbage"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	kill9(t, only(t, h).PID)
	mustOrder(t, i, "pid")
	require.NoError(t, os.WriteFile(path+".new", []byte("#!/bin/sh\necho swapped >&2\n"), 0o700))
	require.NoError(t, os.Rename(path+".new", path))
	kill9(t, only(t, h).PID)
	mustOrder(t, i, "pid")
	require.Equal(t, digest, only(t, h).Digest)
	_, err = order(testCtx(t), i, "write /proc/self/exe")
	require.Error(t, err, "the plugin can't change its own bytes either")
}

func TestImagesAreSealed(t *testing.T) {
	f, err := privateCopy(t.TempDir(), strings.NewReader("program"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("x"), 0)
	require.Error(t, err)
	w, err := os.OpenFile(fdPath(int(f.Fd())), os.O_WRONLY, 0)
	if err == nil {
		defer w.Close()
		_, err = w.WriteAt([]byte("x"), 0)
	}
	require.Error(t, err)
	require.Error(t, f.Truncate(0))
}

func TestWrongDigest(t *testing.T) {
	s := script(t, "file")
	good := s.SHA256
	s.SHA256 = strings.Repeat("ab", 32)
	_, err := newHost(t, Options{}).Start(testCtx(t), s)
	require.ErrorIs(t, err, ErrDigest)
	for _, part := range []string{s.Path, s.SHA256, good, "alto plugin lock", `"ext"`} {
		require.ErrorContains(t, err, part)
	}
}

func TestScriptsAndUnpinned(t *testing.T) {
	h := newHost(t, Options{})
	s := script(t, "file")
	digest := s.SHA256
	s.SHA256, s.Unpinned = "", true
	p := start(t, h, s)
	require.Equal(t, digest, p.Digest())
	mustOrder(t, open(t, p, "a"), "own")
}

func TestStartErrors(t *testing.T) {
	builtin := func(serve string, change func(*Spec)) Spec {
		s := Spec{Name: serve, Builtin: true}
		if change != nil {
			change(&s)
		}
		return s
	}
	missing := Spec{Name: "ext", Path: "/nowhere/plug", SHA256: strings.Repeat("ab", 32)}
	for name, c := range map[string]struct {
		spec Spec
		is   error
		says []string
	}{
		"exits":                            {builtin("exits", nil), nil, []string{`start plugin "exits" (built in)`, "exited with status 3", "last lines of its standard error", "| trouble 10", "| trouble 29"}},
		"panics at start":                  {builtin("panics", nil), nil, []string{"exited with status 2"}},
		"garbage instead of the handshake": {builtin("garbage", nil), nil, []string{`instead of the handshake it wrote "hello, I am not a plugin"`}},
		"not ready in time":                {builtin("silent", func(s *Spec) { s.StartTimeout = 1500 * time.Millisecond }), ErrHung, []string{"not ready within 1.5s", "still thinking"}},
		"another API":                      {script(t, "newer"), plugin.ErrAPIMismatch, []string{"plug.sh", fmt.Sprintf("%d to %d", plugin.API.Max+41, plugin.API.Max+42), "this alto speaks " + rangeText(plugin.API), "alto plugin lock"}},
		"another kind":                     {builtin("file", func(s *Spec) { s.Kinds = []plugin.Kind{plugin.VM} }), nil, []string{"it is no vm plugin but storage"}},
		"no such file":                     {missing, os.ErrNotExist, []string{"/nowhere/plug"}},
		"a folder":                         {Spec{Name: "ext", Path: "/tmp", SHA256: missing.SHA256}, nil, []string{"not a regular file"}},
		"no digest":                        {Spec{Name: "ext", Path: "/bin/sh"}, nil, []string{"/bin/sh", "64 hexadecimal digits", "alto plugin lock"}},
		"no name":                          {Spec{Builtin: true}, nil, []string{"needs a name"}},
		"both":                             {Spec{Name: "x", Builtin: true, Path: "/bin/sh"}, nil, []string{"either built in or a path"}},
		"isolation":                        {builtin("file", func(s *Spec) { s.Isolation = "pair" }), nil, []string{`isolation "pair"`}},
		"relative folder":                  {builtin("file", func(s *Spec) { s.DataDir = "x" }), nil, []string{`folder "x" is not absolute`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			_, err := h.Start(testCtx(t), c.spec)
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			for _, s := range c.says {
				require.ErrorContains(t, err, s)
			}
			require.NotContains(t, err.Error(), "trouble 9\n", "more than the last 20 lines")
			require.Empty(t, h.Status())
			left, err := os.ReadDir(h.runDir)
			require.NoError(t, err)
			require.Empty(t, left, "of a start that failed")
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	h := newHost(t, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := h.Start(ctx, Spec{Name: "silent", Builtin: true})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, h.Status())
}

func TestOpenErrors(t *testing.T) {
	h := newHost(t, Options{})
	p := start(t, h, fileSpec(t.TempDir()))
	for name, c := range map[string]struct {
		req  plugin.OpenRequest
		says string
	}{
		"refused":              {plugin.OpenRequest{Kind: plugin.Storage, Config: []byte("refuse")}, "refused"},
		"another kind":         {plugin.OpenRequest{Kind: plugin.VM}, "it is storage"},
		"outside its folder":   {plugin.OpenRequest{Kind: plugin.Storage, DataDir: t.TempDir()}, "which is all that the process may write"},
		"not absolute":         {plugin.OpenRequest{Kind: plugin.Storage, DataDir: "x"}, "not absolute"},
		"unknown rules":        {plugin.OpenRequest{Kind: plugin.Storage, Rules: "9"}, `rules "9"`},
		"a malformed chain id": {plugin.OpenRequest{Kind: plugin.Storage, ChainID: []byte("x")}, "32 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c.req.ChainName = "chain"
			_, err := p.Open(testCtx(t), c.req, nil)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, `"file"`)
		})
	}
	mustOrder(t, open(t, p, "a"), "pid")
	require.Len(t, only(t, h).Instances, 1)
}
