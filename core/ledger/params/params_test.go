package params_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	core "github.com/paloalto-chain/paloalto/core/ledger/params"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var (
	authority = types.AccountID{1, 1}
	stranger  = types.AccountID{2, 2}
	chainID   = types.ChainID{7}
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// declared is a registry with a parameter of every sort.
func declared() *chainspec.Genesis {
	number := func(name, value, step string) chainspec.Param {
		return chainspec.Param{Name: name, Type: plugin.Number, Value: raw(value), Min: raw("0"), Max: raw("100"), Step: raw(step)}
	}
	return &chainspec.Genesis{SlotMs: 500, Params: &chainspec.Params{Authority: &authority, List: []chainspec.Param{
		{Name: "oracle.base", Type: plugin.Amount, Value: raw("50"), Min: raw("10"), Max: raw("18446744073709551615")},
		{Name: "oracle.open", Type: plugin.Bool, Value: raw("false")},
		{Name: "oracle.rule", Type: plugin.String, Value: raw(`"fast"`), OneOf: []string{"fast", "slow"}},
		number("stake.high", "50", "10"),
		number("stake.low", "40", "10"),
	}}}
}

// validator is a module that looks at its parameters only.
type validator func(map[string][]byte) error

func (v validator) ValidateParams(_ context.Context, p map[string][]byte) error { return v(p) }

// ordered refuses low above high.
func ordered(p map[string][]byte) error {
	var low, high int
	if json.Unmarshal(p["low"], &low) != nil || json.Unmarshal(p["high"], &high) != nil || len(p) != 2 {
		return fmt.Errorf("%w: not the whole set: %s", module.ErrBadParams, p)
	}
	if low > high {
		return fmt.Errorf("%w: low %d is above high %d", module.ErrBadParams, low, high)
	}
	return nil
}

// bed is the module with a state.
type bed struct {
	t      testing.TB
	m      module.Module
	reg    *core.Registry
	items  map[module.Item][]byte
	queue  map[[32]byte]uint64
	height uint64
	clock  uint64
	salt   uint64
}

func newBed(t testing.TB, epochs bool, validators map[string]core.Validator) *bed {
	if validators == nil {
		validators = map[string]core.Validator{"stake": validator(ordered)}
	}
	g := declared()
	return &bed{t: t, m: module.Guard(core.New(core.Config{Genesis: g, Epochs: epochs, Validators: validators})), reg: core.NewRegistry(g),
		items: map[module.Item][]byte{}, queue: map[[32]byte]uint64{}, clock: 1000}
}

// Read implements module.Reader.
func (b *bed) Read(_ context.Context, _ int, items []module.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
	for i, it := range items {
		out[i] = b.items[it]
	}
	return out, nil
}

// Scan implements module.Reader.
func (b *bed) Scan(context.Context, int, module.Item, module.Item, int) ([]module.Value, bool, error) {
	return nil, false, errors.New("not needed")
}

func (b *bed) tx(account types.AccountID, actions ...types.Action) module.Tx {
	b.salt++
	return module.Tx{ID: types.Sum("test", binary.BigEndian.AppendUint64(nil, b.salt)), Account: account, Actions: actions,
		MaxGas: params.Gas * uint64(len(actions)), Bytes: 300}
}

// block executes a block ticks later and returns its outcome.
func (b *bed) block(ticks uint64, closes bool, txs ...module.Tx) (*module.Outcome, error) {
	b.t.Helper()
	blk := &module.Block{Chain: chainID, Height: b.height + 1, Clock: b.clock + ticks, Txs: txs, Consensus: &module.ConsensusInfo{Closes: closes}}
	for id, clock := range b.queue {
		if clock <= blk.Clock {
			blk.Due = append(blk.Due, module.Due{ID: id})
		}
	}
	if b.salt%2 == 0 && len(txs) > 0 { // as the ledger does it; otherwise the module reads
		for _, it := range append([]module.Item{core.PendingItem()}, b.reg.Items()...) {
			blk.Values = append(blk.Values, module.Value{Item: it, Data: b.items[it]})
		}
	}
	out, err := b.m.Execute(b.t.Context(), blk, b)
	if err != nil {
		return nil, err
	}
	b.height, b.clock = blk.Height, blk.Clock
	for _, d := range blk.Due {
		delete(b.queue, d.ID)
	}
	for _, r := range append([]module.Result{out.Block}, out.Txs...) {
		for _, w := range r.Writes {
			if b.items[w.Item] = w.Data; w.Data == nil {
				delete(b.items, w.Item)
			}
		}
		for _, s := range r.Schedule {
			if b.queue[s.ID] = s.Clock; s.Cancel {
				delete(b.queue, s.ID)
			}
		}
	}
	return out, nil
}

func (b *bed) must(ticks uint64, closes bool, txs ...module.Tx) *module.Outcome {
	b.t.Helper()
	out, err := b.block(ticks, closes, txs...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bed) values() map[string]string {
	b.t.Helper()
	list, err := b.Read(b.t.Context(), 0, b.reg.Items())
	if err != nil {
		b.t.Fatal(err)
	}
	v, err := b.reg.Values(list)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	for i, p := range b.reg.List() {
		out[p.Name] = string(v[i].JSON)
	}
	if h, ok := b.items[core.SetItem()]; ok {
		if want := v.Hash(); string(h) != string(want[:]) {
			b.t.Fatal("the hash in the state is not that of the values")
		}
	} else if v.Hash() != b.reg.Genesis().Hash() {
		b.t.Fatal("values have changed without their hash")
	}
	return out
}

func (b *bed) list() *params.Registry {
	b.t.Helper()
	a, err := b.m.Query(b.t.Context(), module.Query{Path: params.PathList}, b)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := params.DecodeRegistry(a.JSON)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func set(pairs ...string) types.Action { return setAt(0, pairs...) }

func setAt(notBefore uint64, pairs ...string) types.Action {
	s := params.Set{NotBefore: notBefore}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		s.Changes = append(s.Changes, params.Change{Name: name, Value: raw(value)})
	}
	return types.Action{Name: params.ActionSet, Body: s.Encode()}
}

func cancel() types.Action { return types.Action{Name: params.ActionCancel} }

func wantResult(t testing.TB, r module.Result, want string) {
	t.Helper()
	if r.Error != want {
		t.Fatalf("%q (%s), want %q", r.Error, r.Detail, want)
	}
	if want != "" && len(r.Writes)+len(r.Schedule)+len(r.Events) > 0 {
		t.Fatalf("a failed transaction has effects: %+v", r)
	}
}

func events(r module.Result) string {
	var out []string
	for _, e := range r.Events {
		out = append(out, e.Name+" "+string(e.Data))
	}
	return strings.Join(out, "\n")
}

// TestActions has every named error, and what Check finds before the state is asked.
func TestActions(t *testing.T) {
	long := make([]string, params.MaxChanges+1)
	for i := range long {
		long[i] = fmt.Sprintf("a.b%02d=1", i)
	}
	for _, c := range []struct {
		name    string
		account types.AccountID
		actions []types.Action
		early   string // what Check says
		want    string
	}{
		{"a change", authority, []types.Action{set("stake.low=45")}, "", ""},
		{"of all sorts", authority, []types.Action{set("oracle.base=18446744073709551615", "oracle.open=true", `oracle.rule="slow"`)}, "", ""},
		{"to the bounds", authority, []types.Action{set("oracle.base=10")}, "", ""},
		{"to what it is", authority, []types.Action{set("stake.low=40")}, "", ""},
		{"and back", authority, []types.Action{set("stake.low=45"), cancel()}, "", ""},
		{"in the place of another", authority, []types.Action{set("stake.low=45"), cancel(), set("stake.low=46")}, "", ""},
		{"a stranger", stranger, []types.Action{set("stake.low=45")}, params.ErrNotAuthorised, params.ErrNotAuthorised},
		{"a stranger cancels", stranger, []types.Action{cancel()}, params.ErrNotAuthorised, params.ErrNotAuthorised},
		{"unknown", authority, []types.Action{set("stake.medium=45")}, params.ErrUnknownParam, params.ErrUnknownParam},
		{"fixed", authority, []types.Action{set("limits.block_bytes=45")}, params.ErrUnknownParam, params.ErrUnknownParam},
		{"one of two unknown", authority, []types.Action{set("stake.low=45", "stake.medium=45")}, params.ErrUnknownParam, params.ErrUnknownParam},
		{"a string for a number", authority, []types.Action{set(`stake.low="45"`)}, params.ErrParamType, params.ErrParamType},
		{"a fraction", authority, []types.Action{set("stake.low=45.0")}, params.ErrParamType, params.ErrParamType},
		{"an exponent", authority, []types.Action{set("stake.low=4e1")}, params.ErrParamType, params.ErrParamType},
		{"not canonical", authority, []types.Action{set("stake.low= 45")}, params.ErrParamType, params.ErrParamType},
		{"leading zero", authority, []types.Action{set("stake.low=045")}, params.ErrParamType, params.ErrParamType},
		{"escapes", authority, []types.Action{set(`oracle.rule="\u0073low"`)}, params.ErrParamType, params.ErrParamType},
		{"an object", authority, []types.Action{set("stake.low={}")}, params.ErrParamType, params.ErrParamType},
		{"null", authority, []types.Action{set("stake.low=null")}, params.ErrParamType, params.ErrParamType},
		{"nothing", authority, []types.Action{set("stake.low=")}, params.ErrParamType, params.ErrParamType},
		{"two values", authority, []types.Action{set("oracle.open=true false")}, params.ErrParamType, params.ErrParamType},
		{"a number for a bool", authority, []types.Action{set("oracle.open=1")}, params.ErrParamType, params.ErrParamType},
		{"more than 64 bits", authority, []types.Action{set("oracle.base=18446744073709551616")}, params.ErrParamType, params.ErrParamType},
		{"below the least", authority, []types.Action{set("oracle.base=9")}, params.ErrParamRange, params.ErrParamRange},
		{"negative", authority, []types.Action{set("stake.low=-1")}, params.ErrParamRange, params.ErrParamRange},
		{"above the most", authority, []types.Action{set("stake.low=101")}, params.ErrParamRange, params.ErrParamRange},
		{"no choice", authority, []types.Action{set(`oracle.rule="sideways"`)}, params.ErrParamRange, params.ErrParamRange},
		{"too large a step", authority, []types.Action{set("stake.high=61")}, "", params.ErrParamStep},
		{"the largest step", authority, []types.Action{set("stake.high=60")}, "", ""},
		{"too large a step down", authority, []types.Action{set("stake.low=29")}, "", params.ErrParamStep},
		{"a set that contradicts itself", authority, []types.Action{set("stake.high=44", "stake.low=45")}, "", params.ErrParamRefused},
		{"what one value makes of another", authority, []types.Action{set("stake.low=50"), cancel(), set("stake.high=40", "stake.low=41")}, "", params.ErrParamRefused},
		{"two at a time", authority, []types.Action{set("stake.low=45"), set("stake.low=46")}, "", params.ErrPending},
		{"nothing to cancel", authority, []types.Action{cancel()}, "", params.ErrNotPending},
		{"cancelled twice", authority, []types.Action{set("stake.low=45"), cancel(), cancel()}, "", params.ErrNotPending},
		{"not before now", authority, []types.Action{setAt(1001, "stake.low=45")}, "", params.ErrNotBefore},
		{"not before the next tick", authority, []types.Action{setAt(1002, "stake.low=45")}, "", ""},
		{"not before too long", authority, []types.Action{setAt(1002+172_800*params.MaxWaitDays, "stake.low=45")}, "", params.ErrNotBefore},
		{"empty", authority, []types.Action{set()}, "ErrMalformed", "ErrMalformed"},
		{"too many", authority, []types.Action{set(long...)}, "ErrMalformed", "ErrMalformed"},
		{"not in order", authority, []types.Action{set("stake.low=45", "stake.high=45")}, "ErrMalformed", "ErrMalformed"},
		{"twice the same", authority, []types.Action{set("stake.low=45", "stake.low=45")}, "ErrMalformed", "ErrMalformed"},
		{"cancel with a body", authority, []types.Action{{Name: params.ActionCancel, Body: []byte{0}}}, "ErrMalformed", "ErrMalformed"},
		{"another action", authority, []types.Action{{Name: "unset"}}, "ErrUnknownAction", "ErrUnknownAction"},
	} {
		for _, epochs := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/epochs=%v", c.name, epochs), func(t *testing.T) {
				b := newBed(t, epochs, nil)
				tx := b.tx(c.account, c.actions...)
				checks, err := b.m.Check(t.Context(), []module.Tx{tx})
				if err != nil || checks[0].Error != c.early {
					t.Fatalf("check: %v, %v; want %q", checks, err, c.early)
				}
				before := b.values()
				wantResult(t, b.must(1, false, tx).Txs[0], c.want)
				if fmt.Sprint(before) != fmt.Sprint(b.values()) {
					t.Fatal("a value changed before its time")
				}
			})
		}
	}
}

func TestNobodyMayWithoutAnAuthority(t *testing.T) {
	g := declared()
	g.Params.Authority = nil
	m := core.New(core.Config{Genesis: g})
	b := newBed(t, true, nil)
	checks, err := m.Check(t.Context(), []module.Tx{b.tx(authority, set("stake.low=45")), b.tx(types.AccountID{}, set("stake.low=45"))})
	if err != nil || checks[0].Error != params.ErrNotAuthorised || checks[1].Error != params.ErrNotAuthorised {
		t.Fatal(checks, err)
	}
}

func TestTooLittleGas(t *testing.T) {
	b := newBed(t, true, nil)
	tx := b.tx(authority, set("stake.low=45"))
	tx.MaxGas--
	checks, err := b.m.Check(t.Context(), []module.Tx{tx})
	if err != nil || checks[0].Error != module.ErrOutOfGas {
		t.Fatal(checks, err)
	}
	wantResult(t, b.must(1, false, tx).Txs[0], module.ErrOutOfGas)
}

// TestTakesEffectAtTheEndOfAnEpoch: not before, not in the block that asks for it, and once.
func TestTakesEffectAtTheEndOfAnEpoch(t *testing.T) {
	b := newBed(t, true, nil)
	// What is asked for in the block that closes an epoch waits for the next.
	wantResult(t, b.must(1, true, b.tx(authority, set("stake.high=60", "stake.low=45"))).Txs[0], "")
	for range 5 {
		b.must(200_000, false)
	}
	if v := b.values(); v["stake.high"] != "50" || v["stake.low"] != "40" {
		t.Fatal("it took effect within the epoch", v)
	}
	if p := b.list().Pending; p == nil || len(p.Changes) != 2 || string(p.Changes[0].From) != "50" || string(p.Changes[0].To) != "60" || p.Height != 1 {
		t.Fatalf("%+v", p)
	}
	out := b.must(1, true)
	if v := b.values(); v["stake.high"] != "60" || v["stake.low"] != "45" {
		t.Fatal(v)
	}
	want := `changed {"changes":[{"name":"stake.high","from":50,"to":60},{"name":"stake.low","from":40,"to":45}],"by":"` + authority.String() + `"}`
	if got := events(out.Block); got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
	r := b.list()
	if e := r.Find("stake.high"); string(e.Value) != "60" || string(e.Genesis) != "50" || e.ChangedAt != b.height || r.Pending != nil || !r.Epochs {
		t.Fatalf("%+v", e)
	}
	if e := r.Find("oracle.base"); e.ChangedAt != 0 || string(e.Value) != "50" {
		t.Fatalf("%+v", e)
	}
	if out := b.must(1, true); len(out.Block.Writes)+len(out.Block.Events) > 0 {
		t.Fatalf("the next end of an epoch: %+v", out.Block)
	}
	// Steps count from the values in force, so the next one goes on from there.
	wantResult(t, b.must(1, false, b.tx(authority, set("stake.high=70"))).Txs[0], "")
}

func TestNotBefore(t *testing.T) {
	b := newBed(t, true, nil)
	wantResult(t, b.must(1, false, b.tx(authority, setAt(1500, "stake.low=45"))).Txs[0], "")
	b.must(100, true)
	if b.values()["stake.low"] != "40" {
		t.Fatal("it took effect at the end of an epoch before its time")
	}
	b.must(1500-b.clock, true)
	if b.values()["stake.low"] != "45" {
		t.Fatal("it did not take effect")
	}
}

// TestWithoutEpochs: a day later, or at the clock that was asked for, whatever blocks say of epochs.
func TestWithoutEpochs(t *testing.T) {
	const day = 172_800
	for _, c := range []struct {
		name      string
		notBefore uint64
		at        uint64
	}{{"a day later", 0, 1001 + day}, {"at a clock", 1020, 1020}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t, false, nil)
			wantResult(t, b.must(1, false, b.tx(authority, setAt(c.notBefore, "stake.low=45"))).Txs[0], "")
			if p := b.list().Pending; p.Clock != c.at {
				t.Fatalf("clock %d, want %d", p.Clock, c.at)
			}
			b.must(c.at-1-b.clock, true)
			if b.values()["stake.low"] != "40" {
				t.Fatal("too early")
			}
			b.must(1, false)
			if b.values()["stake.low"] != "45" || len(b.queue) != 0 {
				t.Fatal(b.values(), b.queue)
			}
		})
	}
	b := newBed(t, false, nil)
	b.must(1, false, b.tx(authority, set("stake.low=45")))
	b.must(1, false, b.tx(authority, cancel()))
	if len(b.queue) != 0 || len(b.items) != 0 {
		t.Fatal("a cancelled change left something", b.queue, b.items)
	}
	// The entry of a change that was cancelled carries out no other: they are told apart by what they hold.
	b.must(1, false, b.tx(authority, set("stake.low=46")))
	if len(b.queue) != 1 {
		t.Fatal(b.queue)
	}
}

// TestRefusedAtTheEnd: a module that has come to refuse what it had accepted; the old set goes on, and the event says so.
func TestRefusedAtTheEnd(t *testing.T) {
	var refuse error
	b := newBed(t, true, map[string]core.Validator{"oracle": validator(func(map[string][]byte) error { return refuse })})
	wantResult(t, b.must(1, false, b.tx(authority, set("oracle.base=60", "stake.low=45"))).Txs[0], "")
	before := fmt.Sprint(b.values())

	refuse = errors.New("the plugin does not answer")
	if _, err := b.block(1, true); !errors.Is(err, refuse) {
		t.Fatalf("a module that cannot be asked: %v", err)
	}
	if b.list().Pending == nil {
		t.Fatal("what could not be found out is taken for a refusal")
	}
	refuse = fmt.Errorf("%w: base: too much, in words that another build may not use", module.ErrBadParams)
	out := b.must(1, true)
	want := `refused {"changes":[{"name":"oracle.base","from":50,"to":60},{"name":"stake.low","from":40,"to":45}],"by":"` + authority.String() + `","module":"oracle"}`
	if got := events(out.Block); got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(b.values()); got != before {
		t.Fatal("the refused set is in force", got)
	}
	if b.list().Pending != nil || len(b.items) != 0 {
		t.Fatal("it still waits", b.items)
	}
	refuse = nil
	wantResult(t, b.must(1, false, b.tx(authority, set("oracle.base=60"))).Txs[0], "")
	b.must(1, true)
	if b.values()["oracle.base"] != "60" {
		t.Fatal("the next set did not take effect")
	}
}

// TestRefusedBefore: nothing waits that a module refuses at once, and one that cannot be asked stops the block.
func TestRefusedBefore(t *testing.T) {
	var refuse error
	b := newBed(t, true, map[string]core.Validator{"oracle": validator(func(map[string][]byte) error { return refuse })})
	refuse = module.ErrBadParams
	wantResult(t, b.must(1, false, b.tx(authority, set("stake.low=45"))).Txs[0], params.ErrParamRefused)
	if b.list().Pending != nil {
		t.Fatal("it waits")
	}
	refuse = errors.New("lost")
	if _, err := b.block(1, false, b.tx(authority, set("stake.low=45"))); !errors.Is(err, refuse) {
		t.Fatal(err)
	}
}

func TestListShowsWhatIsFixed(t *testing.T) {
	b := newBed(t, true, nil)
	r := b.list()
	if e := r.Find("limits.block_gas"); e == nil || !e.Fixed || e.Description == "" {
		t.Fatalf("%+v", e)
	}
	if e := r.Find("fees.floor"); e == nil || !e.Fixed {
		t.Fatalf("%+v: this document does not govern it", e)
	}
	if *r.Authority != authority {
		t.Fatal(r.Authority)
	}
	if _, err := b.m.Query(t.Context(), module.Query{Path: "lists"}, b); !errors.Is(err, module.ErrUnknownPath) {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	b := newBed(t, false, nil)
	moduletest.Run(t, moduletest.Factory{
		Open: func() (moduletest.Instance, error) {
			return moduletest.Instance{Module: core.New(core.Config{Genesis: declared()})}, nil
		},
		Chain: chainID,
		Valid: func(seed uint64, n int) []module.Tx {
			out := make([]module.Tx, n)
			for i := range out {
				b.salt = seed<<32 + uint64(i)
				out[i] = b.tx(authority, set(fmt.Sprintf("stake.low=%d", 40+(seed+uint64(i))%10)), cancel())
			}
			return out
		},
		Malformed: []module.Tx{b.tx(authority, set()), b.tx(stranger, set("stake.low=45")), b.tx(authority, set("x=1"))},
		Paths:     []string{params.PathList},
	})
}

func pendingItem() module.Item { return core.PendingItem() }
