//go:build linux

package host

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// helperMain is a program that a plugin runs, which asks a web service, looks a name up and writes a file of its own.
func helperMain(url string) error {
	c := &http.Client{Timeout: patience}
	r, err := c.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if _, err := net.LookupHost("localhost"); err != nil {
		return err
	}
	f, err := os.CreateTemp("", "ask")
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	fmt.Printf("%s of %d", b, os.Getppid())
	return os.Remove(f.Name())
}

// TestPluginsCommands runs programs of the operator's from within the cage of a plugin that may use the network, as an oracle
// does: those in the system's folders it can run as they are, those elsewhere once they are granted.
func TestPluginsCommands(t *testing.T) {
	needLandlock(t, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "YES") }))
	defer server.Close()
	dir, s := home(t)
	s.Network = true
	roots := filepath.Join(dir, "roots.pem")
	require.NoError(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	t.Setenv("SSL_CERT_FILE", roots)
	tools := filepath.Join(dir, "tools")
	require.NoError(t, os.Mkdir(tools, 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	program, err := os.ReadFile(self)
	require.NoError(t, err)
	tool := filepath.Join(tools, "ask")
	require.NoError(t, os.WriteFile(tool, program, 0o755))
	script := filepath.Join(tools, "script")
	require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\n. %s\nexec %s plugin helper \"$1\"\n", filepath.Join(tools, "settings"), tool), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tools, "settings"), []byte("true\n"), 0o644))
	require.NoError(t, os.Symlink(tool, filepath.Join(dir, "link")))

	run := func(t *testing.T, path string, grants ...string) (string, error) {
		t.Helper()
		h := newHost(t, Options{})
		s := s
		for _, g := range grants {
			s.Grants = append(s.Grants, Grant{Path: g})
		}
		i := open(t, start(t, h, s), "a")
		mustOrder(t, i, "sh exec /usr/bin/env true")
		return order(testCtx(t), i, fmt.Sprintf("sh exec %s plugin helper %s", path, server.URL))
	}
	for name, c := range map[string]struct {
		path   string
		grants []string
		fails  bool
	}{
		"granted by its folder":       {path: tool, grants: []string{tools}},
		"granted itself":              {path: tool, grants: []string{tool}},
		"granted by a link to it":     {path: filepath.Join(dir, "link"), grants: []string{filepath.Join(dir, "link")}},
		"not granted":                 {path: tool, fails: true},
		"beside what is granted":      {path: tool, grants: []string{script}, fails: true},
		"what it was given to write":  {path: filepath.Join(s.DataDir, "ask"), fails: true},
		"a script without its things": {path: script, grants: []string{script}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			if filepath.Dir(c.path) == s.DataDir {
				require.NoError(t, os.MkdirAll(s.DataDir, 0o700))
				require.NoError(t, os.WriteFile(c.path, program, 0o755))
			}
			out, err := run(t, c.path, c.grants...)
			if c.fails {
				require.Error(t, err)
				return
			}
			require.NoError(t, err, out)
			require.Contains(t, out, "YES of ")
		})
	}
	t.Run("a script with its things", func(t *testing.T) {
		h := newHost(t, Options{})
		s := s
		s.Grants = []Grant{{Path: tools}}
		i := open(t, start(t, h, s), "a")
		require.Equal(t, "YES of 1", mustOrder(t, i, fmt.Sprintf("sh exec %s %s", script, server.URL)), "the plugin is the first process of its namespace")
		_, err := order(testCtx(t), i, "sh exec cat "+filepath.Join(dir, "keys", "node"))
		require.Error(t, err, "what it runs sees no more than it does")

		// What names and certificates are looked up in.
		for _, p := range []string{"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
			if _, err := os.Stat(p); err == nil {
				mustOrder(t, i, "sh exec cat "+p)
			}
		}
		if path, err := exec.LookPath("getent"); err == nil {
			require.Contains(t, mustOrder(t, i, "sh exec "+path+" hosts localhost"), "localhost")
		}
	})
	t.Run("is ended in time", func(t *testing.T) {
		h := newHost(t, Options{})
		i := open(t, start(t, h, s), "a")
		require.Contains(t, mustOrder(t, i, "sh sleep 60 & kill -9 $!; wait $!; printf $?"), "137")
	})
}
