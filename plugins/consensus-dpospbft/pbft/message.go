package pbft

import (
	"bytes"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Limits of messages.
const (
	MaxMessageBytes = 1 << 20
	maxSupport      = 8  // proofs that travel with a PREPARE
	maxHeaders      = 64 // headers in an answer
	headersBytes    = 512 << 10
	maxLocator      = 32 // ids in a question for headers
	maxProofs       = 16 // ids in a question for proofs, and proofs in an answer
)

const messageVersion = 1

// kind of a message.
type kind byte

const (
	kindProposal kind = 1 + iota
	kindPrepare
	kindCommit
	kindStatus
	kindGetHeaders
	kindHeaders
	kindGetProofs
	kindProofs
	kindHandOver
)

// Message is one of the types below.
type Message interface{ put(e *types.Encoder) }

// Proposal is a header with what makes it checkable: the proof for its justify, and the certificate for its finalRef if the
// header is the first to name it. Both may be left out where the receiver has them.
type Proposal struct {
	Header  *types.Header
	Justify *Proof
	Cert    *types.Certificate
	Sig     []byte
}

// Prepare is a PREPARE vote. Support are the proofs that its src needs when that is not the block's justify.
type Prepare struct {
	Epoch, Slot, Height uint64
	ID                  types.BlockID
	Src                 uint64
	Seat                uint32
	Support             []*Proof
	Sig                 []byte
}

// Commit is a COMMIT vote, with the PrepareQC that it rests on.
type Commit struct {
	Epoch, Slot, Height uint64
	ID                  types.BlockID
	Seat                uint32
	Proof               *Proof
	Sig                 []byte
}

// Status says where a node stands. It is sent once a slot, and needs no signature: what it claims is proven or asked for.
type Status struct {
	Epoch      uint64
	Slot       uint64 // of the sender's clock
	Head       Ref
	HeadHeight uint64
	High       *Proof // of the block with the highest PrepareQC; nil at the epoch's first block
	Final      *types.Certificate
}

// GetHeaders asks for the chain that ends in Want, from the first block after one of Have.
type GetHeaders struct {
	Want types.BlockID
	Have []types.BlockID
}

// Headers answers GetHeaders, ascending; if not all fit, the first ones.
type Headers struct{ Items []*Proposal }

// GetProofs asks for the proofs of blocks.
type GetProofs struct{ IDs []types.BlockID }

// Proofs answers GetProofs with those that there are.
type Proofs struct{ Items []*Proof }

// EncodeMessage returns a message's bytes. Signed messages end with the signature; without one they are what the core
// appends it to.
func EncodeMessage(msg Message) []byte {
	e := types.NewEncoder(512)
	e.Byte(messageVersion)
	msg.put(e)
	return e.Bytes()
}

// DecodeMessage is the inverse of [EncodeMessage]. The result does not alias b: a part that is kept would keep all that a peer has
// sent with it.
func DecodeMessage(b []byte) (Message, error) {
	if len(b) > MaxMessageBytes {
		return nil, fmt.Errorf("message: %w: %d bytes, at most %d are allowed", types.ErrMalformed, len(b), MaxMessageBytes)
	}
	d := types.NewDecoder(b)
	if v := d.Byte(); v != messageVersion {
		d.Fail("version %d is unknown", v)
	}
	var msg Message
	switch k := kind(d.Byte()); k {
	case kindProposal:
		msg = getProposal(d)
	case kindPrepare:
		msg = getPrepare(d)
	case kindCommit:
		msg = getCommit(d)
	case kindStatus:
		msg = &Status{Epoch: d.Uint(), Slot: d.Uint(), Head: getRef(d), HeadHeight: d.Uint(), High: getProof(d), Final: getCert(d)}
	case kindGetHeaders:
		q := &GetHeaders{Want: d.Hash()}
		for range d.Count(maxLocator, 32) {
			q.Have = append(q.Have, d.Hash())
		}
		msg = q
	case kindHeaders:
		a := &Headers{}
		for range d.Count(maxHeaders, 300) {
			a.Items = append(a.Items, getProposal(d))
			if d.Err() != nil {
				break
			}
		}
		msg = a
	case kindGetProofs:
		q := &GetProofs{}
		for range d.Count(maxProofs, 32) {
			q.IDs = append(q.IDs, d.Hash())
		}
		msg = q
	case kindProofs:
		a := &Proofs{Items: getProofs(d, maxProofs)}
		msg = a
	case kindHandOver:
		msg = getHandOver(d)
	default:
		d.Fail("kind %d is unknown", k)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return msg, nil
}

func (p *Proposal) put(e *types.Encoder) {
	e.Byte(byte(kindProposal))
	putProposal(e, p)
}

func putProposal(e *types.Encoder, p *Proposal) {
	e.Blob(p.Header.Encode())
	putProof(e, p.Justify)
	putCert(e, p.Cert)
	e.Raw(p.Sig)
}

func getProposal(d *types.Decoder) *Proposal {
	b := bytes.Clone(d.Blob(types.MaxHeaderBytes))
	p := &Proposal{Justify: getProof(d), Cert: getCert(d), Sig: bytes.Clone(d.Raw(sigBytes))}
	if d.Err() != nil {
		return nil
	}
	h, err := types.DecodeHeader(b)
	if err != nil {
		d.Fail("%v", err)
		return nil
	}
	p.Header = h
	return p
}

func (v *Prepare) put(e *types.Encoder) {
	e.Byte(byte(kindPrepare))
	e.Uint(v.Epoch)
	e.Uint(v.Slot)
	e.Uint(v.Height)
	e.Hash(v.ID)
	e.Uint(v.Src)
	e.Uint(uint64(v.Seat))
	putProofs(e, v.Support)
	e.Raw(v.Sig)
}

func getPrepare(d *types.Decoder) *Prepare {
	return &Prepare{Epoch: d.Uint(), Slot: d.Uint(), Height: d.Uint(), ID: d.Hash(), Src: d.Uint(), Seat: d.Uint32(),
		Support: getProofs(d, maxSupport), Sig: bytes.Clone(d.Raw(sigBytes))}
}

func (v *Commit) put(e *types.Encoder) {
	e.Byte(byte(kindCommit))
	e.Uint(v.Epoch)
	e.Uint(v.Slot)
	e.Uint(v.Height)
	e.Hash(v.ID)
	e.Uint(uint64(v.Seat))
	putProof(e, v.Proof)
	e.Raw(v.Sig)
}

func getCommit(d *types.Decoder) *Commit {
	return &Commit{Epoch: d.Uint(), Slot: d.Uint(), Height: d.Uint(), ID: d.Hash(), Seat: d.Uint32(), Proof: getProof(d),
		Sig: bytes.Clone(d.Raw(sigBytes))}
}

func (s *Status) put(e *types.Encoder) {
	e.Byte(byte(kindStatus))
	e.Uint(s.Epoch)
	e.Uint(s.Slot)
	putRef(e, s.Head)
	e.Uint(s.HeadHeight)
	putProof(e, s.High)
	putCert(e, s.Final)
}

func (q *GetHeaders) put(e *types.Encoder) {
	e.Byte(byte(kindGetHeaders))
	e.Hash(q.Want)
	putHashes(e, q.Have)
}

func (a *Headers) put(e *types.Encoder) {
	e.Byte(byte(kindHeaders))
	e.Uint(uint64(len(a.Items)))
	for _, p := range a.Items {
		putProposal(e, p)
	}
}

func (q *GetProofs) put(e *types.Encoder) {
	e.Byte(byte(kindGetProofs))
	putHashes(e, q.IDs)
}

func (a *Proofs) put(e *types.Encoder) {
	e.Byte(byte(kindProofs))
	putProofs(e, a.Items)
}

func putHashes(e *types.Encoder, hs []types.Hash) {
	e.Uint(uint64(len(hs)))
	for _, h := range hs {
		e.Hash(h)
	}
}

func putProofs(e *types.Encoder, ps []*Proof) {
	e.Uint(uint64(len(ps)))
	for _, p := range ps {
		putProof(e, p)
	}
}

func getProofs(d *types.Decoder, limit int) []*Proof {
	var out []*Proof
	for range d.Count(limit, 1) {
		p := getProof(d)
		if p == nil {
			d.Fail("an empty proof")
			return nil
		}
		out = append(out, p)
	}
	return out
}
