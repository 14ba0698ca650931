package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// random makes transactions of every module.
type random struct {
	*rand.Rand
	k    *kit
	keys []key
}

func (r *random) amount() uint64 { return r.Uint64() >> (24 + r.IntN(40)) }

func (r *random) key() key { return r.keys[r.IntN(len(r.keys))] }

func (r *random) name() string { return fmt.Sprint("n", r.IntN(6)) }

func (r *random) action(mod string) types.Action {
	var a types.Action
	switch mod {
	case "bank":
		if a = transfer(r.key().id(), r.amount()); r.IntN(5) == 0 {
			a = burn(r.amount())
		}
	case "account":
		switch r.IntN(6) {
		case 0:
			a = types.Action{Name: "claim_fees"}
		case 1:
			a = types.Action{Name: "link", Body: types.LinkBody{Link: types.Link{Pattern: "bank.*", Permission: "active"}}.Encode()}
		case 2:
			a = types.Action{Name: "unlink", Body: types.NameBody{Name: "bank.*"}.Encode()}
		default:
			p := types.Permission{Name: "extra", Parent: "active", Threshold: 1, Keys: []types.KeyWeight{r.key().weight(1)}}
			if r.IntN(2) == 0 {
				p.Accounts = []types.AccountWeight{{Account: r.key().id(), Permission: "active", Weight: 1}}
			}
			a = setPermission(p)
		}
	case "chains":
		g := testGenesis()
		id := r.k.l.Chain()
		g.Parent, g.Name = &id, fmt.Sprint("child", r.IntN(4))
		a = types.Action{Name: "spawn", Body: types.SpawnBody{Genesis: g.Encode()}.Encode()}
	case "tally":
		a = moduletest.TallyAction([]string{"add", "keep", "keep", "peek", "sum"}[r.IntN(5)], r.name(), r.amount(), uint64(r.IntN(5)))
	case "bad":
		a = types.Action{Name: "x", MaxSpend: r.amount()}
	}
	if r.IntN(6) == 0 {
		a.MaxSpend = r.amount()
	}
	if len(a.Body) > 0 && r.IntN(12) == 0 {
		a.Body[r.IntN(len(a.Body))] ^= 1
	}
	return a
}

func (r *random) tx() []byte {
	from := r.key()
	mod := []string{"bank", "bank", "account", "chains", "tally", "tally", "bad", "bad"}[r.IntN(8)]
	x := r.k.tx(from, mod, r.action(mod))
	for range r.IntN(3) {
		x.Actions = append(x.Actions, r.action(mod))
	}
	if r.IntN(4) == 0 {
		x.MaxFee = 1500 + uint64(r.IntN(20_000))
	}
	if r.IntN(6) == 0 {
		x.MaxGas = uint64(r.IntN(3000))
	}
	return r.k.seal(x, from)
}

// TestConservation runs random blocks of all modules, one of which breaks every rule, on two ledgers, and a third in which
// that module is honest.
func TestConservation(t *testing.T) {
	producer := newKey("producer")
	change := func(g *chainspec.Genesis) {
		g.Allocations[0].Amount -= 4_000_000_000
		g.Allocations = append(g.Allocations,
			chainspec.Allocation{Name: "vested", Account: newKey("dave").id(), Amount: 3_000_000_000, Vesting: &chainspec.Vesting{Duration: 1000, Step: 10}},
			chainspec.Allocation{Name: "producer", Account: producer.id(), Amount: 1_000_000_000})
	}
	tricks := append(moduletest.Faults(), moduletest.Unnamed, moduletest.Deny, "")
	seen := map[moduletest.Trick]bool{}
	statuses := map[string]int{}
	for seed := range uint64(8) {
		var bad [2]*moduletest.Dishonest
		var kits [2]*kit
		for i := range kits {
			bad[i] = &moduletest.Dishonest{}
			kits[i] = newKit(t, change, as("bad", bad[i]), as("tally", moduletest.NewTally()))
		}
		k := kits[0]
		honest, err := New(Config{Genesis: k.g, Modules: append(native(k.g), as("bad", &moduletest.Dishonest{}), as("tally", moduletest.NewTally()))})
		if err != nil {
			t.Fatal(err)
		}
		r := &random{rand.New(rand.NewPCG(seed, 7)), k, []key{producer}}
		for _, n := range allNames {
			r.keys = append(r.keys, newKey(n))
		}
		for block := range 36 {
			trick := tricks[(int(seed)*36+block)%len(tricks)]
			bad[0].Trick, bad[1].Trick = trick, trick
			fail := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("seed %d, block %d, trick %q: %s", seed, block, trick, fmt.Sprintf(format, args...))
			}
			var envelopes [][]byte
			var txs []*Tx
			for range r.IntN(14) {
				e := r.tx()
				if tx, err := k.l.ParseTx(e); err == nil { // the fee can be too low
					envelopes, txs = append(envelopes, e), append(txs, tx)
				}
			}
			errs := k.authorise(txs...)
			keep, badTxs := txs[:0:0], 0
			var kept [][]byte
			for i, tx := range txs {
				if errs[i] != nil {
					continue
				}
				keep, kept = append(keep, tx), append(kept, envelopes[i])
				if status, _ := k.l.book.current().short(tx); tx.T.Module == "bad" && status == "" {
					badTxs++
				}
			}
			clock := k.clock + 1 + r.Uint64N(8)
			k.ext = map[string][][]byte{"tally": {{1, 2, 3}}}
			plain, err := honest.Execute(t.Context(), k.layer, k.header(clock), keep)
			if err != nil {
				fail("honest: %v", err)
			}
			res := k.blockAt(clock, keep...)
			// The other ledger decodes for itself.
			again := make([]*Tx, len(kept))
			for i, e := range kept {
				again[i] = kits[1].signedAs(e)
			}
			kits[1].ext = k.ext
			res2 := kits[1].blockAt(clock, again...)
			if types.ReceiptsRoot(res.Receipts) != types.ReceiptsRoot(res2.Receipts) || k.layer.Root() != kits[1].layer.Root() {
				fail("two ledgers differ: %+v\n%+v", res.Receipts, res2.Receipts)
			}
			fault := slices.Contains(moduletest.Faults(), trick) && badTxs > 0
			if fault != (len(res.Faults) == 1) {
				fail("%d transactions for the bad module, faults: %v", badTxs, res.Faults)
			}
			for i, tx := range keep {
				got := res.Receipts[i]
				statuses[got.Status]++
				if tx.T.Module != "bad" {
					if !reflect.DeepEqual(got, plain.Receipts[i]) {
						fail("receipt %d of module %s: %+v, without the trick %+v", i, tx.T.Module, got, plain.Receipts[i])
					}
					continue
				}
				if fault {
					seen[trick] = true
				}
				if status, _ := k.l.book.current().short(tx); fault && status == "" && (got.Status != StatusModuleFault || got.Gas != floorGas(tx)) {
					fail("receipt %d: %+v", i, got)
				}
			}
		}
	}
	for _, trick := range moduletest.Faults() {
		if !seen[trick] {
			t.Errorf("no block in which the trick %q had an effect", trick)
		}
	}
	for _, s := range []string{types.StatusOK, StatusOutOfGas, StatusFee, StatusModuleFault, "ErrSpend", "ErrDenied", module.ErrUnnamed, "ErrMissing", "ErrHeld",
		"ErrExists", "ErrMalformed", "ErrCycle"} {
		if statuses[s] == 0 {
			t.Errorf("no transaction ended with %s", s)
		}
	}
	t.Logf("seeds 0 to 7; %v", statuses)
}

// signedAs parses an envelope that was made with another kit of the same genesis.
func (k *kit) signedAs(e []byte) *Tx {
	k.t.Helper()
	tx, err := k.l.ParseTx(e)
	if err != nil {
		k.t.Fatal(err)
	}
	return tx
}

// TestFailureIsNoFault: a module that fails, hangs or crashes says nothing about the block. Execute fails, and the same block
// succeeds when the module is well again.
func TestFailureIsNoFault(t *testing.T) {
	alice := newKey("alice")
	for _, trick := range moduletest.Failures() {
		t.Run(string(trick), func(t *testing.T) {
			d := &moduletest.Dishonest{Trick: trick}
			k := newKit(t, nil, as("bad", &crashes{Module: d}))
			tx := k.signed(k.tx(alice, "bad", types.Action{Name: "x", MaxSpend: 7}), alice)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if trick == moduletest.Hang {
				cancel()
			}
			res, err := k.l.Execute(ctx, k.layer, k.header(k.clock+1), []*Tx{tx})
			if err == nil || res != nil || errors.Is(err, module.ErrFault) {
				t.Fatalf("%+v, %v", res, err)
			}
			d.Trick = ""
			wantStatus(t, "asked again", k.block(tx).Receipts[0], types.StatusOK)
		})
	}
}

// crashes turns a panic into an error, as a process of its own does.
type crashes struct{ module.Module }

func (c *crashes) Check(ctx context.Context, txs []module.Tx) (out []module.TxCheck, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("crashed")
		}
	}()
	return c.Module.Check(ctx, txs)
}

func (c *crashes) Execute(ctx context.Context, b *module.Block, r module.Reader) (out *module.Outcome, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("crashed")
		}
	}()
	return c.Module.Execute(ctx, b, r)
}
