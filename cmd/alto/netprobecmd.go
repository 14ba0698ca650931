package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// probeView is a measurement as alto net probe prints it. Rates are bytes a second; 0 was not measured.
type probeView struct {
	From      string        `json:"from"`
	To        string        `json:"to"`
	Sent      int           `json:"sent"`
	Lost      int           `json:"lost"`
	Reordered int           `json:"reordered"`
	Min       time.Duration `json:"min_ns"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	Out       uint64        `json:"out"`
	In        uint64        `json:"in"`
}

func (a *app) netProbeCmd() *cobra.Command {
	var datagrams int
	c := &cobra.Command{
		Use: "probe NODE NODE", Short: "Measure the link between two nodes",
		Long: "Makes the first node measure its link to the second: round trips, what is lost and what comes out of order of so many datagrams, and\n" +
			"the goodput both ways. This costs traffic, so it takes the token that lies in the node's folder, and a node makes one measurement at a\n" +
			"time. `alto net topology` shows what the links have seen without sending anything.",
		Example: "  alto net probe node-0 node-1\n  alto net probe node-0 node-3 --datagrams 1000\n  alto net probe node-2 node-1 -o json", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if datagrams < 1 || datagrams > api.MaxProbe {
				return coded(exitUsage, fmt.Errorf("--datagrams %d: a probe has 1 to %d", datagrams, api.MaxProbe))
			}
			s, dir, err := a.state()
			if err != nil {
				return err
			}
			for _, name := range args {
				if err := knownNode(s, name); err != nil {
					return err
				}
			}
			if args[0] == args[1] {
				return coded(exitUsage, fmt.Errorf("%s has no link to itself; name two nodes", args[0]))
			}
			p, err := probe(c.Context(), s, dir, args[0], args[1], datagrams)
			if err != nil {
				return err
			}
			return a.printProbe(probeView{From: args[0], To: args[1], Sent: p.Sent, Lost: p.Lost, Reordered: p.Reordered, Min: p.Min, P50: p.P50, P99: p.P99, Out: p.Out, In: p.In})
		},
	}
	c.Flags().IntVar(&datagrams, "datagrams", api.DefaultProbe, "how many datagrams to measure with, at most 1000")
	return c
}

// knownNode refuses a name that no node of the network has.
func knownNode(s *localnet.State, name string) error {
	names := nodeNames(s)
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return coded(exitUsage, fmt.Errorf("network %s has no node %q%s; `alto node list` shows them", s.Name, name, didYouMean(name, names)))
}

// probe makes a node of a local network measure its link to another.
func probe(ctx context.Context, s *localnet.State, dir, from, to string, datagrams int) (api.Probe, error) {
	if !localnet.Running(dir) {
		return api.Probe{}, coded(exitUnhealthy, fmt.Errorf("network %s: %w; `alto up` starts it", s.Name, localnet.ErrNotRunning))
	}
	home := localnet.NodeDir(dir, from)
	token, err := api.ReadToken(localnet.AdminToken(home))
	if err != nil {
		return api.Probe{}, coded(exitUnhealthy, fmt.Errorf("node %s: %w; a node makes it when it starts", from, err))
	}
	c, err := client.New(localnet.AdminAddress(home), client.Options{Token: token})
	if err != nil {
		return api.Probe{}, err
	}
	defer c.Close()
	var id string
	for _, n := range s.Nodes {
		if n.Name == to {
			id = n.Key.Hash().String()
		}
	}
	p, err := c.Probe(ctx, id, datagrams)
	switch {
	case errors.Is(err, api.ErrNotConnected):
		return p, coded(exitUnhealthy, fmt.Errorf("%s has no connection with %s; `alto net topology` shows all links, `alto logs %s` tells what became of it", from, to, from))
	case errors.Is(err, api.ErrBusy):
		return p, coded(exitFailed, fmt.Errorf("%s is measuring another link; try again when it is done", from))
	case connect.CodeOf(err) == connect.CodeUnavailable:
		return p, coded(exitUnhealthy, fmt.Errorf("node %s does not answer: %w; `alto node restart %s` starts it again", from, err, from))
	}
	return p, err
}

func (a *app) printProbe(v probeView) error {
	return a.print(v, func() {
		fmt.Fprintf(a.out, "%s -> %s\n  round trip  min %s  p50 %s  p99 %s\n  datagrams   %d sent, %d lost (%s), %d out of order\n  goodput     %s out, %s in\n",
			v.From, v.To, spanText(v.Min), spanText(v.P50), spanText(v.P99), v.Sent, v.Lost, percentText(share(v.Lost, v.Sent)), v.Reordered, rateText(v.Out), rateText(v.In))
	})
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// spanText writes a round trip with as many digits as mean something; "-" if it is not known.
func spanText(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 100*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func percentText(share float64) string { return fmt.Sprintf("%.2f%%", 100*share) }

// rateText writes bytes a second; "-" if it was not measured.
func rateText(v uint64) string {
	switch {
	case v == 0:
		return "-"
	case v < 10_000:
		return fmt.Sprintf("%d B/s", v)
	case v < 10_000_000:
		return fmt.Sprintf("%.1f kB/s", float64(v)/1e3)
	}
	return fmt.Sprintf("%.1f MB/s", float64(v)/1e6)
}
