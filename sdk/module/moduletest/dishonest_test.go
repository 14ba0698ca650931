package moduletest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func dishonestTxs() []module.Tx {
	return []module.Tx{
		TallyTx(1, types.Action{Name: "x", MaxSpend: 10}), TallyTx(2, types.Action{Name: "y", MaxSpend: 20}, types.Action{Name: "z", MaxSpend: 5}),
	}
}

// dishonestModules are a trickster in process, guarded, and one behind a connection.
func dishonestModules(t *testing.T, trick Trick) map[string]module.Module {
	t.Helper()
	local := &Dishonest{Trick: trick}
	remote, err := Remote(Factory{Open: func() (Instance, error) { return Instance{Module: &Dishonest{Trick: trick}}, nil }}).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remote.Close(); err != nil {
			t.Error(err)
		}
	})
	return map[string]module.Module{"guarded": module.Guard(&caught{local}), "remote": remote.Module}
}

func TestFaultsAreFaults(t *testing.T) {
	for _, trick := range Faults() {
		for how, m := range dishonestModules(t, trick) {
			t.Run(string(trick)+"/"+how, func(t *testing.T) {
				c := NewCore(types.ChainID{}, nil)
				txs := dishonestTxs()
				c.FundAll(txs)
				before := c.State()
				e, err := c.Block(t.Context(), m, Clock, txs)
				if trick == CheckTooFew || trick == CheckForeign {
					if !errors.Is(err, module.ErrFault) {
						t.Fatalf("check: %v, want a fault", err)
					}
				} else if err != nil || !errors.Is(e.Fault, module.ErrFault) {
					t.Fatalf("%v, %v, want a fault", e, err)
				}
				if after := c.State(); after != before {
					t.Fatalf("a fault took effect: %s", diff(after, before))
				}
				if err := c.Conserved(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestFailuresAreNoFaults(t *testing.T) {
	for _, trick := range Failures() {
		for how, m := range dishonestModules(t, trick) {
			t.Run(string(trick)+"/"+how, func(t *testing.T) {
				c := NewCore(types.ChainID{}, nil)
				txs := dishonestTxs()
				c.FundAll(txs)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if trick == Hang {
					cancel()
				}
				_, err := c.Block(ctx, m, Clock, txs)
				if err == nil || errors.Is(err, module.ErrFault) {
					t.Fatalf("%v, want an error that is no fault", err)
				}
				if trick == Hang && !errors.Is(err, context.Canceled) {
					t.Fatalf("%v, want the context's end", err)
				}
				if err := c.Conserved(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestAsides: what is no block ends with a fault or an error, and never with what breaks a limit.
func TestAsides(t *testing.T) {
	faults := map[Trick]bool{ExtendLong: true, QueryLong: true, QueryRests: true, QueryOthers: true}
	for _, trick := range Asides() {
		for how, m := range dishonestModules(t, trick) {
			t.Run(string(trick)+"/"+how, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if strings.HasSuffix(string(trick), "hang") {
					cancel()
				}
				r := NewCore(types.ChainID{}, nil).Reader()
				x, err := m.Extend(ctx, 1, r)
				switch {
				case strings.HasPrefix(string(trick), "query"):
					_, err = m.Query(ctx, module.Query{Path: "trick"}, r)
				case strings.HasPrefix(string(trick), "params"):
					err = m.ValidateParams(ctx, nil)
				}
				if err == nil || len(x) > 0 || errors.Is(err, module.ErrFault) != faults[trick] {
					t.Fatalf("%d bytes, %v", len(x), err)
				}
				if ctx.Err() != nil && !errors.Is(err, context.Canceled) {
					t.Fatalf("%v, want the context's end", err)
				}
			})
		}
	}
}

// TestDeferred: the block that schedules is legal, and the one in which the work is due is not.
func TestDeferred(t *testing.T) {
	for _, trick := range Deferred() {
		for how, m := range dishonestModules(t, trick) {
			t.Run(string(trick)+"/"+how, func(t *testing.T) {
				c := NewCore(types.ChainID{}, nil)
				txs := dishonestTxs()
				c.FundAll(txs)
				if e, err := c.Block(t.Context(), m, Clock, txs); err != nil || e.Fault != nil || len(c.Queue()) != len(txs) {
					t.Fatalf("%v, %v, %v", e, err, c.Queue())
				}
				e, err := c.Block(t.Context(), m, Clock+1, nil)
				if trick == DueFault && (err != nil || !errors.Is(e.Fault, module.ErrFault)) || trick == DueCrash && err == nil {
					t.Fatalf("%v, %v", e, err)
				}
			})
		}
	}
}

func TestOtherTricks(t *testing.T) {
	for how, m := range dishonestModules(t, CheckDiffers) {
		var digests []types.Hash
		for range 2 {
			checks, err := m.Check(t.Context(), dishonestTxs())
			if err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			digests = append(digests, checks[0].Digest())
		}
		if digests[0] == digests[1] {
			t.Fatalf("%s: two checks say the same", how)
		}
	}
	for how, m := range dishonestModules(t, Differs) {
		c := NewCore(types.ChainID{}, nil)
		b, _, err := c.Prepare(t.Context(), m, Clock, dishonestTxs())
		if err != nil {
			t.Fatal(err)
		}
		var prints []string
		for range 2 {
			out, err := m.Execute(t.Context(), b, c.Reader())
			if err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			prints = append(prints, fingerprints(out))
		}
		if prints[0] == prints[1] {
			t.Fatalf("%s: two executions give the same", how)
		}
	}
	for trick, want := range map[Trick]string{Unnamed: module.ErrUnnamed, Deny: "ErrDenied", "": ""} {
		for how, m := range dishonestModules(t, trick) {
			c := NewCore(types.ChainID{}, nil)
			txs := dishonestTxs()
			c.FundAll(txs)
			e, err := c.Block(t.Context(), m, Clock, txs)
			if err != nil || e.Fault != nil {
				t.Fatalf("%q %s: %v, %v", trick, how, err, e)
			}
			if e.Txs[1].Error != want || e.Txs[0].Error != "" {
				t.Fatalf("%q %s: errors %q and %q", trick, how, e.Txs[0].Error, e.Txs[1].Error)
			}
		}
	}
}
