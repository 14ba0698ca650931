package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const deposit = 50

var alice, bob = types.AccountID{1}, types.AccountID{2}

func tx(from types.AccountID, action, body string) module.Tx {
	return module.Tx{ID: sha256.Sum256(fmt.Appendf(nil, "%x %s %s", from, action, body)), Account: from,
		Actions: []types.Action{{Name: action, Body: []byte(body), MaxSpend: deposit}}, MaxGas: 10_000, Bytes: 300}
}

// valid claims names, and does everything with them that there is.
func valid(seed uint64, n int) (out []module.Tx) {
	for i := range n {
		mine, yours := fmt.Sprintf("mine-%d-%d", seed, i/5), fmt.Sprintf("yours-%d-%d", seed, i/5)
		out = append(out, []module.Tx{
			tx(alice, "claim", mine), tx(alice, "note", mine+"=for my eyes only"), tx(alice, "claim", yours),
			tx(alice, "transfer", yours+"="+bob.String()), tx(bob, "release", yours),
		}[i%5])
	}
	return out
}

func factory() moduletest.Factory {
	poor := tx(alice, "claim", "poor")
	poor.MaxGas = 1
	two := tx(alice, "claim", "two")
	two.Actions = append(two.Actions, two.Actions[0])
	return moduletest.Factory{
		Open:  func() (moduletest.Instance, error) { return moduletest.Instance{Module: names{deposit}}, nil },
		Valid: valid,
		Malformed: []module.Tx{poor, two, tx(alice, "steal", "x"), tx(alice, "claim", ""), tx(alice, "claim", "A"), tx(alice, "claim", "a=b"),
			tx(alice, "claim", fmt.Sprintf("%033d", 0)), tx(alice, "note", "x"), tx(alice, "note", "x="+strings.Repeat("y", 257)), tx(alice, "transfer", "x=bob")},
		Paths:   []string{"owner/mine-77-0", "owner/yours-77-0", "owner/nobody"},
		Private: map[string]types.AccountID{"owner/mine-77-0": alice},
	}
}

func TestInProcess(t *testing.T)   { moduletest.Run(t, factory()) }
func TestOverTheWire(t *testing.T) { moduletest.Run(t, moduletest.Remote(factory())) }

// TestStory plays blocks against the smallest core that a module can live in, with every way to fail that the state decides.
func TestStory(t *testing.T) {
	c, m := moduletest.NewCore(types.ChainID{}, nil), names{deposit}
	poor := tx(bob, "claim", "poor")
	poor.Actions[0].MaxSpend = deposit - 1
	steps := []struct {
		tx   module.Tx
		want string
	}{
		{tx(alice, "claim", "alice"), ""}, {tx(bob, "claim", "alice"), "ErrTaken"}, {tx(bob, "note", "alice=mine"), "ErrNotOwner"},
		{tx(bob, "release", "alice"), "ErrNotOwner"}, {tx(bob, "release", "nobody"), "ErrNotOwner"}, {poor, "ErrDeposit"},
		{tx(alice, "note", "alice=secret"), ""}, {tx(alice, "transfer", "alice="+bob.String()), ""}, {tx(alice, "note", "alice=too late"), "ErrNotOwner"},
		{tx(bob, "release", "alice"), ""}, {tx(bob, "claim", "alice"), ""},
	}
	for _, size := range []int{1, len(steps)} { // a block each, and all in one
		var all []module.Tx
		for _, s := range steps {
			s.tx.ID[0] ^= byte(size)
			all = append(all, s.tx)
		}
		c.FundAll(all)
		k := 0
		for part := range slices.Chunk(all, size) {
			e, err := c.Block(t.Context(), m, moduletest.Clock, part)
			if err != nil || e.Fault != nil {
				t.Fatal(err, e)
			}
			for _, r := range e.Txs {
				if r.Error != steps[k].want {
					t.Errorf("step %d of blocks of %d: %q, want %q", k, size, r.Error, steps[k].want)
				}
				k++
			}
			if err := c.Conserved(); err != nil {
				t.Fatal(err)
			}
		}
		a, err := m.Query(t.Context(), module.Query{Path: "owner/alice", Caller: &bob}, c.Reader())
		if want := fmt.Sprintf(`{"owner":%q}`, bob); err != nil || string(a.JSON) != want {
			t.Fatalf("%s, %v, want %s: a note does not outlive its owner", a.JSON, err, want)
		}
		last := tx(bob, "release", "alice") // for the next round
		last.ID[0] ^= byte(size) + 1
		if e, err := c.Block(t.Context(), m, moduletest.Clock, []module.Tx{last}); err != nil || e.Txs[0].Error != "" {
			t.Fatal(err, e)
		}
	}
}

func TestSettings(t *testing.T) {
	for config, want := range map[string]uint64{`{"deposit":7}`: 7, `{"deposit":"18446744073709551615"}`: ^uint64(0)} {
		if m, err := (names{}).Open(context.Background(), nil, plugin.OpenRequest{Config: []byte(config)}); err != nil || m != (names{want}) {
			t.Errorf("%s: %v, %v", config, m, err)
		}
	}
	for _, config := range []string{``, `{"deposit":-1}`, `{"deposit":1.5}`, `{"deposit":"much"}`, `{"deposit":1,"more":1}`, `[]`} {
		if _, err := (names{}).Open(context.Background(), nil, plugin.OpenRequest{Config: []byte(config)}); !errors.Is(err, plugin.ErrBadConfig) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

// FuzzParse: bodies come from anybody.
func FuzzParse(f *testing.F) {
	for _, seed := range append(factory().Malformed, valid(1, 5)...) {
		f.Add(seed.Actions[0].Name, seed.Actions[0].Body)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		a, wrong := parse(&module.Tx{Actions: []types.Action{{Name: kind, Body: body}}, MaxGas: gas})
		if wrong == "" && (!goodName(a.name) || len(a.text) > longestNote) {
			t.Fatalf("%q %q is well formed", kind, body)
		}
	})
}
