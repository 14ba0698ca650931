package consensus

import (
	"fmt"

	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// pieceBytes is what one message of a Start carries of its snapshot and records before the next is begun. A record is
// added whole, so that with MaxRecordBytes a piece stays well below plugin.MaxMessage.
const pieceBytes = 4 << 20

// startPieces turns a Start into the events that open a stream: one Start, and StartMore for what does not fit into it.
func startPieces(instance uint64, s *Start) ([]*consensusv1.Event, error) {
	if s == nil || s.Genesis == nil || s.Set == nil || s.Final == nil {
		return nil, fmt.Errorf("start: genesis, set and final must be given: %w", ErrInvalid)
	}
	first := &consensusv1.Start{
		Instance: instance, GenesisHeader: s.Genesis.Encode(), Set: s.Set.Encode(), FinalHeader: s.Final.Encode(),
		FinalProof: encodeProof(s.FinalProof), NowMs: s.NowMs, GenesisTimeMs: s.GenesisTimeMs, EpochProof: encodeProof(s.EpochProof),
		NextSet: encodeSet(s.Next),
	}
	if s.EpochStart != nil {
		first.EpochHeader = s.EpochStart.Encode()
	}
	if s.Key != nil {
		first.Key = append([]byte{byte(s.Key.Scheme)}, s.Key.Key...)
	}
	var more []*consensusv1.StartMore
	for rest := s.Snapshot; len(rest) > 0; {
		n := min(len(rest), pieceBytes)
		if first.Snapshot == nil {
			first.Snapshot = rest[:n]
		} else {
			more = append(more, &consensusv1.StartMore{Snapshot: rest[:n]})
		}
		rest = rest[n:]
	}
	size := len(first.Snapshot)
	for _, r := range s.Records {
		if len(r) > MaxRecordBytes {
			return nil, fmt.Errorf("start: a record of %d bytes, at most %d are allowed: %w", len(r), MaxRecordBytes, ErrInvalid)
		}
		if len(more) == 0 && size+len(r) <= pieceBytes {
			first.Records = append(first.Records, r)
		} else {
			if len(more) == 0 || size+len(r) > pieceBytes {
				more, size = append(more, &consensusv1.StartMore{}), 0
			}
			last := more[len(more)-1]
			last.Records = append(last.Records, r)
		}
		size += len(r)
	}
	first.More = uint32(len(more))
	out := []*consensusv1.Event{{Kind: &consensusv1.Event_Start{Start: first}}}
	for _, m := range more {
		out = append(out, &consensusv1.Event{Kind: &consensusv1.Event_StartMore{StartMore: m}})
	}
	return out, nil
}

// readStart reads a Start and what follows it from next.
func readStart(next func() (*consensusv1.Event, error)) (uint64, *Start, error) {
	ev, err := next()
	if err != nil {
		return 0, nil, err
	}
	w := ev.GetStart()
	if w == nil {
		return 0, nil, fmt.Errorf("the first event is no start: %w", ErrInvalid)
	}
	s := &Start{Snapshot: w.Snapshot, Records: w.Records, NowMs: w.NowMs, GenesisTimeMs: w.GenesisTimeMs}
	for range w.More {
		ev, err := next()
		if err != nil {
			return 0, nil, err
		}
		m := ev.GetStartMore()
		if m == nil {
			return 0, nil, fmt.Errorf("a start of %d pieces ends early: %w", w.More, ErrInvalid)
		}
		s.Snapshot = append(s.Snapshot, m.Snapshot...)
		s.Records = append(s.Records, m.Records...)
	}
	if len(s.Snapshot) == 0 {
		s.Snapshot = nil
	}
	if s.Genesis, err = types.DecodeHeader(w.GenesisHeader); err != nil {
		return 0, nil, fmt.Errorf("start: genesis: %v: %w", err, ErrInvalid)
	}
	if s.Set, err = types.DecodeSet(w.Set); err != nil {
		return 0, nil, fmt.Errorf("start: %v: %w", err, ErrInvalid)
	}
	if s.Final, err = types.DecodeHeader(w.FinalHeader); err != nil {
		return 0, nil, fmt.Errorf("start: final block: %v: %w", err, ErrInvalid)
	}
	if s.FinalProof, err = decodeProof(w.FinalProof); err != nil {
		return 0, nil, fmt.Errorf("start: final block: %v: %w", err, ErrInvalid)
	}
	s.EpochStart = s.Genesis
	if len(w.EpochHeader) > 0 {
		if s.EpochStart, err = types.DecodeHeader(w.EpochHeader); err != nil {
			return 0, nil, fmt.Errorf("start: first block of the epoch: %v: %w", err, ErrInvalid)
		}
	}
	if s.EpochProof, err = decodeProof(w.EpochProof); err != nil {
		return 0, nil, fmt.Errorf("start: first block of the epoch: %v: %w", err, ErrInvalid)
	}
	if s.Next, err = decodeSet(w.NextSet); err != nil {
		return 0, nil, fmt.Errorf("start: next set: %v: %w", err, ErrInvalid)
	}
	if len(w.Key) > 0 {
		k := types.PublicKey{Scheme: types.Scheme(w.Key[0]), Key: w.Key[1:]}
		if err := k.Validate(); err != nil {
			return 0, nil, fmt.Errorf("start: key: %v: %w", err, ErrInvalid)
		}
		s.Key = &k
	}
	return w.Instance, s, nil
}

func eventToWire(e Event) (*consensusv1.Event, error) {
	switch e := e.(type) {
	case *Woken:
		return &consensusv1.Event{Kind: &consensusv1.Event_Woken{Woken: &consensusv1.Woken{NowMs: e.NowMs}}}, nil
	case *Message:
		m := &consensusv1.Message{Payload: e.Payload, NowMs: e.NowMs}
		if !e.From.IsZero() {
			m.From = e.From[:]
		}
		return &consensusv1.Event{Kind: &consensusv1.Event_Message{Message: m}}, nil
	case *Built:
		b := &consensusv1.Built{Slot: e.Slot, Parent: e.Parent[:], NowMs: e.NowMs, NextSet: encodeSet(e.Next)}
		if e.Header != nil {
			b.Header = e.Header.Encode()
		}
		return &consensusv1.Event{Kind: &consensusv1.Event_Built{Built: b}}, nil
	case *Checked:
		return &consensusv1.Event{Kind: &consensusv1.Event_Checked{Checked: &consensusv1.Checked{
			Block: e.Block[:], Ok: e.OK, Reason: e.Reason, NowMs: e.NowMs, NextSet: encodeSet(e.Next)}}}, nil
	case *Finalised:
		if e.Header == nil {
			return nil, fmt.Errorf("finalised: no header: %w", ErrInvalid)
		}
		return &consensusv1.Event{Kind: &consensusv1.Event_Finalised{Finalised: &consensusv1.Finalised{
			Header: e.Header.Encode(), Proof: encodeProof(e.Proof), NowMs: e.NowMs, NextSet: encodeSet(e.Next)}}}, nil
	case *Start:
		return nil, fmt.Errorf("start in the middle of a run: %w", ErrInvalid)
	}
	return nil, fmt.Errorf("event of type %T: %w", e, ErrInvalid)
}

func eventFromWire(ev *consensusv1.Event) (Event, error) {
	switch k := ev.GetKind().(type) {
	case *consensusv1.Event_Woken:
		return &Woken{NowMs: k.Woken.GetNowMs()}, nil
	case *consensusv1.Event_Message:
		from, err := optionalHash(k.Message.GetFrom())
		if err != nil {
			return nil, fmt.Errorf("message: sender: %v: %w", err, ErrInvalid)
		}
		return &Message{From: from, Payload: k.Message.GetPayload(), NowMs: k.Message.GetNowMs()}, nil
	case *consensusv1.Event_Built:
		parent, err := types.HashFromBytes(k.Built.GetParent())
		if err != nil {
			return nil, fmt.Errorf("built: parent: %v: %w", err, ErrInvalid)
		}
		b := &Built{Slot: k.Built.GetSlot(), Parent: parent, NowMs: k.Built.GetNowMs()}
		if h := k.Built.GetHeader(); len(h) > 0 {
			if b.Header, err = types.DecodeHeader(h); err != nil {
				return nil, fmt.Errorf("built: %v: %w", err, ErrInvalid)
			}
		}
		if b.Next, err = decodeSet(k.Built.GetNextSet()); err != nil {
			return nil, fmt.Errorf("built: next set: %v: %w", err, ErrInvalid)
		}
		return b, nil
	case *consensusv1.Event_Checked:
		id, err := types.HashFromBytes(k.Checked.GetBlock())
		if err != nil {
			return nil, fmt.Errorf("checked: %v: %w", err, ErrInvalid)
		}
		next, err := decodeSet(k.Checked.GetNextSet())
		if err != nil {
			return nil, fmt.Errorf("checked: next set: %v: %w", err, ErrInvalid)
		}
		return &Checked{Block: id, OK: k.Checked.GetOk(), Reason: k.Checked.GetReason(), Next: next, NowMs: k.Checked.GetNowMs()}, nil
	case *consensusv1.Event_Finalised:
		h, err := types.DecodeHeader(k.Finalised.GetHeader())
		if err != nil {
			return nil, fmt.Errorf("finalised: %v: %w", err, ErrInvalid)
		}
		p, err := decodeProof(k.Finalised.GetProof())
		if err != nil {
			return nil, fmt.Errorf("finalised: %v: %w", err, ErrInvalid)
		}
		next, err := decodeSet(k.Finalised.GetNextSet())
		if err != nil {
			return nil, fmt.Errorf("finalised: next set: %v: %w", err, ErrInvalid)
		}
		return &Finalised{Header: h, Proof: p, Next: next, NowMs: k.Finalised.GetNowMs()}, nil
	}
	return nil, fmt.Errorf("event %T out of place: %w", ev.GetKind(), ErrInvalid)
}

// optionalHash reads a hash for which no bytes stand for zero.
func optionalHash(b []byte) (types.Hash, error) {
	if len(b) == 0 {
		return types.Hash{}, nil
	}
	return types.HashFromBytes(b)
}

func encodeProof(f *types.Finality) []byte {
	if f == nil || f.Cert == nil {
		return nil
	}
	return f.Encode()
}

func decodeProof(b []byte) (*types.Finality, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return types.DecodeFinality(b)
}

func encodeSet(s *types.Set) []byte {
	if s == nil {
		return nil
	}
	return s.Encode()
}

func decodeSet(b []byte) (*types.Set, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return types.DecodeSet(b)
}
