package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// badNetwork is what --faults puts between the nodes of a network. It is nil without the flag.
type badNetwork struct {
	behind *load.Behind
	faults faultproxy.Faults
	seed   uint64
}

// randomSeed draws a seed that is short enough to be typed again.
func randomSeed() uint64 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return uint64(binary.BigEndian.Uint32(b[:]))
}

// badNetwork reads the flags; they are filled in for a process in the background, which must draw no other seed.
func (a *app) badNetwork(o *upOptions) (*badNetwork, error) {
	if o.faults == "" {
		if o.seeded {
			return nil, coded(exitUsage, errors.New("--fault-seed is for --faults FAULTS"))
		}
		return nil, nil
	}
	f, err := faultproxy.ParseFaults(o.faults)
	if err != nil {
		return nil, coded(exitUsage, fmt.Errorf("--faults: %w", err))
	}
	if !o.seeded {
		o.seed, o.seeded = randomSeed(), true
	}
	return &badNetwork{faults: f, seed: o.seed}, nil
}

// adjust makes a plan tell each node the proxy's addresses as those of its peers.
func (b *badNetwork) adjust(p *localnet.Plan) (err error) {
	if b == nil {
		return nil
	}
	if b.behind, err = load.NewBehind(p.Home, p.Network.Nodes); err != nil {
		return coded(exitFailed, fmt.Errorf("--faults: %w", err))
	}
	p.Adjust = func(n *chainspec.Node) {
		config, udp := n.Transport.Config, n.Transport.Plugin == "" || n.Transport.Plugin == "udp"
		b.behind.Adjust(n)
		if !udp { // another transport has no bulk port to fix, and no attribute for it
			n.Transport.Config = config
		}
	}
	return nil
}

// start starts the proxy, with nothing wrong yet, so that the network can come up.
func (b *badNetwork) start(s *localnet.State) (*faultproxy.Proxy, error) {
	if b == nil {
		return nil, nil
	}
	p, err := b.behind.Proxy(s, b.seed)
	if err != nil && runtime.GOOS != "linux" {
		err = fmt.Errorf("%w; each node has an address of its own from 127.77.0.10 on, and only Linux has these without being told: "+
			"make them first, on macOS by `sudo ifconfig lo0 alias 127.77.0.10` and so on", err)
	}
	if err != nil {
		return nil, coded(exitFailed, fmt.Errorf("--faults: %w", err))
	}
	return p, nil
}

// begin sets the faults of a network that is up.
func (b *badNetwork) begin(p *faultproxy.Proxy, tell func(string, ...any)) error {
	if b == nil {
		return nil
	}
	if err := p.SetFaults(faultproxy.Any, faultproxy.Any, b.faults); err != nil {
		return err
	}
	tell("faults on all links, seed %d: %s; `alto net faults show` has the counters", b.seed, b.faults)
	return nil
}
