package pbft

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

const recordVersion = 1

// kinds of records.
const (
	recHeader  byte = 1 + iota // a block that was checked
	recOwn                     // a proposal that is to be signed
	recProof                   // what a vote rests on
	recPrepare                 // a PREPARE that is to be signed
	recCommit                  // a COMMIT that is to be signed
	recEpoch                   // an epoch is over
)

// record is one of them, decoded.
type record struct {
	kind     byte
	header   *types.Header
	sig      []byte
	proof    *Proof
	vote     voted
	forkSlot uint64
	next     *types.Set // that the header names, if it closes its epoch
	finality *types.Finality
}

func newRecord(kind byte) *types.Encoder {
	e := types.NewEncoder(600)
	e.Byte(recordVersion)
	e.Byte(kind)
	return e
}

func headerRecord(n *node) []byte {
	e := newRecord(recHeader)
	e.Blob(n.h.Encode())
	e.Blob(n.sig)
	if n.next != nil {
		e.Blob(n.next.Encode())
	} else {
		e.Blob(nil)
	}
	return e.Bytes()
}

// epochRecord says that a block has ended its epoch, and which set has taken over.
func epochRecord(n *node, next *types.Set) []byte {
	e := newRecord(recEpoch)
	(&HandOver{Header: n.h, Next: next, Proof: n.show}).putBody(e)
	return e.Bytes()
}

func ownRecord(h *types.Header) []byte {
	e := newRecord(recOwn)
	e.Blob(h.Encode())
	return e.Bytes()
}

func proofRecord(p *Proof) []byte {
	e := newRecord(recProof)
	putProof(e, p)
	return e.Bytes()
}

func prepareRecord(v voted, forkSlot uint64) []byte {
	e := newRecord(recPrepare)
	putVoted(e, v)
	e.Uint(forkSlot)
	return e.Bytes()
}

func commitRecord(v voted) []byte {
	e := newRecord(recCommit)
	putVoted(e, v)
	return e.Bytes()
}

func putVoted(e *types.Encoder, v voted) {
	e.Uint(v.Epoch)
	e.Uint(v.Slot)
	e.Uint(v.Height)
	e.Uint(v.Src)
	e.Hash(v.ID)
}

func getVoted(d *types.Decoder) voted {
	return voted{Epoch: d.Uint(), Slot: d.Uint(), Height: d.Uint(), Src: d.Uint(), ID: d.Hash()}
}

func decodeRecord(b []byte) (*record, error) {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		d.Fail("version %d is unknown", v)
	}
	r := &record{kind: d.Byte()}
	var raw, next []byte
	switch r.kind {
	case recHeader:
		raw = d.Blob(types.MaxHeaderBytes)
		if r.sig = d.Blob(sigBytes); len(r.sig) != 0 && len(r.sig) != sigBytes {
			d.Fail("a signature of %d bytes", len(r.sig))
		}
		next = d.Blob(maxSetBytes)
	case recOwn:
		raw = d.Blob(types.MaxHeaderBytes)
	case recProof:
		if r.proof = getProof(d); r.proof == nil {
			d.Fail("no proof")
		}
	case recPrepare:
		r.vote, r.forkSlot = getVoted(d), d.Uint()
	case recCommit:
		r.vote = getVoted(d)
	case recEpoch:
		if o := getHandOver(d); o != nil {
			r.header, r.next, r.finality = o.Header, o.Next, o.Proof
		}
	default:
		d.Fail("kind %d is unknown", r.kind)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if raw != nil {
		h, err := types.DecodeHeader(raw)
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		r.header = h
	}
	if len(next) > 0 {
		s, err := types.DecodeSet(next)
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		r.next = s
	}
	return r, nil
}

func (m *Machine) persist(rec []byte) {
	if m.replaying {
		return // it is what is being read
	}
	m.out.Persist = append(m.out.Persist, rec)
	m.sinceSnap += len(rec) + 16
}

// saveProof makes a block's proof durable, once.
func (m *Machine) saveProof(n *node) {
	if n.proof != nil && !n.proofSaved && !n.final {
		n.proofSaved = true
		m.persist(proofRecord(n.proof))
	}
}
