package pbft

import (
	"encoding/binary"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// setMode is how the sets of epochs follow one another.
type setMode int

const (
	setsSame     setMode = iota // the same producers in another order
	setsRotate                  // one goes, one comes
	setsDisjoint                // all go
	setsResize                  // one more, one less
	setModes
)

// producers returns how many there are to choose from.
func (p *plan) producers() int {
	switch {
	case p.epoch == 0 || p.sets == setsSame:
		return p.n
	case p.sets == setsDisjoint:
		return 2 * p.n
	}
	return p.n + 1
}

func (p *plan) isByz(id int) bool {
	return id < p.twins || p.sets == setsDisjoint && p.epoch > 0 && id >= p.n && id < p.n+p.twins
}

func (p *plan) isMute(id int) bool {
	return p.mute > 0 && (id >= p.n-p.mute && id < p.n || p.sets == setsDisjoint && p.epoch > 0 && id >= 2*p.n-p.mute)
}

// maxByz is how many of a set may break the rules without harm.
func (p *plan) maxByz() int { return (p.n - 1) / 3 }

// elected returns the producers of an epoch, in order, less those that were caught.
func (p *plan) elected(epoch, caught uint64) []int {
	var ids []int
	add := func(id int) { ids = append(ids, id) }
	switch {
	case p.epoch == 0 || p.sets == setsSame:
		for i := range p.n {
			add((i + int(epoch)) % p.n)
		}
	case p.sets == setsRotate:
		for i := range p.n {
			add((i + int(epoch)) % (p.n + 1))
		}
	case p.sets == setsDisjoint:
		for i := range p.n {
			add((i+int(epoch))%p.n + p.n*int(epoch%2))
		}
	default:
		for i := range p.n + int(epoch%2) {
			add(i)
		}
	}
	return slices.DeleteFunc(ids, func(id int) bool { return caught>>id&1 == 1 })
}

// simBlock is a header with its body and the state after it, which follows from the chain below.
type simBlock struct {
	h        *types.Header
	id       types.BlockID
	parent   *simBlock
	salt     uint64 // stands for transactions
	evidence [][]byte
	st       *simState
}

// simState is a state. Blocks after a closing one leave it as it is.
type simState struct {
	root   types.Hash
	set    *types.Set
	start  *simBlock  // that opened the epoch
	next   *types.Set // the item under consensus.NextSetKey: the block's child closes the epoch
	closed *simBlock  // the closing block of this epoch, which this is or descends from
	caught uint64     // producers with evidence against them, by bit
}

func (s *sim) makeGenesis() {
	set := s.setFrom(0, 0)
	h := &types.Header{Chain: types.Sum("test", []byte("chain")), NextSet: set.Hash()}
	g := &simBlock{h: h, id: h.ID()}
	g.st = &simState{root: types.Sum("test", []byte("state")), set: set, start: g}
	s.genesis = g
	s.blocks[g.id] = g
}

func (s *sim) setFrom(epoch, caught uint64) *types.Set {
	var keys []types.PublicKey
	for _, id := range s.elected(epoch, caught) {
		keys = append(keys, s.keys[id].pub)
	}
	set := types.EqualSet(epoch, keys)
	hash := set.Hash()
	for _, o := range s.sets {
		if o.Epoch == epoch && s.ver.hashOf(o) == hash {
			return o
		}
	}
	s.sets = append(s.sets, set)
	return set
}

// setOf returns the set of the epoch that a block is in.
func (s *sim) setOf(b *simBlock) *types.Set { return b.st.set }

func bodyRoot(salt uint64, evidence [][]byte) types.Hash {
	if salt == 0 && len(evidence) == 0 {
		return types.Hash{}
	}
	b := binary.BigEndian.AppendUint64(nil, salt)
	for _, e := range evidence {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(e))), e...)
	}
	return types.Sum("test", b)
}

// header fills in what the core fills in, but for the engine's bytes.
func (s *sim) header(parent *simBlock, epoch, slot, salt uint64, evidence [][]byte) *types.Header {
	h := &types.Header{Chain: s.genesis.h.Chain, Height: parent.h.Height + 1, Slot: slot, Epoch: epoch, Parent: parent.id,
		Clock: types.NextClock(parent.h.Clock, parent.h.Slot, slot), BodyRoot: bodyRoot(salt, evidence), StateRoot: parent.st.root}
	if parent.st.next != nil && epoch == parent.h.Epoch && parent.st.closed == nil {
		h.NextSet = parent.st.next.Hash()
	}
	return h
}

// admit puts a block into the world, if a core finds it right.
func (s *sim) admit(h *types.Header, salt uint64, evidence [][]byte) *simBlock {
	id := h.ID()
	if b := s.blocks[id]; b != nil {
		return b
	}
	parent := s.blocks[h.Parent]
	if parent == nil || h.Slot <= parent.h.Slot {
		return nil
	}
	suffix := parent.st.closed != nil && h.Epoch == parent.h.Epoch
	want := s.header(parent, h.Epoch, h.Slot, salt, evidence)
	want.Producer, want.CertHeight, want.Consensus = h.Producer, h.CertHeight, h.Consensus
	next := parent.h.Epoch
	if parent.h.Closes() || s.rules.keepSuffix && suffix {
		next++
	}
	if want.ID() != id || h.Epoch != parent.h.Epoch && h.Epoch != next || suffix && h.BodyRoot != (types.Hash{}) {
		return nil
	}
	b := &simBlock{h: h, id: id, parent: parent, salt: salt, evidence: evidence}
	b.st = s.execute(b, suffix)
	s.blocks[id] = b
	return b
}

// execute returns the state after a block.
func (s *sim) execute(b *simBlock, suffix bool) *simState {
	p := b.parent.st
	if suffix {
		return p
	}
	st := &simState{set: p.set, start: p.start, caught: p.caught}
	if b.h.Epoch != b.parent.h.Epoch {
		st.set, st.start = p.next, b.parent
		if p.closed != nil {
			st.set, st.start = p.closed.st.next, p.closed
		}
	}
	early := false
	for _, raw := range b.evidence {
		if id := s.offender(raw); id >= 0 && st.caught>>id&1 == 0 {
			st.caught |= 1 << id
			early = true
		}
	}
	st.root = types.Sum("test", append(append([]byte(nil), p.root[:]...), b.id[:]...))
	switch {
	case b.h.Closes():
		st.closed, st.next = b, p.next
	case p.next != nil && b.h.Epoch == b.parent.h.Epoch: // a closing block that is not one was refused
		st.next = p.next
	case s.epoch > 0 && b.h.Slot >= st.start.h.Slot+s.epoch || early:
		st.next = s.setFrom(st.set.Epoch+1, st.caught)
	}
	return st
}

// work is how long building or checking a body takes.
func (s *sim) work() uint64 {
	if s.instant {
		return 0
	}
	return s.w.Between(1, 10)
}

// build makes a body and a header.
func (s *sim) build(n *simNode, b *consensus.Build) {
	parent := s.blocks[b.Parent]
	if parent != nil && !n.bodies[b.Parent] && s.core.volatileBodies {
		return
	}
	if parent == nil || !n.bodies[b.Parent] {
		s.fail("node %d builds on a block that it was never told is checked", n.i)
		return
	}
	suffix := parent.st.closed != nil && b.Epoch == parent.h.Epoch
	if suffix {
		s.count("suffix block built")
	}
	delay := s.work()
	if s.w.Chance(s.noBuild) {
		if s.w.Rand.IntN(2) == 0 {
			s.in(n, delay, func() { s.step(n, &consensus.Built{Slot: b.Slot, Parent: b.Parent, NowMs: n.clock.Now()}) })
			return
		}
		delay = s.w.Between(1, 3*s.slotMs)
	}
	var salt uint64
	var evidence [][]byte
	if !suffix {
		if !b.Empty {
			salt = s.w.Rand.Uint64() | 1
		}
		evidence, n.pool = n.pool, nil
		if s.flood {
			for range s.w.Rand.IntN(4) {
				evidence = append(evidence, s.falseEvidence())
			}
		}
	}
	h := s.header(parent, b.Epoch, b.Slot, salt, evidence)
	h.Producer, h.Consensus = n.key.hash, slices.Clone(b.Consensus)
	if len(b.VRFInput) > 0 {
		h.Consensus = append(h.Consensus, s.ver.prove(n.key, b.VRFInput)...)
	}
	if b.Certificate != nil {
		c, err := types.DecodeCertificate(b.Certificate)
		if err != nil {
			s.fail("node %d: certificate in a build: %v", n.i, err)
			return
		}
		h.CertHeight = c.Height
	}
	blk := s.admit(h, salt, evidence)
	if blk == nil {
		s.fail("node %d: the engine asks for a block of epoch %d on one of epoch %d, which no core takes", n.i, b.Epoch, parent.h.Epoch)
		return
	}
	s.in(n, delay, func() {
		n.journal = append(n.journal, entry{body: blk})
		n.bodies[blk.id] = true
		s.step(n, &consensus.Built{Slot: b.Slot, Parent: b.Parent, Header: h, Next: nextOf(blk), NowMs: n.clock.Now()})
	})
}

// nextOf returns the set that a closing block names.
func nextOf(b *simBlock) *types.Set {
	if b.h.Closes() {
		return b.st.next
	}
	return nil
}

// check answers as soon as somebody reachable has the body.
func (s *sim) check(n *simNode, c consensus.Check) {
	if !n.bodies[c.Header.Parent] {
		if !s.core.volatileBodies {
			s.fail("node %d asks for a check of %d before the parent's", n.i, c.Header.Height)
		}
		return
	}
	if s.w.Chance(s.noCheck) {
		s.count("check not answered")
		return
	}
	delay := s.work()
	if s.w.Chance(s.lateCheck) {
		delay = s.w.Between(1, 3*s.slotMs)
		s.count("check late")
	}
	id := c.Header.ID()
	tries := 0
	var try func()
	try = func() {
		blk := s.blocks[id]
		if !n.bodies[id] {
			found := false
			for _, d := range s.nodes {
				found = found || d.m != nil && d.bodies[id] && s.net.Together(d.i, n.i)
			}
			if !found && s.forge != nil && s.forge.has(id) {
				// the forger's body: a core finds out whether it fits
				blk = s.admit(c.Header, 0, nil)
				found = true
			}
			if tries++; !found && tries < 30 {
				s.in(n, 100, try)
			}
			if !found {
				return
			}
			if blk == nil {
				s.count("check failed")
				s.step(n, &consensus.Checked{Block: id, OK: false, Reason: "body", NowMs: n.clock.Now()})
				return
			}
			n.journal = append(n.journal, entry{body: blk})
			n.bodies[id] = true
		}
		s.step(n, &consensus.Checked{Block: id, OK: true, Next: nextOf(blk), NowMs: n.clock.Now()})
	}
	s.in(n, delay, try)
}

// catchUp is the core's own way to certified blocks: from closing block to closing block, and to the newest final one. Like
// core/chain it waits as long as consensus moves by itself.
func (s *sim) catchUp(n *simNode) {
	if n.m == nil {
		return
	}
	before := n.polled
	n.polled = n.final.h.Height
	for _, d := range s.nodes {
		h := d.final.h.Height
		if d.m == nil || !s.net.Together(d.i, n.i) || h <= n.final.h.Height || n.final.h.Height > before && h <= n.final.h.Height+4 {
			continue
		}
		var path []*simBlock
		for b := d.final; b != nil && b.h.Height > n.final.h.Height; b = b.parent {
			path = append(path, b)
		}
		slices.Reverse(path)
		for _, b := range path {
			if !n.bodies[b.id] {
				n.journal = append(n.journal, entry{body: b})
				n.bodies[b.id] = true
			}
		}
		for _, b := range path {
			p := d.proofs[b.id]
			if b != d.final && (p == nil || !b.h.Closes()) {
				continue
			}
			if p == nil {
				return
			}
			s.count("core catches up")
			s.setFinal(n, b, p)
			n.told = max(n.told, b.h.Height)
			s.step(n, &consensus.Finalised{Header: b.h, Proof: p, Next: nextOf(b), NowMs: n.clock.Now()})
			if n.m == nil {
				return
			}
		}
		return
	}
}

// onEpoch is what a core does when another set has taken over.
func (s *sim) onEpoch(n *simNode, set *types.Set) {
	s.count("hand-over")
	x := n.final
	switch {
	case set.Epoch <= n.epoch && n.epoch > 0:
		s.fail("I9: node %d tells of epoch %d after %d", n.i, set.Epoch, n.epoch)
	case set.Epoch != s.setOf(x).Epoch && (!x.h.Closes() || x.st.next.Epoch != set.Epoch):
		s.fail("I9: node %d is in epoch %d, and its final block is of epoch %d and closes it: %t", n.i, set.Epoch, x.h.Epoch, x.h.Closes())
	}
	n.epoch = set.Epoch
	s.say("node %d is in epoch %d", n.i, set.Epoch)
}
