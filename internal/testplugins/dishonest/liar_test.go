package main

import (
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func order(n uint64, order string) module.Tx {
	return moduletest.TallyTx(n, types.Action{Name: "do", Body: []byte(order), MaxSpend: 10})
}

// play executes a block, and then one with what is due behind it.
func play(t *testing.T, l *liar, orders ...string) (fault, later error) {
	t.Helper()
	m := module.Guard(l) // as behind a connection
	c := moduletest.NewCore(types.ChainID{}, nil)
	var txs []module.Tx
	for i, o := range orders {
		txs = append(txs, order(uint64(i+1), o))
	}
	c.FundAll(txs)
	e, err := c.Block(t.Context(), m, moduletest.Clock, txs)
	if err != nil {
		return err, nil
	}
	d, err := c.Block(t.Context(), m, moduletest.Clock+1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Conserved(); err != nil {
		t.Fatal(err)
	}
	return e.Fault, d.Fault
}

// Without an order, or with one that is for others, it is honest; with one it is not.
func TestOrders(t *testing.T) {
	good, bad := newLiar(false), newLiar(true)
	for _, orders := range [][]string{{""}, {"", ""}, {"nonsense"}, {"here mint"}, {"here exit"}, {"here deaf", "here due-exit"}, {"here check-exit"}} {
		if fault, later := play(t, good, orders...); fault != nil || later != nil {
			t.Errorf("%q: %v, %v", orders, fault, later)
		}
	}
	for _, trick := range moduletest.Faults() {
		for _, orders := range [][]string{{string(trick)}, {"", string(trick)}, {"here " + string(trick)}} {
			if fault, _ := play(t, bad, orders...); !errors.Is(fault, module.ErrFault) {
				t.Errorf("%q: %v", orders, fault)
			}
		}
	}
	for _, m := range []*liar{good, bad} {
		if fault, later := play(t, m, "due-fault"); fault != nil || !errors.Is(later, module.ErrFault) {
			t.Errorf("due-fault: %v, %v", fault, later)
		}
	}
}

// Two instances differ where they are told to, and nowhere else.
func TestDiffers(t *testing.T) {
	for o, differ := range map[string]bool{"": false, "here differs": false, "differs": true} {
		var digests []types.Hash
		for range 2 {
			m, c := newLiar(false), moduletest.NewCore(types.ChainID{}, nil)
			b, _, err := c.Prepare(t.Context(), m, moduletest.Clock, []module.Tx{order(1, o)})
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.Execute(t.Context(), b, c.Reader())
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, out.Digest())
		}
		if (digests[0] != digests[1]) != differ {
			t.Errorf("%q: %v", o, digests)
		}
	}
}
