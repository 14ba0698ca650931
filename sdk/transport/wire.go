package transport

import (
	"fmt"
	"math"
	"strings"
	"time"

	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
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
	switch m, e, f := in.Message, in.Peer, in.Flow; {
	case m != nil && e == nil && f == nil:
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Received{Received: &transportv1.Received{
			Peer: m.Peer[:], Channel: []byte(m.Channel), Payload: m.Payload}}}, nil
	case e != nil && m == nil && f == nil:
		w := &transportv1.PeerEvent{Peer: e.Peer[:], Up: e.Up, Reason: printable(e.Reason, MaxReason), Address: printable(e.Address, MaxAddress)}
		if e.Node != nil {
			w.NodeScheme, w.NodeKey = uint32(e.Node.Scheme), e.Node.Key
		}
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Peer{Peer: w}}, nil
	case f != nil && m == nil && e == nil:
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Flow{Flow: &transportv1.Flow{Peer: f.Peer[:], Full: f.Full}}}, nil
	}
	return nil, fmt.Errorf("receive: the transport returned neither a message nor an event nor a flow, or several")
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
		if len(k.Peer.GetNodeKey()) > 0 {
			if e.Node = nodeFromWire(k.Peer); e.Node == nil || e.Node.Hash() != types.Hash(id) {
				return Incoming{}, misbehaved("receive", "the event of a peer with a node key of scheme %d and %d bytes that is not the peer's",
					k.Peer.GetNodeScheme(), len(k.Peer.GetNodeKey()))
			}
		}
		return Incoming{Peer: e}, nil
	case *transportv1.Incoming_Flow:
		id, ok := peerFromWire(k.Flow.GetPeer())
		if !ok {
			return Incoming{}, misbehaved("receive", "a flow of a peer whose name has %d bytes", len(k.Flow.GetPeer()))
		}
		return Incoming{Flow: &Flow{Peer: id, Full: k.Flow.GetFull()}}, nil
	}
	return Incoming{}, misbehaved("receive", "neither a message nor an event nor a flow")
}

// nodeFromWire reads a node key, or returns nil if it is none.
func nodeFromWire(e *transportv1.PeerEvent) *types.PublicKey {
	if e.GetNodeScheme() > math.MaxUint8 {
		return nil
	}
	key := types.PublicKey{Scheme: types.Scheme(e.GetNodeScheme()), Key: e.GetNodeKey()}
	if key.Validate() != nil {
		return nil
	}
	return &key
}

func reportToWire(r LinkReport) *transportv1.ProbeResponse {
	return &transportv1.ProbeResponse{RttMinNs: uint64(r.Min), RttP50Ns: uint64(r.P50), RttP99Ns: uint64(r.P99), Sent: uint32(r.Sent), Lost: uint32(r.Lost),
		Reordered: uint32(r.Reordered), OutBytesPerS: r.Out, InBytesPerS: r.In}
}

// reportFromWire reads the answer to a Probe with so many datagrams. The error wraps ErrMisbehaved.
func reportFromWire(w *transportv1.ProbeResponse, datagrams int) (LinkReport, error) {
	lo, mid, hi := w.GetRttMinNs(), w.GetRttP50Ns(), w.GetRttP99Ns()
	sent, lost, reordered := w.GetSent(), w.GetLost(), w.GetReordered()
	if uint64(sent) > uint64(datagrams) || lost > sent || reordered > sent || lo > mid || mid > hi || hi > math.MaxInt64 {
		return LinkReport{}, misbehaved("probe", "%d datagrams were asked for, %d sent, %d lost, %d reordered, round trips %d, %d, %d ns",
			datagrams, sent, lost, reordered, lo, mid, hi)
	}
	return LinkReport{Min: time.Duration(lo), P50: time.Duration(mid), P99: time.Duration(hi), Sent: int(sent), Lost: int(lost), Reordered: int(reordered),
		Out: w.GetOutBytesPerS(), In: w.GetInBytesPerS()}, nil
}

// maxLanes is the most connections that a link may be said to have, and maxDatagram the largest datagram.
const (
	maxLanes    = 1 << 10
	maxDatagram = 1<<16 - 1
)

func statsToWire(links []LinkStats) *transportv1.StatsResponse {
	w := &transportv1.StatsResponse{Links: make([]*transportv1.LinkStats, min(len(links), MaxLinks))}
	for i := range w.Links {
		l := &links[i]
		w.Links[i] = &transportv1.LinkStats{Peer: l.Peer[:], Up: l.Up, Dialled: l.Dialled, Address: printable(l.Address, MaxAddress), SinceNs: uint64(l.Since),
			RttNs: uint64(l.RTT), RttVarianceNs: uint64(l.Variance), Lanes: uint32(l.Lanes), Datagram: uint32(l.Datagram), QueuedBytes: uint64(l.Queued),
			SentBytes: l.SentBytes, ReceivedBytes: l.ReceivedBytes, SentDatagrams: l.Datagrams, Retransmitted: l.Retransmitted,
			OutBytesPerS: l.Out, InBytesPerS: l.In}
	}
	return w
}

// statsFromWire reads the answer to Stats. The error wraps ErrMisbehaved.
func statsFromWire(w *transportv1.StatsResponse) ([]LinkStats, error) {
	if len(w.GetLinks()) > MaxLinks {
		return nil, misbehaved("stats", "%d links, at most %d are allowed", len(w.GetLinks()), MaxLinks)
	}
	out := make([]LinkStats, len(w.GetLinks()))
	for i, l := range w.GetLinks() {
		id, ok := peerFromWire(l.GetPeer())
		if !ok || len(l.GetAddress()) > MaxAddress || l.GetLanes() > maxLanes || l.GetDatagram() > maxDatagram ||
			max(l.GetSinceNs(), l.GetRttNs(), l.GetRttVarianceNs()) > math.MaxInt64 || l.GetQueuedBytes() > math.MaxInt {
			return nil, misbehaved("stats", "a link to a peer whose name has %d bytes: %d lanes, datagrams of %d, up for %d ns, round trip %d and %d ns, %d bytes queued",
				len(l.GetPeer()), l.GetLanes(), l.GetDatagram(), l.GetSinceNs(), l.GetRttNs(), l.GetRttVarianceNs(), l.GetQueuedBytes())
		}
		out[i] = LinkStats{Peer: id, Up: l.GetUp(), Dialled: l.GetDialled(), Address: l.GetAddress(), Since: time.Duration(l.GetSinceNs()),
			RTT: time.Duration(l.GetRttNs()), Variance: time.Duration(l.GetRttVarianceNs()), Lanes: int(l.GetLanes()), Datagram: int(l.GetDatagram()),
			Queued: int(l.GetQueuedBytes()), SentBytes: l.GetSentBytes(), ReceivedBytes: l.GetReceivedBytes(), Datagrams: l.GetSentDatagrams(),
			Retransmitted: l.GetRetransmitted(), Out: l.GetOutBytesPerS(), In: l.GetInBytesPerS()}
	}
	return out, nil
}
