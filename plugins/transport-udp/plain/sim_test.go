package plain

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the simulations with this seed only")
	timesFlag = flag.Uint64("times", 1, "run so many times as many seeds")
)

// seeds calls f for seeds from 1 to n, or for the one that was asked for. A failure prints its seed as the name of the test.
func seeds(t *testing.T, n uint64, f func(t *testing.T, seed uint64)) {
	first, last := uint64(1), n**timesFlag
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { f(t, seed) })
	}
}

// world is two connections, a network that loses, repeats and delays, and a clock. It keeps the promise that numbers of eight
// bits need: nothing is delayed by a whole window, see the package's documentation.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	now     Time
	seq     int
	wire    packets
	ends    [2]*end
	loss    float64
	repeat  float64
	delay   time.Duration // at most; datagrams overtake each other
	broken  bool          // the promise is not kept
	tooLate int           // datagrams that were lost for the sake of the promise
}

type packet struct {
	at   Time
	seq  int
	to   int
	abs  int // number of the message, or of the message that is confirmed, without its wrapping around; -1: it has none
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

type end struct {
	out      Output
	conn     *Conn
	sent     int // number of the last message that wants confirmation, not wrapped
	expected int // number that is expected, not wrapped
	was      uint8
	existed  bool
	ups      int
	downs    []Event
	next     uint32 // message to be sent next
	got      uint32 // messages received
	files    Intake
	file     []byte
	whole    [][]byte
}

func newWorld(t *testing.T, seed uint64, cfg Config) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 11))}
	for i := range w.ends {
		e := &end{files: Intake{Limit: 1 << 20}}
		cfg.Port = uint16(1000 + i)
		e.conn = New(cfg, ends["A"], &e.out)
		w.ends[i] = e
	}
	return w
}

// flush puts what an end sends on the wire and looks at what is reported to it.
func (w *world) flush(i int) {
	e := w.ends[i]
	c := e.conn
	if c.exists && !e.existed {
		e.expected, e.was, e.sent = int(c.rcv.expected), c.rcv.expected, 0
	}
	e.existed = c.exists
	if c.exists {
		e.expected += int(c.rcv.expected - e.was)
		e.was = c.rcv.expected
		if span := c.snd.span; span > c.cfg.Window {
			w.t.Fatalf("end %d has %d messages in flight", i, span)
		}
		if len(c.rcv.early) >= MaxWindow {
			w.t.Fatalf("end %d holds %d early messages", i, len(c.rcv.early))
		}
	}
	out := e.out
	e.out = Output{}
	for _, d := range out.Datagrams {
		h, _, err := wire.Parse(d.Data)
		if err != nil {
			w.t.Fatalf("end %d sends %x: %v", i, d.Data, err)
		}
		abs := -1
		switch {
		case h.Confirm == wire.Wanted:
			e.sent++
			if abs = e.sent; h.Seq != uint8(abs) {
				w.t.Fatalf("end %d sends %s, its message %d", i, Describe(d.Data), abs)
			}
		case h.Confirm == wire.Retransmits:
			abs = e.sent - int(uint8(e.sent)-h.Seq)
		case h.ID.IsConfirmation():
			other := w.ends[1-i]
			abs = other.sent - int(uint8(other.sent)-h.Seq)
		}
		w.transmit(packet{to: 1 - i, abs: abs, data: d.Data})
	}
	for _, ev := range out.Events {
		switch ev.Kind {
		case Up:
			e.ups++
		case Down:
			e.downs = append(e.downs, ev)
		case Received:
			w.received(i, ev)
		}
	}
}

func (w *world) received(i int, ev Event) {
	e := w.ends[i]
	if ev.ID == wire.Start {
		if n := binary.BigEndian.Uint32(ev.Body); n != e.got {
			w.t.Fatalf("end %d: message %d comes in place of %d", i, n, e.got)
		}
		e.got++
		return
	}
	part, err := e.files.Message(ev.ID, ev.Body)
	if err != nil {
		w.t.Fatalf("end %d: %v", i, err)
	}
	switch part.Kind {
	case Begin:
		e.file = nil
	case Piece:
		e.file = append(e.file, part.Data...)
	case End:
		e.whole = append(e.whole, e.file)
	}
}

func (w *world) transmit(p packet) {
	copies := 1
	if w.rng.Float64() < w.repeat {
		copies = 2
	}
	for range copies {
		if w.rng.Float64() < w.loss {
			continue
		}
		w.seq++
		p.seq, p.at = w.seq, w.now+time.Millisecond
		if w.delay > 0 {
			p.at += time.Duration(w.rng.Int64N(int64(w.delay)))
		}
		heap.Push(&w.wire, p)
	}
}

// promised tells whether numbers of eight bits allow a datagram to arrive now.
func (w *world) promised(p packet) bool {
	if p.abs < 0 || w.broken || !w.ends[p.to].existed {
		return true
	}
	if p.data[2] == wire.NotWanted { // a confirmation: at most 255 later messages have been sent
		return w.ends[p.to].sent-p.abs < 256
	}
	return w.ends[p.to].expected-p.abs <= 129 // at most 129 later ones have been taken
}

// run lets time pass until a condition holds, or for so long.
func (w *world) run(d time.Duration, until func() bool) bool {
	stop := w.now + d
	for {
		if until != nil && until() {
			return true
		}
		next := stop
		for _, e := range w.ends {
			next = min(next, e.conn.Wake())
		}
		if len(w.wire) > 0 {
			next = min(next, w.wire[0].at)
		}
		w.now = max(w.now, next)
		if w.now >= stop {
			return until == nil
		}
		if len(w.wire) > 0 && w.wire[0].at <= w.now {
			p := heap.Pop(&w.wire).(packet)
			if !w.promised(p) {
				w.tooLate++
				continue
			}
			w.ends[p.to].conn.Datagram(w.now, p.data)
			w.flush(p.to)
			continue
		}
		for i, e := range w.ends {
			if e.conn.Wake() <= w.now {
				e.conn.Tick(w.now)
				w.flush(i)
			}
		}
	}
}

// connect calls from one end or from both.
func (w *world) connect(both bool) {
	w.ends[0].conn.Dial(w.now)
	w.flush(0)
	if both {
		w.ends[1].conn.Dial(w.now)
		w.flush(1)
	}
	if !w.run(time.Minute, func() bool { return w.ends[0].conn.Up() && w.ends[1].conn.Up() }) {
		w.t.Fatalf("no connection after a minute: %+v %+v", w.ends[0].downs, w.ends[1].downs)
	}
}

// pour sends numbered messages from an end as far as its window has room, up to n.
func (w *world) pour(i int, n uint32) {
	e := w.ends[i]
	for e.next < n && e.conn.Room() > 0 {
		if !e.conn.Send(w.now, wire.Start, binary.BigEndian.AppendUint32(nil, e.next)) {
			w.t.Fatalf("end %d has room and does not send", i)
		}
		e.next++
	}
	w.flush(i)
}

// patient are settings with which bad luck does not end a connection.
func patient() Config {
	c := Defaults()
	c.Retransmit, c.RetransmitLimit, c.KeepCalling, c.Silence = 50*time.Millisecond, 1000, true, time.Minute
	return c
}

// TestExactlyOnceInOrder: whatever the network does short of a whole window's delay, each message arrives once and in order,
// in both directions, for each window, over several cycles of the numbers.
func TestExactlyOnceInOrder(t *testing.T) {
	late := 0
	seeds(t, 120, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		cfg := patient()
		cfg.Window = []int{1, 2, 16, 126, MaxWindow, MaxWindow}[r.IntN(6)]
		w := newWorld(t, seed, cfg)
		w.loss, w.repeat = 0.3*r.Float64(), 0.3*r.Float64()
		w.delay = time.Duration(r.Int64N(int64(300 * time.Millisecond)))
		n := uint32(600)
		if cfg.Window < 16 {
			n = 300
		}
		w.connect(r.IntN(2) == 0)
		ok := w.run(20*time.Minute, func() bool {
			w.pour(0, n)
			w.pour(1, n)
			return w.ends[0].got == n && w.ends[1].got == n
		})
		if !ok || len(w.ends[0].downs)+len(w.ends[1].downs) > 0 {
			t.Fatalf("%d and %d of %d messages arrived; ended: %+v %+v", w.ends[0].got, w.ends[1].got, n, w.ends[0].downs, w.ends[1].downs)
		}
		late += w.tooLate
	})
	t.Logf("%d datagrams were lost because they came a whole window late", late)
}

// TestWindowAtItsLimit holds 127 messages in flight and delivers them, their copies and their confirmations in any order, and
// copies as late as the numbers allow to the very last: 129 messages later.
func TestWindowAtItsLimit(t *testing.T) {
	var latest, furthest int
	seeds(t, 30, func(t *testing.T, seed uint64) {
		cfg := patient()
		w := newWorld(t, seed, cfg)
		w.connect(false)
		a, b := w.ends[0], w.ends[1]
		var old []packet // copies of all that was sent
		for a.next < 2000 {
			w.pour(0, min(2000, a.next+uint32(1+w.rng.IntN(2*MaxWindow)))) // the whole window at every other time
			old = append(old, w.wire...)
			w.rng.Shuffle(len(w.wire), func(i, j int) { w.wire[i], w.wire[j] = w.wire[j], w.wire[i] })
			if last := slices.IndexFunc(w.wire, func(p packet) bool { return p.abs == a.sent }); w.rng.IntN(2) == 0 {
				w.wire[0], w.wire[last] = w.wire[last], w.wire[0]
			}
			back := []packet{}
			for _, p := range w.wire {
				if p.to == 0 {
					back = append(back, p)
					continue
				}
				furthest = max(furthest, p.abs-b.expected)
				b.conn.Datagram(w.now, p.data)
				w.wire = nil
				w.flush(1)
				back = append(back, w.wire...)
			}
			w.rng.Shuffle(len(back), func(i, j int) { back[i], back[j] = back[j], back[i] })
			w.wire = nil
			for _, p := range back {
				a.conn.Datagram(w.now, p.data)
			}
			w.flush(0)
			for _, p := range old { // old copies now, each again and again until it is too old
				if p.to != 1 || p.abs < 0 || b.expected-p.abs > 129 {
					continue
				}
				if !b.existed {
					t.Fatalf("ended: %+v", b.downs)
				}
				latest = max(latest, b.expected-p.abs)
				b.conn.Datagram(w.now, p.data)
				b.conn.rcv.mismatch = 0 // so old copies three in a row are another matter
				w.wire = nil
				w.flush(1)
			}
			w.wire = nil
			if len(old) > 600 {
				old = old[len(old)-600:]
			}
		}
		if b.got != 2000 || len(b.downs) > 0 {
			t.Fatalf("%d messages arrived; %+v", b.got, b.downs)
		}
	})
	if latest != 129 || furthest != MaxWindow-1 {
		t.Errorf("the oldest copy was %d messages late, want 129; the earliest message %d ahead, want %d", latest, furthest, MaxWindow-1)
	}
}

// TestWhatItCannotProtectFrom: one message later than that, an old copy is taken for a new message, and a confirmation 256
// messages later confirms what was never received. The documentation says so.
func TestWhatItCannotProtectFrom(t *testing.T) {
	w := newWorld(t, 1, patient())
	w.broken = true
	w.connect(false)
	a, b := w.ends[0], w.ends[1]
	a.conn.Send(w.now, wire.Start, binary.BigEndian.AppendUint32(nil, 0))
	old := a.out.Datagrams[0].Data
	a.next = 1
	w.flush(0)
	if !w.run(time.Minute, func() bool { w.pour(0, 129); return b.got == 129 }) {
		t.Fatal("the messages do not arrive")
	}
	b.conn.Datagram(w.now, old)
	if n := len(b.out.Events) + len(b.conn.rcv.early); n != 0 {
		t.Fatalf("128 later, an old copy is taken for a new message (%d)", n)
	}
	w.flush(1)
	if !w.run(time.Minute, func() bool { w.pour(0, 130); return b.got == 130 }) {
		t.Fatal("the messages do not arrive")
	}
	b.conn.Datagram(w.now, old)
	if len(b.conn.rcv.early) != 1 {
		t.Fatal("130 later, an old copy is recognised: the documentation is wrong")
	}
	w.run(time.Minute, func() bool { return a.conn.Unconfirmed() == 0 })
	a.conn.Send(w.now, wire.Start, nil)
	a.conn.Datagram(w.now, wire.Header{ID: wire.StartOK, Seq: a.conn.snd.last}.Append(nil, false)) // could be 256 messages old
	if a.conn.Unconfirmed() != 0 {
		t.Fatal("a confirmation of another cycle is recognised: the documentation is wrong")
	}
}

// TestReset ends the connection again and again, in every way; the numbers of both ends begin anew each time. The network
// delivers nothing of an earlier connection, which no field would tell apart.
func TestReset(t *testing.T) {
	seeds(t, 30, func(t *testing.T, seed uint64) {
		cfg := patient()
		cfg.KeepCalling, cfg.ConnectTries = false, 20 // of three, all get lost once in a thousand times
		w := newWorld(t, seed, cfg)
		w.loss, w.delay = 0.1, 20*time.Millisecond
		for life := range 20 {
			for _, e := range w.ends {
				e.next, e.got = 0, 0
			}
			w.connect(false)
			n := uint32(w.rng.IntN(400))
			if !w.run(time.Hour, func() bool {
				w.pour(0, n)
				w.pour(1, n)
				return w.ends[0].got == n && w.ends[1].got == n
			}) {
				t.Fatalf("life %d: %d and %d of %d", life, w.ends[0].got, w.ends[1].got, n)
			}
			by := w.rng.IntN(2)
			w.ends[by].conn.Hangup(w.now, wire.DisConnect, "enough")
			w.flush(by)
			if !w.run(time.Minute, func() bool { return w.ends[0].conn.Idle() && w.ends[1].conn.Idle() }) {
				t.Fatalf("life %d does not end", life)
			}
			w.wire = nil
			for i, e := range w.ends {
				if len(e.downs) != life+1 || e.ups != life+1 || e.downs[life].ByPeer != (i != by) || e.downs[life].Code != wire.DisConnect {
					t.Fatalf("life %d, end %d: %d times up, ended %+v", life, i, e.ups, e.downs)
				}
			}
		}
	})
}

// TestFileUnderLoss sends a file with 20 % of the datagrams of each direction lost. It arrives whole, or both ends are told
// why not.
func TestFileUnderLoss(t *testing.T) {
	whole := 0
	seeds(t, 60, func(t *testing.T, seed uint64) {
		cfg := Defaults()
		cfg.DeferOver = true
		w := newWorld(t, seed, cfg)
		w.loss, w.delay, w.repeat = 0.2, 30*time.Millisecond, 0.05
		w.ends[0].conn.Dial(0)
		w.flush(0)
		file := make([]byte, 200_000+w.rng.IntN(1000))
		for i := range file {
			file[i] = byte(w.rng.Uint32())
		}
		a, b := w.ends[0], w.ends[1]
		stage, off := 0, 0
		done := w.run(10*time.Minute, func() bool {
			for a.conn.Room() > 0 && stage < 3 {
				switch stage {
				case 0:
					a.conn.Send(w.now, wire.FileName, []byte("file"))
					stage = 1
				case 1:
					n := min(1000, len(file)-off)
					a.conn.Send(w.now, wire.Data, file[off:off+n])
					if off += n; off == len(file) {
						stage = 2
					}
				case 2:
					a.conn.Send(w.now, wire.DataOver, nil)
					stage = 3
				}
			}
			w.flush(0)
			if len(b.whole) > 0 {
				b.conn.Accept(w.now)
				w.flush(1)
			}
			return stage == 3 && a.conn.Up() && a.conn.Unconfirmed() == 0 || len(a.downs) > 0 || !a.conn.Dialled()
		})
		switch {
		case !done:
			t.Fatalf("neither an end nor an error after ten minutes; stage %d", stage)
		case a.conn.Up():
			if len(b.whole) != 1 || !bytes.Equal(b.whole[0], file) {
				t.Fatal("the sender believes that the file has arrived, which is not so")
			}
			whole++
		case len(a.downs) == 1 && a.downs[0].Reason == "":
			t.Fatal("no reason is given")
		}
	})
	if *seedFlag == 0 && *timesFlag == 1 && whole < 50 {
		t.Errorf("only %d of 60 files arrived", whole)
	}
}
