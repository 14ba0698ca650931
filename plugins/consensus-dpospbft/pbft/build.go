package pbft

import (
	"bytes"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// building is a body that the core has been asked for.
type building struct {
	slot      uint64
	parent    types.BlockID
	consensus []byte
	cert      *types.Certificate
}

// tryBuild asks for a body if the slot belongs to this node and nothing has been proposed in it yet.
func (m *Machine) tryBuild() {
	if m.silent() || m.slot < m.buildFrom || m.building != nil || m.slot <= m.lastProduced {
		return
	}
	parent := m.head
	if m.grownUp(parent) || m.full() { // nothing has been final for so long that from now on blocks stand side by side, and not too many
		parent = m.high
		if !besideTurn(len(m.set.Seats), m.cfg.Turn, Backoff(parent.h.Height-min(parent.h.Height, parent.x.FinalRef.Height), m.cfg.Turn), m.slot) {
			return
		}
	}
	suffix := parent.closing != nil
	if m.capped(parent) || m.slot <= parent.h.Slot || m.leader(parent, m.slot) != m.seat {
		return
	}
	m.lastProduced = m.slot
	x := &Extra{Justify: m.high.ref(), FinalRef: parent.x.FinalRef}
	b := &building{slot: m.slot, parent: parent.id}
	var cert []byte
	if f := m.final; !suffix && f.fin != nil && f.h.Height > x.FinalRef.Height {
		x.FinalRef = FinalRef{f.h.Slot, f.h.Height, f.id}
		b.cert, cert = f.fin, f.fin.Encode()
	}
	b.consensus = x.withoutProof()
	if m.cfg.count != nil {
		m.tick(fmt.Sprintf("built with a back-off of %d", Backoff(parent.h.Height-min(parent.h.Height, parent.x.FinalRef.Height), m.cfg.Turn)))
	}
	m.building = b
	m.out.Build = &consensus.Build{
		Slot: b.slot, Parent: b.parent, Epoch: m.set.Epoch, Consensus: b.consensus, VRFInput: consensus.VRFInput(m.setHash, b.slot),
		Certificate: cert, DeadlineMs: m.startOf(b.slot + 1),
		Empty: suffix || parent.h.Height-m.final.h.Height >= m.cfg.MaxUnfinal,
	}
}

func (m *Machine) onBuilt(e *consensus.Built) {
	b := m.building
	if b == nil || e.Slot != b.slot || e.Parent != b.parent {
		return
	}
	m.building = nil
	defer m.tryBuild() // for the slot that may have begun meanwhile
	h, parent := e.Header, m.nodes[b.parent]
	if h == nil || parent == nil || !parent.within(m.final) || m.slot > b.slot && m.head != parent || b.slot > m.slot+1 || m.silent() {
		return // too late, for the next block is there already; or the clock was wrong
	}
	var certHeight uint64
	if b.cert != nil {
		certHeight = b.cert.Height
	}
	if h.Chain != m.chain || h.Slot != b.slot || h.Parent != b.parent || h.Producer != m.key || h.Epoch != m.set.Epoch || !bytes.HasPrefix(h.Consensus, b.consensus) ||
		h.CertHeight != certHeight {
		return
	}
	id := h.ID()
	if m.nodes[id] != nil {
		return // another instance with the same key has made the same block
	}
	n := m.attach(parent, h, id, nil)
	if n == nil {
		return
	}
	n.cert = b.cert
	if h.Closes() {
		m.takeNext(n, e.Next)
	}
	m.own = h
	m.persist(ownRecord(h))
	m.signProposal(n)
	m.grown(n, types.Hash{})
}

func (m *Machine) signProposal(n *node) {
	p := m.proposalOf(n)
	p.Sig = nil // after a restart there may be one; another will be appended
	m.sign(PurposePropose, n.h.Slot, ProposePayload(n.id, n.h.Slot), p)
}
