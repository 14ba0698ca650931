package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// ends runs a program in asm on both interpreters and returns its status, and what it leaves or left.
func ends(t *testing.T, m *Machine, asm string, env map[string][]byte) string {
	t.Helper()
	r := vm.Run{Code: assembled(t, m, asm+"\nreturn\n"), GasLimit: plentyGas, Environment: env}
	if _, diff := both(m, &r, nil); diff != "" {
		t.Errorf("%s: %s", strings.ReplaceAll(asm, "\n", " "), diff)
	}
	got := run(m, &r, nil, nil)
	if got.status != vm.OK {
		return bytecode.StatusName(got.status)
	}
	return strings.Join(got.stack, " ")
}

func TestDivisionsOfTwoCells(t *testing.T) {
	m := machine(t)
	const low, high = math.MinInt64, math.MaxInt64
	for _, c := range []struct {
		lo, hi, by int64
		word, want string // remainder and quotient
	}{
		{7, 0, 2, "sm/rem", "1 3"}, {-7, -1, 2, "sm/rem", "-1 -3"}, {7, 0, -2, "sm/rem", "1 -3"}, {-7, -1, -2, "sm/rem", "-1 3"},
		{7, 0, 2, "fm/mod", "1 3"}, {-7, -1, 2, "fm/mod", "1 -4"}, {7, 0, -2, "fm/mod", "-1 -4"}, {-7, -1, -2, "fm/mod", "-1 3"},
		{-6, -1, 2, "fm/mod", "0 -3"}, {7, 0, 0, "fm/mod", "DivByZero"}, {7, 0, 0, "sm/rem", "DivByZero"}, {7, 0, 0, "um/mod", "DivByZero"},
		// The quotient is -2^63, which fits, or 2^63, which does not.
		{low, -1, 1, "sm/rem", "0 -9223372036854775808"}, {low, -1, 1, "fm/mod", "0 -9223372036854775808"},
		{low, -1, -1, "sm/rem", "Overflow"}, {low, -1, -1, "fm/mod", "Overflow"}, {low, 0, -1, "sm/rem", "0 -9223372036854775808"},
		{low, 0, 1, "sm/rem", "Overflow"}, {low, 0, 1, "fm/mod", "Overflow"}, {low + 1, 0, -1, "sm/rem", "Overflow"},
		// Rounding down makes it -2^63 - 1, or just -2^63.
		{1, 1, -2, "fm/mod", "Overflow"}, {1, 1, -2, "sm/rem", "1 -9223372036854775808"}, {-1, 0, -2, "fm/mod", "-1 -9223372036854775808"},
		{0, low, high, "fm/mod", "Overflow"}, {0, low, low, "sm/rem", "Overflow"},
		{-1, 1, 2, "um/mod", "1 -1"}, {0, 2, 2, "um/mod", "Overflow"}, {0, -1, -1, "um/mod", "Overflow"}, {-1, -2, -1, "um/mod", "-2 -1"},
	} {
		if got := ends(t, m, fmt.Sprintf("int %d\nint %d\nint %d\n%s", c.lo, c.hi, c.by, c.word), nil); got != c.want {
			t.Errorf("%d %d %d %s: %s, want %s", c.lo, c.hi, c.by, c.word, got, c.want)
		}
	}
}

func TestTwoCells(t *testing.T) {
	m := machine(t)
	for asm, want := range map[string]string{
		"int -1\nint 0\nint 1\nint 0\nd+":                        "0 1",
		"int 0\nint 1\nint 1\nint 0\nd-":                         "-1 0",
		"int 0\nint -9223372036854775808\nint 1\nint 0\nd-":      "-1 9223372036854775807",
		"int 1\nint 0\ndnegate":                                  "-1 -1",
		"int 0\nint -9223372036854775808\ndnegate":               "0 -9223372036854775808",
		"int -1\nint 0\nint 0\nint 1\nd<":                        "-1",
		"int 1\nint 0\nint -1\nint 0\nd<":                        "-1",
		"int 0\nint -1\nint 0\nint 0\nd<":                        "-1",
		"int 0\nint -1\nint 0\nint 0\ndu<":                       "0",
		"int 5\nint 5\nint 5\nint 5\nd<":                         "0",
		"int -1\nint -1\num*":                                    "1 -2",
		"int -1\nint -1\nm*":                                     "1 0",
		"int -9223372036854775808\nint -9223372036854775808\nm*": "0 4611686018427387904",
	} {
		if got := ends(t, m, asm, nil); got != want {
			t.Errorf("%s: %s, want %s", strings.ReplaceAll(asm, "\n", " "), got, want)
		}
	}
}

func TestOracle(t *testing.T) {
	m := machine(t)
	integer := func(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
	answer := func(state byte, value, since, deposit int64) []byte {
		return append(append(append([]byte{state}, integer(value)...), integer(since)...), integer(deposit)...)
	}
	env := map[string][]byte{"clock": integer(100), "oracle:7": answer(1, 42, 90, 50), "oracle:00ff": answer(1, -5, 100, 0), "oracle:1": answer(2, 1, 2, 3),
		"oracle:2": answer(3, 1, 2, 3), "oracle:3": answer(0, 1, 2, 3), "oracle:4": answer(1, 1, 110, 3), "oracle:5": answer(1, 1, -1, 3), "oracle:6": make([]byte, 24)}
	noClock := map[string][]byte{"oracle:7": env["oracle:7"], "oracle:1": env["oracle:1"]}
	for _, c := range []struct {
		asm, want string
		env       map[string][]byte
	}{
		{"int 7\nint 10\nint 50", "42 1", env}, {"int 7\nint 9\nint 50", "0 -3", env}, {"int 7\nint 10\nint 51", "0 -4", env}, {"int 7\nint 9\nint 51", "0 -3", env},
		{"bytes x\"00ff\"\nint 0\nint 0", "-5 1", env}, {"bytes x\"ff\"\nint 0\nint 0", "EnvMissing", env}, {"int 1\nint 0\nint 0", "0 -1", env},
		{"int 2\nint 0\nint 0", "0 -2", env}, {"int 3\nint 0\nint 0", "0 0", env}, {"int 4\nint 0\nint 0", "1 1", env}, {"int 5\nint 0\nint 0", "Overflow", env},
		{"int 6\nint 0\nint 0", "EnvMissing", env}, {"int 8\nint 0\nint 0", "EnvMissing", env}, {"int 7\nint 0\nint 0", "EnvMissing", noClock},
		{"int 1\nint 0\nint 0", "0 -1", noClock}, {"int 7\nint 0\nbytes x\"\"", "TypeError", env}, {"int 7\nbytes x\"\"\nint 0", "TypeError", env}, {"int 1\nint 2", "StackUnderflow", env},
	} {
		if got := ends(t, m, c.asm+"\noracle", c.env); got != c.want {
			t.Errorf("%s: %s, want %s", strings.ReplaceAll(c.asm, "\n", " "), got, c.want)
		}
	}
}

// TestReturnStackIsFull fills the return stack to its last place but some, and sees what still fits.
func TestReturnStackIsFull(t *testing.T) {
	m := machine(t, func(l *bytecode.Limits) { l.ReturnDepth = 20 })
	for word, takes := range map[string]int{"word 0": 1, "int 0\nexecute": 1, "int 0\ncatch": 1, "int 1\n>r": 1, "int 2\nint 1\ndo": 2,
		"bytes x\"5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9\"\ncall": 0} {
		for free := range 4 {
			asm := ".word 0\n.main\n" + strings.Repeat("int 1\n>r\n", 20-free) + word
			want := free >= takes
			got := ends(t, m, asm, nil)
			if takes == 0 { // no word has this hash, and that is looked at first
				if got != "UnknownWord" {
					t.Errorf("%s, %d free: %s", word, free, got)
				}
				continue
			}
			if full := got == "StackOverflow"; full == want {
				t.Errorf("%s, %d free: %s", word, free, got)
			}
		}
	}
}

// TestFusedComparisons has every outcome of every comparison that is fused with a jump.
func TestFusedComparisons(t *testing.T) {
	m := machine(t)
	for op := range comparisons {
		word := bytecode.Opcodes[op].Name
		for x := range 3 {
			for _, asm := range []string{"int %d\nint 1\n%s", "int %d\nint 1\n%s\njump-zero A\nint 7\nA:", "int %d\ndup\nint 1\n%s\njump-zero A\nint 7\nA:",
				"int %d\nint 1\n2dup\n%s\njump-zero A\nint 7\nA:", "int %d\nslot@ 0\n1+\n%s\njump-zero A\nint 7\nA:"} {
				ends(t, m, fmt.Sprintf(asm, x, word), nil)
			}
		}
	}
	for op := range againstZero {
		for x := -1; x < 2; x++ {
			ends(t, m, fmt.Sprintf("int %d\n%s\njump-zero A\nint 7\nA:", x, bytecode.Opcodes[op].Name), nil)
		}
	}
}
