package apitest

import (
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// state is what a chain's headers have the root of: one item that every block changes, and the balance of one account.
type state struct {
	height  uint64
	account types.AccountID // zero: none
	balance uint64
}

// Track puts an account's balance into the state of further blocks, and takes the one out that was there.
func (c *Chain) Track(id types.AccountID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tracked = id
}

// after returns the state after a further block.
func (s state) after(c *Chain, height uint64) state {
	s.height, s.account, s.balance = height, c.tracked, c.accounts[c.tracked].Balance
	return s
}

// leaf returns an item's path and the hash of its leaf.
func leaf(module string, place types.Place, key string, value []byte) (types.StatePath, types.Hash) {
	p := types.StatePathOf(module, place, key)
	return p, types.StateLeafHash(&p, types.StateValueHash(value))
}

func (s state) counter() (types.StatePath, types.Hash) {
	return leaf("apitest", types.Place{}, "height", binary.AppendUvarint(nil, s.height))
}

// value is the balance in the form of the ledger, without vesting.
func (s state) value() []byte {
	if s.account == (types.AccountID{}) || s.balance == 0 {
		return nil
	}
	e := types.NewEncoder(12)
	e.Uint(s.balance)
	e.Uint(0)
	return e.Bytes()
}

func (s state) root() types.Hash {
	if s.height == 0 {
		return types.Hash{}
	}
	p, a := s.counter()
	v := s.value()
	if v == nil {
		return a
	}
	q, b := leaf(BalanceModule, s.account.Place(), string(s.account[:]), v)
	bit := p.CommonPrefix(&q)
	if p.Bit(bit) == 1 {
		a, b = b, a
	}
	return types.StateBranchHash(bit, &a, &b)
}

// proofs are those of the account's balance, and that it has no authority.
func (s state) proofs() []api.ItemProof {
	var out []api.ItemProof
	p, a := s.counter()
	v := s.value()
	key := string(s.account[:])
	q, b := leaf(BalanceModule, s.account.Place(), key, v)
	for _, module := range []string{BalanceModule, types.ModuleAccount} {
		it := api.ItemProof{Module: module, Place: s.account.Place(), Key: []byte(key), Proof: &types.StateProof{}}
		path := types.StatePathOf(module, it.Place, key)
		bit := p.CommonPrefix(&q)
		other := &types.StateLeaf{Path: p, Value: types.StateValueHash(binary.AppendUvarint(nil, s.height))}
		switch {
		case v == nil: // the only leaf is the counter's
			it.Proof.Other = other
		case path.Bit(bit) == p.Bit(bit):
			it.Proof.Steps, it.Proof.Other = []types.StateStep{{Bit: uint16(bit), Sibling: b}}, other
		default:
			it.Proof.Steps = []types.StateStep{{Bit: uint16(bit), Sibling: a}}
			if path == q {
				it.Value = v
			} else {
				it.Proof.Other = &types.StateLeaf{Path: q, Value: types.StateValueHash(v)}
			}
		}
		out = append(out, it)
	}
	return out
}
