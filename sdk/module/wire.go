package module

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Encoding for the wire is shared by both sides. Decoding is strict: lengths, exactly one of what excludes each other, and
// no unknown fields, since what one core ignores another might not. Decoders of this file return plain errors; the client
// makes faults of them, the server refuses the call.

var errUnknownField = errors.New("a field that is not part of the protocol")

func known(ms ...proto.Message) error {
	for _, m := range ms {
		if len(m.ProtoReflect().GetUnknown()) > 0 {
			return fmt.Errorf("%w in %s", errUnknownField, m.ProtoReflect().Descriptor().Name())
		}
	}
	return nil
}

func fixed[T ~[32]byte](what string, b []byte) (out T, err error) {
	if len(b) != 32 {
		return out, fmt.Errorf("%s of %d bytes", what, len(b))
	}
	copy(out[:], b)
	return out, nil
}

func toItem(i Item) *modulev1.Item {
	p := &modulev1.Item{Place: append([]byte(nil), i.Place[:]...), Key: []byte(i.Key)}
	if i.Module != "" {
		p.Module = []byte(i.Module)
	}
	return p
}

func fromItem(p *modulev1.Item) (i Item, err error) {
	if p == nil {
		return i, errors.New("no item")
	}
	if err := known(p); err != nil {
		return i, err
	}
	if len(p.Place) != len(i.Place) || len(p.Key) > MaxKeyBytes || len(p.Module) > types.MaxNameBytes {
		return i, fmt.Errorf("item with a place of %d bytes, a key of %d and a module of %d", len(p.Place), len(p.Key), len(p.Module))
	}
	copy(i.Place[:], p.Place)
	i.Key, i.Module = string(p.Key), string(p.Module)
	return i, nil
}

func toItems(items []Item) []*modulev1.Item {
	out := make([]*modulev1.Item, len(items))
	for i := range items {
		out[i] = toItem(items[i])
	}
	return out
}

func fromItems(ps []*modulev1.Item) ([]Item, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	out := make([]Item, len(ps))
	for i, p := range ps {
		var err error
		if out[i], err = fromItem(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func toKey(k types.PublicKey) []byte { return append([]byte{byte(k.Scheme)}, k.Key...) }

func fromKey(b []byte) (types.PublicKey, error) {
	if len(b) == 0 {
		return types.PublicKey{}, errors.New("an empty public key")
	}
	k := types.PublicKey{Scheme: types.Scheme(b[0]), Key: b[1:]}
	return k, k.Validate()
}

func toTx(t *Tx) *modulev1.Tx {
	out := &modulev1.Tx{Id: t.ID[:], Account: t.Account[:], MaxGas: t.MaxGas, Bytes: uint32(t.Bytes), Actions: make([]*modulev1.Action, len(t.Actions))}
	for i := range t.Actions {
		a := &t.Actions[i]
		out.Actions[i] = &modulev1.Action{Name: []byte(a.Name), Body: a.Body, MaxSpend: a.MaxSpend}
	}
	return out
}

func fromTx(p *modulev1.Tx) (t Tx, err error) {
	if t.ID, err = fixed[types.TxID]("transaction id", p.GetId()); err != nil {
		return t, err
	}
	if t.Account, err = fixed[types.AccountID]("account", p.GetAccount()); err != nil {
		return t, err
	}
	if len(p.Actions) > types.MaxActions {
		return t, fmt.Errorf("%d actions", len(p.Actions))
	}
	t.MaxGas, t.Bytes, t.Actions = p.MaxGas, int(p.Bytes), make([]types.Action, len(p.Actions))
	for i, a := range p.Actions {
		t.Actions[i] = types.Action{Name: string(a.GetName()), Body: a.GetBody(), MaxSpend: a.GetMaxSpend()}
	}
	return t, nil
}

func txBytes(t *Tx) int {
	n := 96
	for i := range t.Actions {
		n += 24 + len(t.Actions[i].Name) + len(t.Actions[i].Body)
	}
	return n
}

func toValue(v *Value, withItem bool) *modulev1.Value {
	out := &modulev1.Value{Value: v.Data, Present: v.Data != nil}
	if withItem {
		out.Item = toItem(v.Item)
	}
	return out
}

func fromValue(p *modulev1.Value, withItem bool) (v Value, err error) {
	if p == nil {
		return v, errors.New("no value")
	}
	if withItem {
		if v.Item, err = fromItem(p.Item); err != nil {
			return v, err
		}
	}
	if p.Present {
		if v.Data = p.Value; v.Data == nil {
			v.Data = []byte{}
		}
	} else if len(p.Value) > 0 {
		return v, errors.New("an absent value has bytes")
	}
	return v, nil
}

func toCheck(c *TxCheck) *modulev1.TxCheck {
	out := &modulev1.TxCheck{Error: c.Error, Reads: toItems(c.Reads), Gas: c.Gas}
	for _, f := range c.Facets {
		pf := &modulev1.Facet{Name: f.Name, Amount: f.Amount}
		if f.Account != nil {
			pf.Account = f.Account[:]
		}
		out.Facets = append(out.Facets, pf)
	}
	return out
}

func fromCheck(p *modulev1.TxCheck) (c TxCheck, err error) {
	if err := known(p); err != nil {
		return c, err
	}
	c.Error, c.Gas = p.Error, p.Gas
	if c.Reads, err = fromItems(p.Reads); err != nil {
		return c, err
	}
	for _, pf := range p.Facets {
		if err := known(pf); err != nil {
			return c, err
		}
		f := Facet{Name: pf.Name, Amount: pf.Amount}
		if len(pf.Account) > 0 {
			id, err := fixed[types.AccountID]("account of a facet", pf.Account)
			if err != nil {
				return c, err
			}
			f.Account = &id
		}
		c.Facets = append(c.Facets, f)
	}
	return c, nil
}

func toWrite(w *Write) *modulev1.Write {
	return &modulev1.Write{Item: toItem(w.Item), Value: w.Data, Delete: w.Data == nil}
}

func fromWrite(p *modulev1.Write) (w Write, err error) {
	if err := known(p); err != nil {
		return w, err
	}
	if w.Item, err = fromItem(p.Item); err != nil {
		return w, err
	}
	if p.Delete {
		if len(p.Value) > 0 {
			return w, errors.New("a deletion with a value")
		}
		return w, nil
	}
	if w.Data = p.Value; w.Data == nil {
		w.Data = []byte{}
	}
	return w, nil
}

func toParty(p Party) (account []byte, escrow *modulev1.Item) {
	if p.Account != nil {
		account = p.Account[:]
	}
	if p.Escrow != nil {
		escrow = toItem(*p.Escrow)
	}
	return account, escrow
}

func fromParty(account []byte, escrow *modulev1.Item) (p Party, err error) {
	if len(account) > 0 {
		id, err := fixed[types.AccountID]("account of a transfer", account)
		if err != nil {
			return p, err
		}
		p.Account = &id
	}
	if escrow != nil {
		it, err := fromItem(escrow)
		if err != nil {
			return p, err
		}
		p.Escrow = &it
	}
	return p, nil
}

func toResult(r *Result) *modulev1.TxResult {
	out := &modulev1.TxResult{Error: r.Error, Detail: r.Detail, Gas: r.Gas}
	for i := range r.Writes {
		out.Writes = append(out.Writes, toWrite(&r.Writes[i]))
	}
	for i := range r.Transfers {
		t := &r.Transfers[i]
		pt := &modulev1.Transfer{Amount: t.Amount, Action: uint32(t.Action)}
		if int(pt.Action) != t.Action {
			pt.Action = 1<<32 - 1 // no action has this index either
		}
		pt.FromAccount, pt.FromEscrow = toParty(t.From)
		pt.ToAccount, pt.ToEscrow = toParty(t.To)
		out.Transfers = append(out.Transfers, pt)
	}
	for i := range r.Schedule {
		s := &r.Schedule[i]
		out.Schedule = append(out.Schedule, &modulev1.Schedule{Clock: s.Clock, Id: s.ID[:], Item: toItem(s.Item), Data: s.Data, Cancel: s.Cancel})
	}
	for i := range r.Events {
		v := &r.Events[i]
		pv := &modulev1.EventData{Name: v.Name, Data: v.Data, Item: v.Item}
		for j := range v.Accounts {
			pv.Accounts = append(pv.Accounts, v.Accounts[j][:])
		}
		out.Events = append(out.Events, pv)
	}
	return out
}

func fromResult(p *modulev1.TxResult) (r Result, err error) {
	if err := known(p); err != nil {
		return r, err
	}
	r.Error, r.Detail, r.Gas = p.Error, p.Detail, p.Gas
	for _, pw := range p.Writes {
		w, err := fromWrite(pw)
		if err != nil {
			return r, err
		}
		r.Writes = append(r.Writes, w)
	}
	for _, pt := range p.Transfers {
		if err := known(pt); err != nil {
			return r, err
		}
		t := Transfer{Amount: pt.Amount, Action: int(pt.Action)}
		if t.From, err = fromParty(pt.FromAccount, pt.FromEscrow); err != nil {
			return r, err
		}
		if t.To, err = fromParty(pt.ToAccount, pt.ToEscrow); err != nil {
			return r, err
		}
		r.Transfers = append(r.Transfers, t)
	}
	for _, ps := range p.Schedule {
		if err := known(ps); err != nil {
			return r, err
		}
		s := Schedule{Clock: ps.Clock, Data: ps.Data, Cancel: ps.Cancel}
		if s.ID, err = fixed[[32]byte]("id of a scheduled entry", ps.Id); err != nil {
			return r, err
		}
		if s.Item, err = fromItem(ps.Item); err != nil {
			return r, err
		}
		r.Schedule = append(r.Schedule, s)
	}
	for _, pv := range p.Events {
		if err := known(pv); err != nil {
			return r, err
		}
		v := Event{Name: pv.Name, Data: pv.Data, Item: pv.Item}
		for _, a := range pv.Accounts {
			id, err := fixed[types.AccountID]("account of an event", a)
			if err != nil {
				return r, err
			}
			v.Accounts = append(v.Accounts, id)
		}
		r.Events = append(r.Events, v)
	}
	return r, nil
}
