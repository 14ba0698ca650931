// Package contract is the native module that lets a chain's VM run a contract: contract.run gives bytecode and evidence, and
// the receipt tells what it came to. All runs of a block go to the VM in one batch.
package contract

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Module implements module.Module over a VM.
type Module struct {
	native.Base
	vm   vm.VM
	most uint64 // gas of one run
}

// New returns the module for a VM. A run that fails costs all the gas that it was given, so without [Module.Limit] it costs
// its whole share of max_gas, also where the VM's rules would have stopped it earlier.
func New(v vm.VM) *Module { return &Module{native.Base{Name: types.ModuleContract}, v, ^uint64(0)} }

// Limit sets the most gas that one run is given; 0 stands for no limit. It is part of the chain's rules: give what
// [GasLimit] finds in the genesis document.
func (m *Module) Limit(gas uint64) *Module {
	if gas == 0 {
		gas = ^uint64(0)
	}
	m.most = gas
	return m
}

// GasLimit returns the number under the key "gas_limit" in a VM's consensus-critical configuration: by convention the most
// gas that the VM lets one run have. It is 0 if there is none.
func GasLimit(config []byte) uint64 {
	var c struct {
		GasLimit json.Number `json:"gas_limit"`
	}
	if json.Unmarshal(config, &c) != nil {
		return 0
	}
	n, err := strconv.ParseUint(c.GasLimit.String(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// overhead is the gas of a run besides what the VM counts.
const overhead = 1_000

func decode(t *module.Tx) ([]types.RunBody, string, error) {
	if len(t.Actions) == 0 {
		return nil, native.ErrMalformed, fmt.Errorf("no actions")
	}
	out := make([]types.RunBody, 0, len(t.Actions))
	for _, a := range t.Actions {
		if a.Name != "run" {
			return nil, native.ErrUnknownAction, fmt.Errorf("contract has no action %q; it has run", a.Name)
		}
		b, err := types.DecodeRunBody(a.Body)
		if err != nil {
			return nil, native.ErrMalformed, err
		}
		out = append(out, b)
	}
	return out, "", nil
}

// Check implements module.Module.
func (m *Module) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		if _, name, err := decode(&txs[i]); err != nil {
			out[i].Error = name
		}
	}
	return out, nil
}

// integer is how an environment holds a number.
func integer(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// Execute implements module.Module. Each run may use an equal share of the transaction's max_gas. A transaction of several runs
// fails with the first that does. A VM that answers what no VM may answer is no fault of this module's, which would stand in
// the chain for ever: it is an error, and the VM is asked again.
func (m *Module) Execute(ctx context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	batch := vm.Batch{Environment: map[string][]byte{
		"height": integer(b.Height), "slot": integer(b.Slot), "clock": integer(b.Clock), "chain-id": b.Chain[:],
	}}
	owner := []int{}
	for i := range b.Txs {
		t := &b.Txs[i]
		runs, name, err := decode(t)
		if err != nil {
			out.Txs[i] = native.Failed(name, err, 0)
			continue
		}
		share := t.MaxGas / uint64(len(runs))
		if share <= overhead {
			out.Txs[i] = native.Failed(module.ErrOutOfGas, nil, t.MaxGas)
			continue
		}
		for _, r := range runs {
			batch.Runs = append(batch.Runs, vm.Run{Code: r.Code, Evidence: r.Evidence, GasLimit: min(share-overhead, m.most),
				Environment: map[string][]byte{"caller": t.Account[:]}})
			owner = append(owner, i)
		}
	}
	if len(batch.Runs) == 0 {
		return out, nil
	}
	results, err := m.vm.RunBatch(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("run %d contracts: %w", len(batch.Runs), err)
	}
	if len(results) != len(batch.Runs) {
		return nil, fmt.Errorf("the vm gave %d results for %d runs", len(results), len(batch.Runs))
	}
	for k, res := range results {
		r, limit := &out.Txs[owner[k]], batch.Runs[k].GasLimit
		if err := vm.CheckResult(&batch.Runs[k], &res); err != nil {
			return nil, fmt.Errorf("the vm's result of run %d: %w", k, err)
		}
		used := min(res.Gas, limit)
		r.Gas += overhead + used
		switch {
		case r.Error != "":
		case res.Status != vm.OK:
			r.Error, r.Detail = fmt.Sprintf("ErrContract.%d", res.Status), res.Error
		default:
			r.Events = append(r.Events, native.Event("result", struct {
				Stack []int64 `json:"stack"`
				Gas   uint64  `json:"gas"`
			}{res.Stack, used}))
		}
	}
	var room native.Room
	for i := range out.Txs {
		room.Fits(&out.Txs[i])
	}
	return out, nil
}
