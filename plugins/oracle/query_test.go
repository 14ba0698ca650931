package prophecy

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (w *world) query(path string, into any) []module.Item {
	w.t.Helper()
	a, err := module.Guard(w.o).Query(w.t.Context(), module.Query{Path: path}, w.Reader())
	if err != nil {
		w.t.Fatalf("query %q: %v", path, err)
	}
	if err := json.Unmarshal(a.JSON, into); err != nil {
		w.t.Fatalf("query %q: %v", path, err)
	}
	return a.RestsOn
}

func TestQueryQuestion(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is 1 < 2 & 2 > 1?", AnswerBy: 34, First: first(oracle.Yes)})
	var v oracle.View
	rests := w.query(oracle.PathQuestion+types.Hash(id).String(), &v)
	if v.ID != id || v.State != oracle.Answered || v.DueAt != 15 || v.AskerUntil != 14 || v.Escrow != 110 || v.Result != nil ||
		len(v.Answers) != 1 || v.Answers[0].Value != oracle.Yes || v.Text != "Is 1 < 2 & 2 > 1?" || v.Sources == nil {
		t.Fatalf("%+v", v)
	}
	if len(rests) != 1 || rests[0] != oracle.Item(id) {
		t.Fatalf("rests on %v", rests)
	}
	w.at(15)
	v = oracle.View{}
	w.query(oracle.PathQuestion+types.Hash(id).String(), &v)
	if v.State != oracle.Final || v.Result == nil || *v.Result != oracle.Yes || v.ClosedAt != 15 || v.DueAt != 0 || v.Escrow != 0 {
		t.Fatalf("%+v", v)
	}
	var terms oracle.Terms
	w.query(oracle.PathTerms, &terms)
	if terms != small() {
		t.Fatalf("%+v", terms)
	}
}

func TestQueryErrors(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]error{
		"question/" + types.Hash{1}.String(): module.ErrUnknownPath,
		"question/":                          module.ErrInvalid,
		"question/xyz":                       module.ErrInvalid,
		"questions/":                         module.ErrUnknownPath,
		"questions?limit=0":                  module.ErrInvalid,
		"questions?limit=101":                module.ErrInvalid,
		"questions?limit=1&limit=2":          module.ErrInvalid,
		"questions?state=open":               module.ErrInvalid,
		"questions?after=00":                 module.ErrInvalid,
		"questions?frm=1":                    module.ErrInvalid,
		"questions?a=%zz":                    module.ErrInvalid,
		"terms?x=1":                          module.ErrUnknownPath,
	} {
		if _, err := w.o.Query(t.Context(), module.Query{Path: path}, w.Reader()); !errors.Is(err, want) {
			t.Errorf("query %q: %v, want %v", path, err, want)
		}
	}
}

// TestQueryPages walks lists of several sizes and states, and wants every question once, in order.
func TestQueryPages(t *testing.T) {
	w := newWorld(t)
	const n = 300
	for i := range n {
		a := oracle.Ask{Text: fmt.Sprintf("Is %d prime?", i), AnswerBy: 34}
		if i%3 == 0 {
			a.First = first(oracle.Yes)
		}
		w.ask(10, a)
	}
	for _, tc := range []struct {
		args string
		want int
	}{{"", n}, {"limit=100", n}, {"limit=7", n}, {"state=ANSWERED", n / 3}, {"state=ANSWERED&limit=1", n / 3}, {"state=OPEN&limit=99", n - n/3}, {"state=FINAL", 0}} {
		var seen []types.Hash
		path := oracle.PathQuestions + "?" + tc.args
		for pages := 0; path != ""; pages++ {
			var p oracle.Page
			rests := w.query(path, &p)
			if len(rests) != len(p.Questions) || p.Questions == nil {
				t.Fatalf("%q: %d questions rest on %d items", path, len(p.Questions), len(rests))
			}
			for _, v := range p.Questions {
				seen = append(seen, v.ID)
			}
			if path = ""; p.Next != nil {
				path = oracle.PathQuestions + "?" + tc.args + "&after=" + p.Next.String()
			}
			if pages > n+1 {
				t.Fatalf("%q has no end", tc.args)
			}
		}
		if len(seen) != tc.want {
			t.Errorf("%q: %d questions, want %d", tc.args, len(seen), tc.want)
		}
		for i := 1; i < len(seen); i++ {
			if seen[i-1].String() >= seen[i].String() {
				t.Fatalf("%q: %s comes before %s", tc.args, seen[i-1].Short(), seen[i].Short())
			}
		}
	}
}
