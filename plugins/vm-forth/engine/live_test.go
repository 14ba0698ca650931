package engine

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// session is a Live whose host executes functions by number.
func session(t *testing.T, words ...func(l *Live) error) *Live {
	t.Helper()
	lim := bytecode.DefaultLimits()
	l, err := NewLive(&lim, func(l *Live, n int64) error { return words[n](l) })
	if err != nil {
		t.Fatal(err)
	}
	l.SetGas(1_000_000)
	return l
}

// body writes a body: integers, opcodes, and functions that write more.
func body(parts ...any) []byte {
	e := &bytecode.Emitter{}
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			e.Integer(int64(p))
		case bytecode.Opcode:
			e.Op(p)
		case string:
			e.Bytes([]byte(p))
		case func(*bytecode.Emitter):
			p(e)
		}
	}
	return e.Code
}

func host(n int) func(*bytecode.Emitter) { return func(e *bytecode.Emitter) { e.Host(n) } }
func word(n int) func(*bytecode.Emitter) { return func(e *bytecode.Emitter) { e.Word(n) } }

func define(t *testing.T, l *Live, parts ...any) int {
	t.Helper()
	xt, err := l.Define(body(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return xt
}

func execute(t *testing.T, l *Live, xt int, want ...string) {
	t.Helper()
	if err := l.Execute(xt); err != nil || !slices.Equal(l.Stack(), want) {
		t.Fatalf("word %d: %v, %v, want %v", xt, l.Stack(), err, want)
	}
	l.SetDepth(0)
}

func TestLiveNests(t *testing.T) {
	var double, again int
	l := session(t,
		func(l *Live) error { // executes what is on top, twice, and counts
			xt, err := l.Pop()
			if err != nil {
				return err
			}
			for range 2 {
				if err := l.Execute(int(xt)); err != nil {
					return err
				}
			}
			return nil
		},
		func(l *Live) error { // defines a word while words run
			xt, err := l.Define(body(100, bytecode.OpAdd))
			if err != nil {
				return err
			}
			return l.Push(int64(xt))
		})
	double = define(t, l, bytecode.OpTwoMul)
	again = define(t, l, double, host(0))
	nested := define(t, l, again, host(0))
	execute(t, l, define(t, l, 3, word(again)), "12")
	execute(t, l, define(t, l, 3, word(nested)), "48")
	execute(t, l, define(t, l, 1, host(1), bytecode.OpExecute, bytecode.OpInc), "102")
	if l.Gas() >= 1_000_000 || l.Gas() < 999_000 {
		t.Errorf("gas %d", l.Gas())
	}
}

func TestLiveThrowsAcrossHostWords(t *testing.T) {
	thrower := 0
	l := session(t,
		func(*Live) error { return Throw(7) },
		func(l *Live) error { return l.Execute(thrower) },
		func(*Live) error { return io.EOF },
		func(l *Live) error { _, err := l.Pop(); return err })
	thrower = define(t, l, 1, 2, 3, host(0))
	through := define(t, l, 9, bytecode.OpToR, host(1), bytecode.OpFromR)
	caught := define(t, l, 5, through, bytecode.OpCatch)
	execute(t, l, caught, "5", "7")
	execute(t, l, define(t, l, 5, word(caught), bytecode.OpAdd, bytecode.OpAdd), "17")

	err := l.Execute(through)
	var trap *Trap
	if !errors.As(err, &trap) || trap.Status != bytecode.Thrown || trap.N != 7 || trap.Word != thrower || trap.Op != bytecode.OpHost {
		t.Errorf("not caught: %+v", err)
	}
	if l.m.rp != floor || l.m.catch != 0 {
		t.Errorf("return stack %d, catch %d", l.m.rp, l.m.catch)
	}
	l.SetDepth(0)

	ends := define(t, l, host(2))
	if err := l.Execute(define(t, l, ends, bytecode.OpCatch)); err != io.EOF {
		t.Errorf("an error that is no trap: %v", err)
	}
	l.SetDepth(0)
	pops := define(t, l, host(3))
	execute(t, l, define(t, l, pops, bytecode.OpCatch), "-4")
	define(t, l, "x", host(3))
	execute(t, l, define(t, l, 1, l.Words()-1, bytecode.OpCatch, bytecode.OpSwap, bytecode.OpDrop), "-12")
}

func TestLiveCatch(t *testing.T) {
	l := session(t)
	traps := map[string]struct {
		code []any
		n    string
	}{
		"throw":     {[]any{-500, bytecode.OpThrow}, "-500"},
		"overflow":  {[]any{1, 62, bytecode.OpLShift, 2, bytecode.OpMul}, "-11"},
		"division":  {[]any{1, 0, bytecode.OpDiv}, "-10"},
		"type":      {[]any{"x", bytecode.OpInc}, "-12"},
		"underflow": {[]any{bytecode.OpDrop, bytecode.OpDrop, bytecode.OpDrop}, "-4"},
		"recursion": {[]any{bytecode.OpRecurse}, "-3"},
		"address":   {[]any{-1, bytecode.OpFetch}, "-9"},
		"word":      {[]any{999, bytecode.OpExecute}, "-13"},
		"hash":      {[]any{"no hash", bytecode.OpCallHash}, "-13"},
	}
	for name, c := range traps {
		xt := define(t, l, c.code...)
		if err := l.Execute(define(t, l, 41, 42, xt, bytecode.OpCatch)); err != nil || l.Depth() != 3 || l.Stack()[2] != c.n {
			t.Errorf("%s: %v, %v, want 3 values and %s on top", name, l.Stack(), err, c.n)
		}
		l.SetDepth(0)
	}
	// What the word took off is gone; what it left is not.
	take := define(t, l, bytecode.OpDrop, bytecode.OpDrop, 5, 1, bytecode.OpThrow)
	execute(t, l, define(t, l, 41, 42, 43, take, bytecode.OpCatch), "41", "5", "1", "1")
	for name, c := range map[string]struct {
		code   []any
		status string
	}{
		"gas":  {[]any{func(e *bytecode.Emitter) { at := len(e.Code); e.Target(e.Jump(bytecode.OpJump), at) }}, "OutOfGas"},
		"fail": {[]any{bytecode.OpFail}, "Fail"}, "environment": {[]any{func(e *bytecode.Emitter) { e.Env(0) }}, "EnvMissing: height"},
	} {
		l.SetGas(10_000)
		err := l.Execute(define(t, l, define(t, l, c.code...), bytecode.OpCatch))
		if err == nil || err.Error() != c.status {
			t.Errorf("%s: %v, want %s", name, err, c.status)
		}
		var trap *Trap
		if errors.As(err, &trap); trap == nil || trap.N != 0 || trap.Word < 0 {
			t.Errorf("%s: %+v", name, trap)
		}
		l.SetDepth(0)
	}
}

func TestLiveRedefines(t *testing.T) {
	redefined := 0
	l := session(t, func(l *Live) error { return l.Redefine(redefined, body(2)) })
	redefined = define(t, l, host(0), 1)
	caller := define(t, l, word(redefined))
	execute(t, l, caller, "1") // it goes on with the old body
	execute(t, l, caller, "2")
	execute(t, l, define(t, l, redefined, bytecode.OpExecute), "2")
	// A body may call a later word, and words with the same body have the same hash.
	later := define(t, l, 3)
	if err := l.Redefine(redefined, body(word(later), bytecode.OpInc)); err != nil {
		t.Fatal(err)
	}
	execute(t, l, caller, "4")
	if l.Hash(later) != l.Hash(define(t, l, 3)) || l.Hash(caller) == l.Hash(later) {
		t.Error("hashes")
	}
	h := l.Hash(later)
	execute(t, l, define(t, l, string(h[:]), bytecode.OpCallHash), "3")
	if string(l.Body(caller)) != string(body(word(redefined))) {
		t.Errorf("body %x", l.Body(caller))
	}

	words, size := l.Words(), len(l.p.Code)
	for range 1000 {
		xt := define(t, l, 1, 2, bytecode.OpAdd)
		execute(t, l, xt, "3")
		l.Forget(xt)
	}
	if l.Words() != words || len(l.p.Code) != size {
		t.Errorf("%d words, %d bytes after forgetting; before %d, %d", l.Words(), len(l.p.Code), words, size)
	}
	execute(t, l, caller, "4")

	for _, bad := range [][]byte{{byte(bytecode.OpCall), 200, 1}, {0xa5}, {byte(bytecode.OpInt)}, {byte(bytecode.OpHost), 0x80, 0}, {byte(bytecode.OpVerifyZK)}} {
		if _, err := l.Define(bad); !errors.Is(err, bytecode.ErrBadCode) || l.Words() != words || len(l.p.Code) != size {
			t.Errorf("%x: %v", bad, err)
		}
	}
	execute(t, l, caller, "4")
}

func TestLiveValues(t *testing.T) {
	l := session(t)
	for _, b := range []string{"abc", strings.Repeat("x", 1024)} {
		if err := l.PushBytes([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.PushBytes(make([]byte, 1025)); err == nil {
		t.Error("1025 bytes fit")
	}
	if err := l.SetSlot(3, Value{Bytes: []byte("kept"), IsBytes: true}); err != nil {
		t.Fatal(err)
	}
	if b, err := l.PopBytes(); err != nil || len(b) != 1024 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	l.Collect()
	if got := len(l.m.arena); got != 7 || string(l.Slot(3).Bytes) != "kept" || string(l.Values()[0].Bytes) != "abc" {
		t.Errorf("%d bytes are kept, %+v, %+v", got, l.Slot(3), l.Values())
	}
	b, err := l.Memory(8, 8)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 5
	l.SetDepth(0)
	execute(t, l, define(t, l, 8, bytecode.OpFetch, func(e *bytecode.Emitter) { e.Slot(bytecode.OpSlot, 3) }, bytecode.OpLen), "5", "4")
	if _, err := l.Memory(1<<16, 1); err == nil {
		t.Error("memory behind the end")
	}
	for range 1024 {
		if err := l.Push(1); err != nil {
			t.Fatal(err)
		}
	}
	var trap *Trap
	if err := l.Push(1); !errors.As(err, &trap) || trap.N != -3 {
		t.Errorf("full: %v", err)
	}
}
