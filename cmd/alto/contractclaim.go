package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func (a *app) contractClaimCmd() *cobra.Command {
	var o sending
	var run contractRun
	c := &cobra.Command{
		Use: "claim LOCK CODE --from NAME", Short: "Have a lock shared out by its contract",
		Long: "Shows the contract that a lock is for, has the chain run it on evidence, and the amount shared out as it says; a contract may ask for a delay,\n" +
			"in which a claim with a higher nonce can take the place of this one. The sender must be one of the lock's two participants. CODE and the\n" +
			"evidence are sources, compiled for the chain, or bytecode (.bin, .hex). The contract runs here first, and a claim that would fail now is not\n" +
			"sent: the evidence of a claim that the chain refuses is public, too. Claim well before the deadline. If the contract fails on the chain the\n" +
			"lock stays, and the fee is paid. Questions of the oracle that the contract asks for are found out, and named in the claim.",
		Example: "  alto contract claim 9c1f… htlc.fs --evidence secret.fs --from alice\n  alto contract claim 9c1f… htlc.fs --push 0 --from bob\n  alto contract claim 9c1f… oracle-bet.fs --from alice",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := lockArg(args[0])
			if err != nil {
				return err
			}
			questions, err := run.check()
			if err != nil {
				return err
			}
			s, tx, err := a.send(c.Context(), &o, types.ModuleContract, func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error) {
				l, err := s.Lock(c.Context(), s.chain, id)
				if err != nil {
					return nil, err
				}
				body := types.ClaimBody{Lock: id}
				err = chainVM(c.Context(), s, func(m *openVM) error {
					r := &rehearsal{s: s, ref: ref, m: m, own: contract.Shared(self, id, &l.Lock), questions: questions, besides: types.GasContractClaim, gas: o.gas}
					if err := a.claimWith(c.Context(), r, &run, &l, self, args[1]); err != nil {
						return err
					}
					body.Code, body.Evidence, body.Questions = r.p.run.Code, r.p.run.Evidence, r.questions
					return nil
				})
				return []types.Action{{Name: types.ActionClaim, Body: body.Encode()}}, err
			})
			return a.sentContract(s, tx, err)
		},
	}
	sendFlags(c, &o)
	run.flags(c)
	return c
}

// claimWith prepares a claim. Unless it is forced, one that the chain would refuse now is an error.
func (a *app) claimWith(ctx context.Context, r *rehearsal, o *contractRun, l *types.LockView, self types.AccountID, path string) error {
	code, loaded, err := a.contractOf(ctx, r.m, path, o.dialect)
	if err != nil {
		return err
	}
	if loaded.CodeHash != l.Code {
		return coded(exitConfig, fmt.Errorf("%s is the contract %x, lock %s is for %s: show the contract that was locked for", path, loaded.CodeHash, l.ID, l.Code))
	}
	if err := contract.MayClaim(nextClock(r.ref), self, l.ID, &l.Lock, code.code); err != nil && !o.force {
		return coded(exitConfig, fmt.Errorf("the chain would refuse the claim: %w: %s", err, notSent))
	}
	evidence, err := o.evidence.program(ctx, a, r.m, o.dialect)
	if err != nil {
		return err
	}
	return a.rehearse(ctx, r, o, code, evidence, func(res *vm.Result) error {
		err := contract.Judge(nextClock(r.ref), &l.Lock, res)
		if err == nil {
			return nil
		}
		return coded(exitConfig, fmt.Errorf("the chain would refuse the claim: %w: %s", err, notSent))
	})
}

// rehearse runs a contract here. Unless it is forced, one that fails, or whose results judge refuses, is an error.
func (a *app) rehearse(ctx context.Context, r *rehearsal, o *contractRun, code, evidence *vmProgram, judge func(*vm.Result) error) error {
	r.p = &prepared{code: code, evidence: evidence, run: vm.Run{Code: code.code}}
	if evidence != nil {
		r.p.run.Evidence = evidence.code
	}
	res, err := r.run(ctx)
	switch {
	case err != nil && o.force:
		a.progress("warning: the contract could not be run here first: %v", err)
		return nil
	case err != nil:
		return fmt.Errorf("run the contract here first: %w; --force sends it without that", err)
	case o.force:
		return nil
	case res.Status != vm.OK:
		return r.refuse(ctx, res)
	}
	return judge(res)
}
