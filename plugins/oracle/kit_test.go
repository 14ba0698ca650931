package prophecy

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// producer i of the tests.
func producer(i int) ed25519.PrivateKey {
	if i < len(fewProducers) {
		return fewProducers[i]
	}
	return makeProducer(i)
}

// fewProducers are those that are wanted again and again.
var fewProducers = func() (out [8]ed25519.PrivateKey) {
	for i := range out {
		out[i] = makeProducer(i)
	}
	return out
}()

func makeProducer(i int) ed25519.PrivateKey {
	seed := types.Sum("test/producer\x00", fmt.Append(nil, i))
	return ed25519.NewKeyFromSeed(seed[:])
}

func producerKey(i int) types.PublicKey {
	return types.Ed25519Key(producer(i).Public().(ed25519.PublicKey))
}

func producerKeys(n int) []types.PublicKey {
	out := make([]types.PublicKey, n)
	for i := range out {
		out[i] = producerKey(i)
	}
	return out
}

func producerAccount(i int) types.AccountID { return types.SingleKeyAuthority(producerKey(i)).ID() }

func saltOf(i int, id [32]byte) [32]byte {
	return types.Sum("test/salt\x00", fmt.Append(nil, i), id[:])
}

// commitOf and revealOf are the two halves of a vote of producer i.
func commitOf(i int, id [32]byte, commitAt uint64, v oracle.Value) oracle.Ballot {
	return oracle.Ballot{Question: id, CommitAt: commitAt, Phase: oracle.Commit,
		Commit: oracle.BallotCommit(testChain, id, producerKey(i).Hash(), v, saltOf(i, id))}
}

func revealOf(i int, id [32]byte, commitAt uint64, v oracle.Value) oracle.Ballot {
	return oracle.Ballot{Question: id, CommitAt: commitAt, Phase: oracle.Reveal, Value: v, Salt: saltOf(i, id)}
}

// carry signs a ballot of producer i for a transaction.
func carry(i int, b oracle.Ballot) types.Action {
	c := oracle.Carried{Ballot: b, Key: producerKey(i)}
	c.Sig = ed25519.Sign(producer(i), types.PluginSignBytes(types.Hash(testChain), "oracle", b.Purpose(), b.Payload()))
	return types.Action{Name: oracle.ActionBallot, Body: c.Encode()}
}

// extended is a module whose blocks have extensions of a producer. Without work the core of the tests makes no block, so there
// must be a transaction in it. With lazy, nothing of the queue is delivered, as if all of it had to wait for ever.
type extended struct {
	module.Module
	producer types.Hash
	data     [][]byte
	lazy     bool
}

// Execute implements module.Module.
func (m extended) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	c := *b
	c.Producer, c.Extensions = m.producer, m.data
	if m.lazy {
		c.Due = nil
	}
	return m.Module.Execute(ctx, &c, r)
}

// idle is a transaction that does nothing.
func idle() module.Tx {
	return tx(-1, account(0), types.Action{Name: oracle.ActionClose, Body: oracle.Close{ID: [32]byte{0xff}}.Encode()})
}

// extend executes a block of producer i with ballots in its extension.
func (w *world) extend(clock uint64, i int, ballots ...oracle.Ballot) *moduletest.Effect {
	w.t.Helper()
	return w.extendRaw(clock, i, oracle.EncodeBallots(ballots))
}

func (w *world) extendRaw(clock uint64, i int, data ...[]byte) *moduletest.Effect {
	w.t.Helper()
	e, err := w.Block(w.t.Context(), module.Guard(extended{w.o, producerKey(i).Hash(), data, false}), clock, []module.Tx{idle()})
	if err != nil || e.Fault != nil {
		w.t.Fatalf("block at clock %d: %v, %v", clock, err, e)
	}
	if err := holds(w.Core); err != nil {
		w.t.Fatalf("after the block at clock %d: %v", clock, err)
	}
	return e
}

// refused returns the errors of the ballots in extensions of a block.
func refused(events []module.Event) (out []oracle.RuleError) {
	for _, e := range events {
		var v oracle.RefusedEvent
		if e.Name == oracle.EventBallotRefused && json.Unmarshal(e.Data, &v) == nil {
			out = append(out, v.Error)
		}
	}
	return out
}

// everything decodes the whole state.
type everything struct {
	questions map[[32]byte]*oracle.Record
	disputes  map[life]*oracle.Dispute
	index     map[[32]byte]uint64 // clock at which commits begin
}

func decodeAll(c *moduletest.Core) (*everything, error) {
	all := &everything{map[[32]byte]*oracle.Record{}, map[life]*oracle.Dispute{}, map[[32]byte]uint64{}}
	items := c.Items()
	find := func(it module.Item) []byte {
		i, ok := slices.BinarySearchFunc(items, it, func(v module.Value, it module.Item) int { return v.Item.Compare(it) })
		if !ok {
			return nil
		}
		return items[i].Data
	}
	known := 0
	for _, v := range items {
		if !oracle.IsItem(v.Item) {
			continue
		}
		known++
		r, err := oracle.DecodeRecord(v.Data)
		if err != nil || v.Item != oracle.Item(r.ID) || !bytes.Equal(r.Encode(), v.Data) {
			return nil, fmt.Errorf("question %x: %v", v.Item.Key, err)
		}
		all.questions[r.ID] = r
		for n := range 2 {
			base, commits := find(oracle.DisputeItem(r.ID, n)), find(oracle.CommitsItem(r.ID, n))
			if (base != nil) != r.WasDisputed(n) {
				return nil, fmt.Errorf("question %x, life %d: a dispute is there: %t", r.ID[:4], n, base != nil)
			}
			if base == nil {
				continue
			}
			d, err := oracle.DecodeDispute(base, commits)
			if err != nil || d.ID != r.ID || d.Life != n || !bytes.Equal(d.Encode(), base) || !bytes.Equal(d.EncodeCommits(), commits) {
				return nil, fmt.Errorf("dispute of question %x: %v", r.ID[:4], err)
			}
			if known++; commits != nil {
				known++
			}
			all.disputes[life{r.ID, n}] = d
		}
		if r.State.Disputed() {
			if find(oracle.DisputeIndex(r.CommitAt, r.ID)) == nil {
				return nil, fmt.Errorf("question %x is disputed and not in the index", r.ID[:4])
			}
			known++
			all.index[r.ID] = r.CommitAt
		}
	}
	if known != len(items) {
		return nil, fmt.Errorf("%d items in the state, %d of them belong to something", len(items), known)
	}
	return all, nil
}

// holds checks that tokens are conserved, that the escrows are what the records say, and that all of the state makes sense.
func holds(c *moduletest.Core) error {
	_, err := allHolds(c)
	return err
}

func allHolds(c *moduletest.Core) (*everything, error) {
	if err := c.Conserved(); err != nil {
		return nil, err
	}
	all, err := decodeAll(c)
	if err != nil {
		return nil, err
	}
	sum := uint64(0)
	for id, r := range all.questions {
		if got := c.Escrow(oracle.Item(id)); got != r.Escrow() {
			return nil, fmt.Errorf("escrow of question %x is %d, deposit and open bonds are %d", id[:4], got, r.Escrow())
		}
		sum += r.Escrow()
		if r.State.Disputed() {
			d := all.disputes[life{id, r.Life()}]
			if d == nil || d.CommitAt != r.CommitAt || d.RevealAt != r.RevealAt || d.EndsAt != r.EndsAt || d.Settled != nil {
				return nil, fmt.Errorf("question %x is %s, its dispute is %+v", id[:4], r.State, d)
			}
		} else if r.CommitAt+r.RevealAt+r.EndsAt > 0 {
			return nil, fmt.Errorf("question %x is %s and has clocks of a dispute", id[:4], r.State)
		}
	}
	if got := c.Escrows(); got != sum {
		return nil, fmt.Errorf("the module's escrows hold %d, deposits and open bonds are %d", got, sum)
	}
	return all, nil
}
