package conn

import (
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/stripe"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	laneReserve = 12
	shortTrip   = 500 * time.Microsecond
)

// Group is what the lanes of a link share: the messages that wait, those that arrive, and the model of the path. A
// connection without one has its own. It has a lock, since each lane is driven by itself; it is held for moments only,
// and never while a datagram is made or sealed.
type Group struct {
	mu    sync.Mutex
	cfg   Config
	most  int // lanes
	snd   *stripe.Sender
	rcv   *stripe.Receiver
	path  model
	stats GroupStats
	rates [2]meter

	held   int  // bytes delivered and not released
	closed bool // held is at its limit

	pulled Time // when a frame was taken last
	armed  Time // a lane will try again at that time
	full   int  // what a frame of it has room for

	lanes   int // that are up
	stuck   int // of these, with no number left although there is something to send
	streak  int // rounds in a row in which all were
	stuckAt uint64
	askedAt uint64 // see crowding
}

// GroupStats are counts of a link's lanes, or of a connection.
type GroupStats struct {
	RTT, Variance            time.Duration // smoothed; 0 if unknown
	Lanes                    int           // connections that are up
	Datagram                 int           // largest that is sent, in bytes
	Queued                   int           // bytes that wait or are under way
	SentBytes, ReceivedBytes uint64        // of messages
	// Datagrams that wanted confirmation, each counted once, and how often one of them was sent again.
	Datagrams, Retransmitted uint64
	Out, In                  uint64 // bytes of messages a second, over the last few seconds
}

// NewGroup returns what the bulk lanes of a link share, at most so many lanes. Datagram is the smallest that a lane sends, held
// what an earlier group of this peer has delivered and not released.
func NewGroup(cfg Config, lanes, datagram, held int) *Group {
	g := newGroup(cfg, false, max(datagram, minDatagram), held)
	g.most = lanes
	return g
}

func newGroup(cfg Config, ordered bool, datagram, held int) *Group {
	floor := minCount
	if ordered {
		floor = minControlCount
	}
	return &Group{cfg: cfg, most: 1, snd: stripe.NewSender(ordered, frameRoom(datagram), cfg.SendQueue), rcv: stripe.NewReceiver(cfg.AssemblyTimeout),
		path: newModel(!ordered, floor, datagram), held: held, closed: held >= cfg.ReceiveQueue}
}

// Send queues a message. It returns how many were dropped for want of room, and the change of the queue's state, if any.
func (g *Group) Send(m Message) (dropped int, flow Flow) {
	g.mu.Lock()
	defer g.mu.Unlock()
	dropped = g.snd.Push(m)
	return dropped, g.flow()
}

// Flow is a change of a queue's state.
type Flow uint8

// The changes.
const (
	Same Flow = iota
	Full
	Room
)

func (g *Group) flow() Flow {
	full, changed := g.snd.Full()
	switch {
	case !changed:
		return Same
	case full:
		return Full
	}
	return Room
}

// Pressed tells whether the queue is full in the sense of Flow.
func (g *Group) Pressed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	full, _ := g.snd.Full()
	return full
}

// Open tells whether something waits that a lane should be asked to send now: the congestion window lets it go, and no lane will
// ask by itself as soon as pacing does.
func (g *Group) Open(now Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ready() {
		return false
	}
	return now >= g.armed || g.path.due(now) <= now && g.snd.Fills(g.full)
}

func (g *Group) ready() bool { return g.path.room(minDatagram) && g.snd.Waiting() }

// Release says that delivered messages of that size have been consumed. It returns whether lanes have to be flushed, since
// there is room again.
func (g *Group) Release(now Time, size int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = max(g.held-size, 0)
	if !g.closed || g.held > g.cfg.ReceiveQueue*3/4 {
		return false
	}
	g.closed = false
	g.rcv.Touch(now)
	return true
}

// Held is what was delivered and not released.
func (g *Group) Held() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// Lanes is how many are up.
func (g *Group) Lanes() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lanes
}

// Stats returns the counters.
func (g *Group) Stats(now Time) GroupStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.Lanes, s.Queued = g.lanes, g.snd.Bytes()
	s.Out, s.In = g.rates[0].rate(now), g.rates[1].rate(now)
	return s
}

// window is what a confirmation tells the peer: how many numbers there is room for.
func (g *Group) window(most int) int {
	if g.closed {
		return 0
	}
	quarter := g.cfg.ReceiveQueue / 4
	if room := g.cfg.ReceiveQueue - g.held; room < quarter {
		return max(most*room/quarter, 1)
	}
	return most
}

// verdict is what came of the attempt to send.
type verdict uint8

const (
	sending   verdict = iota
	empty             // nothing waits
	congested         // until something is confirmed
	early             // until a time
)

// pull takes the next frame for a lane if one may go now.
func (g *Group) pull(now Time, f *flight, room int) (v verdict, at Time, flow Flow) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, at := g.permits(now, room); v != sending {
		if !g.snd.Waiting() {
			return empty, 0, Same
		}
		if v == early {
			g.armed, g.full = at, room
		}
		return v, at, Same
	}
	// While something is under way, a datagram that would not be full waits a moment for more: a stream of small messages
	// would otherwise cost a datagram each.
	if at := g.pulled + quantum; g.path.paced && g.path.flying > 0 && now < at && g.snd.Waiting() && !g.snd.Fills(room) {
		g.path.idle()
		g.armed, g.full = at, room
		return early, at, Same
	}
	if !g.snd.Next(&f.frame, room) {
		if !g.snd.Waiting() {
			g.path.idle()
		}
		return empty, 0, Same
	}
	f.size = int32(f.frame.Len() + datagramOverhead)
	f.mark, g.pulled = g.path.sent(now, int(f.size)), now
	if !g.snd.Waiting() { // with more to send it might have been one of many
		g.path.idle()
		f.mark.limited = true
	}
	g.stats.Datagrams++
	return sending, 0, g.flow()
}

// crowding returns how many lanes there should be, once a round trip, when the start of a transfer is about to use up the numbers
// of those that there are, which hold so many bytes each; otherwise 0.
func (g *Group) crowding(capacity int) (want int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &g.path
	want = g.want(capacity)
	if g.lanes >= want || p.phase != startup || 4*p.flying < g.lanes*capacity || p.round == g.askedAt || !g.snd.Waiting() {
		return 0
	}
	g.askedAt = p.round
	return want
}

// want is how many lanes of that capacity the path is worth: what is known to fit on it several times over. A handshake takes
// round trips, in which the start of a transfer doubles what is under way, and a lane that has lost something
// waits for it with its numbers used up. Where round trips are very short it is not numbers that hold a transfer up.
func (g *Group) want(capacity int) int {
	n := laneReserve * g.path.rate() * max(g.path.minRTT, shortTrip).Seconds() / float64(capacity)
	return min(1+int(min(n, 1e6)), g.most)
}

func (g *Group) permits(now Time, size int) (verdict, Time) {
	if !g.path.room(size) {
		return congested, 0
	}
	if at := g.path.due(now); at > now {
		return early, at
	}
	return sending, 0
}

// again asks whether a lost datagram may be sent again, and counts it.
func (g *Group) again(now Time, f *flight, forced bool) (verdict, Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !forced {
		// A lost datagram has left the window, so it hardly has to wait for it. When it must, other lanes fill it, and
		// nothing but time tells this one when to go on.
		if float64(g.path.flying) > 1.25*g.path.window {
			return congested, now + max(g.path.minRTT/4, quantum)
		}
		if at := g.path.due(now); at > now {
			return early, at
		}
	}
	f.mark = g.path.sent(now, int(f.size))
	g.stats.Retransmitted++
	return sending, 0
}

// exhausted says that a lane has no number left. It returns whether the lane is to be counted as such, whether others
// should be asked to send, and how many lanes there should be, if it is more: when for two round trips none had a number
// left.
func (g *Group) exhausted(was bool, capacity int) (stuck, kick bool, want int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ready() {
		return was, false, 0
	}
	if !was {
		g.stuck++
	}
	if g.stuck < g.lanes {
		return true, !was, 0
	}
	if want = g.want(capacity); g.lanes >= want {
		return true, false, 0
	}
	g.path.idle() // what is measured now says how many lanes there are, not what the path has
	r := g.path.round
	if r == g.stuckAt {
		return true, false, 0
	}
	if g.streak++; r != g.stuckAt+1 {
		g.streak = 1
	}
	g.stuckAt = r
	if g.streak < 2 {
		want = 0
	}
	return true, false, want
}

func (g *Group) unstuck() {
	g.mu.Lock()
	g.stuck--
	g.mu.Unlock()
}

// join counts a lane that has come up. It returns what is known of the round trip.
func (g *Group) join() estimate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lanes++; g.lanes > 1 && g.ready() {
		g.path.wider()
	}
	return estimate{g.stats.RTT, g.stats.RTT / 2, g.path.minRTT}
}

// take brings a frame to the receiver. It returns false if there is no room for it now.
func (g *Group) take(now Time, c *Conn, id wire.ID, b []byte) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false, nil
	}
	ok, err := g.rcv.Take(now, id, b)
	for _, d := range g.rcv.Delivered() {
		g.held += d.Size()
		g.stats.ReceivedBytes += uint64(len(d.Payload))
		g.rates[1].add(now, len(d.Payload))
		c.out.Delivered = append(c.out.Delivered, Delivery{From: c.addr, Channel: d.Channel, Payload: d.Payload, Node: &c.sess.peer.Node, after: len(c.out.Events), group: g})
	}
	g.closed = g.held >= g.cfg.ReceiveQueue
	return ok, err
}

// overdue tells whether a large message has made no progress for too long.
func (g *Group) overdue(now Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.closed && g.rcv.Overdue(now)
}

// deadline is when overdue has to be asked.
func (g *Group) deadline() Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed { // then it is this end that does not let it
		return never
	}
	return g.rcv.Deadline()
}

// meter measures a rate over the last seconds.
type meter struct {
	seconds [4]uint64
	at      int64 // second of the newest
}

func (m *meter) move(now Time) {
	s := int64(now / time.Second)
	for k := min(s-m.at, int64(len(m.seconds))); k > 0; k-- {
		copy(m.seconds[1:], m.seconds[:len(m.seconds)-1])
		m.seconds[0] = 0
	}
	m.at = s
}

func (m *meter) add(now Time, n int) {
	m.move(now)
	m.seconds[0] += uint64(n)
}

func (m *meter) rate(now Time) uint64 {
	m.move(now)
	sum := uint64(0)
	for _, n := range m.seconds {
		sum += n
	}
	span := time.Duration(len(m.seconds)-1)*time.Second + now%time.Second
	return uint64(float64(sum) / span.Seconds())
}
