package consensus

import (
	"fmt"

	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func readyToWire(r *Ready) *consensusv1.Ready {
	w := &consensusv1.Ready{Persist: r.Persist, Snapshot: r.Snapshot, Evidence: r.Evidence, WakeAtMs: r.WakeAtMs, Halt: r.Halt, Trouble: r.Trouble}
	for _, u := range r.Sign {
		w.Sign = append(w.Sign, &consensusv1.Unsigned{Purpose: u.Purpose, Ordinal: u.Ordinal, Payload: u.Payload,
			Message: u.Message, To: hashesToWire(u.To)})
	}
	for _, o := range r.Send {
		w.Send = append(w.Send, &consensusv1.Outbound{Payload: o.Payload, To: hashesToWire(o.To)})
	}
	if b := r.Build; b != nil {
		w.Build = &consensusv1.Build{Slot: b.Slot, Parent: b.Parent[:], Consensus: b.Consensus, Certificate: b.Certificate,
			Empty: b.Empty, DeadlineMs: b.DeadlineMs, Epoch: b.Epoch, VrfInput: b.VRFInput}
	}
	for _, c := range r.Check {
		w.Check = append(w.Check, &consensusv1.Check{Header: c.Header.Encode(), From: hashesToWire(c.From)})
	}
	if r.Head != nil {
		w.Head = r.Head[:]
	}
	for _, f := range r.Final {
		w.Final = append(w.Final, &consensusv1.Final{Block: f.Block[:], Proof: encodeProof(f.Proof)})
	}
	if r.Epoch != nil {
		w.Epoch = &consensusv1.Epoch{Set: r.Epoch.Encode()}
	}
	return w
}

// readyFromWire is the inverse of readyToWire. Its errors wrap ErrMisbehaved: they are the plugin's fault.
func readyFromWire(w *consensusv1.Ready) (*Ready, error) {
	r := &Ready{Persist: w.Persist, Evidence: w.Evidence, WakeAtMs: w.WakeAtMs, Halt: w.Halt, Trouble: w.Trouble}
	if len(w.Snapshot) > 0 {
		r.Snapshot = w.Snapshot
	}
	var err error
	bad := func(what string, err error) error { return fmt.Errorf("%s: %v: %w", what, err, ErrMisbehaved) }
	for _, u := range w.Sign {
		out := Unsigned{Purpose: u.GetPurpose(), Ordinal: u.GetOrdinal(), Payload: u.GetPayload(), Message: u.GetMessage()}
		if out.To, err = hashesFromWire(u.GetTo()); err != nil {
			return nil, bad("sign: receiver", err)
		}
		r.Sign = append(r.Sign, out)
	}
	for _, o := range w.Send {
		out := Outbound{Payload: o.GetPayload()}
		if out.To, err = hashesFromWire(o.GetTo()); err != nil {
			return nil, bad("send: receiver", err)
		}
		r.Send = append(r.Send, out)
	}
	if b := w.Build; b != nil {
		out := &Build{Slot: b.Slot, Consensus: b.Consensus, Certificate: b.Certificate, Empty: b.Empty, DeadlineMs: b.DeadlineMs, Epoch: b.Epoch,
			VRFInput: b.VrfInput}
		if out.Parent, err = types.HashFromBytes(b.Parent); err != nil {
			return nil, bad("build: parent", err)
		}
		r.Build = out
	}
	for _, c := range w.Check {
		out := Check{}
		if out.Header, err = types.DecodeHeader(c.GetHeader()); err != nil {
			return nil, bad("check", err)
		}
		if out.From, err = hashesFromWire(c.GetFrom()); err != nil {
			return nil, bad("check: peer", err)
		}
		r.Check = append(r.Check, out)
	}
	if len(w.Head) > 0 {
		h, err := types.HashFromBytes(w.Head)
		if err != nil {
			return nil, bad("head", err)
		}
		r.Head = &h
	}
	for _, f := range w.Final {
		out := Final{}
		if out.Block, err = types.HashFromBytes(f.GetBlock()); err != nil {
			return nil, bad("final", err)
		}
		if out.Proof, err = decodeProof(f.GetProof()); err != nil {
			return nil, bad("final", err)
		}
		r.Final = append(r.Final, out)
	}
	if w.Epoch != nil {
		if r.Epoch, err = types.DecodeSet(w.Epoch.Set); err != nil {
			return nil, bad("epoch", err)
		}
	}
	return r, nil
}

func hashesToWire(hs []types.Hash) [][]byte {
	if len(hs) == 0 {
		return nil
	}
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = hs[i][:]
	}
	return out
}

func hashesFromWire(bs [][]byte) ([]types.Hash, error) {
	var out []types.Hash
	for _, b := range bs {
		h, err := types.HashFromBytes(b)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
