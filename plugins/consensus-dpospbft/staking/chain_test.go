package staking

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// testBlock is what a test decides about a block.
type testBlock struct {
	gap      uint64 // slots after the parent's; 0 stands for 1
	final    uint64 // height that its FinalRef names
	absent   []int  // seats whose COMMIT is missing in the certificate; nil: no certificate
	vrf      bool
	ext      [][]byte
	txs      []module.Tx
	lost     bool // the module's results are dropped, as after a fault
	producer *types.Hash
	noHeader bool
}

// chain drives a module as the core does: it knows the set in force and obeys what the module writes.
type chain struct {
	t      testing.TB
	core   *moduletest.Core
	m      module.Module
	cfg    Config
	params map[string][]byte

	set          *types.Set
	height, slot uint64
	clock        uint64
	prevFinal    uint64 // that the last block's FinalRef names
	closes       bool   // the last block closed its epoch
	next         *types.Set
	n            int
	info         *module.ConsensusInfo // of the last block
	block        *module.Block         // as the module saw it
	sets         map[uint64]*types.Set
	effect       *moduletest.Effect
	k            uint
}

// newChain has a genesis set of seats whose keys are 0…seats-1, and accounts with tokens.
func newChain(t testing.TB, cfg Config, seats int) *chain {
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	var list []types.PublicKey
	for i := range seats {
		list = append(list, public(i))
	}
	c := &chain{t: t, core: moduletest.NewCore(testChain, nil), m: New(cfg), cfg: cfg, set: types.EqualSet(0, list), sets: map[uint64]*types.Set{}}
	c.sets[0] = c.set
	return c
}

// Check implements module.Module.
func (c *chain) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	return c.m.Check(ctx, txs)
}

// withInfo adds what the core tells of a block.
type withInfo struct {
	module.Module
	c  *chain
	tb *testBlock
}

func (w withInfo) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	c := w.c
	b.Slot, b.Consensus, b.Extensions, b.Params, b.Producer = c.slot, c.info, w.tb.ext, c.params, c.producer(w.tb)
	c.block = b
	return module.Guard(w.Module).Execute(ctx, b, r)
}

func (c *chain) producer(tb *testBlock) types.Hash {
	if tb.producer != nil {
		return *tb.producer
	}
	i := pbft.LeaderSeat(len(c.set.Seats), c.cfg.Turn, c.k, c.slot)
	if i < 0 {
		c.t.Fatalf("slot %d is not usable with k = %d", c.slot, c.k)
	}
	return c.set.Seats[i].Key.Hash()
}

// backoff is that of the next block.
func (c *chain) backoff() uint {
	h := c.height
	if c.closes {
		return 0
	}
	return pbft.Backoff(h-min(h, c.prevFinal), c.cfg.Turn)
}

// idle is a transaction that fails: the test core executes nothing for a block without any.
func (c *chain) idle() module.Tx {
	c.n++
	return tx(1<<40+c.n, account(1<<20), plain(types.ActionRetire))
}

// step executes a block. Gaps are lengthened to the next slot that is usable.
func (c *chain) step(tb testBlock) *moduletest.Effect {
	c.t.Helper()
	c.k = c.backoff()
	if c.closes {
		c.set = c.next
		c.sets[c.set.Epoch] = c.set
	}
	parent := c.slot
	c.slot += max(tb.gap, 1)
	for c.slot&(1<<c.k-1) != 0 {
		c.slot++
	}
	c.clock += min(c.slot-parent, 8)
	c.height++
	c.next, c.closes = c.pending(), false
	c.info = &module.ConsensusInfo{Epoch: c.set.Epoch, Set: c.set.Encode(), ParentSlot: parent}
	if c.next != nil && c.next.Epoch == c.set.Epoch+1 {
		c.info.Closes, c.closes = true, true
	}
	x := pbft.Extra{FinalRef: pbft.FinalRef{Height: tb.final}, VRF: make([]byte, consensus.VRFBytes)}
	if i := pbft.LeaderSeat(len(c.set.Seats), c.cfg.Turn, c.k, c.slot); tb.vrf && i >= 0 {
		if k, ok := keys[string(c.set.Seats[i].Key.Key)]; ok {
			x.VRF = ecvrf.Prove(voi.PrivateKey(k), consensus.VRFInput(c.set.Hash(), c.slot))
		}
	}
	if !tb.noHeader {
		c.info.Header = x.Encode()
	}
	if tb.absent != nil {
		cert := types.Certificate{Scheme: types.CertEd25519List, Epoch: c.set.Epoch, Height: tb.final, Bitmap: make([]byte, (len(c.set.Seats)+7)/8)}
		for i := range c.set.Seats {
			if !slices.Contains(tb.absent, i) {
				cert.Bitmap[i/8] |= 1 << (i % 8)
			}
		}
		c.info.Certificate = cert.Encode()
	}
	c.prevFinal = tb.final
	txs := tb.txs
	if len(txs) == 0 {
		txs = []module.Tx{c.idle()}
	}
	var before *moduletest.Core
	if tb.lost {
		before = c.core.Clone()
	}
	e, err := c.core.Block(c.t.Context(), withInfo{c.m, c, &tb}, c.clock, txs)
	if err != nil || e.Fault != nil {
		c.t.Fatalf("block %d at slot %d: %v, %v", c.height, c.slot, err, e)
	}
	if tb.lost {
		before.Height, before.Clock = c.core.Height, c.core.Clock
		c.core = before
	}
	c.effect = e
	if err := c.core.Conserved(); err != nil {
		c.t.Fatalf("block %d: %v", c.height, err)
	}
	return e
}

// pending returns the next set that the state holds.
func (c *chain) pending() *types.Set {
	v, _ := c.core.Reader().Read(context.Background(), module.BlockTx, []module.Item{nextSetItem()})
	if v[0] == nil {
		return nil
	}
	set, err := types.DecodeSet(v[0])
	if err != nil {
		c.t.Fatalf("block %d: the next set: %v", c.height, err)
	}
	return set
}

// read returns what lies under an item.
func (c *chain) read(it module.Item) record {
	v, _ := c.core.Reader().Read(context.Background(), module.BlockTx, []module.Item{it})
	r, err := decode(it, v[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *chain) epoch() *epoch {
	e, ok := c.read(epochItem()).(*epoch)
	if !ok {
		c.t.Fatal("no epoch")
	}
	return e
}

func (c *chain) seats() (out []seat) {
	for i := 0; len(out) < int(c.epoch().Seats); i++ {
		out = append(out, c.read(seatsItem(i)).(*seatChunk).Seats...)
	}
	return out
}

func (c *chain) producerOf(a types.AccountID) *producer {
	p, _ := c.read(producerItem(a)).(*producer)
	if p == nil {
		c.t.Fatalf("account %s is no producer", a)
	}
	return p
}

func (c *chain) ownerOf(a types.AccountID) *owner {
	o, _ := c.read(OwnerItem(a)).(*owner)
	if o == nil {
		return &owner{}
	}
	return o
}

// do executes actions of an account in a block of its own and checks the error's name.
func (c *chain) do(want Error, from types.AccountID, actions ...types.Action) module.Result {
	c.t.Helper()
	c.n++
	t := tx(c.n, from, actions...)
	c.core.FundAll([]module.Tx{t})
	e := c.step(testBlock{txs: []module.Tx{t}, final: c.height})
	if e.Txs[0].Error != string(want) {
		c.t.Fatalf("%s: %q (%s), want %q", actions[0].Name, e.Txs[0].Error, e.Txs[0].Detail, want)
	}
	return e.Txs[0]
}

// founder is the account of genesis seat i.
func founder(i int) types.AccountID { return accountOf(public(i)) }

// twice is evidence that the holder of a seat has signed two proposals in a slot.
func twice(set *types.Set, seat int, slot uint64) []byte {
	k, ok := keys[string(set.Seats[seat].Key.Key)]
	if !ok {
		panic("unknown key")
	}
	var parts [2]evidence.Signed
	for i := range parts {
		id := types.BlockID{byte(i + 1)}
		sig := ed25519.Sign(k, types.SignBytes(testChain, evidence.PurposePropose, evidence.ProposePayload(id, slot)))
		parts[i] = evidence.Signed{Slot: slot, ID: id, Sig: sig}
	}
	return evidence.Pair(evidence.Propose, set.Epoch, uint32(seat), parts[0], parts[1]).Encode()
}

func names(e *moduletest.Effect) (out []string) {
	for _, v := range e.Block.Events {
		out = append(out, v.Name)
	}
	for i := range e.Txs {
		for _, v := range e.Txs[i].Events {
			out = append(out, v.Name)
		}
	}
	return out
}

// until makes blocks without gaps until the given one is reached.
func (c *chain) until(done func() bool) {
	c.t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		c.step(testBlock{final: c.height})
	}
	c.t.Fatal("it never comes")
}

func (c *chain) String() string {
	return fmt.Sprintf("height %d slot %d epoch %d of %d", c.height, c.slot, c.set.Epoch, len(c.set.Seats))
}
