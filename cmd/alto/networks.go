package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// state finds the network that a command is about: the one that --network names, the only one, or the only one that runs.
func (a *app) state() (*localnet.State, string, error) {
	if a.network != "" {
		dir := localnet.Dir(a.home, a.network)
		s, err := localnet.ReadState(dir)
		if errors.Is(err, localnet.ErrNoNetwork) {
			err = fmt.Errorf("%w%s", err, didYouMean(a.network, a.networkNames()))
		}
		return s, dir, coded(exitConfig, err)
	}
	names := a.networkNames()
	if len(names) > 1 {
		var running []string
		for _, n := range names {
			if localnet.Running(localnet.Dir(a.home, n)) {
				running = append(running, n)
			}
		}
		if len(running) != 1 {
			return nil, "", coded(exitUsage, fmt.Errorf("there are several networks (%s); choose one with --network NAME", strings.Join(names, ", ")))
		}
		names = running
	}
	if len(names) == 0 {
		return nil, "", coded(exitConfig, fmt.Errorf("%w: none was made in %s yet; `alto up SPEC` makes one", localnet.ErrNoNetwork, a.home))
	}
	dir := localnet.Dir(a.home, names[0])
	s, err := localnet.ReadState(dir)
	return s, dir, coded(exitConfig, err)
}

func (a *app) networkNames() []string {
	files, err := filepath.Glob(filepath.Join(a.home, "networks", "*", "network.json"))
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range files {
		out = append(out, filepath.Base(filepath.Dir(f)))
	}
	sort.Strings(out)
	return out
}

// walletNames returns the names of the account keys in a folder, in order.
func walletNames(dir string) ([]string, error) {
	store, err := signer.OpenKeystore(dir, signer.KeystoreOptions{})
	if err != nil {
		return nil, err
	}
	list, err := store.List()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range list {
		if e.Err == nil && e.Role == signer.RoleWallet {
			out = append(out, e.Name)
		}
	}
	return out, nil
}

// oneTransfer is the actions of a transaction that moves tokens once.
func oneTransfer(to types.AccountID, amount uint64) []types.Action {
	return []types.Action{client.Transfer(to, amount, nil)}
}

func (a *app) downCmd() *cobra.Command {
	var wipe, yes bool
	c := &cobra.Command{
		Use:   "down",
		Short: "End a network that runs on this machine",
		Long: "Ends every node and plugin of the network and waits until nothing of it is left. The data stays, unless --wipe is given, which asks\n" +
			"first.",
		Example: "  alto down\n  alto down --network local\n  alto down --wipe --yes     remove its chains and keys as well",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.down(c.Context(), wipe, yes) },
	}
	c.Flags().BoolVar(&wipe, "wipe", false, "remove the network's data and keys")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *app) down(ctx context.Context, wipe, yes bool) error {
	s, dir, err := a.state()
	if err != nil {
		return err
	}
	if wipe && !yes {
		ok, err := a.confirm(fmt.Sprintf("Remove network %s with its chains and keys, in %s?", s.Name, dir))
		if err != nil {
			return err
		}
		if !ok {
			return coded(exitFailed, errors.New("nothing was removed"))
		}
	}
	cctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = localnet.NewControl(dir).Down(cctx)
	switch {
	case errors.Is(err, localnet.ErrNotRunning) && !localnet.Running(dir):
		a.progress("network %s is not running", s.Name)
	case err != nil:
		return err
	default:
		a.progress("network %s has ended", s.Name)
	}
	if !wipe {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	a.progress("network %s is removed", s.Name)
	return nil
}

// confirm asks a question on a terminal. A script gets an error that names the flag.
func (a *app) confirm(question string) (bool, error) {
	f, ok := a.in.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return false, coded(exitUsage, errors.New("there is no terminal to ask on; say --yes if you are sure"))
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
