package pbft_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ledger executes the blocks of a chain with the module that an engine hands its evidence to.
type ledger struct {
	t    *testing.T
	core *moduletest.Core
	m    *staking.Module
	set  *types.Set
	last *types.Header
}

// told adds to a block what only this plugin's module is told.
type told struct {
	module.Module
	fill func(b *module.Block)
}

func (m told) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	m.fill(b)
	return m.Module.Execute(ctx, b, r)
}

// execute is a block's execution. The test core calls a module for transactions only, so there is one that fails.
func (l *ledger) execute(h *types.Header, body *types.Body, closes bool, actions ...types.Action) {
	l.t.Helper()
	e, err := types.DecodeBody(body.Encode())
	if err != nil {
		l.t.Fatal(err)
	}
	tx := module.Tx{ID: h.ID(), Account: types.AccountID{1}, Actions: []types.Action{{Name: types.ActionRetire}}, MaxGas: 1 << 20, Bytes: 200}
	if len(actions) > 0 {
		tx.Account, tx.Actions = l.account(3), actions
	}
	txs := []module.Tx{tx}
	l.core.FundAll(txs)
	done, err := l.core.Block(l.t.Context(), told{module.Guard(l.m), func(b *module.Block) {
		b.Slot, b.Producer = h.Slot, h.Producer
		b.Consensus = &module.ConsensusInfo{Epoch: h.Epoch, Header: h.Consensus, Set: l.set.Encode(), ParentSlot: l.last.Slot, Closes: closes}
		for _, x := range e.Extensions {
			b.Extensions = append(b.Extensions, x.Data)
		}
	}}, h.Clock, txs)
	if err != nil || done.Fault != nil || len(actions) > 0 && done.Txs[0].Error != "" {
		l.t.Fatalf("block %d: %v, %+v", h.Height, err, done)
	}
	if err := l.core.Conserved(); err != nil {
		l.t.Fatal(err)
	}
	l.last = h
}

// account returns that of a seat.
func (l *ledger) account(seat int) types.AccountID {
	return types.SingleKeyAuthority(l.set.Seats[seat].Key).ID()
}

func (l *ledger) query(path string, into any) {
	l.t.Helper()
	a, err := l.m.Query(l.t.Context(), module.Query{Path: path}, l.core.Reader())
	if err == nil {
		err = json.Unmarshal(a.JSON, into)
	}
	if err != nil {
		l.t.Fatalf("%s: %v", path, err)
	}
}

// next is the block that a node would make now: with what the module wants in it, within the limits of a block.
func (l *ledger) next() (*types.Header, *types.Body) {
	l.t.Helper()
	x, err := module.Guard(l.m).Extend(l.t.Context(), l.last.Slot+1, l.core.Reader())
	if err != nil {
		l.t.Fatal(err)
	}
	body := &types.Body{}
	if len(x) > 0 {
		body.Extensions = []types.Extension{{Module: types.ModuleConsensus, Data: x}}
	}
	final := pbft.FinalRef{Slot: l.last.Slot, Height: l.last.Height, ID: l.last.ID()}
	extra := &pbft.Extra{FinalRef: final, VRF: make([]byte, consensus.VRFBytes)}
	slot := l.last.Slot + 1
	return &types.Header{Chain: l.last.Chain, Height: l.last.Height + 1, Slot: slot, Clock: types.NextClock(l.last.Clock, l.last.Slot, slot), Parent: l.last.ID(),
		Producer: l.set.Seats[slot%uint64(len(l.set.Seats))].Key.Hash(), Consensus: extra.Encode()}, body
}

// TestLargeEvidenceConvicts follows the longest evidence all the way: a node finds it, its module puts it into the node's next block,
// and the block's execution burns a part of the offender's stake and ends the epoch; the next one is without the offender.
func TestLargeEvidenceConvicts(t *testing.T) {
	w := pbft.NewLongHop(t)
	l := &ledger{t, moduletest.NewCore(w.Genesis.Chain, nil), staking.New(staking.Config{SlotMs: 500, Turn: 1, Params: staking.Params{Seats: 21, EpochSlots: 7200,
		Approvals: 30, UnbondingTicks: 3_628_800, TrustingTicks: 2_419_200, MinStake: 1, SlashPPM: 50_000, SilenceTicks: 172_800, JailMissedTurns: 20}}), w.Set, w.Genesis}
	for _, h := range w.Final {
		var actions []types.Action
		if h.Height == 2 {
			actions = []types.Action{{Name: types.ActionStake, Body: types.StakeBody{Amount: 1000}.Encode(), MaxSpend: 1000}}
		}
		l.execute(h, &types.Body{}, false, actions...)
	}
	if _, body := l.next(); len(body.Extensions) != 0 {
		t.Fatal("an extension without evidence")
	}
	for _, raw := range w.Found {
		l.m.Offer(raw)
	}
	h, body := l.next()
	if len(body.Extensions) != 1 {
		t.Fatalf("none of the %d pieces of evidence is in the node's next block", len(w.Found))
	}
	l.execute(h, body, false)
	var got staking.Convictions
	l.query(staking.PathEvidence, &got)
	if len(got.Evidence) != 1 || got.Evidence[0].Kind != evidence.Hop.String() || got.Evidence[0].Producer != l.account(3) || got.Evidence[0].Slashed != 50 {
		t.Fatalf("convictions %+v", got.Evidence)
	}
	var p staking.Producer
	if l.query(staking.PathProducer+l.account(3).String(), &p); p.State != "tombstoned" || p.Stake != 950 {
		t.Errorf("the offender is %s with a stake of %d", p.State, p.Stake)
	}
	v, err := l.core.Reader().Read(t.Context(), module.BlockTx, []module.Item{{Key: consensus.NextSetKey}})
	if err != nil || v[0] == nil {
		t.Fatalf("no next set: %v", err)
	}
	next, err := types.DecodeSet(v[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(next.Seats) != 3 || next.Index(l.set.Seats[3].Key.Hash()) >= 0 {
		t.Errorf("the next set has %d seats, the offender's is %d", len(next.Seats), next.Index(l.set.Seats[3].Key.Hash()))
	}
	h, body = l.next()
	if len(body.Extensions) != 0 {
		t.Error("what was executed is in a block again")
	}
	l.execute(h, body, true)
	h, body = l.next()
	h.Epoch, l.set = 1, next
	l.execute(h, body, false)
	var e staking.Epoch
	if l.query(staking.PathEpoch, &e); e.Epoch != 1 || e.Seats != 3 {
		t.Errorf("epoch %d of %d seats", e.Epoch, e.Seats)
	}
}
