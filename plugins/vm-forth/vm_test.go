package vmforth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const plentyGas = 1_000_000

func TestOpen(t *testing.T) {
	p := Plugin()
	info := p.Describe()
	ki, ok := info.Find(plugin.VM)
	if info.Name != "forth" || !ok || !slices.Equal(ki.Rules, []string{"2"}) {
		t.Fatalf("%+v", info)
	}
	local := []string{"dialect", "hot_tier"}
	for _, a := range ki.Schema.Attributes {
		if a.Description == "" || a.Default == "" || a.ConsensusCritical == slices.Contains(local, a.Name) {
			t.Errorf("attribute %+v", a)
		}
	}
	h := bytecode.GasTableHash()
	for name, c := range map[string]struct {
		rules, config string
		want          error
	}{
		"defaults":                  {"2", "", nil},
		"settings":                  {"", `{"gas_limit": 5000, "dialect": "chalang", "stack_depth": 16, "result": "delay-nonce-amount", "hot_tier": "wazero"}`, nil},
		"this build's gas schedule": {"2", fmt.Sprintf(`{"gas_schedule": "%x"}`, h), nil},
		"another gas schedule":      {"2", fmt.Sprintf(`{"gas_schedule": "%064x"}`, 1), plugin.ErrBadConfig},
		"earlier rules":             {"1", "", plugin.ErrBadConfig},
		"unknown attribute":         {"", `{"gas": 1}`, plugin.ErrBadConfig},
		"out of bounds":             {"", `{"code_bytes": 65536}`, plugin.ErrBadConfig},
		"an unknown dialect":        {"", `{"dialect": "lisp"}`, plugin.ErrBadConfig},
		"an unknown result":         {"", `{"result": "pay"}`, plugin.ErrBadConfig},
		"an unknown tier":           {"", `{"hot_tier": "jit"}`, plugin.ErrBadConfig},
		"no object":                 {"", `{} {}`, plugin.ErrBadConfig},
	} {
		v, err := p.Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.VM, Rules: c.rules, Config: []byte(c.config)})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if name == "another gas schedule" && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%x", h)) || !strings.Contains(err.Error(), "use the build")) {
			t.Errorf("%s: %v; it names neither the schedule that there is nor what to do", name, err)
		}
		if v != nil {
			if err := v.(*VM).Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := p.Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.Storage}); !errors.Is(err, plugin.ErrWrongKind) {
		t.Errorf("another kind: %v", err)
	}
}

// TestInfo has what an instance says about itself.
func TestInfo(t *testing.T) {
	i, err := open(t, `{"gas_limit": 5000, "dialect": "chalang"}`).Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i.GasVersion != 2 || i.GasTableHash != bytecode.GasTableHash() || i.Dialects[0] != "chalang" || len(i.Dialects) != 4 || i.Version != Version {
		t.Errorf("%+v", i)
	}
	if i.Limits[0] != (vm.Limit{Name: "gas_limit", Value: 5000}) || len(i.Limits) != len(numbers()) {
		t.Errorf("limits %+v", i.Limits)
	}
	for _, w := range []string{"height", "caller", "oracle"} {
		if !slices.Contains(i.Environment, w) {
			t.Errorf("environment words %q lack %s", i.Environment, w)
		}
	}
}

// TestLoaded has what is found out about code when it is loaded.
func TestLoaded(t *testing.T) {
	v := open(t, "")
	for source, want := range map[string]vm.Loaded{
		"0 100 1": {Verified: true, MaxStack: 3, GasBound: 3 + 4*10},
		`\ result: delay-nonce-amount` + "\n0 1 2": {Verified: true, MaxStack: 3, GasBound: 3 + 4*8, Convention: vm.DelayNonceAmount},
		"0 height clock":            {Verified: true, MaxStack: 3, GasBound: 1 + 3 + 3 + 4*10, EnvReads: []string{"clock", "height"}},
		"0 10 0 do i drop loop 1 1": {Verified: true, MaxStack: 3},
		": fib dup 2 < if exit then dup 1- recurse swap 2 - recurse + ; 0 10 fib 1": {Verified: true, MaxStack: 1024},
		"call 0 1 2": {},
	} {
		got, err := v.Load(t.Context(), [][]byte{compiled(t, v, source, false)})
		if err != nil {
			t.Fatal(err)
		}
		if want.CodeHash = got[0].CodeHash; !reflect.DeepEqual(got[0], want) {
			t.Errorf("%q: %+v, want %+v", source, got[0], want)
		}
	}
}

// TestHostFault sees that a fault of the machine is an error of the call, and no contract's status.
func TestHostFault(t *testing.T) {
	v := open(t, "")
	code := compiled(t, v, "0 100 1", false)
	sound := v.fresh
	v.fresh = func(*bytecode.Limits) (*engine.Machine, error) { return &engine.Machine{}, nil }
	for _, n := range []int{1, 1000} { // on one core and on all
		runs := slices.Repeat([]vm.Run{{Code: code, GasLimit: plentyGas}}, n)
		if got, err := v.RunBatch(t.Context(), vm.Batch{Runs: runs}); !errors.Is(err, plugin.ErrPanicked) || got != nil {
			t.Errorf("%d runs: %+v, %v", n, got, err)
		}
	}
	if err := v.Trace(t.Context(), nil, vm.Run{Code: code, GasLimit: plentyGas}, func(vm.Step) error { return nil }); !errors.Is(err, plugin.ErrPanicked) {
		t.Errorf("trace: %v", err)
	}
	v.fresh = sound // the broken machines are not used again
	if got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: code, GasLimit: plentyGas}}}); err != nil || got[0].Status != vm.OK {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// TestContextEndsInABatch sees that a context that ends is an error too.
func TestContextEndsInABatch(t *testing.T) {
	v := open(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	made := v.fresh
	v.fresh = func(l *bytecode.Limits) (*engine.Machine, error) { // the call has begun
		cancel()
		return made(l)
	}
	runs := slices.Repeat([]vm.Run{{Code: compiled(t, v, "begin again", false), GasLimit: plentyGas}}, 4096)
	if got, err := v.RunBatch(ctx, vm.Batch{Runs: runs}); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%d results, %v", len(got), err)
	}
}

// TestHotTier sees that an instance with a hot tier comes to the same as one without, for code by hash and in full, and
// that the tier has done something.
func TestHotTier(t *testing.T) {
	v, w := open(t, ""), open(t, `{"hot_tier": "wazero"}`)
	defer w.Close() //nolint:errcheck // nothing is under way
	if w.tier == nil {
		t.Skip("there is no hot tier on this machine")
	}
	for _, source := range []string{"0 0 10000 0 do i + loop 1", `0 x"00" 5000 0 do hash loop b> 1`, "0 begin dup drop again"} {
		code := compiled(t, v, source, false)
		l, err := w.Load(t.Context(), [][]byte{code})
		if err != nil {
			t.Fatal(err)
		}
		full, hash := vm.Run{Code: code, GasLimit: plentyGas}, vm.Run{Code: l[0].CodeHash[:], ByHash: true, GasLimit: plentyGas}
		want, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{full}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.RunBatch(t.Context(), vm.Batch{Runs: append(slices.Repeat([]vm.Run{full}, 20), slices.Repeat([]vm.Run{hash}, 20)...)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[0]) {
				t.Fatalf("%q, run %d: %+v with the hot tier, %+v without", source, i, got[i], want[0])
			}
		}
	}
	if n := w.tier.Stats().Completed.Load(); n == 0 {
		t.Error("the hot tier has done nothing")
	}
	// Code that is only ever given in full, as a chain does.
	x := open(t, `{"hot_tier": "wazero"}`)
	defer x.Close() //nolint:errcheck // nothing is under way
	long := vm.Run{Code: compiled(t, x, "0 0 30000 0 do i + loop 1", false), GasLimit: plentyGas}
	if _, err := x.RunBatch(t.Context(), vm.Batch{Runs: slices.Repeat([]vm.Run{long}, 60)}); err != nil {
		t.Fatal(err)
	}
	if n := x.tier.Stats().Completed.Load(); n == 0 {
		t.Error("the hot tier does not know again what is given in full")
	}
}

// TestBranchInEvidence has a contract that names a branch by its hash; who wants the branch shows it.
func TestBranchInEvidence(t *testing.T) {
	v := open(t, "")
	branch := ": helper 40 2 * ; : branch helper + ;"
	p := &bytecode.Program{}
	if err := p.Load(compiled(t, v, branch, true), &v.lim, true); err != nil {
		t.Fatal(err)
	}
	code := compiled(t, v, fmt.Sprintf(`0 swap x"%x" call 1`, p.Hashes[1]), false)
	for name, c := range map[string]struct {
		evidence string
		status   vm.Status
	}{
		"shown": {branch + " 20", vm.OK}, "not shown": {"20", bytecode.UnknownWord},
		"another":                       {": helper 40 2 * ; : branch helper - ; 20", bytecode.UnknownWord},
		"the same with another helper":  {": helper 40 3 * ; : branch helper + ; 20", bytecode.UnknownWord},
		"the same behind another word":  {": first 1 ; " + branch + " 20", vm.OK},
		"a copy that calls other words": {": x 1 ; : helper 40 2 * ; : branch x + ; 20", bytecode.UnknownWord},
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
		"0 100 1": vm.OK, "7 0 100 1": bytecode.BadResult, "7 0 100 1 return": vm.OK, "100 1": bytecode.BadResult, "0 100 1 return 5": vm.OK, "100 1 return": bytecode.BadResult,
		"-1 100 1": bytecode.BadResult, "0 -1 1": bytecode.BadResult, "0 100 -1": bytecode.BadResult, `0 x"01" 1`: bytecode.BadResult, "": bytecode.BadResult,
		"9223372036854775807 1 1": bytecode.BadResult, ": w 0 100 1 return ; w 5": vm.OK, "0 100 1 5 >r": vm.OK,
	} {
		r := vm.Run{Code: compiled(t, v, source, false), GasLimit: plentyGas}
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{r}})
		if err != nil || got[0].Status != want {
			t.Errorf("%q: %+v, %v; want %s", source, got, err, bytecode.StatusName(want))
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
	for i, want := range []vm.Status{vm.OK, bytecode.OutOfGas, bytecode.BadCode, bytecode.BadCode, bytecode.BadCode} {
		if got[i].Status != want {
			t.Errorf("run %d: %+v, want %s", i, got[i], bytecode.StatusName(want))
		}
	}
	l, err := v.Load(t.Context(), [][]byte{long})
	if err != nil || l[0].Error == "" {
		t.Errorf("load of code that is too long: %+v, %v", l, err)
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
		"5 int 50 gas 924 cost 1 depth 0 []",
		"8 word 0 gas 923 cost 5 depth 0 [50]",
		"6 int 2 gas 918 cost 1 depth 1 [50]",
		"7 * gas 917 cost 1 depth 1 [50 2]",
		"10 int 0 gas 916 cost 1 depth 0 [100]",
		"11 swap gas 915 cost 1 depth 0 [100 0]",
		"12 int 1 gas 914 cost 1 depth 0 [0 100] -> 0 [0 100 1] 87",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// A machine that has traced is used again, and does not trace.
	if _, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{r}}); err != nil || len(got) != len(want) {
		t.Fatalf("%v, %d steps", err, len(got))
	}
}
