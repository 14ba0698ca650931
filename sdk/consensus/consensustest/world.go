package consensustest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
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
	set     *types.Set // of the first epoch
	genesis *types.Header
	nodes   []*core
	now     uint64
	salt    uint64 // makes every body another
	in      chan arrival
	ctx     context.Context
	cancel  context.CancelFunc
	gap     time.Duration // without news from any engine: what goes on in a slot has come to its end

	// next returns the set that the state of a block holds for the next epoch, so that the block's child closes the epoch, or
	// nil. Without it the first epoch never ends.
	next func(b *types.Header) *types.Set
	sets map[types.Hash]*types.Set // that it has returned
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
	seat    int // whose key it has, by number of the key; -1: none
	peer    types.Hash
	engine  consensus.Engine
	close   func() error
	session consensus.Session
	life    int
	ended   error // of the run

	snapshot []byte
	records  [][]byte
	headers  map[types.BlockID]*types.Header // checked
	suffix   map[types.BlockID]bool          // checked, and in vain when the closing block that they descend from is final
	final    *types.Header
	proof    *types.Finality // of final
	set      *types.Set      // of the epoch that final is in
	opened   *types.Header   // that epoch
	openedBy *types.Finality // the proof of opened
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

// seatKey returns one of the keys of the suite's chains: that of the seat with its number in the first set.
func seatKey(seat int) (ed25519.PrivateKey, types.PublicKey) {
	seed := sha256.Sum256([]byte{'s', 'e', 'a', 't', byte(seat)})
	priv := ed25519.NewKeyFromSeed(seed[:])
	return priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))
}

// newWorld makes a chain with so many seats.
func newWorld(t T, f Factory, seats int) *world {
	w := &world{t: t, f: f, now: genesisMs - 1, in: make(chan arrival, 4096), gap: time.Millisecond, sets: map[types.Hash]*types.Set{}}
	w.ctx, w.cancel = context.WithCancel(t.Context())
	var keys []types.PublicKey
	for i := range seats {
		_, pub := seatKey(i)
		keys = append(keys, pub)
	}
	w.set = types.EqualSet(0, keys)
	w.genesis = &types.Header{Chain: types.Sum("consensustest", []byte("chain")), NextSet: w.set.Hash()}
	return w
}

// add adds a node that does not run yet, with the key of a seat; seat -1 only follows.
func (w *world) add(seat int) *core {
	w.t.Helper()
	e, closeEngine, err := w.f.Open()
	if err != nil {
		w.t.Fatalf("open an engine: %v", err)
	}
	c := &core{w: w, i: len(w.nodes), seat: seat, engine: e, close: closeEngine, final: w.genesis, head: w.genesis.ID(),
		set: w.set, opened: w.genesis, suffix: map[types.BlockID]bool{}, headers: map[types.BlockID]*types.Header{w.genesis.ID(): w.genesis}}
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
	s := &consensus.Start{Genesis: c.w.genesis, Set: c.set, Snapshot: c.snapshot, Records: slices.Clone(c.records), Final: c.final,
		FinalProof: c.proof, EpochStart: c.opened, EpochProof: c.openedBy, Next: c.w.named(c.final), NowMs: c.w.now, GenesisTimeMs: genesisMs}
	if c.seat >= 0 {
		_, k := seatKey(c.seat)
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

// stillness is how many times in a row nothing must have come. A machine that stands still for a while lets one wait pass
// with nobody having had a chance to say anything, but not all of them.
const stillness = 8

// settle does what the engines ask for until none asks for more.
func (w *world) settle() {
	for quiet := 0; quiet < stillness; quiet++ {
		timer := time.NewTimer(w.gap / stillness)
		select {
		case a := <-w.in:
			quiet = -1
			w.handle(a)
		case <-timer.C:
			select {
			case a := <-w.in:
				quiet = -1
				w.handle(a)
			default:
			}
		}
		timer.Stop()
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
