package pbft

import (
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// want is a block that others speak of and this node does not know.
type want struct {
	id    types.BlockID
	since uint64 // slot
	asked uint64 // time, or 0
	tries int
	peers []types.Hash
}

// wantSlots is for how many slots a block is asked for unless somebody speaks of it again.
const wantSlots = 16

// want notes a block that a peer has spoken of. If it is urgent the peer is asked at once; otherwise the block is given time
// until the next slot to come by itself.
func (m *Machine) want(id types.BlockID, from types.Hash, urgent bool) {
	if from.IsZero() || m.nodes[id] != nil || slices.Contains(m.bad, id) {
		return
	}
	i := slices.IndexFunc(m.wants, func(w *want) bool { return w.id == id })
	if i < 0 {
		if len(m.wants) >= maxWants {
			m.wants = slices.Delete(m.wants, 0, 1)
		}
		m.wants = append(m.wants, &want{id: id, since: m.slot})
		i = len(m.wants) - 1
	}
	w := m.wants[i]
	if len(w.peers) < maxVouch && !slices.Contains(w.peers, from) {
		w.peers = append(w.peers, from)
	}
	if urgent && (w.asked == 0 || m.now-w.asked >= m.cfg.SlotMs) {
		m.askHeaders(w, from)
	}
}

func (m *Machine) askHeaders(w *want, to types.Hash) {
	w.asked = m.now
	w.tries++
	m.send(to, &GetHeaders{Want: w.id, Have: m.locator()})
}

func (m *Machine) retryWants() {
	m.wants = slices.DeleteFunc(m.wants, func(w *want) bool {
		if m.hand != nil && m.hand.Header.ID() == w.id {
			w.since = m.slot // nothing goes on without it
		}
		return m.nodes[w.id] != nil || m.slot > w.since+wantSlots || slices.Contains(m.bad, w.id)
	})
	for _, w := range m.wants {
		if w.asked == 0 || m.now-w.asked >= m.cfg.SlotMs {
			m.askHeaders(w, w.peers[w.tries%len(w.peers)])
		}
	}
}

// locator names blocks of this node's chain, from the head down to the final block, with growing gaps.
func (m *Machine) locator() []types.BlockID {
	var out []types.BlockID
	step, left := 1, 0
	for n := m.head; n != m.final && len(out) < maxLocator-1; n = n.parent {
		if left == 0 {
			out = append(out, n.id)
			if len(out) >= 8 {
				step *= 2
			}
			left = step
		}
		left--
	}
	return append(out, m.final.id)
}

func (m *Machine) onGetHeaders(from types.Hash, q *GetHeaders) {
	n := m.nodes[q.Want]
	if n == nil || from.IsZero() {
		return
	}
	var path []*node
	for ; n != nil && !slices.Contains(q.Have, n.id); n = n.parent {
		path = append(path, n)
	}
	if n == nil && !slices.Contains(q.Have, m.root.h.Parent) {
		return // the gap is wider than the tree: the core's network fills it
	}
	slices.Reverse(path)
	a, size := &Headers{}, 0
	for _, n := range path {
		if n.sig == nil || len(a.Items) == maxHeaders || size > headersBytes {
			break
		}
		p := m.proposalOf(n)
		size += len(EncodeMessage(p))
		a.Items = append(a.Items, p)
	}
	if len(a.Items) > 0 {
		m.send(from, a)
	}
}

// proposalOf returns a block's header with the proofs that go with it.
func (m *Machine) proposalOf(n *node) *Proposal {
	p := &Proposal{Header: n.h, Sig: n.sig, Cert: n.cert}
	if j := m.nodes[n.hx.Justify.ID]; j != nil && j.h.Epoch == n.h.Epoch {
		p.Justify = j.proof
	}
	return p
}

func (m *Machine) onGetProofs(from types.Hash, q *GetProofs) {
	if from.IsZero() {
		return
	}
	a := &Proofs{}
	for _, id := range q.IDs {
		if n := m.nodes[id]; n != nil && n.proof != nil {
			a.Items = append(a.Items, n.proof)
		}
	}
	if len(a.Items) > 0 {
		m.send(from, a)
	}
}

func (m *Machine) onStatus(from types.Hash, s *Status) {
	m.hear(from, s.Slot)
	if s.Epoch != m.set.Epoch {
		m.answerOld(from, s.Epoch)
		return
	}
	m.learn(from, s.High)
	if s.Final != nil {
		m.learn(from, &Proof{Commit: s.Final})
	}
	if !m.halted && s.HeadHeight > m.final.h.Height && s.Head.Slot > m.final.h.Slot {
		if n := m.nodes[s.Head.ID]; n != nil {
			m.vouch(n, from)
		} else {
			m.want(s.Head.ID, from, true)
		}
	}
}
