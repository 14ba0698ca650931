//go:build linux

package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// testPlugin is what the tests start. Its stores are files, so that they survive the process, and do what a key that
// begins with an exclamation mark says.
type testPlugin struct{ name string }

func newTestPlugin(name string) plugin.Plugin {
	switch name {
	case "exits":
		for n := range 30 {
			fmt.Fprintln(os.Stderr, "trouble", n)
		}
		os.Exit(3)
	case "garbage":
		fmt.Println("hello, I am not a plugin")
		sleepForever()
	case "silent":
		fmt.Fprintln(os.Stderr, "still thinking")
		sleepForever()
	case "stubborn": // it speaks to the test and follows nobody
		c, err := tell(os.Getenv("EVENTS"), "hello")
		if err != nil {
			panic(err)
		}
		held = append(held, c)
		sleepForever()
	case "panics":
		panic("at the start")
	}
	return testPlugin{name}
}

func (p testPlugin) Describe() plugin.Info {
	i := plugin.Info{Name: p.name, Version: "1.2.3", API: plugin.API}
	kinds := []plugin.Kind{plugin.Storage}
	switch p.name {
	case "kinds":
		kinds = []plugin.Kind{plugin.Storage, plugin.Consensus, plugin.Transport, plugin.VM, plugin.Oracle, plugin.Module}
	case "moody":
		kinds = []plugin.Kind{plugin.Module}
	case "newer":
		i.API = plugin.Range{Min: plugin.API.Max + 41, Max: plugin.API.Max + 42}
	}
	for _, k := range kinds {
		i.Kinds = append(i.Kinds, plugin.KindInfo{Kind: k, Rules: []string{"1"}})
	}
	return i
}

func (p testPlugin) Open(_ context.Context, host plugin.Host, req plugin.OpenRequest) (any, error) {
	if string(req.Config) == "refuse" {
		return nil, fmt.Errorf("%w: refused", plugin.ErrBadConfig)
	}
	switch req.Kind {
	case plugin.Consensus:
		return counter{}, nil
	case plugin.Transport:
		return &echo{}, nil
	case plugin.VM:
		return vmtest.NewFake(), nil
	case plugin.Oracle:
		return sure{}, nil
	case plugin.Module:
		if p.name == "moody" {
			return newMoody(req.DataDir), nil
		}
		return moduletest.NewTally(), nil
	}
	return &fileStore{dir: req.DataDir, host: host}, nil
}

type sure struct{ oracle.NoVoter }

func (sure) Observe(_ context.Context, q oracle.Question) (oracle.Belief, error) {
	return oracle.Belief{Value: oracle.Yes, Reason: q.Text}, nil
}

type fileStore struct {
	mu   sync.Mutex
	dir  string
	host plugin.Host
	kept [][]byte
}

func (f *fileStore) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	out := make([][]byte, len(keys))
	for n, k := range keys {
		if order, ok := strings.CutPrefix(string(k), "!"); ok {
			s, err := f.do(ctx, order)
			if err != nil {
				return nil, 0, err
			}
			out[n] = []byte(s)
			continue
		}
		b, err := os.ReadFile(filepath.Join(f.dir, string(k)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, 0, err
		}
		out[n] = b
	}
	return out, 0, nil
}

// first tells whether this is the first time in the life of the folder.
func (f *fileStore) first(what string) bool {
	w, err := os.OpenFile(filepath.Join(f.dir, what), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	return w.Close() == nil
}

// do carries out an order: a word, and what it applies to.
func (f *fileStore) do(ctx context.Context, order string) (string, error) {
	word, arg, _ := strings.Cut(order, " ")
	switch word {
	case "read":
		b, err := readSome(arg)
		return string(b), err
	case "write":
		return "", os.WriteFile(arg, []byte("x"), 0o600)
	case "list":
		_, err := os.ReadDir(arg)
		return "", err
	case "own": // everything that a store does in its folder
		old, moved := filepath.Join(f.dir, "s", "a"), filepath.Join(f.dir, "b")
		err := errors.Join(os.Mkdir(filepath.Dir(old), 0o700), os.WriteFile(old, []byte("x"), 0o600), os.Truncate(old, 0), os.Rename(old, moved), os.Symlink("b", filepath.Join(f.dir, "l")))
		_, rerr := os.ReadDir(f.dir)
		return "", errors.Join(err, rerr, os.Remove(moved), os.Remove(filepath.Join(f.dir, "l")), os.RemoveAll(filepath.Dir(old)), os.WriteFile(filepath.Join(os.TempDir(), "t"), nil, 0o600))
	case "run": // a program of its own making
		prog := filepath.Join(f.dir, "prog")
		if err := os.WriteFile(prog, []byte("#!/bin/sh\n"), 0o700); err != nil {
			return "", err
		}
		return "", exec.Command(prog).Run()
	case "sh":
		b, err := exec.Command("/bin/sh", "-c", arg).CombinedOutput()
		return string(b), err
	case "dial", "listen":
		network, address, _ := strings.Cut(arg, " ")
		if word == "listen" {
			l, err := net.Listen(network, address)
			if err != nil {
				return "", err
			}
			return "", l.Close()
		}
		c, err := net.Dial(network, address)
		if err != nil {
			return "", err
		}
		return "", c.Close()
	case "udp":
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		return "", c.Close()
	case "ptrace", "signal":
		pid, err := strconv.Atoi(arg)
		if err != nil {
			return "", err
		}
		return "", offend(word, pid)
	case "env":
		return strings.Join(os.Environ(), "\n"), nil
	case "stdin":
		b, err := io.ReadAll(os.Stdin)
		return string(b), err
	case "pid":
		return strconv.Itoa(os.Getpid()), nil
	case "status":
		b, err := os.ReadFile("/proc/self/status")
		return string(b), err
	case "alloc":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return "", err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for range n {
			f.kept = append(f.kept, bytes.Repeat([]byte{1}, 1<<20))
		}
		<-ctx.Done()
		return "", ctx.Err()
	case "files":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return "", err
		}
		for range n {
			w, err := os.Open("/dev/null")
			if err != nil {
				return "", err
			}
			defer w.Close()
		}
		return "", nil
	case "big":
		n, err := strconv.Atoi(arg)
		return strings.Repeat("x", n), err
	case "stderr":
		n, err := strconv.Atoi(arg)
		for i := range n {
			fmt.Fprintf(os.Stderr, "line %d of the log\n", i)
		}
		return "", err
	case "exit":
		os.Exit(7)
	case "panic-once":
		if f.first("panicked") {
			panic("once")
		}
		return "calm", nil
	case "block-once": // tells the test, and answers only if it is asked again
		if f.first("blocked") {
			if _, err := f.tell("blocked"); err != nil {
				return "", err
			}
			sleepForever()
		}
		return "second", nil
	case "hello": // a connection that ends with this process
		c, err := f.tell("hello")
		if err == nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.kept = append(f.kept, []byte(fmt.Sprint(c))) // is never closed
			held = append(held, c)
		}
		return "", err
	case "child": // a process of its own, which does its best to survive it
		cmd := exec.Command("/proc/self/exe", "plugin", "child", filepath.Join(f.dir, eventSocket))
		detach(cmd)
		cmd.Stderr = os.Stderr
		return "", cmd.Start()
	}
	return "", fmt.Errorf("unknown order %q", order)
}

var held []net.Conn

func readSome(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, 64)
	n, err := r.Read(b)
	if strings.HasSuffix(path, "/mem") { // its first page is never there
		err = nil
	}
	return b[:n], err
}

const eventSocket = "ev"

func (f *fileStore) tell(what string) (net.Conn, error) {
	return tell(filepath.Join(f.dir, eventSocket), what)
}

func tell(socket, what string) (net.Conn, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(c, what)
	return c, err
}

// childMain is the process that a plugin leaves behind. It ends when the test hangs up.
func childMain(socket string) {
	c, err := tell(socket, "child")
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	_, _ = bufio.NewReader(c).ReadByte()
}

func (f *fileStore) Scan(context.Context, []byte, []byte, int) (storage.Page, error) {
	return storage.Page{}, nil
}

func (f *fileStore) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	for _, kv := range b.Puts {
		if err := os.WriteFile(filepath.Join(f.dir, string(kv.Key)), kv.Value, 0o600); err != nil {
			return storage.Status{}, err
		}
	}
	return storage.Status{Version: b.To, Durable: b.To}, nil
}

func (f *fileStore) Status(context.Context, bool) (storage.Status, error) {
	return storage.Status{}, nil
}

// sleepForever blocks in a way that the runtime does not take for a deadlock, which it would report without cgo.
func sleepForever() {
	for {
		time.Sleep(time.Hour)
	}
}
