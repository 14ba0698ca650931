package chain

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestBlockGas sees that a block whose transactions may together use more gas than a block has is invalid before any of
// them runs, however many there are: that bounds the time that a block's contracts take.
func TestBlockGas(t *testing.T) {
	k, s, _, block := scripted(t)
	good, most := block(1), k.cfg.Ledger.MaxBlockGas()
	spender := func(gas uint64) ([]byte, types.TxID) {
		height, id, _, _ := k.Reference()
		k.salt++
		x := &types.Transaction{Module: types.ModuleBank, Account: alice.id(), Authority: types.SingleKeyAuthority(alice.pub).Encode(), Expires: 120,
			Actions:   []types.Action{{Name: "transfer", Body: types.TransferBody{To: bob.id(), Amount: 1}.Encode(), MaxSpend: 1}},
			RefHeight: height, RefHash: [16]byte(id[:16]), Salt: k.salt, MaxGas: gas, MaxFee: 2 * gas}
		env := types.Envelope{Raw: x.Encode()}
		env.Signatures = []types.Signature{{Key: alice.pub, Sig: ed25519.Sign(alice.priv, types.TxSignBytes(k.g.ID(), env.Raw))}}
		return env.Encode(), types.TxIDOf(k.g.ID(), env.Raw)
	}
	for name, c := range map[string]struct {
		gas []uint64
		ok  bool
	}{"all of it": {[]uint64{most - 100_000, 100_000}, true}, "more": {[]uint64{most - 100_000, 100_001}, false}} {
		var b types.Body
		var ids []types.TxID
		for _, g := range c.gas {
			env, id := spender(g)
			b.Txs, ids = append(b.Txs, env), append(ids, id)
		}
		h := *good.Header
		h.BodyRoot, h.ExtensionRoot = b.BodyRoot(ids), b.ExtensionRoot()
		k.OnMessage(types.Hash{1}, MsgBody, pushed(h.ID(), b.Encode()))
		s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: &h}}}
		if got := next[*consensus.Checked](t, s); got.OK != c.ok || strings.Contains(got.Reason, "max_gas sums to more than") == c.ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
