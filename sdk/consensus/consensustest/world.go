package consensustest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// patience is how long an engine may take to answer before a case gives up; it matters only for engines that never do.
const patience = 20 * time.Second

const genesisMs = 1_700_000_000_000

// world is a chain with some nodes, in virtual time.
type world struct {
	t       T
	f       Factory
	set     *types.Set
	privs   []ed25519.PrivateKey
	genesis *types.Header
	nodes   []*core
	now     uint64
	salt    uint64 // makes every body another
	in      chan arrival
	ctx     context.Context
	cancel  context.CancelFunc
	gap     time.Duration // without news from any engine: what goes on in a slot has come to its end
}

type arrival struct {
	c     *core
	life  int
	ready *consensus.Ready
	err   error
}

// core is the core of one node, as small as can be: it does what a Ready asks for at once.
type core struct {
	w       *world
	i       int
	seat    int // -1: none
	peer    types.Hash
	engine  consensus.Engine
	close   func() error
	session consensus.Session
	life    int
	ended   error // of the run

	snapshot []byte
	records  [][]byte
	headers  map[types.BlockID]*types.Header // checked
	final    *types.Header
	cert     *types.Certificate
	head     types.BlockID
	wake     uint64
	heard    bool // of this run there was a Ready

	// What a case wants to see or to do otherwise; nil for nothing.
	onReady func(r *consensus.Ready)
	sign    func(u consensus.Unsigned) bool                      // false: refuse
	build   func(b *consensus.Build, h *types.Header) bool       // false: no answer by the core itself
	check   func(k consensus.Check) (answer, ok bool)            // else: yes, it is valid
	hears   func(from *core, payload []byte) (p []byte, ok bool) // false: the message is lost
}

// seatKey returns the key of a seat in the suite's chains.
func seatKey(seat int) (ed25519.PrivateKey, types.PublicKey) {
	seed := sha256.Sum256([]byte{'s', 'e', 'a', 't', byte(seat)})
	priv := ed25519.NewKeyFromSeed(seed[:])
	return priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))
}

// newWorld makes a chain with so many seats.
func newWorld(t T, f Factory, seats int) *world {
	w := &world{t: t, f: f, now: genesisMs - 1, in: make(chan arrival, 4096), gap: time.Millisecond}
	w.ctx, w.cancel = context.WithCancel(t.Context())
	var keys []types.PublicKey
	for i := range seats {
		priv, pub := seatKey(i)
		w.privs, keys = append(w.privs, priv), append(keys, pub)
	}
	w.set = types.EqualSet(0, keys)
	w.genesis = &types.Header{Chain: types.Sum("consensustest", []byte("chain")), NextSet: w.set.Hash()}
	return w
}

// add adds a node that does not run yet; seat -1 only follows.
func (w *world) add(seat int) *core {
	w.t.Helper()
	e, closeEngine, err := w.f.Open()
	if err != nil {
		w.t.Fatalf("open an engine: %v", err)
	}
	c := &core{w: w, i: len(w.nodes), seat: seat, engine: e, close: closeEngine, final: w.genesis, head: w.genesis.ID(),
		headers: map[types.BlockID]*types.Header{w.genesis.ID(): w.genesis}}
	c.peer = types.Sum("consensustest", []byte{byte(c.i)})
	w.nodes = append(w.nodes, c)
	return c
}

// done ends everything; cases defer it.
func (w *world) done() {
	w.cancel()
	for _, c := range w.nodes {
		if c.session != nil {
			if err := c.session.Close(); err != nil {
				w.t.Errorf("close a session: %v", err)
			}
		}
		if err := c.close(); err != nil {
			w.t.Errorf("close an engine: %v", err)
		}
	}
}

func (c *core) startEvent() *consensus.Start {
	s := &consensus.Start{Genesis: c.w.genesis, Set: c.w.set, Snapshot: c.snapshot, Records: slices.Clone(c.records), Final: c.final,
		FinalCert: c.cert, NowMs: c.w.now, GenesisTimeMs: genesisMs}
	if c.seat >= 0 {
		k := c.w.set.Seats[c.seat].Key
		s.Key = &k
	}
	return s
}

// start begins a run; records of earlier ones are replayed.
func (c *core) start() {
	c.w.t.Helper()
	s, err := c.engine.Run(c.w.ctx, c.startEvent())
	if err != nil {
		c.w.t.Fatalf("run: %v", err)
	}
	c.session, c.ended, c.heard = s, nil, false
	c.life++
	life := c.life
	go func() {
		for {
			r, err := s.Next(c.w.ctx)
			select {
			case c.w.in <- arrival{c, life, r, err}:
			case <-c.w.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
}

// stop ends a run, as a crash would: what had not been taken is lost.
func (c *core) stop() {
	if err := c.session.Close(); err != nil {
		c.w.t.Errorf("close a session: %v", err)
	}
	c.session = nil
	c.life++
}

func (c *core) step(e consensus.Event) {
	if c.session == nil || c.ended != nil {
		return
	}
	ctx, cancel := context.WithTimeout(c.w.ctx, patience)
	defer cancel()
	if err := c.session.Step(ctx, e); err != nil {
		c.ended = err
	}
}

// slot returns the current slot.
func (w *world) slot() uint64 {
	if w.now < genesisMs {
		return 0
	}
	return (w.now - genesisMs) / w.f.SlotMs
}

func (w *world) startOf(slot uint64) uint64 { return genesisMs + slot*w.f.SlotMs }

// run lets up to so many slots pass, until a condition holds, and tells whether it does.
func (w *world) run(slots int, until func() bool) bool {
	w.t.Helper()
	w.settle()
	for range slots {
		if until != nil && until() {
			return true
		}
		w.tick(w.startOf(w.slot() + 1))
	}
	return until == nil || until()
}

// tick sets the time and does all that comes of it.
func (w *world) tick(now uint64) {
	w.t.Helper()
	w.now = now
	begin := time.Now()
	for _, c := range w.nodes {
		c.step(&consensus.Woken{NowMs: now})
	}
	// An engine that has been woken at the time of its wish has a new one, so the answer shows that it has come so far.
	limit := time.NewTimer(patience)
	defer limit.Stop()
	behind := func(c *core) bool {
		return c.session != nil && c.life > 0 && c.ended == nil && (!c.heard || c.wake != 0 && c.wake <= now)
	}
	for slices.ContainsFunc(w.nodes, behind) {
		select {
		case a := <-w.in:
			w.handle(a)
		case <-limit.C:
			w.t.Fatalf("an engine does not answer when it is woken")
		}
	}
	w.gap = min(max(w.gap/2, 3*time.Since(begin), time.Millisecond), time.Second)
	w.settle()
}

// settle does what the engines ask for until none asks for more.
func (w *world) settle() {
	for {
		select {
		case a := <-w.in:
			w.handle(a)
			continue
		default:
		}
		timer := time.NewTimer(w.gap)
		select {
		case a := <-w.in:
			timer.Stop()
			w.handle(a)
		case <-timer.C:
			return
		}
	}
}

func (w *world) handle(a arrival) {
	if a.c.life != a.life {
		return
	}
	if a.err != nil {
		a.c.ended = a.err
		return
	}
	a.c.carryOut(a.ready)
}

// carryOut does what a Ready asks for, in its order.
func (c *core) carryOut(r *consensus.Ready) {
	w := c.w
	if c.onReady != nil {
		c.onReady(r)
	}
	if r.Snapshot != nil {
		c.snapshot, c.records = r.Snapshot, nil
	}
	c.records = append(c.records, r.Persist...)
	c.wake, c.heard = r.WakeAtMs, true
	for _, u := range r.Sign {
		if c.seat < 0 || c.sign != nil && !c.sign(u) {
			continue
		}
		sig := ed25519.Sign(w.privs[c.seat], types.SignBytes(w.genesis.Chain, u.Purpose, u.Payload))
		msg := append(slices.Clone(u.Message), sig...)
		c.spread(u.To, msg)
		c.step(&consensus.Message{Payload: msg, NowMs: w.now})
	}
	for _, o := range r.Send {
		c.spread(o.To, o.Payload)
	}
	if b := r.Build; b != nil {
		h := c.header(b)
		if c.build == nil || c.build(b, h) {
			if h != nil {
				c.headers[h.ID()] = h
			}
			c.step(&consensus.Built{Slot: b.Slot, Parent: b.Parent, Header: h, NowMs: w.now})
		}
	}
	for _, k := range r.Check {
		answer, ok := true, true
		if c.check != nil {
			answer, ok = c.check(k)
		}
		if answer && ok {
			c.headers[k.Header.ID()] = k.Header
		}
		if answer {
			c.step(&consensus.Checked{Block: k.Header.ID(), OK: ok, NowMs: w.now})
		}
	}
	if r.Head != nil {
		c.head = *r.Head
	}
	for _, f := range r.Final {
		if h := c.headers[f.Block]; h != nil && h.Height > c.final.Height && f.Cert != nil {
			c.final, c.cert = h, f.Cert
		}
	}
}

// spread sends a message to the others. Each gets bytes of its own.
func (c *core) spread(to []types.Hash, payload []byte) {
	for _, d := range c.w.nodes {
		if d == c || len(to) > 0 && !slices.Contains(to, d.peer) {
			continue
		}
		p, ok := slices.Clone(payload), true
		if d.hears != nil {
			p, ok = d.hears(c, p)
		}
		if ok {
			d.step(&consensus.Message{From: c.peer, Payload: p, NowMs: c.w.now})
		}
	}
}

// header completes the header of a body that is asked for, or returns nil if the parent was never checked.
func (c *core) header(b *consensus.Build) *types.Header {
	p := c.headers[b.Parent]
	if p == nil {
		return nil
	}
	c.w.salt++
	h := &types.Header{Chain: c.w.genesis.Chain, Height: p.Height + 1, Slot: b.Slot, Clock: types.NextClock(p.Clock, p.Slot, b.Slot), Parent: b.Parent,
		BodyRoot:  types.Sum("consensustest", binary.BigEndian.AppendUint64(nil, c.w.salt)),
		Consensus: b.Consensus, NextSet: b.NextSet}
	if c.seat >= 0 {
		h.Producer = c.w.set.Seats[c.seat].Key.Hash()
	}
	if len(b.Certificate) > 0 {
		if cert, err := types.DecodeCertificate(b.Certificate); err == nil {
			h.CertHeight = cert.Height
		}
	}
	return h
}

// finalAt tells whether all nodes that run have a final block of a height.
func (w *world) finalAt(height uint64) func() bool {
	return func() bool {
		return !slices.ContainsFunc(w.nodes, func(c *core) bool { return c.session != nil && c.final.Height < height })
	}
}

// alone starts the only producer of a chain.
func alone(t T, f Factory) (*world, *core) {
	w := newWorld(t, f, 1)
	return w, w.add(0)
}
