package module

import "github.com/paloalto-chain/paloalto/sdk/types"

// Digest names all that counts of an outcome: two that have the same digest have the same effect, down to the order of what
// is told. It is for comparing two executions of one block on one machine or several, and part of no protocol. Of a result
// with an error only the error, its detail and the gas count. The outcome should have passed [CheckOutcome].
func (o *Outcome) Digest() types.Hash {
	e := types.NewEncoder(1024)
	d := o.Block.Digest()
	e.Raw(d[:])
	e.Uint(uint64(len(o.Txs)))
	for i := range o.Txs {
		d = o.Txs[i].Digest()
		e.Raw(d[:])
	}
	return types.Sum("module/outcome\x00", e.Bytes())
}

// Digest names all that counts of a result, as [Outcome.Digest] does of them all.
func (r *Result) Digest() types.Hash {
	e := types.NewEncoder(256)
	e.String(r.Error)
	e.String(r.Detail)
	e.Uint(r.Gas)
	if r.Error == "" {
		r.effects(e)
	}
	return types.Sum("module/result\x00", e.Bytes())
}

func (r *Result) effects(e *types.Encoder) {
	e.Uint(uint64(len(r.Writes)))
	for i := range r.Writes {
		putItem(e, &r.Writes[i].Item)
		putData(e, r.Writes[i].Data)
	}
	e.Uint(uint64(len(r.Transfers)))
	for i := range r.Transfers {
		t := &r.Transfers[i]
		putParty(e, t.From)
		putParty(e, t.To)
		e.Uint(t.Amount)
		if t.From.Account != nil { // else it says nothing
			e.Uint(uint64(t.Action))
		}
	}
	e.Uint(uint64(len(r.Schedule)))
	for i := range r.Schedule {
		s := &r.Schedule[i]
		e.Uint(s.Clock)
		e.Raw(s.ID[:])
		putItem(e, &s.Item)
		e.Blob(s.Data)
		putBool(e, s.Cancel)
	}
	e.Uint(uint64(len(r.Events)))
	for i := range r.Events {
		v := &r.Events[i]
		e.String(v.Name)
		e.Blob(v.Data)
		e.Uint(uint64(len(v.Accounts)))
		for j := range v.Accounts {
			e.Raw(v.Accounts[j][:])
		}
		e.Blob(v.Item)
	}
}

// Digest names all that counts of a check: a refusal, or the items that are read and the bound of the gas, and the facets.
func (c *TxCheck) Digest() types.Hash {
	e := types.NewEncoder(256)
	e.String(c.Error)
	if c.Error == "" {
		e.Uint(c.Gas)
		e.Uint(uint64(len(c.Reads)))
		for i := range c.Reads {
			putItem(e, &c.Reads[i])
		}
		e.Uint(uint64(len(c.Facets)))
		for i := range c.Facets {
			f := &c.Facets[i]
			e.String(f.Name)
			e.Uint(f.Amount)
			putAccount(e, f.Account)
		}
	}
	return types.Sum("module/check\x00", e.Bytes())
}

func putItem(e *types.Encoder, it *Item) {
	e.Raw(it.Place[:])
	e.String(it.Key)
	e.String(it.Module)
}

// putData tells nothing from an empty value.
func putData(e *types.Encoder, b []byte) {
	putBool(e, b != nil)
	e.Blob(b)
}

func putBool(e *types.Encoder, v bool) {
	if v {
		e.Byte(1)
	} else {
		e.Byte(0)
	}
}

func putAccount(e *types.Encoder, a *types.AccountID) {
	putBool(e, a != nil)
	if a != nil {
		e.Raw(a[:])
	}
}

func putParty(e *types.Encoder, p Party) {
	putAccount(e, p.Account)
	putBool(e, p.Escrow != nil)
	if p.Escrow != nil {
		putItem(e, p.Escrow)
	}
}
