// Command finality measures how long after the start of its slot a block becomes irreversible on a network of this machine, as a
// node's API tells it, and how long after it a proposal leaves, as the nodes count it.
//
//	go build -o bin/alto ./cmd/alto
//	go run ./bench/finality -alto bin/alto -nodes 4 -blocks 1000
//	go run ./bench/finality -alto bin/alto -nodes 4 -blocks 1000 -faults "delay=50ms loss=1%"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

func main() {
	var o options
	flag.StringVar(&o.alto, "alto", "bin/alto", "the alto binary")
	flag.StringVar(&o.spec, "spec", "", "the spec of the network, instead of -nodes and -slot")
	flag.IntVar(&o.nodes, "nodes", 4, "how many nodes, each a producer")
	flag.DurationVar(&o.slot, "slot", 500*time.Millisecond, "the length of a slot")
	flag.IntVar(&o.blocks, "blocks", 200, "how many blocks")
	flag.StringVar(&o.faults, "faults", "", `what datagrams between nodes suffer, such as "delay=50ms loss=1%"; see internal/faultproxy`)
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the faults")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "finality:", err)
		os.Exit(1)
	}
}

type options struct {
	alto, spec    string
	nodes, blocks int
	slot          time.Duration
	faults        string
	seed          uint64
}

// network is what is measured.
type network struct {
	nodes []*client.Client
	state *localnet.State
	down  func() error
}

func run(ctx context.Context, o options) (err error) {
	if o.spec == "" {
		dir, err := os.MkdirTemp("", "bench-finality-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.spec = filepath.Join(dir, "spec.hcl")
		if err := os.WriteFile(o.spec, specOf(o), 0o600); err != nil {
			return err
		}
	}
	var net *network
	if o.faults != "" {
		net, err = upFaulty(ctx, o)
	} else {
		net, err = up(ctx, o)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.down()) }()
	before, err := proposals(ctx, net)
	if err != nil {
		return err
	}
	if err := measure(ctx, net, o.blocks); err != nil {
		return err
	}
	h, err := proposals(ctx, net)
	if err != nil {
		return err
	}
	h.Less(before)
	p50, count := h.At(.5)
	p99, _ := h.At(.99)
	fmt.Printf("%d proposals; from the slot's start until they leave: p50 ≤ %d ms, p99 ≤ %d ms (ends of buckets)\n", count, p50.Milliseconds(), p99.Milliseconds())
	return nil
}

func specOf(o options) []byte {
	return fmt.Appendf(nil, `
chain "root" {
  consensus "dpospbft" {
    slot      = %q
    producers = %d
  }
  vm "forth" {}
  storage "cometbftdb" { backend = "pebbledb" }
  oracle "prophecy" {}
  transport "udp" {}
}

network "local" { nodes = %[2]d }
`, o.slot, o.nodes)
}

// up starts the network as a user does.
func up(ctx context.Context, o options) (*network, error) {
	net, err := load.Up(ctx, o.alto, o.spec)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%d nodes; from the command to the first final block on all nodes: %.2f s\n", len(net.Nodes), net.Took.Seconds())
	return &network{net.Nodes, net.State, net.Down}, nil
}

// measure follows final blocks on the first node.
func measure(ctx context.Context, net *network, blocks int) error {
	chain := net.state.Chains[0].ID.String()
	ref, err := net.nodes[0].Reference(ctx, chain)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(blocks+60)*2*time.Duration(ref.Params.SlotMs)*time.Millisecond)
	defer cancel()
	var delays []time.Duration
	var before time.Time
	var gap time.Duration
	first, last := uint64(0), uint64(0)
	for b, err := range net.nodes[0].WatchFinal(ctx, chain, ref.Height+2, client.DetailHeader) {
		if err != nil {
			return err
		}
		now := time.Now()
		if first == 0 {
			first = b.Header.Slot
		} else {
			gap = max(gap, now.Sub(before))
		}
		before, last = now, b.Header.Slot
		delays = append(delays, now.Sub(time.UnixMilli(int64(ref.Params.SlotTimeMs(b.Header.Slot)))))
		if len(delays) >= blocks {
			break
		}
	}
	slices.Sort(delays)
	at := func(p float64) float64 {
		return delays[min(int(p*float64(len(delays))), len(delays)-1)].Seconds() * 1000
	}
	fmt.Printf("%d blocks in %d slots; from the slot's start to irreversible: p50 %.0f ms, p90 %.0f ms, p99 %.0f ms, max %.0f ms; longest gap %d ms\n", len(delays),
		last-first+1, at(.5), at(.9), at(.99), at(1), gap.Milliseconds())
	return nil
}

// proposals adds up what the nodes have counted.
func proposals(ctx context.Context, net *network) (load.Histogram, error) {
	h := load.Histogram{}
	for _, x := range net.state.Nodes {
		m, err := load.Scrape(ctx, x.API)
		if err != nil {
			return nil, err
		}
		h.Add(m, "alto_chain_proposal_delay_seconds")
	}
	return h, nil
}
