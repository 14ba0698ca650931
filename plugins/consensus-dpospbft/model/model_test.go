package model_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/model"
)

var (
	slots  = flag.Int("model.slots", 0, "search the full rules over this many slots instead of the default bounds")
	blocks = flag.Int("model.blocks", 1, "blocks in each slot, with -model.slots")
)

// bounds of a search of the full rules.
func bounds(t *testing.T, usual ...model.Bounds) []model.Bounds {
	t.Helper()
	switch {
	case *slots > 0:
		return []model.Bounds{{Slots: *slots, Blocks: *blocks}}
	case raceEnabled: // nothing is concurrent
		return []model.Bounds{{Slots: 2, Blocks: 2}, {Slots: 3, Blocks: 1}}
	}
	return usual
}

func explore(t *testing.T, m model.Model, b model.Bounds) *model.Report {
	t.Helper()
	start := time.Now()
	r, err := m.Explore(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d slots x %d blocks, %d byzantine: %d trees, %d states, %d transitions, largest tree %d states, depth %d, %d conflicts judged, %v",
		b.Slots, b.Blocks, m.Byzantine, r.Trees, r.States, r.Transitions, r.Largest, r.Depth, r.Conflicts, time.Since(start).Round(time.Millisecond)) // the time is for the reader, nothing is judged by it
	return r
}

// TestFullRules searches the rules as they are: nothing may be found.
func TestFullRules(t *testing.T) {
	for _, c := range []struct {
		name   string
		model  model.Model
		bounds []model.Bounds
	}{
		{"no conflict with one byzantine", model.Model{Byzantine: 1, Goal: model.Conflict}, []model.Bounds{{Slots: 3, Blocks: 2}, {Slots: 4, Blocks: 1}}},
		{"no honest seat accused whatever is certified", model.Model{Byzantine: 3, Goal: model.Accused},
			[]model.Bounds{{Slots: 3, Blocks: 2}, {Slots: 5, Blocks: 1}}},
		{"two byzantine: a conflict exposes both", model.Model{Byzantine: 2, Goal: model.Unaccounted},
			[]model.Bounds{{Slots: 3, Blocks: 2}, {Slots: 4, Blocks: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, b := range bounds(t, c.bounds...) {
				r := explore(t, c.model, b)
				if r.Run != nil {
					t.Errorf("found in %s: %s", r.Tree, r.Run.Format(r.Tree))
				}
				if c.model.Goal == model.Unaccounted && r.Conflicts == 0 {
					t.Error("no conflict was judged")
				}
			}
		})
	}
}

// weakened are the rows of the design's table of shortest counterexamples. In its trees a block's justify is genesis where a step
// comes before its parent is certified.
var weakened = []struct {
	name      string
	rules     model.Rules
	byzantine int
	goal      model.Goal
	bounds    model.Bounds
	tree, run string
	refused   string // the first step that the full rules refuse
	accused   []int  // honest seats that the run leaves accused
	culprits  int    // byzantine seats that it cannot but expose
}{
	{"no R2", model.Rules{NoR2: true}, 1, model.Conflict, model.Bounds{Slots: 2, Blocks: 2},
		"b1(G) b2(G)", "H1P1 H1P2 H2P1 H2C1 H2P2 H1C2 H2C2 H3C1", "H2P2", []int{2}, 1},
	{"no R4", model.Rules{NoR4: true}, 1, model.Conflict, model.Bounds{Slots: 2, Blocks: 2},
		"b1(G) b2(G)", "H1P1 H1P2 H2P1 H1C1 H2C1 H3P2 H1C2 H2C2", "H1C1", []int{1}, 1},
	{"R4 without forkSlot", model.Rules{NoForkSlot: true}, 1, model.Conflict, model.Bounds{Slots: 4, Blocks: 1},
		"b1(G) b2(G) b3(1,G)", "H1P1 H1P2 H1P3 H2P1 H1C1 H2C1 H3P2 H2C2 H3C2", "H1C1", []int{1}, 1},
	{"no R3, lock := b", model.Rules{NoR3: true}, 1, model.Conflict, model.Bounds{Slots: 4, Blocks: 1},
		"b1(G) b2(G) b3(1,G)", "H1P1 H1P2 H1P3 H2P1 H2P2 H2C2 H3C2 H3C1 H3P3 H1C3 H2C3", "H3C1", []int{3}, 1},
	{"src unchecked", model.Rules{AnySrc: true}, 2, model.Unaccounted, model.Bounds{Slots: 3, Blocks: 1},
		"b1(G) b2(G)", "H1P1 H2C1 H1P2 H2C2", "", nil, 0},
	{"justify not an ancestor", model.Rules{AnyJustify: true}, 1, model.Conflict, model.Bounds{Slots: 4, Blocks: 1},
		"b1(G) b2(1,G) b3(G,2)", "H1P1 H1P2 H2P1 H1C1 H2C1 H2P2 H1P3 H2P3 H1C3 H2C3", "H1P3", nil, 0},
}

func parse(t *testing.T, tree, run string) (*model.Tree, model.Run) {
	t.Helper()
	tr, err := model.ParseTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	r, err := model.ParseRun(tr, run)
	if err != nil {
		t.Fatal(err)
	}
	if tr.String() != tree || r.Format(tr) != run {
		t.Fatalf("%s: %s is read as %s: %s", tree, run, tr, r.Format(tr))
	}
	return tr, r
}

// TestWeakened lets the search find what each rule is for, in no more steps than the known run has.
func TestWeakened(t *testing.T) {
	for _, c := range weakened {
		t.Run(c.name, func(t *testing.T) {
			m := model.Model{Rules: c.rules, Byzantine: c.byzantine, Goal: c.goal}
			r := explore(t, m, c.bounds)
			if r.Run == nil {
				t.Fatal("nothing found")
			}
			t.Logf("%s: %s", r.Tree, r.Run.Format(r.Tree))
			if _, known := parse(t, c.tree, c.run); len(r.Run) > len(known) {
				t.Errorf("%d steps, but %d suffice: %s", len(r.Run), len(known), c.run)
			}
			out, err := m.Replay(r.Tree, r.Run)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := r.Tree.Conflict(out.Final); a == b {
				t.Error("the run found ends without a conflict")
			}
			if _, err := (model.Model{Byzantine: c.byzantine}).Replay(r.Tree, r.Run); c.refused != "" && !errors.Is(err, model.ErrRefused) {
				t.Errorf("with all rules the run found gives %v, want a step refused", err)
			}
		})
	}
}

// TestTable plays the known runs step by step: without the rule into the conflict, with all rules into a refusal. Those of
// src are possible with all rules too, since two Byzantine seats are more than f; but then both are exposed.
func TestTable(t *testing.T) {
	for _, c := range weakened {
		t.Run(c.name, func(t *testing.T) {
			tr, run := parse(t, c.tree, c.run)
			out, err := model.Model{Rules: c.rules, Byzantine: c.byzantine}.Replay(tr, run)
			if err != nil {
				t.Fatal(err)
			}
			a, b := tr.Conflict(out.Final)
			if a == b {
				t.Error("no conflict")
			}
			t.Logf("b%s and b%s are final; honest seats accused: %v; byzantine seats exposed at least: %d", tr.Name(a), tr.Name(b), out.Accused, out.Culprits)
			if !slices.Equal(out.Accused, c.accused) || out.Culprits != c.culprits {
				t.Errorf("accuses %v and exposes %d, want %v and %d", out.Accused, out.Culprits, c.accused, c.culprits)
			}
			out, err = model.Model{Byzantine: c.byzantine}.Replay(tr, run)
			if c.refused == "" {
				if err != nil || out.Culprits != 2*model.Quorum-model.Seats || out.Accused != nil {
					t.Errorf("with all rules: %+v, %v", out, err)
				}
				return
			}
			if !errors.Is(err, model.ErrRefused) || !strings.HasPrefix(err.Error(), c.refused+":") {
				t.Errorf("with all rules the run gives %v, want %s refused", err, c.refused)
			}
			if errors.Is(err, model.ErrInvalid) != c.rules.AnyJustify {
				t.Errorf("refused for the wrong reason: %v", err)
			}
			for i := range run[:len(run)-1] { // the last step is needed
				out, err := model.Model{Rules: c.rules, Byzantine: c.byzantine}.Replay(tr, run[:i])
				if err != nil {
					t.Fatal(err)
				}
				if a, b := tr.Conflict(out.Final); a != b {
					t.Errorf("a conflict after %d steps", i)
				}
			}
		})
	}
}

// TestAccusedBites shows that the search for accused honest seats can find some: one seat's votes without a rule.
func TestAccusedBites(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules model.Rules
		steps int
	}{
		{"no R2", model.Rules{NoR2: true}, 2},
		{"no R4", model.Rules{NoR4: true}, 2},
		{"R4 without forkSlot", model.Rules{NoForkSlot: true}, 3},
		{"no R3", model.Rules{NoR3: true}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := model.Model{Rules: c.rules, Byzantine: 3, Goal: model.Accused}
			r := explore(t, m, model.Bounds{Slots: 3, Blocks: 1})
			if len(r.Run) != c.steps {
				t.Fatalf("found %v, want %d steps", r.Run, c.steps)
			}
			t.Logf("%s: %s", r.Tree, r.Run.Format(r.Tree))
			out, err := m.Replay(r.Tree, r.Run)
			if err != nil || !slices.Equal(out.Accused, []int{1}) {
				t.Errorf("played again: %+v, %v", out, err)
			}
		})
	}
}

// TestRefused names the steps that are refused for what they lack.
func TestRefused(t *testing.T) {
	usual, two := model.Model{Byzantine: 1}, model.Model{Byzantine: 2}
	for _, c := range []struct {
		name, tree, run, refused string
		model                    model.Model
	}{
		{"R1: same slot", "b1a(G) b1b(G)", "H1P1a H1P1b", "H1P1b", usual},
		{"R1: older", "b1(G) b2(G)", "H1P2 H1P1", "H1P1", usual},
		{"prepare without the certificate of justify", "b1(G) b2(1)", "H1P1 H1P2", "H1P2", usual},
		{"commit without a certificate", "b1(G)", "H1P1 H1C1", "H1C1", usual},
		{"commit twice", "b1(G)", "H1P1 H2P1 H1C1 H1C1", "H1C1", usual},
		{"commit without own prepare", "b1(G)", "H1P1 H2P1 H3C1", "", usual},
		{"R2: justify above the lock", "b1(G) b2(G) b3(2)", "H1P1 H2P1 H3C1 H1P2 H2P2 H3P3", "", usual},
		{"R2: lock of another branch", "b1(G) b2(G) b3(2,G)", "H1P1 H2P1 H3C1 H1P2 H2P2 H3P3", "H3P3", usual},
		{"R2: justify in the lock's slot", "b1a(G) b1b(G) b2(1b)", "H1P1a H2P1b H1C1a H1P2", "H1P2", two},
		{"R3: older than the lock", "b1(G) b2(1,G)", "H1P1 H2P1 H1P2 H2P2 H1C2 H1C1", "H1C1", usual},
		{"R4: later prepare on top", "b1(G) b2(1,G)", "H1P1 H2P1 H1P2 H1C1", "", usual},
		{"R4: later prepare elsewhere", "b1(G) b2(G)", "H1P1 H2P1 H1P2 H1C1", "H1C1", usual},
		{"R4: fork before the block", "b1(G) b2(G) b3(2,G)", "H1P1 H1P2 H2P2 H1P3 H1C2", "", usual},
		{"R4: fork in the block's slot", "b1a(G) b1b(G) b2(1a,G)", "H1P1b H1P2 H2P1a H3P1a H1C1a", "", usual},
		{"fourth honest seat", "b1(G)", "H4P1", "", usual},
		{"justify older than the parent's", "b1(G) b2(1) b3(2,G)", "H1P3", "H1P3", usual},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := model.ParseTree(c.tree)
			if err != nil {
				t.Fatal(err)
			}
			run, err := model.ParseRun(tr, c.run)
			if c.run == "H4P1" {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.model.Replay(tr, run)
			if c.refused == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, model.ErrRefused) || !strings.HasPrefix(err.Error(), c.refused+":") {
				t.Errorf("got %v, want %s refused", err, c.refused)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	for _, text := range []string{"b1", "b1(X)", "b1(G,2)", "bx(G)", "b2(G) b1(G)", "b1(G) b1(1)", strings.Repeat("b1(G) ", 16)} {
		if tr, err := model.ParseTree(text); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%q is read as %v, %v", text, tr, err)
		}
	}
	tr, _ := parse(t, "b1(G)", "H1P1")
	for _, text := range []string{"H1", "H1P", "H1P2", "H1PG", "H0P1", "H1X1", "X1P1"} {
		if _, err := model.ParseRun(tr, text); err == nil {
			t.Errorf("run %q accepted", text)
		}
	}
	for _, byzantine := range []int{0, 4} {
		m := model.Model{Byzantine: byzantine}
		if _, err := m.Explore(model.Bounds{Slots: 1, Blocks: 1}); err == nil {
			t.Errorf("search with %d byzantine seats", byzantine)
		}
		if _, err := m.Replay(tr, nil); err == nil {
			t.Errorf("replay with %d byzantine seats", byzantine)
		}
	}
	for _, b := range []model.Bounds{{}, {Slots: 1}, {Slots: 4, Blocks: 4}} {
		if _, err := (model.Model{Byzantine: 1}).Explore(b); err == nil {
			t.Errorf("search with bounds %v", b)
		}
	}
}

func ExampleModel_Explore() {
	m := model.Model{Rules: model.Rules{NoForkSlot: true}, Byzantine: 1, Goal: model.Conflict}
	r, err := m.Explore(model.Bounds{Slots: 3, Blocks: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Tree)
	fmt.Println(r.Run.Format(r.Tree))
	// Output:
	// b1(G) b2(G) b3(1,G)
	// H1P1 H2P1 H3C1 H1P2 H2P2 H3C2 H1C2 H2P3 H2C1
}
