package module

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadsAreCharged(t *testing.T) {
	ctx := context.Background()
	m := newMeter(&stubReader{}, 2, 10)
	if _, err := m.Read(ctx, 0, make([]Item, MaxReadsPerTx)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(ctx, 0, make([]Item, 1)); !errors.Is(err, ErrReadLimit) {
		t.Fatalf("one too many: %v", err)
	}
	if _, err := m.Read(ctx, 0, nil); !errors.Is(err, ErrReadLimit) {
		t.Fatalf("a read of nothing: %v", err)
	}
	if _, err := m.Read(ctx, 1, make([]Item, 1)); err != nil {
		t.Fatalf("another transaction: %v", err)
	}
	if _, _, err := m.Scan(ctx, 1, Item{}, MaxItem(), MaxReadsPerTx); !errors.Is(err, ErrReadLimit) {
		t.Fatalf("a scan is charged for its limit: %v", err)
	}
	if _, _, err := m.Scan(ctx, BlockTx, Item{}, MaxItem(), 10); err != nil {
		t.Fatalf("the block's budget: %v", err)
	}
	if _, err := m.Read(ctx, BlockTx, make([]Item, 1)); !errors.Is(err, ErrReadLimit) {
		t.Fatalf("the block's budget is 10: %v", err)
	}
	if err := m.verdict(nil); err != nil {
		t.Fatalf("refusals that the module took well: %v", err)
	}
	if _, err := m.Read(ctx, 1, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("a read after the call: %v", err)
	}
}

// TestReadsThatDecideTheCall has reads after which the outcome does not count, whatever the module makes of them.
func TestReadsThatDecideTheCall(t *testing.T) {
	lost := errors.New("lost")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	long := Item{Key: strings.Repeat("k", MaxKeyBytes+1)}
	for name, tc := range map[string]struct {
		read func(r Reader)
		err  error
		want error
	}{
		"transaction that there is not": {func(r Reader) { _, _ = r.Read(context.Background(), 2, nil) }, nil, ErrFault},
		"negative transaction":          {func(r Reader) { _, _ = r.Read(context.Background(), -2, nil) }, nil, ErrFault},
		"long key":                      {func(r Reader) { _, _ = r.Read(context.Background(), 0, []Item{long}) }, nil, ErrFault},
		"many items":                    {func(r Reader) { _, _ = r.Read(context.Background(), 0, make([]Item, MaxReadItems+1)) }, nil, ErrFault},
		"scan of nothing":               {func(r Reader) { _, _, _ = r.Scan(context.Background(), 0, Item{}, Item{}, 0) }, nil, ErrFault},
		"scan to a long key":            {func(r Reader) { _, _, _ = r.Scan(context.Background(), 0, Item{}, long, 1) }, nil, ErrFault},
		"reads on": {func(r Reader) {
			for range MaxReadsPerTx + MaxRefusals + 1 {
				_, _ = r.Read(context.Background(), 0, make([]Item, 1))
			}
		}, nil, ErrFault},
		"a long module": {func(r Reader) {
			_, _ = r.Read(context.Background(), 0, []Item{{Module: strings.Repeat("m", 65)}})
		}, nil, ErrFault},
		"reads on where it may not": {func(r Reader) {
			for range MaxRefusals + 1 {
				_, _ = r.Read(context.Background(), 0, make([]Item, 1))
			}
		}, ErrInvalid, ErrFault},
		"scans on in another module": {func(r Reader) {
			for range MaxRefusals + 1 {
				_, _, _ = r.Scan(context.Background(), 1, Item{Module: "oracle"}, MaxItem(), 1)
			}
		}, nil, ErrFault},
		"the state is lost": {func(r Reader) { _, _ = r.Read(context.Background(), 0, make([]Item, 1)) }, lost, lost},
		"the context ends":  {func(r Reader) { _, _ = r.Read(ended, 0, make([]Item, 1)) }, nil, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeter(&stubReader{err: tc.err}, 2, 10)
			tc.read(m)
			if err := m.verdict(nil); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
		})
	}
}

// TestRefusedForeignReads: a read that the core refuses is the module's to handle, and charged.
func TestRefusedForeignReads(t *testing.T) {
	ctx := context.Background()
	m := newMeter(&stubReader{err: fmt.Errorf("%w: not exported", ErrInvalid)}, 1, 10)
	_, err := m.Read(ctx, 0, []Item{{Module: "oracle"}})
	if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrFault) {
		t.Fatalf("%v", err)
	}
	if _, _, err := m.Scan(ctx, 0, Item{}, Item{Module: "oracle", Key: "z"}, 5); !errors.Is(err, ErrInvalid) || errors.Is(err, ErrFault) {
		t.Fatalf("scan: %v", err)
	}
	if m.used[0] != 6 {
		t.Errorf("%d reads charged", m.used[0])
	}
	if err := m.verdict(nil); err != nil {
		t.Errorf("a module that takes it well: %v", err)
	}
	if err := m.verdict(fmt.Errorf("module: %w", err)); !errors.Is(err, ErrFault) {
		t.Errorf("a module that takes it for a failure of the block: %v", err)
	}
	if err := newMeter(&stubReader{}, 1, 10).verdict(ErrInvalid); errors.Is(err, ErrFault) {
		t.Errorf("the same word where no read was refused: %v", err)
	}
	// On the other side of a connection it is the same error.
	for _, want := range []error{ErrInvalid, ErrReadLimit} {
		var answer *modulev1.Answer
		ask := &modulev1.Ask{Items: toItems([]Item{{Module: "oracle"}})}
		if err := answerAsk(ctx, &stubReader{err: want}, ask, func(a *modulev1.Answer) error { answer = a; return nil }); err != nil {
			t.Fatal(err)
		}
		a := &asker{send: func(*modulev1.Ask) error { return nil }, recv: func() (*modulev1.Answer, error) { return overTheWire(t, answer), nil }}
		if _, err := a.Read(ctx, 0, make([]Item, 1)); !errors.Is(err, want) {
			t.Errorf("%v arrives as %v", want, err)
		}
	}
}

func TestScanIsCut(t *testing.T) {
	m := newMeter(&stubReader{size: MaxValueBytes}, 1, 10)
	values, more, err := m.Scan(context.Background(), 0, Item{}, MaxItem(), MaxScan)
	if err != nil || !more || len(values) == 0 || len(values) > MaxScanBytes/MaxValueBytes {
		t.Fatalf("%d values, more %t, %v", len(values), more, err)
	}
	r := &stubReader{}
	m = newMeter(r, 1, 10)
	if values, more, err = m.Scan(context.Background(), 0, MaxItem(), Item{}, 5); err != nil || more || len(values) != 0 || r.reads != 0 {
		t.Fatalf("a range that is empty: %d values, %v, %d reads", len(values), err, r.reads)
	}
	if values, _, err = m.Scan(context.Background(), 0, Item{}, MaxItem(), 10*MaxScan); !errors.Is(err, ErrReadLimit) && len(values) > MaxScan {
		t.Fatalf("%d values, %v", len(values), err)
	}
}

// TestLargeAnswersComeInPieces reads more than a message holds.
func TestLargeAnswersComeInPieces(t *testing.T) {
	pieces, got := 0, 0
	ask := &modulev1.Ask{Tx: 0, Items: toItems(make([]Item, 100))}
	err := answerAsk(context.Background(), &stubReader{size: MaxValueBytes}, ask, func(a *modulev1.Answer) error {
		pieces++
		got += len(overTheWire(t, a).Values)
		if a.Partial == (got == 100) {
			t.Errorf("partial %t after %d of 100 values", a.Partial, got)
		}
		return nil
	})
	if err != nil || got != 100 || pieces < 5 {
		t.Fatalf("%d values in %d pieces, %v", got, pieces, err)
	}
}

func TestCompareItems(t *testing.T) {
	order := []Item{{}, {Key: "a"}, {Key: "a", Module: "m"}, {Key: "a", Module: "n"}, {Key: "ab"}, {Key: "b"}, {Place: [8]byte{0, 1}}, {Place: [8]byte{1}, Key: "a"}, MaxItem()}
	for i := range order {
		for j := range order {
			got, want := order[i].Compare(order[j]), 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got != want {
				t.Errorf("%v and %v compare as %d, want %d", order[i], order[j], got, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[string]bool{
		"ErrWindow": true, "a": true, "a.b-c_9": true, "ErrContract": true, strings.Repeat("x", MaxErrorBytes): true,
		"": false, "ok": false, "9a": false, "a b": false, "é": false, "a\n": false, ".a": false, strings.Repeat("x", MaxErrorBytes+1): false,
	} {
		if isName(s) != want {
			t.Errorf("isName(%q) is %t", s, !want)
		}
	}
}

func TestNormalise(t *testing.T) {
	r := Result{Error: "what is this", Detail: strings.Repeat("é", MaxDetailBytes), Gas: 9, Writes: make([]Write, 1), Events: make([]Event, 1)}
	r.normalise(5)
	if r.Error != ErrUnnamed || r.Gas != 5 || r.Writes != nil || r.Events != nil || len(r.Detail) > MaxDetailBytes+2 || !strings.HasPrefix(r.Detail, "what is this: ") {
		t.Fatalf("%+v", r)
	}
}
