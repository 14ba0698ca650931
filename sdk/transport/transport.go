// Package transport is the transport kind: it moves messages between nodes. One instance a node; chains are channels.
//
// The life of a transport. The core opens one instance, calls Listen once, then attaches twice: to the control lane
// (votes, headers, small and urgent) and to the bulk lane (bodies, ranges). It names its peers with Dial; the transport
// connects, keeps trying, and reports each change as an event. Send queues a message for each named peer and returns at
// once. Delivery is at least once while a connection lasts; what was under way when it broke may be lost, and the core
// asks again. Messages of one channel keep their order on the control lane. On the bulk lane they do not: a large message
// that has lost a datagram holds up no other.
//
// A transport either authenticates its peers or it does not, and says so by the Node of its peer events. One that does takes
// the name that Dial gives for the hash of the peer's node key: it connects to nobody else at that address, and names
// whoever calls by itself in the same way. One that does not delivers what comes from an address that nobody dialled under
// a name made from that address, until the core dials a peer there.
//
// Nothing waits without bound. What is queued for a peer on a lane is limited; when the limit is reached the transport says
// so with a Flow, and again when there is room. A message that is sent nevertheless is dropped or displaces an older one of
// no higher priority, for that peer alone. In the other direction a peer is held back while the core does not receive.
package transport

import (
	"context"
	"errors"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxPayload is the largest message, in bytes; MaxChannel the longest channel name.
const (
	MaxPayload = 16<<20 - 64<<10
	MaxChannel = 64
)

// Errors.
var (
	ErrClosed       = errors.New("transport: closed")
	ErrUnknownPeer  = errors.New("transport: unknown peer")
	ErrNotConnected = errors.New("transport: not connected")
	ErrTooLarge     = errors.New("transport: message too large")
	ErrAddress      = errors.New("transport: bad address")
	ErrBusy         = errors.New("transport: the peer's queue is full")
	ErrInvalid      = errors.New("transport: invalid call")
)

// PeerID is the core's name for a peer.
type PeerID [32]byte

// Lane separates what is urgent from what is large.
type Lane uint8

// The lanes.
const (
	Control Lane = iota
	Bulk
)

// String names the lane.
func (l Lane) String() string {
	switch l {
	case Control:
		return "control"
	case Bulk:
		return "bulk"
	}
	return "unknown"
}

// Message is one that was received.
type Message struct {
	Peer    PeerID
	Channel string
	Payload []byte
}

// PeerEvent says that a connection came up or went down. A peer whose address has changed while it was up is reported up
// again, with the new one.
type PeerEvent struct {
	Peer    PeerID
	Up      bool
	Reason  string
	Address string
	// Node is the node key that the transport has authenticated when the peer came up: its hash is Peer. Nil if the
	// transport authenticates nobody.
	Node *types.PublicKey
}

// Flow says on a lane that what waits for a peer there has reached its bound (Full), or that there is room again. There is
// room whenever a connection comes up.
type Flow struct {
	Peer PeerID
	Full bool
}

// Incoming is a message, a peer event or a flow; exactly one is set. Peer events come on the control lane only.
type Incoming struct {
	Message *Message
	Peer    *PeerEvent
	Flow    *Flow
}

// Outgoing is one message for some peers.
type Outgoing struct {
	Peers    []PeerID
	Channel  string
	Priority uint32 // 0 is served first
	Payload  []byte
}

// Link is one attached lane. Send and Recv may be called concurrently with each other.
type Link interface {
	// Dial names a peer and keeps a connection to its address (host:port) until Hangup.
	Dial(peer PeerID, address string) error
	Hangup(peer PeerID) error
	// Send queues. It blocks only while the lane itself is congested. A peer that is unknown or not connected does not
	// get the message; that is no error.
	Send(out Outgoing) error
	// Recv waits for the next message, event or flow. After Close, or when the plugin dies, it returns an error.
	Recv() (Incoming, error)
	Close() error
}

// LinkReport is a measurement. Durations are round trips.
type LinkReport struct {
	Min, P50, P99 time.Duration
	Sent, Lost    int
	Reordered     int // answers that came after that of a later datagram
	// Out and In are the goodput towards the peer and from it in bytes a second; 0 if it was not measured.
	Out, In uint64
}

// LinkStats is the state of a link to a peer, as its connections have seen it; nothing is sent for it.
type LinkStats struct {
	Peer          PeerID
	Up            bool
	Dialled       bool
	Address       string
	Since         time.Duration // how long it has been up or down
	RTT, Variance time.Duration // smoothed; 0 if unknown
	Lanes         int           // connections that carry it now
	Datagram      int           // largest that is sent, in bytes
	Queued        int           // bytes that wait to be sent, on both lanes
	// Bytes of messages and datagrams since it came up. Datagrams are those that wanted confirmation, each counted once;
	// Retransmitted is how often one of them was sent again.
	SentBytes, ReceivedBytes uint64
	Datagrams, Retransmitted uint64
	Out, In                  uint64 // bytes of messages a second, over the last few seconds
}

// Transport is one instance.
type Transport interface {
	// Listen opens the socket and returns the address in use. It may be called again after a restart with that address.
	Listen(ctx context.Context, address string) (string, error)
	// Attach opens a lane, which lasts until Close or until ctx ends. There is at most one of each; a second replaces the
	// first. The control lane begins with an event for each peer that is connected.
	Attach(ctx context.Context, lane Lane) (Link, error)
	// Probe measures the link to a connected peer with so many datagrams, at most 1000.
	Probe(ctx context.Context, peer PeerID, datagrams int) (LinkReport, error)
	// Stats tells the state of the links to all peers that were dialled or are connected, by name, at most [MaxLinks].
	Stats(ctx context.Context) ([]LinkStats, error)
}
