package stripe

import "github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"

// Limits that both ends must agree on, so that what one sends the other can take.
const (
	// MaxMessage is the largest payload, in bytes; MaxChannel the longest channel name.
	MaxMessage = 16 << 20
	MaxChannel = 64
	// MaxAssemblies is how many large messages may be under way at once, and MaxAssembly their sum in bytes.
	MaxAssemblies = 1024
	MaxAssembly   = 2 * MaxMessage
	// idWindow is how far the number of a message may be from that of the first that is not confirmed. A power of two.
	idWindow = 1 << 16
)

// Overhead is what a message is counted for besides its payload, in bytes, so that many empty ones are bounded.
const Overhead = 256

// Message is one to be sent. Its payload is not copied: it must not change any more.
type Message struct {
	Channel  string
	Priority uint32 // 0 goes first
	Payload  []byte
	// Digest is the payload's SHA-256 if the caller has it, so that a message for many peers is hashed once.
	Digest *[32]byte
}

// Delivery is a message that arrived.
type Delivery struct {
	Channel string
	Payload []byte // the receiver's own
}

// Size is what the message is counted for.
func (d *Delivery) Size() int { return len(d.Payload) + Overhead }

// Frame is what one datagram carries.
type Frame struct {
	ID      wire.ID
	metaLen uint8
	meta    [wire.PieceHeaderSize]byte
	Body    []byte // after Meta; must not be changed
	large   *outgoing
	first   uint32 // numbers of whole messages
	count   uint32
	size    int // what they are counted for in the queue
}

// Meta is what comes before the body.
func (f *Frame) Meta() []byte { return f.meta[:f.metaLen] }

// Len is the frame's length in bytes.
func (f *Frame) Len() int { return int(f.metaLen) + len(f.Body) }

// numbers are the message numbers from base on of which some are done.
type numbers struct {
	base, next uint32 // next is used by a sender only
	bits       []uint64
}

func (n *numbers) at(id uint32) (word *uint64, bit uint64) {
	if n.bits == nil {
		n.bits = make([]uint64, idWindow/64)
	}
	i := id % idWindow
	return &n.bits[i/64], 1 << (i % 64)
}

// ahead is how far a number is from base; negative for an old one.
func (n *numbers) ahead(id uint32) int { return int(int32(id - n.base)) }

// done tells whether a number was done. It must be less than idWindow ahead.
func (n *numbers) done(id uint32) bool {
	if n.ahead(id) < 0 {
		return true
	}
	w, b := n.at(id)
	return *w&b != 0
}

// finish marks a number as done.
func (n *numbers) finish(id uint32) {
	if n.ahead(id) < 0 {
		return
	}
	w, b := n.at(id)
	*w |= b
	for {
		w, b := n.at(n.base)
		if *w&b == 0 {
			return
		}
		*w &^= b
		n.base++
	}
}
