package pbft

import (
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Kinds of evidence: one seat has signed two different things of a kind in one slot.
const (
	evidenceProposal byte = 1 + iota // E1
	evidencePrepare                  // E2
	evidenceCommit                   // E3
)

// Evidence shows that a seat has signed twice in a slot.
type Evidence struct {
	Kind       byte
	Epoch      uint64
	Slot       uint64
	Seat       uint32
	A, B       []byte // the payloads that were signed
	SigA, SigB []byte
}

const maxPayload = 256

// Encode returns the evidence's bytes.
func (v *Evidence) Encode() []byte {
	e := types.NewEncoder(400)
	e.Byte(messageVersion)
	e.Byte(v.Kind)
	e.Uint(v.Epoch)
	e.Uint(v.Slot)
	e.Uint(uint64(v.Seat))
	e.Blob(v.A)
	e.Raw(v.SigA)
	e.Blob(v.B)
	e.Raw(v.SigB)
	return e.Bytes()
}

// DecodeEvidence is the inverse of [Evidence.Encode]. It verifies no signature.
func DecodeEvidence(b []byte) (*Evidence, error) {
	d := types.NewDecoder(b)
	if x := d.Byte(); x != messageVersion {
		d.Fail("version %d is unknown", x)
	}
	v := &Evidence{Kind: d.Byte(), Epoch: d.Uint(), Slot: d.Uint(), Seat: d.Uint32()}
	v.A, v.SigA = d.Blob(maxPayload), d.Raw(sigBytes)
	v.B, v.SigB = d.Blob(maxPayload), d.Raw(sigBytes)
	if v.Kind < evidenceProposal || v.Kind > evidenceCommit {
		d.Fail("kind %d is unknown", v.Kind)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return v, nil
}

// accusation is what evidence is kept once for.
type accusation struct {
	kind byte
	seatSlot
}

const maxAccusations = 1024

func (m *Machine) accuse(kind byte, seat int, slot uint64, a, sigA, b, sigB []byte) {
	k := accusation{kind, seatSlot{seat, slot}}
	if m.accused[k] || len(m.accused) >= maxAccusations {
		return
	}
	m.accused[k] = true
	v := Evidence{Kind: kind, Epoch: m.set.Epoch, Slot: slot, Seat: uint32(seat), A: a, B: b, SigA: sigA, SigB: sigB}
	m.out.Evidence = append(m.out.Evidence, v.Encode())
}

// firstSeen are the blocks of a seat and slot.
type firstSeen struct {
	sig []byte // of the first
	ids []types.BlockID
}

const maxSeen = 4096

// noteProposal remembers a signed header; a second one in a slot is evidence. It tells whether the block should be taken.
func (m *Machine) noteProposal(seat int, slot uint64, id types.BlockID, sig []byte) bool {
	k := seatSlot{seat, slot}
	f := m.seen[k]
	if f == nil {
		if len(m.seen) < maxSeen {
			m.seen[k] = &firstSeen{sig, []types.BlockID{id}}
		}
		return true
	}
	if slices.Contains(f.ids, id) {
		return true
	}
	m.accuse(evidenceProposal, seat, slot, ProposePayload(f.ids[0], slot), f.sig, ProposePayload(id, slot), sig)
	if len(f.ids) >= maxRivals {
		return false
	}
	f.ids = append(f.ids, id)
	return true
}
