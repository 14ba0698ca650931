package e2e_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	vmforth "github.com/paloalto-chain/paloalto/plugins/vm-forth"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// stillFor is how long a stalled chain is watched. On a slow machine it shows less, but never the wrong thing.
const stillFor = 1500 * time.Millisecond

// signalAll sends a signal to the plugin of a kind on every node. The pids are those of before, if given: a stopped storage
// plugin may keep its node from telling.
func (n *network) signalAll(kind string, s syscall.Signal, pids []int) []int {
	n.Helper()
	if pids == nil {
		for i := range n.nodes {
			p, err := n.plugin(i, kind)
			if err != nil {
				n.Fatal(err)
			}
			pids = append(pids, p.PID)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			n.Fatalf("%s plugin, pid %d: %v", kind, pid, err)
		}
	}
	return pids
}

// TestStopPlugins stops the processes of each kind on all nodes. Work that goes through the kind stalls, and goes on when they
// do: no kind is an ornament.
func TestStopPlugins(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	n := up(t, spec)
	n.awaitFinal(3)
	transfer := func(n *network, k int) types.TxID {
		return n.submit(k%len(n.nodes), k%len(n.accounts), types.ModuleBank, client.Transfer(n.accounts[(k+1)%len(n.accounts)].Account(), 1, nil))
	}
	for k := range n.accounts { // all have revealed their authorities
		n.awaitTx(transfer(n, k))
	}
	for _, kind := range []string{"consensus", "transport", "storage"} {
		t.Run(kind, func(t *testing.T) {
			n := n.in(t)
			pids := n.signalAll(kind, syscall.SIGSTOP, nil)
			high := n.settle()
			time.Sleep(stillFor)
			if now := n.highest(); now > high {
				t.Errorf("final height went from %d to %d with all %s plugins stopped", high, now, kind)
			}
			start := time.Now()
			n.signalAll(kind, syscall.SIGCONT, pids)
			n.awaitFinal(high + 3)
			t.Logf("three blocks final %d ms after going on; load %s", time.Since(start).Milliseconds(), loadAverage())
			n.awaitTx(transfer(n, 1))
		})
	}
	code := compile(t, "0 0 1") // burns nothing, pays nothing
	work := map[string]func(*network) types.TxID{
		"vm": func(n *network) types.TxID {
			return n.submit(0, 0, types.ModuleContract, types.Action{Name: "run", Body: types.RunBody{Code: code}.Encode()})
		},
		"oracle": (*network).ask,
	}
	for _, kind := range []string{"vm", "oracle"} {
		t.Run(kind, func(t *testing.T) {
			n := n.in(t)
			n.awaitTx(work[kind](n)) // it can be done
			pids := n.signalAll(kind, syscall.SIGSTOP, nil)
			sent := make(chan types.TxID, 1)
			go func() { sent <- work[kind](n) }() // the node may have to ask the plugin before it answers
			time.Sleep(stillFor)
			var id types.TxID
			select {
			case id = <-sent:
				for i, c := range n.nodes {
					if tx, err := c.Tx(n.ctx(), n.chain, id); err == nil && tx.Stage == client.Final {
						t.Errorf("node %d has %s final with all %s plugins stopped", i, id.Short(), kind)
					}
				}
			default:
			}
			start := time.Now()
			n.signalAll(kind, syscall.SIGCONT, pids)
			if id.IsZero() {
				id = <-sent
			}
			n.awaitTx(id)
			t.Logf("final %d ms after going on; load %s", time.Since(start).Milliseconds(), loadAverage())
		})
	}
	for i := range n.nodes {
		st, err := n.status(i)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range st.Plugins {
			if p.Restarts > 0 {
				t.Errorf("node %d has replaced %s %d times", i, p.Name, p.Restarts)
			}
		}
	}
	n.sameState()
}

// settle waits until the final heights of all nodes have not changed for a slot or two: what was on its way has arrived.
func (n *network) settle() uint64 {
	high, since := n.highest(), time.Now()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && time.Since(since) < 500*time.Millisecond; {
		time.Sleep(20 * time.Millisecond)
		if now := n.highest(); now > high {
			high, since = now, time.Now()
		}
	}
	return high
}

// ask asks a question and returns its transaction.
func (n *network) ask() types.TxID {
	ref, err := n.nodes[0].Reference(n.ctx(), n.chain)
	if err != nil {
		n.Error(err)
		return types.TxID{}
	}
	action, err := question(n, ref)
	if err != nil {
		n.Error(err)
		return types.TxID{}
	}
	return n.submit(1, 1, "oracle", action)
}

// compile compiles a contract in this process.
func compile(t *testing.T, text string) []byte {
	t.Helper()
	v, err := vmforth.Plugin().Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.VM})
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.(vm.VM).Compile(t.Context(), vm.Source{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return c.Code
}

var questions uint64

// nextText makes a question that was not asked before.
func nextText() string {
	questions++
	return fmt.Sprintf("is %d prime? (%x)", questions, binary.BigEndian.AppendUint64(nil, uint64(os.Getpid())))
}
