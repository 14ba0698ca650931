package moduletest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Tally is the reference: the smallest module that uses everything that a module can. It counts names.
//
//	add  name, amount         adds one to a name's count, and the amount, of the signer, to its escrow
//	keep name, amount, ticks  holds the amount for so many ticks, then gives it back; fails if something is held there
//	peek name                 fails if the name has not been counted; reads without having declared it
//	sum                       tells the sum of all counts at the start of the block; scans
//	look name, amount         tells what a neighbour has under the name, see [NeighbourItem]; fails if that is nothing. With an
//	                          amount other than 0 it reads without having declared it
//
// Queries are n/NAME, all, and kept/NAME: what is held there, and for the one whom it is held for, who that is. The parameter
// tally.step is a number from 1 to 9, which nothing depends on.
type Tally struct {
	// Neighbour says that the chain has the module [Neighbour], which exports what begins with "open/". Without, there is no look.
	Neighbour bool

	closed atomic.Bool
}

// Neighbour is the module whose items the action look reads.
const Neighbour = "neighbour"

// NeighbourItem is where the neighbour has what look reads under a name.
func NeighbourItem(name string) module.Item {
	return module.Item{Module: Neighbour, Key: "open/" + name}
}

// NewTally returns an instance.
func NewTally() *Tally { return &Tally{} }

// TallyGas is the gas of an action of [Tally], besides its body's bytes.
const TallyGas = 10

// TallyItem is the item of a name.
func TallyItem(name string) module.Item {
	it := module.Item{Key: "n/" + name}
	h := types.Sum("moduletest/tally\x00", []byte(name))
	copy(it.Place[:], h[:])
	return it
}

// TallyAction makes an action. Amount is its max_spend, too.
func TallyAction(action, name string, amount, ticks uint64) types.Action {
	e := types.NewEncoder(32)
	e.String(name)
	e.Uint(amount)
	e.Uint(ticks)
	return types.Action{Name: action, Body: e.Bytes(), MaxSpend: amount}
}

type tallyOrder struct {
	action, name  string
	amount, ticks uint64
}

func tallyParse(a types.Action) (o tallyOrder, problem string) {
	switch a.Name {
	case "add", "keep", "peek", "sum", "look":
	default:
		return o, "ErrUnknownAction"
	}
	d := types.NewDecoder(a.Body)
	o = tallyOrder{action: a.Name, name: d.String(64), amount: d.Uint(), ticks: d.Uint()}
	if d.Finish() != nil || o.ticks > 1<<40 {
		return o, "ErrMalformed"
	}
	return o, ""
}

func tallyGas(t *module.Tx) (sum uint64) {
	for _, a := range t.Actions {
		sum += TallyGas + uint64(len(a.Body))
	}
	return sum
}

func (m *Tally) open(ctx context.Context) error {
	if m.closed.Load() {
		return fmt.Errorf("tally: %w", module.ErrClosed)
	}
	return ctx.Err()
}

// Close ends the instance.
func (m *Tally) Close() error {
	m.closed.Store(true)
	return nil
}

// Check implements module.Module.
func (m *Tally) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	if err := m.open(ctx); err != nil {
		return nil, err
	}
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		c := module.TxCheck{Gas: tallyGas(&txs[i])}
		for _, a := range txs[i].Actions {
			o, problem := m.parse(a)
			if problem != "" {
				c = module.TxCheck{Error: problem}
				break
			}
			if o.action == "look" && o.amount == 0 && len(c.Reads) < module.MaxReadsPerTx {
				c.Reads = append(c.Reads, NeighbourItem(o.name))
			}
			if o.action == "add" || o.action == "keep" {
				if len(c.Reads) < module.MaxReadsPerTx {
					c.Reads = append(c.Reads, TallyItem(o.name))
				}
				if len(c.Facets) < module.MaxFacets {
					c.Facets = append(c.Facets, module.Facet{Name: "spend", Amount: o.amount})
				}
			}
		}
		out[i] = c
	}
	return out, nil
}

func (m *Tally) parse(a types.Action) (o tallyOrder, problem string) {
	if o, problem = tallyParse(a); o.action == "look" && !m.Neighbour {
		problem = "ErrUnknownAction"
	}
	return o, problem
}

// tallyRun is a block under way.
type tallyRun struct {
	m     *Tally
	b     *module.Block
	r     module.Reader
	count map[module.Item]uint64 // as changed, or read
	seen  map[module.Item][]byte // of the neighbour
}

// look returns what the neighbour has.
func (x *tallyRun) look(ctx context.Context, tx int, it module.Item) ([]byte, error) {
	if v, ok := x.seen[it]; ok {
		return v, nil
	}
	values, err := x.r.Read(ctx, tx, []module.Item{it})
	if err != nil {
		return nil, err
	}
	x.seen[it] = values[0]
	return values[0], nil
}

func (x *tallyRun) get(ctx context.Context, tx int, it module.Item) (uint64, error) {
	if v, ok := x.count[it]; ok {
		return v, nil
	}
	values, err := x.r.Read(ctx, tx, []module.Item{it})
	if err != nil {
		return 0, err
	}
	x.count[it] = number(values[0])
	return x.count[it], nil
}

func number(b []byte) uint64 {
	if len(b) != 8 && len(b) != 40 { // what is kept has its owner behind
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// Execute implements module.Module.
func (m *Tally) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	if err := m.open(ctx); err != nil {
		return nil, err
	}
	x := &tallyRun{m: m, b: b, r: r, count: map[module.Item]uint64{}, seen: map[module.Item][]byte{}}
	for _, v := range b.Values {
		if v.Item.Module != "" {
			x.seen[v.Item] = v.Data
		} else {
			x.count[v.Item] = number(v.Data)
		}
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for _, d := range b.Due {
		held, err := x.get(ctx, module.BlockTx, d.Item)
		if err != nil {
			return nil, err
		}
		if held == 0 || len(d.Data) != 32 || !strings.HasPrefix(d.Item.Key, "n/kept/") {
			continue
		}
		it, owner := d.Item, types.AccountID(d.Data)
		x.count[it] = 0
		out.Block.Writes = append(out.Block.Writes, module.Write{Item: it})
		out.Block.Transfers = append(out.Block.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &owner}, Amount: module.WholeEscrow})
		out.Block.Events = append(out.Block.Events, module.Event{Name: "released", Data: []byte(`{}`), Accounts: []types.AccountID{owner}})
	}
	for i := range b.Txs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		res, err := x.transaction(ctx, i)
		for name, refused := range map[string]error{"ErrReadLimit": module.ErrReadLimit, "ErrNotExported": module.ErrInvalid} {
			if errors.Is(err, refused) {
				res, err = module.Result{Error: name, Gas: min(tallyGas(&b.Txs[i]), b.Txs[i].MaxGas)}, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("tally: %w", err)
		}
		out.Txs[i] = res
	}
	return out, nil
}

func (x *tallyRun) transaction(ctx context.Context, i int) (res module.Result, err error) {
	t := &x.b.Txs[i]
	gas := tallyGas(t)
	failed := func(name string) (module.Result, error) {
		return module.Result{Error: name, Gas: min(gas, t.MaxGas)}, nil
	}
	if gas > t.MaxGas {
		return failed(module.ErrOutOfGas)
	}
	changed := map[module.Item]uint64{}
	for j, a := range t.Actions {
		o, problem := x.m.parse(a)
		if problem != "" {
			return failed(problem)
		}
		if o.action == "look" {
			v, err := x.look(ctx, i, NeighbourItem(o.name))
			if err != nil {
				return res, err
			}
			if v == nil {
				return failed("ErrMissing")
			}
			res.Events = append(res.Events, module.Event{Name: "looked", Data: fmt.Appendf(nil, `{"bytes":%d,"first":"%x"}`, len(v), v[:min(len(v), 32)])})
			continue
		}
		if o.action == "keep" {
			o.name = "kept/" + o.name
		}
		it := TallyItem(o.name)
		if o.amount > a.MaxSpend {
			return failed("ErrSpend")
		}
		have, ok := changed[it]
		if !ok && o.action != "sum" {
			if have, err = x.get(ctx, i, it); err != nil {
				return res, err
			}
		}
		switch o.action {
		case "sum":
			sum, n, err := tallySum(ctx, x.r, i)
			if err != nil {
				return res, err
			}
			res.Events = append(res.Events, module.Event{Name: "sum", Data: fmt.Appendf(nil, `{"sum":%d,"names":%d}`, sum, n)})
			continue
		case "peek":
			if have == 0 {
				return failed("ErrMissing")
			}
			continue
		case "keep":
			if have != 0 {
				return failed("ErrHeld")
			}
			id := types.Sum("moduletest/keep\x00", []byte(it.Key))
			res.Schedule = append(res.Schedule, module.Schedule{Clock: x.b.Clock + 1 + o.ticks, ID: id, Item: it, Data: t.Account[:]})
		}
		changed[it] = have + 1
		from := t.Account
		if o.amount > 0 {
			res.Transfers = append(res.Transfers, module.Transfer{From: module.Party{Account: &from}, To: module.Party{Escrow: &it}, Amount: o.amount, Action: j})
		}
		data := binary.BigEndian.AppendUint64(nil, have+1)
		if o.action == "keep" {
			data = append(data, t.Account[:]...)
		}
		res.Writes = append(res.Writes, module.Write{Item: it, Data: data})
	}
	for it, v := range changed { // each has its own key: the order does not matter
		x.count[it] = v
	}
	res.Gas = gas
	return res, nil
}

// tallySum reads all there is, in small pages.
func tallySum(ctx context.Context, r module.Reader, tx int) (sum uint64, n int, err error) {
	var start module.Item
	for more := true; more; {
		var values []module.Value
		if values, more, err = r.Scan(ctx, tx, start, module.MaxItem(), 16); err != nil {
			return 0, 0, err
		}
		if more && len(values) == 0 {
			return 0, 0, fmt.Errorf("an empty page of a scan that has more")
		}
		for _, v := range values {
			sum, n = sum+number(v.Data), n+1
			start = v.Item
			start.Key += "\x00"
		}
	}
	return sum, n, nil
}

// Extend implements module.Module.
func (m *Tally) Extend(ctx context.Context, _ uint64, _ module.Reader) ([]byte, error) {
	return nil, m.open(ctx)
}

// Query implements module.Module.
func (m *Tally) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	if err := m.open(ctx); err != nil {
		return module.Answer{}, err
	}
	if name, ok := strings.CutPrefix(q.Path, "n/"); ok && len(name) <= 64 {
		it := TallyItem(name)
		values, err := r.Read(ctx, module.BlockTx, []module.Item{it})
		if err != nil {
			return module.Answer{}, err
		}
		return module.Answer{JSON: strconv.AppendUint(nil, number(values[0]), 10), RestsOn: []module.Item{it}}, nil
	}
	if name, ok := strings.CutPrefix(q.Path, "kept/"); ok && len(name) <= 64 {
		it := TallyItem(q.Path)
		values, err := r.Read(ctx, module.BlockTx, []module.Item{it})
		if err != nil {
			return module.Answer{}, err
		}
		held := number(values[0])
		if held > 0 && q.Caller != nil && string(values[0][8:]) == string(q.Caller[:]) {
			return module.Answer{JSON: fmt.Appendf(nil, `{"held":%d,"for":"%x"}`, held, *q.Caller), RestsOn: []module.Item{it}}, nil
		}
		return module.Answer{JSON: fmt.Appendf(nil, `{"held":%d}`, held), RestsOn: []module.Item{it}}, nil
	}
	if q.Path == "all" {
		sum, n, err := tallySum(ctx, r, module.BlockTx)
		if err != nil {
			return module.Answer{}, err
		}
		return module.Answer{JSON: fmt.Appendf(nil, `{"sum":%d,"names":%d}`, sum, n)}, nil
	}
	return module.Answer{}, fmt.Errorf("%w: %.80q", module.ErrUnknownPath, q.Path)
}

// ValidateParams implements module.Module.
func (m *Tally) ValidateParams(ctx context.Context, params map[string][]byte) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	raw, ok := params["tally.step"]
	if !ok {
		return nil
	}
	var n int
	if err := json.Unmarshal(raw, &n); err != nil || n < 1 || n > 9 {
		return fmt.Errorf("%w: tally.step is %.40q, it must be a number from 1 to 9", module.ErrBadParams, raw)
	}
	return nil
}

// Migrate implements module.Module.
func (m *Tally) Migrate(ctx context.Context, from, to string, _ module.Reader) ([]module.Write, error) {
	if err := m.open(ctx); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: tally has no migration from rules %.40q to %.40q", module.ErrUnsupported, from, to)
}

// TallyFactory opens instances of [Tally].
func TallyFactory() Factory {
	return Factory{
		Open: func() (Instance, error) {
			m := &Tally{Neighbour: true}
			return Instance{Module: m, Close: m.Close}, nil
		},
		Chain: types.ChainID{1}, Valid: TallyTxs,
		Malformed: []module.Tx{
			TallyTx(1, types.Action{Name: "subtract"}),
			TallyTx(2, types.Action{Name: "add", Body: []byte{200}}),
			TallyTx(3, TallyAction("add", "a", 1, 0), types.Action{Name: "add", Body: []byte{1, 'a', 0, 0, 0}}),
			TallyTx(4, types.Action{Name: "\xff\x00"}),
		},
		Paths:   []string{"n/shared", "n/nobody", "all", TallyKept},
		Private: map[string]types.AccountID{TallyKept: TallyTxs(QuerySeed, 2)[1].Account},
		Foreign: &Foreign{
			Exports: map[string][]string{Neighbour: {"open/"}},
			Values:  []module.Value{{Item: NeighbourItem("rate"), Data: []byte("seven")}, {Item: NeighbourItem("nothing"), Data: []byte{}}},
			Txs: func(seed uint64, n int) []module.Tx {
				out := make([]module.Tx, n)
				for i := range out {
					k := seed<<32 + 1<<31 + uint64(i)
					out[i] = TallyTx(k, TallyAction("look", []string{"rate", "nothing"}[i%2], uint64(i%3), 0), TallyAction("add", "shared", 0, 0))
					out[i].Actions[0].MaxSpend = uint64(i % 3)
				}
				return out
			},
		},
		Params:     map[string][]byte{"tally.step": []byte("2")},
		GoodParams: map[string][]byte{"tally.step": []byte("9"), "somebody.else": []byte(`"x"`)},
		BadParams:  map[string][]byte{"tally.step": []byte("10")},
	}
}

// TallyKept is a path of [Tally] whose answer says more to whom something is held for, once TallyTxs([QuerySeed], 2) has been
// executed.
const TallyKept = "kept/77/1"

// TallyTx makes a transaction with an id and a signer that follow from n.
func TallyTx(n uint64, actions ...types.Action) module.Tx {
	seed := binary.BigEndian.AppendUint64(nil, n)
	t := module.Tx{ID: types.Sum("moduletest/tx\x00", seed), Account: types.AccountID(types.Sum("moduletest/account\x00", seed[7:])), Actions: actions, Bytes: 200}
	t.MaxGas = tallyGas(&t)
	return t
}

// TallyTxs makes transactions that succeed, one after the other; see Factory.Valid.
func TallyTxs(seed uint64, n int) []module.Tx {
	out := make([]module.Tx, n)
	for i := range out {
		k := seed<<32 + uint64(i)
		own := fmt.Sprintf("%d/%d", seed, i)
		switch i % 5 {
		case 0:
			out[i] = TallyTx(k, TallyAction("add", "shared", 7, 0))
		case 1:
			out[i] = TallyTx(k, TallyAction("keep", own, 100+uint64(i), uint64(i%3)), TallyAction("add", own, 1, 0))
		case 2:
			out[i] = TallyTx(k, TallyAction("peek", "shared", 0, 0))
		case 3:
			out[i] = TallyTx(k, TallyAction("sum", "", 0, 0))
		case 4:
			out[i] = TallyTx(k, TallyAction("add", own, 5, 0), TallyAction("add", "shared", 0, 0))
		}
	}
	return out
}
