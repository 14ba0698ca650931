package nodes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// One node after the other is killed and comes back, then all at once, and every unexpired transaction is refused afterwards by
// all, also by a node that joins.
func TestKillsAndReplayProtection(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"memdb", "goleveldb"} {
		t.Run(backend, func(t *testing.T) {
			g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
			w := newNetwork(t, 5, options{backend: backend}, g)
			seats := []int{0, 1, 2, 3}
			w.start(seats...)
			rng := rand.New(rand.NewPCG(1, 2))
			m := &maker{t: t, g: g}
			var envs [][]byte
			var ids []types.TxID
			send := func(i int) {
				env, id := m.transfer(w.nodes[i].chain(g), people[len(ids)%4], people[(len(ids)+1)%4], 10)
				w.nodes[i].submit(g, env)
				envs, ids = append(envs, env), append(ids, id)
			}
			for round := range 4 {
				x, other := w.nodes[round], (round+1)%4
				send(other)
				pause(t, time.Duration(rng.IntN(2*slotMs))*time.Millisecond) // any moment of a slot
				x.kill(round%2 == 1)
				send(other)
				w.nodes[other].more(g, 3)
				w.start(round)
				w.together(g, 3, seats...)
			}
			send(0)
			w.nodes[0].succeeds(g, ids...)
			for i, x := range w.nodes[:4] {
				x.kill(i%2 == 0)
			}
			w.start(seats...)
			w.together(g, 4, seats...)
			w.start(4) // without a seat and without anything
			w.together(g, 3, w.all()...)
			for _, x := range w.nodes {
				x.succeeds(g, ids...)
			}
			w.same(g, w.all()...)
			for _, x := range w.nodes {
				refuseAll(t, x.chain(g), envs)
				x.conserved(g)
				if x.refused > 0 {
					t.Errorf("the guard of node %d had to refuse %v signatures", x.i, x.refused)
				}
				if v := x.metric("alto_chain_evidence_total"); v > 0 {
					t.Errorf("node %d has seen %v proofs of double signing", x.i, v)
				}
			}
		})
	}
}

// refuseAll submits transactions that are final. Those that have expired since are refused for that.
func refuseAll(t *testing.T, c *chain.Chain, envs [][]byte) {
	t.Helper()
	_, errs := c.Submit(deadline(t), envs)
	duplicates := 0
	for i, err := range errs {
		switch {
		case errors.Is(err, ledger.ErrDuplicate):
			duplicates++
		case errors.Is(err, ledger.ErrExpired):
		default:
			t.Errorf("transaction %d is taken again: %v", i, err)
		}
	}
	if duplicates == 0 {
		t.Error("all transactions have expired before they could be repeated")
	}
}

// pause lets a moment pass that decides nothing.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}

// The start of a node is interrupted by faults of the disk and of the store at one step after the other; in the end it starts.
func TestRecoveryIsInterrupted(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", slotMs, 0)
	w := newNetwork(t, 1, options{backend: "goleveldb"}, g)
	x := w.nodes[0]
	errBroken := errors.New("broken")
	for step := 0; ; step += 3 {
		x.fs.Inject(func(s int, _ disktest.Op, _ string) *disktest.Fault {
			if s >= step {
				return &disktest.Fault{Err: errBroken}
			}
			return nil
		})
		err := x.start()
		if err == nil {
			x.fs.Inject(nil)
			break
		}
		if step > 500 {
			t.Fatalf("the node does not start: %v", err)
		}
		x.fs = x.fs.Crash()
		if x.starts == 1 {
			x.starts = 0 // its guard may not have been begun
		}
	}
	// It may have started and have halted since.
	x.kill(true)
	for i := range 4 {
		w.start(0)
		x.more(g, 3)
		x.kill(i%2 == 0)
	}
	w.start(0)
	x.more(g, 3)
	w.same(g, 0)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
	w := newNetwork(t, 4, options{}, g)
	w.start(w.all()...)
	x := w.nodes[1]
	x.more(g, 2)
	x.fs.Inject(func(_ int, op disktest.Op, _ string) *disktest.Fault {
		switch op {
		case disktest.Write, disktest.Allocate, disktest.Create:
			return &disktest.Fault{Err: fmt.Errorf("test: %w", journal.ErrNoSpace)}
		}
		return nil
	})
	// The others go on, and from their blocks this node learns nothing: nothing becomes final here.
	watch := x.chain(g)
	awaitBlocks(t, w.nodes[0].chain(g), "a stall that is shown", func() bool { return watch.Status().Stalled != "" })
	if s := watch.Status(); s.Halted != "" {
		t.Fatalf("a full disk has halted the chain: %s", s.Halted)
	}
	w.nodes[0].more(g, 3)
	x.fs.Inject(nil)
	w.together(g, 4, w.all()...)
	if s := watch.Status(); s.Stalled != "" || s.Halted != "" {
		t.Errorf("after there was room: %+v", s)
	}
	// The same with the store.
	full := fmt.Errorf("test: %w", storage.ErrNoSpace)
	x.store.of(g).fail.Store(&full)
	awaitBlocks(t, w.nodes[0].chain(g), "a stall that is shown", func() bool { return watch.Status().Stalled != "" })
	x.store.of(g).fail.Store(nil)
	w.together(g, 4, w.all()...)
	w.same(g, w.all()...)
	if s := watch.Status(); s.Stalled != "" || s.Halted != "" {
		t.Errorf("after there was room in the store: %+v", s)
	}
}

// A store that keeps nothing loses its process: what is still in memory is applied again, and if that is too little the journal is
// replayed. Queries go on meanwhile.
func TestLossOfTheStore(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]state.Options{"kept in memory": {}, "journal": {KeepBytes: 1}} {
		t.Run(name, func(t *testing.T) {
			g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
			w := newNetwork(t, 4, options{state: opts}, g)
			w.start(w.all()...)
			m := &maker{t: t, g: g}
			x := w.nodes[2]
			env, id := m.transfer(x.chain(g), people[0], people[1], 5)
			x.submit(g, env)
			// With KeepBytes of 1 the state has given up keeping as soon as it has found out that the store keeps nothing.
			x.final(g, 10)
			for range 3 {
				if err := x.store.of(g).lose(); err != nil {
					t.Fatal(err)
				}
				if _, _, _, _, err := x.chain(g).Account(deadline(t), people[1].id()); err != nil {
					t.Errorf("a query while the store comes back: %v", err)
				}
				if _, err := x.chain(g).Block(deadline(t), 3); err != nil {
					t.Errorf("a block while the store comes back: %v", err)
				}
				w.together(g, 3, w.all()...)
			}
			if replayed := strings.Contains(w.log.String(), "the journal is replayed"); replayed != (name == "journal") {
				t.Errorf("the journal was replayed: %v", replayed)
			}
			x.succeeds(g, id)
			w.same(g, w.all()...)
			x.conserved(g)
			refuse, errs := x.chain(g).Submit(deadline(t), [][]byte{env})
			if !errors.Is(errs[0], ledger.ErrDuplicate) && !errors.Is(errs[0], ledger.ErrExpired) {
				t.Errorf("%v: %v", refuse, errs[0])
			}
		})
	}
}
