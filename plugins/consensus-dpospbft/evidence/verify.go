package evidence

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Verify checks that the evidence shows an offence of the seat under a set: the epoch is the set's, both signatures are the
// seat's, and they are what the kind demands. It fails with an error that wraps ErrBad.
func (v *Evidence) Verify(chain types.Hash, set *types.Set) error {
	return v.VerifyWith(chain, set, types.VerifySignature)
}

// VerifyWith is Verify with another check of signatures, for simulations.
func (v *Evidence) VerifyWith(chain types.Hash, set *types.Set, signature func(key types.PublicKey, msg, sig []byte) error) error {
	if v.Epoch != set.Epoch {
		return fmt.Errorf("%w: of epoch %d, the set is of epoch %d", ErrBad, v.Epoch, set.Epoch)
	}
	if uint64(v.Seat) >= uint64(len(set.Seats)) {
		return fmt.Errorf("%w: seat %d of %d", ErrBad, v.Seat, len(set.Seats))
	}
	var kinds [2]Kind
	switch v.Kind {
	case Propose, Prepare, Commit:
		kinds = [2]Kind{v.Kind, v.Kind}
		if v.A.Slot != v.Slot || v.B.Slot != v.Slot {
			return fmt.Errorf("%w: slots %d and %d, want %d", ErrBad, v.A.Slot, v.B.Slot, v.Slot)
		}
		if v.A.compare(&v.B) >= 0 {
			return fmt.Errorf("%w: the two parts are the same or not in order", ErrBad)
		}
	case Hop:
		kinds = [2]Kind{Commit, Prepare}
		if err := v.hops(chain); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: kind %d is unknown", ErrBad, v.Kind)
	}
	hash := set.Hash()
	for i, s := range []*Signed{&v.A, &v.B} {
		purpose, payload := s.payload(kinds[i], hash, set.Epoch)
		if err := signature(set.Seats[v.Seat].Key, types.SignBytes(chain, purpose, payload), s.Sig); err != nil {
			return fmt.Errorf("%w: part %d of %s by seat %d: %w", ErrBad, i+1, v.Kind, v.Seat, err)
		}
	}
	return nil
}

// payload returns what was signed.
func (s *Signed) payload(kind Kind, set types.Hash, epoch uint64) (purpose string, payload []byte) {
	switch kind {
	case Propose:
		return PurposePropose, ProposePayload(s.ID, s.Slot)
	case Prepare:
		return PurposePrepare, PreparePayload(set, epoch, s.Slot, s.Height, s.ID, s.Src)
	}
	return types.PurposeCommit, types.CommitPayload(set, epoch, s.Slot, s.Height, s.ID)
}

// hops checks the slots of a Hop, and that its headers lead past the committed block.
func (v *Evidence) hops(chain types.Hash) error {
	commit, prepare := &v.A, &v.B
	if prepare.Slot != v.Slot || !(prepare.Src < commit.Slot && commit.Slot < prepare.Slot) {
		return fmt.Errorf("%w: a COMMIT of slot %d and a PREPARE of slot %d with src %d may both be", ErrBad, commit.Slot, prepare.Slot, prepare.Src)
	}
	if n := len(v.Headers); n < 2 || n > MaxHeaders {
		return fmt.Errorf("%w: %d headers, 2 to %d are needed", ErrBad, n, MaxHeaders)
	}
	want, above := prepare.ID, (*types.Header)(nil)
	for i, h := range v.Headers {
		switch {
		case h.Chain != chain || h.ID() != want:
			return fmt.Errorf("%w: header %d is not the one that is needed next", ErrBad, i+1)
		case i == 0 && (h.Slot != prepare.Slot || h.Height != prepare.Height || h.Epoch != v.Epoch):
			return fmt.Errorf("%w: the first header is not as the PREPARE says", ErrBad)
		case i > 0 && (h.Slot >= above.Slot || h.Height+1 != above.Height):
			return fmt.Errorf("%w: header %d does not lie below the one before", ErrBad, i+1)
		case h.Slot > commit.Slot != (i < len(v.Headers)-1):
			return fmt.Errorf("%w: the headers do not end with the first below slot %d", ErrBad, commit.Slot)
		}
		if want == commit.ID {
			return fmt.Errorf("%w: the prepared block descends from the committed one", ErrBad)
		}
		want, above = h.Parent, h
	}
	return nil
}
