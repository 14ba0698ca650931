//go:build unix

package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// broken is what is wrong with a process. It serves tiny without sdk.Serve, which leaves little to do wrong.
type broken struct {
	info     func(*plugin.Info)
	open     func(req *pluginv1.OpenRequest)                               // before the server sees it
	opening  func(req plugin.OpenRequest) (closed func() error, err error) // before the plugin's Open
	close    func(handle uint64) error                                     // the same
	call     func(method string, do func() (any, error)) (any, error)      // around every call that is no stream
	stream   func(method string) error                                     // before every stream
	server   []grpc.ServerOption
	noToken  bool
	noHost   bool
	silent   func(req plugin.OpenRequest) bool // its calls panic
	before   func() error
	after    func()
	noCookie func()
}

// lenient makes an Open that has to be refused succeed.
func lenient(what func(config map[string]any, err error) bool) broken {
	return broken{open: func(req *pluginv1.OpenRequest) {
		var config map[string]any
		err := json.Unmarshal([]byte(req.GetConfigJson()), &config)
		if len(req.GetConfigJson()) < 1<<20 && what(config, err) {
			req.ConfigJson = `{}`
		}
	}}
}

func breakages() map[string]broken {
	var opens int
	var mu sync.Mutex
	var lock *os.File
	open := map[string]int{}
	closed := map[uint64]bool{}
	return map[string]broken{
		"describes-itself": {info: func(i *plugin.Info) { i.Version = "" }},
		"schema-is-sound":  {info: func(i *plugin.Info) { i.Kinds[1].Schema.Attributes[0].Min = "17" }},
		"unknown-kind-is-refused": {open: func(req *pluginv1.OpenRequest) {
			if req.GetKind() == "weather" {
				req.Kind, req.Rules = string(plugin.VM), ""
			}
		}},
		"bad-config-is-refused":        lenient(func(_ map[string]any, err error) bool { return err != nil }),
		"unknown-attribute-is-refused": lenient(func(config map[string]any, _ error) bool { return len(config) > 2 }),
		"unknown-rules-are-refused":    {open: func(req *pluginv1.OpenRequest) { req.Rules = "" }},
		"two-chains-are-apart": {opening: func(req plugin.OpenRequest) (func() error, error) {
			mu.Lock()
			defer mu.Unlock()
			chain := string(req.ChainID)
			for c, n := range open {
				if c != chain && n > 0 {
					return nil, errors.New("one chain is enough")
				}
			}
			open[chain]++
			return func() error {
				mu.Lock()
				defer mu.Unlock()
				open[chain]--
				return nil
			}, nil
		}},
		"open-again-after-close": {silent: func(req plugin.OpenRequest) bool {
			mu.Lock()
			defer mu.Unlock()
			open[req.DataDir]++
			return open[req.DataDir] > 1
		}},
		"closed-is-unknown": {call: func(method string, do func() (any, error)) (any, error) {
			if method == pluginv1.PluginService_Close_FullMethodName {
				return &pluginv1.CloseResponse{}, nil
			}
			return do()
		}},
		"close-again-is-no-error": {close: func(handle uint64) error {
			mu.Lock()
			defer mu.Unlock()
			if closed[handle] {
				return errors.New("closed already")
			}
			closed[handle] = true
			return nil
		}},
		"many-rounds": {opening: func(plugin.OpenRequest) (func() error, error) {
			mu.Lock()
			defer mu.Unlock()
			if opens++; opens == 180 {
				return nil, errors.New("too many open files")
			}
			return nil, nil
		}},
		"needs-the-token": {noToken: true},
		"health-serves": {call: func(method string, do func() (any, error)) (any, error) {
			if method == grpc_health_v1.Health_Check_FullMethodName {
				return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}, nil
			}
			return do()
		}},
		"attaches-the-host": {stream: func(method string) error {
			if method == pluginv1.PluginService_Host_FullMethodName {
				return status.Error(codes.Unimplemented, "not yet")
			}
			return nil
		}},
		"takes-a-large-message":       {server: []grpc.ServerOption{grpc.MaxRecvMsgSize(4 << 20)}},
		"refuses-too-large-a-message": {server: []grpc.ServerOption{grpc.MaxRecvMsgSize(64 << 20)}},
		"needs-no-stdin": {before: func() error {
			if st, err := os.Stdin.Stat(); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
				return errors.New("no standard input")
			}
			return nil
		}},
		"drain-ends-opening": {call: func(method string, do func() (any, error)) (any, error) {
			if method == pluginv1.PluginService_Drain_FullMethodName {
				return &pluginv1.DrainResponse{}, nil
			}
			return do()
		}},
		"two-at-once": {opening: func(plugin.OpenRequest) (func() error, error) {
			mu.Lock()
			defer mu.Unlock()
			if opens++; opens == 1 {
				f, err := os.OpenFile(os.Args[3], os.O_CREATE|os.O_RDWR, 0o600)
				if err != nil {
					return nil, err
				}
				if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
					opens--
					return nil, errors.Join(err, f.Close())
				}
				lock = f
			}
			return func() error {
				mu.Lock()
				defer mu.Unlock()
				if opens--; opens == 0 {
					return lock.Close()
				}
				return nil
			}, nil
		}},
		"starts-again-after-a-kill": {opening: func(req plugin.OpenRequest) (func() error, error) {
			path := filepath.Join(req.DataDir, "lock")
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return nil, err
			}
			return func() error { return os.Remove(path) }, f.Close()
		}},
		"ends-when-told":     {after: func() { select {} }},
		"ends-with-its-host": {noHost: true},
		"says-what-it-is":    {noCookie: func() { os.Exit(0) }},
	}
}

// brokenPlugin is tiny with something wrong in Open.
type brokenPlugin struct {
	tiny
	b broken
}

func (p brokenPlugin) Describe() plugin.Info {
	i := p.tiny.Describe()
	if p.b.info != nil {
		p.b.info(&i)
	}
	return i
}

// closing adds to what happens when an instance is closed.
type closing struct {
	io.Closer
	more func() error
}

func (c closing) Close() error { return errors.Join(c.Closer.Close(), c.more()) }

func (p brokenPlugin) Open(ctx context.Context, host plugin.Host, req plugin.OpenRequest) (any, error) {
	more := func() error { return nil }
	if p.b.opening != nil {
		m, err := p.b.opening(req)
		if err != nil {
			return nil, err
		}
		if m != nil {
			more = m
		}
	}
	v, err := p.tiny.Open(ctx, host, req)
	if err != nil {
		return nil, errors.Join(err, more())
	}
	c := closing{v.(io.Closer), more}
	if p.b.silent != nil && p.b.silent(req) {
		v = struct {
			storage.Store
			vm.VM
		}{}
	}
	if s, ok := v.(storage.Store); ok {
		return struct {
			storage.Store
			closing
		}{s, c}, nil
	}
	return struct {
		vm.VM
		closing
	}{v.(vm.VM), c}, nil
}

type glue struct {
	goplugin.NetRPCUnsupportedPlugin
	server *plugin.Server
}

func (g *glue) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	g.server.Register(s)
	storage.RegisterServer(s, g.server)
	vm.RegisterServer(s, g.server)
	return nil
}

func (g *glue) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("nothing to dispense")
}

// serveBroken does what sdk.Serve does, and one thing wrong.
func serveBroken(name string) {
	b, ok := breakages()[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "there is no such breakage:", name)
		os.Exit(2)
	}
	if os.Getenv(plugin.CookieKey) == "" && b.noCookie != nil {
		b.noCookie()
	}
	if b.before != nil {
		if err := b.before(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	if os.Getenv(plugin.EnvLifeline) == "3" && !b.noHost {
		go func() {
			_, _ = io.ReadAll(os.NewFile(3, "lifeline"))
			os.Exit(1)
		}()
	}
	token := os.Getenv(plugin.EnvToken)
	if b.noToken {
		token = ""
	}
	server := plugin.NewServer(brokenPlugin{b: b}, nil)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(),
		Plugins:         goplugin.PluginSet{"paloalto": &glue{server: server}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(slices.Concat(opts, server.ServerOptions(token), b.interceptors(), b.server)...)
		},
	})
	if b.after != nil {
		b.after()
	}
}

func (b broken) interceptors() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			if o, ok := req.(*pluginv1.OpenRequest); ok && b.open != nil {
				b.open(o)
			}
			if c, ok := req.(*pluginv1.CloseRequest); ok && b.close != nil {
				if err := b.close(c.GetInstance()); err != nil {
					return nil, err
				}
			}
			do := func() (any, error) { return h(ctx, req) }
			if b.call != nil {
				return b.call(info.FullMethod, do)
			}
			return do()
		}),
		grpc.ChainStreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if b.stream != nil {
				if err := b.stream(info.FullMethod); err != nil {
					return err
				}
			}
			return h(srv, ss)
		}),
	}
}

// judge is a T that only notes that a case has failed, and ends what the case has begun when the case ends.
type judge struct {
	*testing.T
	mu      sync.Mutex
	failed  []string
	cleanup []func()
}

func (j *judge) Failed() bool     { return false }
func (j *judge) Cleanup(f func()) { j.cleanup = append(j.cleanup, f) }
func (j *judge) Errorf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = append(j.failed, fmt.Sprintf(format, args...))
}

func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

func (j *judge) end() {
	for _, f := range slices.Backward(j.cleanup) {
		f()
	}
}

// verdict runs a case and returns why it failed.
func verdict(t *testing.T, c Case, b Binary) []string {
	j := &judge{T: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer j.end()
		c.Run(j, b)
	}()
	<-done
	return j.failed
}

// large are cases that start processes of their own or move megabytes. With the race detector they only run over the plugins
// that they are to find.
var large = []string{"takes-a-large-message", "refuses-too-large-a-message", "two-at-once", "starts-again-after-a-kill", "needs-no-stdin",
	"drain-ends-opening", "ends-with-its-host", "says-what-it-is"}

// TestEachCaseFindsItsBreakage runs every case over every broken plugin.
func TestEachCaseFindsItsBreakage(t *testing.T) {
	all := breakages()
	cases := Cases()
	for _, c := range cases {
		if _, ok := all[c.Name]; !ok {
			t.Errorf("%s has no broken plugin", c.Name)
		}
	}
	for name := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := self(t, name, filepath.Join(t.TempDir(), "lock"))
			b.grace = 100 * time.Millisecond // one of them never ends
			outer := &judge{T: t}
			defer outer.end()
			b.shared = &shared{t: outer}
			for _, c := range cases {
				if raced && c.Name != name && slices.Contains(large, c.Name) {
					continue
				}
				b.Patience, b.rounds = 20*time.Second, 10
				if c.Name == name {
					b.Patience, b.rounds = time.Second, many // for what never happens, or late
				}
				switch why := verdict(t, c, b); {
				case c.Name == name && len(why) == 0:
					t.Errorf("%s does not find its broken plugin", c.Name)
				case c.Name != name && len(why) != 0:
					t.Errorf("%s fails as well: %q", c.Name, why)
				}
			}
		})
	}
}
