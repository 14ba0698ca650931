package conn

import (
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/stripe"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Time is a point in time as the duration since one that the caller chose, on a clock that never goes back.
type Time = time.Duration

// never is later than every deadline.
const never = Time(1<<63 - 1)

// Limits that both ends must agree on, so that what one sends the other can take.
const (
	// MaxWindow is the largest selective-repeat window that 8-bit numbers allow.
	MaxWindow = 127
	// MaxMessage is the largest payload, in bytes; MaxChannel the longest channel name.
	MaxMessage = stripe.MaxMessage
	MaxChannel = stripe.MaxChannel
)

// Config are the settings of a connection. All must be set; [Defaults] sets them.
type Config struct {
	Heartbeat       time.Duration // a JUMP is sent when nothing else was for so long
	Silence         time.Duration // nothing authentic received for so long ends the session
	ConnectInterval time.Duration // between the first CONNECTs
	ConnectTries    int           // unanswered CONNECTs until Unreachable is reported; then the interval doubles
	ConnectMax      time.Duration // longest interval

	RetransmitInitial time.Duration // before a round trip was measured
	RetransmitMin     time.Duration
	RetransmitMax     time.Duration
	RetransmitLimit   int // timeouts in a row, with nothing heard, that end the session

	Datagram     int // largest datagram that is sent before a larger one was found to arrive, header included, in bytes
	Largest      int // largest datagram that a lane of a group looks for
	MaxDatagram  int // largest datagram that is taken, told to the peer
	Window       int // most numbers in flight, at most MaxWindow
	Buffer       int // bytes of the peer's socket buffer, 0 if it is not known
	SendQueue    int // bytes that wait to be sent; one message is taken always
	ReceiveQueue int // bytes delivered and not released at which no more are taken
	// Extra is a lane that is opened when there is much to send: it does not call again by itself, and is closed when it
	// has carried nothing for the time of Idle.
	Extra bool
	Idle  time.Duration
	// AssemblyTimeout is how long a large message may make no progress.
	AssemblyTimeout time.Duration
}

// Defaults returns the settings of the paper where it has them.
func Defaults() Config {
	return Config{
		Heartbeat: time.Second, Silence: 10 * time.Second, ConnectInterval: time.Second, ConnectTries: 3, ConnectMax: 2 * time.Second,
		RetransmitInitial: 200 * time.Millisecond, RetransmitMin: 30 * time.Millisecond, RetransmitMax: 2 * time.Second, RetransmitLimit: 10,
		Datagram: 1200, Largest: 1200, MaxDatagram: 16 << 10, Idle: 10 * time.Second, Window: MaxWindow, SendQueue: 64 << 20, ReceiveQueue: 32 << 20, AssemblyTimeout: 30 * time.Second,
	}
}

// Local is what this end tells in a handshake.
type Local struct {
	Port  uint16   // listening port
	Lanes []uint16 // ports of further lanes
	Link  uint64   // see wire.Hello; handshakes with another one are not answered
	Group *Group   // of a lane that shares its messages with others; nil makes it an ordered connection
}

// Message is one to be sent. Its payload is not copied: it must not change any more.
type Message = stripe.Message

// Output is what the caller has to carry out, in order.
type Output struct {
	Datagrams []Datagram
	Delivered []Delivery
	Events    []Event
	pool      Pool
}

// Reset empties the output and keeps its memory.
func (o *Output) Reset() {
	clear(o.Datagrams)
	clear(o.Delivered)
	clear(o.Events)
	o.Datagrams, o.Delivered, o.Events = o.Datagrams[:0], o.Delivered[:0], o.Events[:0]
}

// Delivery is a message that arrived. It counts against Config.ReceiveQueue until Release is called for its Size.
type Delivery struct {
	From    netip.AddrPort
	Channel string
	Payload []byte           // the receiver's own
	Node    *types.PublicKey // whose session it came in
	after   int              // events before it, see Output
	group   *Group
}

// Release gives back what the message is counted for.
func (d *Delivery) Release(now Time) {
	if d.group != nil {
		d.group.Release(now, d.Size())
	}
}

// After is how many of the output's events come before this message.
func (d *Delivery) After() int { return d.after }

// Size is what the message is counted for.
func (d *Delivery) Size() int { return len(d.Payload) + stripe.Overhead }

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Up: a session began. Hello is what the peer tells, Number the session's tag, which both ends have, Peer who it is,
	// Caller whether this end has called.
	Up EventKind = iota
	// Down: the session of that Number ended, for the reason given.
	Down
	// Unreachable: the peer did not answer Config.ConnectTries CONNECTs. It is reported once until the next session.
	Unreachable
	// Dropped: the send queue was full; Count of the oldest messages of the lowest priority are not sent.
	Dropped
	// Echoed: the peer answered the echo of that Number.
	Echoed
	// Refused: a session did not begin because of who the peer is, or since it does not want one; see Reason. While the
	// reason stays the same it is reported once.
	Refused
	// Moved: the session goes on at another address, Addr; until now it was at From.
	Moved
	// QueueFull: little room is left in the send queue. QueueRoom: there is much again.
	QueueFull
	QueueRoom
	// Kick: the lane has no number left although there is more to send. The others have to be flushed.
	Kick
	// Crowded: none of the group's lanes has, or will have soon. Count of them would be used.
	Crowded
	// Broken: the session has ended since the peer broke the protocol, or a message made no progress: a group's lanes cannot go on.
	Broken
)

// Event is something that the caller may want to know.
type Event struct {
	Kind   EventKind
	Addr   netip.AddrPort
	Link   uint64 // of the connection, see Local
	Reason string
	Hello  wire.Hello
	Count  int
	Number uint64
	Peer   secure.Peer
	Caller bool
	From   netip.AddrPort
}
