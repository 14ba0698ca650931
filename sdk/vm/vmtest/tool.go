package vmtest

import (
	"errors"
	"io"
	"regexp"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func toolCases() []Case {
	return []Case{
		{"syntax-error", "an error without a place is a search through the file", func(t T, f Factory) {
			o := open(t, f)
			_, err := o.Compile(t.Context(), vm.Source{Text: f.Wrong, File: "dir/contract.src"})
			if !errors.Is(err, vm.ErrSyntax) {
				t.Fatalf("compile a wrong source: %v, want ErrSyntax", err)
			}
			if !regexp.MustCompile(`dir/contract\.src:[0-9]+:[0-9]+: `).MatchString(err.Error()) {
				t.Fatalf("compile a wrong source: %v; the text lacks file:line:column", err)
			}
		}},
		{"unknown-dialect", "code of another language than was meant", func(t T, f Factory) {
			o := open(t, f)
			if _, err := o.Compile(t.Context(), vm.Source{Text: f.Pays, Dialect: "no such dialect"}); err == nil {
				t.Fatalf("compile takes a dialect that there is not")
			}
		}},
		{"source-map", "an error at run time that nobody finds in the source", func(t T, f Factory) {
			o := open(t, f)
			c, err := o.Compile(t.Context(), vm.Source{Text: f.Echoes})
			if err != nil {
				t.Fatalf("compile: %v", err)
			}
			for i, e := range c.Map {
				if i > 0 && e.PC <= c.Map[i-1].PC || int(e.PC) > len(c.Code) || e.Line == 0 || e.Column == 0 {
					t.Fatalf("entry %d of the source map of %d bytes: %+v after %+v", i, len(c.Code), e, c.Map[max(i-1, 0)])
				}
			}
			if len(c.Map) == 0 {
				t.Logf("this VM makes no source maps")
			}
		}},
		{"info", "nodes with different schedules of gas on one chain", func(t T, f Factory) {
			o := open(t, f)
			a, err := o.Info(t.Context())
			if err != nil {
				t.Fatalf("info: %v", err)
			}
			b, err := open(t, f).Info(t.Context())
			if err != nil || a.GasTableHash != b.GasTableHash || a.GasVersion != b.GasVersion {
				t.Fatalf("info of two instances: %+v and %+v, %v", a, b, err)
			}
			if len(a.Dialects) == 0 {
				t.Fatalf("info names no dialect")
			}
		}},
		{"session", "a session that hangs, or that forgets what was said", func(t T, f Factory) {
			o := open(t, f)
			var outs []vm.Output
			inputs := []string{f.Evidence(7), f.Wrong, f.Evidence(8)}
			err := o.Interact(t.Context(), vm.Session{GasLimit: plenty}, func(out vm.Output) (vm.Input, error) {
				if outs = append(outs, out); len(outs) > len(inputs) {
					return vm.Input{}, io.EOF
				}
				return vm.Input{File: "input", Text: inputs[len(outs)-1]}, nil
			})
			if errors.Is(err, vm.ErrUnsupported) {
				t.Logf("this VM has no sessions")
				return
			}
			if err != nil || len(outs) != 4 {
				t.Fatalf("a session of three inputs ends after %d with %v", len(outs)-1, err)
			}
			if !slices.Equal(outs[1].Stack, []string{"7"}) || outs[1].Error != "" {
				t.Fatalf("after %q: %+v", inputs[0], outs[1])
			}
			if outs[2].Error == "" || len(outs[2].Stack) != 0 {
				t.Fatalf("after an error: %+v, want it named and the stack empty", outs[2])
			}
			if !slices.Equal(outs[3].Stack, []string{"8"}) || outs[3].Error != "" {
				t.Fatalf("after an error and %q: %+v", inputs[2], outs[3])
			}
		}},
		{"session-stops", "a session that goes on when nobody listens", func(t T, f Factory) {
			o := open(t, f)
			enough := errors.New("enough")
			err := o.Interact(t.Context(), vm.Session{GasLimit: plenty}, func(vm.Output) (vm.Input, error) { return vm.Input{}, enough })
			if !errors.Is(err, enough) && !errors.Is(err, vm.ErrUnsupported) {
				t.Fatalf("a session that is left: %v", err)
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
