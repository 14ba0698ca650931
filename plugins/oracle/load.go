package prophecy

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// life names a dispute: a question's in its first life or in its second.
type life struct {
	id [32]byte
	n  int
}

// want is a question that will be looked at; with ballots, so will be its dispute.
type want struct {
	id      [32]byte
	ballots bool
}

// load makes questions known, and the disputes that what is to be done may need; tx says who pays for reading what the core
// did not bring.
func (x *run) load(ctx context.Context, tx int, wants []want) error {
	var ids [][32]byte
	var items []module.Item
	asked := make(map[[32]byte]bool, len(wants))
	for _, w := range wants {
		if _, ok := x.known[w.id]; !ok && !asked[w.id] {
			asked[w.id] = true
			ids, items = append(ids, w.id), append(items, oracle.Item(w.id))
		}
	}
	values, err := x.read(ctx, tx, items)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if err := x.learn(id, values[i]); err != nil {
			return err
		}
	}
	return x.loadDisputes(ctx, tx, wants)
}

// loadDisputes is for questions that are known. A dispute is needed for counting ballots, and for settling it.
func (x *run) loadDisputes(ctx context.Context, tx int, wants []want) error {
	var lives []life
	var items []module.Item
	asked := make(map[life]bool, len(wants))
	for _, w := range wants {
		q := x.known[w.id]
		if q == nil || !q.State.Disputed() || !w.ballots && q.EndsAt > x.b.Clock {
			continue
		}
		l := life{w.id, q.Life()}
		if x.disputes[l] == nil && !asked[l] {
			asked[l] = true
			lives, items = append(lives, l), append(items, oracle.DisputeItem(l.id, l.n), oracle.CommitsItem(l.id, l.n))
		}
	}
	values, err := x.read(ctx, tx, items)
	if err != nil {
		return err
	}
	for i, l := range lives {
		d, err := oracle.DecodeDispute(values[2*i], values[2*i+1])
		if q := x.known[l.id]; err == nil && (d.ID != l.id || d.Life != l.n || d.CommitAt != q.CommitAt || d.RevealAt != q.RevealAt || d.EndsAt != q.EndsAt || d.Settled != nil) {
			err = fmt.Errorf("the dispute of question %x is not that which is under way", l.id[:4])
		}
		if err != nil {
			return foreignState(err)
		}
		x.disputes[l] = d
	}
	return nil
}

// read returns the values of items, from what came with the block where it can.
func (x *run) read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
	var miss []module.Item
	var at []int
	for i, it := range items {
		data, ok := x.given[it]
		if ok {
			out[i] = data
		} else {
			miss, at = append(miss, it), append(at, i)
		}
	}
	if len(miss) == 0 {
		return out, nil
	}
	values, err := x.r.Read(ctx, tx, miss)
	if err != nil {
		return nil, err
	}
	if len(values) != len(miss) {
		return nil, fmt.Errorf("read: %d values for %d items", len(values), len(miss))
	}
	for i, j := range at {
		out[j] = values[i]
	}
	return out, nil
}

func (x *run) learn(id [32]byte, data []byte) error {
	if data == nil {
		x.known[id] = nil
		return nil
	}
	r, err := oracle.DecodeRecord(data)
	if err == nil && r.ID != id {
		err = fmt.Errorf("question %x under the item of %x", r.ID, id)
	}
	if err != nil {
		return foreignState(err)
	}
	x.known[id] = r
	return nil
}

func foreignState(err error) error {
	return fmt.Errorf("the state is not what this module wrote: %w", err)
}
