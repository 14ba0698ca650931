package pbft

import (
	"bytes"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// pending is a proposal that has to wait.
type pending struct {
	from types.Hash
	id   types.BlockID
	p    *Proposal
}

// onProposal takes a header from a peer, or from nobody: an own one that has just been signed.
func (m *Machine) onProposal(from types.Hash, p *Proposal) {
	h := p.Header
	if h.Chain != m.chain || h.Height == 0 || m.halted {
		return
	}
	if h.Epoch != m.set.Epoch {
		m.otherEpoch(from, h.Epoch, h.Slot, p, nil)
		if o := m.past; o != nil && h.Epoch == o.set.Epoch && h.Slot+windowSlots > o.until {
			m.lateProposal(o, h, p.Sig)
		}
		return
	}
	id := h.ID()
	n := m.nodes[id]
	if n == nil && (h.Slot <= m.final.h.Slot || h.Height <= m.final.h.Height || slices.Contains(m.bad, id)) {
		if h.Slot+windowSlots > m.final.h.Slot {
			m.lateProposal(m.epoch, h, p.Sig)
		}
		return
	}
	seat, ok := m.seats[h.Producer]
	if !ok || (n == nil || n.sig == nil) && !m.verify(m.epoch, seat, PurposePropose, ProposePayload(id, h.Slot), p.Sig) {
		return
	}
	if n == nil && seat == m.seat && !from.IsZero() {
		if m.checkOwnProposal(h.Slot, id); m.halted {
			return
		}
	}
	if n == nil || n.sig == nil {
		fine := m.noteProposal(m.epoch, seat, h.Slot, id, p.Sig)
		if m.halted || n == nil && !fine && !m.needed(h, id) {
			return
		}
	}
	if n == nil && h.Slot > m.due() {
		m.tick("early block")
		m.keepEarly(&pending{from, id, p})
		return
	}
	m.learn(from, p.Justify)
	if p.Cert != nil {
		m.learn(from, &Proof{Commit: p.Cert})
	}
	if m.halted || m.over != nil {
		return
	}
	if n == nil {
		n = m.nodes[id] // it may have come by what was learned
	}
	if n != nil {
		m.vouch(n, from)
		if n.sig == nil && m.verify(m.epoch, seat, PurposePropose, ProposePayload(id, h.Slot), p.Sig) {
			n.sig = p.Sig
		}
		return
	}
	parent := m.nodes[h.Parent]
	if parent == nil {
		m.tick("orphan")
		m.keepOrphan(&pending{from, id, p})
		m.want(h.Parent, from, true)
		return
	}
	if n := m.attach(parent, h, id, p.Sig); n != nil {
		n.cert = p.Cert
		m.grown(n, from)
	}
}

// needed tells whether a block has to be taken though its producer has made many for the slot: others have voted for it or have
// built on it. That it was asked for is no reason, since a peer can have anything asked for.
func (m *Machine) needed(h *types.Header, id types.BlockID) bool {
	if m.looseFor(id) != nil {
		return true
	}
	for _, book := range []*votebook{m.prepares, m.commits} {
		for _, v := range book.byID[id] {
			if v.slot == h.Slot && int(v.seat) != m.seats[h.Producer] {
				return true
			}
		}
	}
	built := []types.BlockID{id}
	for i := 0; i < len(built) && i < maxOrphans; i++ {
		for _, o := range m.orphans {
			switch {
			case o.p.Header.Parent != built[i]:
			case o.p.Header.Producer != h.Producer:
				return true
			default:
				built = append(built, o.id)
			}
		}
	}
	return false
}

// otherEpoch is what is done with a message of another epoch than the one in force.
func (m *Machine) otherEpoch(from types.Hash, epoch, slot uint64, msg Message, raw []byte) {
	switch {
	case epoch == m.set.Epoch+1:
		m.keepAhead(from, msg, raw)
	case epoch < m.set.Epoch:
		if m.past != nil && epoch == m.past.set.Epoch && slot <= m.past.until {
			return // it may have been sent before its sender could know
		}
		m.answerOld(from, epoch)
	}
}

// valid tells whether a header may stand on its parent, as far as the engine can see.
func (m *Machine) valid(n *node, seat int) bool {
	h, p, x := n.h, n.parent, n.x
	switch {
	case h.Epoch != m.set.Epoch || h.Slot <= p.h.Slot || h.Height != p.h.Height+1 || m.leader(p, h.Slot) != seat:
		return false
	case x.Justify.Slot < p.x.Justify.Slot || x.Justify.Slot >= h.Slot:
		return false
	case p.closing != nil && (h.Closes() || h.CertHeight != 0 || m.capped(p)):
		return false // after the closing block come blocks that carry nothing
	}
	if a, sure := n.ancestor(x.Justify.Slot); (sure && a == nil || a != nil && a.id != x.Justify.ID) && !m.cfg.rules.anyJustify {
		return false
	}
	if !m.validFinalRef(n) {
		return false
	}
	return m.replaying || m.cfg.Verifier.VRF(m.set.Seats[seat].Key, consensus.VRFInput(m.setHash, h.Slot), x.VRF) == nil
}

// validFinalRef checks what a header says of the certificate that it carries.
func (m *Machine) validFinalRef(n *node) bool {
	h, p, x := n.h, n.parent, n.x
	if h.CertHeight == 0 {
		return x.FinalRef == p.x.FinalRef
	}
	f := x.FinalRef
	if f.Height != h.CertHeight || f.Height <= p.x.FinalRef.Height || f.Height >= h.Height || f.Slot >= h.Slot {
		return false
	}
	a, sure := n.ancestor(f.Slot)
	if a == nil {
		return !sure
	}
	return a.id == f.ID && a.h.Height == f.Height
}

// attach puts a header into the tree, or returns nil if it may not stand there.
func (m *Machine) attach(parent *node, h *types.Header, id types.BlockID, sig []byte) *node {
	x, err := DecodeExtra(h.Consensus)
	if err != nil || parent.final && parent != m.final {
		return nil
	}
	n := &node{id: id, h: h, x: x, hx: x, parent: parent, sig: sig, closing: parent.closing}
	seat, ok := m.seats[h.Producer]
	if !ok || !m.valid(n, seat) || m.full() && !m.makeRoom(parent) {
		return nil
	}
	if h.Closes() {
		n.closing = n
	}
	m.nodes[id] = n
	parent.kids = append(parent.kids, n)
	m.open++
	return n
}

// grown goes on with a block that has just come into the tree, and with what waited for it.
func (m *Machine) grown(n *node, from types.Hash) {
	m.vouch(n, from)
	for _, v := range m.prepares.byID[n.id] {
		m.vouch(n, v.from)
		m.cross(m.epoch, v, true)
	}
	if n.parent.state == checked {
		m.ask(n)
	}
	m.needProof(n, from)
	if p := m.takeLoose(n.id); p != nil {
		m.apply(n, p, from)
	}
	m.countPrepares(n, from)
	m.countCommits(n)
	m.adopt(n.id)
}

// adopt attaches orphans of a parent that has come.
func (m *Machine) adopt(parent types.BlockID) {
	var mine []*pending
	m.orphans = slices.DeleteFunc(m.orphans, func(o *pending) bool {
		if o.p.Header.Parent == parent {
			mine = append(mine, o)
			return true
		}
		return false
	})
	for _, o := range mine {
		p := m.nodes[parent]
		if p == nil || m.halted || m.over != nil || m.nodes[o.id] != nil {
			continue
		}
		if n := m.attach(p, o.p.Header, o.id, o.p.Sig); n != nil {
			n.cert = o.p.Cert
			m.grown(n, o.from)
		}
	}
}

func (m *Machine) vouch(n *node, from types.Hash) {
	if !from.IsZero() && len(n.vouch) < maxVouch && !slices.Contains(n.vouch, from) {
		n.vouch = append(n.vouch, from)
	}
}

// ask asks the core to check a block.
func (m *Machine) ask(n *node) {
	n.state = asked
	n.tries++
	n.retryAt = m.slot + 1<<min(n.tries, 5)
	m.out.Check = append(m.out.Check, consensus.Check{Header: n.h, From: slices.Clone(n.vouch)})
}

func (m *Machine) onChecked(e *consensus.Checked) {
	id := e.Block
	n := m.nodes[id]
	if n == nil || n.state != asked || e.OK && n.h.Closes() && !m.takeNext(n, e.Next) {
		return
	}
	if !e.OK {
		if len(m.bad) >= maxBad {
			m.bad = slices.Delete(m.bad, 0, 1)
		}
		m.bad = append(m.bad, id)
		m.remove(n)
		m.uncovered = slices.DeleteFunc(m.uncovered, func(n *node) bool { return !n.waits })
		return
	}
	n.state = checked
	m.persist(headerRecord(n))
	for _, k := range n.kids {
		if k.state == waiting {
			m.ask(k)
		}
	}
	m.offerHead(n)
	if n.proof != nil {
		m.offerHigh(n)
	}
	m.tryPrepare(n)
	if n.proof != nil {
		m.tryCommit(n)
	}
	if n.fin != nil {
		m.finalise(n, true)
	}
	if n.h.Closes() {
		m.closingChecked(n)
	}
	m.finalAtOnce(n)
	m.tryBuild()
}

// closingChecked acts upon what is known already of the finality of a closing block.
func (m *Machine) closingChecked(n *node) {
	if o := m.hand; o != nil && o.Header.ID() == n.id {
		m.settle(n, o.Proof, true)
		return
	}
	var ripe *node
	m.below(n, func(d *node) bool {
		if d.fin != nil {
			ripe = d
		}
		return ripe == nil
	})
	if ripe != nil {
		m.finalise(ripe, true)
	}
}

func (m *Machine) keepOrphan(o *pending) {
	mine := 0
	for _, p := range m.orphans {
		if p.id == o.id {
			return
		}
		if p.from == o.from {
			mine++
		}
	}
	if mine >= maxPeerOrphans || len(m.orphans) >= maxOrphans {
		return
	}
	m.orphans = append(m.orphans, o)
}

// keepEarly keeps a proposal until its time. Those far ahead are dropped; they will be asked for.
func (m *Machine) keepEarly(o *pending) {
	if o.p.Header.Slot > m.slot+aheadSlots || len(m.early) >= maxEarly ||
		slices.ContainsFunc(m.early, func(p *pending) bool { return p.id == o.id }) {
		return
	}
	m.early = append(m.early, o)
}

func (m *Machine) releaseEarly() {
	var ripe []*pending
	due := m.due()
	m.early = slices.DeleteFunc(m.early, func(p *pending) bool {
		if p.p.Header.Slot <= due {
			ripe = append(ripe, p)
			return true
		}
		return false
	})
	slices.SortStableFunc(ripe, func(a, b *pending) int {
		if a.p.Header.Slot != b.p.Header.Slot {
			return int(a.p.Header.Slot) - int(b.p.Header.Slot)
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	for _, p := range ripe {
		m.onProposal(p.from, p.p)
	}
}
