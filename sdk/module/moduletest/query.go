package moduletest

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func queryCases() []Case {
	return []Case{
		{"queries-are-answered", "the API passes on what a module answers", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(QuerySeed, 5))
			before := c.State()
			for _, p := range f.Paths {
				var last string
				for range 2 {
					a, err := o.Query(t.Context(), module.Query{Path: p, Clock: Clock, Height: c.Height}, c.Reader())
					if err != nil {
						t.Fatalf("query %q: %v", p, err)
					}
					if !json.Valid(a.JSON) || len(a.JSON) > module.MaxAnswerBytes || len(a.RestsOn) > module.MaxRestsOn {
						t.Fatalf("query %q: %.200q, which rests on %d items", p, a.JSON, len(a.RestsOn))
					}
					if last != "" && last != string(a.JSON) {
						t.Fatalf("query %q: %.200q, and then %.200q", p, last, a.JSON)
					}
					last = string(a.JSON)
				}
			}
			if c.State() != before {
				t.Fatalf("a query changes the state")
			}
		}},
		{"unknown-paths-are-named", "the API answers 'not found'", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for _, p := range []string{"", "no/such/path", "\x00", strings.Repeat("x", 4096), "/", "?"} {
				if _, err := o.Query(t.Context(), module.Query{Path: p}, o.core().Reader()); !errors.Is(err, module.ErrUnknownPath) {
					t.Fatalf("query %.20q: %v, want ErrUnknownPath", p, err)
				}
			}
		}},
		{"hostile-queries-do-no-harm", "anybody can ask anything", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			for _, p := range f.Paths {
				for _, q := range []string{p + "/", p + "?", p + "?a=b&&=%zz;", p[:len(p)/2], p + p, strings.ToUpper(p), p + "?limit=-1", p + "\x00", p + "\xff"} {
					a, err := o.Query(t.Context(), module.Query{Path: q, Argument: []byte{0xff, 0}, Clock: ^uint64(0), Height: ^uint64(0)}, c.Reader())
					if errors.Is(err, errPanic) || isPanic(err) {
						t.Fatalf("query %q: %v", q, err)
					}
					if err == nil && !json.Valid(a.JSON) {
						t.Fatalf("query %q: %.200q is not JSON", q, a.JSON)
					}
				}
			}
		}},
		{"strangers-see-what-anybody-sees", "who asks is shown by a signature, and a key costs nothing", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(QuerySeed, 5))
			for _, p := range f.Paths {
				anybody := o.ask(c, p, nil)
				for i := range byte(3) {
					stranger := types.AccountID(types.Sum("moduletest/stranger\x00", []byte{i}))
					if got := o.ask(c, p, &stranger); got != anybody {
						t.Fatalf("query %q: a stranger is told %.200q, anybody %.200q", p, got, anybody)
					}
				}
			}
		}},
		{"rights-are-seen", "an account could not see what is its own", func(t T, f Factory) {
			if len(f.Private) == 0 {
				t.Skipf("the module tells everybody the same")
			}
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(QuerySeed, 5))
			for p, owner := range f.Private {
				if anybody := o.ask(c, p, nil); o.ask(c, p, &owner) == anybody {
					t.Errorf("query %q: %s is told no more than anybody, %.200q", p, owner, anybody)
				}
			}
		}},
	}
}

// ask is a query that has to be answered.
func (o *opened) ask(c *Core, path string, caller *types.AccountID) string {
	o.t.Helper()
	a, err := o.Query(o.t.Context(), module.Query{Path: path, Clock: Clock, Height: c.Height, Caller: caller}, c.Reader())
	if err != nil {
		o.t.Fatalf("query %q: %v", path, err)
	}
	return string(a.JSON)
}
