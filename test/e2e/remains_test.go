package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

var kinds = []string{"consensus", "vm", "storage", "oracle", "transport"}

// TestProcesses checks that there is one process a node, and one a plugin kind and node, and no other.
func TestProcesses(t *testing.T) {
	n := up(t, spec)
	count := map[string]int{}
	for _, p := range n.family() {
		switch {
		case strings.HasPrefix(p.cmdline, "alto up "):
			count["supervisor"]++
		case strings.HasPrefix(p.cmdline, "alto node run "):
			count["node"]++
		case strings.HasPrefix(p.cmdline, "alto plugin serve "):
			name := strings.TrimPrefix(p.cmdline, "alto plugin serve ")
			kind, _, _ := strings.Cut(name, "-")
			count[kind]++
		default:
			t.Errorf("a process too many: %v", p)
		}
	}
	if count["supervisor"] != 1 || count["node"] != 4 {
		t.Errorf("%d supervisors and %d nodes", count["supervisor"], count["node"])
	}
	for _, k := range kinds {
		if count[k] != 4 {
			t.Errorf("%d %s processes for four nodes", count[k], k)
		}
	}
	for i, pid := range n.nodePIDs() {
		for _, k := range kinds {
			p, err := n.plugin(i, k)
			if err != nil {
				t.Fatal(err)
			}
			if now, ok := readProcess(p.PID); !ok || now.parent != pid {
				t.Errorf("the %s plugin of node %d has pid %d, whose parent is %d, not %d", k, i, p.PID, now.parent, pid)
			}
		}
	}
}

// TestNothingRemains ends networks in order and by force.
func TestNothingRemains(t *testing.T) {
	t.Run("down", func(t *testing.T) {
		n := up(t, spec)
		procs, nodes := n.family(), n.nodePIDs()
		start := time.Now()
		n.alto("down")
		took := time.Since(start)
		if left := awaitGone(procs, 0); len(left) > 0 {
			t.Errorf("down has returned, and processes are left: %v", left)
		}
		n.awaitNothing(procs, nodes)
		t.Logf("down in %d ms (load %s)", took.Milliseconds(), loadAverage())
	})
	t.Run("kill the supervisor", func(t *testing.T) {
		n := up(t, spec)
		procs, nodes := n.family(), n.nodePIDs()
		procs[0].signal(syscall.SIGKILL)
		t.Logf("all gone after %d ms (load %s)", n.awaitNothing(procs, nodes).Milliseconds(), loadAverage())
		n.alto("up", "--detach") // and it comes up again, on the same ports
		n.awaitFinal(n.highest() + 1)
	})
	t.Run("kill the supervisor and a node at once", func(t *testing.T) {
		n := up(t, spec)
		procs, nodes := n.family(), n.nodePIDs()
		_ = syscall.Kill(nodes[2], syscall.SIGKILL)
		procs[0].signal(syscall.SIGKILL)
		n.awaitNothing(procs, nodes)
	})
	t.Run("kill a node and a plugin, then down", func(t *testing.T) {
		n := up(t, spec)
		procs, nodes := n.family(), n.nodePIDs()
		p, err := n.plugin(1, "storage")
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(nodes[2], syscall.SIGKILL)
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
		n.alto("down")
		n.awaitNothing(procs, nodes)
	})
}

// TestAdministration checks that a node serves its administration on a socket of this machine, to who has the token.
func TestAdministration(t *testing.T) {
	n := up(t, spec)
	home := localnet.NodeDir(n.dir, n.state.Nodes[1].Name)
	token, err := api.ReadToken(localnet.AdminToken(home))
	if err != nil {
		t.Fatal(err)
	}
	dial := func(token string) *client.Client {
		c, err := client.New(localnet.AdminAddress(home), client.Options{Token: token, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	if err := dial("").SetLogLevel(n.ctx(), "debug"); client.Name(err) != api.ErrToken.Error() {
		t.Errorf("without the token: %v", err)
	}
	if err := dial(strings.Repeat("0", len(token))).Stop(n.ctx(), "mischief"); client.Name(err) != api.ErrToken.Error() {
		t.Errorf("with another token: %v", err)
	}
	if err := n.nodes[1].Stop(n.ctx(), "by the network"); err == nil {
		t.Error("the API's own address serves administration")
	}
	admin := dial(token)
	if err := admin.SetLogLevel(n.ctx(), "debug"); err != nil {
		t.Error(err)
	}
	if err := admin.SetLogLevel(n.ctx(), "loud"); client.Name(err) != api.ErrInvalid.Error() {
		t.Errorf("a level that does not exist: %v", err)
	}
	nodes := n.nodePIDs()
	if err := admin.Stop(n.ctx(), "the test says so"); err != nil {
		t.Error(err)
	}
	n.await("the node's end", func() error {
		if p, ok := readProcess(nodes[1]); ok && p.state != "Z" {
			return fmt.Errorf("it runs: %v", p)
		}
		return nil
	})
	n.alto("node", "restart", n.state.Nodes[1].Name)
	n.awaitFinal(n.highest() + 1)
}

// TestTwoChains runs chains with different storage and slot time in the same plugin processes.
func TestTwoChains(t *testing.T) {
	b := readFile(t, filepath.Join("..", "..", "examples", "two-chains.hcl"))
	n := up(t, b)
	if len(n.state.Chains) != 2 {
		t.Fatalf("%d chains", len(n.state.Chains))
	}
	for i := range n.nodes {
		st, err := n.status(i)
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Plugins) != 5 {
			t.Errorf("node %d has %d plugin processes", i, len(st.Plugins))
		}
		for _, p := range st.Plugins {
			chains := map[string]bool{}
			for _, x := range p.Instances {
				chains[x.Chain] = true
			}
			if p.Kinds[0] == "transport" || p.Kinds[0] == "oracle" { // one a node; only the root has an oracle
				continue
			}
			if len(chains) != 2 || p.PID == 0 {
				t.Errorf("node %d: the process of %s serves the chains %v", i, p.Name, chains)
			}
		}
	}
	for _, c := range n.state.Chains {
		from := map[string]string{"root": "community", "child": "operator"}[c.Name]
		out := n.alto("tx", "send", "--chain", c.Name, "--from", from, "--to", "consultants", "--amount", "1")
		if !strings.Contains(out, "status  ok") {
			t.Errorf("chain %s: %s", c.Name, out)
		}
	}
	for chain, folder := range map[string]string{"root": "pebbledb", "child": "goleveldb"} {
		if out := n.alto("chain", "show", chain); !strings.Contains(out, map[string]string{"root": "of 500 ms", "child": "of 250 ms"}[chain]) {
			t.Errorf("chain %s, on %s: %s", chain, folder, out)
		}
	}
}
