package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// topologyView is who is linked to whom, as alto net topology prints it.
type topologyView struct {
	Network  string            `json:"network"`
	Links    []linkView        `json:"links"`
	HeldBack map[string]uint64 `json:"held_back"`        // messages that a node did not send since too much waited for their receivers
	Silent   map[string]string `json:"silent,omitempty"` // nodes that do not answer, and why
}

// States of a directed link.
const (
	linkUp      = "up"
	linkDown    = "down"
	linkOneEnd  = "one end only"   // this end has it, the other has not
	linkMissing = "other end only" // the other end has it, this one has not
	linkUnshown = "unauthenticated"
)

// linkView is one end of a link: From's to To. Rates are bytes a second.
type linkView struct {
	From          string        `json:"from"`
	To            string        `json:"to"`   // a node of the network, the first digits of a stranger's id, or its address
	Node          string        `json:"node"` // id of To; empty for a stranger who has not shown who it is
	State         string        `json:"state"`
	Address       string        `json:"address,omitempty"`
	Since         time.Duration `json:"since_ns"`
	RTT           time.Duration `json:"rtt_ns"`
	Variance      time.Duration `json:"variance_ns"`
	Loss          float64       `json:"loss"` // share of datagrams that had to be sent again
	Lanes         int           `json:"lanes"`
	Datagram      int           `json:"datagram"`
	Queued        int           `json:"queued"`
	SentBytes     uint64        `json:"sent_bytes"`
	ReceivedBytes uint64        `json:"received_bytes"`
	Datagrams     uint64        `json:"datagrams"`
	Retransmitted uint64        `json:"retransmitted"`
	Out           uint64        `json:"out"`
	In            uint64        `json:"in"`
}

func (a *app) netTopologyCmd() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "topology", Short: "Show who is linked to whom",
		Long: "Shows each end of each link: whether it is up, and what it has seen since then: round trip, datagrams that had to be sent again, bytes of\n" +
			"messages a second, and the connections that carry it. A link that one end has and the other has not is shown as such. Nothing is sent\n" +
			"for it; `alto net probe` measures a link. Exit code 6 if a node does not answer. With --watch it is shown again every second until Ctrl-C.",
		Example: "  alto net topology\n  alto net topology --watch\n  alto net topology -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, dir, err := a.state()
			if err != nil {
				return err
			}
			for {
				if !localnet.Running(dir) {
					return coded(exitUnhealthy, fmt.Errorf("network %s: %w; `alto up` starts it", s.Name, localnet.ErrNotRunning))
				}
				v := networkTopology(c.Context(), s)
				if err := a.printTopology(v, watch); err != nil {
					return err
				}
				if !watch {
					return v.problem()
				}
				select {
				case <-c.Context().Done():
					return nil
				case <-time.After(time.Second):
				}
			}
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "show it again every second")
	return c
}

// networkTopology asks all nodes at once.
func networkTopology(ctx context.Context, s *localnet.State) topologyView {
	ends := make([]nodeLinks, len(s.Nodes))
	var wg sync.WaitGroup
	for i, n := range s.Nodes {
		wg.Go(func() {
			ends[i] = nodeLinks{name: n.Name, id: n.Key.Hash()}
			c, err := client.New(n.API, client.Options{Attempts: 1, Timeout: 5 * time.Second})
			if err == nil {
				defer c.Close()
				ends[i].links, err = c.Links(ctx)
			}
			ends[i].err = err
		})
	}
	wg.Wait()
	v := topologyOf(ends)
	v.Network = s.Name
	return v
}

// nodeLinks is what a node says of its links, or why it does not.
type nodeLinks struct {
	name  string
	id    types.Hash
	links api.Links
	err   error
}

// topologyOf puts what the nodes say together. Links between nodes of the network come first, in the order of the nodes.
func topologyOf(nodes []nodeLinks) topologyView {
	v := topologyView{Links: []linkView{}, HeldBack: map[string]uint64{}}
	names, answered := map[types.Hash]string{}, map[string]bool{}
	has := map[[2]string]bool{}  // directed links that are there, whatever their state
	isUp := map[[2]string]bool{} // and are up
	for _, n := range nodes {
		names[n.id] = n.name
		if answered[n.name] = n.err == nil; n.err != nil {
			if v.Silent == nil {
				v.Silent = map[string]string{}
			}
			v.Silent[n.name] = n.err.Error()
		}
	}
	for _, n := range nodes {
		for _, l := range n.links.Links {
			k := [2]string{n.name, farName(&l, names)}
			has[k], isUp[k] = true, isUp[k] || l.Up
		}
	}
	for _, n := range nodes {
		if n.err != nil {
			continue
		}
		v.HeldBack[n.name] = n.links.HeldBack
		var strangers []linkView
		done := map[string]bool{}
		for _, l := range n.links.Links {
			e := viewLink(n.name, &l, names)
			_, known := names[l.Node]
			if !known || l.Node.IsZero() {
				strangers = append(strangers, e)
				continue
			}
			if !l.Up && isUp[[2]string{n.name, e.To}] { // it has another that is up
				continue
			}
			here, there := l.Up, isUp[[2]string{e.To, n.name}]
			switch {
			case answered[e.To] && here && !there:
				e.State = linkOneEnd
			case !here && there:
				e.State = linkMissing
			}
			done[e.To] = true
			v.Links = append(v.Links, e)
		}
		for _, o := range nodes {
			if o.name != n.name && !done[o.name] && has[[2]string{o.name, n.name}] {
				state := linkDown
				if isUp[[2]string{o.name, n.name}] {
					state = linkMissing
				}
				v.Links = append(v.Links, linkView{From: n.name, To: o.name, Node: o.id.String(), State: state})
			}
		}
		sort.SliceStable(strangers, func(i, j int) bool { return strangers[i].To < strangers[j].To })
		v.Links = append(v.Links, strangers...)
	}
	return v
}

// farName is what the far end of a link is called.
func farName(l *api.PeerLink, names map[types.Hash]string) string {
	switch name, ok := names[l.Node]; {
	case ok:
		return name
	case l.Name != "":
		return l.Name
	case !l.Node.IsZero():
		return l.Node.Short()
	}
	return l.Address
}

func viewLink(from string, l *api.PeerLink, names map[types.Hash]string) linkView {
	e := linkView{From: from, To: farName(l, names), State: linkDown, Address: l.Address, Since: l.Since, RTT: l.RTT, Variance: l.Variance, Loss: l.Loss(),
		Lanes: l.Lanes, Datagram: l.Datagram, Queued: l.Queued, SentBytes: l.SentBytes, ReceivedBytes: l.ReceivedBytes, Datagrams: l.Datagrams,
		Retransmitted: l.Retransmitted, Out: l.Out, In: l.In}
	if !l.Node.IsZero() {
		e.Node = l.Node.String()
	}
	switch {
	case l.Up && l.Authenticated:
		e.State = linkUp
	case l.Up:
		e.State = linkUnshown
	}
	return e
}

// problem is what is wrong, for the exit code.
func (v topologyView) problem() error {
	var names []string
	for n := range v.Silent {
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil
	}
	sort.Strings(names)
	return coded(exitUnhealthy, fmt.Errorf("no answer from %s, so its ends are missing; `alto node restart %s` starts it again, `alto logs %s` tells why it ended",
		strings.Join(names, ", "), names[0], names[0]))
}

func (a *app) printTopology(v topologyView, again bool) error {
	if a.output == "json" {
		return a.print(v, nil)
	}
	if again && a.output == "table" && a.onTerminal() {
		fmt.Fprint(a.out, "\x1b[H\x1b[2J")
	}
	return printList(a, v.Links, []string{"FROM", "TO", "STATE", "SINCE", "RTT", "LOSS", "OUT", "IN", "QUEUED", "LANES", "ADDRESS"}, func(l linkView) []any {
		loss := "-"
		if l.Datagrams > 0 {
			loss = percentText(l.Loss)
		}
		since := "-"
		if l.Since > 0 {
			since = l.Since.Round(time.Second).String()
		}
		address := l.Address
		if address == "" {
			address = "-"
		}
		return []any{l.From, l.To, l.State, since, spanText(l.RTT), loss, rateText(l.Out), rateText(l.In), sizeText(uint64(l.Queued)), orDash(l.Lanes), address}
	})
}

// sizeText writes bytes.
func sizeText(v uint64) string {
	switch {
	case v < 10_000:
		return fmt.Sprintf("%d B", v)
	case v < 10_000_000:
		return fmt.Sprintf("%.1f kB", float64(v)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(v)/1e6)
}
