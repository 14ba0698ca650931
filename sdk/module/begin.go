package module

import (
	"errors"
	"fmt"

	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// sendBegin sends a block in pieces.
func sendBegin(handle uint64, b *Block, send func(*modulev1.Begin) error) error {
	cur := &modulev1.Begin{
		Instance: handle, Chain: b.Chain[:], Height: b.Height, Slot: b.Slot, Clock: b.Clock, Producer: b.Producer[:], Parent: b.Parent[:],
	}
	size := 0
	if c := b.Consensus; c != nil {
		cur.Consensus = &modulev1.ConsensusInfo{Epoch: c.Epoch, Header: c.Header, Certificate: c.Certificate, Set: c.Set, ParentSlot: c.ParentSlot,
			Closes: c.Closes}
		size = len(c.Header) + len(c.Certificate) + len(c.Set)
	}
	for _, k := range b.Producers {
		cur.Producers = append(cur.Producers, toKey(k))
		size += len(k.Key) + 4
	}
	room := func(n int) error { // makes room for a part of n bytes
		if n > MaxMessage-pieceBytes {
			return fmt.Errorf("%w: a part of the block has %d bytes", ErrInvalid, n)
		}
		if size > 0 && size+n > pieceBytes {
			if err := send(cur); err != nil {
				return err
			}
			cur, size = &modulev1.Begin{}, 0
		}
		size += n
		return nil
	}
	for k, v := range b.Params {
		if err := room(len(k) + len(v) + 16); err != nil {
			return err
		}
		if cur.Params == nil {
			cur.Params = map[string][]byte{}
		}
		cur.Params[k] = v
	}
	for i := range b.Txs {
		if err := room(txBytes(&b.Txs[i])); err != nil {
			return err
		}
		cur.Txs = append(cur.Txs, toTx(&b.Txs[i]))
	}
	for i := range b.Due {
		d := &b.Due[i]
		if err := room(len(d.Item.Key) + len(d.Data) + 64); err != nil {
			return err
		}
		cur.Due = append(cur.Due, &modulev1.Due{Id: d.ID[:], Item: toItem(d.Item), Data: d.Data})
	}
	for _, x := range b.Extensions {
		if err := room(len(x) + 8); err != nil {
			return err
		}
		cur.Extensions = append(cur.Extensions, x)
	}
	for i := range b.Values {
		v := &b.Values[i]
		if err := room(len(v.Item.Key) + len(v.Data) + 32); err != nil {
			return err
		}
		cur.Values = append(cur.Values, toValue(v, true))
	}
	cur.Last = true
	return send(cur)
}

// blockBuilder puts a block together from pieces.
type blockBuilder struct {
	b     *Block
	begun bool
}

// add takes a piece and tells whether it was the last.
func (bb *blockBuilder) add(p *modulev1.Begin) (last bool, err error) {
	if p == nil {
		return false, errors.New("a stream that does not begin with Begin")
	}
	if !bb.begun {
		bb.begun = true
		bb.b = &Block{Height: p.Height, Slot: p.Slot, Clock: p.Clock}
		if bb.b.Chain, err = fixed[types.ChainID]("chain", p.Chain); err != nil {
			return false, err
		}
		if bb.b.Producer, err = fixed[types.Hash]("producer", p.Producer); err != nil {
			return false, err
		}
		if bb.b.Parent, err = fixed[types.BlockID]("parent", p.Parent); err != nil {
			return false, err
		}
	}
	b := bb.b
	if c := p.Consensus; c != nil {
		b.Consensus = &ConsensusInfo{Epoch: c.Epoch, Header: c.Header, Certificate: c.Certificate, Set: c.Set, ParentSlot: c.ParentSlot, Closes: c.Closes}
	}
	for _, k := range p.Producers {
		key, err := fromKey(k)
		if err != nil {
			return false, fmt.Errorf("producer: %w", err)
		}
		b.Producers = append(b.Producers, key)
	}
	for k, v := range p.Params {
		if b.Params == nil {
			b.Params = map[string][]byte{}
		}
		b.Params[k] = v
	}
	if len(b.Txs)+len(p.Txs) > types.MaxBlockTxs {
		return false, fmt.Errorf("more than %d transactions", types.MaxBlockTxs)
	}
	for _, pt := range p.Txs {
		t, err := fromTx(pt)
		if err != nil {
			return false, err
		}
		b.Txs = append(b.Txs, t)
	}
	for _, pd := range p.Due {
		d := Due{Data: pd.GetData()}
		if d.ID, err = fixed[[32]byte]("id of a due entry", pd.GetId()); err != nil {
			return false, err
		}
		if d.Item, err = fromItem(pd.GetItem()); err != nil {
			return false, err
		}
		b.Due = append(b.Due, d)
	}
	b.Extensions = append(b.Extensions, p.Extensions...)
	for _, pv := range p.Values {
		v, err := fromValue(pv, true)
		if err != nil {
			return false, err
		}
		b.Values = append(b.Values, v)
	}
	return p.Last, nil
}
