package vmtest

import (
	"errors"
	"regexp"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func toolCases() []Case {
	return []Case{
		{"syntax-error", "an error without a place is a search through the file", func(t T, f Factory) {
			o := open(t, f)
			_, _, err := o.Compile(t.Context(), vm.Source{Text: f.Wrong, File: "dir/contract.src"})
			if !errors.Is(err, vm.ErrSyntax) {
				t.Fatalf("compile a wrong source: %v, want ErrSyntax", err)
			}
			if !regexp.MustCompile(`dir/contract\.src:[0-9]+:[0-9]+: `).MatchString(err.Error()) {
				t.Fatalf("compile a wrong source: %v; the text lacks file:line:column", err)
			}
		}},
		{"unknown-dialect", "code of another language than was meant", func(t T, f Factory) {
			o := open(t, f)
			if _, _, err := o.Compile(t.Context(), vm.Source{Text: f.Pays, Dialect: "no such dialect"}); err == nil {
				t.Fatalf("compile takes a dialect that there is not")
			}
		}},
		{"disassemble", "people sign what they can read", func(t T, f Factory) {
			o := open(t, f)
			text, err := o.Disassemble(t.Context(), o.code(f.Pays))
			if err != nil || text == "" {
				t.Fatalf("disassemble: %q, %v", text, err)
			}
			if _, err := o.Disassemble(t.Context(), f.Garbage); !errors.Is(err, vm.ErrInvalid) {
				t.Fatalf("disassemble garbage: %v, want ErrInvalid", err)
			}
		}},
		{"trace", "a trace that shows another run than the chain's misleads", func(t T, f Factory) {
			o := open(t, f)
			for what, run := range map[string]vm.Run{
				"a run that succeeds": {Code: o.code(f.Echoes), Evidence: o.evidence(4), GasLimit: plenty},
				"a run that fails":    {Code: o.code(f.Echoes), GasLimit: plenty}, "garbage": {Code: f.Garbage, GasLimit: plenty},
			} {
				var last *vm.Result
				steps := 0
				err := o.Trace(t.Context(), nil, run, func(s vm.Step) error {
					if last != nil {
						t.Errorf("%s: a step after the one with the result", what)
					}
					steps++
					last = s.Result
					return nil
				})
				if err != nil || last == nil {
					t.Fatalf("%s: trace ends after %d steps with %v, result %v", what, steps, err, last)
				}
				if r := o.run(run)[0]; !same(r, *last) {
					t.Fatalf("%s: trace: %+v, run: %+v", what, *last, r)
				}
			}
		}},
		{"trace-stops", "an endless program is looked at in its beginning", func(t T, f Factory) {
			o := open(t, f)
			enough, steps := errors.New("enough"), 0
			err := o.Trace(t.Context(), nil, vm.Run{Code: o.code(f.Loops), GasLimit: plenty}, func(vm.Step) error {
				if steps++; steps == 3 {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) || steps != 3 {
				t.Fatalf("%d steps, then %v; want to stop at the third", steps, err)
			}
		}},
	}
}
