package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// contractRun is what the commands have in common that have a chain run a contract.
type contractRun struct {
	evidence  evidenceOf
	dialect   string
	questions []string
	force     bool
}

func (o *contractRun) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.evidence.file, "evidence", "", "source or bytecode that runs first, under the stricter rules of evidence; - reads a source from standard input")
	f.Var(&pushed{list: &o.evidence.pushes}, "push", "evidence that pushes a number, or bytes as 0x…, which other users of this machine can see; may be repeated, in order")
	f.Var(&pushed{list: &o.evidence.pushes, text: true}, "push-text", "evidence that pushes the bytes of a text, which other users of this machine can see; may be repeated, in order")
	f.StringVar(&o.dialect, "dialect", "", "the sources' dialect (default: what their first line says, or else the VM's)")
	f.StringArrayVar(&o.questions, "question", nil, "a question of the oracle that the contract can read, by its id; may be repeated (default: those that it asks for)")
	f.BoolVar(&o.force, "force", false, "send it, and show the evidence, even if the contract fails when it is run here first")
}

// check reads the flags.
func (o *contractRun) check() (questions [][32]byte, err error) {
	if o.evidence.file != "" && len(o.evidence.pushes) > 0 {
		return nil, coded(exitUsage, errors.New("--evidence and --push are two ways to give evidence; use one"))
	}
	for _, text := range o.questions {
		id, err := types.ParseHash(text)
		if err != nil {
			return nil, coded(exitUsage, fmt.Errorf("--question %q: its id has 64 hexadecimal digits; `alto oracle list` shows them", text))
		}
		questions = withQuestion(questions, id)
	}
	if len(questions) > types.MaxQuestions {
		return nil, coded(exitUsage, fmt.Errorf("%d questions; a contract can read %d", len(questions), types.MaxQuestions))
	}
	return questions, nil
}

// withQuestion adds a question to a list, which stays in order.
func withQuestion(list [][32]byte, id [32]byte) [][32]byte {
	n, there := slices.BinarySearchFunc(list, id, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
	if there {
		return list
	}
	return slices.Insert(slices.Clone(list), n, id)
}

// rehearsal runs a contract here, as the chain would in its next block, before anything is sent: what is sent is public, whatever comes
// of it.
type rehearsal struct {
	s         *session
	ref       *client.Reference
	m         *openVM
	p         *prepared
	own       map[string][]byte // what the run can read, besides answers and what all can read
	questions [][32]byte
	besides   uint64 // gas of the action, besides the run and the questions
	gas       uint64 // max_gas of the transaction

	params map[string][]byte
}

// The next block's clock, at least.
func nextClock(ref *client.Reference) uint64 { return ref.Clock + 1 }

// limit is the gas that the chain will give the run.
func (r *rehearsal) limit() uint64 {
	gas, besides := r.gas, r.besides+types.GasContractQuestion*uint64(len(r.questions))
	if gas == 0 {
		gas = client.DefaultGas
	}
	return min(r.m.runGas(&vmOptions{}), gas-min(gas, besides))
}

// missing is how a VM says what the environment does not have.
var missing = regexp.MustCompile(`\b(oracle|param):([^\s"]+)`)

// run runs the contract. Questions that it asks for are looked up, and added to those that the transaction names.
func (r *rehearsal) run(ctx context.Context) (*vm.Result, error) {
	for {
		res, err := r.once(ctx)
		if err != nil || res.Status == vm.OK {
			return res, err
		}
		found := missing.FindStringSubmatch(res.Error)
		switch {
		case found == nil:
			return res, nil
		case found[1] == "param" && r.params == nil:
			if err := r.learn(ctx); err != nil {
				return nil, err
			}
			continue
		case found[1] == "oracle" && len(r.questions) < types.MaxQuestions:
			if id, err := types.ParseHash(found[2]); err == nil && !slices.Contains(r.questions, [32]byte(id)) {
				r.questions = withQuestion(r.questions, id)
				continue
			}
		}
		return res, nil
	}
}

// learn reads the chain's parameters.
func (r *rehearsal) learn(ctx context.Context) error {
	list, _, err := r.s.Registry(ctx, r.s.chain)
	if err != nil {
		return err
	}
	r.params = map[string][]byte{}
	for _, e := range list.Params {
		if !e.Fixed {
			r.params[e.Name] = e.Value
		}
	}
	return nil
}

func (r *rehearsal) once(ctx context.Context) (*vm.Result, error) {
	own := maps.Clone(r.own)
	for _, id := range r.questions {
		rec, err := r.question(ctx, id)
		if err != nil {
			return nil, err
		}
		name, value := contract.Answer(id, rec)
		own[name] = value
	}
	rules := contract.New(nil).Slots(r.ref.Params.GenesisTimeMs, r.ref.Params.SlotMs)
	common := rules.Common(&module.Block{Chain: r.ref.Chain, Height: r.ref.Height + 1, Slot: r.ref.Slot, Clock: nextClock(r.ref), Params: r.params})
	r.p.run.Environment, r.p.run.GasLimit = own, r.limit()
	res, err := r.m.RunBatch(ctx, vm.Batch{Environment: common, Runs: []vm.Run{r.p.run}, Diagnostics: true})
	if err != nil {
		return nil, err
	}
	if len(res) != 1 {
		return nil, fmt.Errorf("the vm gave %d results for one run", len(res))
	}
	return &res[0], nil
}

// question looks a question up; nil is one that the oracle does not know, or that no oracle is there for.
func (r *rehearsal) question(ctx context.Context, id types.Hash) (*oracle.Record, error) {
	if !slices.Contains(r.ref.Params.Modules, oracle.ModuleName) {
		return nil, nil
	}
	v, _, err := r.s.Question(ctx, r.s.chain, id)
	if err != nil && strings.Contains(err.Error(), "ErrUnknownQuestion") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec := &oracle.Record{ID: id, State: v.State, Deposit: v.Deposit, Closed: v.ClosedAt}
	if v.Result != nil {
		rec.Result = *v.Result
	}
	return rec, nil
}

// notSent is how commands end that do not send what cannot succeed.
const notSent = "nothing was sent, and nobody has seen the evidence; --force sends it all the same"

// refuse says why a contract that fails is not sent.
func (r *rehearsal) refuse(ctx context.Context, res *vm.Result) error {
	text := failure(r.p, res)
	full := r.m.runGas(&vmOptions{})
	if given := r.p.run.GasLimit; given < full {
		r.gas = full + r.besides + types.GasContractQuestion*uint64(len(r.questions))
		if again, err := r.once(ctx); err == nil && again.Status == vm.OK {
			text += fmt.Sprintf("it has %d gas, and needs %d: give it --gas %d\n", given, again.Gas, again.Gas+again.Gas/8+r.gas-full)
		}
	}
	return coded(exitConfig, fmt.Errorf("the contract would fail now: %s\n%s", notSent, strings.TrimSuffix(text, "\n")))
}
