package vmforth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestGolden fixes encodings and gas: code that is signed today has to mean and cost the same for ever.
func TestGolden(t *testing.T) {
	v := open(t, "")
	for name, c := range map[string]struct {
		source, code string
		evidence     string
		gas          uint64
	}{
		"three numbers":    {"0 100 1", "010000" + "c0" + "01c801" + "c1", "", 4*8 + 3},
		"white paper":      {whitePaper, "010001" + "03" + "22" + "7a" + "60" + "020b0a9d7e8023f80ac8928334" + "0500" + "040019" + "c0" + "01c801" + "03001b" + "c0" + "f2" + "c1", "ff", 4*(35+6) + 3 + 3 + 5 + 1 + (3 + 65 + 16) + 1 + 1 + 3},
		"negative and big": {"-1 $7fffffffffffffff drop drop 0 100 1", "010000" + "0101" + "01feffffffffffffffff01" + "21" + "21" + "c0" + "01c801" + "c1", "", 4*23 + 2 + 2 + 3},
		"loop":             {"0 3 0 do i + loop 100 1", "010000" + "c0c3c00c" + "10" + "40" + "0e0004" + "01c801" + "c1", "", 4*16 + 3 + 1 + 3*3 + 2},
		"word by hash":     {": w 0 100 1 ; ' w call", "010101" + "05" + "c0" + "01c801" + "c1" + "0220" + "c74d27aa93aa6604f5597e2c230ad56d2e0d1f141c3c0b4058d7578920096b50" + "08", "", 4*44 + (5 + 65 + 16) + 3 + 5 + 3},
		"environment":      {"0 height caller len", "010000" + "c0" + "1300" + "130a" + "75", "", 4*9 + 1 + 3 + 3 + 1 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			code := compiled(t, v, c.source, false)
			if got := fmt.Sprintf("%x", code); got != c.code {
				t.Errorf("compiles to\n%s, want\n%s", got, c.code)
			}
			env := map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 1}, "caller": make([]byte, 32)}
			r := vm.Run{Code: code, GasLimit: plentyGas}
			if c.evidence != "" {
				r.Evidence = compiled(t, v, `x"`+c.evidence+`"`, true)
			}
			got, err := v.RunBatch(t.Context(), vm.Batch{Environment: env, Runs: []vm.Run{r}})
			if err != nil || got[0].Status != vm.OK || got[0].Gas != c.gas {
				t.Errorf("%+v, %v; want %d gas", got, err, c.gas)
			}
		})
	}
}

// TestWords evaluates sources to the whole stack, or to a status.
func TestWords(t *testing.T) {
	l, err := parseLimits(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMachine(&l)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 1, 0}, "chain-id": []byte("chain"), "balance:2": {0, 0, 0, 0, 0, 0, 0, 5},
		"participant:-1": []byte("p"), "param:fee": {0, 0, 0, 0, 0, 0, 0, 7}, "nonce": {0x80, 0, 0, 0, 0, 0, 0, 0}, "slot": {1}}
	for source, want := range map[string]string{
		"1 2 + 3 * 4 -":                  "5",
		"7 -2 / 7 -2 mod -7 2 /mod":      "-3 1 -1 -3",
		"9223372036854775807 1 +":        "Overflow",
		"-9223372036854775808 -1 /":      "Overflow",
		"-9223372036854775808 -1 mod":    "Overflow",
		"-9223372036854775808 abs":       "Overflow",
		"4611686018427387904 2 *":        "Overflow",
		"-4611686018427387904 2 *":       "-9223372036854775808",
		"1 0 /":                          "DivByZero",
		"9000000000000000000 9 10 */":    "8100000000000000000",
		"-9000000000000000000 9 7 */mod": "Overflow",
		"-7 3 2 */mod":                   "-1 -10",
		"9223372036854775807 1 +w 1 2 -w 4611686018427387904 4 *w": "-9223372036854775808 -1 0",
		"1 63 lshift 1 64 lshift -1 1 rshift 1 -1 lshift":          "-9223372036854775808 0 9223372036854775807 0",
		"5 3 and 5 3 or 5 3 xor 5 invert":                          "1 7 6 -6",
		"1 2 = 2 2 = 1 2 == 2 2 == 1 2 <>":                         "0 -1 0 1 -1",
		`x"01" 1 == x"01" x"01" == x"01" x"02" =`:                  "0 1 0",
		"-1 1 u< 1 -1 u< 0 0= 5 0< -5 0<":                          "0 -1 -1 0 -1",
		`1 x"01" +`:                                                "TypeError",
		`x"01" if then`:                                            "TypeError",
		"drop":                                                     "StackUnderflow",
		"1 2 3 rot 1 2 3 -rot":                                     "2 3 1 3 1 2",
		"1 2 nip 3 4 tuck 0 ?dup 5 ?dup":                           "2 4 3 4 0 5 5",
		"1 2 3 4 2swap 2over depth":                                "3 4 1 2 3 4 6",
		"10 20 30 2 pick 10 20 30 2 roll 6 pick":                   "10 20 30 10 20 30 10 10",
		"1 1 pick":                                                 "StackUnderflow",
		"1 >r 2 r@ r>":                                             "2 1 1",
		": w r> ; 1 >r w":                                          "StackUnderflow",
		": w 1 >r ; w":                                             "StackUnderflow",
		": w r@ drop ; w":                                          "StackUnderflow",
		"2 0 do r@ loop":                                           "StackUnderflow",
		": w 1 exit 2 ; w":                                         "1",
		": fac dup 2 < if drop 1 exit then dup 1- recurse * ; 20 fac": "2432902008176640000",
		": fac dup 2 < if drop 1 exit then dup 1- recurse * ; 21 fac": "Overflow",
		": w recurse ; w":                                     "StackOverflow",
		"begin 1 again":                                       "StackOverflow",
		"begin again":                                         "OutOfGas",
		"0 5 0 do i + loop":                                   "10",
		"5 5 ?do 1 loop 3 0 ?do i loop":                       "0 1 2",
		"0 10 do i -3 +loop":                                  "10 7 4 1",
		"10 0 do i 4 +loop":                                   "0 4 8",
		"2 0 do 2 0 do j 10 * i + loop loop":                  "0 1 10 11",
		"10 0 do i dup 3 = if leave then loop":                "0 1 2 3",
		": w 10 0 do i 3 = if i unloop exit then loop 99 ; w": "3",
		"0 begin 1+ dup 5 = until":                            "5",
		"5 begin dup while 1- dup repeat":                     "4 3 2 1 0 0",
		"0 begin 1+ dup 3 < while dup 9 < while repeat":       "3",
		"1 if 10 else 20 then 0 if 10 else 20 end":            "10 20",
		"i": "StackUnderflow",
		"variable x variable y 7 x ! 8 y ! x @ y @ 5 x +! x @ 0 c@": "7 8 12 12",
		"1 65536 !":               "BadAddress",
		"1 65529 !":               "BadAddress",
		"1 65528 ! 65528 @ -1 c@": "BadAddress",
		`x"0102" len x"" len x"0102" x"03" cat x"010203" 1 2 slice`: `2 0 x"010203" x"0203"`,
		`x"0102" 1 2 slice`:                        "BadAddress",
		`x"0102" -1 1 slice`:                       "BadAddress",
		`258 >b dup b> x"0102" b> x"" b>`:          `x"0000000000000102" 258 258 0`,
		`x"010203040506070809" b>`:                 "Overflow",
		`s" abc" hash`:                             `x"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`s" abc" sha256`:                           `x"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`x"" keccak256`:                            `x"c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"`,
		`s" abc" blake2b`:                          `x"bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"`,
		`1 hash`:                                   "TypeError",
		`x"00" 20 0 do dup cat loop`:               "OutOfSpace",
		"height chain-id 2 balance -1 participant": `256 x"636861696e" 5 x"70"`,
		`s" fee" param`:                            "7",
		"nonce":                                    "Overflow",
		"slot":                                     "EnvMissing",
		"clock":                                    "EnvMissing",
		"3 balance":                                "EnvMissing",
		"fail":                                     "Fail",
		"0 throw 1 throw":                          "Thrown",
		"1 2 return 3":                             "1 2",
		`x"01" call`:                               "UnknownWord",
		": w 5 ; ' w call ' w execute w call":      "5 5 5",
		": a 5 ; : b a 1+ ; ' b call":              "6",
		"true false":                               "-1 0",
		"macro two 2 ; macro four two two ; four +":    "4",
		"( a comment ) 1 \\ another\n% and another\n2": "1 2",
		"$ff -$10": "255 -16",
	} {
		code, _, err := compile(vm.Source{Text: source}, &l)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		o := m.enter(&vm.Run{Code: code}, nil, env, 100_000)
		got := statusName(o.status)
		if o.status == vm.OK {
			var all []string
			for _, c := range m.stack[:o.sp] {
				if c.k == isInt {
					all = append(all, decimal(c.v))
				} else {
					all = append(all, fmt.Sprintf(`x"%x"`, m.bytesOf(c)))
				}
			}
			got = strings.Join(all, " ")
		}
		m.leave()
		if got != want {
			t.Errorf("%s: %s (%s), want %s", source, got, o.text, want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	v := open(t, `{"definitions": 2, "variables": 1}`)
	for _, c := range []struct {
		source, want string
		evidence     bool
	}{
		{source: "1\n  2 swpa", want: "f.fs:2:5: unknown word \"swpa\"; did you mean swap?"},
		{source: "1 HEIGHT", want: "f.fs:1:3: unknown word \"HEIGHT\"; did you mean height?"},
		{source: "é é2 zzzzzzz", want: `f.fs:1:1: unknown word "é"`},
		{source: "( é ) zzzzzzz", want: `f.fs:1:7: unknown word "zzzzzzz"`},
		{source: "( é\né ) zzzzzzz", want: `f.fs:2:5: unknown word "zzzzzzz"`},
		{source: "1 if 2", want: "f.fs:1:3: if is not closed; then or end is missing"},
		{source: "else", want: "f.fs:1:1: else without if"},
		{source: "begin 1 if until", want: "f.fs:1:12: until without begin: the innermost open structure is if in line 1, which needs then or end"},
		{source: "3 0 do\nrepeat", want: "f.fs:2:1: repeat without while: the innermost open structure is do in line 1"},
		{source: "leave", want: "f.fs:1:1: leave outside of a loop"},
		{source: ": f 1", want: `f.fs:1:3: the definition of "f" has no ;`},
		{source: ": f : g ; ;", want: `f.fs:1:5: a definition within that of "f"`},
		{source: ": f if ;", want: "f.fs:1:5: if is not closed"},
		{source: ";", want: "f.fs:1:1: ; without a definition"},
		{source: ":", want: "f.fs:1:1: a name is missing after :"},
		{source: ": 12 ;", want: `f.fs:1:3: "12" is a literal`},
		{source: ": dup ;", want: `f.fs:1:3: "dup" is a word of the language`},
		{source: ": a ; macro a ;", want: `f.fs:1:13: "a" is defined already`},
		{source: ": a ; : b ; : c ;", want: "f.fs:1:15: more than 2 definitions"},
		{source: "variable a variable b", want: "f.fs:1:21: more than 1 variables"},
		{source: ": f f ;", want: `f.fs:1:5: "f" is not defined yet; a word calls itself with recurse`},
		{source: "recurse", want: "f.fs:1:1: recurse belongs into a definition"},
		{source: "macro a b", want: `f.fs:1:7: the macro "a" has no ;`},
		{source: "macro a 1 a ;\na", want: `f.fs:1:11: the macro "a" uses itself (in macro a, used at f.fs:2:1)`},
		{source: "macro a b ; macro b a ; a", want: "uses itself"},
		{source: "macro a zorkmid ;\n\na", want: `f.fs:1:9: unknown word "zorkmid" (in macro a, used at f.fs:3:1)`},
		{source: `x"abc"`, want: `f.fs:1:1: x" takes an even number`},
		{source: `x"ab`, want: `f.fs:1:1: x" needs a closing "`},
		{source: "s\"\nab\"", want: `f.fs:1:1: s" needs a closing "`},
		{source: `x"ab"cd`, want: `f.fs:1:6: a space is missing`},
		{source: "( open", want: "f.fs:1:1: a comment starts here"},
		{source: "9223372036854775808", want: "f.fs:1:1: the number \"9223372036854775808\" does not fit"},
		{source: "' nothing", want: `f.fs:1:3: "nothing" is no word that this source defines before`},
		{source: "1 catch", want: "f.fs:1:3: catch is not available in this version: a contract that fails"},
		{source: "create x", want: "f.fs:1:1: create is not available in this version; use variable"},
		{source: "verify-zk", want: "f.fs:1:1: verify-zk is not available in this version"},
		{source: `\ dialect: chalang`, want: "f.fs:1:1: the dialect chalang is not available in this version"},
		{source: `\ dialect: klingon`, want: `f.fs:1:1: unknown dialect "klingon"`},
		{source: "1 dup", evidence: true, want: `f.fs:1:3: evidence only pushes literals and defines words`},
		{source: ": f dup ; f", evidence: true, want: `f.fs:1:11: evidence only pushes`},
		{source: "variable x", evidence: true, want: "f.fs:1:1: evidence has no variables"},
		{source: "\\ dialect: asm\n jump L", want: `f.fs:2:1: the label "L" is not in this body`},
		{source: "\\ dialect: asm\n hop", want: `f.fs:2:1: unknown instruction "hop"`},
		{source: "\\ dialect: asm\n exit", want: "exit outside of a word"},
	} {
		code, _, err := v.Compile(t.Context(), vm.Source{Text: c.source, File: "f.fs", Evidence: c.evidence})
		if !errors.Is(err, vm.ErrSyntax) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.fs:") {
			t.Errorf("%q: %x, %v; want %s", c.source, code, err, c.want)
		}
	}
	long := strings.Repeat("x\""+strings.Repeat("ab", 1000)+"\" drop\n", 20)
	if _, _, err := v.Compile(t.Context(), vm.Source{Text: long}); !errors.Is(err, vm.ErrTooLarge) {
		t.Errorf("a source that compiles to too much: %v", err)
	}
}

// TestHostileSources are sources that are small and would take long, or much, if nobody had thought of it.
func TestHostileSources(t *testing.T) {
	v := open(t, "")
	bomb := "macro m0 1 drop ;\n"
	chain := "macro c0 1 ;\n"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf("macro m%d m%d m%d ;\n", i, i-1, i-1)
	}
	for i := 1; i < 5000; i++ {
		chain += fmt.Sprintf("macro c%d c%d ;\n", i, i-1)
	}
	for name, text := range map[string]string{
		"macros that double": bomb + "m39", "macros within macros": chain + "c4999", "one long line": strings.Repeat("1 drop ", 100_000),
		"many structures": strings.Repeat("if ", 300_000), "a long word": strings.Repeat("z", 1<<20), "comments": strings.Repeat("( ) ", 200_000),
		"many macros": strings.Repeat("macro ", 100_000),
	} {
		_, _, err := v.Compile(t.Context(), vm.Source{Text: text})
		if err == nil && name != "comments" {
			t.Errorf("%s: compiles", name)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// FuzzSource compiles arbitrary text; what compiles, runs, and disassembles to what assembles to the same.
func FuzzSource(f *testing.F) {
	for _, s := range []string{whitePaper, ": f dup 2 < if drop 1 exit then dup 1- recurse * ; 20 f", "macro a 1 ; a ( x ) s\" b\" x\"01\"",
		"10 0 ?do i 2 +loop ' f call", "\\ dialect: asm\n.word 0\nL1:\n jump L1\n.main\n int -5\n bytes x\"00\"\n height"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	l, err := parseLimits(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, evidence bool) {
		v := newVM(l)
		code, _, err := v.Compile(t.Context(), vm.Source{Text: text, Evidence: evidence})
		if err != nil {
			return
		}
		run := vm.Run{Code: code, GasLimit: 50_000}
		if evidence {
			run = vm.Run{Evidence: code, Code: []byte{formatVersion, 0, 0}, GasLimit: 50_000}
		}
		res, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{run}})
		if err != nil || vm.CheckResult(&run, &res[0]) != nil || res[0].Status == BadCode {
			t.Fatalf("%+v, %v", res, err)
		}
		if len(code) == 0 {
			return
		}
		asm, err := v.Disassemble(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := v.Compile(t.Context(), vm.Source{Text: asm, Evidence: evidence})
		if err != nil || !slices.Equal(again, code) {
			t.Fatalf("%x disassembles to\n%s\nwhich assembles to %x, %v", code, asm, again, err)
		}
	})
}
