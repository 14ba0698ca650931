package vmtest

import "github.com/paloalto-chain/paloalto/sdk/vm"

func gasCases() []Case {
	return []Case{
		{"gas-limit", "gas is what bounds the time of a block", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Pays)
			needs := o.run(vm.Run{Code: code, GasLimit: plenty})[0].Gas
			if needs == 0 || needs > plenty {
				t.Fatalf("%d gas for a limit of %d", needs, plenty)
			}
			for _, limit := range []uint64{0, 1, needs / 2, needs - 1, needs, needs + 1} {
				r := o.run(vm.Run{Code: code, GasLimit: limit})[0]
				if r.Gas > limit {
					t.Fatalf("%d gas for a limit of %d", r.Gas, limit)
				}
				if ok := r.Status == vm.OK; ok != (limit >= needs) {
					t.Fatalf("status %d (%s) at a limit of %d; it needs %d", r.Status, r.Error, limit, needs)
				}
			}
		}},
		{"failure-costs-all", "engines that count in other steps agree on what a failed run costs", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Fails)
			for _, limit := range []uint64{0, 5, 500, 12_345, 1 << 40} {
				r := o.run(vm.Run{Code: code, GasLimit: limit})[0]
				if r.Status == vm.OK || r.Gas != limit || len(r.Stack) != 0 {
					t.Fatalf("the program that fails, limit %d: %+v", limit, r)
				}
			}
		}},
		{"endless-ends", "anyone can write a loop", func(t T, f Factory) {
			o := open(t, f)
			for _, limit := range []uint64{1, 1000, 50_000} {
				if r := o.run(vm.Run{Code: o.code(f.Loops), GasLimit: limit})[0]; r.Status == vm.OK {
					t.Fatalf("an endless program ends with %v at a limit of %d", r.Stack, limit)
				}
			}
		}},
	}
}
