package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ProvenAnswer is what a module answered, and what is proven of it. JSON is the module's word, which nothing proves; Items are
// what it says that its answer rests on, and of each of them it is proven what the chain's state held after At's parent. That
// there are no further items which the answer should rest on is not proven either: whoever knows the module wants those that it
// needs, with [ProvenAnswer.Value], and reads them.
type ProvenAnswer struct {
	JSON   []byte
	Module string
	At     *types.Header // final; the items were so after its parent
	Items  []api.ItemProof
	Caller *types.AccountID // in whose name the module was asked
	query  api.QueryRequest
}

// Value returns what the state held for an item, nil if nothing; proven tells whether there is a proof of it.
func (p *ProvenAnswer) Value(it module.Item) (value []byte, proven bool) {
	for i := range p.Items {
		if x := &p.Items[i]; x.Place == it.Place && string(x.Key) == it.Key && (it.Module == "" || it.Module == x.Module) {
			return x.Value, true
		}
	}
	return nil, false
}

// Query asks a module and verifies the items that the answer rests on, as of the newest state for which the node has a proof; how
// old that is, At tells by its slot. Items in want must be among them. It fails with [ErrUnproven] if the node's answers do not
// fit.
func (l *Light) Query(ctx context.Context, q api.QueryRequest, want ...module.Item) (*ProvenAnswer, error) {
	said, err := l.c.ProvenQuery(ctx, l.chain, q)
	if err != nil {
		return nil, err
	}
	headers, proof, err := l.c.ProvenBlock(ctx, l.chain, said.ProofHeight)
	if err != nil {
		return nil, err
	}
	// That the block is part of the chain is not asked, as in Account.
	if _, err := l.verify(ctx, headers, proof); err != nil {
		return nil, err
	}
	out := &ProvenAnswer{JSON: said.JSON, Module: q.Module, At: headers[0], Items: said.Proofs, Caller: said.Caller, query: q}
	held := make([]light.Held, len(out.Items))
	for i, it := range out.Items {
		held[i] = light.Held{Item: light.Item{Module: it.Module, Place: it.Place, Key: string(it.Key)}, Value: it.Value, Proof: it.Proof}
	}
	if err := light.AnswerIn(out.At, q.Module, held); err != nil {
		return nil, fmt.Errorf("%w: query %s %s: %w", ErrUnproven, q.Module, q.Path, err)
	}
	for _, it := range want {
		if _, ok := out.Value(it); !ok {
			return nil, fmt.Errorf("%w: query %s %s: the node gave no proof of item %q", ErrUnproven, q.Module, q.Path, it.Key)
		}
	}
	return out, nil
}

// Compute asks a module that runs here the same question over nothing but the items that are proven, and returns its answer,
// which is proven so far as the rules of m are those of the chain. It fails with [ErrUnproven] if the module reads an item that
// was not proven, or scans, of which no proof is known.
func (l *Light) Compute(ctx context.Context, p *ProvenAnswer, m module.Module) ([]byte, error) {
	clock := uint64(0) // of genesis
	if p.At.Height > 1 {
		b, err := l.c.Block(ctx, l.chain, p.At.Height-1, DetailHeader)
		if err != nil {
			return nil, err
		}
		if b.ID != p.At.Parent {
			return nil, fmt.Errorf("%w: the block at height %d is not the parent of the one that is proven", ErrUnproven, p.At.Height-1)
		}
		clock = b.Header.Clock
	}
	r := &provenReader{p: p}
	a, err := m.Query(ctx, module.Query{Caller: p.Caller, Height: p.At.Height - 1, Clock: clock, Path: p.query.Path, Argument: p.query.Argument}, r)
	if r.err != nil {
		return nil, fmt.Errorf("query %s %s: %w", p.Module, p.query.Path, r.err)
	}
	return a.JSON, err
}

// provenReader reads what is proven.
type provenReader struct {
	p   *ProvenAnswer
	err error
}

// Read implements module.Reader.
func (r *provenReader) Read(_ context.Context, _ int, items []module.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
	for i, it := range items {
		v, ok := r.p.Value(it)
		if !ok {
			r.err = errors.Join(r.err, fmt.Errorf("%w: the answer rests on item %q, of which there is no proof", ErrUnproven, it.Key))
			return nil, r.err
		}
		out[i] = v
	}
	return out, nil
}

// Scan implements module.Reader.
func (r *provenReader) Scan(context.Context, int, module.Item, module.Item, int) ([]module.Value, bool, error) {
	r.err = errors.Join(r.err, fmt.Errorf("%w: the answer rests on a range of items, and that none is left out cannot be proven", ErrUnproven))
	return nil, false, r.err
}
