package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// waitFinal waits until every node has a final block of every chain that is newer than what it had when it started. What is
// missing is told, and is the error if the time is over.
func waitFinal(ctx context.Context, s *localnet.State, tell func(string, ...any)) error {
	type key struct {
		node  string
		chain types.ChainID
	}
	first := map[key]uint64{}
	done := map[types.ChainID]bool{}
	for {
		var missing []string
		ready := map[types.ChainID]int{}
		for _, n := range s.Nodes {
			st, err := nodeStatus(ctx, n)
			if err != nil {
				missing = append(missing, fmt.Sprintf("%s: %v", n.Name, err))
				continue
			}
			have := map[types.ChainID]api.ChainStatus{}
			for _, c := range st.Chains {
				have[c.ID] = c
			}
			for _, c := range s.Chains {
				cs, ok := have[c.ID]
				k := key{n.Name, c.ID}
				if _, seen := first[k]; ok && !seen {
					first[k] = cs.Final
				}
				switch {
				case !ok:
					missing = append(missing, fmt.Sprintf("%s does not run chain %s yet", n.Name, c.Name))
				case cs.Halted != "":
					return fmt.Errorf("chain %s has halted on %s: %s", c.Name, n.Name, cs.Halted)
				case cs.Final == 0 || (cs.Final <= first[k] && cs.FinalSlot+4 < cs.Slot):
					missing = append(missing, fmt.Sprintf("chain %s on %s is final up to %d of %d, %d peers connected", c.Name, n.Name, cs.Final, cs.Head, connected(st)))
				default:
					ready[c.ID]++
				}
			}
		}
		for _, c := range s.Chains {
			if ready[c.ID] == len(s.Nodes) && !done[c.ID] {
				done[c.ID] = true
				tell("chain %s: final on all nodes", c.Name)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the network did not come up in time:\n  %s\n`alto logs` has more", strings.Join(missing, "\n  "))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func connected(st api.NodeStatus) int {
	n := 0
	for _, p := range st.Peers {
		if p.Connected {
			n++
		}
	}
	return n
}

// nodeStatus asks one node, once.
func nodeStatus(ctx context.Context, n localnet.NodeState) (api.NodeStatus, error) {
	c, err := client.New(n.API, client.Options{Attempts: 1, Timeout: 2 * time.Second})
	if err != nil {
		return api.NodeStatus{}, err
	}
	defer c.Close()
	return c.Status(ctx)
}

// liveLine keeps one line up to date on a terminal, and says nothing elsewhere.
func (a *app) liveLine(ctx context.Context, s *localnet.State, down <-chan struct{}) {
	f, ok := a.err.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-down:
			return
		case <-tick.C:
		}
		for _, n := range s.Nodes {
			st, err := nodeStatus(ctx, n)
			if err != nil {
				continue
			}
			fmt.Fprintf(a.err, "\r\x1b[K%s", lineOf(st))
			break
		}
	}
}

// lineOf is a network's state in a line.
func lineOf(st api.NodeStatus) string {
	var parts []string
	for _, c := range st.Chains {
		p := fmt.Sprintf("slot %d · final %d · %d producers · %d skipped", c.Slot, c.Final, c.Producers, c.Skipped)
		if len(st.Chains) > 1 {
			p = c.Name + ": " + p
		}
		if c.Halted != "" {
			p = c.Name + ": halted"
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, " | ")
}
