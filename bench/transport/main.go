// Command transport measures transport-udp beside quic-go and kcp-go, through the same interface, sdk/transport, on loopback and
// behind the fault proxy: goodput in both directions of use (messages of 1 MiB on the bulk lane, of 200 bytes on the control
// lane), the latency of control messages while bulk runs, and the processor time of a byte. Every byte of every message is
// compared with what was sent. It is a module of its own, so that the others are no dependency of the product.
//
//	make bench-transport
//	cd bench/transport && go run . -cells 'd25-*' -time 5s
//	cd bench/transport && go run . -junk
//
// Each measurement has a process of its own with both nodes, and a proxy of its own in this process, whose draws are the same for
// all transports. Before each cell a raw pump of datagrams finds what the proxy can move; where a transport comes within 10 %
// of that, the proxy bounds the cell, and it is marked and does not count.
//
// A cell's delay, after the d of its name, is that of one direction in milliseconds, its loss, after the l, is in per cent; 2 % of the datagrams are reordered, by 5 ms, and 1 % duplicated, in both
// directions, like the loss. Datagrams larger than Ethernet's are dropped in the main table; the extra rows, jumbo, let all pass.
//
// The proxy stands for fixed ports: those of a node from its first on. A transport that opens further ports has to use
// these, as transport-udp does where it is told its bulk_port.
//
// With -junk a tap stands between the nodes instead, and junk goes to the port that the second node listens on: random
// bytes, datagrams of the nodes that are cut off, altered or repeated, and some of 60,000 bytes, three quarters from 64 addresses
// in 127.77.0.0/16 and the others from the very address at which the node knows its peer.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// childVariable tells a process that it is a child.
const childVariable = "PALOALTO_BENCH_CHILD"

type options struct {
	bytes              int64
	time               time.Duration
	cells, peers, work string
	seed               uint64
	mode, config, json string
	junk, strangers    bool
	noCeiling          bool
	rounds             int
	junkRate           int
}

func main() {
	if os.Getenv(childVariable) != "" {
		if err := childMain(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "transport, child:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.Int64Var(&o.bytes, "bytes", 64<<20, "bytes of messages that a workload moves at most")
	flag.DurationVar(&o.time, "time", 20*time.Second, "how long a workload takes at most")
	flag.StringVar(&o.cells, "cells", "", "cells by name or pattern, separated by commas, such as 'loopback,d25-*'; empty: all, the extra ones with bulk only")
	flag.StringVar(&o.peers, "peers", "udp,quic,kcp", "transports, the first beside the others, separated by commas: udp, quic, quic-stream, quic-2conn, kcp, kcp-clear")
	flag.StringVar(&o.work, "work", "bulk,small,messages,mixed", "workloads, separated by commas")
	flag.Uint64Var(&o.seed, "seed", 1, "of the proxy's decisions and of what is sent")
	flag.StringVar(&o.mode, "mode", defaultMode(), "of transport-udp")
	flag.StringVar(&o.config, "config", "", "further attributes of transport-udp, a JSON object; durations in nanoseconds, sizes in bytes")
	flag.StringVar(&o.json, "json", "", "write the results as JSON to this file as well")
	flag.BoolVar(&o.junk, "junk", false, "measure control messages under junk datagrams instead")
	flag.IntVar(&o.junkRate, "junk-rate", 10_000, "junk datagrams a second")
	flag.BoolVar(&o.strangers, "junk-strangers", false, "send junk from strangers' addresses only, never from the peer's")
	flag.BoolVar(&o.noCeiling, "no-ceiling", false, "do not measure what the proxy can move")
	flag.IntVar(&o.rounds, "rounds", 1, "how often each measurement is made; the median counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "transport:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	cells, err := choose(o.cells)
	if err != nil {
		return err
	}
	var cs []contender
	for name := range strings.SplitSeq(o.peers, ",") {
		c, err := contenderOf(name)
		if err != nil {
			return err
		}
		cs = append(cs, c)
	}
	r := &report{When: time.Now().UTC(), Seed: o.seed, Bytes: o.bytes, Time: o.time, Mode: o.mode, Peers: map[string]string{},
		Machine: fmt.Sprintf("%s %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	for _, c := range cs {
		r.Names = append(r.Names, c.name)
		r.Peers[c.name] = c.about(setting{Mode: o.mode, Config: o.config, MTU: ethernet})
	}
	r.head(os.Stdout)
	if o.junk {
		err = runJunk(ctx, o, cs, r)
	} else {
		err = runGrid(ctx, o, cells, cs, r)
	}
	if o.json != "" {
		b, jerr := json.MarshalIndent(r, "", "  ")
		if jerr == nil {
			jerr = os.WriteFile(o.json, append(b, '\n'), 0o644)
		}
		if err == nil {
			err = jerr
		}
	}
	return err
}
