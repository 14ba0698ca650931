package main

import (
	"context"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// demo sends a transfer between two accounts of the first chain and tells when it is final on every node.
func (a *app) demo(ctx context.Context, dir string, s *localnet.State, tell func(string, ...any)) error {
	entries, err := walletNames(localnet.KeysDir(dir))
	if err != nil {
		return err
	}
	if len(entries) < 2 {
		return fmt.Errorf("demo: the network has no two accounts with keys of its own")
	}
	from, err := localnet.OpenWallet(localnet.KeysDir(dir), entries[0], "")
	if err != nil {
		return err
	}
	to, err := localnet.OpenWallet(localnet.KeysDir(dir), entries[1], "")
	if err != nil {
		return err
	}
	chain := s.Chains[0]
	c, err := client.New(s.Nodes[0].API, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	amount := uint64(3 * unit / 2)
	env, _, err := c.Make(ctx, chain.ID.String(), from.Account(), "bank", oneTransfer(to.Account(), amount), client.BuildOptions{}, from)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	sent := time.Now()
	tx, err := c.SubmitAndWait(ctx, chain.ID.String(), env, api.Final)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	took := time.Since(sent)
	tell("transfer of %s from %s to %s on chain %s: %s in block %d, final after %d ms", amountText(amount), entries[0], entries[1], chain.Name,
		tx.Receipt.Status, tx.Height, took.Milliseconds())
	for _, n := range s.Nodes[1:] {
		o, err := client.New(n.API, client.Options{})
		if err != nil {
			return err
		}
		got, lost, err := o.WaitTx(ctx, chain.ID.String(), tx.ID, api.Final, 0)
		o.Close()
		if err != nil || lost || got.Height != tx.Height {
			return fmt.Errorf("demo: node %s does not have the transfer in block %d: %w", n.Name, tx.Height, orMissing(err))
		}
	}
	tell("all %d nodes have it", len(s.Nodes))
	return nil
}

func orMissing(err error) error {
	if err == nil {
		return fmt.Errorf("it has another block")
	}
	return err
}
