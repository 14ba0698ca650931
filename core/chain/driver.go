package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// engineRecords is what the engine has persisted since its last snapshot: what it gets back when it starts again.
type engineRecords struct {
	mu       sync.Mutex
	snapshot []byte
	records  [][]byte
}

// drive runs the engine, again and again if its plugin dies.
func (c *Chain) drive(ctx context.Context) error {
	if !c.awaitCheckpoint(ctx) {
		return nil
	}
	pause := firstPause
	for ctx.Err() == nil {
		session, err := c.cfg.Engine.Run(ctx, c.startEvent())
		if err == nil {
			var done int
			done, err = c.converse(ctx, session)
			_ = session.Close()
			if done > 0 {
				pause = firstPause
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		for _, fatal := range []error{consensus.ErrConflict, consensus.ErrBadState, consensus.ErrInvalid, host.ErrFailed, host.ErrClosed, errFatal} {
			if errors.Is(err, fatal) {
				return err
			}
		}
		c.log.Warn("the consensus engine was lost; it is started again", "cause", err)
		if !c.wait(ctx, pause) {
			return nil
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// Pauses before an engine that was lost is started again: longer ones if it comes to nothing each time.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// errFatal marks errors of the driver that a new engine would not mend.
var errFatal = errors.New("fatal")

func (c *Chain) startEvent() *consensus.Start {
	c.events.clear() // what was meant for an engine that is gone; answers come again, since it asks again
	c.trouble.Store(nil)
	s := &consensus.Start{Genesis: c.genesis, NowMs: c.nowMs(), GenesisTimeMs: c.cfg.Genesis.TimeMs}
	c.mu.RLock()
	final := c.tree.final
	s.Final, s.FinalProof, s.Next = final.header, final.proof, final.nextSet()
	s.Set, s.EpochStart, s.EpochProof = final.epoch.set, final.epoch.start, final.epoch.proof
	c.mu.RUnlock()
	c.records.mu.Lock()
	defer c.records.mu.Unlock()
	s.Snapshot, s.Records = c.records.snapshot, append([][]byte(nil), c.records.records...)
	if !c.key.IsZero() {
		k := c.cfg.Signer.Public()
		s.Key = &k
	}
	return s
}

// converse is one life of the engine. It returns how often the engine wanted something, and what ended its life.
func (c *Chain) converse(ctx context.Context, session consensus.Session) (done int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stepErr := make(chan error, 1)
	wg.Go(func() {
		for {
			e, ok := c.events.pop(ctx)
			if !ok {
				return
			}
			if err := session.Step(ctx, e); err != nil {
				stepErr <- err
				cancel()
				return
			}
		}
	})
	alarm := newAlarm(c)
	defer alarm.stop()
	for {
		r, err := session.Next(ctx)
		if err != nil {
			select {
			case e := <-stepErr:
				return done, e
			default:
				return done, err
			}
		}
		done++
		if err := c.carryOut(ctx, r); err != nil {
			return done, err
		}
		alarm.set(r.WakeAtMs)
	}
}

// carryOut does what a Ready asks for, in its order.
func (c *Chain) carryOut(ctx context.Context, r *consensus.Ready) error {
	if r.Halt != "" {
		return fmt.Errorf("%w: the consensus engine demands it: %s", errFatal, r.Halt)
	}
	if err := c.record(ctx, r); err != nil {
		return err
	}
	if r.Build != nil {
		// Before anything waits for the disk: a body is neither signed nor final, so that it rests on no record.
		c.doSoon(func(ctx context.Context) error { return c.build(ctx, r.Build) })
	}
	pos, err := c.persist(r)
	if err != nil {
		return err
	}
	if len(r.Sign) > 0 {
		if err := c.sign(ctx, r.Sign, pos); err != nil {
			return err
		}
	}
	for _, m := range r.Send {
		c.send(m.To, m.Payload)
	}
	for _, k := range r.Check {
		c.do(func(ctx context.Context) error { return c.checkTask(ctx, k.Header, k.From) })
	}
	if r.Head != nil {
		head := *r.Head
		c.do(func(context.Context) error { c.setHead(head); return nil })
	}
	for _, f := range r.Final {
		if f.Proof != nil {
			c.do(func(ctx context.Context) error { return c.finalTask(ctx, f.Block, f.Proof) })
		}
	}
	for _, e := range r.Evidence {
		c.cfg.Metrics.evidence(c.cfg.Name)
		c.log.Warn("a producer has signed twice", "evidence", fmt.Sprintf("%x", e))
	}
	if r.Epoch != nil {
		set := r.Epoch
		c.do(func(context.Context) error { return c.epochTask(set) })
	}
	if r.Trouble != nil {
		c.setTrouble(*r.Trouble)
	}
	return nil
}

// epochTask hears of the set that the engine goes on with. It comes after the final block that names it.
func (c *Chain) epochTask(set *types.Set) error {
	now := c.tree.final.inForce()
	switch {
	case set.Epoch > now.set.Epoch:
		c.log.Error("the engine is in an epoch that has not begun here", "epoch", set.Epoch, "here", now.set.Epoch)
		c.kickSync()
	case set.Epoch == now.set.Epoch && set.Hash() != now.hash:
		return fmt.Errorf("%w: the engine takes %s for the set of epoch %d, the chain has %s", errFatal, set.Hash(), set.Epoch, now.hash)
	case set.Epoch == now.set.Epoch:
		c.log.Info("an epoch has begun", "epoch", set.Epoch, "producers", len(set.Seats), "seat", set.Index(c.key))
	}
	return nil
}

// setTrouble notes what the engine says is wrong with this node's part.
func (c *Chain) setTrouble(why string) {
	if why == "" {
		if c.trouble.Swap(nil) != nil {
			c.log.Info("the trouble with this node's part in consensus is over")
		}
		return
	}
	if old := c.trouble.Swap(&why); old == nil || *old != why {
		c.log.Warn("something is wrong with this node's part in consensus", "trouble", why)
	}
}

func (c *Chain) send(to []types.Hash, payload []byte) {
	if len(to) == 0 {
		c.cfg.Network.Broadcast(MsgConsensus, payload)
	} else {
		c.cfg.Network.Send(to, MsgConsensus, payload)
	}
}

// persist makes the engine's records durable, and with them every body that the worker has appended before. Nothing is signed
// or sent before the records that it rests on are on the disk, be they of this Ready or of one before. It returns up to where
// the journal is durable.
func (c *Chain) persist(r *consensus.Ready) (uint64, error) {
	if len(r.Sign) > 0 || len(r.Send) > 0 && c.cfg.Journal.Synced() < c.recorded {
		if err := c.cfg.Journal.Sync(); err != nil {
			return 0, fmt.Errorf("%w: journal: %w", errFatal, err)
		}
	}
	// Not the end: what is not on disk yet may be lost, and a guard that has seen it would call the journal an old copy.
	return uint64(c.cfg.Journal.Synced()), nil
}

// record appends the engine's records to the journal.
func (c *Chain) record(ctx context.Context, r *consensus.Ready) error {
	var recs []journal.Record
	if r.Snapshot != nil {
		recs = append(recs, journal.Record{Type: recSnapshot, Data: r.Snapshot})
	}
	for _, p := range r.Persist {
		recs = append(recs, journal.Record{Type: recConsensus, Data: p})
	}
	if len(recs) == 0 {
		return nil
	}
	c.records.mu.Lock() // also over the append, so that a trim of the journal sees both or neither
	defer c.records.mu.Unlock()
	_, end, err := c.append(ctx, recs...)
	if err != nil {
		return err
	}
	if r.Snapshot != nil {
		c.records.snapshot, c.records.records = r.Snapshot, nil
	}
	c.records.records = append(c.records.records, r.Persist...)
	c.recorded = end
	return nil
}

// append writes to the journal and, while the disk is full, waits for room.
func (c *Chain) append(ctx context.Context, recs ...journal.Record) (first, end journal.Position, err error) {
	err = c.withRoom(ctx, func() (err error) {
		first, end, err = c.cfg.Journal.Append(recs...)
		return err
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: journal: %w", errFatal, err)
	}
	return first, end, err
}

// withRoom does what needs room on the disk, again and again while there is none.
func (c *Chain) withRoom(ctx context.Context, f func() error) error {
	for waited := false; ; waited = true {
		err := f()
		if !errors.Is(err, journal.ErrNoSpace) && !errors.Is(err, storage.ErrNoSpace) {
			if waited && c.stalled.Swap(nil) != nil {
				c.log.Info("there is room on the disk again; the chain goes on")
			}
			return err
		}
		why := err.Error()
		if c.stalled.Swap(&why) == nil {
			c.log.Error("the disk is full; the chain waits for room", "cause", err)
		}
		if !c.wait(ctx, roomPause) {
			return ctx.Err()
		}
	}
}

// roomPause is how long to wait before a full disk is tried again.
const roomPause = time.Second

// sign signs votes and proposals behind the guard, sends them, and hands them back to the engine.
func (c *Chain) sign(ctx context.Context, list []consensus.Unsigned, pos uint64) error {
	if c.cfg.Signer == nil {
		return fmt.Errorf("%w: the engine wants signatures, but this node has no key", errFatal)
	}
	reqs := make([]signer.Request, len(list))
	for i, u := range list {
		reqs[i] = signer.Request{Purpose: u.Purpose, Ordinal: u.Ordinal, Payload: u.Payload}
	}
	var results []signer.Result
	err := c.withRoom(ctx, func() (err error) {
		results, err = c.cfg.Signer.SignAll(c.id, pos, reqs)
		return err
	})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("%w: sign: %w", errFatal, err)
	}
	for i, u := range list {
		if results[i].Err != nil {
			c.cfg.Metrics.refused(c.cfg.Name)
			c.log.Warn("the guard refuses to sign", "purpose", u.Purpose, "ordinal", u.Ordinal, "cause", results[i].Err)
			continue
		}
		msg := append(append(make([]byte, 0, len(u.Message)+64), u.Message...), results[i].Sig...)
		c.send(u.To, msg)
		c.left(u.Ordinal)
		c.cfg.Metrics.signed(c.cfg.Name, u.Purpose)
		c.equivocate(u)
		c.step(&consensus.Message{Payload: msg, NowMs: c.nowMs()})
	}
	return nil
}

// left notes that a signature has left. The first for the slot of a new own block is the proposal; now that it is out, there is
// time to execute the block.
func (c *Chain) left(slot uint64) {
	n := c.own.Load()
	if n == nil || n.header.Slot != slot || !c.own.CompareAndSwap(n, nil) {
		return
	}
	now := c.nowMs()
	c.cfg.Metrics.proposed(c.cfg.Name, now-min(now, c.slotTime(slot)))
	c.do(func(ctx context.Context) error {
		if c.node(n.id) != n {
			return nil
		}
		return c.execute(ctx, n)
	})
}

// alarm wakes the engine when it asked for it.
type alarm struct {
	c     *Chain
	mu    sync.Mutex
	timer *time.Timer
	atMs  uint64 // 0: never
}

func newAlarm(c *Chain) *alarm { return &alarm{c: c} }

// The clock may be set while the alarm waits, and a timer does not notice: so it looks now and then. It may also stand still.
const (
	alarmLook  = time.Second
	alarmPause = 10 * time.Millisecond
	alarmSlack = 5 // milliseconds by which a timer may come early
)

func (a *alarm) set(atMs uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.atMs = atMs
	a.arm(0)
}

// arm waits until it is time, but not less than pause. The lock is held.
func (a *alarm) arm(pause time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	if a.atMs == 0 {
		return
	}
	d, at := time.UnixMilli(int64(a.atMs)).Sub(a.c.cfg.Clock.Now()), a.atMs
	a.timer = time.AfterFunc(min(max(d, pause), alarmLook), func() { a.ring(at) })
}

func (a *alarm) ring(at uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.atMs != at {
		return // another wish, or none any more
	}
	now := a.c.nowMs()
	if now+alarmSlack < at {
		a.arm(alarmPause)
		return
	}
	a.atMs = 0
	a.c.step(&consensus.Woken{NowMs: max(now, at)})
}

func (a *alarm) stop() { a.set(0) }
