package contract_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// machine is a VM whose code is one byte: 0 gives the evidence's bytes back for 10 gas, another fails with that status.
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
		case r.Code[0] != 0:
			out[i] = vm.Result{Status: vm.Status(r.Code[0]), Gas: r.GasLimit, Error: "it fails"}
		case r.GasLimit < 10:
			out[i] = vm.Result{Status: 1, Gas: r.GasLimit}
		default:
			out[i].Gas = 10
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
		Valid: func(seed uint64, n int) []module.Tx {
			out := make([]module.Tx, n)
			for i := range out {
				out[i] = tx(seed<<32+uint64(i), 5_000, run(0, 1, 2), run(0, byte(i)))
			}
			return out
		},
		Malformed: []module.Tx{tx(1, 5000, types.Action{Name: "mint"}), tx(2, 5000, types.Action{Name: "run", Body: []byte{7}}), tx(3, 5000)},
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
		{"one", 0, tx(1, 5000, run(0, 7)), "", 1010, 1},
		{"three", 0, tx(1, 9000, run(0), run(0, 1), run(0)), "", 3030, 3},
		{"a failure costs its share", 0, tx(1, 5000, run(4)), "ErrContract.4", 5000, 0},
		{"the first of two failures", 0, tx(1, 10_000, run(0), run(3), run(4)), "ErrContract.3", 1010 + 2*3333, 0},
		{"a failure under a limit", 200, tx(1, 5_000_000, run(4)), "ErrContract.4", 1200, 0},
		{"a limit that does not matter", 200_000, tx(1, 5000, run(4)), "ErrContract.4", 5000, 0},
		{"no share for a run", 0, tx(1, 3000, run(0), run(0), run(0)), "ErrOutOfGas", 3000, 0},
		{"too little for the run", 0, tx(1, 1005, run(0)), "ErrContract.1", 1005, 0},
		{"no gas", 0, tx(1, 0, run(0)), "ErrOutOfGas", 0, 0},
		{"no actions", 0, tx(1, 5000), "ErrMalformed", 0, 0},
		{"unknown action", 0, tx(1, 5000, run(0), types.Action{Name: "x"}), "ErrUnknownAction", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &machine{}
			b := &module.Block{Chain: types.ChainID{5}, Height: 6, Slot: 7, Clock: 8, Txs: []module.Tx{tx(9, 2000, run(0)), c.tx, tx(10, 2000, run(0, 3))}}
			out, err := module.Guard(contract.New(v).Limit(c.limit)).Execute(t.Context(), b, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := out.Txs[1]
			if r.Error != c.error || r.Gas != c.gas || len(r.Events) != c.events {
				t.Fatalf("%+v, want %q, gas %d, %d events", r, c.error, c.gas, c.events)
			}
			for _, i := range []int{0, 2} {
				if out.Txs[i].Error != "" || out.Txs[i].Gas != 1010 {
					t.Fatalf("neighbour: %+v", out.Txs[i])
				}
			}
			if string(out.Txs[2].Events[0].Data) != `{"stack":[3],"gas":10}` {
				t.Fatalf("event %s", out.Txs[2].Events[0].Data)
			}
			if binary.BigEndian.Uint64(v.env["clock"]) != 8 || v.env["chain-id"][0] != 5 || string(v.runs[0].Environment["caller"]) != string(b.Txs[0].Account[:]) {
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
		"too many results": func(r []vm.Result) ([]vm.Result, error) { r[0].Stack = make([]int64, 17); return r, nil },
		"fails":            func(r []vm.Result) ([]vm.Result, error) { return nil, errors.New("lost") },
	} {
		m := module.Guard(contract.New(&machine{spoil: spoil}))
		out, err := m.Execute(t.Context(), &module.Block{Txs: []module.Tx{tx(1, 5000, run(0)), tx(2, 5000, run(0))}}, nil)
		if err == nil || out != nil || errors.Is(err, module.ErrFault) {
			t.Errorf("%s: %+v, %v", name, out, err)
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
