//go:build unix

package plugintest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/oracle/oracletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

func startSelf(t T, b Binary) *Process { return Start(t, b.Path, b.Args...) }

func TestCases(t *testing.T) { Run(t, self(t, "good")) }

func TestCasesWithoutSharing(t *testing.T) {
	for _, c := range Cases() {
		if c.Name == "describes-itself" || c.Name == "many-rounds" {
			t.Run(c.Name, func(t *testing.T) { c.Run(t, self(t, "good")) })
		}
	}
}

func TestFactories(t *testing.T) {
	tiny, kinds := startSelf(t, self(t, "good")), startSelf(t, self(t, "kinds"))
	t.Run("storage", func(t *testing.T) {
		f := Storage(tiny, plugin.OpenRequest{Config: []byte(`{"size":3}`)})
		f.Volatile = true
		storagetest.Run(t, f)
	})
	t.Run("vm", func(t *testing.T) { vmtest.Run(t, VM(tiny, plugin.OpenRequest{}, vmtest.FakeFactory())) })
	t.Run("transport", func(t *testing.T) { transporttest.Run(t, Transport(kinds, plugin.OpenRequest{}, false)) })
	t.Run("transport, authenticated", func(t *testing.T) {
		transporttest.Run(t, Transport(startSelf(t, self(t, "authenticated")), plugin.OpenRequest{}, true))
	})
	t.Run("module", func(t *testing.T) { moduletest.Run(t, Module(kinds, plugin.OpenRequest{}, moduletest.TallyFactory())) })
	t.Run("oracle", func(t *testing.T) {
		oracletest.Run(t, Oracle(kinds, plugin.OpenRequest{}, []oracle.Question{{ID: [32]byte{1}, Text: "Is it so?"}}))
	})
}

// TestRestart: after a kill nothing answers; after a restart there is a new process that does.
func TestRestart(t *testing.T) {
	p := startSelf(t, self(t, "good"))
	h, cc, err := p.Open(t.Context(), plugin.OpenRequest{Kind: plugin.Storage})
	if err != nil {
		t.Fatal(err)
	}
	pid, exited := p.PID(), p.Exited()
	p.Kill()
	<-exited
	if _, err := storage.NewClient(cc, h).Status(t.Context(), false); err == nil {
		t.Error("a process that was killed answers")
	}
	if _, _, err := p.Open(t.Context(), plugin.OpenRequest{Kind: plugin.Storage}); err == nil || !strings.Contains(err.Error(), "was ended") {
		t.Errorf("open in a process that was killed: %v", err)
	}
	p.Restart()
	if p.PID() == pid {
		t.Error("a restart gives the same process")
	}
	again, cc, err := p.Open(t.Context(), plugin.OpenRequest{Kind: plugin.Storage})
	if err != nil || again == h {
		t.Fatalf("open after a restart: handle %#x, before %#x, %v", again, h, err)
	}
	if _, err := storage.NewClient(cc, h).Status(t.Context(), false); !errors.Is(err, plugin.ErrUnknownInstance) {
		t.Errorf("the handle of the process before: %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop again: %v", err)
	}
}

// TestTransportOfAProcessThatEnded: what is offered ends with the process, and the next start has its own.
func TestTransportOfAProcessThatEnded(t *testing.T) {
	p := startSelf(t, self(t, "authenticated"))
	f := Transport(p, plugin.OpenRequest{}, true)
	first, _, err := f.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if _, err := first.Stats(t.Context()); err == nil {
		t.Error("a transport of a process that was killed answers")
	}
	if _, _, err := f.Open("a"); err == nil || !strings.Contains(err.Error(), "was ended") {
		t.Errorf("open in a process that was killed: %v", err)
	}
	p.Restart()
	again, end, err := f.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Stats(t.Context()); err != nil {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestOpenFillsIn(t *testing.T) {
	p := startSelf(t, self(t, "good"))
	if _, _, err := p.Open(t.Context(), plugin.OpenRequest{}); err == nil || !strings.Contains(err.Error(), "2 kinds") {
		t.Errorf("open without a kind: %v", err)
	}
	if _, _, err := p.Open(t.Context(), plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"shape":1}`)}); !errors.Is(err, plugin.ErrBadConfig) {
		t.Errorf("open with an unknown attribute: %v", err)
	}
	req, err := p.complete(p.Info(), plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"size":7}`)})
	if err != nil {
		t.Fatal(err)
	}
	if string(req.Config) != `{"colour":"red","size":7}` || req.Rules != "2" || len(req.ChainID) != 32 || req.Handle == 0 || !filepath.IsAbs(req.DataDir) {
		t.Errorf("the request is %+v with config %s", req, req.Config)
	}
	for config, want := range map[string]string{"": `{"colour":"red","size":16}`, "[]": "[]", "null": "null", "{": "{"} {
		if got := string(withDefaults(tiny{}.Describe().Kinds[0].Schema, []byte(config))); got != want {
			t.Errorf("%q becomes %s, want %s", config, got, want)
		}
	}
}

// TestStartFails: what is no plugin is named as that, soon, and leaves nothing.
func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	child := filepath.Join(dir, "child")
	for name, c := range map[string]struct{ path, says string }{
		"no file":            {filepath.Join(dir, "none"), "no such file"},
		"ends":               {script("ends", "echo last words >&2; exit 7"), "exit status 7"},
		"its last words":     {script("words", "echo last words >&2; exit 7"), "last words"},
		"ends well":          {script("well", "exit 0"), "exit status 0"},
		"another protocol":   {script("proto", "echo '1|2|unix|/x/y|grpc'; sleep 60"), "handshake"},
		"prints first":       {script("prints", "echo hello; sleep 60"), `"hello"`},
		"prints without end": {script("endless", "exec yes | tr -d '\\n'"), "no handshake"},
		"foreign socket":     {script("foreign", "echo '1|1|unix|/tmp/socket|grpc|'; sleep 60"), "not in the folder"},
		"leaves a child":     {script("child.sh", "sleep 60 >/dev/null 2>&1 & echo $! >"+child+"; exit 1"), "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &judge{T: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer j.end()
				Start(j, c.path)
			}()
			<-done
			if why := strings.Join(j.failed, "\n"); !strings.Contains(why, c.says) {
				t.Errorf("it fails with %q, which does not say %q", why, c.says)
			}
		})
	}
	b, err := os.ReadFile(child)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := gone(pid); err != nil {
		t.Errorf("the child %d of a process that has ended: %v", pid, err)
	}
}

// gone waits for the end of a process that was killed and whose parent is gone.
func gone(pid int) error {
	for range 500 {
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(state), ") Z ") {
			return nil // nobody reaps orphans here
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("it lives")
}

// failing is a T that has failed and keeps what is logged.
type failing struct {
	judge
	log []string
}

func (f *failing) Failed() bool { return true }
func (f *failing) Logf(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

// TestStderrOfAFailedTest: what a plugin has said is in the log of a test that fails, and its process is gone.
func TestStderrOfAFailedTest(t *testing.T) {
	f := &failing{judge: judge{T: t}}
	p := startSelf(f, self(t, "good"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h, cc, err := p.Open(ctx, plugin.OpenRequest{Kind: plugin.Storage})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.stderr.Write([]byte("what the plugin says\n")); err != nil {
		t.Fatal(err)
	}
	exited := p.Exited()
	f.end()
	<-exited
	if len(f.log) != 1 || !strings.Contains(f.log[0], "what the plugin says") {
		t.Errorf("the log is %q", f.log)
	}
	if _, err := storage.NewClient(cc, h).Status(ctx, false); err == nil {
		t.Error("the process still answers")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var s tail
	for i := range 10_000 {
		fmt.Fprintf(&s, "line %d\n", i)
	}
	if got := s.String(); len(got) > tailBytes || !strings.HasSuffix(got, "line 9999") {
		t.Errorf("%d bytes that end in %q", len(got), got[len(got)-20:])
	}
}
