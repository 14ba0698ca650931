package vmforth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func TestOpen(t *testing.T) {
	p := Plugin()
	info := p.Describe()
	ki, ok := info.Find(plugin.VM)
	if info.Name != "forth" || !ok || !slices.Equal(ki.Rules, []string{"1"}) {
		t.Fatalf("%+v", info)
	}
	for _, a := range ki.Schema.Attributes {
		if a.Description == "" || a.Default == "" || a.ConsensusCritical == (a.Name == "dialect") {
			t.Errorf("attribute %+v", a)
		}
	}
	for name, c := range map[string]struct {
		req  plugin.OpenRequest
		want error
	}{
		"defaults":          {plugin.OpenRequest{Kind: plugin.VM, Rules: "1"}, nil},
		"settings":          {plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"gas_limit": 5000, "dialect": "paloalto", "stack_depth": 16}`)}, nil},
		"another kind":      {plugin.OpenRequest{Kind: plugin.Storage}, plugin.ErrWrongKind},
		"other rules":       {plugin.OpenRequest{Kind: plugin.VM, Rules: "2"}, plugin.ErrBadConfig},
		"unknown attribute": {plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"gas": 1}`)}, plugin.ErrBadConfig},
		"out of bounds":     {plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"code_bytes": 65536}`)}, plugin.ErrBadConfig},
		"a later dialect":   {plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"dialect": "chalang"}`)}, plugin.ErrBadConfig},
		"a later result":    {plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{"result": "delay-nonce-amount"}`)}, plugin.ErrBadConfig},
		"no object":         {plugin.OpenRequest{Kind: plugin.VM, Config: []byte(`{} {}`)}, plugin.ErrBadConfig},
	} {
		if _, err := p.Open(t.Context(), nil, c.req); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestBranchInEvidence has a contract that names a branch by its hash; who wants the branch shows it.
func TestBranchInEvidence(t *testing.T) {
	v := open(t, "")
	branch := ": helper 40 2 * ; : branch helper + ;"
	p := &program{}
	if err := p.load(compiled(t, v, branch, true), &v.lim, true); err != nil {
		t.Fatal(err)
	}
	code := compiled(t, v, fmt.Sprintf(`0 swap x"%x" call 1`, p.hashes[1]), false)
	for name, c := range map[string]struct {
		evidence string
		status   vm.Status
	}{
		"shown": {branch + " 20", vm.OK}, "not shown": {"20", UnknownWord},
		"another":                       {": helper 40 2 * ; : branch helper - ; 20", UnknownWord},
		"the same with another helper":  {": helper 40 3 * ; : branch helper + ; 20", UnknownWord},
		"the same behind another word":  {": first 1 ; " + branch + " 20", vm.OK},
		"a copy that calls other words": {": x 1 ; : helper 40 2 * ; : branch x + ; 20", UnknownWord},
	} {
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: code, Evidence: compiled(t, v, c.evidence, true), GasLimit: plentyGas}}})
		if err != nil || got[0].Status != c.status || (c.status == vm.OK && got[0].Stack[1] != 100) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestResults has what contracts may leave.
func TestResults(t *testing.T) {
	v := open(t, "")
	for source, want := range map[string]vm.Status{
		"0 100 1": vm.OK, "7 0 100 1": BadResult, "7 0 100 1 return": vm.OK, "100 1": BadResult, "0 100 1 return 5": vm.OK, "100 1 return": BadResult,
		"-1 100 1": BadResult, "0 -1 1": BadResult, "0 100 -1": BadResult, `0 x"01" 1`: BadResult, "": BadResult,
		"9223372036854775807 1 1": BadResult, ": w 0 100 1 return ; w 5": vm.OK, "0 100 1 5 >r": vm.OK,
	} {
		r := vm.Run{Code: compiled(t, v, source, false), GasLimit: plentyGas}
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{r}})
		if err != nil || got[0].Status != want {
			t.Errorf("%q: %+v, %v; want %s", source, got, err, statusName(want))
		}
	}
}

// TestLimits sees that the chain's limits hold, and that its gas limit is not the transaction's.
func TestLimits(t *testing.T) {
	v := open(t, `{"gas_limit": 2000, "code_bytes": 256, "evidence_bytes": 256}`)
	small := compiled(t, v, "0 100 1", false)
	loop := compiled(t, v, "begin again", false)
	long := make([]byte, 257)
	got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{
		{Code: small, GasLimit: plentyGas}, {Code: loop, GasLimit: 1 << 63}, {Code: long, GasLimit: plentyGas},
		{Code: small, Evidence: long, GasLimit: plentyGas}, {GasLimit: plentyGas},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []vm.Status{vm.OK, OutOfGas, BadCode, BadCode, BadCode} {
		if got[i].Status != want {
			t.Errorf("run %d: %+v, want %s", i, got[i], statusName(want))
		}
	}
	l, err := v.Load(t.Context(), [][]byte{long})
	if err != nil || l[0].Error == "" {
		t.Errorf("load of code that is too long: %+v, %v", l, err)
	}
}

// TestBadCode has encodings that the loader refuses.
func TestBadCode(t *testing.T) {
	l, err := parseLimits([]byte(`{"definitions": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ code, want string }{
		"too short":                     {"\x01\x00", "a header has 3"},
		"format":                        {"\x02\x00\x00", "format 2"},
		"flags":                         {"\x01\x02\x00", "flags"},
		"more words than allowed":       {"\x01\x00\x03\x00\x00\x00", "at most 2"},
		"number of words, longer form":  {"\x01\x00\x80\x00", "at most"},
		"a word beyond the end":         {"\x01\x00\x01\x05\xc0", "ends after"},
		"the end in code":               {"\x01\x00\x00\x00", "unknown opcode"},
		"an unknown opcode":             {"\x01\x00\x00\xbf", "unknown opcode"},
		"an integer, longer form":       {"\x01\x00\x00\x01\xc8\x81\x00", "shortest form"},
		"an integer with its own byte":  {"\x01\x00\x00\x01\x7e", "shortest form"},
		"an integer cut off":            {"\x01\x00\x00\x01\xc8", "shortest form"},
		"an integer above 64 bits":      {"\x01\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "shortest form"},
		"bytes cut off":                 {"\x01\x00\x00\x02\x02a", "no more than there are"},
		"too many bytes":                {"\x01\x00\x00\x02\x81\x08" + strings.Repeat("a", 1025), "at most 1024"},
		"a jump into an instruction":    {"\x01\x00\x00\x03\x00\x04\x01\xc8\x01", "no instruction of this body"},
		"a jump beyond the end":         {"\x01\x00\x00\x03\x00\x04", "no instruction of this body"},
		"a jump cut off":                {"\x01\x00\x00\x03\x00", "without a target"},
		"a word that calls itself":      {"\x01\x00\x01\x02\x05\x00", "not defined before"},
		"a word that calls a later one": {"\x01\x00\x02\x02\x05\x01\x00", "not defined before"},
		"a call of no word":             {"\x01\x00\x00\x05\x00", "not defined before"},
		"exit outside of a word":        {"\x01\x00\x00\x07", "outside of a word"},
		"recurse outside of a word":     {"\x01\x00\x00\x06", "outside of a word"},
		"an unknown environment word":   {"\x01\x00\x00\x13\x0e", "environment"},
		"environment cut off":           {"\x01\x00\x00\x13", "environment"},
	} {
		err := (&program{}).load([]byte(c.code), &l, false)
		if !errors.Is(err, errBadCode) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if err := (&program{}).load([]byte("\x01\x00\x00\xc0\x20"), &l, true); !errors.Is(err, errBadCode) {
		t.Errorf("evidence with dup: %v", err)
	}
}

// TestTrace has the whole trace of a small run.
func TestTrace(t *testing.T) {
	v := open(t, "")
	r := vm.Run{Code: compiled(t, v, ": w 2 * ; w 0 swap 1", false), Evidence: compiled(t, v, "50", true), GasLimit: 1000}
	var got []string
	err := v.Trace(t.Context(), nil, r, func(s vm.Step) error {
		text := fmt.Sprintf("%d %s gas %d cost %d depth %d %v", s.PC, s.Op, s.Gas, s.GasCost, s.Depth, s.Stack)
		if s.Result != nil {
			text += fmt.Sprintf(" -> %d %v %d", s.Result.Status, s.Result.Stack, s.Result.Gas)
		}
		got = append(got, text)
		return nil
	})
	want := []string{
		"3 int 50 gas 940 cost 1 depth 0 []",
		"6 word 0 gas 939 cost 5 depth 0 [50]",
		"4 int 2 gas 934 cost 1 depth 1 [50]",
		"5 * gas 933 cost 1 depth 1 [50 2]",
		"8 int 0 gas 932 cost 1 depth 0 [100]",
		"9 swap gas 931 cost 1 depth 0 [100 0]",
		"10 int 1 gas 930 cost 1 depth 0 [0 100] -> 0 [0 100 1] 71",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// A machine that has traced is used again, and does not trace.
	if _, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{r}}); err != nil || len(got) != len(want) {
		t.Fatalf("%v, %d steps", err, len(got))
	}
}

// TestNothingIsLeftBehind runs a program that writes everywhere, and then one that looks.
func TestNothingIsLeftBehind(t *testing.T) {
	l, err := parseLimits(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMachine(&l)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int64, resultCount)
	write := vm.Run{Code: compiled(t, newVM(l), "8192 0 do -1 i 8 * ! loop 1 2 3 4 5 >r >r >r fail", false), GasLimit: plentyGas}
	look := vm.Run{Code: compiled(t, newVM(l), "depth 0 8192 0 do i 8 * @ or loop 1", false), GasLimit: plentyGas}
	if res := m.run(&write, nil, nil, out); res.Status != Fail {
		t.Fatalf("%+v", res)
	}
	if res := m.run(&look, nil, nil, out); res.Status != vm.OK || out[0] != 0 || out[1] != 0 {
		t.Fatalf("%+v", res)
	}
}
