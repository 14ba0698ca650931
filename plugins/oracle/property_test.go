package prophecy

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var (
	sequences = flag.Int("sequences", 0, "random sequences of operations that TestRandomSequences plays; 0: 200")
	firstSeed = flag.Uint64("seed", 0, "seed of the first of them")
)

const stepsPerSequence = 50

// watcher checks what must hold over all blocks, and counts what was seen.
type watcher struct {
	over    map[[32]byte][]byte // questions that are over
	settled map[life][]byte     // disputes that are over
	expired uint64
	burned  uint64 // by disputes
	seen    *coverage
	all     *everything // after the last block
}

// coverage is what all sequences together have met.
type coverage struct {
	sync.Mutex
	states  map[oracle.State]int
	errs    map[string]int
	refused map[oracle.RuleError]int
	ends    map[string]int
	blocks  int
}

func newCoverage() *coverage {
	return &coverage{states: map[oracle.State]int{}, errs: map[string]int{}, refused: map[oracle.RuleError]int{}, ends: map[string]int{}}
}

func (w *watcher) check(c *moduletest.Core, e *moduletest.Effect) (err error) {
	if w.all, err = allHolds(c); err != nil {
		return err
	}
	w.seen.Lock()
	defer w.seen.Unlock()
	w.seen.blocks++
	for i := range e.Txs {
		w.seen.errs[e.Txs[i].Error]++
	}
	for _, name := range refused(e.Block.Events) {
		w.seen.refused[name]++
	}
	over := 0
	for id, r := range w.all.questions {
		w.seen.states[r.State]++
		now := r.Encode()
		if was, ok := w.over[id]; ok && !bytes.Equal(was, now) {
			return fmt.Errorf("question %x has changed after it was over", id[:4])
		} else if !r.State.Closed() {
			continue
		} else if over++; ok {
			continue
		}
		w.over[id] = now
		if r.State == oracle.Expired {
			w.expired++
		} else if err := w.final(r); err != nil {
			return fmt.Errorf("question %x is FINAL: %w: %+v", id[:4], err, r)
		}
	}
	if over != len(w.over) {
		return fmt.Errorf("%d of %d questions that were over are gone", len(w.over)-over, len(w.over))
	}
	for l, d := range w.all.disputes {
		if d.Settled == nil {
			continue
		}
		now := append(d.Encode(), d.EncodeCommits()...)
		if was, ok := w.settled[l]; ok && !bytes.Equal(was, now) {
			return fmt.Errorf("a dispute of question %x has changed after it was over", l.id[:4])
		} else if ok {
			continue
		}
		w.settled[l] = now
		w.burned += d.Settled.Burned
		if err := w.dispute(w.all.questions[l.id], d); err != nil {
			return fmt.Errorf("dispute of question %x in life %d: %w: %+v", l.id[:4], l.n, err, d.Settled)
		}
	}
	if got, want := c.Balance(types.BurnAccount), w.expired*small().ExpiryFee+w.burned; got != want {
		return fmt.Errorf("%d burned; %d questions that have expired and %d disputes make %d", got, w.expired, len(w.settled), want)
	}
	return nil
}

// final checks the result of a question.
func (w *watcher) final(r *oracle.Record) error {
	g, ok := r.Current()
	if !ok {
		return fmt.Errorf("nobody has answered")
	}
	d := w.all.disputes[life{r.ID, r.Life()}]
	if d == nil {
		w.seen.ends["undisputed"]++
		if r.Result != g.Value || g.Value == oracle.TooEarly {
			return fmt.Errorf("the answer was %s", g.Value)
		}
		return nil
	}
	if d.Settled == nil || d.Settled.Winner != r.Result || d.Settled.Reopened {
		return fmt.Errorf("the dispute came to %+v", d.Settled)
	}
	if r.Result == oracle.TooEarly && (r.Reopened || !r.Free(g) || g.Value == oracle.TooEarly) {
		return fmt.Errorf("TOO_EARLY should have reopened it")
	}
	return nil
}

// dispute checks a settlement by other sums than those that made it.
func (w *watcher) dispute(r *oracle.Record, d *oracle.Dispute) error {
	s := d.Settled
	var answer, counter oracle.Given
	for i, g := range r.Answers {
		if g.Counter && g.Clock == d.Countered {
			answer, counter = r.Answers[i-1], g
		}
	}
	count := map[oracle.Value]int{}
	for _, v := range d.Reveals {
		count[v.Value]++
		c, ok := d.CommitOf(v.Seat)
		key := d.Producers[v.Seat]
		i := slices.IndexFunc(producerKeys(6), func(k types.PublicKey) bool { return k.Hash() == key.Hash() })
		if !ok || c.Hash != oracle.BallotCommit(testChain, r.ID, key.Hash(), v.Value, saltOf(i, r.ID)) {
			return fmt.Errorf("seat %d has revealed what it had not committed to", v.Seat)
		}
		if c.Clock < d.CommitAt || c.Clock >= d.RevealAt || v.Clock < d.RevealAt || v.Clock >= d.EndsAt {
			return fmt.Errorf("ballots at clocks %d and %d", c.Clock, v.Clock)
		}
	}
	quorum := 2*len(d.Producers)/3 + 1
	held := uint64(0)
	for _, g := range []oracle.Given{answer, counter} {
		if g.Value != s.Winner {
			held += r.Deposit // what a losing side has at stake, a free answer's included
		}
	}
	switch {
	case !s.Decided:
		w.seen.ends["undecided"]++
		for v, n := range count {
			if n >= quorum {
				return fmt.Errorf("%d reveals for %s are a quorum", n, v)
			}
		}
		if s.Burned < r.Deposit || s.Winner != oracle.Invalid {
			return fmt.Errorf("both bonds of %d lose half at least", r.Deposit)
		}
		return nil
	case count[s.Winner] < quorum:
		return fmt.Errorf("%d reveals are no quorum of %d", count[s.Winner], len(d.Producers))
	case 2*s.Burned < held:
		return fmt.Errorf("%d are burned where %d are lost", s.Burned, held)
	case s.Rewards > held/5 || s.Rewards != s.PerProducer*uint64(count[s.Winner]):
		return fmt.Errorf("rewards of what is lost, %d", held)
	case s.Winner == oracle.TooEarly && (d.Life > 0 || answer.Clock >= r.AnswerBy):
		return fmt.Errorf("TOO_EARLY is illegal")
	}
	name := "neither"
	if answer.Value == s.Winner {
		name = "answer"
	} else if counter.Value == s.Winner {
		name = "counter"
	}
	w.seen.ends[fmt.Sprintf("%s, free %t", name, r.Free(answer))]++
	w.seen.ends[s.Winner.String()]++
	if d.Life > 0 {
		w.seen.ends["second life"]++
	}
	if s.Reopened {
		w.seen.ends["reopened"]++
	}
	return nil
}

// play makes a sequence, and everything must hold after each block. In the end every question is over, and nothing is left in the
// queue or in escrow.
func play(t *testing.T, seed uint64, seen *coverage) error {
	g := newGambler(seed, 1)
	o := module.Guard(New(testChain, small()))
	w := &watcher{over: map[[32]byte][]byte{}, settled: map[life][]byte{}, seen: seen}
	block := func(s step) error {
		e, err := g.c.Block(t.Context(), module.Guard(s.extended(o)), s.clock, s.txs)
		if err == nil {
			err = e.Fault
		}
		if err == nil {
			err = w.check(g.c, e)
		}
		g.all = w.all
		if err != nil {
			return fmt.Errorf("seed %d, block %d at clock %d: %w", seed, g.c.Height, s.clock, err)
		}
		return nil
	}
	for range stepsPerSequence {
		if err := block(g.step()); err != nil {
			return err
		}
	}
	for len(g.c.Queue()) > 0 {
		if err := block(step{clock: max(g.c.Clock+1, g.c.Queue()[0])}); err != nil {
			return err
		}
	}
	if n := g.c.Escrows(); n != 0 || len(w.over) != len(w.all.questions) {
		return fmt.Errorf("seed %d: in the end %d are in escrow, %d of %d questions are over", seed, n, len(w.over), len(w.all.questions))
	}
	return nil
}

func TestRandomSequences(t *testing.T) {
	n := uint64(200)
	if *sequences > 0 {
		n = uint64(*sequences)
	}
	seen := newCoverage()
	const workers = 2
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for k := range uint64(workers) {
		wg.Go(func() {
			for seed := *firstSeed + k; seed < *firstSeed+n && errs[k] == nil; seed += workers {
				errs[k] = play(t, seed, seen)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		return
	}
	t.Logf("%d sequences, seeds from %d, %d blocks, ends of questions and disputes: %v, ballots refused: %v", n, *firstSeed, seen.blocks, seen.ends, seen.refused)
	// Sequences that never get anywhere show nothing.
	for s := oracle.Open; s <= oracle.Expired; s++ {
		if seen.states[s] < 50 {
			t.Errorf("state %s was seen %d times", s, seen.states[s])
		}
	}
	for _, e := range []oracle.RuleError{"", oracle.ErrWindow, oracle.ErrBondTooSmall, oracle.ErrFinal, oracle.ErrAnswered, oracle.ErrUnknownQuestion,
		oracle.ErrTimetable, oracle.ErrMalformed, oracle.ErrUnknownAction, oracle.ErrOutOfGas, oracle.ErrSameAnswer, oracle.ErrCountered, oracle.ErrNotInSnapshot,
		oracle.ErrDoubleCommit, oracle.ErrRevealMismatch, oracle.ErrBadSignature} {
		if seen.errs[string(e)] < 10 {
			t.Errorf("error %q was seen %d times", e, seen.errs[string(e)])
		}
	}
	for _, e := range []oracle.RuleError{oracle.ErrWindow, oracle.ErrFinal, oracle.ErrUnknownQuestion, oracle.ErrNotInSnapshot, oracle.ErrDoubleCommit,
		oracle.ErrRevealMismatch, oracle.ErrMalformed} {
		if seen.refused[e] < 3 {
			t.Errorf("ballots in extensions were refused with %q %d times", e, seen.refused[e])
		}
	}
	for _, k := range []string{"undisputed", "undecided", "answer, free true", "answer, free false", "counter, free true", "counter, free false",
		"neither, free true", "neither, free false", "YES", "NO", "INVALID", "TOO_EARLY", "reopened", "second life"} {
		if seen.ends[k] == 0 {
			t.Errorf("%q was seen %d times", k, seen.ends[k])
		}
	}
}

// TestManyWaysOneResult plays the same operations in one block a step, one block a transaction, in a fresh instance each
// time, and through gRPC: the state must be the same.
func TestManyWaysOneResult(t *testing.T) {
	for seed := range uint64(12) {
		g := newGambler(seed, 2)
		o := New(testChain, small())
		in, err := moduletest.Remote(factory()).Open()
		if err != nil {
			t.Fatal(err)
		}
		single, remote := funded(), funded()
		play := func(how string, c *moduletest.Core, m module.Module, s step) {
			c.Producers = g.c.Producers
			if e, err := c.Block(t.Context(), s.extended(m), s.clock, s.txs); err != nil || e.Fault != nil {
				t.Fatalf("seed %d, %s: %v, %v", seed, how, err, e)
			}
		}
		for range 40 {
			s := g.step()
			play("whole blocks", g.c, o, s)
			if g.all, err = decodeAll(g.c); err != nil {
				t.Fatal(err)
			}
			play("gRPC", remote, in.Module, s)
			before := s
			before.txs = []module.Tx{idle()}
			play("one by one", single, New(testChain, small()), before)
			for i := range s.txs {
				play("one by one", single, New(testChain, small()), step{clock: s.clock, txs: s.txs[i : i+1]})
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

// TestBacklogDecidesNothing plays the same operations where the queue delivers what is due, and where it never delivers anything:
// what is accepted must be the same, and in the end everybody must have the same.
func TestBacklogDecidesNothing(t *testing.T) {
	accepted := 0
	for seed := range uint64(40) {
		g := newGambler(seed, 3)
		g.noClose = true
		lazy := funded()
		o := New(testChain, small())
		for range 40 {
			s := g.step()
			e, err := g.c.Block(t.Context(), s.extended(o), s.clock, s.txs)
			if err != nil || e.Fault != nil {
				t.Fatal(err, e)
			}
			lazy.Producers = g.c.Producers
			m := s.extended(o)
			m.lazy = true
			f, err := lazy.Block(t.Context(), m, s.clock, s.txs)
			if err != nil || f.Fault != nil {
				t.Fatal(err, f)
			}
			for i := range e.Txs {
				if a, b := e.Txs[i], f.Txs[i]; a.Error != b.Error {
					t.Fatalf("seed %d, clock %d, transaction %d: %q (%s), with a backlog %q (%s)", seed, s.clock, i, a.Error, a.Detail, b.Error, b.Detail)
				} else if a.Error == "" {
					accepted++
				}
			}
			if a, b := refused(e.Block.Events), refused(f.Block.Events); !slices.Equal(a, b) {
				t.Fatalf("seed %d, clock %d: ballots %v, with a backlog %v", seed, s.clock, a, b)
			}
			if g.all, err = decodeAll(g.c); err != nil {
				t.Fatal(err)
			}
		}
		end := g.c.Clock + 1_000
		for {
			if e, err := g.c.Block(t.Context(), o, end, []module.Tx{idle()}); err != nil || e.Fault != nil {
				t.Fatal(err, e)
			}
			if len(g.c.Queue()) == 0 {
				break
			}
			end++
		}
		for id, r := range mustAll(t, lazy).questions {
			if r.State.Closed() {
				continue
			}
			x := tx(1, account(0), closeOf(id))
			if f, err := lazy.Block(t.Context(), extended{Module: o, lazy: true}, end, []module.Tx{x}); err != nil || f.Fault != nil || f.Txs[0].Error != "" {
				t.Fatal(err, f)
			}
		}
		for _, c := range []*moduletest.Core{g.c, lazy} {
			if err := holds(c); err != nil {
				t.Fatal(err)
			}
		}
		accounts := []types.AccountID{types.BurnAccount}
		for i := range 6 {
			accounts = append(accounts, account(i), producerAccount(i))
		}
		for i, a := range accounts {
			if x, y := g.c.Balance(a), lazy.Balance(a); x != y {
				t.Errorf("seed %d: account %d has %d, with a backlog %d", seed, i, x, y)
			}
		}
	}
	if accepted < 300 {
		t.Errorf("only %d transactions were accepted", accepted)
	}
}

func mustAll(t *testing.T, c *moduletest.Core) *everything {
	t.Helper()
	all, err := decodeAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// anything is what a stranger and a hostile producer can say to a module, and when.
type anything struct {
	name              string
	body, extension   []byte
	spend, gas, clock uint64
	due               bool
}

// seeds are things that are said with some sense.
func seeds() (out []anything) {
	for _, t := range validTxs(3, 4) {
		out = append(out, anything{t.Actions[0].Name, t.Actions[0].Body, nil, 1_000, 1 << 40, moduletest.Clock, true})
	}
	id, at := fuzzQuestion(), uint64(moduletest.Clock+2)
	ext := oracle.EncodeBallots
	return append(out,
		anything{oracle.ActionAnswer, oracle.Answer{ID: [32]byte{1}, Value: oracle.Yes}.Encode(), []byte{1}, 0, ^uint64(0), ^uint64(0), true},
		anything{oracle.ActionCounter, oracle.Counter{ID: id, Value: oracle.Invalid}.Encode(), ext([]oracle.Ballot{commitOf(0, id, at, oracle.No)}), 1_000, 1 << 40, 3, false},
		anything{oracle.ActionBallot, carry(1, commitOf(1, id, at, oracle.No)).Body,
			ext([]oracle.Ballot{revealOf(0, id, at, oracle.No), commitOf(0, [32]byte{1}, 0, oracle.No)}), 0, 1 << 40, 19, false})
}

// say has it said, twice, to a module that has a dispute under way.
func (a anything) say(t *testing.T) *moduletest.Effect {
	id := fuzzQuestion()
	c := moduletest.NewCore(testChain, nil)
	c.Producers = producerKeys(4)
	o := module.Guard(New(testChain, small()))
	txs := append(validTxs(1, 4), tx(5, account(3), counterOf(id, oracle.No, 1_000)))
	c.FundAll(txs)
	if e, err := c.Block(t.Context(), o, moduletest.Clock, txs); err != nil || e.Fault != nil || e.Txs[4].Error != "" {
		t.Fatal(err, e)
	}
	votes := [][]byte{oracle.EncodeBallots([]oracle.Ballot{commitOf(0, id, moduletest.Clock+2, oracle.No)})}
	if e, err := c.Block(t.Context(), extended{o, producerKey(0).Hash(), votes, false}, moduletest.Clock+2, []module.Tx{idle()}); err != nil || e.Fault != nil {
		t.Fatal(err, e)
	}
	x := tx(1, account(0), types.Action{Name: a.name, Body: a.body, MaxSpend: min(a.spend, 1<<50)})
	x.MaxGas = a.gas
	c.FundAll([]module.Tx{x, x})
	clock := a.clock
	if !a.due {
		clock = moduletest.Clock + 2 + clock%48
	}
	m := module.Guard(extended{o, producerKey(0).Hash(), [][]byte{a.extension}, false})
	e, err := c.Block(t.Context(), m, clock, []module.Tx{x, x, idle()})
	if err != nil || e.Fault != nil {
		t.Fatal(err, e)
	}
	if err := holds(c); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAnything says things that have lost their sense at random places.
func TestAnything(t *testing.T) {
	rnd := rand.New(rand.NewPCG(18, 1))
	n := max(200, *sequences)
	done := 0
	for range n {
		some := seeds()
		a := some[rnd.IntN(len(some))]
		for _, b := range []*[]byte{&a.body, &a.extension} {
			*b = bytes.Clone(*b)
			for range rnd.IntN(3) {
				if len(*b) > 0 {
					(*b)[rnd.IntN(len(*b))] ^= byte(1 << rnd.IntN(8))
				}
			}
			if rnd.IntN(8) == 0 {
				*b = (*b)[:rnd.IntN(len(*b)+1)]
			}
		}
		if rnd.IntN(4) == 0 {
			a.clock, a.due = rnd.Uint64(), rnd.IntN(2) == 0
		}
		if a.say(t).Txs[0].Error == "" {
			done++
		}
	}
	if done == 0 || done == n {
		t.Errorf("%d of %d were accepted", done, n)
	}
}

// FuzzExecute gives the module whatever there is: any action, at any clock, due or not, and any extension.
func FuzzExecute(f *testing.F) {
	for _, a := range seeds() {
		f.Add(a.name, a.body, a.spend, a.gas, a.clock, a.due, a.extension)
	}
	f.Fuzz(func(t *testing.T, name string, body []byte, spend, gas, clock uint64, due bool, extension []byte) {
		if len(body) <= 1<<16 && len(extension) <= types.MaxExtensionBytes {
			anything{name, body, extension, spend, gas, clock, due}.say(t)
		}
	})
}

// fuzzQuestion is the id of one that is answered in the fuzz test's first block.
func fuzzQuestion() [32]byte {
	some := validTxs(1, 4)
	return oracle.QuestionID(testChain, some[0].Account, mustText(some[0]), some[0].ID, 0)
}

// newGambler makes a player whose producers are of a random number.
func newGambler(seed, kind uint64) *gambler {
	g := &gambler{rnd: rand.New(rand.NewPCG(seed, kind)), c: funded(), all: &everything{}, voted: map[life]map[int]oracle.Value{}}
	g.c.Producers = producerKeys(1 + g.rnd.IntN(4))
	return g
}

func funded() *moduletest.Core {
	c := moduletest.NewCore(testChain, nil)
	for i := range 4 {
		c.Fund(account(i), 1_000_000)
	}
	return c
}
