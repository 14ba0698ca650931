package vmforth

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// garbage is n bytes that are no code.
func garbage(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// hostile are contracts that fail, by what they do. They are run with 100,000 gas.
var hostile = []struct {
	name, source, evidence string
	code                   []byte // instead of source
}{
	{name: "out of gas", source: "begin again"},
	{name: "out of gas in a word", source: ": w begin 1 drop again ; w"},
	{name: "recursion for ever", source: ": w recurse ; w"},
	{name: "underflow", source: "1 +"},
	{name: "underflow of the return stack", source: "r>"},
	{name: "the stack is full", source: "begin 1 again"},
	{name: "the return stack is full", source: "begin 1 >r again"},
	{name: "overflow", source: "9223372036854775807 1 +"},
	{name: "overflow of a product", source: "4611686018427387904 2 *"},
	{name: "division by zero", source: "1 0 /"},
	{name: "bytes where a number belongs", source: `x"00" 1 +`},
	{name: "a number where bytes belong", source: "1 hash"},
	{name: "byte strings without end", source: `x"00112233" begin dup cat again`},
	{name: "all byte strings together", source: `s" 0123456789012345678901234567890123456789012345678901234567890123" begin dup 0 64 slice over cat drop again`},
	{name: "an address outside", source: "1 65536 !"},
	{name: "a call by an unknown hash", source: `x"0000000000000000000000000000000000000000000000000000000000000000" call`},
	{name: "too few results", source: "0 1"},
	{name: "too many results", source: "0 1 2 3"},
	{name: "a negative result", source: "0 -1 1"},
	{name: "throw", source: "42 throw"},
	{name: "fail", source: "fail"},
	{name: "an environment that is not there", source: "slot"},
	{name: "no code", code: []byte{}},
	{name: "16,384 bytes of garbage", code: garbage(16384)},
	{name: "16,384 bytes of zeros", code: make([]byte, 16384)},
	{name: "65,536 bytes of garbage", code: garbage(65536)},
	{name: "a header, then 16,379 bytes of garbage", code: append([]byte{2, 0, 0, 0, 0}, garbage(16379)...)},
	{name: "16,384 bytes of literals", code: append([]byte{2, 0, 0, 0, 0}, bytes.Repeat([]byte{0xc0}, 16379)...)},
	{name: "no evidence where it is read", source: "hash 0 swap 1"},
	{name: "evidence of the wrong kind", source: "hash 0 swap 1", evidence: "5"},
}

// TestHostile has the status, the place and the gas of contracts that are made to do harm. testdata/hostile.txt has what
// comes out; it changes with the rules only. Run with UPDATE=1 to write it anew.
func TestHostile(t *testing.T) {
	v := open(t, "")
	var b strings.Builder
	for _, c := range hostile {
		code := c.code
		if code == nil {
			code = compiled(t, v, c.source, false)
		}
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: code, Evidence: compiled(t, v, c.evidence, true), GasLimit: 100_000}}, Diagnostics: true})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := got[0]
		fmt.Fprintf(&b, "%-48s %-14s status %-2d gas %d, used %d at %d %s\n", c.name, bytecode.StatusName(r.Status), r.Status, r.Gas, r.GasUsed, r.PC, r.Word)
		loaded, err := v.Load(t.Context(), [][]byte{code})
		if err != nil || (loaded[0].Error != "") != (r.Status == bytecode.BadCode) {
			t.Errorf("%s: load: %+v, %v", c.name, loaded, err)
		}
	}
	const file = "testdata/hostile.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != b.String() {
		t.Errorf("%v\n%swant\n%s", err, b.String(), want)
	}
}

// TestMacroBomb has macros that double in size each time.
func TestMacroBomb(t *testing.T) {
	v := open(t, "")
	var s strings.Builder
	s.WriteString("macro m0 1 drop ;\n")
	for i := range 60 {
		fmt.Fprintf(&s, "macro m%d m%d m%d ;\n", i+1, i, i)
	}
	s.WriteString("m60")
	_, err := v.Compile(t.Context(), vm.Source{Text: s.String()})
	if !errors.Is(err, vm.ErrSyntax) || !strings.Contains(err.Error(), "macros") {
		t.Errorf("%v", err)
	}
}

// TestWorstBatch runs 4,096 contracts that use up all the gas that a block has, 40,000,000 in parts. More than that the
// core refuses before it runs anything, see the test of a block's gas in core/chain.
func TestWorstBatch(t *testing.T) {
	v := open(t, "")
	const n, blockGas = 4096, 40_000_000
	worst := [][]byte{
		compiled(t, v, "begin again", false),
		compiled(t, v, `x"00" begin hash again`, false),
		compiled(t, v, "0 begin dup ! 0 again", false),
		compiled(t, v, `x"" dup dup 0 begin drop 2dup x"01" verify-sig again`, false),
		append([]byte{2, 0, 0, 0, 0}, bytes.Repeat([]byte{0xc0}, 2000)...),
		garbage(2000),
	}
	runs := make([]vm.Run, n)
	for i := range runs {
		runs[i] = vm.Run{Code: worst[i%len(worst)], GasLimit: blockGas / n}
	}
	got, err := v.RunBatch(t.Context(), vm.Batch{Runs: runs})
	if err != nil || len(got) != n {
		t.Fatalf("%d results, %v", len(got), err)
	}
	for i, r := range got {
		if r.Status == vm.OK || r.Gas != blockGas/n {
			t.Fatalf("run %d: %+v", i, r)
		}
	}
}
