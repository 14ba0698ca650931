package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// maker makes random values of the package's types.
type maker struct{ *rand.Rand }

func (m maker) bytes(most int) []byte {
	if m.IntN(4) == 0 {
		return nil
	}
	b := make([]byte, m.IntN(most+1))
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

func (m maker) hash() (h types.Hash) {
	for i := range h {
		h[i] = byte(m.Uint32())
	}
	return h
}

func (m maker) item() Item {
	it := Item{Key: string(m.bytes(MaxKeyBytes))}
	h := m.hash()
	copy(it.Place[:], h[:])
	return it
}

// key is that of a producer.
func (m maker) key() types.PublicKey {
	h := m.hash()
	return types.PublicKey{Scheme: types.SchemeEd25519, Key: h[:]}
}

func (m maker) party() Party {
	if m.IntN(2) == 0 {
		a := types.AccountID(m.hash())
		return Party{Account: &a}
	}
	it := m.item()
	return Party{Escrow: &it}
}

func (m maker) result() Result {
	r := Result{Gas: m.Uint64(), Detail: "détail"}
	for range m.IntN(4) {
		r.Writes = append(r.Writes, Write{Item: m.item(), Data: m.value()})
		r.Transfers = append(r.Transfers, Transfer{From: m.party(), To: m.party(), Amount: m.Uint64(), Action: m.IntN(9)})
		r.Schedule = append(r.Schedule, Schedule{Clock: m.Uint64(), ID: m.hash(), Item: m.item(), Data: m.bytes(9), Cancel: m.IntN(2) == 0})
		r.Events = append(r.Events, Event{Name: "e", Data: []byte(`{"a":1}`), Item: m.bytes(9), Accounts: []types.AccountID{types.AccountID(m.hash())}})
	}
	return r
}

// value is nil, empty or something.
func (m maker) value() []byte {
	switch m.IntN(3) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	return []byte{byte(m.Uint32()), 1}
}

func (m maker) tx() Tx {
	t := Tx{ID: m.hash(), Account: types.AccountID(m.hash()), MaxGas: m.Uint64(), Bytes: m.IntN(1 << 20), Actions: []types.Action{}}
	for range m.IntN(4) {
		t.Actions = append(t.Actions, types.Action{Name: string(m.bytes(9)), Body: m.bytes(50), MaxSpend: m.Uint64()})
	}
	return t
}

func (m maker) block(txs int) *Block {
	b := &Block{Chain: m.hash(), Height: m.Uint64(), Slot: m.Uint64(), Clock: m.Uint64(), Producer: m.hash(), Parent: m.hash(),
		Params: map[string][]byte{"a.b": []byte("1"), "c": []byte(`"x"`)}}
	if txs != 1 { // a module other than the consensus plugin's sees nothing of it
		b.Consensus = &ConsensusInfo{Epoch: m.Uint64(), Header: []byte("header"), Certificate: []byte("certificate"), Set: []byte("set"),
			ParentSlot: m.Uint64(), Closes: true}
	}
	for range txs {
		b.Txs = append(b.Txs, m.tx())
		b.Values = append(b.Values, Value{Item: m.item(), Data: m.value()})
	}
	for range txs % 9 {
		b.Producers = append(b.Producers, m.key())
	}
	for i := range b.Values {
		if i%3 == 1 {
			b.Values[i].Item.Module = "neighbour"
		}
	}
	for range m.IntN(5) {
		b.Due = append(b.Due, Due{ID: m.hash(), Item: m.item(), Data: []byte{1}})
		b.Extensions = append(b.Extensions, []byte{2, 3})
	}
	return b
}

// overTheWire marshals a message and reads it back.
func overTheWire[M any, P interface {
	*M
	proto.Message
}](t *testing.T, p P) P {
	t.Helper()
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > MaxMessage {
		t.Fatalf("a message of %d bytes", len(b))
	}
	out := P(new(M))
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// flat makes what is nil and what is empty look alike, where the difference has no meaning.
func flat(r *Result) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%q %q %d", r.Error, r.Detail, r.Gas)
	for _, w := range r.Writes {
		fmt.Fprintf(&s, "\nw %v %x %t", w.Item, w.Data, w.Data == nil)
	}
	for _, t := range r.Transfers {
		fmt.Fprintf(&s, "\nt %d %d", t.Amount, t.Action)
		for _, p := range []Party{t.From, t.To} {
			if p.Account != nil {
				fmt.Fprintf(&s, " a%x", *p.Account)
			}
			if p.Escrow != nil {
				fmt.Fprintf(&s, " e%v", *p.Escrow)
			}
		}
	}
	for _, c := range r.Schedule {
		fmt.Fprintf(&s, "\ns %d %x %v %x %t", c.Clock, c.ID, c.Item, c.Data, c.Cancel)
	}
	for _, e := range r.Events {
		fmt.Fprintf(&s, "\ne %q %s %x %x", e.Name, e.Data, e.Accounts, e.Item)
	}
	return s.String()
}

func TestResultRoundTrip(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(1, 1))}
	for i := range 500 {
		want := m.result()
		got, err := fromResult(overTheWire(t, toResult(&want)))
		if err != nil || flat(&got) != flat(&want) {
			t.Fatalf("%d: %v\n%s\n%s", i, err, flat(&got), flat(&want))
		}
	}
}

func TestCheckRoundTrip(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(2, 1))}
	a := types.AccountID(m.hash())
	for _, want := range []TxCheck{
		{}, {Error: "ErrX", Gas: 7}, {Reads: []Item{m.item(), {}, {Key: "k", Module: "oracle"}}, Facets: []Facet{{Name: "spend", Amount: math.MaxUint64, Account: &a}, {Name: "x"}}},
	} {
		got, err := fromCheck(overTheWire(t, toCheck(&want)))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n%+v\n%+v", err, got, want)
		}
	}
}

// TestBlockRoundTrip sends blocks in pieces, of which each has to fit a message.
func TestBlockRoundTrip(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(3, 1))}
	for _, n := range []int{0, 1, 7, 1000} {
		want := m.block(n)
		if n == 7 { // parts that fill pieces
			want.Txs[2].Actions = []types.Action{{Name: "big", Body: make([]byte, types.MaxTxBytes)}}
			for range 40 {
				want.Values = append(want.Values, Value{Item: m.item(), Data: make([]byte, MaxValueBytes)})
			}
		}
		var bb blockBuilder
		last, pieces := false, 0
		err := sendBegin(5, want, func(p *modulev1.Begin) error {
			if last {
				t.Fatal("a piece after the last")
			}
			pieces++
			p = overTheWire(t, p)
			if pieces == 1 && p.Instance != 5 {
				t.Fatalf("instance %d", p.Instance)
			}
			var err error
			last, err = bb.add(p)
			return err
		})
		if err != nil || !last {
			t.Fatalf("%d transactions: %v, last %t", n, err, last)
		}
		if n == 7 && pieces < 3 {
			t.Fatalf("%d pieces", pieces)
		}
		if got := bb.b; !reflect.DeepEqual(normal(got), normal(want)) {
			t.Fatalf("%d transactions: another block than was sent", n)
		}
	}
}

// normal replaces what is nil and empty alike by nil, except in values.
func normal(b *Block) Block {
	c := *b
	c.Txs = nil
	for _, t := range b.Txs {
		t.Actions = append([]types.Action{}, t.Actions...)
		for i := range t.Actions {
			t.Actions[i].Body = append([]byte{}, t.Actions[i].Body...)
		}
		c.Txs = append(c.Txs, t)
	}
	return c
}

// TestConsensusInfoIsWhole finds a field that the samples above leave out.
func TestConsensusInfoIsWhole(t *testing.T) {
	v := reflect.ValueOf(*maker{rand.New(rand.NewPCG(3, 1))}.block(0).Consensus)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("field %s of the sample is zero", v.Type().Field(i).Name)
		}
	}
}

func TestABlockPartThatFitsNoMessage(t *testing.T) {
	b := &Block{Params: map[string][]byte{"p": make([]byte, MaxMessage)}}
	if err := sendBegin(1, b, func(*modulev1.Begin) error { return nil }); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestOutcomeRoundTrip(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(4, 1))}
	for _, n := range []int{0, 1, 50, 4_000} {
		want := &Outcome{Block: m.result(), Txs: make([]Result, n)}
		gas := make([]uint64, n)
		for i := range want.Txs {
			if want.Txs[i], gas[i] = m.result(), math.MaxUint64; i%7 == 0 {
				want.Txs[i] = Result{Error: "ErrX", Gas: 3}
			}
		}
		ob := &outcomeBuilder{o: &Outcome{}, want: n}
		last, pieces := false, 0
		err := sendOutcome(want, gas, func(e *modulev1.End) (err error) {
			pieces++
			last, err = ob.add(overTheWire(t, e))
			return err
		})
		if err != nil || !last || len(ob.o.Txs) != n || n == 4_000 && pieces < 2 {
			t.Fatalf("%d results: %v, last %t, %d results in %d pieces", n, err, last, len(ob.o.Txs), pieces)
		}
		if flat(&ob.o.Block) != flat(&want.Block) {
			t.Fatalf("%d results: the block's differs", n)
		}
		for i := range want.Txs {
			if flat(&ob.o.Txs[i]) != flat(&want.Txs[i]) {
				t.Fatalf("result %d of %d differs", i, n)
			}
		}
	}
}

// TestHostileOutcomes has pieces of an outcome that break the protocol, each of which has to be a fault.
func TestHostileOutcomes(t *testing.T) {
	unknown := func() *modulev1.End {
		e := &modulev1.End{Last: true}
		e.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
		return e
	}
	inner := &modulev1.TxResult{}
	inner.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	long := string(make([]byte, MaxKeyBytes+1))
	for name, pieces := range map[string][]*modulev1.End{
		"no end":              {nil},
		"unknown field":       {unknown()},
		"unknown field, deep": {{Results: []*modulev1.TxResult{inner}}},
		"own fault":           {{Fault: "sorry"}},
		"too many results":    {{Results: make([]*modulev1.TxResult, 3)}},
		"too many in the sum": {{Results: []*modulev1.TxResult{{}, {}}}, {Results: []*modulev1.TxResult{{}}}},
		"block twice":         {{Block: &modulev1.TxResult{}}, {Block: &modulev1.TxResult{}}},
		"endless pieces":      {{}, {}, {}, {}, {}},
		"write without item":  {{Results: []*modulev1.TxResult{{Writes: []*modulev1.Write{{}}}}}},
		"long key":            {{Results: []*modulev1.TxResult{{Writes: []*modulev1.Write{{Item: &modulev1.Item{Place: make([]byte, 8), Key: []byte(long)}}}}}}},
		"long module": {{Results: []*modulev1.TxResult{{Writes: []*modulev1.Write{{Item: &modulev1.Item{Place: make([]byte, 8),
			Module: make([]byte, types.MaxNameBytes+1)}}}}}}},
		"short place":           {{Results: []*modulev1.TxResult{{Writes: []*modulev1.Write{{Item: &modulev1.Item{Place: make([]byte, 7)}}}}}}},
		"deletion with a value": {{Results: []*modulev1.TxResult{{Writes: []*modulev1.Write{{Item: toItem(Item{}), Delete: true, Value: []byte{1}}}}}}},
		"short account":         {{Results: []*modulev1.TxResult{{Transfers: []*modulev1.Transfer{{FromAccount: []byte{1}}}}}}},
		"short schedule id":     {{Results: []*modulev1.TxResult{{Schedule: []*modulev1.Schedule{{Item: toItem(Item{})}}}}}},
		"short event account":   {{Results: []*modulev1.TxResult{{Events: []*modulev1.EventData{{Accounts: [][]byte{{1}}}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			ob := &outcomeBuilder{o: &Outcome{}, want: 2}
			for _, p := range pieces {
				if last, err := ob.add(p); err != nil {
					if !errors.Is(err, ErrFault) {
						t.Fatalf("%v, want a fault", err)
					}
					return
				} else if last {
					break
				}
			}
			t.Fatal("accepted")
		})
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	for _, want := range []error{ErrClosed, ErrUnknownPath, ErrBadParams, ErrReadLimit, ErrUnsupported, ErrInvalid} {
		err := fromWire(context.Background(), "op", wire.ToWire(fmt.Errorf("%w: with words", want)))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "with words") {
			t.Errorf("%v arrives as %v", want, err)
		}
	}
	// A plugin cannot say that it is at fault, nor that the caller's context has ended.
	for _, never := range []error{ErrFault, context.Canceled, context.DeadlineExceeded} {
		if err := fromWire(context.Background(), "op", wire.ToWire(fmt.Errorf("x: %w", never))); err == nil || errors.Is(err, never) {
			t.Errorf("%v arrives as %v", never, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := fromWire(ctx, "op", wire.ToWire(ErrClosed)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the caller's own context", err)
	}
}

func TestBadProducersInABlock(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(9, 1))}
	for name, key := range map[string][]byte{"empty": {}, "no key": {1}, "short": append([]byte{1}, make([]byte, 31)...), "unknown scheme": append([]byte{9}, make([]byte, 32)...)} {
		err := sendBegin(1, m.block(0), func(p *modulev1.Begin) error {
			p.Producers = append(p.Producers, key)
			var bb blockBuilder
			_, err := bb.add(p)
			return err
		})
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestForeignItemsAreForReading: an item of another module may stand in what Check reads, and nowhere in what has an effect.
func TestForeignItemsAreForReading(t *testing.T) {
	foreign := Item{Module: "oracle", Key: "v/"}
	long := Item{Module: strings.Repeat("m", types.MaxNameBytes+1)}
	me := types.AccountID{1}
	b := &Block{Clock: 5, Txs: []Tx{{Account: me, Actions: make([]types.Action, 1)}}}
	for name, r := range map[string]Result{
		"write":         {Writes: []Write{{Item: foreign, Data: []byte{1}}}},
		"delete":        {Writes: []Write{{Item: foreign}}},
		"schedule":      {Schedule: []Schedule{{Clock: 9, Item: foreign}}},
		"cancel":        {Schedule: []Schedule{{Item: foreign, Cancel: true}}},
		"from escrow":   {Transfers: []Transfer{{From: Party{Escrow: &foreign}, To: Party{Account: &me}}}},
		"to escrow":     {Transfers: []Transfer{{From: Party{Account: &me}, To: Party{Escrow: &foreign}}}},
		"a long name":   {Writes: []Write{{Item: long}}},
		"nothing wrong": {Writes: []Write{{Item: Item{Key: "v/"}}}},
	} {
		for _, o := range []*Outcome{{Txs: []Result{r}}, {Txs: make([]Result, 1), Block: r}} {
			if o.Txs[0].Transfers == nil && r.Transfers != nil && name == "to escrow" {
				continue // scheduled work takes nothing from an account anyway
			}
			if err := CheckOutcome(b, o); errors.Is(err, ErrFault) != (name != "nothing wrong") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := CheckChecks(b.Txs, []TxCheck{{Reads: []Item{foreign}}}); err != nil {
		t.Errorf("declared: %v", err)
	}
	if err := CheckChecks(b.Txs, []TxCheck{{Reads: []Item{long}}}); !errors.Is(err, ErrFault) {
		t.Errorf("declared, with a long name: %v", err)
	}
	if err := checkAnswer(&Answer{RestsOn: []Item{foreign}}); !errors.Is(err, ErrFault) {
		t.Errorf("an answer rests on it: %v", err)
	}
}

// fuzzMessage decodes hostile bytes as a message and gives it to take, which must not panic. What a decoder accepts is
// shown by re-encoding it.
func fuzzMessage[M any, P interface {
	*M
	proto.Message
}](f *testing.F, take func(t *testing.T, p P), seeds ...P) {
	for _, s := range seeds {
		b, err := proto.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := P(new(M))
		if proto.Unmarshal(b, p) == nil {
			take(t, p)
		}
	})
}

func FuzzEnd(f *testing.F) {
	m := maker{rand.New(rand.NewPCG(5, 1))}
	r, s := m.result(), m.result()
	fuzzMessage(f, func(t *testing.T, p *modulev1.End) {
		ob := &outcomeBuilder{o: &Outcome{}, want: 3}
		if _, err := ob.add(p); err != nil {
			if !errors.Is(err, ErrFault) {
				t.Fatalf("%v is no fault", err)
			}
			return
		}
		for i := range ob.o.Txs {
			again, err := fromResult(toResult(&ob.o.Txs[i]))
			if err != nil || flat(&again) != flat(&ob.o.Txs[i]) {
				t.Fatalf("a result does not survive: %v", err)
			}
		}
		b := &Block{Txs: make([]Tx, len(ob.o.Txs))}
		if err := CheckOutcome(b, ob.o); err != nil && !errors.Is(err, ErrFault) {
			t.Fatalf("%v is no fault", err)
		}
	}, &modulev1.End{Results: []*modulev1.TxResult{toResult(&r)}, Block: toResult(&s), Last: true}, &modulev1.End{Fault: "x"})
}

func FuzzBegin(f *testing.F) {
	m := maker{rand.New(rand.NewPCG(6, 1))}
	var seeds []*modulev1.Begin
	_ = sendBegin(1, m.block(3), func(p *modulev1.Begin) error { seeds = append(seeds, p); return nil })
	fuzzMessage(f, func(t *testing.T, p *modulev1.Begin) {
		var bb blockBuilder
		if _, err := bb.add(p); err != nil {
			return
		}
		var again blockBuilder
		err := sendBegin(1, bb.b, func(p *modulev1.Begin) error { _, err := again.add(p); return err })
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("a block does not survive: %v", err)
		}
		if err == nil && !reflect.DeepEqual(normal(again.b), normal(bb.b)) {
			t.Fatal("a block changes on the way")
		}
	}, seeds...)
}

func FuzzCheck(f *testing.F) {
	m := maker{rand.New(rand.NewPCG(7, 1))}
	fuzzMessage(f, func(t *testing.T, p *modulev1.TxCheck) {
		c, err := fromCheck(p)
		if err != nil {
			return
		}
		again, err := fromCheck(toCheck(&c))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("a check does not survive: %v", err)
		}
		if err := CheckChecks(make([]Tx, 1), []TxCheck{c}); err != nil && !errors.Is(err, ErrFault) {
			t.Fatalf("%v is no fault", err)
		}
	}, toCheck(&TxCheck{Reads: []Item{m.item(), {Module: "oracle", Key: "v/"}}, Facets: []Facet{{Name: "spend"}}}), toCheck(&TxCheck{Error: "ErrX"}))
}

// FuzzAsk lets a module ask for whatever it likes.
func FuzzAsk(f *testing.F) {
	m := maker{rand.New(rand.NewPCG(8, 1))}
	fuzzMessage(f, func(t *testing.T, p *modulev1.Ask) {
		asked := newMeter(&stubReader{}, 3, 100)
		err := answerAsk(context.Background(), asked, p, func(a *modulev1.Answer) error {
			if proto.Size(a) > MaxMessage {
				t.Fatalf("an answer of %d bytes", proto.Size(a))
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrFault) {
			t.Fatalf("%v is no fault", err)
		}
	}, &modulev1.Ask{Tx: 1, Items: toItems([]Item{m.item(), m.item()})}, &modulev1.Ask{Tx: 2, Items: toItems([]Item{{Module: "oracle", Key: "v/"}})}, &modulev1.Ask{Tx: blockTx, ScanStart: toItem(Item{}), ScanEnd: toItem(MaxItem()), ScanLimit: 5})
}

// stubReader answers every read with 10 bytes, or with values of size bytes.
type stubReader struct {
	size  int
	reads int
	err   error
}

func (r *stubReader) Read(_ context.Context, _ int, items []Item) ([][]byte, error) {
	r.reads++
	out := make([][]byte, len(items))
	for i := range out {
		out[i] = bytes.Repeat([]byte{1}, max(r.size, 10))
	}
	return out, r.err
}

func (r *stubReader) Scan(_ context.Context, _ int, start, _ Item, limit int) ([]Value, bool, error) {
	r.reads++
	out := make([]Value, limit)
	for i := range out {
		out[i] = Value{Item: Item{Place: start.Place, Key: fmt.Sprintf("%06d", i)}, Data: bytes.Repeat([]byte{1}, max(r.size, 10))}
	}
	return out, true, r.err
}
