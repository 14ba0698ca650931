package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// network is nodes as processes, supervised by the test itself, in a folder of its own.
type network struct {
	*testing.T
	ctx      context.Context // ends with the time that the scenario has
	dir      string
	state    *localnet.State
	sup      *localnet.Supervisor
	clients  []*client.Client
	accounts []load.Account
	chain    string
	proxy    *faultproxy.Proxy // nil: the nodes speak to each other directly
	view     *view

	mu      sync.Mutex
	command func(node int, c *localnet.Command) // may be nil
	seen    []process                           // that must be gone in the end
}

// build says what a network is like.
type build struct {
	spec    specification
	proxied uint64 // not 0: the nodes are behind a fault proxy with this seed
	command func(node int, c *localnet.Command)
	adjust  func(c *chainspec.Node) // has the last word on a node's own settings; may be nil; not where there is a proxy
}

// newNetwork makes a network. No node runs yet. Whatever happens to the test, nothing of it is left.
func newNetwork(t *testing.T, ctx context.Context, b build) *network {
	t.Helper()
	home, err := os.MkdirTemp("", "live-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	n := &network{T: t, ctx: ctx, command: b.command}
	file := filepath.Join(home, "spec.hcl")
	if err := os.WriteFile(file, []byte(b.spec.text()), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, diags := chainspec.Load(file, chainspec.Options{Schemas: builtin.Describe()})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	spec.File = file
	local, err := spec.Network("")
	if err != nil {
		t.Fatal(err)
	}
	plan := localnet.Plan{Home: home, Spec: spec, Network: local, Schemas: builtin.Describe(), Adjust: b.adjust}
	behind, err := load.NewBehind(home, local.Nodes)
	if err != nil {
		t.Fatal(err)
	}
	if b.proxied != 0 {
		plan.Adjust = behind.Adjust
	}
	if n.dir, n.state, _, err = localnet.Prepare(plan); err != nil {
		t.Fatal(err)
	}
	n.chain = n.state.Chains[0].ID.String()
	if n.accounts, err = load.Wallets(localnet.KeysDir(n.dir)); err != nil {
		t.Fatal(err)
	}
	if b.proxied != 0 {
		if n.proxy, err = behind.Proxy(n.state, b.proxied); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.proxy.Close() })
	}
	exe := binary(t, "")
	n.sup, err = localnet.NewSupervisor(n.dir, localnet.Options{Exe: exe, Adjust: func(name string, c *localnet.Command) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.command != nil {
			n.command(n.index(name), c)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range n.state.Nodes {
		c, err := client.New(x.API, client.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		n.clients = append(n.clients, c)
	}
	n.view = newView(n)
	t.Cleanup(n.clean)
	return n
}

// all are the numbers of all nodes.
func (n *network) all() (out []int) {
	for i := range n.state.Nodes {
		out = append(out, i)
	}
	return out
}

// but is all nodes without some.
func (n *network) but(without ...int) []int {
	return slices.DeleteFunc(n.all(), func(i int) bool { return slices.Contains(without, i) })
}

func (n *network) name(node int) string { return n.state.Nodes[node].Name }

func (n *network) index(name string) int {
	return slices.IndexFunc(n.state.Nodes, func(x localnet.NodeState) bool { return x.Name == name })
}

// start starts nodes at once and waits until they are ready.
func (n *network) start(nodes ...int) {
	n.Helper()
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for k, i := range nodes {
		wg.Go(func() { errs[k] = n.sup.Start(n.ctx, n.name(i)) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		n.Fatal(err)
	}
	n.remember()
}

// up starts nodes and waits until they have the first final blocks.
func (n *network) up(nodes ...int) {
	n.Helper()
	start := time.Now()
	n.start(nodes...)
	n.awaitFinal(2, nodes...)
	n.Logf("%d nodes are up after %s (load %s)", len(nodes), short(time.Since(start)), loadAverage())
}

// stop ends nodes in order.
func (n *network) stop(nodes ...int) {
	n.Helper()
	for _, i := range nodes {
		if err := n.sup.Stop(n.ctx, n.name(i)); err != nil {
			n.Fatal(err)
		}
	}
}

// kill ends nodes with kill -9 and waits until they are gone.
func (n *network) kill(nodes ...int) {
	n.Helper()
	n.remember()
	pids := n.sup.Pids()
	for _, i := range nodes {
		if pid := pids[n.name(i)]; pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, i := range nodes {
		n.await("the end of "+n.name(i), func() error {
			if pid, runs := n.sup.Pids()[n.name(i)]; runs {
				return fmt.Errorf("pid %d runs", pid)
			}
			return nil
		})
	}
}

// pause lets the network be for a while, where there is nothing to wait for.
func (n *network) pause(d time.Duration) {
	n.Helper()
	select {
	case <-time.After(d):
	case <-n.ctx.Done():
		n.Fatal("out of time")
	}
}

// await polls until a condition holds, for as long as the scenario has.
func (n *network) await(what string, cond func() error) {
	n.Helper()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-n.ctx.Done():
			n.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// status asks a node for the first chain, once.
func (n *network) status(node int) (api.ChainStatus, error) {
	st, err := n.node(node)
	if err != nil {
		return api.ChainStatus{}, err
	}
	for _, c := range st.Chains {
		if c.ID.String() == n.chain {
			return c, nil
		}
	}
	return api.ChainStatus{}, errors.New("the node does not run the chain")
}

// node asks a node how it is, once.
func (n *network) node(node int) (api.NodeStatus, error) {
	c, err := client.New(n.state.Nodes[node].API, client.Options{Attempts: 1, Timeout: 2 * time.Second})
	if err != nil {
		return api.NodeStatus{}, err
	}
	defer c.Close()
	return c.Status(n.ctx)
}

// highest returns the highest final height of some nodes.
func (n *network) highest(nodes ...int) (high uint64) {
	for _, i := range nodes {
		if s, err := n.status(i); err == nil {
			high = max(high, s.Final)
		}
	}
	return high
}

// awaitFinal waits until nodes have told of the final block at a height.
func (n *network) awaitFinal(height uint64, nodes ...int) {
	n.Helper()
	n.view.await(fmt.Sprintf("block %d to be final on nodes %v", height, nodes), func(v *view) bool {
		for _, i := range nodes {
			if v.high[i] < height {
				return false
			}
		}
		return true
	})
}

// more waits until nodes have so many more final blocks than any of them has now, and returns the height.
func (n *network) more(count uint64, nodes ...int) uint64 {
	n.Helper()
	h := n.highest(nodes...) + count
	n.awaitFinal(h, nodes...)
	return h
}

// remember takes down all processes of the network that there are now.
func (n *network) remember() {
	now := familyOf(n.sup.Pids())
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range now {
		if !slices.ContainsFunc(n.seen, func(o process) bool { return o.pid == p.pid && o.started == p.started }) {
			n.seen = append(n.seen, p)
		}
	}
}

// clean ends everything, shows the nodes' last words if the test has failed, and checks that nothing is left.
func (n *network) clean() {
	n.remember()
	n.view.close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.sup.Close(ctx); err != nil {
		n.Errorf("end the network: %v", err)
	}
	for _, c := range n.clients {
		c.Close()
	}
	if n.proxy != nil {
		_ = n.proxy.Close()
	}
	if n.Failed() {
		n.lastWords()
	}
	if left := awaitGone(n.seen, 10*time.Second); len(left) > 0 {
		n.Errorf("processes are left: %v", left)
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	for _, x := range n.state.Nodes {
		for kind, address := range map[string]string{"tcp": x.API, "udp": x.Listen} {
			if err := portFree(kind, address); err != nil {
				n.Errorf("a port of %s is still in use: %v", x.Name, err)
			}
		}
	}
}

func portFree(kind, address string) error {
	if kind == "tcp" {
		l, err := net.Listen(kind, address)
		if err == nil {
			_ = l.Close()
		}
		return err
	}
	l, err := net.ListenPacket(kind, address)
	if err == nil {
		_ = l.Close()
	}
	return err
}

// log returns what a node has logged.
func (n *network) log(node int) []string {
	b, err := os.ReadFile(filepath.Join(localnet.NodeDir(n.dir, n.name(node)), "node.log"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func (n *network) lastWords() {
	for i := range n.state.Nodes {
		lines := n.log(i)
		n.Logf("log of %s:\n%s", n.name(i), strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// metrics asks a node, once.
func (n *network) metrics(node int) (load.Metrics, error) {
	ctx, cancel := context.WithTimeout(n.ctx, 2*time.Second)
	defer cancel()
	return load.Scrape(ctx, n.state.Nodes[node].API)
}

// noFault checks that no node has found evidence or been refused a signature: since it started by its count, and in all its lives
// by its log.
func (n *network) noFault(nodes ...int) {
	n.Helper()
	for _, i := range nodes {
		m, err := n.metrics(i)
		if err != nil {
			n.Fatal(err)
		}
		for _, name := range []string{"alto_chain_guard_refusals_total", "alto_chain_evidence_total", "alto_chain_module_faults_total"} {
			if v := m.Sum(name); v > 0 {
				n.Errorf("%s: %s is %v", n.name(i), name, v)
			}
		}
		for _, line := range n.log(i) {
			if strings.Contains(line, "signed twice") || strings.Contains(line, "guard refuses") {
				n.Errorf("%s: %s", n.name(i), line)
			}
		}
	}
}

// sameChain checks that nodes have the same blocks at all heights that all of them have, and the same state after them.
func (n *network) sameChain(nodes ...int) {
	n.Helper()
	high := n.highest(nodes...)
	n.awaitFinal(high+1, nodes...)
	ids := make([][]types.BlockID, len(nodes))
	var root types.Hash
	for k, i := range nodes {
		for from := uint64(1); from <= high+1; {
			list, next, err := n.clients[i].Blocks(n.ctx, n.chain, from, 100, client.DetailHeader)
			if err != nil || next <= from {
				n.Fatalf("blocks from %d of %s: %v", from, n.name(i), err)
			}
			for _, b := range list {
				if b.Header.Height > high+1 {
					break
				}
				ids[k] = append(ids[k], b.ID)
				if b.Header.Height == high+1 { // its header has the state after the block before
					if k > 0 && b.Header.StateRoot != root {
						n.Fatalf("%s has state root %s after block %d, %s has %s", n.name(i), b.Header.StateRoot, high, n.name(nodes[0]), root)
					}
					root = b.Header.StateRoot
				}
			}
			from = next
		}
		for h, id := range ids[k] {
			if id != ids[0][h] {
				n.Fatalf("%s has block %s at height %d, %s has %s", n.name(i), id, h+1, n.name(nodes[0]), ids[0][h])
			}
		}
	}
	n.view.check()
	n.Logf("%d nodes have the same %d blocks, and state root %s after block %d", len(nodes), len(ids[0]), root.Short(), high)
}
