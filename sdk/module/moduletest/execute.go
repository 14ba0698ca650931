package moduletest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// garbageTxs is how many meaningless transactions are tried.
const garbageTxs = 400

func executeCases() []Case {
	return []Case{
		{"valid-takes-effect", "all other cases rest on it", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(1, 10))
			o.succeed(c, Clock, o.valid(2, 3))
		}},
		{"one-result-a-transaction", "a result too few or too many, and the whole group is dropped", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 35))
			out, err := o.Execute(t.Context(), b, c.Reader())
			if err != nil || out == nil || len(out.Txs) != len(b.Txs) {
				t.Fatalf("an outcome that does not have %d results for as many transactions, %v", len(b.Txs), err)
			}
		}},
		{"a-failure-leaves-no-trace", "what fails on one node's block must not count in another's", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			bad := o.valid(2, 1)
			bad[0].MaxGas = 0
			txs := o.valid(1, 28)
			c, d := o.core(), o.core()
			e := o.run(d, Clock, append(bad, txs...))
			if e.Txs[0].Error == "" {
				t.Skipf("a transaction with max_gas 0 succeeds")
			}
			o.succeed(c, Clock, txs)
			if a, b := c.State(), d.State(); withoutBalances(a) != withoutBalances(b) {
				t.Fatalf("the state with a failed transaction before the others differs: %s", diff(withoutBalances(b), withoutBalances(a)))
			}
		}},
		{"malformed-fails-alone", "one sender could stop the module for all", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			txs := o.valid(1, 8)
			want := o.execute(o.block(c, Clock, txs), c.Reader())
			b := o.block(c, Clock, txs)
			b.Txs = append(append(append([]module.Tx{}, b.Txs[:4]...), f.Malformed...), b.Txs[4:]...)
			got := o.execute(b, c.Reader())
			for i := range f.Malformed {
				if got.Txs[4+i].Error == "" {
					t.Errorf("malformed transaction %d takes effect", i)
				}
			}
			for i := range txs {
				at := i
				if i >= 4 {
					at += len(f.Malformed)
				}
				if a, b := fingerprint(&got.Txs[at]), fingerprint(&want.Txs[i]); a != b {
					t.Errorf("valid transaction %d among malformed ones: %s", i, diff(a, b))
				}
			}
		}},
		{"failures-have-names", "receipts hold the name, for ever and on every node", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 15))
			for i := range b.Txs {
				switch i % 3 {
				case 0:
					b.Txs[i].MaxGas = 0
				case 1:
					b.Txs[i].Actions = spendless(b.Txs[i].Actions)
				}
			}
			b.Txs = append(b.Txs, f.Malformed...)
			out, err := o.Execute(t.Context(), b, c.Reader())
			if err != nil || len(out.Txs) != len(b.Txs) {
				t.Fatalf("execute: %v", err)
			}
			for i := range out.Txs {
				if s := out.Txs[i].Error; s != "" && !named(s) {
					t.Errorf("transaction %d fails with %q, which is no name", i, s)
				}
			}
		}},
		{"garbage-does-no-harm", "anybody can send anything", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			txs := garbage(f, garbageTxs)
			checks, err := o.Check(t.Context(), txs)
			if err == nil {
				err = module.CheckChecks(txs, checks)
			}
			if err != nil {
				t.Fatalf("check of %d meaningless transactions: %v", len(txs), err)
			}
			b := o.block(c, Clock, nil)
			b.Txs = txs // as if a build with another Check had let them through
			o.execute(b, c.Reader())
			c.FundAll(txs)
			e, err := c.Block(t.Context(), o.Module, Clock, txs)
			if err == nil {
				err = e.Fault
			}
			if err == nil {
				err = c.Conserved()
			}
			if err != nil {
				t.Fatalf("a block of %d meaningless transactions: %v", len(txs), err)
			}
		}},
		{"outcome-within-limits", "a malformed item or event costs the whole group its block", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 18))
			out, err := o.Execute(t.Context(), b, c.Reader())
			if err == nil {
				err = module.CheckOutcome(b, out)
			}
			if err != nil {
				t.Fatalf("execute: %v", err)
			}
		}},
		{"large-block", "a block need not fit a message", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			size := 0
			for _, x := range o.valid(3, 5) {
				for _, a := range x.Actions {
					size += 24 + len(a.Name) + len(a.Body)
				}
				size += 96
			}
			n := min(5*(module.MaxMessage+module.MaxMessage/8)/size+1, 60_000)
			c := o.core()
			o.succeed(c, Clock, o.valid(1, n))
			t.Logf("%d transactions of %d bytes", n, size/5)
		}},
		{"garbage-extension-is-a-failed-item", "a producer could make every node stop", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, nil)
			b.Extensions = [][]byte{{}, {0}, []byte(strings.Repeat("\xff", types.MaxExtensionBytes)), []byte(`{"a":`)}
			out := o.execute(b, c.Reader())
			if n := len(out.Block.Transfers); n > 0 {
				t.Fatalf("a meaningless extension makes %d transfers", n)
			}
		}},
	}
}

// spendless returns actions that may spend nothing.
func spendless(actions []types.Action) []types.Action {
	out := append([]types.Action(nil), actions...)
	for i := range out {
		out[i].MaxSpend = 0
	}
	return out
}

// withoutBalances leaves out of a state what accounts hold.
func withoutBalances(state string) string {
	var out []string
	for _, l := range strings.SplitAfter(state, "\n") {
		if !strings.HasPrefix(l, "balance ") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "")
}

// fingerprint describes all that counts of a result.
func fingerprint(r *module.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "error %q %q gas %d\n", r.Error, r.Detail, r.Gas)
	if r.Error != "" {
		return b.String()
	}
	for _, w := range r.Writes {
		fmt.Fprintf(&b, "write %x %q = %x %t\n", w.Item.Place, w.Item.Key, w.Data, w.Data == nil)
	}
	party := func(p module.Party) string {
		if p.Account != nil {
			return fmt.Sprintf("account %x", *p.Account)
		}
		if p.Escrow != nil {
			return fmt.Sprintf("escrow %x %q", p.Escrow.Place, p.Escrow.Key)
		}
		return "nobody"
	}
	for _, t := range r.Transfers {
		fmt.Fprintf(&b, "transfer %d from %s to %s for %d\n", t.Amount, party(t.From), party(t.To), t.Action)
	}
	for _, s := range r.Schedule {
		fmt.Fprintf(&b, "schedule %d %x %x %q %x %t\n", s.Clock, s.ID, s.Item.Place, s.Item.Key, s.Data, s.Cancel)
	}
	for _, v := range r.Events {
		fmt.Fprintf(&b, "event %q %s %x %x\n", v.Name, v.Data, v.Accounts, v.Item)
	}
	return b.String()
}

func fingerprints(o *module.Outcome) string {
	var b strings.Builder
	b.WriteString("block: " + fingerprint(&o.Block))
	for i := range o.Txs {
		fmt.Fprintf(&b, "%d: %s", i, fingerprint(&o.Txs[i]))
	}
	return b.String()
}

// diff shows the first line in which two descriptions differ.
func diff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "nothing", "nothing"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d is %.300q, want %.300q", i+1, a, b)
		}
	}
	return "no difference"
}

var errLost = errors.New("the state is lost")
