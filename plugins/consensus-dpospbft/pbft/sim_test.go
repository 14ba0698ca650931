package pbft

import (
	"bytes"
	"container/heap"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// plan is what a simulation is about. All of it but the size follows from a seed in the tests.
type plan struct {
	n, twins   int
	slots      uint64 // of trouble
	calm       uint64 // slots afterwards without any, at the end of which finality must have advanced
	slotMs     uint64
	turn       uint64
	loss, dup  float64
	delayMs    uint64 // largest one-way delay
	constant   bool   // all delays are the largest
	skewMs     uint64 // clocks differ by up to so much
	partitions bool
	crashes    bool
	sync       bool // the core catches up by itself
	realSigs   bool
	mute       int     // seats that never run
	lateCheck  float64 // part of the checks that takes up to three slots
	noCheck    float64 // part of the checks that is never answered
	noBuild    float64 // part of the builds that fails
	garbage    bool
	rules      rules
	conflicts  bool // look for conflicting finality only
}

const simGenesisMs = 1_000_000

// entry of a simulated journal.
type entry struct {
	body   *types.Header
	record []byte
	snap   []byte
	cert   *types.Certificate
}

// simNode is a machine and the core around it.
type simNode struct {
	i, seat int
	twin    bool
	peer    types.Hash
	pub     types.PublicKey
	priv    ed25519.PrivateKey
	skew    uint64
	m       *Machine
	life    int

	journal []entry
	synced  int

	bodies    map[types.BlockID]*types.Header
	final     *types.Header
	finalCert *types.Certificate
	told      uint64 // height up to which the engine's finality is known
	lastLock  uint64
	lastPrep  uint64
	wake      uint64
}

type simEvent struct {
	at, seq uint64
	node    int
	life    int // 0: whatever life
	f       func(n *simNode)
}

type simQueue []*simEvent

func (q simQueue) Len() int { return len(q) }
func (q simQueue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *simQueue) Push(x any)   { *q = append(*q, x.(*simEvent)) }
func (q *simQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// sim is a world in virtual time.
type sim struct {
	plan
	rng     *rand.Rand
	now     uint64
	seq     uint64
	queue   simQueue
	nodes   []*simNode
	set     *types.Set
	genesis *types.Header
	group   []int
	calmed  bool
	err     error
	trace   [32]byte

	finals map[uint64]types.BlockID
	qcs    map[uint64]types.BlockID
	signed map[string][]byte
	culprits,
	finalBlocks int
	latency []uint64
}

func newSim(seed uint64, p plan) *sim {
	s := &sim{plan: p, rng: rand.New(rand.NewPCG(seed, 0x70a)), now: simGenesisMs - 100, finals: map[uint64]types.BlockID{},
		qcs: map[uint64]types.BlockID{}, signed: map[string][]byte{}}
	var keys []types.PublicKey
	var privs []ed25519.PrivateKey
	for i := range p.n {
		k := sha256.Sum256([]byte{byte(i), 'k'})
		priv := ed25519.NewKeyFromSeed(k[:])
		privs = append(privs, priv)
		keys = append(keys, types.PublicKey{Scheme: types.SchemeEd25519, Key: []byte(priv.Public().(ed25519.PublicKey))})
	}
	s.set = types.EqualSet(0, keys)
	s.genesis = &types.Header{Chain: types.Sum("test", []byte("chain"))}
	for i := range p.n + p.twins {
		seat := i % p.n
		if seat >= p.n-p.mute {
			continue
		}
		n := &simNode{i: len(s.nodes), seat: seat, twin: seat < p.twins, peer: types.Sum("test", []byte{byte(i)}), pub: keys[seat], priv: privs[seat],
			final: s.genesis, bodies: map[types.BlockID]*types.Header{s.genesis.ID(): s.genesis}}
		if p.skewMs > 0 {
			n.skew = s.rng.Uint64N(p.skewMs)
		}
		s.nodes = append(s.nodes, n)
	}
	s.group = make([]int, len(s.nodes))
	for _, n := range s.nodes {
		s.start(n)
	}
	end := simGenesisMs + p.slots*p.slotMs
	if p.partitions {
		for t := s.now + s.between(300, 3000); t < end; t += s.between(300, 3000) {
			s.at(t, -1, 0, func(*simNode) { s.repartition() })
		}
	}
	if p.crashes {
		for t := s.now + s.between(200, 6000); t < end; t += s.between(200, 6000) {
			victim := s.rng.IntN(len(s.nodes))
			down := s.between(1, 3000)
			s.at(t, victim, 0, func(n *simNode) { s.crash(n, down) })
		}
	}
	if p.sync {
		for t := s.now + 1000; t < end+p.calm*p.slotMs; t += 700 {
			for i := range s.nodes {
				s.at(t+uint64(i), i, 0, s.catchUp)
			}
		}
	}
	if p.garbage {
		for t := s.now; t < end; t += s.between(1, 200) {
			victim := s.rng.IntN(len(s.nodes))
			s.at(t, victim, 0, s.throwGarbage)
		}
	}
	return s
}

func (s *sim) between(a, b uint64) uint64 { return a + s.rng.Uint64N(b-a) }

func (s *sim) at(t uint64, node, life int, f func(*simNode)) {
	s.seq++
	heap.Push(&s.queue, &simEvent{t, s.seq, node, life, f})
}

// fail notes the first broken invariant.
func (s *sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("t=%d: %s", s.now, fmt.Sprintf(format, args...))
	}
}

// run runs to the end or the first broken invariant.
func (s *sim) run() error {
	trouble := simGenesisMs + s.slots*s.slotMs
	end := trouble + s.calm*s.slotMs
	var before []uint64
	for len(s.queue) > 0 && s.err == nil {
		e := heap.Pop(&s.queue).(*simEvent)
		if e.at > end {
			break
		}
		s.now = e.at
		if s.now >= trouble && !s.calmed {
			s.calmed = true
			s.calmDown()
			for _, n := range s.nodes {
				before = append(before, n.final.Height)
			}
		}
		if e.node < 0 {
			e.f(nil)
			continue
		}
		n := s.nodes[e.node]
		if e.life == 0 || n.m != nil && n.life == e.life {
			e.f(n)
		}
	}
	if s.err == nil && s.calm > 0 && !s.conflicts {
		for i, n := range s.nodes {
			if n.final.Height <= before[i]+2 {
				s.fail("I11: node %d is final at height %d, and was at %d when all was well again", i, n.final.Height, before[i])
			}
		}
	}
	return s.err
}

func (s *sim) calmDown() {
	s.loss, s.dup, s.partitions, s.crashes, s.lateCheck, s.noCheck, s.noBuild = 0, 0, false, false, 0, 0, 0
	s.delayMs = min(s.delayMs, s.slotMs/5)
	clear(s.group)
	for _, n := range s.nodes {
		if n.m == nil {
			s.start(n)
		}
	}
}

func (s *sim) repartition() {
	k := 2 + s.rng.IntN(2)
	for i := range s.group {
		s.group[i] = s.rng.IntN(k)
	}
	if s.rng.IntN(4) == 0 {
		clear(s.group)
	}
}

func (s *sim) local(n *simNode) uint64 { return s.now + n.skew }

// start starts or restarts a node from its journal.
func (s *sim) start(n *simNode) {
	n.life++
	st := &consensus.Start{Genesis: s.genesis, Set: s.set, Key: &n.pub, NowMs: s.local(n), GenesisTimeMs: simGenesisMs}
	n.bodies = map[types.BlockID]*types.Header{s.genesis.ID(): s.genesis}
	n.final, n.finalCert = s.genesis, nil
	for _, e := range n.journal {
		switch {
		case e.body != nil:
			n.bodies[e.body.ID()] = e.body
		case e.record != nil:
			st.Records = append(st.Records, bytes.Clone(e.record))
		case e.snap != nil:
			st.Snapshot, st.Records = bytes.Clone(e.snap), nil
		case e.cert != nil:
			if h := n.bodies[e.cert.Block]; h != nil && h.Height > n.final.Height {
				n.final, n.finalCert = h, e.cert
			}
		}
	}
	st.Final, st.FinalCert, n.told = n.final, n.finalCert, n.final.Height
	cfg := Config{SlotMs: s.slotMs, Turn: s.turn, MaxUnfinal: 50, rules: s.rules}
	if !s.realSigs {
		cfg.Verifier = modelVerifier{s.rules.onePhase}
	}
	m, err := New(cfg, st)
	if err != nil {
		s.fail("node %d does not start again: %v", n.i, err)
		return
	}
	n.m, n.wake = m, 0
	m.snapMin = 4096
	n.lastLock, n.lastPrep = 0, 0
	s.drain(n)
}

func (s *sim) crash(n *simNode, down uint64) {
	if n.m == nil {
		return
	}
	n.m = nil
	keep := n.synced + s.rng.IntN(len(n.journal)-n.synced+1)
	n.journal = n.journal[:keep]
	n.synced = keep
	s.at(s.now+down, n.i, 0, func(n *simNode) {
		if n.m == nil {
			s.start(n)
		}
	})
}

func (s *sim) step(n *simNode, e consensus.Event) {
	if n.m == nil || s.err != nil {
		return
	}
	if err := n.m.Step(e); err != nil {
		s.fail("node %d: %v", n.i, err)
	}
	s.drain(n)
}

func (s *sim) drain(n *simNode) {
	for n.m != nil && n.m.HasReady() && s.err == nil {
		s.inspect(n)
		s.carryOut(n, n.m.Ready())
	}
}

// carryOut is the core's part of a Ready; with crashes it may end in the middle.
func (s *sim) carryOut(n *simNode, r *consensus.Ready) {
	stop := -1
	if s.crashes && s.rng.IntN(400) == 0 {
		stop = s.rng.IntN(4)
	}
	dies := func(at int) bool {
		if stop == at {
			s.crash(n, 1+s.rng.Uint64N(1500))
			return true
		}
		return false
	}
	if r.Halt != "" {
		s.fail("node %d halts: %s", n.i, r.Halt)
		return
	}
	if r.Snapshot != nil {
		n.journal = append(n.journal, entry{snap: r.Snapshot})
	}
	for _, p := range r.Persist {
		n.journal = append(n.journal, entry{record: p})
	}
	if len(r.Sign) > 0 || len(r.Send) > 0 {
		n.synced = len(n.journal)
	}
	if dies(0) {
		return
	}
	for _, u := range r.Sign {
		s.checkSign(n, u)
		sig := s.sign(n, u)
		msg := append(bytes.Clone(u.Message), sig...)
		if dies(1) {
			return
		}
		s.broadcast(n, u.To, msg)
		life := n.life
		s.at(s.now, n.i, life, func(n *simNode) { s.step(n, &consensus.Message{Payload: msg, NowMs: s.local(n)}) })
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
	if r.WakeAtMs > 0 && r.WakeAtMs != n.wake {
		n.wake = r.WakeAtMs
		at := r.WakeAtMs - n.skew
		s.at(max(at, s.now+1), n.i, n.life, func(n *simNode) {
			if n.wake == at+n.skew {
				n.wake = 0
			}
			s.step(n, &consensus.Woken{NowMs: s.local(n)})
		})
	}
	dies(3)
}

func (s *sim) sign(n *simNode, u consensus.Unsigned) []byte {
	msg := types.SignBytes(s.genesis.Chain, u.Purpose, u.Payload)
	if s.realSigs {
		return ed25519.Sign(n.priv, msg)
	}
	return modelSign(n.pub, msg)
}

func (s *sim) broadcast(n *simNode, to []types.Hash, payload []byte) {
	for _, d := range s.nodes {
		if d == n || len(to) > 0 && !slices.Contains(to, d.peer) || s.group[n.i] != s.group[d.i] {
			continue
		}
		if s.loss > 0 && s.rng.Float64() < s.loss {
			continue
		}
		copies := 1
		if s.dup > 0 && s.rng.Float64() < s.dup {
			copies = 2
		}
		for range copies {
			delay := s.between(1, s.delayMs+1)
			if s.constant {
				delay = s.delayMs
			}
			s.at(s.now+delay, d.i, 0, func(d *simNode) {
				if s.group[n.i] == s.group[d.i] {
					s.step(d, &consensus.Message{From: n.peer, Payload: payload, NowMs: s.local(d)})
				}
			})
		}
	}
}

func (s *sim) build(n *simNode, b *consensus.Build) {
	parent := n.bodies[b.Parent]
	if parent == nil {
		s.fail("node %d builds on a block that it was never told is checked", n.i)
		return
	}
	life := n.life
	delay := s.between(1, 10)
	if s.noBuild > 0 && s.rng.Float64() < s.noBuild {
		if s.rng.IntN(2) == 0 {
			s.at(s.now+delay, n.i, life, func(n *simNode) {
				s.step(n, &consensus.Built{Slot: b.Slot, Parent: b.Parent, NowMs: s.local(n)})
			})
			return
		}
		delay = s.between(1, 3*s.slotMs)
	}
	h := &types.Header{Chain: s.genesis.Chain, Height: parent.Height + 1, Slot: b.Slot, Parent: b.Parent, Producer: n.pub.Hash(), Consensus: b.Consensus,
		Clock: types.NextClock(parent.Clock, parent.Slot, b.Slot), BodyRoot: types.Sum("test", binary.BigEndian.AppendUint64([]byte{byte(n.i)}, s.rng.Uint64()))}
	if b.Certificate != nil {
		c, err := types.DecodeCertificate(b.Certificate)
		if err != nil {
			s.fail("node %d: certificate in a build: %v", n.i, err)
			return
		}
		h.CertHeight = c.Height
	}
	s.at(s.now+delay, n.i, life, func(n *simNode) {
		n.journal = append(n.journal, entry{body: h})
		n.bodies[h.ID()] = h
		s.step(n, &consensus.Built{Slot: b.Slot, Parent: b.Parent, Header: h, NowMs: s.local(n)})
	})
}

// check answers as soon as somebody reachable has the body.
func (s *sim) check(n *simNode, c consensus.Check) {
	if n.bodies[c.Header.Parent] == nil {
		s.fail("node %d asks for a check before the parent's", n.i)
		return
	}
	if s.noCheck > 0 && s.rng.Float64() < s.noCheck {
		return
	}
	delay := s.between(1, 10)
	if s.lateCheck > 0 && s.rng.Float64() < s.lateCheck {
		delay = s.between(1, 3*s.slotMs)
	}
	tries := 0
	var try func(n *simNode)
	try = func(n *simNode) {
		id := c.Header.ID()
		if n.bodies[id] == nil {
			found := false
			for _, d := range s.nodes {
				found = found || d.bodies[id] != nil && s.group[d.i] == s.group[n.i] && d.m != nil
			}
			if tries++; !found && tries < 30 {
				s.at(s.now+100, n.i, n.life, try)
			}
			if !found {
				return
			}
			n.journal = append(n.journal, entry{body: c.Header})
			n.bodies[id] = c.Header
		}
		s.step(n, &consensus.Checked{Block: id, OK: true, NowMs: s.local(n)})
	}
	s.at(s.now+delay, n.i, n.life, try)
}

// catchUp is the core's own way to certified blocks.
func (s *sim) catchUp(n *simNode) {
	if n.m == nil {
		return
	}
	for _, d := range s.nodes {
		if d.m == nil || s.group[d.i] != s.group[n.i] || d.final.Height < n.final.Height+4 {
			continue
		}
		var path []*types.Header
		for h := d.final; h != nil && n.bodies[h.ID()] == nil; h = d.bodies[h.Parent] {
			path = append(path, h)
		}
		slices.Reverse(path)
		for _, h := range path {
			n.journal = append(n.journal, entry{body: h})
			n.bodies[h.ID()] = h
		}
		s.setFinal(n, d.final, d.finalCert)
		n.told = max(n.told, d.final.Height)
		s.step(n, &consensus.Finalised{Header: d.final, Cert: d.finalCert, NowMs: s.local(n)})
		return
	}
}

func (s *sim) throwGarbage(n *simNode) {
	b := make([]byte, s.rng.IntN(300))
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	if len(b) > 2 {
		b[0], b[1] = messageVersion, byte(s.rng.IntN(10))
	}
	s.step(n, &consensus.Message{From: types.Sum("test", []byte("stranger")), Payload: b, NowMs: s.local(n)})
	s.step(n, &consensus.Checked{Block: types.Sum("test", b), OK: s.rng.IntN(2) == 0, NowMs: s.local(n)})
	s.step(n, &consensus.Built{Slot: uint64(s.rng.IntN(100)), NowMs: s.local(n)})
	s.step(n, &consensus.Finalised{Header: s.genesis, Cert: &types.Certificate{}, NowMs: s.local(n)})
}

// modelSign stands for a signature: nobody in a simulation makes one but by a machine's request.
func modelSign(k types.PublicKey, msg []byte) []byte {
	h := sha256.New()
	h.Write(k.Key)
	h.Write(msg)
	return append(h.Sum(nil), make([]byte, 32)...)
}

type modelVerifier struct{ anyCert bool }

func (modelVerifier) Signature(k types.PublicKey, msg, sig []byte) error {
	if !bytes.Equal(modelSign(k, msg), sig) {
		return types.ErrBadSignature
	}
	return nil
}

func (v modelVerifier) Batch(keys []types.PublicKey, msgs, sigs [][]byte) error {
	for i := range keys {
		if err := v.Signature(keys[i], msgs[i], sigs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v modelVerifier) Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error {
	if v.anyCert {
		return nil
	}
	if c.SetHash != set.Hash() || len(c.Bitmap) != (len(set.Seats)+7)/8 {
		return types.ErrBadCertificate
	}
	msg := types.SignBytes(chain, types.PurposeCommit, types.CommitPayload(c.SetHash, c.Epoch, c.Slot, c.Height, c.Block))
	var weight uint64
	i := 0
	for seat := range set.Seats {
		if c.Bitmap[seat/8]>>(seat%8)&1 == 0 {
			continue
		}
		if i >= len(c.Signatures) || v.Signature(set.Seats[seat].Key, msg, c.Signatures[i]) != nil {
			return types.ErrBadCertificate
		}
		weight += set.Seats[seat].Weight
		i++
	}
	if i != len(c.Signatures) || weight < set.Threshold {
		return types.ErrBadCertificate
	}
	return nil
}
