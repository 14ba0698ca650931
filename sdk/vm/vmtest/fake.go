package vmtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Fake is the simplest VM that passes the suite: a source is numbers, height, loop and fail; each costs one gas. A session
// takes numbers.
type Fake struct {
	mu     sync.Mutex
	closed bool
	kept   map[[32]byte][]byte
}

// NewFake returns an instance.
func NewFake() *Fake { return &Fake{kept: map[[32]byte][]byte{}} }

// FakeFactory opens instances of [Fake].
func FakeFactory() Factory {
	return Factory{
		Open: func(T) (vm.VM, func() error, error) {
			v := NewFake()
			return v, v.Close, nil
		},
		Pays: "0 100 1", Echoes: "swap0 1", Height: "0 height 1", Loops: "loop", Fails: "fail", Wrong: "0 what 1",
		Evidence: func(n int64) string { return strconv.FormatInt(n, 10) },
		Garbage:  []byte("no code"),
	}
}

// Statuses of a Fake.
const (
	fakeBadCode vm.Status = 1 + iota
	fakeOutOfGas
	fakeFailed
	fakeNoHeight
	fakeBadResult
)

// fakeMagic begins all code of a Fake. An instruction is a letter; a number follows n.
const fakeMagic = '#'

// Close implements io.Closer.
func (v *Fake) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	return nil
}

func (v *Fake) ready(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return vm.ErrClosed
	}
	return ctx.Err()
}

func fakeValid(code []byte) bool {
	if len(code) == 0 || code[0] != fakeMagic {
		return false
	}
	for at := 1; at < len(code); at++ {
		switch code[at] {
		case 'n':
			if at += 8; at >= len(code) {
				return false
			}
		case 's', 'h', 'l', 'f':
		default:
			return false
		}
	}
	return true
}

// Load implements vm.VM.
func (v *Fake) Load(ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
	if err := v.ready(ctx); err != nil {
		return nil, err
	}
	if err := vm.CheckCode(code); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]vm.Loaded, len(code))
	for i, c := range code {
		if out[i].CodeHash = sha256.Sum256(c); fakeValid(c) {
			v.kept[out[i].CodeHash] = slices.Clone(c)
		} else {
			out[i].Error = "malformed"
		}
	}
	return out, nil
}

// RunBatch implements vm.VM.
func (v *Fake) RunBatch(ctx context.Context, b vm.Batch) ([]vm.Result, error) {
	if err := v.ready(ctx); err != nil {
		return nil, err
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	out := make([]vm.Result, len(b.Runs))
	for i, r := range b.Runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = v.run(b.Environment, r, func(vm.Step) error { return nil }); err != nil {
			return nil, err
		}
		if !b.Diagnostics {
			out[i].Error = ""
		}
	}
	return out, nil
}

// run executes a run; step gets a step before each instruction.
func (v *Fake) run(common map[string][]byte, r vm.Run, step func(vm.Step) error) (vm.Result, error) {
	if r.ByHash {
		v.mu.Lock()
		code, ok := v.kept[[32]byte(r.Code)]
		v.mu.Unlock()
		if !ok {
			return vm.Result{}, vm.ErrUnknownCode
		}
		r.Code = code
	}
	failed := func(s vm.Status) (vm.Result, error) {
		return vm.Result{Status: s, Gas: r.GasLimit, Error: fmt.Sprintf("failed with %d", s)}, nil
	}
	if !fakeValid(r.Code) || (len(r.Evidence) > 0 && !fakeValid(r.Evidence)) {
		return failed(fakeBadCode)
	}
	var stack []int64
	left := r.GasLimit
	for _, code := range [][]byte{r.Evidence, r.Code} {
		for at := 1; at < len(code); at++ {
			if left == 0 {
				return failed(fakeOutOfGas)
			}
			if err := step(vm.Step{PC: uint64(at), Op: string(code[at : at+1]), Gas: left, GasCost: 1}); err != nil {
				return vm.Result{}, err
			}
			left--
			switch code[at] {
			case 'n':
				stack = append(stack, int64(binary.BigEndian.Uint64(code[at+1:])))
				at += 8
			case 's': // puts 0 below the number on top
				if len(stack) == 0 {
					return failed(fakeBadResult)
				}
				stack = append(stack[:len(stack)-1], 0, stack[len(stack)-1])
			case 'h':
				h, ok := r.Environment["height"]
				if !ok {
					h = common["height"]
				}
				if len(h) != 8 {
					return failed(fakeNoHeight)
				}
				stack = append(stack, int64(binary.BigEndian.Uint64(h)))
			case 'l':
				at--
			case 'f':
				return failed(fakeFailed)
			}
		}
	}
	if len(stack) != 3 {
		return failed(fakeBadResult)
	}
	return vm.Result{Stack: stack, Gas: r.GasLimit - left}, nil
}

// Compile implements vm.VM.
func (v *Fake) Compile(ctx context.Context, s vm.Source) (*vm.Compiled, error) {
	if err := v.ready(ctx); err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.Dialect != "" {
		return nil, fmt.Errorf("%s:1:1: a fake has no dialects: %w", s.File, vm.ErrSyntax)
	}
	code, m, at := []byte{fakeMagic}, vm.SourceMap(nil), 0
	for _, w := range strings.Fields(s.Text) {
		at += strings.Index(s.Text[at:], w)
		m = append(m, vm.MapEntry{PC: uint32(len(code)), Line: 1 + uint32(strings.Count(s.Text[:at], "\n")), Column: uint32(at - strings.LastIndexByte(s.Text[:at], '\n'))})
		switch w {
		case "swap0", "height", "loop", "fail":
			code = append(code, w[0])
		default:
			n, err := strconv.ParseInt(w, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s:1:%d: unknown word %q: %w", s.File, at+1, w, vm.ErrSyntax)
			}
			code = binary.BigEndian.AppendUint64(append(code, 'n'), uint64(n))
		}
	}
	return &vm.Compiled{Code: code, Map: m}, nil
}

// Disassemble implements vm.VM.
func (v *Fake) Disassemble(ctx context.Context, code []byte) (string, error) {
	if err := v.ready(ctx); err != nil {
		return "", err
	}
	if !fakeValid(code) {
		return "", vm.ErrInvalid
	}
	return fmt.Sprintf("%q", code), nil
}

// Trace implements vm.VM. The last step has the result alone.
func (v *Fake) Trace(ctx context.Context, env map[string][]byte, r vm.Run, step func(vm.Step) error) error {
	if err := v.ready(ctx); err != nil {
		return err
	}
	if err := (vm.Batch{Environment: env, Runs: []vm.Run{r}}).Check(); err != nil {
		return err
	}
	res, err := v.run(env, r, step)
	if err != nil {
		return err
	}
	return step(vm.Step{Result: &res})
}

// Info implements vm.VM.
func (v *Fake) Info(ctx context.Context) (*vm.Info, error) {
	if err := v.ready(ctx); err != nil {
		return nil, err
	}
	return &vm.Info{Version: "fake", GasVersion: 1, GasTableHash: sha256.Sum256([]byte("1 for each instruction")), Dialects: []string{"fake"},
		Environment: []string{"height"}}, nil
}

// Interact implements vm.VM. A session takes numbers, which stay on the stack.
func (v *Fake) Interact(ctx context.Context, s vm.Session, next func(vm.Output) (vm.Input, error)) error {
	if err := v.ready(ctx); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	if s.Dialect != "" {
		return vm.ErrUnsupported
	}
	for out := (vm.Output{}); ; {
		in, err := next(out)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(ctx.Err(), in.Check()); err != nil {
			return err
		}
		out = vm.Output{Stack: slices.Clone(out.Stack)}
		for _, w := range strings.Fields(in.Text) {
			if _, err := strconv.ParseInt(w, 10, 64); err != nil {
				out = vm.Output{Error: fmt.Sprintf("%s:%d:%d: unknown word %q", in.File, max(in.Line, 1), 1+strings.Index(in.Text, w), w), Gas: out.Gas}
				break
			}
			out.Stack = append(out.Stack, w)
			out.Gas++
		}
	}
}
