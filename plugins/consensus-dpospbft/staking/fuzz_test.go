package staking

import (
	"bytes"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// FuzzExecute gives the module whatever there is: any action, any extension, on a chain with a set.
func FuzzExecute(f *testing.F) {
	f.Add(types.ActionVote, voteFor(founder(0)).Body, uint64(5), uint64(1<<40), []byte{1, 1, 3, 1, 2, 3})
	f.Add(types.ActionStake, types.StakeBody{Amount: 1 << 40}.Encode(), uint64(1<<40), ^uint64(0), []byte(nil))
	f.Add(types.ActionUnstake, types.StakeBody{Amount: 1}.Encode(), uint64(0), uint64(50_000), []byte{1})
	f.Add(types.ActionRegisterProducer, registerOf(30, account(1), "x").Body, uint64(0), uint64(50_000), []byte{})
	f.Add(types.ActionRotateKey, rotateTo(30, founder(0)).Body, uint64(0), uint64(50_000), []byte{})
	f.Add(types.ActionRetire, []byte{}, uint64(0), uint64(50_000), []byte{})
	set := types.EqualSet(0, []types.PublicKey{public(0), public(1), public(2), public(3)})
	f.Add(types.ActionEvidence, types.EvidenceBody{Evidence: twice(set, 1, 3)}.Encode(), uint64(0), uint64(500_000), encodeExtension([][]byte{twice(set, 2, 4)}))
	f.Fuzz(func(t *testing.T, name string, body []byte, spend, gas uint64, ext []byte) {
		if len(body) > 1<<16 || len(ext) > types.MaxExtensionBytes {
			return
		}
		c := ready(t, nil)
		for _, from := range []types.AccountID{account(1), founder(0)} {
			c.n++
			x := tx(c.n, from, types.Action{Name: name, Body: body, MaxSpend: min(spend, 1<<50)})
			x.MaxGas = gas
			c.core.FundAll([]module.Tx{x, x})
			c.step(testBlock{txs: []module.Tx{x, x}, ext: [][]byte{ext}, final: c.height}) // fails if the module breaks a rule
		}
		sum := uint64(0)
		for _, v := range c.core.Items() {
			if r, err := decode(v.Item, v.Data); err == nil {
				if o, ok := r.(*owner); ok {
					sum += o.escrow()
				}
			}
		}
		if sum != c.core.Escrows() {
			t.Fatalf("%d in escrow, records say %d", c.core.Escrows(), sum)
		}
	})
}

// FuzzRecord reads any value under any key; what is accepted is encoded the same again.
func FuzzRecord(f *testing.F) {
	c := ready(f, nil)
	c.join(1, 100)
	c.do("", account(1), unstakeOf(5))
	c.do("", account(2), evidenceOf(twice(c.set, 1, c.slot)))
	for _, v := range c.core.Items() {
		f.Add(v.Item.Key, v.Data)
	}
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		r, err := decode(module.Item{Key: key}, data)
		if err == nil && r != nil && !bytes.Equal(encode(r), data) {
			t.Fatalf("%q: %x is written as %x", key, data, encode(r))
		}
	})
}

// FuzzQuery asks anything.
func FuzzQuery(f *testing.F) {
	c := ready(f, nil)
	a := c.join(1, 100)
	for _, p := range []string{PathProducers, PathProducers + "?limit=2&after=" + "00", PathAll, PathAll + "?limit=2&after=00", PathEvidence, PathEpoch, PathSet, PathSet + "/0", PathAccount + a.String(), PathProducer + a.String()} {
		f.Add(p)
	}
	m := module.Guard(c.m)
	f.Fuzz(func(t *testing.T, path string) {
		_, _ = m.Query(t.Context(), module.Query{Path: path}, c.core.Reader())
	})
}
