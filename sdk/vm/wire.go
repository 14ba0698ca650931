package vm

import (
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

// The messages of a batch lie in one piece of memory, so that there is no allocation for each.

func runToProto(m *vmv1.Run, r *Run) *vmv1.Run {
	m.Code, m.ByHash, m.Evidence, m.Environment, m.GasLimit = r.Code, r.ByHash, r.Evidence, r.Environment, r.GasLimit
	return m
}

func runFromProto(r *vmv1.Run) Run {
	return Run{Code: r.GetCode(), ByHash: r.GetByHash(), Evidence: r.GetEvidence(), Environment: r.GetEnvironment(), GasLimit: r.GetGasLimit()}
}

// resultToProto leaves the texts out unless they are wanted.
func resultToProto(m *vmv1.RunResult, r *Result, texts bool) *vmv1.RunResult {
	m.Status, m.Stack, m.Gas, m.Convention, m.Space = uint32(r.Status), r.Stack, r.Gas, uint32(r.Convention), r.Space
	if r.Status != OK {
		m.Pc, m.GasUsed, m.Evidence = r.PC, r.GasUsed, r.Evidence
	}
	if r.Status != OK && texts {
		m.Error, m.Word, m.Top = cut(r.Error, MaxErrorBytes), cut(r.Word, MaxWordBytes), fitTop(r.Top)
	}
	return m
}

func fitTop(top []string) []string {
	if len(top) == 0 {
		return nil
	}
	return fitStack(top, MaxTop)
}

// resultFromProto takes an answer to a run, checked, and what of its texts was wanted.
func resultFromProto(run *Run, r *vmv1.RunResult, texts bool) (Result, error) {
	out := Result{Status: Status(r.GetStatus()), Stack: r.GetStack(), Gas: r.GetGas(), Convention: Convention(r.GetConvention()), Space: r.GetSpace()}
	if out.Status != OK {
		out.PC, out.GasUsed, out.Evidence = r.GetPc(), r.GetGasUsed(), r.GetEvidence()
	}
	if out.Status != OK && texts {
		out.Error, out.Word, out.Top = cut(r.GetError(), MaxErrorBytes), cut(r.GetWord(), MaxWordBytes), fitTop(r.GetTop())
	}
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
