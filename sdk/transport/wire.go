package transport

import (
	"fmt"
	"math"
	"strings"
	"time"

	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
)

// MaxReason is the longest reason of a PeerEvent that crosses the wire, in bytes; a longer one is cut.
const MaxReason = 512

func sendToWire(o Outgoing) *transportv1.Outgoing {
	s := &transportv1.Send{Peers: make([][]byte, len(o.Peers)), Channel: []byte(o.Channel), Priority: o.Priority, Payload: o.Payload}
	for i := range o.Peers {
		s.Peers[i] = o.Peers[i][:]
	}
	return &transportv1.Outgoing{Kind: &transportv1.Outgoing_Send{Send: s}}
}

// sendFromWire reads what a client sent. The error wraps ErrInvalid or ErrTooLarge.
func sendFromWire(s *transportv1.Send) (Outgoing, error) {
	if len(s.GetPeers()) > MaxPeers { // before it costs a slice
		return Outgoing{}, Outgoing{Peers: make([]PeerID, MaxPeers+1)}.Check()
	}
	o := Outgoing{Peers: make([]PeerID, len(s.GetPeers())), Channel: string(s.GetChannel()), Priority: s.GetPriority(), Payload: s.GetPayload()}
	for i, b := range s.GetPeers() {
		id, ok := peerFromWire(b)
		if !ok {
			return Outgoing{}, fmt.Errorf("send to a peer whose name has %d bytes: %w", len(b), ErrInvalid)
		}
		o.Peers[i] = id
	}
	return o, o.Check()
}

func peerFromWire(b []byte) (PeerID, bool) {
	if len(b) != len(PeerID{}) {
		return PeerID{}, false
	}
	return PeerID(b), true
}

func incomingToWire(in Incoming) (*transportv1.Incoming, error) {
	switch m, e := in.Message, in.Peer; {
	case m != nil && e == nil:
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Received{Received: &transportv1.Received{
			Peer: m.Peer[:], Channel: []byte(m.Channel), Payload: m.Payload}}}, nil
	case e != nil && m == nil:
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Peer{Peer: &transportv1.PeerEvent{
			Peer: e.Peer[:], Up: e.Up, Reason: printable(e.Reason, MaxReason), Address: printable(e.Address, MaxAddress)}}}, nil
	}
	return nil, fmt.Errorf("receive: the transport returned neither a message nor an event, or both")
}

// printable makes a text fit for a protobuf string: what is not UTF-8 is replaced, what is too long is cut.
func printable(s string, limit int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// incomingFromWire reads what a plugin sent on a lane. The error wraps ErrMisbehaved.
func incomingFromWire(w *transportv1.Incoming, lane Lane) (Incoming, error) {
	switch k := w.GetKind().(type) {
	case *transportv1.Incoming_Received:
		id, ok := peerFromWire(k.Received.GetPeer())
		m := &Message{Peer: id, Channel: string(k.Received.GetChannel()), Payload: k.Received.GetPayload()}
		if !ok || len(m.Channel) > MaxChannel || len(m.Payload) > MaxPayload {
			return Incoming{}, misbehaved("receive", "a message of %d bytes on a channel of %d bytes from a peer whose name has %d bytes",
				len(m.Payload), len(m.Channel), len(k.Received.GetPeer()))
		}
		return Incoming{Message: m}, nil
	case *transportv1.Incoming_Peer:
		id, ok := peerFromWire(k.Peer.GetPeer())
		e := &PeerEvent{Peer: id, Up: k.Peer.GetUp(), Reason: k.Peer.GetReason(), Address: k.Peer.GetAddress()}
		switch {
		case lane != Control:
			return Incoming{}, misbehaved("receive", "a peer event on the bulk lane")
		case !ok || len(e.Reason) > MaxReason || len(e.Address) > MaxAddress:
			return Incoming{}, misbehaved("receive", "an event with a name of %d, a reason of %d and an address of %d bytes",
				len(k.Peer.GetPeer()), len(e.Reason), len(e.Address))
		}
		return Incoming{Peer: e}, nil
	}
	return Incoming{}, misbehaved("receive", "neither a message nor an event")
}

func reportToWire(r LinkReport) *transportv1.ProbeResponse {
	return &transportv1.ProbeResponse{RttMinNs: uint64(r.Min), RttP50Ns: uint64(r.P50), RttP99Ns: uint64(r.P99), Sent: uint32(r.Sent), Lost: uint32(r.Lost)}
}

// reportFromWire reads the answer to a Probe with so many datagrams. The error wraps ErrMisbehaved.
func reportFromWire(w *transportv1.ProbeResponse, datagrams int) (LinkReport, error) {
	lo, mid, hi := w.GetRttMinNs(), w.GetRttP50Ns(), w.GetRttP99Ns()
	if sent, lost := w.GetSent(), w.GetLost(); uint64(sent) > uint64(datagrams) || lost > sent || lo > mid || mid > hi || hi > math.MaxInt64 {
		return LinkReport{}, misbehaved("probe", "%d datagrams were asked for, %d sent, %d lost, round trips %d, %d, %d ns", datagrams, sent, lost, lo, mid, hi)
	}
	return LinkReport{Min: time.Duration(lo), P50: time.Duration(mid), P99: time.Duration(hi), Sent: int(w.GetSent()), Lost: int(w.GetLost())}, nil
}
