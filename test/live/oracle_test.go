package live

import (
	"sync"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// TestOracle lets a network of four answer and dispute questions, and compares what everybody has afterwards with a table, to the
// last unit. The last node's observer is a program that never ends; it votes only where its operator says so.
func TestOracle(t *testing.T) {
	ctx := bounded(t, 4*time.Minute)
	n := newNetwork(t, ctx, build{
		spec: specification{nodes: 4, producers: 4, slot: 200 * time.Millisecond, oracle: oracleLines(), chain: free()},
		adjust: func(c *chainspec.Node) {
			if c.Name == "node-3" {
				c.Chains[0].Oracle.Local = []byte(`{"observer":"command","observer_command":["/bin/sleep","1000"],"observer_timeout":2000000000}`)
			}
		},
	})
	n.up(n.all()...)

	no, yes := oracle.No, oracle.Yes
	var everybody []*person
	people := map[string]*person{}
	for _, s := range []string{"quiet", "countered", "absent", "split", "hanging"} {
		for _, role := range []string{"asker", "answerer", "counterer"} {
			p := newPerson(s + "/" + role)
			people[p.name] = p
			everybody = append(everybody, p)
		}
	}
	n.fund(1000*tokens, everybody...)
	n.more(1, n.all()...)
	before := n.wealth(0, everybody...)

	var wg sync.WaitGroup
	var questions [5]*question
	ask := func(k int, name string, first *oracle.Value) *question {
		questions[k] = n.asks(k%4, people[name+"/asker"], "Did it rain in Oslo? ("+name+")", first)
		return questions[k]
	}
	// Nobody contradicts: deposit and bond come back.
	quiet := ask(0, "quiet", nil)
	// The asker's own answer is contradicted, and all producers say that it is wrong.
	countered := ask(1, "countered", &yes)
	// One producer never votes; three of four are a quorum.
	absent := ask(2, "absent", nil)
	// Two against two: no quorum.
	split := ask(3, "split", nil)
	// Three of four say that the question has no answer; the observer of the fourth hangs.
	hanging := ask(4, "hanging", nil)

	for _, c := range []struct {
		q        *question
		name     string
		answer   *oracle.Value
		counter  *oracle.Value
		ballots  map[oracle.Value][]int
		answerer int
	}{
		{q: quiet, name: "quiet", answer: &yes},
		{q: countered, name: "countered", counter: &no, ballots: map[oracle.Value][]int{oracle.No: {0, 1, 2, 3}}},
		{q: absent, name: "absent", answer: &yes, counter: &no, ballots: map[oracle.Value][]int{oracle.Yes: {0, 1, 3}}},
		{q: split, name: "split", answer: &yes, counter: &no, ballots: map[oracle.Value][]int{oracle.Yes: {0, 1}, oracle.No: {2, 3}}},
		{q: hanging, name: "hanging", answer: &yes, counter: &no, ballots: map[oracle.Value][]int{oracle.Invalid: {0, 1, 2}}},
	} {
		wg.Go(func() {
			if c.answer != nil {
				c.q.answers(1, people[c.name+"/answerer"], *c.answer)
			}
			if c.counter != nil {
				c.q.counters(2, people[c.name+"/counterer"], *c.counter)
			}
			for v, nodes := range c.ballots {
				c.q.believe(v, nodes...)
			}
		})
	}
	wg.Wait()
	results := map[*question]oracle.Value{quiet: yes, countered: no, absent: yes, split: oracle.Invalid, hanging: oracle.Invalid}
	for _, q := range questions {
		for i := range n.state.Nodes {
			v := q.reaches(i, oracle.Final)
			if v.Result == nil || *v.Result != results[q] {
				t.Errorf("%s on %s: result %v, want %s", v.Text, n.name(i), v.Result, results[q])
			}
			if v.Escrow != 0 {
				t.Errorf("%s on %s: %d are left in escrow", v.Text, n.name(i), v.Escrow)
			}
		}
	}
	for name, want := range map[string]int{"countered": 4, "absent": 3, "split": 4, "hanging": 3} {
		q := map[string]*question{"countered": countered, "absent": absent, "split": split, "hanging": hanging}[name]
		v, err := q.see(0)
		if err != nil || v.Dispute == nil || len(v.Dispute.Reveals) != want {
			t.Errorf("%s: %v, dispute %+v, want %d reveals", name, err, v.Dispute, want)
		}
	}
	n.more(1, n.all()...)
	const half, fifth = (deposit + 1) / 2, deposit / 5
	n.settled(before, n.wealth(0, everybody...), money{
		"countered/asker":     -deposit, // its free answer was backed by the deposit
		"countered/counterer": deposit - half - fifth,
		"absent/answerer":     deposit - half - fifth,
		"absent/counterer":    -deposit,
		"split/answerer":      -half,
		"split/counterer":     -half,
		"hanging/asker":       -deposit, // voted INVALID
		"hanging/answerer":    -deposit,
		"hanging/counterer":   -deposit,
		"node-0":              fifth/4 + fifth/3 + 2*deposit/5/3,
		"node-1":              fifth/4 + fifth/3 + 2*deposit/5/3,
		"node-2":              fifth/4 + 2*deposit/5/3,
		"node-3":              fifth/4 + fifth/3,
		"burned": half + fifth%4 + // countered
			half + fifth%3 + // absent
			2*half + // split
			3*deposit - 2*deposit/5/3*3, // hanging: all but the producers' part
	}, 0)
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
	n.observes(3, hanging)
}

// observes checks that a node tells its operator why it has no answer to a question.
func (n *network) observes(node int, q *question) {
	n.Helper()
	c := n.admin(node)
	defer c.Close()
	list, err := c.OracleObservations(n.ctx, n.chain)
	if err != nil {
		n.Fatal(err)
	}
	for _, o := range list {
		if o.Question == q.id {
			if o.Attempts == 0 || o.Reason == "" || o.Value != nil {
				n.Errorf("%s shows its operator %+v", n.name(node), o)
			}
			return
		}
	}
	n.Errorf("%s shows its operator nothing of question %s: %+v", n.name(node), q.id.Short(), list)
}
