package moduletest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func checkCases() []Case {
	return []Case{
		{"one-check-a-transaction", "a check that belongs to no transaction is taken for that of another", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for _, n := range []int{0, 1, 11} {
				checks, err := o.Check(t.Context(), o.valid(1, n))
				if err != nil || len(checks) != n {
					t.Fatalf("%d checks for %d transactions, %v", len(checks), n, err)
				}
			}
		}},
		{"valid-is-accepted", "nodes that refuse what others include fall out of step", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			txs := o.valid(1, 29)
			checks, err := o.Check(t.Context(), txs)
			if err == nil {
				err = module.CheckChecks(txs, checks)
			}
			if err != nil {
				t.Fatalf("check: %v", err)
			}
			for i := range checks {
				if checks[i].Error != "" {
					t.Fatalf("check refuses valid transaction %d: %s", i, checks[i].Error)
				}
			}
		}},
		{"malformed-is-refused-by-name", "a client can act on a stable name, and on nothing else", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			checks, err := o.Check(t.Context(), f.Malformed)
			if err != nil || len(checks) != len(f.Malformed) {
				t.Fatalf("%d checks for %d transactions, %v", len(checks), len(f.Malformed), err)
			}
			for i := range checks {
				if !named(checks[i].Error) {
					t.Errorf("check of malformed transaction %d says %q, want the name of an error", i, checks[i].Error)
				}
			}
		}},
		{"check-sees-each-alone", "nodes admit the same transactions in different company", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			txs := o.valid(1, 9)
			together, err := o.Check(t.Context(), txs)
			if err != nil || len(together) != len(txs) {
				t.Fatalf("%d checks for %d transactions, %v", len(together), len(txs), err)
			}
			for i := len(txs) - 1; i >= 0; i-- {
				alone, err := o.Check(t.Context(), txs[i:i+1])
				if err != nil || len(alone) != 1 {
					t.Fatalf("check of one: %d checks, %v", len(alone), err)
				}
				if !reflect.DeepEqual(alone[0], together[i]) {
					t.Fatalf("transaction %d alone: %+v, among others: %+v", i, alone[0], together[i])
				}
			}
		}},
		{"check-is-stateless", "a restarted node would judge otherwise than one that has run", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			txs := o.valid(1, 13)
			before, err := o.Check(t.Context(), txs)
			if err != nil {
				t.Fatalf("check: %v", err)
			}
			o.succeed(o.core(), Clock, txs)
			after, err := o.Check(t.Context(), txs)
			if err != nil || !reflect.DeepEqual(before, after) {
				t.Fatalf("a check of the same transactions, before and after they were executed, differs, %v", err)
			}
		}},
		{"parameters-are-validated", "a bad set of parameters would take effect", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for what, set := range map[string]map[string][]byte{"none": nil, "the block's": f.Params, "good": f.GoodParams} {
				if err := o.ValidateParams(t.Context(), set); err != nil {
					t.Fatalf("parameters (%s): %v", what, err)
				}
			}
			if f.BadParams == nil {
				return
			}
			if err := o.ValidateParams(t.Context(), f.BadParams); !errors.Is(err, module.ErrBadParams) {
				t.Fatalf("bad parameters: %v, want ErrBadParams", err)
			}
		}},
	}
}

// named tells whether s is the stable name of an error that the module chose itself.
func named(s string) bool {
	if s == "" || len(s) > module.MaxErrorBytes || s == types.StatusOK || s == module.ErrUnnamed {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '_' || c == '-' || c == '.')) {
			return false
		}
	}
	return true
}

// garbage makes n transactions that mean nothing: random names and bodies, and valid actions with bytes changed, cut or
// added.
func garbage(f Factory, n int) []module.Tx {
	rnd := rand.New(rand.NewPCG(7, 7))
	valid := f.Valid(9, 10)
	out := make([]module.Tx, n)
	for i := range out {
		t := valid[rnd.IntN(len(valid))]
		t.ID = types.Sum("moduletest/garbage\x00", fmt.Append(nil, i))
		t.MaxGas = rnd.Uint64() >> rnd.IntN(64)
		actions := make([]types.Action, 0, 4)
		for range rnd.IntN(4) {
			a := types.Action{MaxSpend: rnd.Uint64() >> (8 + rnd.IntN(50))}
			if from := t.Actions; rnd.IntN(4) > 0 && len(from) > 0 {
				a.Name = from[rnd.IntN(len(from))].Name
				a.Body = append(a.Body, from[rnd.IntN(len(from))].Body...)
			} else {
				a.Name = string(noise(rnd, 20))
			}
			switch rnd.IntN(5) {
			case 0:
				a.Body = noise(rnd, 100)
			case 1:
				a.Body = a.Body[:rnd.IntN(len(a.Body)+1)]
			case 2:
				a.Body = append(a.Body, noise(rnd, 5)...)
			default:
				for range 1 + rnd.IntN(3) {
					if len(a.Body) > 0 {
						a.Body[rnd.IntN(len(a.Body))] = byte(rnd.Uint32())
					}
				}
			}
			actions = append(actions, a)
		}
		t.Actions = actions
		out[i] = t
	}
	return out
}

func noise(rnd *rand.Rand, most int) []byte {
	b := make([]byte, rnd.IntN(most))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}
