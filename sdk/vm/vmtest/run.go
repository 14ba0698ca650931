package vmtest

import (
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func runCases() []Case {
	return []Case{
		{"result", "burn, pay and nonce are what a contract is for", func(t T, f Factory) {
			o := open(t, f)
			r := o.run(vm.Run{Code: o.code(f.Pays), GasLimit: plenty})[0]
			o.wantStack("the program that pays", r, 0, 100, 1)
			if r.Gas == 0 {
				t.Fatalf("it costs no gas")
			}
		}},
		{"deterministic", "two nodes that execute a block differently are two chains", func(t T, f Factory) {
			a, b := open(t, f), open(t, f)
			var runs []vm.Run
			for i := range int64(40) {
				runs = append(runs, vm.Run{Code: a.code(f.Echoes), Evidence: a.evidence(i), GasLimit: plenty},
					vm.Run{Code: a.code(f.Pays), GasLimit: plenty}, vm.Run{Code: a.code(f.Loops), GasLimit: 2000})
			}
			want := a.run(runs...)
			check := func(what string, got []vm.Result) {
				for i := range got {
					if !same(got[i], want[i]) {
						t.Errorf("%s: run %d: %+v, at first it was %+v", what, i, got[i], want[i])
						return
					}
				}
			}
			check("again", a.run(runs...))
			check("another instance", b.run(runs...))
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					got, err := a.RunBatch(t.Context(), vm.Batch{Runs: runs})
					if err != nil || len(got) != len(want) {
						t.Errorf("concurrently: %d results, %v", len(got), err)
						return
					}
					check("concurrently", got)
				})
			}
			all.Wait()
		}},
		{"order", "a result of another run moves the money of the wrong people", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Echoes)
			var runs []vm.Run
			for i := range int64(100) {
				runs = append(runs, vm.Run{Code: code, Evidence: o.evidence(i * 7), GasLimit: plenty})
			}
			for i, r := range o.run(runs...) {
				if r.Status != vm.OK || len(r.Stack) != 3 || r.Stack[1] != int64(i)*7 {
					t.Fatalf("run %d: status %d (%s), results %v", i, r.Status, r.Error, r.Stack)
				}
			}
		}},
		{"empty-batch", "a block may have no contracts", func(t T, f Factory) {
			o := open(t, f)
			got, err := o.RunBatch(t.Context(), vm.Batch{})
			if err != nil || len(got) != 0 {
				t.Fatalf("an empty batch: %d results, %v", len(got), err)
			}
		}},
		{"large-batch", "a block's contracts need not fit a message", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Echoes)
			evidence := make([][]byte, 50)
			for i := range evidence {
				evidence[i] = o.evidence(int64(i))
			}
			pad := map[string][]byte{"pad": make([]byte, 4<<10)}
			runs := make([]vm.Run, plugin.MaxMessage/len(pad["pad"])+1000)
			for i := range runs {
				runs[i] = vm.Run{Code: code, Evidence: evidence[i%len(evidence)], Environment: pad, GasLimit: plenty}
			}
			got, err := o.RunBatch(t.Context(), vm.Batch{Runs: runs})
			if err != nil || len(got) != len(runs) {
				t.Fatalf("%d results for %d runs, %v", len(got), len(runs), err)
			}
			for i, r := range got {
				if r.Status != vm.OK || len(r.Stack) != 3 || r.Stack[1] != int64(i%len(evidence)) {
					t.Fatalf("run %d of %d: status %d (%s), results %v", i, len(runs), r.Status, r.Error, r.Stack)
				}
			}
		}},
		{"runs-apart", "who comes after a contract must not feel it", func(t T, f Factory) {
			o := open(t, f)
			runs := []vm.Run{
				{Code: o.code(f.Fails), GasLimit: plenty}, {Code: o.code(f.Pays), GasLimit: plenty}, {Code: o.code(f.Loops), GasLimit: 3000},
				{Code: o.code(f.Echoes), Evidence: o.evidence(5), GasLimit: plenty}, {Code: o.code(f.Echoes), GasLimit: plenty},
				{Code: f.Garbage, GasLimit: plenty}, {Code: o.code(f.Pays), GasLimit: plenty},
			}
			for i, r := range o.run(runs...) {
				if alone := o.run(runs[i])[0]; !same(r, alone) {
					t.Fatalf("run %d: %+v among others, %+v alone", i, r, alone)
				}
			}
		}},
		{"results-are-the-callers", "a receipt that changes later has another hash", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Echoes)
			first := o.run(vm.Run{Code: code, Evidence: o.evidence(11), GasLimit: plenty})[0]
			o.run(vm.Run{Code: code, Evidence: o.evidence(22), GasLimit: plenty})
			if len(first.Stack) == 3 && first.Stack[1] == 22 {
				t.Fatalf("a later call changed the results of an earlier one to %v", first.Stack)
			}
		}},
		{"diagnostics", "contracts that fail must not make the answer to a block too large", func(t T, f Factory) {
			o := open(t, f)
			runs := []vm.Run{{Code: o.code(f.Fails), GasLimit: plenty}, {Code: f.Garbage, GasLimit: plenty}}
			with := o.run(runs...)
			without, err := o.RunBatch(t.Context(), vm.Batch{Runs: runs})
			if err != nil || len(without) != len(runs) {
				t.Fatalf("%d results, %v", len(without), err)
			}
			for i, r := range without {
				if with[i].Error == "" {
					t.Fatalf("run %d: status %d without a text, which was wanted", i, with[i].Status)
				}
				if r.Error != "" || r.Word != "" || len(r.Top) > 0 || !same(r, with[i]) {
					t.Fatalf("run %d: %+v, with diagnostics it is %+v; want the same without texts", i, r, with[i])
				}
			}
		}},
		{"environment", "contracts decide by height and by who calls", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Height)
			got := o.batch(vm.Batch{Environment: map[string][]byte{"height": integer(7)}, Runs: []vm.Run{
				{Code: code, GasLimit: plenty},
				{Code: code, GasLimit: plenty, Environment: map[string][]byte{"height": integer(9)}},
				{Code: code, GasLimit: plenty, Environment: map[string][]byte{"other": integer(3)}},
			}})
			o.wantStack("height from the common environment", got[0], 0, 7, 1)
			o.wantStack("height from the run's own", got[1], 0, 9, 1)
			o.wantStack("height after a run that had its own", got[2], 0, 7, 1)
		}},
		{"environment-missing", "one contract that asks too much must not stop the block", func(t T, f Factory) {
			o := open(t, f)
			got, err := o.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: o.code(f.Height), GasLimit: plenty}}})
			if err != nil || len(got) != 1 || got[0].Status == vm.OK {
				t.Fatalf("without a height: %+v, %v; want a run that fails", got, err)
			}
		}},
	}
}
