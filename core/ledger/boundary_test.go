package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var (
	boundarySeed      = flag.Uint64("boundary.seed", 1, "seed of the first random sequence at the module boundary")
	boundarySequences = flag.Int("boundary.sequences", 300, "how many of them; the long run has 10000")
)

// chaos is a module that does anything at all, decided by the ids of what it is given: mostly what is allowed, now and then
// what is not. The same block always gets the same answer.
type chaos struct {
	name   string
	peers  []string // other modules, of which it reads
	people []types.AccountID
	layer  func() *state.Layer
	wrong  *atomic.Pointer[string] // what must never be seen
	done   *tally                  // what it did, counted
}

// tally counts, concurrently.
type tally struct{ foreign, refused, illegal, due, paid, cancelled atomic.Int64 }

func (c *chaos) rng(what string, id []byte, more uint64) *rand.Rand {
	h := types.Sum("chaos\x00", []byte(c.name), []byte(what), id, binary.BigEndian.AppendUint64(nil, more))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])))
}

func chaosItem(r *rand.Rand) module.Item {
	it := module.Item{Key: fmt.Sprint([]string{"pub/", "own/"}[r.IntN(2)], r.IntN(4))}
	it.Place[0] = it.Key[4]
	return it
}

// foreign is an item of another module, or, now and then, one that is not exported.
func (c *chaos) foreign(r *rand.Rand, legal bool) module.Item {
	it := chaosItem(r)
	it.Module = c.peers[r.IntN(len(c.peers))]
	if legal {
		it.Key = "pub/" + it.Key[4:]
	}
	return it
}

// Check declares some reads, and breaks a rule for one in a hundred.
func (c *chaos) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		r := c.rng("check", txs[i].ID[:], txs[i].MaxGas)
		for range r.IntN(3) {
			out[i].Reads = append(out[i].Reads, chaosItem(r), c.foreign(r, true))
		}
		switch r.IntN(100) {
		case 0:
			out[i].Reads = append(out[i].Reads, c.foreign(r, r.IntN(2) == 0), module.Item{Module: "nobody"})
		case 1:
			out[i].Facets = []module.Facet{{Name: "no name"}}
		case 2, 3, 4:
			out[i].Error = "ErrMood"
		}
	}
	return out, nil
}

// look reads, and compares what others have with the state at the start of the block.
func (c *chaos) look(ctx context.Context, b *module.Block, rd module.Reader, r *rand.Rand, tx int) error {
	legal := r.IntN(3) > 0
	items := []module.Item{chaosItem(r), c.foreign(r, legal)}
	values, err := rd.Read(ctx, tx, items)
	switch {
	case errors.Is(err, module.ErrInvalid):
		c.done.refused.Add(1)
		if strings.HasPrefix(items[1].Key, "pub/") {
			c.report("an exported item is refused: %+v", items[1])
		}
		return nil
	case err != nil:
		return err
	case !strings.HasPrefix(items[1].Key, "pub/"):
		c.report("an item that is not exported is shown: %+v", items[1])
	}
	c.compare(ctx, items[1], values[1])
	return nil
}

func (c *chaos) compare(ctx context.Context, it module.Item, got []byte) {
	c.done.foreign.Add(1)
	want, err := c.layer().Get(ctx, []state.Item{{Module: it.Module, Place: it.Place, Key: it.Key}})
	if err != nil || !reflect.DeepEqual(got, want[0]) && len(got)+len(want[0]) > 0 {
		c.report("%+v is shown as %x, at the start of the block it was %x, %v", it, got, want[0], err)
	}
}

func (c *chaos) report(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	c.wrong.CompareAndSwap(nil, &s)
}

// Execute does what the ids say.
func (c *chaos) Execute(ctx context.Context, b *module.Block, rd module.Reader) (*module.Outcome, error) {
	for _, v := range b.Values {
		if v.Item.Module != "" {
			c.compare(ctx, v.Item, v.Data)
		}
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i := range b.Due {
		d := &b.Due[i]
		c.done.due.Add(1)
		r := c.rng("due", d.ID[:], b.Clock)
		c.effects(r, b, &out.Block, nil)
		if r.IntN(3) == 0 {
			it, to := d.Item, c.people[r.IntN(4)]
			out.Block.Transfers = append(out.Block.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &to}, Amount: module.WholeEscrow})
			c.done.paid.Add(1)
		}
		if r.IntN(12) == 0 {
			c.illegal(r, b, &out.Block, nil)
		}
	}
	for _, x := range b.Extensions {
		r := c.rng("extension", x, b.Height)
		c.effects(r, b, &out.Block, nil)
		if r.IntN(10) == 0 {
			c.illegal(r, b, &out.Block, nil)
		}
	}
	for i := range b.Txs {
		t := &b.Txs[i]
		r := c.rng("execute", t.ID[:], 0)
		if r.IntN(3) == 0 {
			if err := c.look(ctx, b, rd, r, i); err != nil {
				return nil, err
			}
		}
		res := &out.Txs[i]
		res.Gas = min(t.MaxGas, r.Uint64N(3_000))
		if r.IntN(8) == 0 {
			res.Error = []string{"ErrMood", "no name at all", ""}[r.IntN(3)]
		}
		c.effects(r, b, res, t)
		if r.IntN(16) == 0 {
			c.illegal(r, b, res, t)
		}
	}
	switch c.rng("block", b.Parent[:], b.Height).IntN(40) {
	case 0:
		out.Txs = append(out.Txs, module.Result{})
	case 1:
		out.Block.Error = "ErrNever"
	}
	return out, nil
}

// effects adds what is allowed, but for an escrow that may hold too little.
func (c *chaos) effects(r *rand.Rand, b *module.Block, res *module.Result, t *module.Tx) {
	for range r.IntN(3) {
		w := module.Write{Item: chaosItem(r)}
		if r.IntN(4) > 0 {
			w.Data = fmt.Append([]byte{}, r.Uint32())
		}
		res.Writes = append(res.Writes, w)
	}
	var left []uint64
	if t != nil {
		for _, a := range t.Actions {
			left = append(left, a.MaxSpend)
		}
	}
	party := func() module.Party {
		if r.IntN(2) == 0 {
			it := chaosItem(r)
			return module.Party{Escrow: &it}
		}
		id := c.people[r.IntN(4)]
		if r.IntN(6) == 0 {
			id = types.BurnAccount
		}
		return module.Party{Account: &id}
	}
	for range r.IntN(4) {
		it := chaosItem(r)
		tr := module.Transfer{From: module.Party{Escrow: &it}, To: party(), Amount: module.WholeEscrow}
		if r.IntN(12) == 0 {
			tr.Amount = r.Uint64N(50)
		}
		if t != nil && r.IntN(3) > 0 {
			me, j := t.Account, r.IntN(len(left))
			tr.From, tr.Action = module.Party{Account: &me}, j
			tr.Amount = r.Uint64N(left[j] + 1)
			left[j] -= tr.Amount
		}
		res.Transfers = append(res.Transfers, tr)
	}
	for range r.IntN(3) {
		// Of few ids and clocks, so that entries meet, take each other's place and are cancelled.
		s := module.Schedule{Clock: b.Clock + 1 + r.Uint64N(6), ID: [32]byte{byte(r.IntN(12))}, Item: chaosItem(r), Data: []byte{byte(r.IntN(4))}}
		if r.IntN(4) == 0 {
			s.Cancel, s.Clock = true, b.Clock+r.Uint64N(8)-min(b.Clock, 2)
			c.done.cancelled.Add(1)
		}
		res.Schedule = append(res.Schedule, s)
	}
	if r.IntN(3) == 0 {
		res.Events = append(res.Events, module.Event{Name: "did", Data: []byte(`{"x":1}`)})
	}
}

// illegal breaks a rule.
func (c *chaos) illegal(r *rand.Rand, b *module.Block, res *module.Result, t *module.Tx) {
	c.done.illegal.Add(1)
	it, other := chaosItem(r), types.AccountID{0xee}
	switch r.IntN(8) {
	case 0:
		it.Module = c.peers[0]
		res.Writes = append(res.Writes, module.Write{Item: it, Data: []byte("mine")})
	case 1:
		it.Module = c.peers[0]
		res.Transfers = append(res.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &other}, Amount: module.WholeEscrow})
	case 2:
		res.Transfers = append(res.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &other}, Amount: 1 << 62})
	case 3:
		res.Transfers = append(res.Transfers, module.Transfer{From: module.Party{Account: &other}, To: module.Party{Escrow: &it}})
	case 4:
		res.Schedule = append(res.Schedule, module.Schedule{Clock: b.Clock, ID: [32]byte{1}, Item: it})
	case 5:
		it.Key = strings.Repeat("k", module.MaxKeyBytes+1)
		res.Writes = append(res.Writes, module.Write{Item: it})
	case 6:
		if t != nil {
			res.Gas = t.MaxGas + 1
		}
	case 7:
		if t != nil {
			me := t.Account
			res.Transfers = append(res.Transfers, module.Transfer{From: module.Party{Account: &me}, To: module.Party{Escrow: &it}, Amount: t.Actions[0].MaxSpend + 1})
		}
	}
}

// Extend implements module.Module.
func (c *chaos) Extend(context.Context, uint64, module.Reader) ([]byte, error) { return nil, nil }

// Query implements module.Module.
func (c *chaos) Query(context.Context, module.Query, module.Reader) (module.Answer, error) {
	return module.Answer{}, module.ErrUnknownPath
}

// ValidateParams implements module.Module.
func (c *chaos) ValidateParams(context.Context, map[string][]byte) error { return nil }

// Migrate implements module.Module.
func (c *chaos) Migrate(context.Context, string, string, module.Reader) ([]module.Write, error) {
	return nil, module.ErrUnsupported
}

// sequence is a chain of several modules, some of them dishonest, under random operations.
type sequence struct {
	*random
	t    *testing.T
	seed uint64
	k    *kit
	twin *Ledger // with instances of its own, sometimes paranoid or behind connections
	bad  []*moduletest.Dishonest
	done *tally
	what map[string]int

	people []types.AccountID
	wrong  atomic.Pointer[string]
}

var sequenceModules = []string{"a", "b", "bad", "tally"}

func newSequence(t *testing.T, seed uint64, done *tally, what map[string]int) *sequence {
	s := &sequence{t: t, seed: seed, done: done, what: what}
	for _, n := range allNames {
		s.people = append(s.people, newKey(n).id())
	}
	r := rand.New(rand.NewPCG(seed, 11))
	tricks := append(moduletest.Faults(), moduletest.DueFault, moduletest.Unnamed, moduletest.Deny, "")
	trick := tricks[r.IntN(len(tricks))]
	order := slices.Clone(sequenceModules)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	modules := func(far bool) (out []Named) {
		for _, n := range order {
			var m module.Module
			switch n {
			case "bad":
				d := &moduletest.Dishonest{Trick: trick}
				s.bad, m = append(s.bad, d), d
			case "tally":
				m = moduletest.NewTally()
			default:
				peers := []string{"a", "b"}
				if n == "a" {
					peers = []string{"b", "tally", "a"}
				}
				m = &chaos{name: n, peers: peers, people: s.people, layer: func() *state.Layer { return s.k.layer }, wrong: &s.wrong, done: done}
			}
			if far {
				m = remote(t, m)
			}
			out = append(out, as(n, m))
		}
		return out
	}
	exports := map[string][]string{"a": {"pub/"}, "b": {"pub/"}, "tally": {"pub/"}}
	s.k = newKitOf(t, Config{Exports: exports, Paranoid: seed%16 == 3}, nil, modules(seed%64 == 5)...)
	cfg := Config{Genesis: s.k.g, Exports: exports, Paranoid: seed%16 == 7, Modules: append(native(s.k.g), modules(seed%64 == 9)...)}
	s.twin = must(New(cfg))
	s.random = &random{r, s.k, []key{newKey("producer")}}
	for _, n := range allNames {
		s.keys = append(s.keys, newKey(n))
	}
	return s
}

func (s *sequence) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("sequence with -boundary.seed=%d -boundary.sequences=1, height %d: %s", s.seed, s.k.height, fmt.Sprintf(format, args...))
}

// envelope makes a transaction. Its signature is none, which only VerifySignatures would see.
func (s *sequence) envelope() []byte {
	from := s.key()
	mod := []string{"bank", "account", "tally", "a", "a", "b", "b", "bad"}[s.IntN(8)]
	act := func() types.Action {
		if mod == "a" || mod == "b" {
			return types.Action{Name: "x", MaxSpend: s.amount()}
		}
		return s.action(mod)
	}
	x := s.k.tx(from, mod, act())
	for range s.IntN(3) {
		x.Actions = append(x.Actions, act())
	}
	if s.IntN(6) == 0 {
		x.MaxGas = uint64(s.IntN(3_000))
	}
	env := types.Envelope{Raw: x.Encode(), Signatures: []types.Signature{{Key: from.pub, Sig: make([]byte, 64)}}}
	return env.Encode()
}

// dueBy returns how many entries of each module fall due at a clock.
func (s *sequence) dueBy(clock uint64) map[string]int {
	end := binary.BigEndian.AppendUint64(nil, clock+1)
	list, _ := must2(s.k.layer.Scan(s.t.Context(), spaceSchedule, state.ScanPos{}, state.ScanPos{Key: string(end)}, module.MaxDuePerBlock))
	out := map[string]int{}
	for _, e := range list {
		if _, mod, _, err := decodeScheduled(e.Item.Key, e.Value); err == nil {
			out[mod]++
		}
	}
	return out
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

// step makes a block, and checks all that must hold of it.
func (s *sequence) step() {
	s.t.Helper()
	k := s.k
	var txs, again []*Tx
	for range s.IntN(7) {
		e := s.envelope()
		if tx, err := k.l.ParseTx(e); err == nil {
			txs, again = append(txs, tx), append(again, must(s.twin.ParseTx(e)))
		}
	}
	errs := k.authorise(txs...)
	keep := func(list []*Tx) (out []*Tx) {
		for i, tx := range list {
			if errs[i] == nil {
				out = append(out, tx)
			}
		}
		return out
	}
	txs, again = keep(txs), keep(again)
	if s.IntN(2) == 0 { // as if admitted here
		must(k.l.Check(s.t.Context(), txs))
	}
	clock := k.clock + 1 + s.Uint64N(8)
	k.ext = map[string][][]byte{}
	for _, n := range []string{"a", "tally"} {
		if s.IntN(4) == 0 {
			k.ext[n] = [][]byte{fmt.Append(nil, s.Uint64())}
		}
	}
	header, before, due := k.header(clock), k.layer, s.dueBy(clock)
	balances := map[types.AccountID]uint64{}
	for _, key := range s.keys {
		balances[key.id()] = k.balance(key.id())
	}
	res, err := k.l.Execute(s.t.Context(), before, header, txs)
	if err != nil {
		s.fail("%v", err)
	}
	res2, err := s.twin.Execute(s.t.Context(), before, header, again)
	if err != nil {
		s.fail("the twin: %v", err)
	}
	if types.ReceiptsRoot(res.Receipts) != types.ReceiptsRoot(res2.Receipts) || k.root(res) != k.root(res2) {
		s.fail("two ledgers differ: %+v\n%+v\nfaults %v\n%v", res.Receipts, res2.Receipts, res.Faults, res2.Faults)
	}
	s.namespaces(res, txs, due)
	if len(res.Faults) > 0 && s.IntN(3) == 0 {
		s.neighbours(res, header, before, txs)
	}
	k.apply(clock, txs, res) // conservation, receipts, fees
	for _, tx := range txs {
		balances[tx.T.Account] -= tx.Reserve
	}
	for id, least := range balances {
		if got := k.balance(id); got < least {
			s.fail("%s has %d left, it could spend down to %d", id, got, least)
		}
	}
	if w := s.wrong.Load(); w != nil {
		s.fail("%s", *w)
	}
	s.what["blocks"]++
	s.what["transactions"] += len(txs)
	s.what["faults"] += len(res.Faults)
	for _, r := range res.Receipts {
		s.what[r.Status]++
	}
}

// namespaces checks that a module which had nothing to do, or is at fault without anything due, has changed nothing.
func (s *sequence) namespaces(res *Result, txs []*Tx, due map[string]int) {
	s.t.Helper()
	idle := map[string]bool{}
	for _, n := range append([]string{types.ModuleBank, types.ModuleChains}, sequenceModules...) {
		idle[n] = due[n] == 0 && len(s.k.ext[n]) == 0 && !slices.ContainsFunc(txs, func(t *Tx) bool { return t.T.Module == n })
	}
	for _, f := range res.Faults {
		idle[f.Module] = idle[f.Module] || due[f.Module] == 0
		if !errors.Is(f.Err, module.ErrFault) {
			s.fail("a fault that is none: %v", f.Err)
		}
	}
	for _, c := range res.Changes {
		mod := strings.TrimPrefix(c.Item.Module, spaceEscrow)
		if idle[mod] {
			s.fail("module %s changes %s %q", mod, c.Item.Module, c.Item.Key)
		}
		if _, ok := idle[mod]; !ok && mod != AccountModule && !strings.HasPrefix(mod, "ledger.") {
			s.fail("a change of %s %q", c.Item.Module, c.Item.Key)
		}
	}
}

// neighbours executes the block without the modules that were at fault: the receipts of the honest ones are the same.
func (s *sequence) neighbours(res *Result, header Block, before *state.Layer, txs []*Tx) {
	s.t.Helper()
	honest := []string{types.ModuleBank, AccountModule, "tally"}
	var alone []*Tx
	var want []types.Receipt
	for i, tx := range txs {
		if slices.Contains(honest, tx.T.Module) {
			alone, want = append(alone, tx), append(want, res.Receipts[i])
		}
	}
	header.Extensions = map[string][][]byte{"tally": header.Extensions["tally"]}
	got := must(s.k.l.Execute(s.t.Context(), before, header, alone))
	for i := range want {
		if !reflect.DeepEqual(got.Receipts[i], want[i]) {
			s.fail("transaction %d of module %s: %+v, without the others %+v", i, alone[i].T.Module, want[i], got.Receipts[i])
		}
	}
}

// TestBoundaryRandom runs random sequences of blocks over modules of which some break every rule. After each block: the sum of
// what there is is the supply, nobody has lost more than was reserved, no module has touched what is another's, what a
// module reads of another is as it was at the start of the block, the honest are as if alone, and a second ledger, which asks
// twice or over a connection in some sequences and has never admitted anything, finds the same.
func TestBoundaryRandom(t *testing.T) {
	var done tally
	what := map[string]int{}
	n := *boundarySequences
	if testing.Short() {
		n = min(n, 200)
	}
	t.Logf("%d sequences from -boundary.seed=%d on", n, *boundarySeed)
	for i := range uint64(n) {
		s := newSequence(t, *boundarySeed+i, &done, what)
		for range 3 + s.IntN(5) {
			s.step()
		}
	}
	t.Logf("%v; foreign reads %d, refused %d, illegal answers %d, due %d, paid out %d, cancelled %d", what, done.foreign.Load(), done.refused.Load(),
		done.illegal.Load(), done.due.Load(), done.paid.Load(), done.cancelled.Load())
	if n < 200 {
		return // too few to have seen everything
	}
	for name, v := range map[string]int64{"foreign reads": done.foreign.Load(), "refused reads": done.refused.Load(), "illegal answers": done.illegal.Load(),
		"due entries": done.due.Load(), "payments": done.paid.Load(), "cancellations": done.cancelled.Load(), "faults": int64(what["faults"]),
		"postponed work": int64(what[StatusModuleFault]), "legal transactions": int64(what[types.StatusOK])} {
		if v < 20 {
			t.Errorf("%d %s in %d sequences", v, name, n)
		}
	}
}
