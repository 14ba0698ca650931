package hot

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// benchPrograms are those of bench/vm, and how much of each takes some 100 ms in the interpreter, and no time.
var benchPrograms = []struct {
	name        string
	long, short int
}{{"fib", 27, 10}, {"sieve", 40, 2}, {"loop", 10_000_000, 1000}, {"bubble", 4, 1}, {"sha256", 2000, 3}}

func benchProgram(t testing.TB, name string, n int, l *bytecode.Limits) *bytecode.Program {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "bench", "vm", "programs", name+".fs"))
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, fmt.Sprintf("macro N %d ; macro mem 0 ;\n%s\n0 run 1\n", n, b), l)
}

// compiled compiles a source in the dialect paloalto and loads it.
func compiled(t testing.TB, text string, l *bytecode.Limits) *bytecode.Program {
	t.Helper()
	c, err := lang.Compile(vm.Source{Text: text, Dialect: "paloalto"}, l)
	if err != nil {
		t.Fatal(err)
	}
	p := &bytecode.Program{}
	if err := p.Load(c.Code, l, false); err != nil {
		t.Fatal(err)
	}
	p.Seal()
	engine.Prepare(p)
	return p
}

// TestBenchPrograms runs the programs that are measured on both engines.
func TestBenchPrograms(t *testing.T) {
	l := bytecode.DefaultLimits()
	l.GasLimit = 100_000_000
	tier := newTier(t, &l, eager())
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	for i, b := range benchPrograms {
		p := benchProgram(t, b.name, b.short, &l)
		r := vm.Run{GasLimit: 100_000_000}
		want := plain.Run(&r, p, nil, make([]int64, engine.ResultCount))
		got := fast.Run(&r, p, nil, make([]int64, engine.ResultCount))
		if want.Status != vm.OK || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: hot tier %+v, interpreter %+v", b.name, got, want)
		}
		if tier.Stats().Completed.Load() != int64(i+1) {
			t.Errorf("%s: left to the interpreter: %v", b.name, tier.Prepare(p, ""))
		}
	}
}

// BenchmarkPrograms measures both engines; a round is one run of the length in benchPrograms.
func BenchmarkPrograms(b *testing.B) {
	l := bytecode.DefaultLimits()
	l.GasLimit = 1 << 40
	tier := newTier(b, &l, Default())
	for _, x := range benchPrograms {
		p := benchProgram(b, x.name, x.long, &l)
		if err := tier.Prepare(p, ""); err != nil {
			b.Fatal(err)
		}
		for _, hot := range []bool{false, true} {
			plain, fast := machines(b, &l)
			m := plain
			if hot {
				m = fast
				m.Accelerate(tier)
			}
			b.Run(fmt.Sprintf("%s/hot=%t", x.name, hot), func(b *testing.B) {
				r, out := vm.Run{GasLimit: 1 << 40}, make([]int64, engine.ResultCount)
				for b.Loop() {
					if res := m.Run(&r, p, nil, out); res.Status != vm.OK {
						b.Fatal(res)
					}
				}
			})
		}
	}
}

// BenchmarkCompile is what it takes to translate and compile.
func BenchmarkCompile(b *testing.B) {
	l := bytecode.DefaultLimits()
	tier := newTier(b, &l, Default())
	for _, x := range benchPrograms {
		p := benchProgram(b, x.name, x.short, &l)
		b.Run(fmt.Sprintf("%s/%dB", x.name, len(p.Code)), func(b *testing.B) {
			for b.Loop() {
				m, err := tier.translate(b.Context(), p, "", func(int64) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
				m.retire()
			}
		})
	}
}
