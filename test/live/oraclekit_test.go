package live

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const tokens = 1_000_000 // of the smallest unit in a token

// deposit is that of a question for less than a day on the chains of these scenarios: it divides into nothing, so that every
// settlement has dust.
const deposit = 101_000_007

// oracleLines are the lines of an oracle block with windows that a scenario can wait for. The producers make ten blocks
// each in every window, so that a slow machine does not cost them their vote.
func oracleLines() []string {
	return []string{`base = "100.000007 ALTO"`, `per_day = "1 ALTO"`, `challenge = "5s"`, `initiator_window = "2s"`, `notice = "2s"`,
		`commit_window = "7s"`, `reveal_window = "7s"`}
}

// free are the lines of a chain on which transactions cost nothing, so that a balance tells what was settled and nothing else.
func free() []string {
	return []string{"fees {\n    per_byte = 0\n    per_gas = 0\n    floor = 0\n  }"}
}

// person is somebody with an account of their own.
type person struct {
	name string
	key  ed25519.PrivateKey
}

func newPerson(name string) *person {
	seed := sha256.Sum256([]byte("live/" + name))
	return &person{name, ed25519.NewKeyFromSeed(seed[:])}
}

// Public implements client.Signer.
func (p *person) Public() types.PublicKey {
	return types.Ed25519Key(p.key.Public().(ed25519.PublicKey))
}

// Sign implements client.Signer.
func (p *person) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(p.key, msg), nil }

// Account is the account whose only key it is.
func (p *person) Account() types.AccountID { return types.SingleKeyAuthority(p.Public()).ID() }

// fund gives people so much each.
func (n *network) fund(amount uint64, people ...*person) {
	n.Helper()
	from := n.accounts[0]
	for group := range slices.Chunk(people, 10) {
		var actions []types.Action
		for _, p := range group {
			actions = append(actions, client.Transfer(p.Account(), amount, nil))
		}
		env, _, err := n.clients[0].Make(n.ctx, n.chain, from.Account(), types.ModuleBank, actions, client.BuildOptions{}, from)
		if err == nil {
			_, err = n.clients[0].SubmitAndWait(n.ctx, n.chain, env, client.Final)
		}
		if err != nil {
			n.Fatal(err)
		}
	}
}

// oracle sends one action of the oracle through a node, and returns its transaction when it is final and done.
func (n *network) oracle(node int, p *person, name string, body []byte, spend uint64) types.TxID {
	n.Helper()
	id, err := n.tryOracle(node, p, name, body, spend)
	if err != nil {
		n.Fatalf("%s by %s: %v", name, p.name, err)
	}
	return id
}

func (n *network) tryOracle(node int, p *person, name string, body []byte, spend uint64) (types.TxID, error) {
	env, id, err := n.clients[node].Make(n.ctx, n.chain, p.Account(), oracle.ModuleName, []types.Action{{Name: name, Body: body, MaxSpend: spend}},
		client.BuildOptions{}, p)
	if err == nil {
		_, err = n.clients[node].SubmitAndWait(n.ctx, n.chain, env, client.Final)
	}
	return id, err
}

// question is a question under way.
type question struct {
	n  *network
	id types.Hash
}

// asks asks a question that is open at once.
func (n *network) asks(node int, p *person, text string, first *oracle.Value) *question {
	n.Helper()
	ref, err := n.clients[node].Reference(n.ctx, n.chain)
	if err != nil {
		n.Fatal(err)
	}
	body := oracle.Ask{Text: text, AnswerBy: ref.Clock + 10_000, First: first}.Encode()
	tx := n.oracle(node, p, oracle.ActionAsk, body, deposit)
	return &question{n, oracle.QuestionID(n.state.Chains[0].ID, p.Account(), text, tx, 0)}
}

// answers answers, with a bond, as soon as strangers may.
func (q *question) answers(node int, p *person, v oracle.Value) {
	q.n.Helper()
	body := oracle.Answer{ID: q.id, Value: v}.Encode()
	q.n.await("an answer by a stranger", func() error {
		_, err := q.n.tryOracle(node, p, oracle.ActionAnswer, body, deposit)
		if err != nil && !errors.Is(err, client.ErrTxFailed) {
			q.n.Fatalf("answer by %s: %v", p.name, err)
		}
		return err
	})
}

func (q *question) counters(node int, p *person, v oracle.Value) {
	q.n.Helper()
	q.n.oracle(node, p, oracle.ActionCounter, oracle.Counter{ID: q.id, Value: v}.Encode(), deposit)
}

// see asks a node how the question stands.
func (q *question) see(node int) (v oracle.View, err error) {
	raw, _, err := q.n.clients[node].Query(q.n.ctx, q.n.chain, oracle.ModuleName, oracle.PathQuestion+q.id.String(), nil)
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	return v, err
}

// reaches waits until a node has the question in a state.
func (q *question) reaches(node int, s oracle.State) (v oracle.View) {
	q.n.Helper()
	q.n.await(fmt.Sprintf("question %s to be %s on %s", q.id.Short(), s, q.n.name(node)), func() (err error) {
		if v, err = q.see(node); err == nil && v.State != s {
			err = fmt.Errorf("it is %s", v.State)
		}
		return err
	})
	return v
}

// admin is a client of a node's administration.
func (n *network) admin(node int) *client.Client {
	n.Helper()
	home := localnet.NodeDir(n.dir, n.name(node))
	token, err := api.ReadToken(localnet.AdminToken(home))
	if err != nil {
		n.Fatal(err)
	}
	c, err := client.New(localnet.AdminAddress(home), client.Options{Token: token})
	if err != nil {
		n.Fatal(err)
	}
	return c
}

// believe gives the answer of nodes' operators.
func (q *question) believe(v oracle.Value, nodes ...int) {
	q.n.Helper()
	for _, i := range nodes {
		c := q.n.admin(i)
		q.n.await("the operator's answer on "+q.n.name(i), func() error {
			return c.OracleBallot(q.n.ctx, q.n.chain, q.id, v, "looked at it")
		})
		c.Close()
	}
}

// money is what accounts have, by the names of their owners, "burned" among them.
type money map[string]int64

// wealth asks a node what people and the nodes' own accounts have.
func (n *network) wealth(node int, people ...*person) money {
	n.Helper()
	owners := map[string]types.AccountID{"burned": types.BurnAccount}
	for _, p := range people {
		owners[p.name] = p.Account()
	}
	for i, x := range n.state.Nodes {
		owners[n.name(i)] = types.SingleKeyAuthority(x.Key).ID()
	}
	out := money{}
	for name, id := range owners {
		n.await("the balance of "+name, func() error {
			a, err := n.clients[node].Account(n.ctx, n.chain, id)
			out[name] = int64(a.Balance)
			return err
		})
	}
	return out
}

// settled checks what has become of everybody's money. want is by how much it has changed; who is not named must have what they had.
// held is what questions that are not over hold.
func (n *network) settled(before, after, want money, held int64) {
	n.Helper()
	sum := held
	for _, name := range slices.Sorted(maps.Keys(before)) {
		got := after[name] - before[name]
		sum += got
		if got != want[name] {
			n.Errorf("%s: %+d, want %+d", name, got, want[name])
		}
	}
	for name := range want {
		if _, ok := before[name]; !ok {
			n.Errorf("the table names %s, whom nobody knows", name)
		}
	}
	if sum != 0 {
		n.Errorf("all changes sum to %d", sum)
	}
}
