package plain

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// Time is a point in time as the duration since one that the caller chose, on a clock that never goes back.
type Time = time.Duration

// never is later than every deadline.
const never = Time(1<<63 - 1)

const (
	// MaxWindow is the largest selective-repeat window that 8-bit numbers allow.
	MaxWindow = 127
	// overdueAfter is for how many retransmission times the oldest unconfirmed message is left alone while the peer is heard.
	overdueAfter = 4
	// mismatches is how many numbers in a row that cannot be end a connection.
	mismatches = 3
)

// ErrConfig is wrapped by the errors of [Config.Check].
var ErrConfig = errors.New("plain mode: bad settings")

// Config are the settings of a connection. [Defaults] has those of the paper.
type Config struct {
	Port            uint16        // the listening port, which CONNECT tells
	Heartbeat       time.Duration // between two JUMPs
	Silence         time.Duration // no JUMP for so long ends the connection (HeartJumpFailed)
	ConnectInterval time.Duration // between two CONNECTs, and after the last of them
	ConnectTries    int           // unanswered CONNECTs until [Unreachable]
	KeepCalling     bool          // call again after that, and whenever a connection ends
	Retransmit      time.Duration // the retransmission waiting time
	RetransmitLimit int           // retransmissions without a new confirmation until the connection ends (DisConnect)
	Window          int           // messages sent and not confirmed; 1 is stop and wait
	// DeferOver leaves it to the caller to confirm each DATA_OVER with [Conn.Accept], when what it ends is safe.
	DeferOver bool
	// Measure asks for a [Confirmed] event for each message.
	Measure bool
}

// Defaults returns what the paper says, and where it does not: retransmission after 200 ms, at most 10 times, and the largest
// window.
func Defaults() Config {
	return Config{Heartbeat: time.Second, Silence: 10 * time.Second, ConnectInterval: time.Second, ConnectTries: 3,
		Retransmit: 200 * time.Millisecond, RetransmitLimit: 10, Window: MaxWindow}
}

// Check returns an error that wraps [ErrConfig] if a setting cannot be.
func (c Config) Check() error {
	switch {
	case c.Window < 1 || c.Window > MaxWindow:
		return fmt.Errorf("%w: a window of %d; 1 to %d are possible with numbers of eight bits", ErrConfig, c.Window, MaxWindow)
	case c.Retransmit < time.Millisecond || c.Retransmit > time.Minute:
		return fmt.Errorf("%w: a retransmission time of %s; 1ms to 1m are possible", ErrConfig, c.Retransmit)
	case c.RetransmitLimit < 1 || c.RetransmitLimit > 1000:
		return fmt.Errorf("%w: a limit of %d retransmissions; 1 to 1000 are possible", ErrConfig, c.RetransmitLimit)
	case c.Heartbeat < time.Millisecond, c.Silence <= c.Heartbeat:
		return fmt.Errorf("%w: a heartbeat of %s and a silence of %s; the silence must be longer, the heartbeat at least 1ms", ErrConfig, c.Heartbeat, c.Silence)
	case c.ConnectInterval < time.Millisecond, c.ConnectTries < 1:
		return fmt.Errorf("%w: %d CONNECTs %s apart; at least one and 1ms are needed", ErrConfig, c.ConnectTries, c.ConnectInterval)
	}
	return nil
}

// Output is what the caller has to carry out, in order.
type Output struct {
	Datagrams []Datagram
	Events    []Event
}

// Datagram is one to be written.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Up: a connection began.
	Up EventKind = iota + 1
	// Down: it ended. Code says why; ByPeer that an ERROR of the peer told.
	Down
	// Unreachable: [Config.ConnectTries] CONNECTs were not answered.
	Unreachable
	// Refused: the peer answered CONNECT with the ERROR of Code.
	Refused
	// Received: a message that wants confirmation came, in its turn. Body is the receiver's own.
	Received
	// Confirmed: a message of this end was confirmed; only with [Config.Measure].
	Confirmed
)

// Event is something that the caller wants to know.
type Event struct {
	Kind   EventKind
	Addr   netip.AddrPort
	Reason string // of Down, Unreachable and Refused
	Code   wire.Code
	ByPeer bool
	ID     wire.ID // of Received and Confirmed
	Body   []byte  // of Received
	// Of Confirmed: how often the message was sent, the time since it was sent first, and which of all the messages that the
	// connection has sent it is: what [Stats] had as Messages when it had been sent.
	Sent  int
	Trip  time.Duration
	Order uint64
	// Stats are the counters at the end, of Down.
	Stats Stats
}

// Stats are counters of a connection's life, over all of its connections.
type Stats struct {
	Sent          uint64 // datagrams, all
	Received      uint64 // datagrams that were understood
	Messages      uint64 // that wanted confirmation, each counted once
	Retransmitted uint64 // copies of these
	Repeated      uint64 // messages that came again
	Dropped       uint64 // datagrams that were not understood, or not wanted
}
