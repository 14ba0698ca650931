package prophecy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// history is a random sequence of blocks: transactions by their clock.
type step struct {
	clock uint64
	txs   []module.Tx
}

// gambler makes random steps, and looks at what became of them to find the next boundary.
type gambler struct {
	rnd *rand.Rand
	c   *moduletest.Core
	ids [][32]byte
	n   int
}

func (g *gambler) who() types.AccountID { return account(g.rnd.IntN(4)) }

func (g *gambler) value() oracle.Value { return oracle.Value(g.rnd.IntN(4)) }

func (g *gambler) id() [32]byte {
	if len(g.ids) == 0 || g.rnd.IntN(20) == 0 {
		return [32]byte{byte(g.rnd.IntN(3))}
	}
	// Mostly one of the last, which are not over yet.
	return g.ids[len(g.ids)-1-g.rnd.IntN(min(len(g.ids), 6))]
}

func (g *gambler) action(clock uint64, from types.AccountID, n, index int) types.Action {
	switch p := g.rnd.IntN(20); {
	case p < 5:
		a := oracle.Ask{Text: fmt.Sprintf("Question %d?", g.rnd.IntN(5)), AnswerBy: clock + uint64(g.rnd.IntN(60))}
		if g.rnd.IntN(2) == 0 {
			a.Open = clock + uint64(g.rnd.IntN(12)) - min(clock, 3)
		}
		if g.rnd.IntN(3) == 0 {
			a.First = first(g.value())
		}
		if g.rnd.IntN(3) == 0 {
			a.Sources = []string{"https://example.org"}
		}
		g.ids = append(g.ids, oracle.QuestionID(testChain, from, a.Text, types.Sum("test/tx\x00", fmt.Append(nil, n)), index))
		return ask(a, 100+uint64(g.rnd.IntN(40)))
	case p < 14:
		return answerTo(g.id(), g.value(), uint64(g.rnd.IntN(3))*65)
	case p < 17:
		return closeOf(g.id())
	case p < 18:
		return types.Action{Name: oracle.ActionCounter, Body: oracle.Counter{ID: g.id(), Value: g.value()}.Encode(), MaxSpend: 130}
	default:
		body := oracle.Answer{ID: g.id(), Value: g.value()}.Encode()
		body[g.rnd.IntN(len(body))] ^= byte(1 << g.rnd.IntN(8))
		return types.Action{Name: []string{oracle.ActionAsk, oracle.ActionAnswer, oracle.ActionClose, "open"}[g.rnd.IntN(4)], Body: body, MaxSpend: 150}
	}
}

func (g *gambler) step() step {
	s := step{clock: g.clock()}
	for range g.rnd.IntN(7) {
		g.n++
		from := g.who()
		var actions []types.Action
		for i := range 1 + g.rnd.IntN(2)*g.rnd.IntN(3) {
			actions = append(actions, g.action(s.clock, from, g.n, i))
		}
		t := tx(g.n, from, actions...)
		if g.rnd.IntN(15) == 0 {
			t.MaxGas--
		}
		s.txs = append(s.txs, t)
	}
	return s
}

// clock is mostly a boundary of some question, or next to one.
func (g *gambler) clock() uint64 {
	now := g.c.Clock
	var edges []uint64
	for _, v := range g.c.Items() {
		r, err := oracle.DecodeRecord(v.Data)
		if err != nil || r.State.Closed() {
			continue
		}
		t := small()
		due, _ := t.Due(r)
		for _, e := range []uint64{r.Open, r.AnswerBy, t.AskerUntil(r), t.ExpiresAt(r), due} {
			for _, e := range []uint64{e - 1, e, e + 1} {
				if e >= now && e < now+100 {
					edges = append(edges, e)
				}
			}
		}
	}
	slices.Sort(edges)
	switch p := g.rnd.IntN(10); {
	case p < 3 || len(edges) == 0:
		return now + uint64(g.rnd.IntN(4))
	case p < 8:
		return edges[g.rnd.IntN(min(len(edges), 12))]
	case p < 9:
		return edges[g.rnd.IntN(len(edges))]
	}
	return now + uint64(g.rnd.IntN(80))
}

// watcher checks what must hold over all blocks.
type watcher struct {
	closed  map[[32]byte][]byte
	expired uint64
}

func (w *watcher) check(c *moduletest.Core) error {
	if err := holds(c); err != nil {
		return err
	}
	seen := 0
	for _, v := range c.Items() {
		r, err := oracle.DecodeRecord(v.Data)
		if err != nil {
			return err
		}
		if was, ok := w.closed[r.ID]; ok {
			seen++
			if !bytes.Equal(was, v.Data) {
				return fmt.Errorf("question %x has changed after it was over", r.ID[:4])
			}
		} else if r.State.Closed() {
			seen++
			w.closed[r.ID] = v.Data
			if r.State == oracle.Expired {
				w.expired++
			}
			if r.State == oracle.Final && (len(r.Answers) == 0 || r.Result != r.Answers[len(r.Answers)-1].Value || r.Result == oracle.TooEarly && !r.Reopened) {
				return fmt.Errorf("question %x is final: %+v", r.ID[:4], r)
			}
		}
	}
	if seen != len(w.closed) {
		return fmt.Errorf("%d of %d questions that were over are gone", len(w.closed)-seen, len(w.closed))
	}
	if got, want := c.Balance(types.BurnAccount), w.expired*small().ExpiryFee; got != want {
		return fmt.Errorf("%d burned, %d questions have expired, which makes %d", got, w.expired, want)
	}
	return nil
}

func funded() *moduletest.Core {
	c := moduletest.NewCore(testChain, nil)
	for i := range 4 {
		c.Fund(account(i), 1_000_000)
	}
	return c
}

// TestRandomSequences plays thousands of random operations; after each block all invariants hold, in the end every question
// is over, nothing is left in the queue or in escrow, and the accounts have all but the burned fees.
func TestRandomSequences(t *testing.T) {
	states := map[oracle.State]int{}
	errs := map[string]int{}
	for seed := range uint64(80) {
		g := &gambler{rnd: rand.New(rand.NewPCG(seed, 1)), c: funded()}
		o := module.Guard(New(testChain, small()))
		w := &watcher{closed: map[[32]byte][]byte{}}
		block := func(s step) {
			e, err := g.c.Block(t.Context(), o, s.clock, s.txs)
			if err == nil {
				err = e.Fault
			}
			if err == nil {
				err = w.check(g.c)
			}
			if err != nil {
				t.Fatalf("seed %d, block %d at clock %d: %v", seed, g.c.Height, s.clock, err)
			}
			for i := range e.Txs {
				errs[e.Txs[i].Error]++
			}
		}
		for range 80 {
			block(g.step())
			for _, v := range g.c.Items() {
				if r, err := oracle.DecodeRecord(v.Data); err == nil {
					states[r.State]++
				}
			}
		}
		for len(g.c.Queue()) > 0 {
			block(step{clock: max(g.c.Clock, g.c.Queue()[0])})
		}
		if n := g.c.Escrows(); n != 0 || len(w.closed) != len(g.c.Items()) {
			t.Fatalf("seed %d: in the end %d are in escrow, %d of %d questions are over", seed, n, len(w.closed), len(g.c.Items()))
		}
	}
	// A sequence that never gets anywhere shows nothing.
	for _, s := range []oracle.State{oracle.Open, oracle.Answered, oracle.Final, oracle.Expired} {
		if states[s] < 100 {
			t.Errorf("state %s was seen %d times", s, states[s])
		}
	}
	for _, e := range []oracle.RuleError{"", oracle.ErrWindow, oracle.ErrBondTooSmall, oracle.ErrFinal, oracle.ErrAnswered, oracle.ErrUnknownQuestion,
		oracle.ErrTimetable, oracle.ErrMalformed, oracle.ErrUnknownAction, oracle.ErrNoDisputes, oracle.ErrOutOfGas} {
		if errs[string(e)] < 20 {
			t.Errorf("error %q was seen %d times", e, errs[string(e)])
		}
	}
}

// TestManyWaysOneResult plays the same operations in one block a step, one block a transaction, in a fresh instance each
// time, and through gRPC: the state must be the same.
func TestManyWaysOneResult(t *testing.T) {
	for seed := range uint64(12) {
		g := &gambler{rnd: rand.New(rand.NewPCG(seed, 2)), c: funded()}
		o := New(testChain, small())
		in, err := moduletest.Remote(factory()).Open()
		if err != nil {
			t.Fatal(err)
		}
		single, remote := funded(), funded()
		play := func(how string, c *moduletest.Core, m module.Module, clock uint64, txs []module.Tx) {
			if e, err := c.Block(t.Context(), m, clock, txs); err != nil || e.Fault != nil {
				t.Fatalf("seed %d, %s: %v, %v", seed, how, err, e)
			}
		}
		for range 40 {
			s := g.step()
			play("whole blocks", g.c, o, s.clock, s.txs)
			play("gRPC", remote, in.Module, s.clock, s.txs)
			play("one by one", single, New(testChain, small()), s.clock, nil)
			for i := range s.txs {
				play("one by one", single, New(testChain, small()), s.clock, s.txs[i:i+1])
			}
			if a, b := g.c.State(), remote.State(); a != b {
				t.Fatalf("seed %d, clock %d: through gRPC\n%s\nin process\n%s", seed, s.clock, b, a)
			}
			if a, b := g.c.State(), single.State(); a != b {
				t.Fatalf("seed %d, clock %d: one by one\n%s\nin one block\n%s", seed, s.clock, b, a)
			}
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzExecute gives the module whatever there is: any action, at any clock, due or not.
func FuzzExecute(f *testing.F) {
	for _, t := range validTxs(3, 4) {
		f.Add(t.Actions[0].Name, t.Actions[0].Body, uint64(1_000), uint64(1<<40), uint64(moduletest.Clock), true)
	}
	f.Add(oracle.ActionAnswer, oracle.Answer{ID: [32]byte{1}, Value: oracle.Yes}.Encode(), uint64(0), ^uint64(0), ^uint64(0), true)
	f.Fuzz(func(t *testing.T, name string, body []byte, spend, gas, clock uint64, due bool) {
		if len(body) > 1<<16 {
			return
		}
		c := moduletest.NewCore(testChain, nil)
		o := module.Guard(New(testChain, small()))
		txs := validTxs(1, 4)
		c.FundAll(txs)
		if e, err := c.Block(t.Context(), o, moduletest.Clock, txs); err != nil || e.Fault != nil {
			t.Fatal(err, e)
		}
		x := tx(1, account(0), types.Action{Name: name, Body: body, MaxSpend: min(spend, 1<<50)})
		x.MaxGas = gas
		c.FundAll([]module.Tx{x})
		if !due {
			clock = moduletest.Clock + clock%16
		}
		if e, err := c.Block(t.Context(), o, clock, []module.Tx{x, x}); err != nil || e.Fault != nil {
			t.Fatal(err, e)
		}
		if err := holds(c); err != nil {
			t.Fatal(err)
		}
	})
}
