package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// statusView is a network as alto status prints it.
type statusView struct {
	Network    string     `json:"network"`
	Running    bool       `json:"running"`
	Supervisor int        `json:"supervisor,omitempty"` // pid
	Dir        string     `json:"dir"`
	Nodes      []nodeView `json:"nodes"`
}

type nodeView struct {
	Name    string       `json:"name"`
	PID     int          `json:"pid,omitempty"`
	API     string       `json:"api"`
	Listen  string       `json:"listen"`
	Error   string       `json:"error,omitempty"` // why it does not answer
	Peers   int          `json:"peers"`           // connected
	Chains  []chainView  `json:"chains,omitempty"`
	Plugins []pluginView `json:"plugins,omitempty"`
}

type chainView struct {
	Name        string `json:"name"`
	ID          string `json:"id"`
	Parent      string `json:"parent,omitempty"`
	Head        uint64 `json:"head"`
	Final       uint64 `json:"final"`
	Slot        uint64 `json:"slot"`
	StateRoot   string `json:"state_root"`
	StateHeight uint64 `json:"state_height"` // the block after which the state has that root
	Producers   int    `json:"producers"`
	Producer    bool   `json:"producer"` // this node has a seat
	Produced    uint64 `json:"produced"`
	Skipped     uint64 `json:"skipped"`
	Waiting     int    `json:"waiting"`
	Burned      uint64 `json:"burned,string"`
	Halted      string `json:"halted,omitempty"`
	Stalled     string `json:"stalled,omitempty"`
	Trouble     string `json:"trouble,omitempty"` // what is wrong with this node's part
}

type pluginView struct {
	Name     string   `json:"name"`
	Kinds    []string `json:"kinds"`
	Version  string   `json:"version"`
	Digest   string   `json:"digest,omitempty"`
	Path     string   `json:"path"`
	PID      int      `json:"pid"`
	State    string   `json:"state"`
	Restarts int      `json:"restarts"`
	RSS      int64    `json:"rss"`
	Chain    string   `json:"chain,omitempty"` // if it is for one chain alone
	Error    string   `json:"last_error,omitempty"`
}

func viewChain(c api.ChainStatus) chainView {
	v := chainView{Name: c.Name, ID: c.ID.String(), Head: c.Head, Final: c.Final, Slot: c.Slot, StateRoot: c.StateRoot.String(),
		StateHeight: c.StateHeight, Producers: c.Producers, Producer: c.Producer, Produced: c.Produced, Skipped: c.Skipped,
		Waiting: c.Waiting, Burned: c.Burned, Halted: c.Halted, Stalled: c.Stalled, Trouble: c.Trouble}
	if !c.Parent.IsZero() {
		v.Parent = c.Parent.String()
	}
	return v
}

// networkStatus asks all nodes at once.
func networkStatus(ctx context.Context, s *localnet.State, dir string) statusView {
	v := statusView{Network: s.Name, Dir: dir, Nodes: make([]nodeView, len(s.Nodes))}
	info, err := localnet.NewControl(dir).Info(ctx)
	if err == nil {
		v.Running, v.Supervisor = true, info.PID
	}
	var wg sync.WaitGroup
	for i, n := range s.Nodes {
		wg.Go(func() {
			nv := nodeView{Name: n.Name, PID: info.Nodes[n.Name], API: n.API, Listen: n.Listen}
			st, err := nodeStatus(ctx, n)
			if err != nil {
				nv.Error = err.Error()
			} else {
				nv.Peers = connected(st)
				for _, c := range st.Chains {
					nv.Chains = append(nv.Chains, viewChain(c))
				}
				for _, p := range st.Plugins {
					nv.Plugins = append(nv.Plugins, pluginView{p.Name, p.Kinds, p.Version, p.Digest, p.Path, p.PID, p.State, p.Restarts, p.RSS, p.Chain, p.LastError})
				}
			}
			v.Nodes[i] = nv
		})
	}
	wg.Wait()
	return v
}

func (a *app) statusCmd() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "status", Short: "Show nodes, chains and plugins of a network",
		Long: "Shows each node of the network with its chains and plugins. Exit code 6 if a node does not answer or a chain has halted. With --watch\n" +
			"it is shown again every second until Ctrl-C.",
		Example: "  alto status\n  alto status --watch\n  alto status -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, dir, err := a.state()
			if err != nil {
				return err
			}
			for {
				v := networkStatus(c.Context(), s, dir)
				if err := a.printStatus(v, watch); err != nil {
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

// problem is what is wrong with the network, for the exit code.
func (v statusView) problem() error {
	if !v.Running {
		return coded(exitUnhealthy, fmt.Errorf("network %s: %w; `alto up` starts it", v.Network, localnet.ErrNotRunning))
	}
	for _, n := range v.Nodes {
		if n.Error != "" {
			return coded(exitUnhealthy, fmt.Errorf("node %s does not answer; `alto node restart %s` starts it again, `alto logs %s` tells why it ended", n.Name, n.Name, n.Name))
		}
		for _, c := range n.Chains {
			if c.Halted != "" {
				return coded(exitUnhealthy, fmt.Errorf("chain %s has halted on %s: %s", c.Name, n.Name, c.Halted))
			}
		}
	}
	return nil
}

func (a *app) printStatus(v statusView, again bool) error {
	if a.output != "table" {
		return a.print(v, nil)
	}
	if again && a.onTerminal() {
		fmt.Fprint(a.out, "\x1b[H\x1b[2J")
	}
	run := "is not running"
	if v.Running {
		run = fmt.Sprintf("runs, supervised by pid %d", v.Supervisor)
	}
	fmt.Fprintf(a.out, "network %s %s, in %s\n\n", v.Network, run, v.Dir)
	type row struct {
		n nodeView
		c chainView
	}
	var rows []row
	for _, n := range v.Nodes {
		if len(n.Chains) == 0 {
			rows = append(rows, row{n, chainView{Name: "-"}})
		}
		for _, c := range n.Chains {
			rows = append(rows, row{n, c})
		}
	}
	err := printList(a, rows, []string{"NODE", "PID", "API", "PEERS", "CHAIN", "SLOT", "HEAD", "FINAL", "STATE", "PRODUCERS", "WAITING", "HEALTH"}, func(r row) []any {
		health := "ok"
		switch {
		case !v.Running && r.n.Error != "":
			health = "down"
		case r.n.Error != "":
			health = "does not answer"
		case r.c.Halted != "":
			health = "halted: " + r.c.Halted
		case r.c.Stalled != "":
			health = "waits: " + r.c.Stalled
		case r.c.Trouble != "":
			health = "trouble: " + r.c.Trouble
		}
		return []any{r.n.Name, orDash(r.n.PID), r.n.API, r.n.Peers, r.c.Name, r.c.Slot, r.c.Head, r.c.Final, short(r.c.StateRoot), r.c.Producers, r.c.Waiting, health}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	type process struct {
		node string
		p    pluginView
	}
	var procs []process
	for _, n := range v.Nodes {
		for _, p := range n.Plugins {
			procs = append(procs, process{n.Name, p})
		}
	}
	return printList(a, procs, []string{"NODE", "PLUGIN", "VERSION", "PID", "STATE", "RESTARTS", "MEMORY", "FROM"}, func(r process) []any {
		return []any{r.node, r.p.Name, r.p.Version, orDash(r.p.PID), r.p.State, r.p.Restarts, fmt.Sprintf("%d MiB", r.p.RSS>>20), r.p.Path}
	})
}

func orDash(n int) any {
	if n == 0 {
		return "-"
	}
	return n
}

func short(hash string) string {
	if len(hash) > 8 {
		return hash[:8]
	}
	return hash
}
