package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// patience is how long anything is awaited that must happen. It is no figure: a machine may be busy.
const patience = 40 * time.Second

// network is a network of processes in a folder of its own.
type network struct {
	*testing.T
	home, dir, spec string
	state           *localnet.State
	nodes           []*client.Client
	accounts        []load.Account
	chain           string // id of the first chain
}

// up writes a spec and starts its network. Whatever happens to the test, nothing of it is left.
func up(t *testing.T, text string) *network {
	t.Helper()
	home, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{T: t, home: home, spec: filepath.Join(home, "spec.hcl")}
	t.Cleanup(n.clean)
	if err := os.WriteFile(n.spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	n.alto("up", n.spec, "--detach")
	t.Logf("up in %d ms (load %s)", time.Since(start).Milliseconds(), loadAverage())
	dirs, err := filepath.Glob(filepath.Join(home, "networks", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("networks %v: %v", dirs, err)
	}
	n.dir = dirs[0]
	if n.state, err = localnet.ReadState(n.dir); err != nil {
		t.Fatal(err)
	}
	n.chain = n.state.Chains[0].ID.String()
	for _, x := range n.state.Nodes {
		c, err := client.New(x.API, client.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		n.nodes = append(n.nodes, c)
	}
	if n.accounts, err = load.Wallets(localnet.KeysDir(n.dir)); err != nil {
		t.Fatal(err)
	}
	return n
}

// in is the same network for a part of the test.
func (n *network) in(t *testing.T) *network {
	part := *n
	part.T = t
	return &part
}

// alto runs a command and returns its output. It must succeed.
func (n *network) alto(args ...string) string {
	n.Helper()
	c := exec.Command(alto, args...)
	c.Env = append(os.Environ(), "ALTO_HOME="+n.home)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		n.Fatalf("alto %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// clean ends what runs, by pid, and shows the nodes' last words if the test has failed.
func (n *network) clean() {
	if n.Failed() && n.state != nil {
		for _, x := range n.state.Nodes {
			b, err := os.ReadFile(filepath.Join(localnet.NodeDir(n.dir, x.Name), "node.log"))
			if err == nil {
				lines := strings.Split(strings.TrimSpace(string(b)), "\n")
				n.Logf("log of %s:\n%s", x.Name, strings.Join(lines[max(0, len(lines)-15):], "\n"))
			}
		}
	}
	procs := familyOf(n.supervisor(), n.home)
	for _, p := range procs { // the supervisor comes first
		p.signal(syscall.SIGKILL)
	}
	if left := awaitGone(procs, 10*time.Second); len(left) > 0 {
		n.Errorf("processes are left: %v", left)
	}
	if err := os.RemoveAll(n.home); err != nil {
		n.Error(err)
	}
}

// supervisor returns the pid of the supervisor; 0 if there is none.
func (n *network) supervisor() int {
	files, err := filepath.Glob(filepath.Join(n.home, "networks", "*", "lock"))
	if err != nil || len(files) == 0 || !localnet.Running(filepath.Dir(files[0])) {
		return 0
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// ctx is for calls that must come to an end.
func (n *network) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	n.Cleanup(cancel)
	return ctx
}

// await polls until a condition holds.
func (n *network) await(what string, cond func() error) {
	n.Helper()
	end := time.Now().Add(patience)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			n.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// status asks a node, once.
func (n *network) status(node int) (api.NodeStatus, error) {
	c, err := client.New(n.state.Nodes[node].API, client.Options{Attempts: 1, Timeout: 2 * time.Second})
	if err != nil {
		return api.NodeStatus{}, err
	}
	defer c.Close()
	return c.Status(context.Background())
}

// final returns the final height of the first chain on a node.
func (n *network) final(node int) (uint64, error) {
	st, err := n.status(node)
	if err != nil {
		return 0, err
	}
	for _, c := range st.Chains {
		if c.ID.String() == n.chain {
			if c.Halted != "" {
				return c.Final, errors.New("halted: " + c.Halted)
			}
			return c.Final, nil
		}
	}
	return 0, errors.New("the node does not run the chain")
}

// highest returns the highest final height on any node.
func (n *network) highest() (high uint64) {
	for i := range n.state.Nodes {
		if h, err := n.final(i); err == nil {
			high = max(high, h)
		}
	}
	return high
}

// awaitFinal waits until all nodes have a final height.
func (n *network) awaitFinal(height uint64) {
	n.Helper()
	for i, x := range n.state.Nodes {
		n.await(fmt.Sprintf("%s final at %d", x.Name, height), func() error {
			h, err := n.final(i)
			if err == nil && h < height {
				err = fmt.Errorf("it is at %d", h)
			}
			return err
		})
	}
}

// plugin returns the process of a plugin of a node.
func (n *network) plugin(node int, kind string) (api.Plugin, error) {
	st, err := n.status(node)
	if err != nil {
		return api.Plugin{}, err
	}
	for _, p := range st.Plugins {
		for _, k := range p.Kinds {
			if k == kind && p.PID > 0 {
				return p, nil
			}
		}
	}
	return api.Plugin{}, fmt.Errorf("node %d has no running %s plugin", node, kind)
}

// submit sends one action from an account to a node.
func (n *network) submit(node, account int, module string, a types.Action) types.TxID {
	n.Helper()
	w := n.accounts[account]
	env, id, err := n.nodes[node].Make(n.ctx(), n.chain, w.Account(), module, []types.Action{a}, client.BuildOptions{}, w)
	if err != nil {
		n.Fatal(err)
	}
	res, err := n.nodes[node].Submit(n.ctx(), n.chain, env)
	if err == nil {
		err = res[0].Err()
	}
	if err != nil {
		n.Fatal(err)
	}
	return id
}

// awaitTx waits until a transaction is final on all nodes, in the same block.
func (n *network) awaitTx(id types.TxID) {
	n.Helper()
	var height uint64
	for i, c := range n.nodes {
		tx, lost, err := c.WaitTx(n.ctx(), n.chain, id, client.Final, 0)
		if err != nil || lost {
			n.Fatalf("transaction %s on node %d: lost %v, %v", id.Short(), i, lost, err)
		}
		if height != 0 && tx.Height != height {
			n.Fatalf("transaction %s is in block %d on node 0, in %d on node %d", id.Short(), height, tx.Height, i)
		}
		height = tx.Height
	}
}

// sameState checks that all nodes come to one state root, at a height that all of them have.
func (n *network) sameState() {
	n.Helper()
	high := n.highest()
	root, err := load.SameState(n.ctx(), n.nodes, n.chain, high)
	if err != nil {
		n.Fatal(err)
	}
	n.Logf("all %d nodes have state root %s after block %d", len(n.nodes), root.Short(), high)
}

// conserved checks, at one height on one node, that what the accounts have and all fees that were paid are the supply.
func (n *network) conserved() {
	n.Helper()
	const supply = 1_000_000_000 * 1_000_000
	n.await("the supply", func() error {
		var sum, fees, at uint64
		for _, a := range n.accounts {
			acc, err := n.nodes[0].Account(n.ctx(), n.chain, a.Account())
			if err != nil {
				return err
			}
			if at != 0 && acc.Height != at {
				return errors.New("a block became final meanwhile")
			}
			at, sum = acc.Height, sum+acc.Balance
		}
		for from := uint64(1); from <= at; {
			blocks, next, err := n.nodes[0].Blocks(n.ctx(), n.chain, from, 100, client.DetailReceipts)
			if err != nil {
				return err
			}
			for _, b := range blocks {
				for _, r := range b.Receipts {
					if b.Header.Height <= at {
						fees += r.Fee
					}
				}
			}
			if next <= from {
				break
			}
			from = next
		}
		if sum+fees != supply {
			return fmt.Errorf("accounts have %d and paid %d in fees at height %d: %d, not %d", sum, fees, at, sum+fees, supply)
		}
		return nil
	})
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:1], "")
}
