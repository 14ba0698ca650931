// Command finality measures how long after the start of its slot a block becomes irreversible on a network of this machine, as a
// node's API tells it.
//
//	go build -o bin/alto ./cmd/alto
//	go run ./bench/finality -alto bin/alto -blocks 200
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/load"
)

func main() {
	alto := flag.String("alto", "bin/alto", "the alto binary")
	spec := flag.String("spec", "examples/quickstart.hcl", "the spec of the network")
	blocks := flag.Int("blocks", 200, "how many blocks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *alto, *spec, *blocks); err != nil {
		fmt.Fprintln(os.Stderr, "finality:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, alto, spec string, blocks int) (err error) {
	net, err := load.Up(ctx, alto, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Down()) }()
	fmt.Printf("from the command to the first final block on all nodes: %.2f s\n", net.Took.Seconds())
	chain := net.State.Chains[0].ID.String()
	ref, err := net.Nodes[0].Reference(ctx, chain)
	if err != nil {
		return err
	}
	wctx, cancel := context.WithTimeout(ctx, time.Duration(blocks+60)*2*time.Duration(ref.Params.SlotMs)*time.Millisecond)
	defer cancel()
	var delays []time.Duration
	first, last := uint64(0), uint64(0)
	for b, err := range net.Nodes[0].WatchFinal(wctx, chain, ref.Height+2, client.DetailHeader) {
		if err != nil {
			return err
		}
		if first == 0 {
			first = b.Header.Slot
		}
		last = b.Header.Slot
		delays = append(delays, time.Since(time.UnixMilli(int64(ref.Params.SlotTimeMs(b.Header.Slot)))))
		if len(delays) >= blocks {
			break
		}
	}
	slices.Sort(delays)
	at := func(p float64) float64 {
		return delays[min(int(p*float64(len(delays))), len(delays)-1)].Seconds() * 1000
	}
	fmt.Printf("%d blocks in %d slots; from the slot's start to irreversible: p50 %.0f ms, p90 %.0f ms, p99 %.0f ms, max %.0f ms\n", len(delays), last-first+1, at(.5),
		at(.9), at(.99), at(1))
	return nil
}
