package conn

import (
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
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
	MaxMessage = 16 << 20
	MaxChannel = 64
	// maxAssemblies is how many large messages a sender may have under way at once, and maxAssembly their sum in bytes.
	maxAssemblies = 4
	maxAssembly   = 2 * MaxMessage
)

// overhead is what a queued message is counted for besides its payload, in bytes, so that many empty ones are bounded.
const overhead = 256

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

	Datagram     int // largest datagram that is sent, header included, in bytes
	MaxDatagram  int // largest datagram that is taken, told to the peer
	Window       int // most numbers in flight, at most MaxWindow
	SendQueue    int // bytes that wait to be sent; one message is taken always
	ReceiveQueue int // bytes delivered and not released at which no more are taken
	// Early keeps messages that are sent while the peer is being called.
	Early bool
	// AssemblyTimeout is how long a large message may make no progress.
	AssemblyTimeout time.Duration
}

// Defaults returns the settings of the paper where it has them.
func Defaults() Config {
	return Config{
		Heartbeat: time.Second, Silence: 10 * time.Second, ConnectInterval: time.Second, ConnectTries: 3, ConnectMax: 2 * time.Second,
		RetransmitInitial: 200 * time.Millisecond, RetransmitMin: 30 * time.Millisecond, RetransmitMax: 2 * time.Second, RetransmitLimit: 10,
		Datagram: 1200, MaxDatagram: 16 << 10, Window: MaxWindow, SendQueue: 64 << 20, ReceiveQueue: 32 << 20, AssemblyTimeout: 30 * time.Second,
	}
}

// Local is what this end tells in a handshake.
type Local struct {
	Port  uint16   // listening port
	Lanes []uint16 // ports of further lanes
	Link  uint64   // see wire.Hello; handshakes with another one are not answered
}

// Message is one to be sent. Its payload is not copied: it must not change any more.
type Message struct {
	Channel  string
	Priority uint32 // 0 goes first
	Payload  []byte
	// Digest is the payload's SHA-256 if the caller has it, so that a message for many peers is hashed once.
	Digest *[32]byte
}

// Output is what the caller has to carry out, in order.
type Output struct {
	Datagrams []Datagram
	Delivered []Delivery
	Events    []Event
}

// Reset empties the output and keeps its memory.
func (o *Output) Reset() {
	clear(o.Datagrams)
	clear(o.Delivered)
	clear(o.Events)
	o.Datagrams, o.Delivered, o.Events = o.Datagrams[:0], o.Delivered[:0], o.Events[:0]
}

// HeadSize is the most that a datagram has before its Body.
const HeadSize = wire.HeaderSize + wire.TagSize + 5 + wire.MaxBits

// Datagram is one to be written: Head[:HeadLen], then Body, which must not be changed.
type Datagram struct {
	To      netip.AddrPort
	HeadLen uint8
	Head    [HeadSize]byte
	Body    []byte
}

// Len is the datagram's length in bytes.
func (d *Datagram) Len() int { return int(d.HeadLen) + len(d.Body) }

// Append appends the datagram's bytes.
func (d *Datagram) Append(b []byte) []byte {
	return append(append(b, d.Head[:d.HeadLen]...), d.Body...)
}

// Delivery is a message that arrived. It counts against Config.ReceiveQueue until Release is called for its Size.
type Delivery struct {
	From    netip.AddrPort
	Channel string
	Payload []byte // the receiver's own
	after   int    // events before it, see Output
}

// After is how many of the output's events come before this message.
func (d *Delivery) After() int { return d.after }

// Size is what the message is counted for.
func (d *Delivery) Size() int { return len(d.Payload) + overhead }

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Up: a session began. Hello is the peer's, Number the session's tag, which both ends have.
	Up EventKind = iota
	// Down: the session ended, for the reason given.
	Down
	// Unreachable: the peer did not answer Config.ConnectTries CONNECTs. It is reported once until the next session.
	Unreachable
	// Dropped: the send queue was full; Count of the oldest messages of the lowest priority are not sent.
	Dropped
	// Echoed: the peer answered the echo of that Number.
	Echoed
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
}
