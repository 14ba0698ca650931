package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// session is a node that answers, and the network and chain that a command is about.
type session struct {
	*client.Client
	node  string
	chain string // name or id
	dir   string // of the network; empty if an address was given
	state *localnet.State
}

// target is which node and chain a command speaks to.
type target struct{ node, chain, api string }

// connect finds a node that answers. Without --node it is the first that does.
func (a *app) connect(ctx context.Context, t target) (*session, error) {
	if t.api != "" {
		c, err := client.New(t.api, client.Options{})
		if err != nil {
			return nil, coded(exitUsage, err)
		}
		s := &session{Client: c, node: t.api, chain: t.chain}
		return s, s.chooseChain(ctx)
	}
	st, dir, err := a.state()
	if err != nil {
		return nil, err
	}
	var why []error
	for _, n := range st.Nodes {
		if t.node != "" && n.Name != t.node {
			continue
		}
		c, err := client.New(n.API, client.Options{})
		if err != nil {
			return nil, err
		}
		pctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err = nodeStatus(pctx, n)
		cancel()
		if err != nil {
			c.Close()
			why = append(why, fmt.Errorf("%s: %w", n.Name, err))
			continue
		}
		s := &session{Client: c, node: n.Name, chain: t.chain, dir: dir, state: st}
		return s, s.chooseChain(ctx)
	}
	if len(why) == 0 {
		return nil, coded(exitUsage, fmt.Errorf("network %s has no node %q; it has %s", st.Name, t.node, strings.Join(nodeNames(st), ", ")))
	}
	if !localnet.Running(dir) {
		return nil, coded(exitUnhealthy, fmt.Errorf("network %s: %w; `alto up` starts it", st.Name, localnet.ErrNotRunning))
	}
	return nil, coded(exitUnhealthy, fmt.Errorf("no node of network %s answers: %w", st.Name, errors.Join(why...)))
}

func nodeNames(s *localnet.State) []string {
	var out []string
	for _, n := range s.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// chooseChain checks the chain, or takes the only one, or the only root.
func (s *session) chooseChain(ctx context.Context) error {
	list, err := s.Chains(ctx)
	if err != nil {
		return coded(exitUnhealthy, err)
	}
	var names, roots []string
	for _, c := range list {
		names = append(names, c.Name)
		if c.Parent.IsZero() {
			roots = append(roots, c.Name)
		}
		if s.chain == c.Name || s.chain == c.ID.String() {
			return nil
		}
	}
	switch {
	case s.chain != "":
		return coded(exitConfig, fmt.Errorf("node %s runs no chain %q; it has %s%s", s.node, s.chain, strings.Join(names, ", "), didYouMean(s.chain, names)))
	case len(list) == 1:
		s.chain = names[0]
	case len(roots) == 1:
		s.chain = roots[0]
	default:
		return coded(exitUsage, fmt.Errorf("there are several chains (%s); choose one with --chain NAME", strings.Join(names, ", ")))
	}
	return nil
}

// keyFolders are where names of accounts are looked up: the user's own keys first, then those of the network.
func (a *app) keyFolders(dir string) []string {
	out := []string{filepath.Join(a.home, "keys")}
	if dir != "" {
		out = append(out, localnet.KeysDir(dir))
	}
	return out
}

// account turns a name or an address into an account.
func (a *app) account(text, dir string) (types.AccountID, error) {
	if strings.HasPrefix(text, "alto1") {
		id, err := types.ParseAccountID(text)
		return id, coded(exitUsage, err)
	}
	e, _, err := a.findKey(text, dir)
	if err == nil {
		return types.SingleKeyAuthority(e.Public).ID(), nil
	}
	if k, ok := nodePublic(text, dir); ok {
		return types.SingleKeyAuthority(k).ID(), nil
	}
	return types.AccountID{}, err
}

// findKey finds an account key by name.
func (a *app) findKey(name, dir string) (signer.Entry, string, error) {
	var names []string
	for _, folder := range a.keyFolders(dir) {
		if _, err := os.Stat(folder); err != nil {
			continue
		}
		store, err := signer.OpenKeystore(folder, signer.KeystoreOptions{})
		if err != nil {
			return signer.Entry{}, "", coded(exitConfig, err)
		}
		e, err := store.Entry(name)
		if err == nil {
			return e, folder, nil
		}
		if !errors.Is(err, signer.ErrNoKey) && !errors.Is(err, signer.ErrBadName) {
			return signer.Entry{}, "", coded(exitConfig, err)
		}
		have, err := walletNames(folder)
		if err != nil {
			return signer.Entry{}, "", coded(exitConfig, err)
		}
		names = append(names, have...)
	}
	sort.Strings(names)
	return signer.Entry{}, "", coded(exitConfig, fmt.Errorf("no account is called %q%s; there are %s; `alto keys new %s` makes one, and an address (alto1…) works everywhere",
		name, didYouMean(name, names), strings.Join(names, ", "), name))
}

// wallet opens an account key by name. An encrypted one takes its passphrase from ALTO_PASSPHRASE.
func (a *app) wallet(name, dir string) (localnet.Wallet, error) {
	e, folder, err := a.findKey(name, dir)
	if err != nil {
		if w, ok, nerr := a.nodeWallet(name, dir); ok {
			return w, nerr
		}
		return localnet.Wallet{}, err
	}
	pass := os.Getenv("ALTO_PASSPHRASE")
	if e.Encrypted && pass == "" {
		return localnet.Wallet{}, coded(exitConfig, fmt.Errorf("key %q is encrypted: set ALTO_PASSPHRASE", name))
	}
	w, err := localnet.OpenWallet(folder, name, pass)
	return w, coded(exitConfig, err)
}
