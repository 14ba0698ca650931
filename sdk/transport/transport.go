// Package transport is the transport kind: it moves messages between nodes. One instance a node; chains are channels.
//
// The life of a transport. The core opens one instance, calls Listen once, then attaches twice: to the control lane
// (votes, headers, small and urgent) and to the bulk lane (bodies, ranges). It names its peers with Dial; the transport
// connects, keeps trying, and reports each change as an event. Send queues a message for each named peer and returns at
// once. Delivery is at least once while a connection lasts, in order within a channel and lane unless the connection
// breaks; what was under way when it broke may be lost, and the core asks again. A message that comes from an address
// nobody dialled is delivered under a name made from that address, until the core dials a peer at that address.
package transport

import (
	"context"
	"errors"
	"time"
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

// PeerEvent says that a connection came up or went down.
type PeerEvent struct {
	Peer    PeerID
	Up      bool
	Reason  string
	Address string
}

// Incoming is a message or a peer event; exactly one is set. Peer events come on the control lane only.
type Incoming struct {
	Message *Message
	Peer    *PeerEvent
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
	// Recv waits for the next message or event. After Close, or when the plugin dies, it returns an error.
	Recv() (Incoming, error)
	Close() error
}

// LinkReport is a measurement. Durations are round trips.
type LinkReport struct {
	Min, P50, P99 time.Duration
	Sent, Lost    int
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
}
