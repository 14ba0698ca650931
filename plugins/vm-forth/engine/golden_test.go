package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// updateGolden is the environment variable that writes the table anew.
const updateGolden = "VM_FORTH_UPDATE_GOLDEN"

// ending is a run of which the golden table holds how it ends.
type ending struct {
	name     string
	source   string // in the dialect paloalto
	asm      string // or asm
	code     []byte // or bytecode
	evidence string
	gas      uint64 // plentyGas if 0
	naive    bool   // it is too much for the naive interpreter
}

// garbage is n bytes of no meaning, always the same.
func garbage(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func endings() []ending {
	header := []byte{2, 0, 0, 0, 0}
	return []ending{
		{name: "hash lock opens", source: `: lock swap hash == ; x"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" lock call if 0 100 else 0 50 end 1`, evidence: `s" secret"`},
		{name: "hash lock stays shut", source: `: lock swap hash == ; x"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" lock call if 0 100 else 0 50 end 1`, evidence: `s" other"`},
		{name: "hash lock without evidence", source: `: lock swap hash == ; x"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" lock call if 0 100 else 0 50 end 1`},
		{name: "delay, nonce, amount", asm: ".delay-nonce-amount\n.main\nint 10\nint 2\nint 99"},
		{name: "no code", code: []byte{}},
		{name: "no instructions", code: header},
		{name: "two results", source: "1 2"},
		{name: "four results", source: "1 2 3 4"},
		{name: "four results and return", source: "1 2 3 4 return"},
		{name: "a negative result", source: "0 -1 1"},
		{name: "a negative burn", source: "-1 5 1"},
		{name: "bytes for a result", source: `0 x"01" 1`},
		{name: "burn and pay beyond 64 bits", source: "9223372036854775807 1 1"},

		{name: "gas ends while loading", source: "0 100 1", gas: 39},
		{name: "gas ends behind loading", source: "0 100 1", gas: 40},
		{name: "gas ends at the last word", source: "0 100 1", gas: 42},
		{name: "gas is just enough", source: "0 100 1", gas: 43},
		{name: "gas ends with addressable words", source: `: w 1 ; ' w call 2 3`, gas: 140},
		{name: "gas ends in a hash", source: `x"00" hash drop 0 100 1`, gas: 100},
		{name: "endless loop", source: "begin again", naive: true},
		{name: "endless do", source: "0 0 do loop", naive: true},
		{name: "deep recursion", source: ": w recurse ; w call"},
		{name: "deep recursion caught", asm: ".word 0\nrecurse\n.main\nint 0\nint 0\ncatch\nnegate\nint 1"},
		{name: "recursion that fills the stack", source: ": w 1 recurse ; w call"},
		{name: "stack underflow", source: "1 +"},
		{name: "stack underflow of drop", source: "drop"},
		{name: "return stack underflow", source: "r> 0 100 1"},
		{name: "a word that leaves a value on the return stack", source: ": w 1 >r ; w call"},
		{name: "loop in no loop", asm: "L:\nloop L"},
		{name: "stack overflow", source: "begin 1 again"},
		{name: "return stack overflow", source: "begin 1 >r again"},
		{name: "pick too deep", source: "1 2 2 pick"},
		{name: "overflow", source: "9223372036854775807 1 + 0 1"},
		{name: "overflow of a product", source: "4294967296 4294967296 * 0 1"},
		{name: "overflow of a quotient", source: "-9223372036854775808 -1 / 0 1"},
		{name: "overflow of negate", source: "-9223372036854775808 negate 0 1"},
		{name: "overflow of +!", source: "variable v 9223372036854775807 v ! 1 v +!"},
		{name: "overflow of b>", source: `x"010203040506070809" b> 0 1`},
		{name: "division by zero", source: "1 0 / 0 1"},
		{name: "division of two cells by zero", asm: "int 1\nint 0\nint 0\num/mod"},
		{name: "type error, bytes", source: `x"00" 1 +`},
		{name: "type error, integer", source: "1 hash"},
		{name: "type error, if", source: `x"00" if 1 else 2 then`},
		{name: "arena full", source: `x"` + strings.Repeat("ab", 512) + `" begin dup dup cat drop again`},
		{name: "bytes too long", source: `x"` + strings.Repeat("ab", 600) + `" dup cat`},
		{name: "space is of a run, and not caught", asm: ".word 0\nbytes x\"00\"\nL:\ndup\ncat\njump L\n.main\nint 0\ncatch"},
		{name: "address behind the end", source: "65529 @ 0 1"},
		{name: "address below zero", source: "1 -1 ! 0 1"},
		{name: "the last cell", source: "7 65528 ! 0 65528 @ 1"},
		{name: "move behind the end", asm: "int 0\nint 65530\nint 100\nmove"},
		{name: "fill all", asm: "int 0\nint 65536\nint 1\nfill\nint 0\nint 65528\nc@\nint 1"},
		{name: "slice outside", source: `x"0102" 1 2 slice`},
		{name: "unknown hash", source: `x"00" call`},
		{name: "unknown word number", asm: "int 0\nexecute"},
		{name: "throw", source: "42 throw"},
		{name: "throw of 0", source: "0 throw 0 100 1"},
		{name: "throw caught", asm: ".word 0\nint 42\nthrow\n.main\nint 0\nint 0\ncatch\nint 1"},
		{name: "fail", source: "1 2 fail"},
		{name: "fail is not caught", asm: ".word 0\nfail\n.main\nint 0\ncatch"},
		{name: "no such environment", source: "height 0 1"},
		{name: "word of the evidence fails", source: `x"` + strings.Repeat("00", 31) + `" 1 pick call 0 1`, evidence: ": w 1 0 / ; ' w"},
		{name: "many values are left", source: "1 2 3 4 5 6 7 8 9 10 drop fail"},

		{name: "16,384 bytes of garbage", code: garbage(16_384)},
		{name: "65,536 bytes of garbage", code: garbage(65_536)},
		{name: "16,384 bytes of garbage behind a header", code: append(append([]byte{}, header...), garbage(16_379)...)},
		{name: "garbage for evidence", source: "0 100 1", evidence: "\x00garbage"},
		{name: "format 1", code: []byte{1, 0, 0, 0, 0}},
		{name: "unknown opcode", code: append(append([]byte{}, header...), 0xa0)},
		{name: "verify-zk", code: append(append([]byte{}, header...), byte(bytecode.OpVerifyZK))},
		{name: "an instruction of sessions", code: append(append([]byte{}, header...), byte(bytecode.OpHost), 0)},
		{name: "undeclared environment", code: append(append([]byte{}, header...), byte(bytecode.OpEnv), 0)},
		{name: "a jump into an instruction", code: append(append([]byte{}, header...), byte(bytecode.OpJump), 0, 1)},
	}
}

// TestGolden runs what is in the table of endings. Such a line changes with the rules version only.
func TestGolden(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "# name | status | where, word | gas used | gas charged | space | results, or what lay on top\n")
	for _, e := range endings() {
		m := machine(t)
		r := vm.Run{Code: e.code, GasLimit: plentyGas}
		if e.gas > 0 {
			r.GasLimit = e.gas
		}
		switch {
		case e.asm != "":
			r.Code = assembled(t, m, e.asm)
		case e.code == nil:
			r.Code = compiled(t, m, e.source, false)
		}
		switch {
		case strings.HasPrefix(e.evidence, "\x00"):
			r.Evidence = []byte(e.evidence)
		case e.evidence != "":
			r.Evidence = compiled(t, m, e.evidence, true)
		}
		if e.name == "word of the evidence fails" { // which it pushes by its hash
			r.Code = assembled(t, m, "call")
		}
		res := m.Run(&r, nil, nil, make([]int64, ResultCount))
		values, used := fmt.Sprint(res.Top), res.GasUsed
		if res.Status == vm.OK {
			values, used = fmt.Sprint(res.Stack), res.Gas
			if res.Convention != vm.BurnPayNonce {
				values += fmt.Sprintf(" convention %d", res.Convention)
			}
		}
		where := fmt.Sprintf("code %d, %s", res.PC, res.Word)
		if res.Evidence {
			where = "evidence" + strings.TrimPrefix(where, "code")
		}
		if res.Status == vm.OK {
			where = "-"
		}
		if len(values) > 100 {
			values = values[:100] + "…"
		}
		line := fmt.Sprintf("%s | %s | %s | %d | %d | %d | %s", e.name, bytecode.StatusName(res.Status), where, used, res.Gas, res.Space, values)
		fmt.Fprintln(&b, line)

		// Kept code ends the same way.
		p := &bytecode.Program{}
		if len(r.Code) <= int(m.lim.CodeBytes) && p.Load(r.Code, m.lim, false) == nil {
			Prepare(p)
			if again := m.Run(&r, p, nil, make([]int64, ResultCount)); fmt.Sprint(again) != fmt.Sprint(res) {
				t.Errorf("%s: kept: %+v, otherwise: %+v", e.name, again, res)
			}
		}
		if !e.naive {
			if _, diff := both(m, &r, nil); diff != "" {
				t.Errorf("%s: %s", e.name, diff)
			}
		}
	}
	path := filepath.Join("testdata", "golden.txt")
	if os.Getenv(updateGolden) != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(lines)) {
		if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
			t.Errorf("line %d is\n%s\nwant\n%s\n(with %s=1 the table is written anew)", i+1, at(got, i), at(lines, i), updateGolden)
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}
