package consensustest

import (
	"crypto/ed25519"
	"encoding/binary"
	"slices"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

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
		priv, _ := seatKey(c.seat)
		sig := ed25519.Sign(priv, types.SignBytes(w.genesis.Chain, u.Purpose, u.Payload))
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
			c.built(b, h)
		}
	}
	for _, k := range r.Check {
		answer, ok := true, true
		if c.check != nil {
			answer, ok = c.check(k)
		}
		if answer {
			c.checked(k.Header, ok)
		}
	}
	if r.Head != nil {
		c.head = *r.Head
	}
	for _, f := range r.Final {
		if h := c.headers[f.Block]; h != nil && h.Height > c.final.Height && f.Proof != nil {
			c.finalise(h, f.Proof)
		}
	}
}

// built answers a Build.
func (c *core) built(b *consensus.Build, h *types.Header) {
	if h != nil {
		c.keep(h)
	}
	c.step(&consensus.Built{Slot: b.Slot, Parent: b.Parent, Header: h, Next: c.w.named(h), NowMs: c.w.now})
}

// checked answers a Check. A block that does not close the epoch when it has to, or the other way round, is never valid.
func (c *core) checked(h *types.Header, ok bool) {
	if ok = ok && h.NextSet == c.closing(h); ok {
		c.keep(h)
	}
	c.step(&consensus.Checked{Block: h.ID(), OK: ok, Next: c.w.named(h), NowMs: c.w.now})
}

func (c *core) keep(h *types.Header) {
	id := h.ID()
	c.headers[id] = h
	if p := c.headers[h.Parent]; p != nil && p.Epoch == h.Epoch && (p.Closes() || c.suffix[h.Parent]) {
		c.suffix[id] = true
	}
}

// closing returns the NextSet that a header must have.
func (c *core) closing(h *types.Header) types.Hash {
	p := c.headers[h.Parent]
	if c.w.next == nil || p == nil || p.Epoch != h.Epoch || p.Closes() || c.suffix[h.Parent] {
		return types.Hash{}
	}
	s := c.w.next(p)
	if s == nil {
		return types.Hash{}
	}
	c.w.sets[s.Hash()] = s
	return s.Hash()
}

// named returns the set that a header names; nil for none.
func (w *world) named(h *types.Header) *types.Set {
	if h == nil || !h.Closes() {
		return nil
	}
	return w.sets[h.NextSet]
}

// finalise takes over a final block, and the epoch if it is the first one there.
func (c *core) finalise(h *types.Header, proof *types.Finality) {
	if c.final.Closes() && h.Epoch == c.final.Epoch+1 {
		c.set, c.opened, c.openedBy = c.w.named(c.final), c.final, c.proof
	}
	c.headers[h.ID()], c.final, c.proof = h, h, proof
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
	h := &types.Header{Chain: c.w.genesis.Chain, Height: p.Height + 1, Slot: b.Slot, Epoch: b.Epoch, Clock: types.NextClock(p.Clock, p.Slot, b.Slot), Parent: b.Parent,
		BodyRoot:  types.Sum("consensustest", binary.BigEndian.AppendUint64(nil, c.w.salt)),
		Consensus: slices.Clone(b.Consensus)}
	h.NextSet = c.closing(h)
	if c.seat >= 0 {
		priv, pub := seatKey(c.seat)
		h.Producer = pub.Hash()
		if len(b.VRFInput) > 0 {
			h.Consensus = append(h.Consensus, ecvrf.Prove(voi.PrivateKey(priv), b.VRFInput)...)
		}
	}
	if len(b.Certificate) > 0 {
		if cert, err := types.DecodeCertificate(b.Certificate); err == nil {
			h.CertHeight = cert.Height
		}
	}
	return h
}
