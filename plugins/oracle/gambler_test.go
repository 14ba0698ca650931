package prophecy

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// step is a block of a random sequence.
type step struct {
	clock    uint64
	txs      []module.Tx
	producer int
	data     [][]byte // extensions
}

func (s step) extended(m module.Module) extended {
	return extended{m, producerKey(s.producer).Hash(), s.data, false}
}

// gambler makes random steps, and looks at what became of them to find the next boundary.
type gambler struct {
	rnd     *rand.Rand
	c       *moduletest.Core
	all     *everything // the state after the last step
	ids     [][32]byte
	n       int
	noClose bool
	voted   map[life]map[int]oracle.Value // what producers have committed to
}

func (g *gambler) who() types.AccountID { return account(g.rnd.IntN(4)) }

func (g *gambler) value() oracle.Value { return oracle.Value(g.rnd.IntN(4)) }

// idIn is mostly a question in a state.
func (g *gambler) idIn(want oracle.State) [32]byte {
	var some [][32]byte
	for id, r := range g.all.questions {
		if r.State == want {
			some = append(some, id)
			for range 5 * r.Life() { // rare, and for that more interesting
				some = append(some, id)
			}
		}
	}
	if len(some) == 0 || g.rnd.IntN(4) == 0 {
		return g.id()
	}
	slices.SortFunc(some, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return some[g.rnd.IntN(len(some))]
}

// open is how many questions are not over.
func (g *gambler) open() (n int) {
	for _, r := range g.all.questions {
		if !r.State.Closed() {
			n++
		}
	}
	return n
}

func (g *gambler) id() [32]byte {
	if len(g.ids) == 0 || g.rnd.IntN(20) == 0 {
		return [32]byte{byte(g.rnd.IntN(3))}
	}
	// Mostly one of the last, which are not over yet.
	return g.ids[len(g.ids)-1-g.rnd.IntN(min(len(g.ids), 6))]
}

// disputes are those that are under way, in order.
func (g *gambler) disputes() (out []*oracle.Record) {
	for _, id := range slices.SortedFunc(maps.Keys(g.all.index), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }) {
		out = append(out, g.all.questions[id])
	}
	return out
}

// ballot is mostly one that makes sense for producer i at a clock; mostly the producers of a question agree.
func (g *gambler) ballot(i int, clock uint64) oracle.Ballot {
	open := g.disputes()
	if len(open) == 0 && g.rnd.IntN(2) == 0 && len(g.ids) > 0 {
		return commitOf(i, g.ids[len(g.ids)-1], clock, g.value())
	}
	if len(open) == 0 || g.rnd.IntN(20) == 0 {
		return commitOf(i, g.id(), clock, g.value())
	}
	return g.ballotOn(open[g.rnd.IntN(len(open))], i, clock, true)
}

// ballotOn is what producer i has to say on a question at a clock, or, with noise, now and then something else.
func (g *gambler) ballotOn(q *oracle.Record, i int, clock uint64, noise bool) oracle.Ballot {
	l := life{q.ID, q.Life()}
	if g.voted[l] == nil {
		g.voted[l] = map[int]oracle.Value{}
	}
	v, known := g.voted[l][i]
	if !known {
		if v = oracle.Value(q.ID[5]+byte(l.n)) % 4; g.rnd.IntN(8) == 0 {
			v = g.value()
		}
		g.voted[l][i] = v
	}
	if noise && g.rnd.IntN(8) == 0 {
		v = g.value()
	}
	at := q.CommitAt
	if noise && g.rnd.IntN(15) == 0 {
		at++
	}
	if reveal := clock >= q.RevealAt; reveal != (noise && g.rnd.IntN(15) == 0) {
		return revealOf(i, q.ID, at, v)
	}
	return commitOf(i, q.ID, at, v)
}

func (g *gambler) action(clock uint64, from types.AccountID, n, index int) types.Action {
	switch p := g.rnd.IntN(28); {
	case p < 6 && g.open() < 4:
		a := oracle.Ask{Text: fmt.Sprintf("Question %d?", g.rnd.IntN(5)), AnswerBy: clock + uint64(g.rnd.IntN(90))}
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
	case p < 13:
		return answerTo(g.idIn(oracle.Open), g.value(), uint64(g.rnd.IntN(6))*65)
	case p < 19:
		return counterOf(g.idIn(oracle.Answered), g.value(), uint64(g.rnd.IntN(6))*65)
	case p < 21 && !g.noClose:
		return closeOf(g.id())
	case p < 26:
		i := g.rnd.IntN(6)
		a := carry(i, g.ballot(i, clock))
		if g.rnd.IntN(8) == 0 {
			a.Body[len(a.Body)-1-g.rnd.IntN(60)] ^= 1
		}
		return a
	default:
		body := oracle.Answer{ID: g.id(), Value: g.value()}.Encode()
		body[g.rnd.IntN(len(body))] ^= byte(1 << g.rnd.IntN(8))
		names := []string{oracle.ActionAsk, oracle.ActionAnswer, oracle.ActionCounter, oracle.ActionBallot, "open"}
		return types.Action{Name: names[g.rnd.IntN(len(names))], Body: body, MaxSpend: 150}
	}
}

func (g *gambler) step() step {
	s := step{clock: g.clock(), producer: g.rnd.IntN(5)}
	if g.rnd.IntN(12) == 0 { // another epoch
		g.c.Producers = producerKeys(1 + g.rnd.IntN(5))
	}
	if g.rnd.IntN(4) > 0 && len(g.c.Producers) > 0 {
		s.producer = g.rnd.IntN(len(g.c.Producers))
	}
	if g.rnd.IntN(4) > 0 {
		var ballots []oracle.Ballot
		for _, q := range g.disputes() {
			if g.rnd.IntN(6) > 0 {
				ballots = append(ballots, g.ballotOn(q, s.producer, s.clock, g.rnd.IntN(3) == 0))
			}
		}
		if g.rnd.IntN(6) == 0 {
			ballots = append(ballots, g.ballot(s.producer, s.clock))
		}
		if g.rnd.IntN(20) == 0 && len(ballots) > 0 {
			ballots[0].Salt[3]++
		}
		if x := oracle.EncodeBallots(ballots); x != nil {
			if g.rnd.IntN(12) == 0 {
				x[g.rnd.IntN(len(x))] ^= byte(1 << g.rnd.IntN(8))
			}
			s.data = append(s.data, x)
		}
		if len(s.data) > 0 {
			s.txs = append(s.txs, idle())
		}
	}
	for _, q := range g.disputes() {
		if g.rnd.IntN(5) < 3 && s.clock >= q.CommitAt {
			s.txs = append(s.txs, g.everybody(q, s.clock))
		}
	}
	for range g.rnd.IntN(6) {
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

// everybody is a transaction that carries ballots of most of the producers that decide a question.
func (g *gambler) everybody(q *oracle.Record, clock uint64) module.Tx {
	d := g.all.disputes[life{q.ID, q.Life()}]
	var actions []types.Action
	for _, key := range d.Producers {
		for i := range 6 {
			if key.Hash() != producerKey(i).Hash() || g.rnd.IntN(12) == 0 {
				continue
			}
			b := g.ballotOn(q, i, clock, g.rnd.IntN(20) == 0)
			if _, ok := d.RevealOf(d.Seat(key)); !ok || b.Phase != oracle.Reveal || g.rnd.IntN(8) == 0 {
				actions = append(actions, carry(i, b))
			}
		}
	}
	if len(actions) == 0 {
		return idle()
	}
	g.n++
	return tx(g.n, g.who(), actions...)
}

// clock is mostly a boundary of some question, or next to one.
func (g *gambler) clock() uint64 {
	now := g.c.Clock
	var edges []uint64
	for _, r := range g.all.questions {
		if r.State.Closed() {
			continue
		}
		t := small()
		due, _ := t.Due(r)
		for _, e := range []uint64{r.Open, r.AnswerBy, t.AskerUntil(r), t.ExpiresAt(r), due, r.CommitAt, r.RevealAt, r.EndsAt} {
			for _, e := range []uint64{e - 1, e, e + 1} {
				if e >= now && e < now+100 {
					edges = append(edges, e)
				}
			}
		}
	}
	slices.Sort(edges)
	switch p := g.rnd.IntN(20); {
	case p < 12 || len(edges) == 0:
		return now + uint64(g.rnd.IntN(3))
	case p < 18:
		return edges[g.rnd.IntN(min(len(edges), 8))]
	case p < 19:
		return edges[g.rnd.IntN(len(edges))]
	}
	return now + uint64(g.rnd.IntN(40))
}
