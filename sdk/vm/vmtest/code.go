package vmtest

import (
	"errors"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// load loads one piece of code that has to be well formed.
func (o *opened) load(code []byte) [32]byte {
	o.t.Helper()
	l, err := o.Load(o.t.Context(), [][]byte{code})
	if err != nil || len(l) != 1 || l[0].Error != "" {
		o.t.Fatalf("load: %+v, %v", l, err)
	}
	return l[0].CodeHash
}

func codeCases() []Case {
	return []Case{
		{"by-hash", "how code is given must not change what it comes to", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Echoes)
			h := o.load(code)
			run := vm.Run{Code: code, Evidence: o.evidence(3), GasLimit: plenty}
			whole := o.run(run)[0]
			run.Code, run.ByHash = h[:], true
			if r := o.run(run)[0]; !same(r, whole) {
				t.Fatalf("by hash: %+v, as code: %+v", r, whole)
			}
		}},
		{"load-copies", "the caller reuses its buffers", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Pays)
			h := o.load(code)
			run := vm.Run{Code: h[:], ByHash: true, GasLimit: plenty}
			before := o.run(run)[0]
			for i := range code {
				code[i] = 0xee
			}
			if after := o.run(run)[0]; !same(before, after) {
				t.Fatalf("after the caller's buffer has changed: %+v, before: %+v", after, before)
			}
		}},
		{"load-reports-each", "one piece of bad code must not keep others from being loaded", func(t T, f Factory) {
			o := open(t, f)
			a, b := o.code(f.Pays), o.code(f.Echoes)
			got, err := o.Load(t.Context(), [][]byte{a, f.Garbage, b, a})
			if err != nil || len(got) != 4 {
				t.Fatalf("load: %d answers for 4 pieces of code, %v", len(got), err)
			}
			for i, bad := range []bool{false, true, false, false} {
				if (got[i].Error != "") != bad {
					t.Fatalf("load: piece %d: error %q", i, got[i].Error)
				}
			}
			if got[0].CodeHash != got[3].CodeHash || got[0].CodeHash == got[2].CodeHash || got[0].CodeHash == got[1].CodeHash {
				t.Fatalf("load: hashes %+v", got)
			}
		}},
		{"load-nothing", "nothing to load is nothing to do", func(t T, f Factory) {
			o := open(t, f)
			if got, err := o.Load(t.Context(), nil); err != nil || len(got) != 0 {
				t.Fatalf("load of nothing: %d answers, %v", len(got), err)
			}
		}},
		{"garbage-fails-alone", "anyone can put anything into a transaction", func(t T, f Factory) {
			o := open(t, f)
			pays := o.code(f.Pays)
			got, err := o.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{
				{Code: f.Garbage, GasLimit: 777}, {Code: pays, Evidence: f.Garbage, GasLimit: 777},
				{Code: make([]byte, vm.MaxCodeBytes), GasLimit: 777}, {Code: pays, Evidence: make([]byte, vm.MaxCodeBytes), GasLimit: 777},
			}})
			if err != nil || len(got) != 4 {
				t.Fatalf("a batch with garbage: %d results, %v; want runs that fail", len(got), err)
			}
			if i := slices.IndexFunc(got, func(r vm.Result) bool { return r.Status == vm.OK || r.Gas != 777 }); i >= 0 {
				t.Fatalf("garbage %d comes to %+v", i, got[i])
			}
		}},
		{"unknown-hash", "a VM that was started again has forgotten; the caller then loads", func(t T, f Factory) {
			o := open(t, f)
			_, err := o.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: make([]byte, 32), ByHash: true, GasLimit: plenty}}})
			if !errors.Is(err, vm.ErrUnknownCode) {
				t.Fatalf("a hash that was not loaded: %v, want ErrUnknownCode", err)
			}
		}},
		{"hash-of-other-length", "a caller's mistake is named", func(t T, f Factory) {
			o := open(t, f)
			_, err := o.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: make([]byte, 31), ByHash: true, GasLimit: plenty}}})
			if !errors.Is(err, vm.ErrInvalid) {
				t.Fatalf("a hash of 31 bytes: %v, want ErrInvalid", err)
			}
		}},
		{"too-large-is-refused", "what one VM takes, all have to take", func(t T, f Factory) {
			o := open(t, f)
			long := make([]byte, vm.MaxCodeBytes+1)
			for what, r := range map[string]vm.Run{"code": {Code: long, GasLimit: 1}, "evidence": {Evidence: long, GasLimit: 1}} {
				if _, err := o.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{r}}); !errors.Is(err, vm.ErrTooLarge) {
					t.Fatalf("%s one byte too long: %v, want ErrTooLarge", what, err)
				}
			}
			if _, err := o.Load(t.Context(), [][]byte{long}); !errors.Is(err, vm.ErrTooLarge) {
				t.Fatalf("load of code one byte too long: %v, want ErrTooLarge", err)
			}
		}},
	}
}
