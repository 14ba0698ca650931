// Command throughput measures how many signed transfers a second become final on a network of this machine, as a share of the
// signature limit: the machine's rate of batch verification, measured in the same run, divided by the number of nodes, since
// every node verifies every signature once.
//
//	go build -o bin/alto ./cmd/alto
//	go run ./bench/throughput -alto bin/alto -n 20000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/paloalto-chain/paloalto/internal/load"
)

func main() {
	alto := flag.String("alto", "bin/alto", "the alto binary")
	spec := flag.String("spec", "examples/quickstart.hcl", "the spec of the network")
	n := flag.Int("n", 20_000, "transfers in each round")
	rounds := flag.Int("rounds", 3, "rounds; the first warms up and does not count")
	inproc := flag.Bool("inproc", false, "run the plugins inside the nodes, to see what their processes cost")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *alto, *spec, *n, *rounds, *inproc); err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, alto, spec string, n, rounds int, inproc bool) (err error) {
	var env []string
	if inproc {
		env = append(env, "ALTO_IN_PROCESS=1")
	}
	net, err := load.Up(ctx, alto, spec, env...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Down()) }()
	chain := net.State.Chains[0].ID.String()
	var best float64
	for r := range rounds {
		b, err := load.Sign(ctx, net.Nodes[0], chain, net.Accounts, n)
		if err != nil {
			return err
		}
		rate, err := load.VerifyRate(b, time.Second)
		if err != nil {
			return err
		}
		before := cpuTimes(ctx, net)
		rctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		res, err := load.Send(rctx, net.Nodes, b)
		cancel()
		if err != nil {
			return err
		}
		limit := rate / float64(len(net.Nodes))
		label := fmt.Sprintf("round %d", r)
		if r == 0 && rounds > 1 {
			label = "warm-up"
		} else {
			best = max(best, res.PerSecond()/limit)
		}
		fmt.Printf("%s: %d final in %.2f s = %.0f/s, in %d blocks; refused %v, failed %d; signature limit %.0f/s ÷ %d nodes = %.0f/s; share %.2f\n", label, res.Final,
			res.Elapsed.Seconds(), res.PerSecond(), res.Blocks, res.Refused, res.Failed, rate, len(net.Nodes), limit, res.PerSecond()/limit)
		fmt.Printf("  processor time, all nodes together: %s\n", cpuText(before, cpuTimes(ctx, net)))
	}
	ref, err := net.Nodes[0].Reference(ctx, chain)
	if err != nil {
		return err
	}
	root, err := load.SameState(ctx, net.Nodes, chain, ref.Height)
	if err != nil {
		return err
	}
	fmt.Printf("all %d nodes have state root %s after block %d; best share of the signature limit %.2f\n", len(net.Nodes), root.Short(), ref.Height, best)
	return nil
}
