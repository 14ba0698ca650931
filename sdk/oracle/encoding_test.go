package oracle

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func value(v Value) *Value { return &v }

func someAccount(i int) types.AccountID {
	return types.AccountID(types.Sum("test\x00", fmt.Append(nil, i)))
}

func sampleRecord() *Record {
	return &Record{
		ID: types.Sum("q\x00"), Asker: someAccount(1), Text: "Is it so?\n\tReally: é, <>&?", Sources: []string{"https://example.org/1", "a book"},
		Asked: 5, Open: 300, AnswerBy: 70_000, Deposit: 120_000_000, State: Answered, Reopened: true,
		ReopenedAt: 450,
		Answers:    []Given{{someAccount(2), TooEarly, 400, 120_000_000, false}, {someAccount(1), Yes, 500, 0, false}, {someAccount(3), No, 510, 120_000_000, true}},
		CommitAt:   520, RevealAt: 530, EndsAt: 540, Result: Invalid, Closed: 9,
	}
}

// kinds are all encodings of this package: a sample, and the decoder followed by the encoder.
func kinds() map[string]struct {
	sample []byte
	again  func([]byte) ([]byte, error)
} {
	id := types.Sum("q\x00")
	type kind = struct {
		sample []byte
		again  func([]byte) ([]byte, error)
	}
	return map[string]kind{
		"ask": {Ask{Text: "Is it so?", Sources: []string{"s"}, Open: 200, AnswerBy: 1 << 40, First: value(TooEarly)}.Encode(), func(b []byte) ([]byte, error) {
			v, err := DecodeAsk(b)
			return v.Encode(), err
		}},
		"answer":  {Answer{id, Yes}.Encode(), func(b []byte) ([]byte, error) { v, err := DecodeAnswer(b); return v.Encode(), err }},
		"counter": {Counter{id, No}.Encode(), func(b []byte) ([]byte, error) { v, err := DecodeCounter(b); return v.Encode(), err }},
		"close":   {Close{id}.Encode(), func(b []byte) ([]byte, error) { v, err := DecodeClose(b); return v.Encode(), err }},
		"ballots": {EncodeBallots([]Ballot{sampleBallot(Commit), sampleBallot(Reveal)}), func(b []byte) ([]byte, error) {
			v, err := DecodeBallots(b)
			return EncodeBallots(v), err
		}},
		"ballot": {sampleCarried().Encode(), func(b []byte) ([]byte, error) { v, err := DecodeCarried(b); return v.Encode(), err }},
		"dispute": {sampleDispute().Encode(), func(b []byte) ([]byte, error) {
			v, err := DecodeDispute(b, nil)
			if err != nil {
				return nil, err
			}
			return v.Encode(), nil
		}},
		"commits": {sampleDispute().EncodeCommits(), func(b []byte) ([]byte, error) {
			if b == nil {
				b = []byte{}
			}
			v, err := DecodeDispute(sampleDispute().Encode(), b)
			if err != nil {
				return nil, err
			}
			return v.EncodeCommits(), nil
		}},
		"record": {sampleRecord().Encode(), func(b []byte) ([]byte, error) {
			v, err := DecodeRecord(b)
			if err != nil {
				return nil, err
			}
			return v.Encode(), nil
		}},
	}
}

func TestRoundTrip(t *testing.T) {
	for name, k := range kinds() {
		got, err := k.again(k.sample)
		if err != nil || !bytes.Equal(got, k.sample) {
			t.Errorf("%s: %v\n%x\n%x", name, err, got, k.sample)
		}
		for i := range k.sample { // cut anywhere, and with a byte too much
			if _, err := k.again(k.sample[:i]); err == nil {
				t.Errorf("%s: %d of %d bytes are accepted", name, i, len(k.sample))
			}
		}
		if _, err := k.again(append(bytes.Clone(k.sample), 0)); err == nil {
			t.Errorf("%s: a byte too much is accepted", name)
		}
		other := bytes.Clone(k.sample)
		other[0] = 9
		if _, err := k.again(other); !errors.Is(err, types.ErrMalformed) || !strings.Contains(err.Error(), "format 9") {
			t.Errorf("%s: another format: %v", name, err)
		}
	}
	r, err := DecodeRecord(sampleRecord().Encode())
	if err != nil || !reflect.DeepEqual(r, sampleRecord()) {
		t.Errorf("%v\n%+v\n%+v", err, r, sampleRecord())
	}
}

// TestGolden keeps the bytes that are part of consensus from changing unnoticed.
func TestGolden(t *testing.T) {
	id := types.Sum("q\x00")
	for name, tc := range map[string][2]string{
		"ask":    {hex.EncodeToString(Ask{Text: "Is it so?", Sources: []string{"s"}, Open: 200, AnswerBy: 300, First: value(Yes)}.Encode()), "01094973206974" + "20736f3f010173c801ac0202"},
		"answer": {hex.EncodeToString(Answer{id, Yes}.Encode()), "01" + id.String() + "01"},
		"close":  {hex.EncodeToString(Close{id}.Encode()), "01" + id.String()},
		"id": {fmt.Sprintf("%x", QuestionID(types.ChainID{1}, types.AccountID{2}, "Is it so?", types.TxID{3}, 4)),
			"0d862e4c79834732ef9c3f75b8516137b2158d195ffed9de11a2c0c0bf9b00ba"},
	} {
		if tc[0] != tc[1] {
			t.Errorf("%s is %s, was %s", name, tc[0], tc[1])
		}
	}
}

func TestRefused(t *testing.T) {
	text := func(s string) []byte { return Ask{Text: s, AnswerBy: 1}.Encode() }
	id := [32]byte{1}
	rec := func(change func(*Record)) []byte {
		r := sampleRecord()
		change(r)
		return r.Encode()
	}
	for name, tc := range map[string]struct {
		body []byte
		kind string
	}{
		"no text":             {text(""), "ask"},
		"long text":           {text(strings.Repeat("x", MaxTextBytes+1)), "ask"},
		"not UTF-8":           {text("\xff"), "ask"},
		"control character":   {text("a\x1b[2J"), "ask"},
		"C1 control":          {text("a\u009bb"), "ask"},
		"delete":              {text("\x7f"), "ask"},
		"timetable backwards": {Ask{Text: "?", Open: 5, AnswerBy: 5}.Encode(), "ask"},
		"many sources":        {Ask{Text: "?", AnswerBy: 1, Sources: []string{"a", "b", "c", "d", "e"}}.Encode(), "ask"},
		"long source":         {Ask{Text: "?", AnswerBy: 1, Sources: []string{strings.Repeat("s", MaxSourceBytes+1)}}.Encode(), "ask"},
		"empty source":        {Ask{Text: "?", AnswerBy: 1, Sources: []string{""}}.Encode(), "ask"},
		"first of no value":   {Ask{Text: "?", AnswerBy: 1, First: value(4)}.Encode(), "ask"},
		"answer of no value":  {Answer{id, 4}.Encode(), "answer"},
		"counter of no value": {Counter{id, 255}.Encode(), "counter"},
		"state zero":          {rec(func(r *Record) { r.State = 0 }), "record"},
		"state unknown":       {rec(func(r *Record) { r.State = 8 }), "record"},
		"many answers":        {rec(func(r *Record) { r.Answers = make([]Given, MaxAnswers+1) }), "record"},
		"bond overflows":      {rec(func(r *Record) { r.Answers[0].Bond = math.MaxUint64/3 + 1 }), "record"},
		"escrow overflows":    {rec(func(r *Record) { r.Deposit = math.MaxUint64/3 + 1 }), "record"},
	} {
		if _, err := kinds()[tc.kind].again(tc.body); !errors.Is(err, types.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	for _, good := range []string{strings.Repeat("x", MaxTextBytes), "a\nb\tc", "日本"} {
		if _, err := DecodeAsk(text(good)); err != nil {
			t.Errorf("%.10q: %v", good, err)
		}
	}
}

// TestMutatedEncodings changes bytes of each encoding at random, thousands of times: what is accepted must encode to itself.
func TestMutatedEncodings(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 18))
	for name, k := range kinds() {
		accepted := 0
		for range 3_000 {
			b := bytes.Clone(k.sample)
			for range 1 + rnd.IntN(3) {
				switch i := rnd.IntN(len(b)); rnd.IntN(4) {
				case 0:
					b[i] ^= 1 << rnd.IntN(8)
				case 1:
					b[i] = byte(rnd.Uint32())
				case 2:
					b = append(b[:i], b[min(i+1+rnd.IntN(3), len(b)):]...)
				default:
					b = slices.Insert(b, i, b[i/2:min(i/2+1+rnd.IntN(40), len(b))]...)
				}
				if len(b) == 0 {
					b = []byte{1}
				}
			}
			got, err := k.again(b)
			if err == nil {
				accepted++
				if !bytes.Equal(got, b) {
					t.Fatalf("%s: %x decodes and encodes to %x", name, b, got)
				}
			} else if !errors.Is(err, types.ErrMalformed) {
				t.Fatalf("%s: %x: %v", name, b, err)
			}
		}
		if accepted == 0 {
			t.Errorf("%s: nothing was accepted", name)
		}
	}
}

func fuzz(f *testing.F, name string) {
	k, ok := kinds()[name]
	if !ok {
		f.Fatalf("no encoding %q", name)
	}
	f.Add(k.sample)
	f.Add(k.sample[:len(k.sample)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		got, err := k.again(b)
		if err == nil && !bytes.Equal(got, b) {
			t.Fatalf("decoded %x\n     as %x", b, got)
		}
		if err != nil && !errors.Is(err, types.ErrMalformed) {
			t.Fatal(err)
		}
		if !bytes.Equal(before, b) {
			t.Fatal("the decoder changed its input")
		}
	})
}

func FuzzDecodeAsk(f *testing.F)     { fuzz(f, "ask") }
func FuzzDecodeAnswer(f *testing.F)  { fuzz(f, "answer") }
func FuzzDecodeCounter(f *testing.F) { fuzz(f, "counter") }
func FuzzDecodeClose(f *testing.F)   { fuzz(f, "close") }
func FuzzDecodeBallots(f *testing.F) { fuzz(f, "ballots") }
func FuzzDecodeCarried(f *testing.F) { fuzz(f, "ballot") }
func FuzzDecodeDispute(f *testing.F) { fuzz(f, "dispute") }
func FuzzDecodeCommits(f *testing.F) { fuzz(f, "commits") }
func FuzzDecodeRecord(f *testing.F)  { fuzz(f, "record") }

func TestValuesAndStatesAsText(t *testing.T) {
	for v := range Value(5) {
		text, err := v.MarshalText()
		var back Value
		if v.Valid() != (err == nil) || v.Valid() && (back.UnmarshalText(text) != nil || back != v) {
			t.Errorf("value %d: %q, %v", v, text, err)
		}
	}
	for s := range State(9) {
		text, err := s.MarshalText()
		var back State
		if s.Valid() != (err == nil) || s.Valid() && (back.UnmarshalText(text) != nil || back != s) {
			t.Errorf("state %d: %q, %v", s, text, err)
		}
	}
	for _, bad := range []string{"", "yes", "MAYBE", "value(1)"} {
		if _, err := ParseValue(bad); err == nil {
			t.Errorf("value %q", bad)
		}
		if _, err := ParseState(bad); err == nil {
			t.Errorf("state %q", bad)
		}
	}
}

func someTerms() Terms {
	return Terms{TickNs: uint64(500 * time.Millisecond), Base: 100, PerDay: 10, Challenge: 5, InitiatorWindow: 4, Notice: 3, CommitWindow: 20,
		RevealWindow: 30, Turn: 2, BurnPPM: 500_000}
}

func TestTerms(t *testing.T) {
	terms := someTerms()
	if err := terms.Validate(); err != nil {
		t.Fatal(err)
	}
	const perDay = 172_800
	for _, tc := range []struct{ ahead, want uint64 }{{1, 110}, {perDay, 110}, {perDay + 1, 120}, {365 * perDay, 3750}} {
		if d, err := terms.Deposit(7, 7+tc.ahead); err != nil || d != tc.want {
			t.Errorf("deposit for %d ticks is %d, want %d, %v", tc.ahead, d, tc.want, err)
		}
	}
	for _, answerBy := range []uint64{0, 6, 7, 8 + 365*perDay, math.MaxUint64} {
		if _, err := terms.Deposit(7, answerBy); !errors.Is(err, ErrTimetable) {
			t.Errorf("answer_by %d at clock 7: %v", answerBy, err)
		}
	}
	for name, spoil := range map[string]func(*Terms){
		"no tick":            func(t *Terms) { t.TickNs = 0 },
		"long tick":          func(t *Terms) { t.TickNs = uint64(25 * time.Hour) },
		"no challenge":       func(t *Terms) { t.Challenge = 0 },
		"no window":          func(t *Terms) { t.InitiatorWindow = 0 },
		"long window":        func(t *Terms) { t.InitiatorWindow = 366 * perDay },
		"no notice":          func(t *Terms) { t.Notice = 0 },
		"no commit window":   func(t *Terms) { t.CommitWindow = 0 },
		"long reveal window": func(t *Terms) { t.RevealWindow = 366 * perDay },
		"no turn":            func(t *Terms) { t.Turn = 0 },
		"long turn":          func(t *Terms) { t.Turn = 1<<20 + 1 },
		"burns too little":   func(t *Terms) { t.BurnPPM = 499_999 },
		"burns too much":     func(t *Terms) { t.BurnPPM = 1_000_001 },
		"large base":         func(t *Terms) { t.Base = math.MaxUint64 },
		"large per_day":      func(t *Terms) { t.PerDay = math.MaxUint64 / 300 },
		"large together":     func(t *Terms) { t.Base, t.PerDay = math.MaxUint64/4, math.MaxUint64/8/365 },
	} {
		bad := someTerms()
		if spoil(&bad); bad.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, tc := range []struct {
		d    time.Duration
		want uint64
	}{{0, 1}, {1, 1}, {500 * time.Millisecond, 1}, {500*time.Millisecond + 1, 2}, {24 * time.Hour, perDay}} {
		if got := Ticks(tc.d, 500*time.Millisecond); got != tc.want {
			t.Errorf("%s is %d ticks, want %d", tc.d, got, tc.want)
		}
	}
}

func TestClocksDoNotWrap(t *testing.T) {
	terms := Terms{TickNs: 1, Challenge: 5, InitiatorWindow: 4}
	r := &Record{Open: math.MaxUint64 - 1, AnswerBy: math.MaxUint64, State: Open}
	if terms.AskerUntil(r) != math.MaxUint64 || terms.ExpiresAt(r) != math.MaxUint64 {
		t.Fatalf("%d, %d", terms.AskerUntil(r), terms.ExpiresAt(r))
	}
	r = &Record{State: Answered, Answers: []Given{{Clock: math.MaxUint64 - 1}}}
	if at, ok := terms.Due(r); !ok || at != math.MaxUint64 {
		t.Fatalf("%d, %t", at, ok)
	}
}

func TestEscrowByState(t *testing.T) {
	r := sampleRecord()
	answered := []Given{{Bond: 5}, {Bond: 7}}
	for s, want := range map[State]uint64{Open: r.Deposit, Answered: r.Deposit + 7, Countered: r.Deposit + 10, Commit: r.Deposit + 10,
		Reveal: r.Deposit + 10, Final: 0, Expired: 0} {
		r.State, r.Answers = s, answered
		if s.Disputed() {
			r.Answers = append(answered[:2:2], Given{Bond: 3, Counter: true})
		}
		if got := r.Escrow(); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
}

func TestViewAsJSON(t *testing.T) {
	r := sampleRecord()
	r.Sources, r.State, r.Result = nil, Final, Yes
	b, err := json.Marshal(NewView(Terms{TickNs: 1, Challenge: 1, InitiatorWindow: 1}, r))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"state":"FINAL"`, `"deposit":"120000000"`, `"sources":[]`, `"result":"YES"`, `"value":"TOO_EARLY"`, `"escrow":"0"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	for _, want := range []error{ErrClosed, ErrNoBelief, ErrInvalid} {
		if err := wire.FromWire(wire.ToWire(fmt.Errorf("%w: why", want))); !errors.Is(err, want) || !strings.Contains(err.Error(), "why") {
			t.Errorf("%v arrives as %v", want, err)
		}
	}
}

func TestQuestionsAreCheckedBeforeTheyAreSent(t *testing.T) {
	for name, q := range map[string]Question{
		"no text": {}, "long text": {Text: strings.Repeat("x", MaxTextBytes+1)}, "not UTF-8": {Text: "\xff"},
		"many sources": {Text: "?", Sources: make([]string, MaxSources+1)}, "long source": {Text: "?", Sources: []string{strings.Repeat("x", MaxSourceBytes+1)}},
	} {
		if _, err := NewClient(nil, 1).Observe(context.Background(), q); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
