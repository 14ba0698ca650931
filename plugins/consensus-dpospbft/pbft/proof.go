package pbft

import (
	"bytes"
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Purposes under which a node signs for this protocol, besides types.PurposeCommit. The ordinal is always the slot.
const (
	PurposePropose = evidence.PurposePropose
	PurposePrepare = evidence.PurposePrepare
)

// ProposePayload is what a leader signs.
func ProposePayload(id types.BlockID, slot uint64) []byte { return evidence.ProposePayload(id, slot) }

// PreparePayload is what a PREPARE signs.
func PreparePayload(set types.Hash, epoch, slot, height uint64, id types.BlockID, src uint64) []byte {
	return evidence.PreparePayload(set, epoch, slot, height, id, src)
}

const sigBytes = 64

// PrepareSig is one vote of a PrepareQC.
type PrepareSig struct {
	Seat uint32
	Src  uint64
	Sig  []byte
}

// PrepareQC shows that a quorum has prepared a block. Seats ascend.
type PrepareQC struct {
	Epoch, Slot, Height uint64
	ID                  types.BlockID
	Votes               []PrepareSig
}

// Proof shows that a quorum holds a block for certified: one of its two fields is set. A finality certificate implies a
// PrepareQC and counts as one.
type Proof struct {
	Prepare *PrepareQC
	Commit  *types.Certificate
}

// Ref is the block that the proof is for.
func (p *Proof) Ref() Ref {
	if p.Prepare != nil {
		return Ref{p.Prepare.Slot, p.Prepare.ID}
	}
	return Ref{p.Commit.Slot, p.Commit.Block}
}

// Epoch is that of the proof.
func (p *Proof) Epoch() uint64 {
	if p.Prepare != nil {
		return p.Prepare.Epoch
	}
	return p.Commit.Epoch
}

// Height is that of the block that the proof is for.
func (p *Proof) Height() uint64 {
	if p.Prepare != nil {
		return p.Prepare.Height
	}
	return p.Commit.Height
}

const (
	proofNone byte = iota
	proofPrepare
	proofCommit
)

func putProof(e *types.Encoder, p *Proof) {
	switch {
	case p == nil || (p.Prepare == nil && p.Commit == nil):
		e.Byte(proofNone)
	case p.Prepare != nil:
		q := p.Prepare
		e.Byte(proofPrepare)
		e.Uint(q.Epoch)
		e.Uint(q.Slot)
		e.Uint(q.Height)
		e.Hash(q.ID)
		e.Uint(uint64(len(q.Votes)))
		for _, v := range q.Votes {
			e.Uint(uint64(v.Seat))
			e.Uint(v.Src)
			e.Raw(v.Sig)
		}
	default:
		e.Byte(proofCommit)
		e.Blob(p.Commit.Encode())
	}
}

// getProof reads a proof; nil stands for none.
func getProof(d *types.Decoder) *Proof {
	switch kind := d.Byte(); kind {
	case proofNone:
		return nil
	case proofPrepare:
		q := &PrepareQC{Epoch: d.Uint(), Slot: d.Uint(), Height: d.Uint(), ID: d.Hash()}
		last := int64(-1)
		n := d.Count(types.MaxSeats, 2+sigBytes)
		sigs := make([]byte, 0, n*sigBytes)
		for i := range n {
			v := PrepareSig{Seat: d.Uint32(), Src: d.Uint()}
			sigs = append(sigs, d.Raw(sigBytes)...)
			if d.Err() != nil {
				return nil
			}
			v.Sig = sigs[i*sigBytes : (i+1)*sigBytes : (i+1)*sigBytes]
			if int64(v.Seat) <= last {
				d.Fail("seat %d does not ascend", v.Seat)
			}
			last = int64(v.Seat)
			q.Votes = append(q.Votes, v)
		}
		return &Proof{Prepare: q}
	case proofCommit:
		c := getCert(d)
		if c == nil {
			d.Fail("an empty certificate")
			return nil
		}
		return &Proof{Commit: c}
	default:
		d.Fail("proof of kind %d is unknown", kind)
		return nil
	}
}

func putCert(e *types.Encoder, c *types.Certificate) {
	if c == nil {
		e.Blob(nil)
		return
	}
	e.Blob(c.Encode())
}

// getCert reads a certificate; nil stands for none.
func getCert(d *types.Decoder) *types.Certificate {
	b := bytes.Clone(d.Blob(types.MaxCertificateBytes))
	if len(b) == 0 {
		return nil
	}
	c, err := types.DecodeCertificate(b)
	if err != nil {
		d.Fail("%v", err)
		return nil
	}
	return c
}

// verifyPrepareQC checks weight and signatures. Whether its src values are covered depends on the tree.
func (m *Machine) verifyPrepareQC(q *PrepareQC) error {
	if q.Epoch != m.set.Epoch {
		return fmt.Errorf("prepare QC of epoch %d, now is %d", q.Epoch, m.set.Epoch)
	}
	var weight uint64
	keys := make([]types.PublicKey, 0, len(q.Votes))
	msgs := make([][]byte, 0, len(q.Votes))
	sigs := make([][]byte, 0, len(q.Votes))
	last := int64(-1)
	for _, v := range q.Votes {
		if int(v.Seat) >= len(m.set.Seats) || int64(v.Seat) <= last || v.Src >= q.Slot {
			return fmt.Errorf("prepare QC of slot %d: seat %d with src %d cannot be", q.Slot, v.Seat, v.Src)
		}
		last = int64(v.Seat)
		weight += m.set.Seats[v.Seat].Weight
		keys = append(keys, m.set.Seats[v.Seat].Key)
		msgs = append(msgs, types.SignBytes(m.chain, PurposePrepare, PreparePayload(m.setHash, q.Epoch, q.Slot, q.Height, q.ID, v.Src)))
		sigs = append(sigs, v.Sig)
	}
	if weight < m.set.Threshold {
		return fmt.Errorf("prepare QC of slot %d: weight %d is below %d", q.Slot, weight, m.set.Threshold)
	}
	if err := m.cfg.Verifier.Batch(keys, msgs, sigs); err != nil {
		return fmt.Errorf("prepare QC of slot %d: %w", q.Slot, err)
	}
	return nil
}

// verifyProof checks weight and signatures of either kind.
func (m *Machine) verifyProof(p *Proof) error {
	if p.Prepare != nil {
		return m.verifyPrepareQC(p.Prepare)
	}
	return m.verifyCert(p.Commit)
}

func (m *Machine) verifyCert(c *types.Certificate) error {
	return m.cfg.Verifier.Certificate(c, m.chain, m.set)
}
