package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Difference is how two answers of a module to the same question differ. It wraps [ErrDiffers].
type Difference struct {
	Module string
	Height uint64     // of the block; 0 if a transaction was checked for no block
	Index  int        // of the first transaction that differs, among the module's in the block; -1: scheduled work and extensions
	Tx     types.TxID // zero if Index is -1
	Check  bool       // it is what Check says that differs
	One    string     // what the module answered, in short
	Two    string
}

// Error implements error.
func (d *Difference) Error() string {
	what := "execution"
	if d.Check {
		what = "check"
	}
	where := ""
	if d.Height > 0 {
		where = fmt.Sprintf(" of block %d", d.Height)
	}
	of := "scheduled work"
	if d.Index >= 0 {
		of = fmt.Sprintf("transaction %s, number %d for the module", d.Tx, d.Index)
	}
	return fmt.Sprintf("%v: module %q answers differently when asked twice: %s%s: %s: first %s, then %s", ErrDiffers, d.Module, what, where, of, d.One, d.Two)
}

// Unwrap returns ErrDiffers.
func (d *Difference) Unwrap() error { return ErrDiffers }

// twice asks for everything twice that decides a block. Each question has its own copy of the block. Both see the same state.
type twice struct {
	module.Module
	second module.Module
	name   string
}

// Check implements module.Module.
func (t *twice) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	again := cloneTxs(txs)
	one, err1 := t.Module.Check(ctx, txs)
	if failed(err1) {
		return nil, err1
	}
	two, err2 := t.second.Check(ctx, again)
	if failed(err2) {
		return nil, err2
	}
	d := &Difference{Module: t.name, Index: -1, Check: true}
	if len(again) > 0 {
		d.Index, d.Tx = 0, again[0].ID
	}
	if t.faults(d, err1, err2) {
		return nil, d
	}
	if err1 != nil {
		return nil, err1
	}
	for i := range one {
		if one[i].Digest() != two[i].Digest() {
			d.Index, d.Tx, d.One, d.Two = i, again[i].ID, describeCheck(&one[i]), describeCheck(&two[i])
			return nil, d
		}
	}
	return one, nil
}

// Execute implements module.Module.
func (t *twice) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	again := cloneBlock(b)
	one, err1 := t.Module.Execute(ctx, b, r)
	if failed(err1) {
		return nil, err1
	}
	ids := make([]types.TxID, len(again.Txs))
	for i := range ids {
		ids[i] = again.Txs[i].ID
	}
	two, err2 := t.second.Execute(ctx, again, r)
	if failed(err2) {
		return nil, err2
	}
	d := &Difference{Module: t.name, Height: again.Height, Index: -1}
	if t.faults(d, err1, err2) {
		return nil, d
	}
	if err1 != nil {
		return nil, err1
	}
	if one.Digest() == two.Digest() {
		return one, nil
	}
	d.One, d.Two = describe(&one.Block), describe(&two.Block)
	if one.Block.Digest() == two.Block.Digest() {
		for i := range one.Txs {
			if one.Txs[i].Digest() != two.Txs[i].Digest() {
				d.Index, d.Tx, d.One, d.Two = i, ids[i], describe(&one.Txs[i]), describe(&two.Txs[i])
				break
			}
		}
	}
	return nil, d
}

// ValidateParams implements module.Module.
func (t *twice) ValidateParams(ctx context.Context, params map[string][]byte) error {
	again := make(map[string][]byte, len(params))
	for k, v := range params {
		again[k] = bytes.Clone(v)
	}
	err1 := t.Module.ValidateParams(ctx, params)
	if err1 != nil && !errors.Is(err1, module.ErrBadParams) {
		return err1
	}
	err2 := t.second.ValidateParams(ctx, again)
	if err2 != nil && !errors.Is(err2, module.ErrBadParams) {
		return err2
	}
	if (err1 == nil) != (err2 == nil) {
		return fmt.Errorf("%w: module %q answers differently when asked twice whether parameters are good: first %v, then %v", ErrDiffers, t.name, err1, err2)
	}
	return err1
}

// failed tells an error that says nothing about the module's rules.
func failed(err error) bool { return err != nil && !errors.Is(err, module.ErrFault) }

// faults notes in d that one answer is a fault and the other none. Two faults have the same effect, whatever they are.
func (t *twice) faults(d *Difference, err1, err2 error) bool {
	if (err1 == nil) == (err2 == nil) {
		return false
	}
	d.One, d.Two = "a legal answer", "a legal answer"
	if err1 != nil {
		d.One = err1.Error()
	} else {
		d.Two = err2.Error()
	}
	return true
}

func describe(r *module.Result) string {
	if r.Error != "" {
		return fmt.Sprintf("%q with gas %d", r.Error, r.Gas)
	}
	d := r.Digest()
	return fmt.Sprintf("%d writes, %d transfers, %d entries for the schedule, %d events, gas %d (digest %s)", len(r.Writes), len(r.Transfers), len(r.Schedule),
		len(r.Events), r.Gas, d.Short())
}

func describeCheck(c *module.TxCheck) string {
	if c.Error != "" {
		return fmt.Sprintf("%q", c.Error)
	}
	d := c.Digest()
	return fmt.Sprintf("%d reads, %d facets, gas %d (digest %s)", len(c.Reads), len(c.Facets), c.Gas, d.Short())
}

func cloneTxs(txs []module.Tx) []module.Tx {
	out := slices.Clone(txs)
	for i := range out {
		out[i].Actions = slices.Clone(out[i].Actions)
		for j := range out[i].Actions {
			out[i].Actions[j].Body = bytes.Clone(out[i].Actions[j].Body)
		}
	}
	return out
}

func cloneBlock(b *module.Block) *module.Block {
	c := *b
	c.Txs = cloneTxs(b.Txs)
	c.Due = slices.Clone(b.Due)
	for i := range c.Due {
		c.Due[i].Data = bytes.Clone(c.Due[i].Data)
	}
	c.Extensions = slices.Clone(b.Extensions)
	for i := range c.Extensions {
		c.Extensions[i] = bytes.Clone(c.Extensions[i])
	}
	c.Values = slices.Clone(b.Values)
	for i := range c.Values {
		c.Values[i].Data = bytes.Clone(c.Values[i].Data)
	}
	c.Params = maps.Clone(b.Params)
	for k, v := range c.Params {
		c.Params[k] = bytes.Clone(v)
	}
	if b.Consensus != nil {
		info := *b.Consensus
		c.Consensus = &info
	}
	c.Producers = slices.Clone(b.Producers)
	return &c
}
