package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// upFaulty starts the network behind a fault proxy, with the supervisor in this process. The faults begin when it is up.
func upFaulty(ctx context.Context, o options) (_ *network, err error) {
	faults, err := faultproxy.ParseFaults(o.faults)
	if err != nil {
		return nil, err
	}
	if o.alto, err = filepath.Abs(o.alto); err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "alto-bench-")
	if err != nil {
		return nil, err
	}
	n := &network{}
	undo := []func() error{func() error { return os.RemoveAll(home) }}
	n.down = func() error {
		var errs []error
		for _, c := range n.nodes {
			c.Close()
		}
		for i := range undo {
			errs = append(errs, undo[len(undo)-1-i]())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.down())
		}
	}()
	spec, diags := chainspec.Load(o.spec, chainspec.Options{Schemas: builtin.Describe()})
	if diags.HasErrors() {
		return nil, diags.Err()
	}
	local, err := spec.Network("")
	if err != nil {
		return nil, err
	}
	b, err := load.NewBehind(home, local.Nodes)
	if err != nil {
		return nil, err
	}
	dir, state, _, err := localnet.Prepare(localnet.Plan{Home: home, Spec: spec, Network: local, Schemas: builtin.Describe(), Adjust: b.Adjust})
	if err != nil {
		return nil, err
	}
	n.state = state
	proxy, err := b.Proxy(state, o.seed)
	if err != nil {
		return nil, err
	}
	undo = append(undo, proxy.Close)
	sup, err := localnet.NewSupervisor(dir, localnet.Options{Exe: o.alto})
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() error {
		cctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return sup.Close(cctx)
	})
	if err := sup.StartAll(ctx); err != nil {
		return nil, err
	}
	for _, x := range state.Nodes {
		c, err := client.New(x.API, client.Options{Timeout: 2 * time.Minute})
		if err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, c)
	}
	fctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, err := range n.nodes[0].WatchFinal(fctx, state.Chains[0].ID.String(), 1, client.DetailHeader) {
		if err != nil {
			return nil, err
		}
		break
	}
	fmt.Printf("%d nodes behind a fault proxy with seed %d: %s\n", len(state.Nodes), o.seed, faults)
	return n, proxy.SetFaults(faultproxy.Any, faultproxy.Any, faults)
}
