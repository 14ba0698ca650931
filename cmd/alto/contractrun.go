package main

import (
	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func (a *app) contractRunCmd() *cobra.Command {
	var o sending
	var run contractRun
	c := &cobra.Command{
		Use: "run CODE --from NAME", Short: "Have the chain run a contract, and record what it comes to",
		Long: "Has the chain run a contract on evidence. Nothing is moved: the receipt has the results, and the hash of all that the contract could read, so\n" +
			"that everybody can see what it came to in which block. CODE and the evidence are sources, compiled for the chain, or bytecode (.bin, .hex). The\n" +
			"contract runs here first, and one that would fail now is not sent. `alto vm run` runs it without a chain.",
		Example: "  alto contract run sum.fs --push 5 --push 7 --from alice\n  alto contract run weather.fs --question 4be1… --from alice\n  alto contract run sum.hex --evidence five.fs --from alice -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			questions, err := run.check()
			if err != nil {
				return err
			}
			s, tx, err := a.send(c.Context(), &o, types.ModuleContract, func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error) {
				var body types.RunBody
				err := chainVM(c.Context(), s, func(m *openVM) error {
					code, _, err := a.contractOf(c.Context(), m, args[0], run.dialect)
					if err != nil {
						return err
					}
					evidence, err := run.evidence.program(c.Context(), a, m, run.dialect)
					if err != nil {
						return err
					}
					r := &rehearsal{s: s, ref: ref, m: m, own: contract.Alone(self), questions: questions, besides: types.GasContractRun, gas: o.gas}
					if err := a.rehearse(c.Context(), r, &run, code, evidence, func(*vm.Result) error { return nil }); err != nil {
						return err
					}
					body = types.RunBody{Code: code.code, Evidence: r.p.run.Evidence, Questions: r.questions}
					return nil
				})
				return []types.Action{{Name: types.ActionRun, Body: body.Encode()}}, err
			})
			return a.sentContract(s, tx, err)
		},
	}
	sendFlags(c, &o)
	run.flags(c)
	return c
}
