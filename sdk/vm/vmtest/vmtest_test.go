package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFake(t *testing.T)       { Run(t, FakeFactory()) }
func TestFakeRemote(t *testing.T) { Run(t, Remote(FakeFactory())) }

func TestHandles(t *testing.T) {
	conn, stop, err := Serve(NewFake())
	if err != nil {
		t.Fatal(err)
	}
	wrong, stopWrong, err := Serve("an instance of another kind")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(stop(), stopWrong()); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		name string
		v    vm.VM
		want error
	}{
		{"unknown instance", vm.NewClient(conn, Handle+1), plugin.ErrUnknownInstance},
		{"wrong kind", vm.NewClient(wrong, Handle), plugin.ErrWrongKind},
	} {
		ctx := t.Context()
		calls := map[string]func() error{
			"Load":        func() error { _, err := c.v.Load(ctx, nil); return err },
			"RunBatch":    func() error { _, err := c.v.RunBatch(ctx, vm.Batch{}); return err },
			"Compile":     func() error { _, err := c.v.Compile(ctx, vm.Source{}); return err },
			"Disassemble": func() error { _, err := c.v.Disassemble(ctx, nil); return err },
			"Trace":       func() error { return c.v.Trace(ctx, nil, vm.Run{}, func(vm.Step) error { return nil }) },
			"Info":        func() error { _, err := c.v.Info(ctx); return err },
			"Interact": func() error {
				return c.v.Interact(ctx, vm.Session{}, func(vm.Output) (vm.Input, error) { return vm.Input{}, io.EOF })
			},
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", c.name, name, err, c.want)
			}
		}
	}
}

// broken is a VM of which calls are replaced.
type broken struct {
	vm.VM
	load        func(vm.VM, context.Context, [][]byte) ([]vm.Loaded, error)
	run         func(vm.VM, context.Context, vm.Batch) ([]vm.Result, error)
	compile     func(vm.VM, context.Context, vm.Source) (*vm.Compiled, error)
	disassemble func(vm.VM, context.Context, []byte) (string, error)
	trace       func(vm.VM, context.Context, map[string][]byte, vm.Run, func(vm.Step) error) error
	info        func(vm.VM, context.Context) (*vm.Info, error)
	interact    func(vm.VM, context.Context, vm.Session, func(vm.Output) (vm.Input, error)) error
}

func (b *broken) Load(ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
	if b.load != nil {
		return b.load(b.VM, ctx, code)
	}
	return b.VM.Load(ctx, code)
}

func (b *broken) RunBatch(ctx context.Context, batch vm.Batch) ([]vm.Result, error) {
	if b.run != nil {
		return b.run(b.VM, ctx, batch)
	}
	return b.VM.RunBatch(ctx, batch)
}

func (b *broken) Info(ctx context.Context) (*vm.Info, error) {
	if b.info != nil {
		return b.info(b.VM, ctx)
	}
	return b.VM.Info(ctx)
}

func (b *broken) Interact(ctx context.Context, s vm.Session, next func(vm.Output) (vm.Input, error)) error {
	if b.interact != nil {
		return b.interact(b.VM, ctx, s, next)
	}
	return b.VM.Interact(ctx, s, next)
}

func (b *broken) Compile(ctx context.Context, s vm.Source) (*vm.Compiled, error) {
	if b.compile != nil {
		return b.compile(b.VM, ctx, s)
	}
	return b.VM.Compile(ctx, s)
}

func (b *broken) Disassemble(ctx context.Context, code []byte) (string, error) {
	if b.disassemble != nil {
		return b.disassemble(b.VM, ctx, code)
	}
	return b.VM.Disassemble(ctx, code)
}

func (b *broken) Trace(ctx context.Context, env map[string][]byte, r vm.Run, step func(vm.Step) error) error {
	if b.trace != nil {
		return b.trace(b.VM, ctx, env, r, step)
	}
	return b.VM.Trace(ctx, env, r, step)
}

// edit returns a RunBatch that changes results.
func edit(f func(b vm.Batch, out []vm.Result) []vm.Result) func() broken {
	return func() broken {
		return broken{run: func(v vm.VM, ctx context.Context, b vm.Batch) ([]vm.Result, error) {
			out, err := v.RunBatch(ctx, b)
			if err == nil {
				out = f(b, out)
			}
			return out, err
		}}
	}
}

// instead returns a RunBatch that turns an error into something else.
func instead(of error, out []vm.Result, by error) func() broken {
	return func() broken {
		return broken{run: func(v vm.VM, ctx context.Context, b vm.Batch) ([]vm.Result, error) {
			got, err := v.RunBatch(ctx, b)
			if errors.Is(err, of) {
				return out, by
			}
			return got, err
		}}
	}
}

// breakers has a way to break a VM for each case, that no other case notices.
func breakers() map[string]func() broken {
	pays := func(r vm.Run) bool { return len(r.Evidence) == 0 && strings.HasSuffix(string(r.Code), "\x01") }
	is := func(r vm.Run, word string) bool { return string(r.Code) == "#"+word }
	instances := 0
	shared := make([]int64, 3)
	failing := errors.New("broken")
	return map[string]func() broken{
		"result": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			for i := range out {
				if pays(b.Runs[i]) && out[i].Status == vm.OK && out[i].Stack[1] == 100 {
					out[i].Stack[1] = 50
				}
			}
			return out
		}),
		"deterministic": func() broken {
			instances++
			more := uint64(instances % 2)
			return edit(func(b vm.Batch, out []vm.Result) []vm.Result {
				for i := range out {
					if len(out) == 120 && out[i].Status == vm.OK {
						out[i].Gas += more
					}
				}
				return out
			})()
		},
		"order": edit(func(_ vm.Batch, out []vm.Result) []vm.Result {
			if len(out) == 100 {
				out[98], out[99] = out[99], out[98]
			}
			return out
		}),
		"empty-batch": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			if len(b.Runs) == 0 {
				return make([]vm.Result, 1)
			}
			return out
		}),
		"large-batch": edit(func(_ vm.Batch, out []vm.Result) []vm.Result { return out[:min(len(out), 4096)] }),
		"runs-apart": edit(func(_ vm.Batch, out []vm.Result) []vm.Result {
			if len(out) == 7 {
				out[6].Gas++
			}
			return out
		}),
		"results-are-the-callers": edit(func(_ vm.Batch, out []vm.Result) []vm.Result {
			if len(out) == 1 && out[0].Status == vm.OK {
				copy(shared, out[0].Stack)
				out[0].Stack = shared
			}
			return out
		}),
		"diagnostics": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			for i := range out {
				if out[i].Status != vm.OK && !b.Diagnostics {
					out[i].Error = "failed"
				}
			}
			return out
		}),
		"environment": func() broken {
			return broken{run: func(v vm.VM, ctx context.Context, b vm.Batch) ([]vm.Result, error) {
				runs := slices.Clone(b.Runs)
				for i := range runs {
					if b.Environment["height"] != nil {
						runs[i].Environment = maps.Clone(runs[i].Environment)
						delete(runs[i].Environment, "height")
					}
				}
				b.Runs = runs
				return v.RunBatch(ctx, b)
			}}
		},
		"environment-missing": func() broken {
			return broken{run: func(v vm.VM, ctx context.Context, b vm.Batch) ([]vm.Result, error) {
				out, err := v.RunBatch(ctx, b)
				if len(out) == 1 && out[0].Status == fakeNoHeight {
					return nil, failing
				}
				return out, err
			}}
		},
		"gas-limit": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			if len(out) == 1 && pays(b.Runs[0]) && b.Runs[0].GasLimit == 2 {
				out[0] = vm.Result{Stack: []int64{0, 100, 1}, Gas: 3}
			}
			return out
		}),
		"failure-costs-all": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			for i := range out {
				if is(b.Runs[i], "f") {
					out[i].Gas = min(1, b.Runs[i].GasLimit)
				}
			}
			return out
		}),
		"endless-ends": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			for i := range out {
				if is(b.Runs[i], "l") {
					out[i].Status = vm.OK
				}
			}
			return out
		}),
		"by-hash": edit(func(b vm.Batch, out []vm.Result) []vm.Result {
			for i := range out {
				if b.Runs[i].ByHash && len(b.Runs[i].Evidence) > 0 {
					out[i].Gas++
				}
			}
			return out
		}),
		"load-copies": func() broken {
			var kept []byte
			return broken{
				load: func(v vm.VM, ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
					if len(code) == 1 {
						kept = code[0]
					}
					return v.Load(ctx, code)
				},
				run: func(v vm.VM, ctx context.Context, b vm.Batch) ([]vm.Result, error) {
					if len(b.Runs) == 1 && b.Runs[0].ByHash && kept != nil {
						b.Runs = slices.Clone(b.Runs)
						b.Runs[0].ByHash, b.Runs[0].Code = false, kept
					}
					return v.RunBatch(ctx, b)
				}}
		},
		"load-reports-each": func() broken {
			return broken{load: func(v vm.VM, ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
				out, err := v.Load(ctx, code)
				for i := range out {
					if out[i].Error != "" {
						return nil, failing
					}
				}
				return out, err
			}}
		},
		"load-nothing": func() broken {
			return broken{load: func(v vm.VM, ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
				if len(code) == 0 {
					return nil, failing
				}
				return v.Load(ctx, code)
			}}
		},
		"garbage-fails-alone": func() broken {
			return broken{run: func(v vm.VM, ctx context.Context, b vm.Batch) ([]vm.Result, error) {
				out, err := v.RunBatch(ctx, b)
				if len(out) == 4 {
					return nil, failing
				}
				return out, err
			}}
		},
		"unknown-hash":         instead(vm.ErrUnknownCode, []vm.Result{{Status: 1, Gas: plenty}}, nil),
		"hash-of-other-length": instead(vm.ErrInvalid, nil, failing),
		"too-large-is-refused": instead(vm.ErrTooLarge, []vm.Result{{Status: 1, Gas: 1}}, nil),
		"cancelled":            instead(context.Canceled, make([]vm.Result, 100), nil),
		"closed":               instead(vm.ErrClosed, nil, failing),
		"syntax-error": func() broken {
			return broken{compile: func(v vm.VM, ctx context.Context, s vm.Source) (*vm.Compiled, error) {
				c, err := v.Compile(ctx, s)
				if errors.Is(err, vm.ErrSyntax) {
					err = vm.ErrSyntax
				}
				return c, err
			}}
		},
		"unknown-dialect": func() broken {
			return broken{compile: func(v vm.VM, ctx context.Context, s vm.Source) (*vm.Compiled, error) {
				s.Dialect = ""
				return v.Compile(ctx, s)
			}}
		},
		"source-map": func() broken {
			return broken{compile: func(v vm.VM, ctx context.Context, s vm.Source) (*vm.Compiled, error) {
				c, err := v.Compile(ctx, s)
				if err == nil {
					slices.Reverse(c.Map)
				}
				return c, err
			}}
		},
		"info": func() broken {
			instances++
			version := uint32(instances)
			return broken{info: func(v vm.VM, ctx context.Context) (*vm.Info, error) {
				i, err := v.Info(ctx)
				if err == nil {
					i.GasVersion += version
				}
				return i, err
			}}
		},
		"session": func() broken {
			return broken{interact: func(v vm.VM, ctx context.Context, s vm.Session, next func(vm.Output) (vm.Input, error)) error {
				return v.Interact(ctx, s, func(o vm.Output) (vm.Input, error) {
					in, err := next(o)
					if o.Error != "" {
						in.Text = "1 " + in.Text
					}
					return in, err
				})
			}}
		},
		"session-stops": func() broken {
			return broken{interact: func(v vm.VM, ctx context.Context, s vm.Session, next func(vm.Output) (vm.Input, error)) error {
				err := v.Interact(ctx, s, next)
				if err != nil && !errors.Is(err, vm.ErrClosed) {
					return failing
				}
				return err
			}}
		},
		"disassemble": func() broken {
			return broken{disassemble: func(vm.VM, context.Context, []byte) (string, error) { return "", nil }}
		},
		"trace": func() broken {
			return broken{trace: func(v vm.VM, ctx context.Context, env map[string][]byte, r vm.Run, step func(vm.Step) error) error {
				return v.Trace(ctx, env, r, func(s vm.Step) error {
					if s.Result != nil && s.Result.Status == vm.OK {
						s.Result.Gas++
					}
					return step(s)
				})
			}}
		},
		"trace-stops": func() broken {
			return broken{trace: func(v vm.VM, ctx context.Context, env map[string][]byte, r vm.Run, step func(vm.Step) error) error {
				var first error
				n := 0
				err := v.Trace(ctx, env, r, func(s vm.Step) error {
					if err := step(s); err != nil && first == nil {
						first = err
					}
					if n++; n > 100 {
						return first
					}
					return nil
				})
				return err
			}}
		},
	}
}

// TestEachCaseHasAVMThatOnlyItFails shows that each case can fail, and that none is the shadow of another.
func TestEachCaseHasAVMThatOnlyItFails(t *testing.T) {
	known := breakers()
	for _, c := range Cases() {
		if known[c.Name] == nil {
			t.Errorf("case %s has no VM that fails it", c.Name)
		}
	}
	for name, breaker := range known {
		f := FakeFactory()
		inner := f.Open
		f.Open = func(t T) (vm.VM, func() error, error) {
			v, closeVM, err := inner(t)
			b := breaker()
			b.VM = v
			return &b, closeVM, err
		}
		var failed []string
		for _, c := range Cases() {
			if runs(t.Context(), c, f) {
				failed = append(failed, c.Name)
			}
		}
		if !slices.Equal(failed, []string{name}) {
			t.Errorf("the VM that is broken for %s fails %q", name, failed)
		}
	}
}

// recorder is a T that notes whether a case failed.
type recorder struct {
	ctx      context.Context
	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

func (*recorder) Helper()                    {}
func (*recorder) Logf(string, ...any)        {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(f string, args ...any) {
	_ = fmt.Sprintf(f, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}
func (r *recorder) Fatalf(f string, args ...any) {
	r.Errorf(f, args...)
	runtime.Goexit()
}

// runs runs a case and tells whether it failed.
func runs(ctx context.Context, c Case, f Factory) bool {
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(r, f)
	}()
	<-done
	for _, cleanup := range slices.Backward(r.cleanups) {
		cleanup()
	}
	return r.failed
}
