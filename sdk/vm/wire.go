package vm

import (
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

func runToProto(r *Run) *vmv1.Run {
	return &vmv1.Run{Code: r.Code, ByHash: r.ByHash, Evidence: r.Evidence, Environment: r.Environment, GasLimit: r.GasLimit}
}

func runFromProto(r *vmv1.Run) Run {
	return Run{Code: r.GetCode(), ByHash: r.GetByHash(), Evidence: r.GetEvidence(), Environment: r.GetEnvironment(), GasLimit: r.GetGasLimit()}
}

func resultToProto(r *Result) *vmv1.RunResult {
	return &vmv1.RunResult{Status: uint32(r.Status), Stack: r.Stack, Gas: r.Gas, Error: cut(r.Error, MaxErrorBytes), Pc: r.PC,
		Word: cut(r.Word, MaxWordBytes)}
}

// resultFromProto takes an answer to a run, checked.
func resultFromProto(run *Run, r *vmv1.RunResult) (Result, error) {
	out := Result{Status: Status(r.GetStatus()), Stack: r.GetStack(), Gas: r.GetGas(), Error: cut(r.GetError(), MaxErrorBytes), PC: r.GetPc(),
		Word: cut(r.GetWord(), MaxWordBytes)}
	return out, CheckResult(run, &out)
}

// runBytes is about what a run takes in a message, never less.
func runBytes(r *Run) int {
	n := len(r.Code) + len(r.Evidence) + 48
	for name, v := range r.Environment {
		n += len(name) + len(v) + 24
	}
	return n
}
