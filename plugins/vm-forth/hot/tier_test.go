package hot

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// eager compiles everything at its first run.
func eager() Options {
	o := Default()
	o.ColdGas, o.CodeGas, o.CompileGas, o.RunGas = 0, 0, 0, 0
	return o
}

// evidenceOf is evidence that leaves values: a number, or a byte string.
func evidenceOf(values ...any) []byte {
	e := &bytecode.Emitter{}
	for _, v := range values {
		switch v := v.(type) {
		case int:
			e.Integer(int64(v))
		case string:
			e.Bytes([]byte(v))
		}
	}
	return bytecode.Parts{Main: e.Code}.Encode()
}

// agree runs a program on both machines and compares.
func agree(t *testing.T, plain, fast *engine.Machine, p *bytecode.Program, r vm.Run) vm.Result {
	t.Helper()
	env := map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 9}, "participant:0": []byte("alice")}
	want := plain.Run(&r, p, env, make([]int64, engine.ResultCount))
	got := fast.Run(&r, p, env, make([]int64, engine.ResultCount))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("hot tier %+v\ninterpreter %+v", got, want)
	}
	return want
}

// TestBecomesHot runs a program until it has earned its module.
func TestBecomesHot(t *testing.T) {
	l := bytecode.DefaultLimits()
	o := Default()
	o.ColdGas, o.CodeGas, o.CompileGas = 50_000, 100, 100
	tier := newTier(t, &l, o)
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	p := compiled(t, "0 0 1000 0 do i + loop 1", &l)
	first := 0
	for i := range 100 {
		agree(t, plain, fast, p, vm.Run{GasLimit: 100_000})
		if tier.Stats().Completed.Load() > 0 && first == 0 {
			first = i
		}
	}
	// A run uses 3,000 gas.
	if s := tier.Stats(); first < 16 || first > 40 || s.Compiled.Load() != 1 || s.Completed.Load() != int64(100-first) {
		t.Errorf("the first run that is hot is %d, with %d modules and %d runs", first, s.Compiled.Load(), s.Completed.Load())
	}
	short := compiled(t, "0 100 1", &l)
	for range 20_000 {
		agree(t, plain, fast, short, vm.Run{GasLimit: 1000})
	}
	if n := tier.Stats().Compiled.Load(); n != 1 {
		t.Errorf("a program of 3 gas was compiled")
	}
}

// TestFailures sees that failures come from the interpreter, and that a module that only fails is dropped.
func TestFailures(t *testing.T) {
	l := testLimits()
	for name, c := range map[string]struct {
		source string
		want   vm.Status
	}{
		"overflow":                {": w dup + ; 1 100 0 do w loop 0 1", bytecode.Overflow},
		"product":                 {"1 100 0 do 3 * loop 0 1", bytecode.Overflow},
		"division":                {"10 0 do i 5 - 100 swap / drop loop 0 0 1", bytecode.DivByZero},
		"remainder":               {"10 0 do 100 i 5 - mod drop loop 0 0 1", bytecode.DivByZero},
		"gas":                     {"begin 0 until 0 0 1", bytecode.OutOfGas},
		"gas in a recursion":      {": w dup if 1- recurse then ; 10000 0 do 20 w drop loop 0 0 1", bytecode.OutOfGas},
		"deep return stack":       {": w dup if 1- recurse then ; 1000 w 0 1", bytecode.StackOverflow},
		"deep data stack":         {": w dup if 1 swap 1 swap 1 swap 1 swap 1- recurse then ; 20 w return", bytecode.StackOverflow},
		"throw":                   {"10 0 do i 7 = throw loop 0 0 1", bytecode.Thrown},
		"address":                 {"1000 0 do 1 i 8 * ! loop 0 0 1", bytecode.BadAddress},
		"address below":           {"10 0 do 1 i 5 - negate c! loop 0 0 1", bytecode.BadAddress},
		"bytes":                   {`2000 0 do x"0011223344556677" drop loop 0 0 1`, bytecode.OutOfSpace},
		"result":                  {"-5 10 0 do 1+ loop 0 swap 6 - 1", bytecode.BadResult},
		"missing":                 {"10 0 do i 8 > if clock drop then loop 0 0 1", bytecode.EnvMissing},
		"sum of results too high": {"4611686018427387904 dup 1", bytecode.BadResult},
	} {
		t.Run(name, func(t *testing.T) {
			tier := newTier(t, &l, eager())
			plain, fast := machines(t, &l)
			fast.Accelerate(tier)
			p := compiled(t, c.source, &l)
			for range maxFailures + 3 {
				if got := agree(t, plain, fast, p, vm.Run{GasLimit: 100_000}); got.Status != c.want {
					t.Fatalf("it ends with %s, not %s", bytecode.StatusName(got.Status), bytecode.StatusName(c.want))
				}
			}
			if s := tier.Stats(); s.Completed.Load() != 0 || s.Declined.Load() > maxFailures || s.Unsuitable.Load()+s.Dropped.Load() == 0 {
				t.Errorf("completed %d, declined %d, unsuitable %d, dropped %d", s.Completed.Load(), s.Declined.Load(), s.Unsuitable.Load(), s.Dropped.Load())
			}
		})
	}
}

// TestConstructs has what is not plain about a translation.
func TestConstructs(t *testing.T) {
	l := bytecode.DefaultLimits()
	asm := func(t *testing.T, text string) *bytecode.Program {
		c, err := bytecode.Assemble(text, &l)
		if err != nil {
			t.Fatal(err)
		}
		p := &bytecode.Program{}
		if err := p.Load(c.Code, &l, false); err != nil {
			t.Fatal(err)
		}
		p.Seal()
		return p
	}
	lines := func(words string) string { return strings.ReplaceAll(words, "; ", "\n") + "\n" }
	for name, c := range map[string]struct {
		source, asm string
		evidence    []byte
		left        bool // to the interpreter
	}{
		"return in a word":              {source: ": w dup if 7 8 return then drop ; 1 1 w 2 3 4"},
		"return in a word, of others":   {source: ": w return ; 4 5 6 w"},
		"return in a recursion":         {source: ": w dup 0= if return then 1- recurse ; 1 2 9 w"},
		"no return after all":           {source: ": w dup if 7 8 return then drop ; 0 0 w 2 3"},
		"gas is exact":                  {source: ": w gas ; 0 5 0 do drop gas w - loop gas 1"},
		"depth in a recursion":          {source: ": w dup if 1- recurse else drop depth then ; 1 2 5 w"},
		"depth in words of words":       {source: ": a depth ; : b 5 a + ; : c if b else a then ; 0 1 c + 1 dup"},
		"exits of a loop":               {source: "0 100 0 do i 7 > if leave then 1+ loop 0 1"},
		"loop down":                     {source: "0 0 10 do i + -1 +loop 0 1"},
		"loop over the end":             {source: "0 5 0 do 1+ 9223372036854775807 +loop 0 1"},
		"loop that is skipped":          {source: "0 5 5 ?do 1+ loop 0 1"},
		"loops in words in loops":       {source: ": w 3 0 do i + loop ; 0 5 0 do i w j drop loop 0 1", left: true},
		"exit from within":              {source: ": w 10 0 do dup i = if unloop exit then loop drop 99 ; 3 w 20 w 1"},
		"slots are 0":                   {asm: lines("slot@ 3; int 5; slot! 3; slot@ 3; int 1")},
		"slots with bytes":              {asm: lines(`bytes x"0102"; slot! 0; slot@ 0; len; int 0; int 1`)},
		"slots with bytes, too early":   {asm: lines(`slot@ 0; drop; int 0; jump-zero L; slot@ 0; len; drop; L:; bytes x"0102"; slot! 0; slot@ 0; len; int 0; int 1`), left: true},
		"execute":                       {asm: ".word 0\n1+\n.main\n" + lines("int 4; int 0; execute; int 0; int 1")},
		"catch nothing":                 {asm: ".word 0\n1+\n.main\n" + lines("int 4; int 0; catch; int 1")},
		"catch":                         {asm: ".word 0\nint 7\nthrow\n.main\n" + lines("int 4; int 0; catch; int 1"), left: true},
		"call by hash":                  {source: ": w 1+ ; 4 ' w call 0 1"},
		"bytes are compared":            {source: `x"01" x"01" == x"01" x"02" = negate x"01" 1 <>`, left: true},
		"bytes from the evidence":       {source: `dup len swap sha256 0 4 slice b> rot`, evidence: evidenceOf(3, "secret")},
		"numbers from the evidence":     {source: `+ swap 1`, evidence: evidenceOf(3, 4, 5)},
		"too little from the evidence":  {source: `+ swap 1`, evidence: evidenceOf(3, 4), left: true},
		"something else there":          {source: `+ swap 1`, evidence: evidenceOf(3, "", 5), left: true},
		"the chain":                     {source: "height 0 participant len 1"},
		"memory, some of it from words": {source: `x"00112233" 100 b>mem 100 c@ 101 c@ 0 200 16 255 fill 207 @ 7 and +`},
	} {
		t.Run(name, func(t *testing.T) {
			tier := newTier(t, &l, eager())
			plain, fast := machines(t, &l)
			fast.Accelerate(tier)
			var p *bytecode.Program
			if c.asm != "" {
				p = asm(t, c.asm)
			} else {
				p = compiled(t, c.source, &l)
			}
			res := agree(t, plain, fast, p, vm.Run{Evidence: c.evidence, GasLimit: 100_000})
			if left := tier.Stats().Completed.Load() == 0; left != c.left {
				t.Errorf("left to the interpreter: %t; %+v; %v", left, res, tier.Prepare(p, ""))
			}
		})
	}
}

// TestUnsuitable names what has no translation.
func TestUnsuitable(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, eager())
	for name, text := range map[string]string{
		"a loop with two entries":  "int 1\njump-zero B\nA:\nint 1\njump-zero C\nB:\nint 1\njump-zero A\njump A\nC:\nint 0\nint 0\nint 1",
		"depths differ":            "height\njump-zero A\nint 1\nA:\nint 0\nint 0\nint 1\nreturn",
		"always too few":           "drop\nint 0\nint 0\nint 1",
		"paths leave other depths": ".word 0\njump-zero A\nint 1\nexit\nA:\n.main\nheight\nword 0\nint 0\nint 1\nreturn",
		"too long":                 "int 1\n" + strings.Repeat("1+\n", maxBody) + "int 0\nint 1",
	} {
		c, err := bytecode.Assemble(text, &l)
		if err != nil {
			t.Fatal(err)
		}
		p := &bytecode.Program{}
		if err := p.Load(c.Code, &l, false); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := tier.Prepare(p, ""); !errors.Is(err, ErrUnsuitable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// executable counts the mappings of machine code that no file is behind.
func executable(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 5 && strings.Contains(f[1], "x") {
			n++
		}
	}
	return n
}

// TestManyModules sees that modules make room for others, and that their machine code goes.
func TestManyModules(t *testing.T) {
	l := bytecode.DefaultLimits()
	o := eager()
	o.Modules = 4
	tier := newTier(t, &l, o)
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	before := executable(t)
	const programs = 150
	for i := range programs {
		p := compiled(t, fmt.Sprintf("0 %d 0 do i 8 * dup ! i + loop 0 1", i+2), &l)
		agree(t, plain, fast, p, vm.Run{GasLimit: 100_000})
		if len(tier.modules) > 4 {
			t.Fatalf("%d modules are kept", len(tier.modules))
		}
	}
	if s := tier.Stats(); s.Compiled.Load() != programs || s.Evicted.Load() != programs-4 || s.Completed.Load() != programs {
		t.Errorf("compiled %d, evicted %d, completed %d", s.Compiled.Load(), s.Evicted.Load(), s.Completed.Load())
	}
	// Finalizers free them; some rounds of the collector let them run.
	n := 0
	for range 200 {
		runtime.GC()
		if n = executable(t) - before; n <= 8 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d mappings of machine code are left of %d programs", n, programs)
}

// TestConcurrent has several machines run programs while modules come and go.
func TestConcurrent(t *testing.T) {
	l := bytecode.DefaultLimits()
	o := eager()
	o.Modules = 3
	tier := newTier(t, &l, o)
	var programs []*bytecode.Program
	for i := range 8 {
		programs = append(programs, compiled(t, fmt.Sprintf(": w dup 2 < if else dup 1- recurse swap 2 - recurse + then ; %d w 100 %d ! 0 1", i+3, i*8), &l))
	}
	var group sync.WaitGroup
	for g := range 4 {
		plain, fast := machines(t, &l)
		fast.Accelerate(tier)
		group.Go(func() {
			for i := range 60 {
				p := programs[(i*(g+1)+i/7)%len(programs)]
				agree(t, plain, fast, p, vm.Run{GasLimit: 100_000})
				if i%25 == 24 {
					tier.Forget(p)
				}
			}
		})
	}
	group.Wait()
	if tier.Stats().Completed.Load() == 0 || tier.Stats().Evicted.Load() == 0 {
		t.Error("nothing was hot, or nothing was evicted")
	}
}

// TestDoesNotPay sees that a program that spends its time on calls of the engine is not run hot again.
func TestDoesNotPay(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, eager())
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	p := compiled(t, "0 0 5000 0 do height drop loop 1", &l)
	for range 5 {
		agree(t, plain, fast, p, vm.Run{GasLimit: 100_000})
	}
	if s := tier.Stats(); s.Declined.Load() != 1 || s.Dropped.Load() != 1 || s.Completed.Load() != 0 {
		t.Errorf("declined %d, dropped %d, completed %d", s.Declined.Load(), s.Dropped.Load(), s.Completed.Load())
	}
	hashes := compiled(t, `x"00" 500 0 do sha256 loop 0 1 rot drop 2`, &l)
	for range 3 {
		agree(t, plain, fast, hashes, vm.Run{GasLimit: 100_000})
	}
	if n := tier.Stats().Completed.Load(); n != 3 {
		t.Errorf("%d runs with costly calls completed", n)
	}
}

// TestShapes runs one program on evidence of several shapes.
func TestShapes(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, eager())
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	p := compiled(t, "1 2 3 return", &l)
	for range 2 {
		for _, e := range [][]byte{nil, evidenceOf(1), evidenceOf("a"), evidenceOf(1, "a"), evidenceOf("a", 1), evidenceOf(1, 2)} {
			agree(t, plain, fast, p, vm.Run{Evidence: e, GasLimit: 100_000})
		}
	}
	if s := tier.Stats(); s.Compiled.Load() != maxShapes || s.Completed.Load() != 2*maxShapes {
		t.Errorf("compiled %d, completed %d", s.Compiled.Load(), s.Completed.Load())
	}
}

// TestClose sees that a closed tier leaves everything to the interpreter.
func TestClose(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, eager())
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	p := compiled(t, "0 100 1", &l)
	agree(t, plain, fast, p, vm.Run{GasLimit: 1000})
	for range 2 {
		if err := tier.Close(); err != nil {
			t.Fatal(err)
		}
	}
	agree(t, plain, fast, p, vm.Run{GasLimit: 1000})
	if err := tier.Prepare(p, ""); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	tier.Forget(p)
	if n := tier.Stats().Completed.Load(); n != 1 {
		t.Errorf("%d runs completed", n)
	}
}

// TestWarmRunAllocatesNothing is about runs that complete.
func TestWarmRunAllocatesNothing(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, eager())
	_, fast := machines(t, &l)
	fast.Accelerate(tier)
	p := compiled(t, "height 100 0 do i 8 * dup ! i + loop 7 >b sha256 len 2", &l)
	r, out := vm.Run{GasLimit: 100_000}, make([]int64, engine.ResultCount)
	env := map[string][]byte{"height": make([]byte, 8)}
	run := func() {
		if res := fast.Run(&r, p, env, out); res.Status != vm.OK {
			t.Fatal(res)
		}
	}
	run()
	if n := testing.AllocsPerRun(50, run); n != 0 || tier.Stats().Completed.Load() < 50 {
		t.Errorf("%v allocations in %d runs", n, tier.Stats().Completed.Load())
	}
}
