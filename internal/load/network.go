package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// Network is a network that was started for a measurement, with everything that it needs in a folder of its own.
type Network struct {
	Dir      string // of the network
	State    *localnet.State
	Nodes    []*client.Client
	Accounts []Account // with keys that were made for it
	Took     time.Duration
	home     string
	do       func(ctx context.Context, args ...string) error
}

// Up starts the network of a spec with an alto binary, in the background. env is added to its environment.
func Up(ctx context.Context, alto, spec string, env ...string) (_ *Network, err error) {
	home, err := os.MkdirTemp("", "alto-bench-")
	if err != nil {
		return nil, err
	}
	n := &Network{home: home}
	n.do = func(ctx context.Context, args ...string) error {
		c := exec.CommandContext(ctx, alto, args...)
		c.Env, c.Stderr = append(append(os.Environ(), env...), "ALTO_HOME="+home), os.Stderr
		return c.Run()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Down())
		}
	}()
	start := time.Now()
	if err := n.do(ctx, "up", spec, "--detach"); err != nil {
		return nil, fmt.Errorf("alto up: %w", err)
	}
	n.Took = time.Since(start)
	dirs, err := filepath.Glob(filepath.Join(home, "networks", "*"))
	if err != nil || len(dirs) != 1 {
		return nil, fmt.Errorf("no network in %s: %w", home, err)
	}
	n.Dir = dirs[0]
	if n.State, err = localnet.ReadState(n.Dir); err != nil {
		return nil, err
	}
	for _, x := range n.State.Nodes {
		c, err := client.New(x.API, client.Options{Timeout: 2 * time.Minute})
		if err != nil {
			return nil, err
		}
		n.Nodes = append(n.Nodes, c)
	}
	n.Accounts, err = Wallets(localnet.KeysDir(n.Dir))
	return n, err
}

// Down ends the network and removes its folder.
func (n *Network) Down() error {
	for _, c := range n.Nodes {
		c.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	if n.State != nil {
		err = n.do(ctx, "down")
	}
	return errors.Join(err, os.RemoveAll(n.home))
}

// Wallets opens the account keys of a folder that are not encrypted: those of a local network.
func Wallets(dir string) ([]Account, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		return nil, err
	}
	var out []Account
	for _, f := range files {
		w, err := localnet.OpenWallet(dir, strings.TrimSuffix(filepath.Base(f), ".key"), "")
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	if len(out) < 2 {
		return nil, fmt.Errorf("the network has no two accounts with keys, in %s", dir)
	}
	return out, nil
}
