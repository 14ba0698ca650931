package prophecy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// voter casts the ballots of this node's producer. It asks the configured source about disputed questions in the background,
// remembers on disk what it believes, and says in extend what is due.
//
// A commit hides its value by a salt that the host derives from the node's key, so that nothing has to be kept secret on
// disk, and a node that has lost its memory can still reveal what it has committed to. What a commit was offered for is on
// disk before it is offered: after a crash, and in every branch of the chain, the node commits to the same.
type voter struct {
	cfg    voterConfig
	source *observe.Source
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	turns  chan struct{} // one for each question that may be asked about at a time

	latest atomic.Pointer[blockTime] // of the last block that was executed

	saving sync.Mutex // one write at a time, the newest last
	mu     sync.Mutex
	all    entries
	salts  map[entryKey][32]byte
	counts counts
	told   time.Time // that there is no room
	closed bool
}

// voterConfig is what a voter is made of.
type voterConfig struct {
	chain    types.ChainID
	key      *types.PublicKey // with which this node makes blocks; nil: it has none, and no ballots
	host     plugin.Host
	dir      string // where it remembers; empty: nowhere
	observer observerConfig
	now      func() time.Time // nil: time.Now
}

// counts are what the metrics tell.
type counts struct{ failed, late, offered float64 }

// openVoter makes the voter of an instance. raw has the attributes that are not the rules' own.
func openVoter(_ context.Context, host plugin.Host, req plugin.OpenRequest, chain types.ChainID, _ oracle.Terms, raw map[string]json.RawMessage) (*voter, error) {
	cfg, err := parseObserver(raw)
	if err != nil {
		return nil, err
	}
	v := voterConfig{chain: chain, host: host, dir: req.DataDir, observer: cfg}
	if len(req.Producer) > 0 {
		key, err := plugin.DecodeProducer(req.Producer)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pluginName, err)
		}
		v.key = &key
	}
	return newVoter(v)
}

// newVoter returns a voter that has read what it remembers, and goes on with what it had not found out yet.
func newVoter(cfg voterConfig) (*voter, error) {
	source, err := observe.New(cfg.observer.source)
	if err != nil {
		return nil, badConfig("%v", err)
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
	if cfg.host == nil {
		cfg.host = mute{}
	}
	v := &voter{cfg: cfg, source: source, turns: make(chan struct{}, max(cfg.observer.parallel, 1)),
		all: entries{by: map[entryKey]*entry{}}, salts: map[entryKey][32]byte{}}
	v.all.crowded = v.crowded
	v.ctx, v.cancel = context.WithCancel(context.Background())
	if cfg.dir != "" && cfg.key != nil {
		list, err := loadStore(cfg.dir, func(what string, err error) { v.warn(what, nil, "cause", err.Error()) })
		if err != nil {
			v.cancel()
			return nil, fmt.Errorf("%s: %w", pluginName, err)
		}
		for _, e := range list {
			e.seen = cfg.now()
			v.all.by[entryKey{e.id, e.life}] = e
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range v.all.list() {
		v.pursue(e)
	}
	return v, nil
}

// Close ends it, and the commands that it has started.
func (v *voter) Close() error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cancel()
	v.wg.Wait()
	return nil
}

// seated tells whether this node's producer is one of these. One that is not has no say in the disputes that begin now, and
// looks for no answers.
func (v *voter) seated(producers []types.PublicKey) bool {
	if v == nil || v.cfg.key == nil {
		return false
	}
	mine := v.cfg.key.Hash()
	return slices.ContainsFunc(producers, func(k types.PublicKey) bool { return k.Hash() == mine })
}

// noticed is told of a question whose answer is contradicted, in its life, where this node has a seat. It does not block.
func (v *voter) noticed(q oracle.Question, life int) {
	if v == nil || v.cfg.key == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.cfg.now()
	e := v.all.revive(q.ID, life, now)
	if e == nil {
		e = v.all.hear(q.ID, false, now)
	}
	if e != nil && !v.closed {
		if e.question == nil {
			e.question = &q
		}
		v.pursue(e)
	}
}

// executed is told of each block that the rules have executed, for what its clock says about that of the next. It does not
// block.
func (v *voter) executed(slot, clock uint64) {
	if v != nil {
		v.latest.Store(&blockTime{slot, clock})
	}
}

// blockTime is when a block was made, in slots and by the chain's clock.
type blockTime struct{ slot, clock uint64 }

// shown is told of a dispute that somebody has asked the rules about, so that a node that makes no blocks, and for which extend
// is therefore never called, can sign what is due. It does not block.
func (v *voter) shown(rec *oracle.Record, dispute *oracle.Dispute) {
	if v != nil && v.cfg.key != nil && rec.State.Disputed() {
		v.learn([]disputed{{rec, dispute}}, false)
	}
}

// clockAt bounds the clock of a block at a slot, made on the last block that was executed or on one of its descendants: it
// advances with the slots, by at most eight a block.
func (v *voter) clockAt(slot uint64) clocks {
	b := v.latest.Load()
	if b == nil || slot <= b.slot {
		return clocks{}
	}
	return clocks{least: b.clock + min(slot-b.slot, maxClockStep), most: b.clock + slot - b.slot}
}

// maxClockStep is how many ticks a block's clock may be ahead of its parent's.
const maxClockStep = 8

// extend returns what this node's producer has to say in a block at slot.
func (v *voter) extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	if v.cfg.key == nil {
		return nil, nil
	}
	ids, whole, err := v.openDisputes(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%s: extend: %w", pluginName, err)
	}
	var facts []disputed
	for len(ids) > 0 {
		n := min(len(ids), disputesAtATime)
		some, err := v.look(ctx, r, ids[:n])
		if err != nil {
			return nil, fmt.Errorf("%s: extend: %w", pluginName, err)
		}
		facts, ids = append(facts, some...), ids[n:]
	}
	v.learn(facts, whole)
	if err := v.deriveSalts(ctx, facts); err != nil {
		return nil, fmt.Errorf("%s: extend: %w", pluginName, err)
	}
	due, unsealed := v.decide(facts, v.clockAt(slot))
	if unsealed {
		if err := v.saveWhile(ctx); ctx.Err() != nil {
			return nil, fmt.Errorf("%s: extend: %w", pluginName, err)
		}
		due = v.sealed(due)
	}
	ballots := pack(due)
	v.mu.Lock()
	v.counts.offered += float64(len(ballots))
	v.mu.Unlock()
	v.measure()
	return oracle.EncodeBallots(ballots), nil
}

// decide finds the ballots that are due, and fixes what is offered. unsealed says that it has to be on disk first.
func (v *voter) decide(facts []disputed, c clocks) (due []dueBallot, unsealed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range facts {
		b, e := v.judge(d, c)
		if e == nil || e.where != toCommit && e.where != toReveal {
			continue
		}
		if e.where == toCommit {
			if e.offered == nil {
				value := e.belief.Value
				e.offered, e.at = &value, v.cfg.now()
			}
			unsealed = unsealed || !e.sealed
		}
		due = append(due, dueBallot{ballot: b, stake: d.record.Deposit, until: deadline(b, d.dispute), entry: e})
	}
	return due, unsealed && v.cfg.dir != ""
}

// sealed leaves out the commits that this node could forget after a crash, because they are not on disk.
func (v *voter) sealed(due []dueBallot) []dueBallot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(due, func(d dueBallot) bool { return d.ballot.Phase == oracle.Commit && !d.entry.sealed })
}

// judge says where the ballot on a dispute stands, and tells the operator what went wrong. The lock is held. There is no entry
// if the node's producer does not decide it, or the salt is missing.
func (v *voter) judge(d disputed, c clocks) (oracle.Ballot, *entry) {
	k := entryKey{d.dispute.ID, d.dispute.Life}
	e := v.all.by[k]
	salt, ok := v.salts[k]
	if e == nil || !ok {
		return oracle.Ballot{}, nil
	}
	var b oracle.Ballot
	e.where, b = ballotOf(v.cfg.chain, *v.cfg.key, d, stance{e.value(), salt}, c)
	v.report(e)
	return b, e
}

// seal marks what is on disk.
func seal(list []*entry) {
	for _, e := range list {
		e.sealed = true
	}
}

// save writes what is known now. Several may call it; each returns when what it knew is on disk.
func (v *voter) save() error {
	v.saving.Lock()
	defer v.saving.Unlock()
	v.mu.Lock()
	list := v.all.list()
	data, err := encodeStore(list)
	var offered []*entry
	for _, e := range list {
		if e.offered != nil && !e.sealed {
			offered = append(offered, e)
		}
	}
	v.mu.Unlock()
	if err == nil && v.cfg.dir != "" {
		err = writeStore(v.cfg.dir, data)
	}
	if err != nil {
		return fmt.Errorf("remember ballots: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	seal(offered)
	return nil
}

// saveWhile saves in the background and waits for it no longer than ctx: the disk may be slow.
func (v *voter) saveWhile(ctx context.Context) error {
	result := make(chan error, 1)
	if !v.background(func() { result <- v.save() }) {
		return oracle.ErrClosed
	}
	select {
	case err := <-result:
		if err != nil {
			v.warn("this node cannot vote, because it cannot write what it votes for to disk", nil, "cause", err.Error(), "next", "make room on the disk, or mend its rights")
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// background runs f, and tells whether it does: not after Close.
func (v *voter) background(f func()) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	v.wg.Go(f)
	return true
}
