package lane

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
)

// world is two lanes, a network between them that loses, repeats and delays, and a clock.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	random  *rand.ChaCha8
	now     conn.Time
	seq     int
	wire    packets
	ends    [2]*end
	loss    float64
	repeat  float64
	delay   time.Duration     // at most; datagrams overtake each other
	late    time.Duration     // second copies are later by at most this
	down    bool              // nothing passes
	oneWay  [2]float64        // loss towards each end, besides
	source  [2]netip.AddrPort // where each end sends from
	tap     func(to int, b []byte)
	packets int
}

type packet struct {
	at   conn.Time
	seq  int
	to   int
	data []byte
}

type packets []packet

func (p packets) Len() int { return len(p) }
func (p packets) Less(i, j int) bool {
	return p[i].at < p[j].at || p[i].at == p[j].at && p[i].seq < p[j].seq
}
func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *packets) Push(x any)   { *p = append(*p, x.(packet)) }
func (p *packets) Pop() any {
	old := *p
	x := old[len(old)-1]
	*p = old[:len(old)-1]
	return x
}

// end is one lane, what it sends and what it has received.
type end struct {
	lane     *Lane
	peer     netip.AddrPort // where its peer is
	ups      int
	moves    int
	refusals []string
	up       bool
	session  uint64            // its tag
	epoch    uint32            // of sending: one for each session
	next     map[string]uint32 // index of the next message of each channel in this epoch
	got      map[string]uint32 // by epoch and channel: what comes next
	received int
	reasons  []string
	pending  []int // sizes to be released
}

var addrs = [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:1000")}

func testConfig() Config {
	c := conn.Defaults()
	c.Datagram, c.MaxDatagram = 600, 1200
	return Config{Conn: c, HalfOpen: 64, Rates: secure.DefaultRates(), Rotation: secure.Rotation{Datagrams: 500, Bytes: 1 << 20, Time: 20 * time.Second},
		Loopback: 1200, Replies: 200}
}

func newWorld(t *testing.T, seed uint64, cfg Config) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 7)), random: randomness(seed)}
	w.source = addrs
	for i := range w.ends {
		w.ends[i] = &end{got: map[string]uint32{}}
		w.boot(i, cfg)
	}
	return w
}

// lane opens a lane of node i.
func (w *world) lane(i int, cfg Config) *Lane {
	w.t.Helper()
	l, err := New(cfg, conn.Local{Port: 1000}, Env{Random: w.random, Identity: identity(w.t, w.random, i), Admit: w.admit(i)})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// boot starts a lane anew, as a process that was killed and started again.
func (w *world) boot(i int, cfg Config) {
	e := w.ends[i]
	e.lane = w.lane(i, cfg)
	e.up, e.pending, e.next = false, nil, map[string]uint32{}
	e.epoch++ // numbers of another life are never used again
	e.lane.Dial(w.now, addrs[1-i], Member{})
	w.flush(i)
}

func (w *world) flush(i int) {
	e := w.ends[i]
	out := e.lane.Flush(w.now)
	done := 0
	for k := range out.Delivered {
		for ; done < out.Delivered[k].After(); done++ {
			w.event(e, &out.Events[done])
		}
		w.deliver(i, &out.Delivered[k])
	}
	for ; done < len(out.Events); done++ {
		w.event(e, &out.Events[done])
	}
	for k := range out.Datagrams {
		d := &out.Datagrams[k]
		if d.Len() > 1200 {
			w.t.Fatalf("datagram of %d bytes", d.Len())
		}
		if d.To != strangerAt {
			w.transmit(1-i, d.Append(nil))
		}
	}
	out.Reset()
}

func (w *world) transmit(to int, b []byte) {
	w.packets++
	if w.tap != nil {
		w.tap(to, b)
	}
	if w.down {
		return
	}
	copies := 1
	if w.rng.Float64() < w.repeat {
		copies = 2
	}
	for k := range copies {
		if w.rng.Float64() < w.loss+w.oneWay[to] {
			continue
		}
		w.seq++
		at := w.now + time.Millisecond
		if w.delay > 0 {
			at += time.Duration(w.rng.Int64N(int64(w.delay)))
		}
		if k > 0 && w.late > 0 {
			at += time.Duration(w.rng.Int64N(int64(w.late)))
		}
		heap.Push(&w.wire, packet{at, w.seq, to, bytes.Clone(b)})
	}
}

func (w *world) event(e *end, ev *conn.Event) {
	if ev.Addr == strangerAt { // a third one, see raw
		return
	}
	switch ev.Kind {
	case conn.Up:
		if e.up {
			w.t.Fatalf("up twice")
		}
		e.up, e.next = true, map[string]uint32{}
		e.epoch++
		e.session, e.peer = ev.Number, ev.Addr
		e.ups++
	case conn.Moved:
		e.peer = ev.Addr
		e.moves++
	case conn.Refused:
		e.refusals = append(e.refusals, ev.Reason)
	case conn.Down:
		if !e.up {
			w.t.Fatalf("down twice")
		}
		e.up = false
		e.reasons = append(e.reasons, ev.Reason)
	case conn.Dropped:
		w.t.Fatalf("dropped: %s", ev.Reason)
	}
}

func (w *world) deliver(i int, d *conn.Delivery) {
	e := w.ends[i]
	if len(d.Payload) < 8 {
		w.t.Fatalf("payload of %d bytes", len(d.Payload))
	}
	epoch, index := binary.BigEndian.Uint32(d.Payload), binary.BigEndian.Uint32(d.Payload[4:])
	if !bytes.Equal(d.Payload, content(epoch, index, len(d.Payload))) {
		w.t.Fatalf("message %d of epoch %d was altered", index, epoch)
	}
	key := fmt.Sprintf("%d %s", epoch, d.Channel)
	if want := e.got[key]; index != want {
		w.t.Fatalf("end %d, channel %q, epoch %d: message %d comes in place of %d", i, d.Channel, epoch, index, want)
	}
	e.got[key]++
	e.received++
	e.pending = append(e.pending, d.Size())
}

func content(epoch, index uint32, size int) []byte {
	b := make([]byte, size)
	x := epoch*31 + index
	for i := 0; i+4 <= size; i += 4 {
		x = x*1664525 + 1013904223
		binary.LittleEndian.PutUint32(b[i:], x)
	}
	binary.BigEndian.PutUint32(b, epoch)
	binary.BigEndian.PutUint32(b[4:], index)
	return b
}

// send queues a message of random size and channel at an end that is up.
func (w *world) send(i int) bool {
	e := w.ends[i]
	if !e.up {
		return false
	}
	size := 8 + w.rng.IntN(200)
	if w.rng.IntN(20) == 0 {
		size = 600 + w.rng.IntN(30_000)
	}
	channel := string(rune('a' + w.rng.IntN(3)))
	index := e.next[channel]
	e.next[channel]++
	e.lane.Send(e.peer, conn.Message{Channel: channel, Priority: uint32(w.rng.IntN(3)), Payload: content(e.epoch, index, size)})
	return true
}

func (w *world) release(i int) {
	e := w.ends[i]
	for _, size := range e.pending {
		e.lane.Release(w.now, e.peer, size)
	}
	e.pending = e.pending[:0]
	w.flush(i)
}

// queueFor queues messages at an end for an address.
func (w *world) queueFor(i int, to netip.AddrPort, n int) {
	for k := range n {
		w.ends[i].lane.Send(to, conn.Message{Channel: "x", Payload: content(0, uint32(k), 100)})
	}
}

// step goes to what happens next, at most until a time. It returns false if that is reached.
func (w *world) step(until conn.Time) bool {
	at := until
	for _, e := range w.ends {
		at = min(at, e.lane.Wake())
	}
	if len(w.wire) > 0 {
		at = min(at, w.wire[0].at)
	}
	w.now = max(w.now, at)
	if w.now >= until {
		return false
	}
	if len(w.wire) > 0 && w.wire[0].at <= w.now {
		p := heap.Pop(&w.wire).(packet)
		w.ends[p.to].lane.Datagram(w.now, w.source[1-p.to], p.data)
		w.flush(p.to)
		return true
	}
	for i, e := range w.ends {
		if e.lane.Wake() <= w.now {
			e.lane.Tick(w.now)
			w.flush(i)
		}
	}
	return true
}

// run lets time pass, and releases what was received now and then.
func (w *world) run(d time.Duration) {
	until := w.now + d
	for w.step(until) {
		if i := w.rng.IntN(40); i < 2 {
			w.release(i)
		}
	}
	w.release(0)
	w.release(1)
}

// TestSimulation sends through networks of all kinds. Nothing is lost, altered, repeated or out of order within a
// session, and the sessions last, whatever the network does as long as it lets something through.
func TestSimulation(t *testing.T) {
	for _, net := range []struct {
		name         string
		loss, repeat float64
		delay        time.Duration
		seeds        int
	}{
		{"perfect", 0, 0, 0, 1},
		{"reordering", 0, 0, 40 * time.Millisecond, 2},
		{"repeating", 0, 0.5, 20 * time.Millisecond, 2},
		{"lossy", 0.05, 0.01, 30 * time.Millisecond, 4},
		{"terrible", 0.25, 0.2, 150 * time.Millisecond, 2},
	} {
		t.Run(net.name, func(t *testing.T) {
			for seed := range few(net.seeds) {
				cfg := testConfig()
				if seed%2 == 1 {
					cfg.Conn.ReceiveQueue = 100_000 // so that it fills
				}
				w := newWorld(t, uint64(seed), cfg)
				w.loss, w.repeat, w.delay = net.loss, net.repeat, net.delay
				w.run(20 * time.Second) // the last CONN_OK may need several attempts
				var sent [2]int
				for range 30 {
					for i := range w.ends {
						for range 1 + w.rng.IntN(40) {
							if w.send(i) {
								sent[i]++
							}
						}
						w.flush(i)
					}
					w.run(time.Duration(w.rng.IntN(300)) * time.Millisecond)
				}
				for range 600 {
					if w.ends[0].received == sent[1] && w.ends[1].received == sent[0] {
						break
					}
					w.run(time.Second)
				}
				if w.ends[0].received != sent[1] || w.ends[1].received != sent[0] || sent[0] < 300 {
					t.Fatalf("seed %d: received %d of %d and %d of %d; sessions ended with %q, %q", seed, w.ends[0].received, sent[1],
						w.ends[1].received, sent[0], w.ends[0].reasons, w.ends[1].reasons)
				}
			}
		})
	}
}

// TestWindowAtItsLimit lets the window open fully while old copies of datagrams come late. A window of more than 127
// numbers, or one that takes an old number for a new one, fails here.
func TestWindowAtItsLimit(t *testing.T) {
	for seed := range uint64(few(3)) {
		w := newWorld(t, seed, testConfig())
		w.run(time.Second)
		w.repeat, w.late = 0.3, 12*time.Millisecond
		e := w.ends[0]
		n := few(8000)
		for range n { // each fills a datagram
			e.lane.Send(addrs[1], conn.Message{Channel: "a", Payload: content(e.epoch, e.next["a"], 560)})
			e.next["a"]++
		}
		w.flush(0)
		flying := 0
		for until := w.now + 5*time.Second; w.ends[1].received < n && w.step(until); {
			in := 0
			for _, p := range w.wire {
				if p.to == 1 {
					in++
				}
			}
			flying = max(flying, in)
			w.release(1)
		}
		if w.ends[1].received != n || !e.up || flying < 100 {
			t.Fatalf("seed %d: received %d of %d, at most %d in flight; %q", seed, w.ends[1].received, n, flying, e.reasons)
		}
	}
}

// TestSimulationRestarts kills ends and cuts the network again and again. Order and content hold, and in the end both
// are connected and what is then sent arrives.
func TestSimulationRestarts(t *testing.T) {
	for seed := range uint64(few(4)) {
		cfg := testConfig()
		w := newWorld(t, seed, cfg)
		w.loss, w.repeat, w.delay = 0.05, 0.05, 60*time.Millisecond
		for range 40 {
			for i := range w.ends {
				for range w.rng.IntN(30) {
					w.send(i)
				}
				w.flush(i)
			}
			switch w.rng.IntN(6) {
			case 0:
				w.boot(w.rng.IntN(2), cfg)
			case 1:
				w.down = true
				w.run(time.Duration(w.rng.IntN(15)) * time.Second)
				w.down = false
			case 2:
				i := w.rng.IntN(2)
				w.ends[i].lane.Break(w.now, addrs[1-i], w.ends[i].session, "test", 0)
				w.flush(i)
			}
			w.run(time.Duration(w.rng.IntN(2000)) * time.Millisecond)
		}
		w.run(60 * time.Second)
		if !w.ends[0].up || !w.ends[1].up {
			t.Fatalf("seed %d: not connected after the faults have ended: %q, %q", seed, w.ends[0].reasons, w.ends[1].reasons)
		}
		before := [2]int{w.ends[0].received, w.ends[1].received}
		for i := range w.ends {
			for range 100 {
				w.send(i)
			}
			w.flush(i)
		}
		w.run(60 * time.Second)
		for i, e := range w.ends {
			if e.received-before[i] < 100 {
				t.Fatalf("seed %d: end %d has received %d of 100 messages after the faults; %q", seed, i, e.received-before[i], e.reasons)
			}
		}
	}
}

// TestConnectTimes checks the paper's timers: CONNECT once a second, three times, then "no connection".
func TestConnectTimes(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.down = true
	l := w.lane(0, testConfig())
	l.Dial(0, addrs[1], Member{})
	var calls []time.Duration
	unreachable := conn.Time(-1)
	for now := conn.Time(0); now < 3500*time.Millisecond; now += 10 * time.Millisecond {
		l.Tick(now)
		out := l.Flush(now)
		for range out.Datagrams {
			calls = append(calls, now)
		}
		for _, e := range out.Events {
			if e.Kind == conn.Unreachable {
				unreachable = now
			}
		}
		out.Reset()
	}
	if len(calls) < 3 || calls[0] != 0 || calls[1] != time.Second || calls[2] != 2*time.Second {
		t.Fatalf("CONNECT at %v", calls)
	}
	if unreachable != 3*time.Second {
		t.Fatalf("no connection is reported at %s", unreachable)
	}
}

// TestSilence checks that a JUMP goes out every second, keeps a session, and that ten seconds without end it.
func TestSilence(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.run(time.Second)
	if !w.ends[0].up || !w.ends[1].up {
		t.Fatal("no session")
	}
	before := w.packets
	w.run(20 * time.Second)
	if n := w.packets - before; n < 38 || n > 42 {
		t.Fatalf("%d datagrams in 20 idle seconds of two ends, want a JUMP a second of each", n)
	}
	w.down = true
	w.run(8900 * time.Millisecond)
	if !w.ends[0].up || !w.ends[1].up {
		t.Fatalf("the session ended early: %q", w.ends[0].reasons)
	}
	w.run(1200 * time.Millisecond)
	if w.ends[0].up || w.ends[1].up {
		t.Fatal("ten silent seconds do not end the session")
	}
}

// TestRetransmissionLimit checks that a session in which nothing is confirmed ends.
func TestRetransmissionLimit(t *testing.T) {
	cfg := testConfig()
	cfg.Conn.Silence, cfg.Conn.RetransmitLimit = time.Hour, 4
	w := newWorld(t, 1, cfg)
	w.run(time.Second)
	w.down = true
	w.send(0)
	w.flush(0)
	w.run(30 * time.Second)
	if w.ends[0].up || len(w.ends[0].reasons) != 1 || w.ends[0].reasons[0] != "no confirmation after 4 retransmissions" {
		t.Fatalf("up %t, %q", w.ends[0].up, w.ends[0].reasons)
	}
}

// TestSlowReceiverHoldsTheSenderBack checks that what is not released is bounded, and that all arrives in the end.
func TestSlowReceiverHoldsTheSenderBack(t *testing.T) {
	cfg := testConfig()
	cfg.Conn.ReceiveQueue = 50_000
	w := newWorld(t, 1, cfg)
	w.run(time.Second)
	const n = 2000
	for range n {
		w.ends[0].lane.Send(addrs[1], conn.Message{Channel: "a", Payload: content(w.ends[0].epoch, w.ends[0].next["a"], 100)})
		w.ends[0].next["a"]++
	}
	w.flush(0)
	for until := w.now + 30*time.Second; w.step(until); {
		held := 0
		for _, s := range w.ends[1].pending {
			held += s
		}
		if held > cfg.Conn.ReceiveQueue+3000 { // a datagram of small messages is taken whole
			t.Fatalf("%d bytes delivered and not released", held)
		}
	}
	if w.ends[1].received >= n || !w.ends[0].up {
		t.Fatalf("received %d, up %t", w.ends[1].received, w.ends[0].up)
	}
	for range 200 {
		w.run(100 * time.Millisecond)
	}
	if w.ends[1].received != n {
		t.Fatalf("received %d of %d", w.ends[1].received, n)
	}
}
