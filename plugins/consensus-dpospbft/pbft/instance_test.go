package pbft

import (
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// signMessage completes an unsigned message with the key of a node.
func (l *lab) signMessage(key int, purpose string, payload []byte, msg Message) []byte {
	priv, _ := labKey(key)
	return append(EncodeMessage(msg), ed25519.Sign(priv, types.SignBytes(l.genesis.Chain, purpose, payload))...)
}

// vote makes a vote of a seat of the first set for any block.
func (l *lab) prepare(seat int, slot, height, src uint64, id types.BlockID) []byte {
	s := l.sets[0]
	return l.signMessage(seat, PurposePrepare, PreparePayload(s.Hash(), 0, slot, height, id, src),
		&Prepare{Slot: slot, Height: height, ID: id, Src: src, Seat: uint32(seat)})
}

func (l *lab) commit(seat int, slot, height uint64, id types.BlockID) []byte {
	s := l.sets[0]
	return l.signMessage(seat, types.PurposeCommit, types.CommitPayload(s.Hash(), 0, slot, height, id),
		&Commit{Slot: slot, Height: height, ID: id, Seat: uint32(seat)})
}

// TestSecondInstance shows a machine valid signatures of its own key that it has not made, and such that it has.
func TestSecondInstance(t *testing.T) {
	fresh := func() (*lab, *labNode) {
		l := newLab(t, nil, []int{0, 1, 2, 3})
		l.startAll()
		l.run(10)
		return l, l.nodes[1]
	}
	show := func(l *lab, n *labNode, raw []byte) string {
		l.step(n, &consensus.Message{From: l.nodes[2].pub.Hash(), Payload: raw, NowMs: l.now(n)})
		return n.halt
	}
	other := testPeer("another block")
	for name, f := range map[string]func(l *lab, n *labNode) []byte{
		"a PREPARE above": func(l *lab, n *labNode) []byte { return l.prepare(1, 11, 11, 10, other) },
		"another PREPARE of the last slot": func(l *lab, n *labNode) []byte {
			return l.prepare(1, 10, 10, 9, other)
		},
		"the last PREPARE with another src": func(l *lab, n *labNode) []byte {
			v := n.m.lastPrep
			return l.prepare(1, v.Slot, v.Height, v.Src-1, v.ID)
		},
		"a COMMIT above":                  func(l *lab, n *labNode) []byte { return l.commit(1, 11, 11, other) },
		"another COMMIT of the last slot": func(l *lab, n *labNode) []byte { return l.commit(1, 10, 10, other) },
		"another PREPARE of an old slot":  func(l *lab, n *labNode) []byte { return l.prepare(1, 4, 4, 3, other) },
		"another COMMIT of an old slot":   func(l *lab, n *labNode) []byte { return l.commit(1, 4, 4, other) },
		"a block above": func(l *lab, n *labNode) []byte {
			h := *n.bodies[n.m.own.ID()]
			h.Slot, h.Height, h.Parent = 11, 11, n.m.head.id
			return l.signMessage(1, PurposePropose, ProposePayload(h.ID(), 11), &Proposal{Header: &h})
		},
		"a PrepareQC": func(l *lab, n *labNode) []byte {
			q := &PrepareQC{Slot: 12, Height: 12, ID: other}
			for seat := range uint32(3) {
				raw := l.prepare(int(seat), 12, 12, 10, other)
				q.Votes = append(q.Votes, PrepareSig{Seat: seat, Src: 10, Sig: raw[len(raw)-sigBytes:]})
			}
			return EncodeMessage(&Proofs{Items: []*Proof{{Prepare: q}}})
		},
		"a certificate": func(l *lab, n *labNode) []byte {
			c := &types.Certificate{Scheme: types.CertEd25519List, SetHash: l.sets[0].Hash(), Slot: 12, Height: 12, Block: other, Bitmap: []byte{0b111}}
			for seat := range 3 {
				raw := l.commit(seat, 12, 12, other)
				c.Signatures = append(c.Signatures, raw[len(raw)-sigBytes:])
			}
			return EncodeMessage(&Status{Slot: 10, Final: c})
		},
	} {
		l, n := fresh()
		if why := show(l, n, f(l, n)); why == "" {
			t.Errorf("%s does not stop it", name)
		}
	}

	l, n := fresh()
	raws := [][]byte{n.m.prepareMsg, n.m.commitMsg, EncodeMessage(n.m.proposalOf(n.m.nodes[n.m.own.ID()])),
		l.prepare(3, 11, 11, 10, other)}
	for e := l.nodes[0].m.final; e != nil; e = e.parent {
		raws = append(raws, EncodeMessage(&Proofs{Items: []*Proof{{Commit: e.fin}}}))
		if e.parent == l.nodes[0].m.root {
			break
		}
	}
	bad := l.prepare(1, 11, 11, 10, other)
	bad[len(bad)-1] ^= 1
	for i, raw := range append(raws, bad) {
		if why := show(l, n, raw); why != "" {
			t.Errorf("message %d, which is harmless, stops it: %s", i, why)
		}
	}
}
