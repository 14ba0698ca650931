package moduletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Core is the smallest core in which one module can live: state, balances, escrows and the queue of scheduled work, in
// memory. It treats a module as the ledger of a node does, without signatures and fees. It is not for concurrent use.
type Core struct {
	Height    uint64 // of the last block
	Clock     uint64
	Producers []types.PublicKey // of every block

	chain   types.ChainID
	params  map[string][]byte
	items   map[module.Item][]byte
	exports map[string][]string    // by the other module
	foreign map[module.Item][]byte // items of other modules
	escrow  map[module.Item]uint64
	balance map[types.AccountID]uint64
	queue   []queued // in the order of clock, id
	supply  uint64
}

type queued struct {
	clock uint64
	due   module.Due
}

// Effect is what a block did. Txs has a result for each transaction, those that Check refused included.
type Effect struct {
	Txs   []module.Result
	Block module.Result
	Due   int   // entries that fell due
	Fault error // wraps module.ErrFault: nothing took effect
}

// NewCore returns a core with an empty state.
func NewCore(chain types.ChainID, params map[string][]byte) *Core {
	return &Core{chain: chain, params: params, items: map[module.Item][]byte{}, exports: map[string][]string{}, foreign: map[module.Item][]byte{},
		escrow: map[module.Item]uint64{}, balance: map[types.AccountID]uint64{}}
}

// Export lets the module under test read the items of another one whose keys begin with one of the prefixes.
func (c *Core) Export(mod string, prefixes ...string) {
	c.exports[mod] = append(slices.Clip(c.exports[mod]), prefixes...)
}

// SetForeign sets an item of another module, which the item names; nil removes it.
func (c *Core) SetForeign(it module.Item, data []byte) {
	if data == nil {
		delete(c.foreign, it)
		return
	}
	c.foreign[it] = bytes.Clone(data)
}

// value returns what the state holds for an item, whoever's it is. legal is false if nobody exports it.
func (c *Core) value(it module.Item) (data []byte, legal bool) {
	if it.Module == "" {
		return bytes.Clone(c.items[it]), true
	}
	for _, p := range c.exports[it.Module] {
		if strings.HasPrefix(it.Key, p) {
			return bytes.Clone(c.foreign[it]), true
		}
	}
	return nil, false
}

// Clone returns a copy that goes its own way.
func (c *Core) Clone() *Core {
	d := *c
	d.items, d.escrow, d.balance, d.queue = maps.Clone(c.items), maps.Clone(c.escrow), maps.Clone(c.balance), slices.Clone(c.queue)
	d.exports, d.foreign = maps.Clone(c.exports), maps.Clone(c.foreign)
	return &d
}

// Fund makes tokens. Unlike what modules do it changes the supply.
func (c *Core) Fund(a types.AccountID, amount uint64) {
	c.balance[a] += amount
	c.supply += amount
}

// FundAll gives each signer what its transaction may spend.
func (c *Core) FundAll(txs []module.Tx) {
	for i := range txs {
		c.Fund(txs[i].Account, maxSpend(&txs[i]))
	}
}

func maxSpend(t *module.Tx) (sum uint64) {
	for _, a := range t.Actions {
		sum += a.MaxSpend
	}
	return sum
}

// Balance returns an account's balance.
func (c *Core) Balance(a types.AccountID) uint64 { return c.balance[a] }

// Escrow returns what lies with an item.
func (c *Core) Escrow(it module.Item) uint64 { return c.escrow[it] }

// Escrows returns the sum of all escrows.
func (c *Core) Escrows() (sum uint64) {
	for _, v := range c.escrow {
		sum += v
	}
	return sum
}

// Items returns the state in order.
func (c *Core) Items() []module.Value {
	out := make([]module.Value, 0, len(c.items))
	for it, v := range c.items {
		out = append(out, module.Value{Item: it, Data: v})
	}
	slices.SortFunc(out, func(a, b module.Value) int { return a.Item.Compare(b.Item) })
	return out
}

// Queue returns the clocks of scheduled entries in order.
func (c *Core) Queue() []uint64 {
	out := make([]uint64, len(c.queue))
	for i := range c.queue {
		out[i] = c.queue[i].clock
	}
	return out
}

// Conserved checks that balances and escrows sum to what was funded.
func (c *Core) Conserved() error {
	sum := c.Escrows()
	for _, v := range c.balance {
		sum += v
	}
	if sum != c.supply {
		return fmt.Errorf("balances and escrows sum to %d, the supply is %d", sum, c.supply)
	}
	return nil
}

// State describes items, escrows, balances and queue, to compare cores.
func (c *Core) State() string {
	var b bytes.Buffer
	for _, v := range c.Items() {
		fmt.Fprintf(&b, "item %x %q = %x\n", v.Item.Place, v.Item.Key, v.Data)
	}
	var lines []string
	for it, v := range c.escrow {
		if v > 0 {
			lines = append(lines, fmt.Sprintf("escrow %x %q = %d\n", it.Place, it.Key, v))
		}
	}
	for a, v := range c.balance {
		if v > 0 {
			lines = append(lines, fmt.Sprintf("balance %x = %d\n", a, v))
		}
	}
	sort.Strings(lines)
	for _, l := range lines {
		b.WriteString(l)
	}
	for _, q := range c.queue {
		fmt.Fprintf(&b, "due %d %x %x %q %x\n", q.clock, q.due.ID, q.due.Item.Place, q.due.Item.Key, q.due.Data)
	}
	return b.String()
}

// Prepare makes the block of transactions that Check accepts, at a clock, with what falls due and the values that were
// declared. It changes nothing. refused says why Check refused a transaction, by index.
func (c *Core) Prepare(ctx context.Context, m module.Module, clock uint64, txs []module.Tx) (b *module.Block, refused map[int]string, err error) {
	b = &module.Block{Chain: c.chain, Height: c.Height + 1, Slot: clock, Clock: clock, Producer: types.Hash{1}, Parent: types.BlockID{byte(c.Height)}, Params: c.params,
		Producers: slices.Clone(c.Producers)}
	refused = map[int]string{}
	seen := map[module.Item]bool{}
	var items []module.Item
	add := func(it module.Item) {
		if !seen[it] {
			seen[it] = true
			items = append(items, it)
		}
	}
	if len(txs) > 0 {
		checks, err := m.Check(ctx, txs)
		if err == nil {
			err = module.CheckChecks(txs, checks)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("check: %w", err)
		}
		for i := range checks {
			if checks[i].Error != "" {
				refused[i] = checks[i].Error
				continue
			}
			b.Txs = append(b.Txs, txs[i])
			for _, it := range checks[i].Reads {
				add(it)
			}
		}
	}
	for _, q := range c.queue {
		if q.clock > clock || len(b.Due) == module.MaxDuePerBlock {
			break
		}
		b.Due = append(b.Due, q.due)
		add(q.due.Item)
	}
	for _, it := range items {
		v, legal := c.value(it)
		if !legal {
			return nil, nil, fmt.Errorf("check: %w: it reads %.80q of the module %q, which does not export it", module.ErrFault, it.Key, it.Module)
		}
		b.Values = append(b.Values, module.Value{Item: it, Data: v})
	}
	return b, refused, nil
}

// Block executes transactions and whatever is due at clock, and takes over the effects. It fails if the module does; a
// breach of the rules is no failure but a fault in the effect.
func (c *Core) Block(ctx context.Context, m module.Module, clock uint64, txs []module.Tx) (*Effect, error) {
	for i := range txs {
		t := &txs[i]
		if c.balance[t.Account] < maxSpend(t) {
			return nil, fmt.Errorf("transaction %d: %s has %d, and could spend %d", i, t.Account, c.balance[t.Account], maxSpend(t))
		}
		c.balance[t.Account] -= maxSpend(t)
	}
	left := make([]uint64, len(txs)) // of the reserve
	for i := range txs {
		left[i] = maxSpend(&txs[i])
	}
	defer func() {
		for i := range txs {
			c.balance[txs[i].Account] += left[i]
		}
	}()
	b, refused, err := c.Prepare(ctx, m, clock, txs)
	if err != nil {
		return nil, err
	}
	c.Height, c.Clock = b.Height, clock
	c.queue = c.queue[len(b.Due):]
	e := &Effect{Txs: make([]module.Result, len(txs)), Due: len(b.Due)}
	var at []int
	for i := range txs {
		if why, ok := refused[i]; ok {
			e.Txs[i] = module.Result{Error: why}
		} else {
			at = append(at, i)
		}
	}
	if len(b.Txs) == 0 && len(b.Due) == 0 {
		return e, nil
	}
	out, err := m.Execute(ctx, b, c.Reader())
	if err == nil {
		err = module.CheckOutcome(b, out)
	}
	if err == nil {
		err = c.apply(b, out, at, left)
	}
	if errors.Is(err, module.ErrFault) {
		e.Fault = err
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	e.Block = out.Block
	for i := range out.Txs {
		e.Txs[at[i]] = out.Txs[i]
	}
	return e, nil
}

// apply lets a legal outcome take effect; of one that takes what is not there, nothing does.
func (c *Core) apply(b *module.Block, out *module.Outcome, at []int, left []uint64) error {
	d := c.Clone()
	results := []*module.Result{&out.Block}
	for i := range out.Txs {
		results = append(results, &out.Txs[i])
	}
	spent := make([]uint64, len(left))
	for i, r := range results {
		for _, t := range r.Transfers {
			amount := t.Amount
			if t.From.Escrow != nil {
				if amount == module.WholeEscrow {
					amount = d.escrow[*t.From.Escrow]
				}
				if d.escrow[*t.From.Escrow] < amount {
					return fmt.Errorf("%w: an escrow holds %d, %d are taken", module.ErrFault, d.escrow[*t.From.Escrow], amount)
				}
				d.escrow[*t.From.Escrow] -= amount
			} else {
				spent[at[i-1]] += amount // of the signer, and within max_spend: CheckOutcome has seen to it
			}
			if t.To.Escrow != nil {
				d.escrow[*t.To.Escrow] += amount
			} else {
				d.balance[*t.To.Account] += amount
			}
		}
		for _, w := range r.Writes {
			if w.Data == nil {
				delete(d.items, w.Item)
			} else {
				d.items[w.Item] = bytes.Clone(w.Data)
			}
		}
		for _, s := range r.Schedule {
			d.schedule(s)
		}
	}
	for i := range left {
		left[i] -= spent[i]
	}
	*c = *d
	return nil
}

func (c *Core) schedule(s module.Schedule) {
	i, found := slices.BinarySearchFunc(c.queue, s, func(q queued, s module.Schedule) int {
		if q.clock != s.Clock {
			if q.clock < s.Clock {
				return -1
			}
			return 1
		}
		return bytes.Compare(q.due.ID[:], s.ID[:])
	})
	entry := queued{s.Clock, module.Due{ID: s.ID, Item: s.Item, Data: bytes.Clone(s.Data)}}
	switch {
	case s.Cancel && found:
		c.queue = slices.Delete(c.queue, i, i+1)
	case s.Cancel:
	case found:
		c.queue[i] = entry
	default:
		c.queue = slices.Insert(c.queue, i, entry)
	}
}

// Reader reads the state as it is now, for as long as it is not changed.
func (c *Core) Reader() module.Reader { return &coreReader{c: c} }

type coreReader struct {
	c      *Core
	sorted []module.Value
}

// Read implements module.Reader.
func (r *coreReader) Read(ctx context.Context, _ int, items []module.Item) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := make([][]byte, len(items))
	for i, it := range items {
		v, legal := r.c.value(it)
		if !legal {
			return nil, fmt.Errorf("%w: the module %q exports no key like %.80q", module.ErrInvalid, it.Module, it.Key)
		}
		out[i] = v
	}
	return out, nil
}

// Scan implements module.Reader.
func (r *coreReader) Scan(ctx context.Context, _ int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if start.Module != "" || end.Module != "" {
		return nil, false, fmt.Errorf("%w: a scan in another module", module.ErrInvalid)
	}
	if r.sorted == nil {
		r.sorted = r.c.Items()
	}
	i := sort.Search(len(r.sorted), func(i int) bool { return r.sorted[i].Item.Compare(start) >= 0 })
	var out []module.Value
	for ; i < len(r.sorted) && r.sorted[i].Item.Compare(end) < 0; i++ {
		if len(out) == min(limit, module.MaxScan) {
			return out, true, nil
		}
		out = append(out, module.Value{Item: r.sorted[i].Item, Data: bytes.Clone(r.sorted[i].Data)})
	}
	return out, false, nil
}
