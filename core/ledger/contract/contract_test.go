package contract_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// machine is a VM whose code is one byte: 0 gives the evidence's bytes back for 10 gas, 200 does so in the other convention,
// another fails with that status.
type machine struct {
	vm.VM // nil
	runs  []vm.Run
	env   map[string][]byte
	spoil func([]vm.Result) ([]vm.Result, error)
}

func (m *machine) RunBatch(_ context.Context, b vm.Batch) ([]vm.Result, error) {
	m.runs, m.env = b.Runs, b.Environment
	out := make([]vm.Result, len(b.Runs))
	for i, r := range b.Runs {
		switch {
		case len(r.Code) != 1:
			out[i] = vm.Result{Status: 99, Gas: r.GasLimit}
		case r.Code[0] != 0 && r.Code[0] != 200:
			out[i] = vm.Result{Status: vm.Status(r.Code[0]), Gas: r.GasLimit, Error: "it fails"}
		case r.GasLimit < 10:
			out[i] = vm.Result{Status: 1, Gas: r.GasLimit}
		default:
			if out[i].Gas = 10; r.Code[0] == 200 {
				out[i].Convention = vm.DelayNonceAmount
			}
			for _, x := range r.Evidence {
				out[i].Stack = append(out[i].Stack, int64(x))
			}
		}
	}
	if m.spoil != nil {
		return m.spoil(out)
	}
	return out, nil
}

func run(code byte, evidence ...byte) types.Action {
	return types.Action{Name: "run", Body: types.RunBody{Code: []byte{code}, Evidence: evidence}.Encode()}
}

func tx(n, gas uint64, actions ...types.Action) module.Tx {
	b := binary.BigEndian.AppendUint64(nil, n)
	return module.Tx{ID: types.Sum("test", b), Account: types.AccountID(types.Sum("account", b)), Actions: actions, MaxGas: gas, Bytes: 300}
}

func TestConformance(t *testing.T) {
	f := moduletest.Factory{
		Open:  func() (moduletest.Instance, error) { return moduletest.Instance{Module: contract.New(&machine{})}, nil },
		Chain: types.ChainID{1},
		Valid: valid,
		Malformed: []module.Tx{tx(1, 5000, types.Action{Name: "mint"}), tx(2, 5000, types.Action{Name: "run", Body: []byte{7}}), tx(3, 5000),
			tx(4, 50_000, lock(bob, carol, code(0), 0, 1_001)), tx(5, 50_000, lock(bob, bob, code(0), 1, 1_001)), tx(6, 50_000, types.Action{Name: "claim"}),
			tx(7, 50_000, types.Action{Name: "refund", Body: []byte{1}}), tx(8, 50_000, types.Action{Name: "settle"}),
			tx(9, 50_000, types.Action{Name: "lock", Body: lock(bob, carol, code(0), 5, 1_001).Body, MaxSpend: 4})},
		Paths: []string{types.PathLock + types.LockIDOf(valid(moduletest.QuerySeed, 5)[4].ID, 0).String(), types.PathLocks + bob.String()},
	}
	moduletest.Run(t, f)
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  uint64
		tx     module.Tx
		error  string
		gas    uint64
		events int
	}{
		{"one", 0, tx(1, 9000, run(0, 7)), "", 5010, 1},
		{"three", 0, tx(1, 21_000, run(0), run(0, 1), run(0)), "", 15_030, 3},
		{"a failure costs its share", 0, tx(1, 9000, run(4)), "ErrContract.4", 9000, 0},
		{"the first of two failures", 0, tx(1, 22_000, run(0), run(3), run(4)), "ErrContract.3", 5010 + 2*7333, 0},
		{"a failure under a limit", 200, tx(1, 5_000_000, run(4)), "ErrContract.4", 5200, 0},
		{"a limit that does not matter", 200_000, tx(1, 9000, run(4)), "ErrContract.4", 9000, 0},
		{"no share for a run", 0, tx(1, 15_000, run(0), run(0), run(0)), "ErrOutOfGas", 15_000, 0},
		{"too little for the run", 0, tx(1, 5005, run(0)), "ErrContract.1", 5005, 0},
		{"no gas", 0, tx(1, 0, run(0)), "ErrOutOfGas", 0, 0},
		{"no actions", 0, tx(1, 5000), "ErrMalformed", 0, 0},
		{"unknown action", 0, tx(1, 5000, run(0), types.Action{Name: "x"}), "ErrUnknownAction", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &machine{}
			b := &module.Block{Chain: types.ChainID{5}, Height: 6, Slot: 7, Clock: 8, Txs: []module.Tx{tx(9, 6000, run(0)), c.tx, tx(10, 6000, run(0, 3))}}
			out, err := module.Guard(contract.New(v).Limit(c.limit)).Execute(t.Context(), b, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := out.Txs[1]
			if r.Error != c.error || r.Gas != c.gas || len(r.Events) != c.events {
				t.Fatalf("%+v, want %q, gas %d, %d events", r, c.error, c.gas, c.events)
			}
			for _, i := range []int{0, 2} {
				if out.Txs[i].Error != "" || out.Txs[i].Gas != 5010 {
					t.Fatalf("neighbour: %+v", out.Txs[i])
				}
			}
			env := types.EnvironmentHash(types.CommonEnvironmentHash(v.env), v.runs[len(v.runs)-1].Environment)
			if want := fmt.Sprintf(`{"stack":[3],"gas":10,"environment_hash":"%s"}`, env); string(out.Txs[2].Events[0].Data) != want {
				t.Fatalf("event %s, want %s", out.Txs[2].Events[0].Data, want)
			}
			if binary.BigEndian.Uint64(v.env["clock"]) != 8 || v.env["chain-id"][0] != 5 || binary.BigEndian.Uint64(v.env["slot-time"]) != 7*500 ||
				binary.BigEndian.Uint64(v.runs[0].Environment["caller"]) != 0 || binary.BigEndian.Uint64(v.runs[0].Environment["participants"]) != 1 ||
				string(v.runs[0].Environment["participant:0"]) != string(b.Txs[0].Account[:]) {
				t.Fatalf("environment %v", v.env)
			}
		})
	}
}

// TestBadVM: what a VM may not answer is an error, so that it is asked again, and no fault that would stand in the chain.
func TestBadVM(t *testing.T) {
	for name, spoil := range map[string]func([]vm.Result) ([]vm.Result, error){
		"too few":          func(r []vm.Result) ([]vm.Result, error) { return r[1:], nil },
		"too many":         func(r []vm.Result) ([]vm.Result, error) { return append(r, r...), nil },
		"too much gas":     func(r []vm.Result) ([]vm.Result, error) { r[0].Gas = 1 << 40; return r, nil },
		"convention":       func(r []vm.Result) ([]vm.Result, error) { r[0].Convention = 2; return r, nil },
		"too many results": func(r []vm.Result) ([]vm.Result, error) { r[0].Stack = make([]int64, 17); return r, nil },
		"fails":            func(r []vm.Result) ([]vm.Result, error) { return nil, errors.New("lost") },
	} {
		m := module.Guard(contract.New(&machine{spoil: spoil}))
		out, err := m.Execute(t.Context(), &module.Block{Txs: []module.Tx{tx(1, 9000, run(0)), tx(2, 9000, run(0))}}, nil)
		if err == nil || out != nil || errors.Is(err, module.ErrFault) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

// TestDiagnostics: what a VM tells people, and whether it gives an empty list or none, is no part of consensus, so it changes nothing of
// what comes of a block, not even the sizes that count towards the block's limits.
func TestDiagnostics(t *testing.T) {
	var want *module.Outcome
	for name, spoil := range map[string]func(*vm.Result){
		"brief": func(r *vm.Result) { r.Error, r.Stack = "", r.Stack[:len(r.Stack):len(r.Stack)] },
		"talkative": func(r *vm.Result) {
			r.Space, r.PC, r.Word, r.Evidence, r.Top = 9, 8, "dup", true, []string{"7"}
			if r.Error = ""; r.Status != vm.OK {
				r.Error, r.GasUsed = strings.Repeat("it fails ", 100), 7
			}
		},
		"empty lists": func(r *vm.Result) {
			if r.Stack == nil {
				r.Stack = []int64{}
			}
		},
		"no lists": func(r *vm.Result) {
			if len(r.Stack) == 0 {
				r.Stack = nil
			}
		},
	} {
		v := &machine{spoil: func(rs []vm.Result) ([]vm.Result, error) {
			for i := range rs {
				spoil(&rs[i])
			}
			return rs, nil
		}}
		b := &module.Block{Clock: 8, Txs: []module.Tx{tx(1, 9000, run(4)), tx(2, 9000, run(0)), tx(3, 20_000, run(0, 1), run(3))}}
		out, err := module.Guard(contract.New(v)).Execute(t.Context(), b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = out
		}
		if !reflect.DeepEqual(out, want) {
			t.Errorf("%s: %+v, with another VM %+v", name, out, want)
		}
		if data := string(out.Txs[1].Events[0].Data); !strings.HasPrefix(data, `{"stack":[],`) {
			t.Errorf("%s: event %s", name, data)
		}
	}
}

func TestGasLimit(t *testing.T) {
	for config, want := range map[string]uint64{
		`{"gas_limit":1000000,"x":1}`: 1_000_000, `{"gas_limit":"77"}`: 77, `{}`: 0, ``: 0, `[`: 0, `{"gas_limit":-1}`: 0, `{"gas_limit":1.5}`: 0, `{"gas_limit":{}}`: 0,
	} {
		if got := contract.GasLimit([]byte(config)); got != want {
			t.Errorf("%s: %d, want %d", config, got, want)
		}
	}
}
