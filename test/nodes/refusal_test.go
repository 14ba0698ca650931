package nodes

import (
	"bytes"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Every bad transaction is refused with its own error, on a node with a seat and on one that follows.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
	w := newNetwork(t, 5, options{}, g)
	w.start(w.all()...)
	w.together(g, 3, w.all()...)
	m := &maker{t: t, g: g}
	nobody := newKey("nobody")
	c := w.nodes[0].chain(g)
	block2, err := c.Block(deadline(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	make := func(from key, amount uint64, f func(*types.Transaction)) []byte {
		env, _ := m.transfer(c, from, people[1], amount, f)
		return env
	}
	keep := func(*types.Transaction) {}
	final, id := m.transfer(c, people[0], people[1], 1)
	w.nodes[0].submit(g, final)
	for _, x := range w.nodes {
		x.succeeds(g, id)
	}
	for name, tc := range map[string]struct {
		env  []byte
		want error
	}{
		"repeated":           {final, ledger.ErrDuplicate},
		"expired":            {make(people[0], 1, func(x *types.Transaction) { x.Expires = 1 }), ledger.ErrExpired},
		"lives too long":     {make(people[0], 1, func(x *types.Transaction) { x.Expires += 200 }), ledger.ErrNotYet},
		"overspent":          {make(people[0], supply, keep), ledger.ErrInsufficient},
		"of an empty purse":  {make(nobody, 1, keep), ledger.ErrInsufficient},
		"another fork":       {make(people[0], 1, func(x *types.Transaction) { x.RefHeight, x.RefHash = 2, [16]byte{1} }), ledger.ErrForeignFork},
		"another height":     {make(people[0], 1, func(x *types.Transaction) { x.RefHeight, x.RefHash = 1, [16]byte(block2.ID[:16]) }), ledger.ErrForeignFork},
		"a future reference": {make(people[0], 1, func(x *types.Transaction) { x.RefHeight += 1000 }), ledger.ErrFutureReference},
		"no fee":             {make(people[0], 1, func(x *types.Transaction) { x.MaxFee = 1 }), ledger.ErrFee},
		"too much gas":       {make(people[0], 1, func(x *types.Transaction) { x.MaxGas = 1 << 40 }), ledger.ErrBlockGas},
		"unknown module":     {make(people[0], 1, func(x *types.Transaction) { x.Module = "nothing" }), ledger.ErrUnknownModule},
		"someone else's":     {make(people[0], 1, func(x *types.Transaction) { x.Account, x.Authority = people[2].id(), nil }), ledger.ErrUnauthorised},
		"malformed":          {[]byte("not a transaction"), ledger.ErrMalformed},
		"cut off":            {final[:len(final)-3], ledger.ErrMalformed},
		"too large":          {bytes.Repeat([]byte{1}, 129<<10), ledger.ErrTooLarge},
		"bad signature":      {func() []byte { e := bytes.Clone(make(people[0], 1, keep)); e[len(e)-5] ^= 1; return e }(), ledger.ErrSignature},
	} {
		for _, i := range []int{0, 4} {
			if _, errs := w.nodes[i].chain(g).Submit(deadline(t), [][]byte{tc.env}); !errors.Is(errs[0], tc.want) {
				t.Errorf("%s, node %d: %v, want %v", name, i, errs[0], tc.want)
			}
		}
	}
	// One that waits already, and one good among bad ones.
	env, id := m.transfer(c, people[2], people[3], 1)
	_, errs := c.Submit(deadline(t), [][]byte{[]byte("junk"), env, env})
	if errs[0] == nil || errs[1] != nil || !errors.Is(errs[2], mempool.ErrKnown) {
		t.Errorf("%v", errs)
	}
	w.nodes[4].succeeds(g, id)
	w.nodes[4].conserved(g)
}
