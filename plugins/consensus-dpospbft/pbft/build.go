package pbft

import (
	"bytes"

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
	if m.seat < 0 || m.halted || m.building != nil || m.slot <= m.lastProduced || m.slot <= m.head.h.Slot ||
		m.leader(m.head, m.slot) != m.seat {
		return
	}
	m.lastProduced = m.slot
	x := &Extra{Epoch: m.set.Epoch, Justify: m.high.ref(), FinalRef: m.head.x.FinalRef}
	b := &building{slot: m.slot, parent: m.head.id}
	var cert []byte
	if f := m.final; f.fin != nil && f.h.Height > x.FinalRef.Height {
		x.FinalRef = FinalRef{f.h.Slot, f.h.Height, f.id}
		b.cert, cert = f.fin, f.fin.Encode()
	}
	b.consensus = x.Encode()
	m.building = b
	m.out.Build = &consensus.Build{
		Slot: b.slot, Parent: b.parent, Consensus: b.consensus, Certificate: cert, DeadlineMs: m.startOf(b.slot + 1),
		Empty: m.head.h.Height-m.final.h.Height >= m.cfg.MaxUnfinal,
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
	if h == nil || parent == nil || !parent.within(m.final) || m.slot > b.slot && m.head != parent {
		return // too late: the next block is there already
	}
	var certHeight uint64
	if b.cert != nil {
		certHeight = b.cert.Height
	}
	if h.Chain != m.chain || h.Slot != b.slot || h.Parent != b.parent || h.Producer != m.key || !bytes.Equal(h.Consensus, b.consensus) ||
		h.CertHeight != certHeight {
		return
	}
	id := h.ID()
	n := m.attach(parent, h, id, nil)
	if n == nil {
		return
	}
	n.cert = b.cert
	m.own = h
	m.persist(ownRecord(h))
	m.signProposal(n)
	m.grown(n, types.Hash{})
}

func (m *Machine) signProposal(n *node) {
	m.sign(PurposePropose, n.h.Slot, ProposePayload(n.id, n.h.Slot), m.proposalOf(n))
}
