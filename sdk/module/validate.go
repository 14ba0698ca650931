package module

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// normalise brings a result into the form in which it counts: with an error, nothing but the error, its detail and the gas
// up to maxGas; a detail of legal length and encoding; a legal name.
func (r *Result) normalise(maxGas uint64) {
	if r.Error != "" {
		*r = Result{Error: r.Error, Detail: r.Detail, Gas: min(r.Gas, maxGas)}
		if !isName(r.Error) {
			r.Error, r.Detail = ErrUnnamed, r.Error+": "+r.Detail
		}
	}
	r.Detail = cut(r.Detail)
}

func cut(s string) string {
	if len(s) > MaxDetailBytes {
		s = s[:MaxDetailBytes]
	}
	return strings.ToValidUTF8(s, "?")
}

// check bounds what names an item; of whose item it may be, it says nothing.
func (i *Item) check() error {
	if len(i.Key) > MaxKeyBytes {
		return fmt.Errorf("a key of %d bytes", len(i.Key))
	}
	if len(i.Module) > types.MaxNameBytes {
		return fmt.Errorf("an item of a module whose name has %d bytes", len(i.Module))
	}
	return nil
}

// own is check for an item that must be the module's own.
func (i *Item) own() error {
	if i.Module != "" {
		return fmt.Errorf("an item of another module, %.80q", i.Module)
	}
	return i.check()
}

// Size is what the limits of results count.
func (r *Result) Size() int {
	n := RecordBytes + len(r.Error) + len(r.Detail)
	for i := range r.Writes {
		n += RecordBytes + len(r.Writes[i].Item.Key) + len(r.Writes[i].Data)
	}
	for i := range r.Transfers {
		n += 2 * RecordBytes
		for _, p := range []*Party{&r.Transfers[i].From, &r.Transfers[i].To} {
			if p.Escrow != nil {
				n += len(p.Escrow.Key)
			}
		}
	}
	for i := range r.Schedule {
		n += RecordBytes + len(r.Schedule[i].Item.Key) + len(r.Schedule[i].Data)
	}
	for i := range r.Events {
		v := &r.Events[i]
		n += RecordBytes + len(v.Name) + len(v.Data) + len(v.Item) + 32*len(v.Accounts)
	}
	return n
}

// CheckOutcome normalises what a module answered to b and returns an error that wraps [ErrFault] if it breaks a rule that
// can be seen without the state. Whether escrows hold what is taken from them is for the core to see.
func CheckOutcome(b *Block, o *Outcome) error {
	if o == nil || len(o.Txs) != len(b.Txs) {
		n := 0
		if o != nil {
			n = len(o.Txs)
		}
		return faultf("%d results for %d transactions", n, len(b.Txs))
	}
	if o.Block.Error != "" {
		return faultf("scheduled work cannot fail, it says %.80q", o.Block.Error)
	}
	o.Block.normalise(0)
	if err := o.Block.check(b, nil); err != nil {
		return err
	}
	total := o.Block.Size()
	for i := range o.Txs {
		o.Txs[i].normalise(b.Txs[i].MaxGas)
		if err := o.Txs[i].check(b, &b.Txs[i]); err != nil {
			return err
		}
		if total += o.Txs[i].Size(); total > MaxOutcomeBytes {
			return faultf("an outcome of more than %d bytes", MaxOutcomeBytes)
		}
	}
	return nil
}

// check is for a normalised result; tx is nil for that of the block.
func (r *Result) check(b *Block, tx *Tx) error {
	what, limit := "scheduled work", MaxBlockResultBytes
	if tx != nil {
		what, limit = "transaction "+tx.ID.Short(), MaxResultBytes
	}
	if n := r.Size(); n > limit {
		return faultf("%s: a result of %d bytes, at most %d", what, n, limit)
	}
	if tx != nil && r.Gas > tx.MaxGas {
		return faultf("%s: gas %d is above its max_gas %d", what, r.Gas, tx.MaxGas)
	}
	for i := range r.Writes {
		if err := r.Writes[i].check(); err != nil {
			return faultf("%s: %v", what, err)
		}
	}
	for i := range r.Schedule {
		s := &r.Schedule[i]
		if err := s.Item.own(); err != nil {
			return faultf("%s: scheduled entry with %v", what, err)
		}
		if len(s.Data) > MaxValueBytes {
			return faultf("%s: scheduled entry of %d bytes", what, len(s.Data))
		}
		if !s.Cancel && s.Clock <= b.Clock {
			return faultf("%s: scheduled for clock %d at clock %d", what, s.Clock, b.Clock)
		}
	}
	if len(r.Events) > types.MaxEvents {
		return faultf("%s: %d events, at most %d", what, len(r.Events), types.MaxEvents)
	}
	for i := range r.Events {
		if err := r.Events[i].check(); err != nil {
			return faultf("%s: %v", what, err)
		}
	}
	return r.checkTransfers(what, tx)
}

func (r *Result) checkTransfers(what string, tx *Tx) error {
	var spent []uint64
	for i := range r.Transfers {
		t := &r.Transfers[i]
		for _, p := range []*Party{&t.From, &t.To} {
			if (p.Account == nil) == (p.Escrow == nil) {
				return faultf("%s: an end of a transfer must be an account or an escrow", what)
			}
			if p.Escrow == nil {
				continue
			}
			if err := p.Escrow.own(); err != nil {
				return faultf("%s: escrow with %v", what, err)
			}
		}
		if t.From.Account == nil {
			continue
		}
		if tx == nil || *t.From.Account != tx.Account {
			return faultf("%s: takes %d from an account that did not sign", what, t.Amount)
		}
		if t.Action < 0 || t.Action >= len(tx.Actions) {
			return faultf("%s: spends for action %d of %d", what, t.Action, len(tx.Actions))
		}
		if spent == nil {
			spent = make([]uint64, len(tx.Actions))
		}
		if most := tx.Actions[t.Action].MaxSpend; t.Amount > most-spent[t.Action] {
			return faultf("%s: spends %d and %d for action %d, its max_spend is %d", what, spent[t.Action], t.Amount, t.Action, most)
		}
		spent[t.Action] += t.Amount
	}
	return nil
}

func (w *Write) check() error {
	if err := w.Item.own(); err != nil {
		return fmt.Errorf("write to %w", err)
	}
	if len(w.Data) > MaxValueBytes {
		return fmt.Errorf("write of %d bytes", len(w.Data))
	}
	return nil
}

func (v *Event) check() error {
	switch {
	case len(v.Name) > types.MaxNameBytes || !utf8.ValidString(v.Name):
		return fmt.Errorf("event name %.80q", v.Name)
	case len(v.Data) > types.MaxEventDataBytes || len(v.Accounts) > types.MaxEventAccounts || len(v.Item) > 4*types.MaxNameBytes:
		return fmt.Errorf("event %q: %d bytes, %d accounts, item of %d bytes", v.Name, len(v.Data), len(v.Accounts), len(v.Item))
	case len(v.Data) > 0 && !json.Valid(v.Data):
		return fmt.Errorf("event %q: its data is not JSON", v.Name)
	}
	return nil
}

// CheckChecks normalises what a module said of txs and returns an error that wraps [ErrFault] if it breaks a rule.
func CheckChecks(txs []Tx, checks []TxCheck) error {
	if len(checks) != len(txs) {
		return faultf("%d checks for %d transactions", len(checks), len(txs))
	}
	for i := range checks {
		c := &checks[i]
		if c.Error != "" {
			if !isName(c.Error) {
				c.Error = ErrUnnamed
			}
			c.Reads, c.Facets = nil, nil
		}
		if len(c.Reads) > MaxReadsPerTx || len(c.Facets) > MaxFacets {
			return faultf("check: %d reads, %d facets", len(c.Reads), len(c.Facets))
		}
		for _, it := range c.Reads {
			if err := it.check(); err != nil {
				return faultf("check: read of %v", err)
			}
		}
		for _, f := range c.Facets {
			if !isName(f.Name) {
				return faultf("check: facet %.80q", f.Name)
			}
		}
	}
	return nil
}

func checkAnswer(a *Answer) error {
	if len(a.JSON) > MaxAnswerBytes || len(a.RestsOn) > MaxRestsOn {
		return faultf("query: an answer of %d bytes that rests on %d items", len(a.JSON), len(a.RestsOn))
	}
	for _, it := range a.RestsOn {
		if err := it.own(); err != nil {
			return faultf("query: rests on %v", err)
		}
	}
	return nil
}

func checkMigration(writes []Write) error {
	size := 0
	for i := range writes {
		if err := writes[i].check(); err != nil {
			return faultf("migrate: %v", err)
		}
		if size += RecordBytes + len(writes[i].Item.Key) + len(writes[i].Data); size > MaxMigrateBytes {
			return faultf("migrate: more than %d bytes", MaxMigrateBytes)
		}
	}
	return nil
}
