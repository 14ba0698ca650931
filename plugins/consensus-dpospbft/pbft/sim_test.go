package pbft

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/internal/simnet"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// plan is what a simulation is about. In the bulk runs all of it but the size follows from a seed.
type plan struct {
	n      int // seats of a set
	twins  int // producers of each set that run twice with one key, and whose keys the forger has
	mute   int // producers of each set that never run
	epoch  uint64
	sets   setMode
	slots  uint64 // of trouble
	calm   uint64 // slots afterwards without any, within which finality must advance
	slotMs uint64
	turn   uint64

	link       simnet.Link
	slow       bool   // the link stays as it is when all else becomes calm
	skewMs     uint64 // clocks are off by up to so much, either way
	clocks     bool   // clocks jump by an hour and stand still
	partitions bool
	oneway     bool // single directions between two nodes fail
	crashes    bool // of nodes, with what was not durable, and of engines alone
	stale      bool // after some crashes an older copy of the journal is put back
	sync       bool // the core catches up by itself
	lateCheck  float64
	noCheck    float64
	noBuild    float64
	garbage    bool
	forger     bool // somebody who sees all messages makes new ones of them
	mischief   bool // the twins hold back, split and hide what they send
	evidence   bool // what engines find goes into blocks, and ends epochs early

	flood     bool   // bodies carry evidence that is none
	maxSuffix uint64 // blocks after a closing one, if not as many as types.MaxSuffix
	instant   bool   // building and checking take no time

	realSigs      bool
	rules         rules
	core          coreRules
	loud          func(format string, args ...any) // tells what happens
	onlyConflicts bool                             // of broken invariants only I1, I2 and I11 count: the worst that can happen
	finalAfter    uint64                           // slot from which latencies count
	restarts      int                              // one of so many Readys ends with a restart of the engine; 0: one of 800 with crashes
	// meddle, if there is one, says whether a message gets through, and how much later than it would.
	meddle func(s *sim, from, to *simNode, payload []byte) (through bool, later uint64)
}

// coreRules switches off single duties of the core: what the machine relies on.
type coreRules struct {
	volatileBodies bool // bodies are forgotten at a restart
	anyJournal     bool // a journal that is older than what was signed is taken
	noGuard        bool // whatever the engine asks for is signed
	anyCert        bool // certificates are not verified
	anyQC          bool // nor are PrepareQCs
	anyVRF         bool // nor proofs of producers
	anyTime        bool // blocks are taken long before their time
	lateSync       bool // signatures leave before what was persisted is durable
}

const simGenesisMs = 1_000_000_000 // far enough from 0 for clocks that are behind

// entry of a simulated journal: one of its fields.
type entry struct {
	body   *simBlock
	record []byte
	snap   []byte
	final  *simBlock
	proof  *types.Finality // with final
}

// simNode is a machine and the core around it.
type simNode struct {
	i, id int // number, and number of the producer
	byz   bool
	peer  types.Hash
	key   *simKey
	clock *simnet.Clock
	m     *Machine
	life  int

	journal []entry
	synced  int
	whole   []entry // the journal, if an older copy of it was put back
	guard   simGuard

	bodies map[types.BlockID]bool
	final  *simBlock
	peek   *simBlock                         // what the Ready that is being carried out makes final
	proofs map[types.BlockID]*types.Finality // of closing blocks, and of the newest final one
	pool   [][]byte                          // evidence for the next own block
	told   uint64                            // height up to which the engine's finality is known
	epoch  uint64                            // newest that the engine has told of in this life

	lastLock, lastPrep uint64
	lastEpoch          uint64
	accused            map[string]bool // producers that the engine has accused in this life, by epoch
	qc                 *Proof          // of the high block, as last checked
	done, doneAt       uint64          // newest epoch whose end the journal has, from which length on
	wake, timer        uint64
	polled             uint64 // final height when the core last looked whether others are ahead
	hide               int    // mischief: 0 none, 1 holds proposals back, 2 shows them to one half, 3 shows votes to one
}

// sim is a world in virtual time.
type sim struct {
	plan
	w       *simnet.World
	net     *simnet.Net
	keys    []*simKey
	nodes   []*simNode
	byPeer  map[types.Hash][]*simNode
	genesis *simBlock
	sets    []*types.Set // all that there are
	blocks  map[types.BlockID]*simBlock
	ver     *simVerifier
	judge   *judge
	forge   *forger

	calmed   bool
	before   []uint64
	err      error
	over     bool // the bound on twins is broken and finality conflicts, as it may
	culprits int

	finals      map[uint64]types.BlockID
	finalBlocks int
	latency     []uint64
	taken       map[string]int // how often what happened
}

func newSim(seed uint64, p plan) *sim {
	s := &sim{plan: p, w: simnet.New(seed, simGenesisMs-100), blocks: map[types.BlockID]*simBlock{}, byPeer: map[types.Hash][]*simNode{},
		finals: map[uint64]types.BlockID{}, taken: map[string]int{}}
	s.ver = newSimVerifier(s)
	for i := range s.producers() {
		s.keys = append(s.keys, simKeyOf(i))
	}
	s.makeGenesis()
	s.judge = newJudge(s)
	type player struct {
		id    int
		clone bool
	}
	var players []player
	for _, clone := range []bool{false, true} {
		for id := range s.keys {
			if !s.isMute(id) && (!clone || s.isByz(id)) {
				players = append(players, player{id, clone})
			}
		}
	}
	s.net = simnet.NewNet(s.w, len(players), p.link)
	for i, pl := range players {
		n := &simNode{i: i, id: pl.id, byz: s.isByz(pl.id), peer: s.keys[pl.id].hash, key: s.keys[pl.id],
			clock: simnet.NewClock(s.w, 0), accused: map[string]bool{}}
		if p.skewMs > 0 {
			n.clock.Set(int64(s.w.Between(0, 2*p.skewMs)) - int64(p.skewMs))
		}
		if n.byz && p.mischief {
			n.hide = s.w.Rand.IntN(4)
		}
		s.nodes = append(s.nodes, n)
		s.byPeer[n.peer] = append(s.byPeer[n.peer], n)
	}
	for _, n := range s.nodes {
		s.start(n)
	}
	s.plot()
	return s
}

// plot schedules the troubles.
func (s *sim) plot() {
	w, end := s.w, simGenesisMs+s.slots*s.slotMs
	trouble := func(lo, hi uint64, f func()) {
		w.Every(w.Now()+w.Between(lo, hi), func() uint64 {
			if s.calmed || w.Now() >= end {
				return 0
			}
			f()
			return w.Between(lo, hi)
		})
	}
	any := func() *simNode { return s.nodes[w.Rand.IntN(len(s.nodes))] }
	if s.partitions {
		trouble(300, 3000, func() {
			if w.Rand.IntN(4) == 0 {
				s.net.Heal()
			} else {
				s.net.Split(2 + w.Rand.IntN(2))
			}
			s.say("partition")
		})
	}
	if s.oneway {
		trouble(300, 3000, func() {
			s.net.SetAll(s.link)
			for range 1 + w.Rand.IntN(len(s.nodes)) {
				s.net.SetLink(any().i, any().i, simnet.Link{Down: true})
			}
		})
	}
	if s.crashes {
		trouble(200, 6000, func() { s.crash(any(), w.Between(1, 3000)) })
		trouble(400, 8000, func() { s.restartEngine(any()) })
		if w.Rand.IntN(4) == 0 {
			w.At(w.Between(simGenesisMs, end), func() {
				for _, n := range s.nodes {
					s.crash(n, w.Between(1, 500))
				}
			})
		}
	}
	if s.clocks {
		f := max(1, s.maxByz()-s.twins)
		trouble(1000, 6000, func() {
			n := s.nodes[w.Rand.IntN(min(len(s.nodes), f))]
			if !n.byz {
				n = s.nodes[len(s.nodes)-1-n.i]
			}
			s.count("clock fault")
			switch w.Rand.IntN(4) {
			case 0:
				n.clock.Set(3_600_000)
			case 1:
				n.clock.Set(-3_600_000)
			case 2:
				n.clock.Freeze()
			default:
				n.clock.Set(0)
			}
			s.say("clock of node %d: %d, frozen %t", n.i, n.clock.Offset(), n.clock.Frozen())
		})
	}
	if s.sync {
		s.syncs()
	}
	if s.garbage {
		trouble(1, 200, func() { s.throwGarbage(any()) })
	}
	if s.forger {
		s.forge = newForger(s)
		trouble(1, 150, func() { s.forge.act() })
	}
}

// syncs lets all cores catch up by themselves from time to time.
func (s *sim) syncs() {
	s.w.Every(s.w.Now()+1000, func() uint64 {
		for _, n := range s.nodes {
			s.catchUp(n)
		}
		return 700
	})
}

func (s *sim) say(format string, args ...any) {
	if s.loud != nil {
		s.loud("%8d ms slot %-4d %s", s.w.Now()-simGenesisMs, (s.w.Now()-min(s.w.Now(), simGenesisMs))/s.slotMs, fmt.Sprintf(format, args...))
	}
}

func (s *sim) count(what string) { s.taken[what]++ }

func (s *sim) countBranch(what string) { s.taken["machine: "+what]++ }

// fail notes the first broken invariant.
func (s *sim) fail(format string, args ...any) {
	if s.onlyConflicts && !strings.HasPrefix(format, "I1:") && !strings.HasPrefix(format, "I2:") && !strings.HasPrefix(format, "I11:") {
		return
	}
	if s.err == nil && !s.over {
		s.err = fmt.Errorf("t=%d slot %d: %s", s.w.Now()-simGenesisMs, (s.w.Now()-min(s.w.Now(), simGenesisMs))/s.slotMs, fmt.Sprintf(format, args...))
		s.say("BROKEN %v", s.err)
	}
}

// run runs to the end or the first broken invariant.
func (s *sim) run() error {
	trouble := simGenesisMs + s.slots*s.slotMs
	for s.err == nil && !s.over && s.w.Step(trouble) {
	}
	if s.err == nil && !s.over && s.calm > 0 {
		s.calmDown()
		end := trouble + s.calm*s.slotMs
		for s.err == nil && !s.over && !s.recovered() && s.w.Step(end) {
		}
		s.mustAdvance()
	}
	return s.err
}

func (s *sim) calmDown() {
	s.calmed = true
	s.say("all is calm")
	s.partitions, s.oneway, s.crashes, s.stale, s.clocks, s.garbage, s.forger = false, false, false, false, false, false, false
	s.lateCheck, s.noCheck, s.noBuild = 0, 0, 0
	s.net.Heal()
	if !s.slow {
		s.link = simnet.Link{MinDelay: 1, MaxDelay: min(s.link.MaxDelay, s.slotMs/5)}
	}
	s.net.SetAll(s.link)
	if !s.sync {
		s.sync = true
		s.syncs()
	}
	for _, n := range s.nodes {
		n.hide = 0
		if off := n.clock.Offset(); n.clock.Frozen() || max(off, -off) > 1000 || n.m != nil && n.m.now > n.clock.Now()+s.slotMs {
			n.clock.Set(0) // somebody has set it right, and started the node again
			if n.m != nil {
				s.crash(n, 1)
			}
		}
		if n.whole != nil {
			n.journal, n.whole = n.whole, nil // and put the right journal back
			n.synced = len(n.journal)
		}
		if n.m == nil {
			s.start(n)
		}
		s.before = append(s.before, n.final.h.Height)
	}
}

// recovered tells whether every node has advanced since all is calm.
func (s *sim) recovered() bool {
	for i, n := range s.nodes {
		if n.final.h.Height <= s.before[i]+2 {
			return false
		}
	}
	return true
}

// mustAdvance is I11.
func (s *sim) mustAdvance() {
	for i, n := range s.nodes {
		if n.final.h.Height <= s.before[i]+2 {
			s.fail("I11: node %d is final at height %d of epoch %d, and was at %d when all was well again, %d slots ago", i, n.final.h.Height,
				n.final.h.Epoch, s.before[i], s.calm)
		}
	}
}

// start starts or restarts a node from its journal.
func (s *sim) start(n *simNode) {
	n.life++
	if len(n.journal) < n.guard.position && !s.core.anyJournal {
		s.count("older journal refused")
		return // the guard has signed with a journal that was longer
	}
	n.whole = nil
	n.bodies, n.proofs = map[types.BlockID]bool{s.genesis.id: true}, map[types.BlockID]*types.Finality{}
	n.final, n.pool = s.genesis, nil
	var snap []byte
	var records [][]byte
	for _, e := range n.journal {
		switch {
		case e.body != nil:
			n.bodies[e.body.id] = true
		case e.record != nil:
			records = append(records, bytes.Clone(e.record))
		case e.snap != nil:
			snap, records = bytes.Clone(e.snap), nil
		case e.final != nil:
			if e.final.h.Height > n.final.h.Height && n.bodies[e.final.id] {
				n.final = e.final
				n.proofs[e.final.id] = e.proof
			}
		}
	}
	if s.core.volatileBodies {
		clear(n.bodies)
		for b := n.final; b != nil; b = b.parent {
			n.bodies[b.id] = true
		}
	}
	s.launch(n, snap, records)
}

// launch starts a machine.
func (s *sim) launch(n *simNode, snap []byte, records [][]byte) {
	st := &consensus.Start{Genesis: s.genesis.h, Set: s.setOf(n.final), Key: &n.key.pub, Snapshot: snap, Records: records, Final: n.final.h,
		FinalProof: n.proofs[n.final.id], EpochStart: n.final.st.start.h, EpochProof: n.proofs[n.final.st.start.id], NowMs: n.clock.Now(),
		GenesisTimeMs: simGenesisMs}
	if n.final.h.Closes() {
		st.Next = n.final.st.next
	}
	m, err := New(s.config(n), st)
	if err != nil {
		s.fail("node %d does not start again: %v", n.i, err)
		return
	}
	clear(n.accused)
	n.m, n.wake, n.told, n.epoch = m, 0, n.final.h.Height, 0
	m.snapMin = 4096
	n.lastLock, n.lastPrep = 0, 0
	s.say("node %d starts life %d at height %d of epoch %d", n.i, n.life, n.final.h.Height, n.final.h.Epoch)
	s.drain(n)
}

func (s *sim) config(n *simNode) Config {
	c := Config{SlotMs: s.slotMs, Turn: s.turn, MaxUnfinal: 50, Verifier: s.verifier(), maxSuffix: s.maxSuffix, rules: s.rules, twin: n.byz, count: s.countBranch}
	if s.core.anyTime {
		c.MaxSkewMs = 100 * s.slotMs
	}
	return c
}

// crash ends a node. Of what was not durable a part is lost; sometimes an older copy of the journal is put back.
func (s *sim) crash(n *simNode, down uint64) {
	if n.m == nil {
		return
	}
	n.m = nil
	keep := n.synced + s.w.Rand.IntN(len(n.journal)-n.synced+1)
	s.count("crash")
	s.say("node %d crashes; %d of %d journal entries stay, %d were durable", n.i, keep, len(n.journal), n.synced)
	n.journal = n.journal[:keep:keep]
	n.synced = keep
	if n.doneAt > uint64(keep) {
		n.done, n.doneAt = 0, 0
	}
	if s.stale && keep > 0 && s.w.Rand.IntN(3) == 0 {
		old := s.w.Rand.IntN(keep)
		s.count("older journal put back")
		if !s.core.anyJournal {
			n.whole = n.journal
		}
		n.journal, n.synced = n.journal[:old:old], old
		n.done, n.doneAt = 0, 0
	}
	s.w.After(down, func() {
		if n.m != nil {
			return
		}
		s.start(n)
		if n.m == nil && n.whole != nil { // refused: somebody puts the right one back
			s.w.After(down, func() {
				if n.m == nil && n.whole != nil {
					n.journal, n.whole = n.whole, nil
					n.synced = len(n.journal)
					s.start(n)
				}
			})
		}
	})
}

// restartEngine kills the plugin's process; the core stays.
func (s *sim) restartEngine(n *simNode) {
	if n.m == nil {
		return
	}
	s.count("engine restart")
	s.say("node %d: the engine restarts", n.i)
	n.life++
	n.m = nil
	var snap []byte
	var records [][]byte
	for _, e := range n.journal {
		switch {
		case e.record != nil:
			records = append(records, bytes.Clone(e.record))
		case e.snap != nil:
			snap, records = bytes.Clone(e.snap), nil
		}
	}
	n.synced = len(n.journal)
	s.launch(n, snap, records)
}

// in calls f in d milliseconds if the node still has the same life then.
func (s *sim) in(n *simNode, d uint64, f func()) {
	life := n.life
	s.w.After(d, func() {
		if n.m != nil && n.life == life {
			f()
		}
	})
}

func (s *sim) step(n *simNode, e consensus.Event) {
	if n.m == nil || s.err != nil || s.over {
		return
	}
	if err := n.m.Step(e); err != nil {
		s.fail("node %d: %v", n.i, err)
	}
	s.drain(n)
}

func (s *sim) drain(n *simNode) {
	for n.m != nil && n.m.HasReady() && s.err == nil && !s.over {
		s.inspect(n)
		life := n.life
		if s.carryOut(n, n.m.Ready()); n.life != life {
			return
		}
	}
}

// carryOut is the core's part of a Ready; with crashes it may end in the middle.
func (s *sim) carryOut(n *simNode, r *consensus.Ready) {
	stop := -1
	if s.restarts > 0 && !s.calmed && s.w.Rand.IntN(s.restarts) == 0 {
		stop = 4 + s.w.Rand.IntN(4)
	} else if s.crashes && s.w.Rand.IntN(400) == 0 {
		stop = s.w.Rand.IntN(8)
	}
	dies := func(at int) bool {
		switch stop {
		case at:
			s.crash(n, 1+s.w.Rand.Uint64N(1500))
		case at + 4:
			s.restartEngine(n)
		default:
			return false
		}
		return true
	}
	if r.Halt != "" {
		if strings.Contains(r.Halt, "signed with this node's key") && s.core.anyJournal {
			s.count("own signature noticed, node stops")
			n.m = nil
			n.life++
			return
		}
		if s.twins <= s.maxByz() {
			s.fail("node %d halts: %s", n.i, r.Halt)
		} else {
			s.conflict()
		}
		return
	}
	if r.Snapshot != nil {
		n.journal = append(n.journal, entry{snap: r.Snapshot})
	}
	for _, p := range r.Persist {
		n.journal = append(n.journal, entry{record: p})
	}
	if (len(r.Sign) > 0 || len(r.Send) > 0) && !s.core.lateSync {
		n.synced = len(n.journal)
	}
	for _, f := range r.Final {
		if b := s.blocks[f.Block]; b != nil && b.h.Closes() && f.Proof != nil && !n.byz {
			n.done, n.doneAt = b.h.Epoch, uint64(len(n.journal))
		}
	}
	if dies(0) {
		return
	}
	n.peek = n.final
	for _, f := range r.Final {
		if b := s.blocks[f.Block]; b != nil && f.Proof != nil {
			n.peek = b
		}
	}
	for _, u := range r.Sign {
		msg := s.sign(n, u)
		if msg == nil {
			continue
		}
		if dies(1) {
			return
		}
		s.broadcast(n, u.To, msg)
		s.in(n, 0, func() { s.step(n, &consensus.Message{Payload: msg, NowMs: n.clock.Now()}) })
	}
	for _, o := range r.Send {
		s.broadcast(n, o.To, o.Payload)
	}
	if dies(2) {
		return
	}
	if b := r.Build; b != nil {
		s.build(n, b)
	}
	for _, c := range r.Check {
		s.check(n, c)
	}
	for _, f := range r.Final {
		s.onFinal(n, f)
	}
	for _, raw := range r.Evidence {
		s.onEvidence(n, raw)
	}
	if r.Epoch != nil {
		s.onEpoch(n, r.Epoch)
	}
	if r.Trouble != nil && *r.Trouble != "" {
		s.count("trouble")
	}
	if r.WakeAtMs != n.wake {
		n.wake = r.WakeAtMs
		n.timer++
		s.arm(n, n.timer)
	}
	dies(3)
}

// arm sets the core's timer, which knows nothing of a clock that jumps.
func (s *sim) arm(n *simNode, timer uint64) {
	if n.wake == 0 {
		return
	}
	now := n.clock.Now()
	d := uint64(1)
	if n.wake > now {
		d = n.wake - now
	}
	s.in(n, d, func() {
		if n.timer != timer {
			return
		}
		if now := n.clock.Now(); now < n.wake {
			n.timer++
			s.arm(n, n.timer)
		} else {
			n.wake = 0
		}
		s.step(n, &consensus.Woken{NowMs: n.clock.Now()})
	})
}

// broadcast sends a message to those named, or to all.
func (s *sim) broadcast(n *simNode, to []types.Hash, payload []byte) {
	if s.loud != nil {
		s.say("node %d sends %s", n.i, describe(payload))
	}
	if s.forge != nil {
		s.forge.sees(payload)
	}
	send := func(d *simNode) {
		if d == n || !s.shows(n, d, payload) {
			return
		}
		through, later := true, uint64(0)
		if s.meddle != nil && !s.calmed {
			through, later = s.meddle(s, n, d, payload)
		}
		deliver := func() { s.step(d, &consensus.Message{From: n.peer, Payload: payload, NowMs: d.clock.Now()}) }
		switch {
		case !through:
		case later > 0:
			s.w.After(later, func() { s.net.Send(n.i, d.i, deliver) })
		default:
			s.net.Send(n.i, d.i, deliver)
		}
	}
	late := func(f func()) { f() }
	if n.hide == 1 && kind(payload[1]) == kindProposal {
		late = func(f func()) { s.w.After(s.slotMs+s.w.Between(0, s.slotMs), f) }
	}
	late(func() {
		if len(to) == 0 {
			for _, d := range s.nodes {
				send(d)
			}
		}
		for _, p := range to {
			for _, d := range s.byPeer[p] {
				send(d)
			}
		}
	})
}

// shows tells whether a twin lets another see a message.
func (s *sim) shows(n, d *simNode, payload []byte) bool {
	switch k := kind(payload[1]); {
	case n.hide == 2 && k == kindProposal:
		return (d.i+n.i)%2 == 0 || n.i >= len(s.keys) && (d.i+n.i)%2 == 1
	case n.hide == 3 && (k == kindPrepare || k == kindCommit || k == kindStatus):
		return d.i == int(s.w.Now()/2000)%len(s.nodes)
	}
	return true
}

func (s *sim) throwGarbage(n *simNode) {
	r := s.w.Rand
	b := make([]byte, 2+r.IntN(300))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0], b[1] = messageVersion, byte(r.IntN(14))
	now := n.clock.Now()
	s.step(n, &consensus.Message{From: types.Sum("test", []byte("stranger")), Payload: b, NowMs: now})
	s.step(n, &consensus.Checked{Block: types.Sum("test", b), OK: r.IntN(2) == 0, NowMs: now})
	s.step(n, &consensus.Built{Slot: uint64(r.IntN(100)), NowMs: now})
	s.step(n, &consensus.Finalised{Header: s.genesis.h, Proof: &types.Finality{Cert: &types.Certificate{}}, NowMs: now})
	s.step(n, &consensus.Finalised{NowMs: now})
}

// describe tells in a line what a message says.
func describe(payload []byte) string {
	msg, err := DecodeMessage(payload)
	if err != nil {
		return fmt.Sprintf("%d bytes that are no message: %v", len(payload), err)
	}
	proof := func(p *Proof) string {
		switch {
		case p == nil:
			return "nothing"
		case p.Prepare != nil:
			return fmt.Sprintf("QC of slot %d (%d votes)", p.Prepare.Slot, len(p.Prepare.Votes))
		}
		return fmt.Sprintf("certificate of slot %d", p.Ref().Slot)
	}
	switch m := msg.(type) {
	case *Proposal:
		return fmt.Sprintf("proposal %s e%d s%d h%d on %s, closes %t, with %s", m.Header.ID().Short(), m.Header.Epoch, m.Header.Slot, m.Header.Height,
			m.Header.Parent.Short(), m.Header.Closes(), proof(m.Justify))
	case *Prepare:
		return fmt.Sprintf("prepare %s e%d s%d h%d src %d seat %d, %d proofs", m.ID.Short(), m.Epoch, m.Slot, m.Height, m.Src, m.Seat, len(m.Support))
	case *Commit:
		return fmt.Sprintf("commit %s e%d s%d h%d seat %d", m.ID.Short(), m.Epoch, m.Slot, m.Height, m.Seat)
	case *Status:
		return fmt.Sprintf("status s%d head %s at %d, with %s", m.Slot, m.Head.ID.Short(), m.HeadHeight, proof(m.High))
	}
	return fmt.Sprintf("%T of %d bytes", msg, len(payload))
}
