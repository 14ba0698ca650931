package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// devSpec is the chain of alto dev: one node, one producer, and two accounts with something to spend.
const devSpec = `chain "dev" {
  consensus "dpospbft" {
    slot      = "500ms"
    producers = 1
  }
  vm        "forth" {}
  storage   "cometbftdb" {}
  oracle    "prophecy" {}
  transport "udp" {}

  genesis {
    token  = "ALTO"
    supply = 1000000000
    allocation "alice" { share = 50 }
    allocation "bob"   { share = 50 }
  }
}

network "dev" {
  nodes  = 1
  faucet = "alice"
}
`

func (a *app) devCmd() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "dev", Short: "Run a chain of one node, with funded accounts",
		Long: "Starts a chain of one node and one producer with the accounts alice and bob, prints where it listens, and runs until Ctrl-C. It begins anew\n" +
			"each time, unless --keep is given.",
		Example: "  alto dev\n  alto dev --keep\n  alto tx send --network dev --from alice --to bob --amount 1.5", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.dev(c.Context(), keep) },
	}
	c.Flags().BoolVar(&keep, "keep", false, "go on with the chain of the last time")
	return c
}

func (a *app) dev(ctx context.Context, keep bool) error {
	a.network = "dev"
	dir := localnet.Dir(a.home, "dev")
	if localnet.Running(dir) {
		return coded(exitFailed, fmt.Errorf("network dev: %w; `alto down --network dev` ends it", localnet.ErrRunning))
	}
	if !keep {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return coded(exitConfig, err)
	}
	path := filepath.Join(dir, "dev.hcl")
	if err := os.WriteFile(path, []byte(devSpec), 0o600); err != nil {
		return coded(exitConfig, err)
	}
	l, diags, err := a.read(path, nil)
	if err != nil {
		return err
	}
	if diags.HasErrors() { // what it warns of, that one producer tolerates no fault, is what this command is for
		return told(exitConfig, a.showDiagnostics(diags))
	}
	plan, err := a.plan(l)
	if err != nil {
		return err
	}
	started := time.Now()
	_, s, _, err := localnet.Prepare(plan)
	if err != nil {
		return coded(exitConfig, err)
	}
	sup, err := localnet.NewSupervisor(dir, localnet.Options{})
	if err != nil {
		return err
	}
	defer func() {
		cctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if cerr := sup.Close(cctx); cerr != nil {
			a.progress("alto: %v", cerr)
		}
	}()
	sctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	go func() { // `alto down` while it comes up
		select {
		case <-sup.Down():
			cancel()
		case <-sctx.Done():
		}
	}()
	if err := sup.StartAll(sctx); err != nil {
		return startFailed(ctx, sctx, err)
	}
	if err := waitFinal(sctx, s, func(string, ...any) {}); err != nil {
		return startFailed(ctx, sctx, err)
	}
	cancel()
	fmt.Fprintf(a.out, "chain dev  %s\n  api      http://%s\n", s.Chains[0].ID, s.Nodes[0].API)
	for _, name := range []string{"alice", "bob"} {
		id, err := a.account(name, dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "  %-8s %s  500000000 ALTO\n", name, id)
	}
	fmt.Fprintf(a.out, "  try      alto tx send --network dev --from alice --to bob --amount 1.5\n  up after %.1f s; Ctrl-C ends it\n", time.Since(started).Seconds())
	go a.liveLine(ctx, s, sup.Down())
	select {
	case <-ctx.Done():
	case <-sup.Down():
	}
	fmt.Fprintln(a.err)
	return nil
}
