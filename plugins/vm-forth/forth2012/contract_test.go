package forth2012

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// run compiles a contract and its evidence, and runs them.
func run(t *testing.T, source, evidence string) (vm.Result, *vm.Compiled) {
	t.Helper()
	l := bytecode.DefaultLimits()
	c, err := Compile(vm.Source{Text: source, File: "c.fs", Dialect: Dialect}, &l)
	if err != nil {
		t.Fatalf("%s\n%v", source, err)
	}
	e, err := Compile(vm.Source{Text: evidence, File: "e.fs", Dialect: Dialect, Evidence: true}, &l)
	if err != nil {
		t.Fatalf("%s\n%v", evidence, err)
	}
	m, err := engine.New(&l)
	if err != nil {
		t.Fatal(err)
	}
	height := binary.BigEndian.AppendUint64(nil, 12)
	return m.Run(&vm.Run{Code: c.Code, Evidence: e.Code, GasLimit: 1_000_000, Environment: map[string][]byte{"height": height}}, nil, nil,
		make([]int64, engine.ResultCount)), c
}

// TestContracts compiles contracts and runs them. What the interpretation of the source did is in their data.
func TestContracts(t *testing.T) {
	for name, c := range map[string]struct {
		source, evidence string
		want             []int64
	}{
		"literals":         {": main 0 100 1 ;", "", []int64{0, 100, 1}},
		"evidence":         {": main 2* 0 swap 1 ;", "21", []int64{0, 42, 1}},
		"words":            {": double dup + ; : quad double double ; : main quad 0 swap 1 ;", "5", []int64{0, 20, 1}},
		"exit in main":     {": main dup 5 > if drop 0 1 2 exit then drop 0 3 4 ;", "6", []int64{0, 1, 2}},
		"recursion":        {": fac dup 2 < if drop 1 exit then dup 1- recurse * ; : main 0 5 fac 1 ;", "", []int64{0, 120, 1}},
		"hash lock":        {`: main hash x"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" = if 0 100 else 0 50 then 1 ;`, `s" test"`, []int64{0, 100, 1}},
		"environment":      {": main 0 height 1 ;", "", []int64{0, 12, 1}},
		"constant":         {"7 constant c 1 2 2constant d : main c d ;", "", []int64{7, 1, 2}},
		"variable":         {"variable v 5 v ! : main 0 v @ 1 v +! v @ ;", "", []int64{0, 5, 6}},
		"value":            {"5 value v : main 0 v 8 to v v ;", "", []int64{0, 5, 8}},
		"created table":    {"create t 10 , 20 , 30 , : main 0 swap cells t + @ 1 ;", "2", []int64{0, 30, 1}},
		"does>":            {": table create , , does> swap cells + @ ; 7 8 table t : main 0 0 t 1 t ;", "", []int64{0, 8, 7}},
		"a string":         {`: text s" abc" ; : main 0 text mem>b hash text mem>b hash = negate text nip ;`, "", []int64{0, 1, 3}},
		"bytes to memory":  {`create buf 8 allot : main x"0102" buf b>mem 0 buf c@ buf 1+ c@ ;`, "", []int64{0, 1, 2}},
		"computed":         {": square dup * ; : main [ 12 square ] literal 0 swap 1 ;", "", []int64{0, 144, 1}},
		"evaluate before":  {`s" : helper 3 ;" evaluate : main 0 helper 1 ;`, "", []int64{0, 3, 1}},
		"immediate":        {": seven 7 postpone literal ; immediate : main 0 seven 1 ;", "", []int64{0, 7, 1}},
		"helper word":      {`: main 0 s" abc" s" abd" compare negate 1 ;`, "", []int64{0, 1, 1}},
		"execute":          {": a 11 ; : b 22 ; create t ' a , ' b , : main 0 swap cells t + @ execute 1 ;", "1", []int64{0, 22, 1}},
		"execute language": {"create t ' + , ' * , : main >r 0 3 4 r> cells t + @ execute 1 ;", "1", []int64{0, 12, 1}},
		"execute literal":  {": a 5 ; : main 0 ['] a execute 1 ;", "", []int64{0, 5, 1}},
		"defer":            {"defer d : other 9 ; ' other is d : main 0 d 1 ;", "", []int64{0, 9, 1}},
		"later word":       {"defer d : main 0 d 1 ; :noname 4 ; is d", "", []int64{0, 4, 1}},
		"catch":            {": risky 1 0 / ; : main ['] risky catch negate 0 swap 1 ;", "", []int64{0, 10, 1}},
		"catch thrown":     {": risky 77 throw ; : main 0 ['] risky catch 1 ;", "", []int64{0, 77, 1}},
		"abort text":       {`: check abort" no" 5 ; : main ['] check catch negate 0 1 ;`, "1", nil},
		"locals":           {": f {: a b | c :} a b + to c c c * ; : main 0 2 3 f 1 ;", "", []int64{0, 25, 1}},
		"locals recurse":   {": fib {: n :} n 2 < if n exit then n 1- recurse n 2 - recurse + ; : main 0 10 fib 1 ;", "", []int64{0, 55, 1}},
		"locals and catch": {": bad {: a b :} 9 to a 8 to b 5 throw ; : f {: a b :} 1 2 ['] bad catch nip nip a b ; : main 3 4 f ;", "", []int64{5, 3, 4}},
		"here and allot":   {"1 c, : main here 5 , here swap - 0 swap here 8 - @ ;", "", []int64{0, 8, 5}},
		"c, and align":     {": main here 65 c, align here over - swap c@ 0 ;", "", []int64{8, 65, 0}},
		"pad":              {": main 33 pad ! 0 pad @ 1 ;", "", []int64{0, 33, 1}},
		"case":             {": main case 1 of 10 endof 2 of 20 endof 30 swap endcase 0 swap 1 ;", "2", []int64{0, 20, 1}},
		"double numbers":   {": main 1000000000000. 5 3 m*/ drop 0 swap 1 ;", "", []int64{0, 1666666666666, 1}},
		"loops":            {": main 0 0 10 0 do i + loop 1 ;", "", []int64{0, 45, 1}},
		"structures":       {"begin-structure p field: .x field: .y end-structure create q p allot 4 q .x ! 6 q .y ! : main 0 q .x @ q .y @ ;", "", []int64{0, 4, 6}},
		"n>r":              {": main 1 2 3 3 n>r nr> drop ;", "", []int64{1, 2, 3}},
		"other case":       {": MAIN 0 1 2 ;", "", []int64{0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			res, compiled := run(t, c.source, c.evidence)
			if name == "abort text" {
				if res.Status != bytecode.BadResult && res.Status != vm.OK {
					t.Errorf("%+v", res)
				}
				return
			}
			if res.Status != vm.OK || !slices.Equal(res.Stack, c.want) {
				t.Errorf("%+v, want %v", res, c.want)
			}
			checkMap(t, compiled)
		})
	}
}

// checkMap sees that a map is ordered, within the code, and covers the main body.
func checkMap(t *testing.T, c *vm.Compiled) {
	t.Helper()
	for i, e := range c.Map {
		if int(e.PC) >= len(c.Code) || e.Line == 0 || e.Column == 0 || (i > 0 && c.Map[i-1].PC >= e.PC) {
			t.Fatalf("entry %d of the map is %+v, code of %d bytes: %+v", i, e, len(c.Code), c.Map)
		}
	}
	if len(c.Map) == 0 {
		t.Error("the map is empty")
	}
}

// TestSourceMap finds the place of an instruction that fails.
func TestSourceMap(t *testing.T) {
	res, c := run(t, ": half ( n -- n )\n  0 / ;\n\n: main\n  1 half\n  0 1 ;", "")
	if res.Status != bytecode.DivByZero {
		t.Fatalf("%+v", res)
	}
	if e, ok := c.Map.Find(res.PC); !ok || e.Line != 2 || e.Column != 5 || e.Word != "half" {
		t.Errorf("%+v at %d of %+v", e, res.PC, c.Map)
	}
	res, c = run(t, "  : main\n  1\n  fail ;", "")
	if e, ok := c.Map.Find(res.PC); !ok || e.Line != 3 || e.Column != 3 || e.Word != "main" {
		t.Errorf("%+v at %d of %+v", e, res.PC, c.Map)
	}
}

// TestCompileErrors has sources that are no contracts, each with what its error says.
func TestCompileErrors(t *testing.T) {
	for name, c := range map[string]struct {
		source, want string
		is           error
	}{
		"no main":              {": other 1 ;", "c.fs:1:1: there is no word main", vm.ErrSyntax},
		"unknown word":         {": main\n  1 nonsuch ;", "c.fs:2:5: undefined word: nonsuch", vm.ErrSyntax},
		"printing":             {": a .  ; : b a ; : main 1 b ;", "., which main → b → a uses, is not available in a contract", vm.ErrSyntax},
		"evaluate":             {`: main s" 1" evaluate ;`, "EVALUATE, which main uses, is not available in a contract", vm.ErrSyntax},
		"base":                 {`: main base @ ;`, "BASE, which main uses", vm.ErrSyntax},
		"unfinished":           {": main 1 2", "c.fs:1:1: the definition of main is not finished", vm.ErrSyntax},
		"an exception":         {"1 0 /", "c.fs:1:5: division by zero (throw -10)", vm.ErrSyntax},
		"values left":          {"1 2 : main ;", "leaves 2 values", vm.ErrSyntax},
		"too long":             {"create t 40000 allot t 40000 1 fill : main t @ ;", "compiles to 40", vm.ErrTooLarge},
		"unknown results":      {"\\ result: everything\n: main 1 ;", `unknown result convention "everything"`, vm.ErrSyntax},
		"open if":              {": main if ;", "control structure mismatch", vm.ErrSyntax},
		"endless compile":      {": x begin again ; x", "out of gas", vm.ErrSyntax},
		"definition too large": {": main begin ; ", "control structure", vm.ErrSyntax},
	} {
		l := bytecode.DefaultLimits()
		_, err := Compile(vm.Source{Text: c.source, File: "c.fs"}, &l)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestConventions reads the pragma of the results.
func TestConventions(t *testing.T) {
	l := bytecode.DefaultLimits()
	for source, want := range map[string]vm.Convention{
		": main 0 1 2 ;": vm.BurnPayNonce, "\\ dialect: forth2012\n\\ result: delay-nonce-amount\n: main 0 1 2 ;": vm.DelayNonceAmount,
		"\n\\ result: burn-pay-nonce\n: main 0 1 2 ;": vm.BurnPayNonce, ": main 0 1 2 ;\n\\ result: delay-nonce-amount\n": vm.BurnPayNonce,
	} {
		c, err := Compile(vm.Source{Text: source}, &l)
		if err != nil {
			t.Fatal(err)
		}
		var p bytecode.Program
		if err := p.Load(c.Code, &l, false); err != nil || p.Convention != want {
			t.Errorf("%q: %v, %v", source, p.Convention, err)
		}
	}
}
