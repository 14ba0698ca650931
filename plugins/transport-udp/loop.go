package transportudp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/udpio"
)

const (
	// takeAtOnce is how many datagrams the lane is given before what follows from them is sent and others have their turn
	// with the lane. One read may bring many more.
	takeAtOnce = 64
	// takeBytes is how long these are together, but for the last: what a processor does in a fraction of a millisecond.
	takeBytes = 128 << 10
	// writeBatch is how many datagrams are written in one go.
	writeBatch = 256
	// readPause is how long reading rests after an error of the socket that is none of a single datagram.
	readPause = time.Millisecond
)

// loop drives one lane: it reads the socket, keeps the time and writes what comes out.
type loop struct {
	sock   *net.UDPConn
	io     packets // of sock
	start  time.Time
	handle func(*conn.Output) // called with the lane locked, so in order; must not call the loop
	after  func()             // called unlocked after each change
	yields bool               // lets others have the processor after some work

	mu      sync.Mutex
	lane    *lane.Lane
	pending []conn.Datagram // to be written, in order
	spare   []conn.Datagram
	writing bool // someone is writing and will take what is pending
	armed   conn.Time

	kick chan struct{} // the timer has to be set earlier
	done chan struct{}
	wait sync.WaitGroup

	outgoing []udpio.Datagram // of whoever is writing, as is
	refused  []tooLong        // what it was refused
}

// tooLong is a datagram that the system did not take because of its size in bytes.
type tooLong struct {
	to   netip.AddrPort
	size int
}

// packets reads and writes datagrams, as a udpio.Socket does.
type packets interface {
	Read() ([]udpio.Packet, error)
	Write([]udpio.Datagram) (refused int, err error)
	Close() error
}

// newLoop drives a lane through a socket, which it takes over.
func newLoop(io packets, sock *net.UDPConn, l *lane.Lane, start time.Time, handle func(*conn.Output), after func(), yields bool) *loop {
	p := &loop{sock: sock, io: io, start: start, handle: handle, after: after, lane: l, yields: yields,
		kick: make(chan struct{}, 1), done: make(chan struct{})}
	p.wait.Add(2)
	go p.read()
	go p.keepTime()
	return p
}

func (p *loop) now() conn.Time { return time.Since(p.start) }

// do changes the lane and carries out what follows from it.
func (p *loop) do(f func(now conn.Time, l *lane.Lane)) {
	p.mu.Lock()
	f(p.now(), p.lane)
	p.finish()
	p.after()
}

// finish takes the lane's output. It is called with the lock held and releases it. Datagrams are written by one caller at
// a time, without the lock: who comes meanwhile leaves its own to that one, so that order is kept and nobody waits.
func (p *loop) finish() {
	p.take()
	if p.writing || len(p.pending) == 0 {
		p.mu.Unlock()
		return
	}
	p.writing = true
	for len(p.pending) > 0 {
		batch := p.pending
		p.pending = p.spare[:0]
		p.mu.Unlock()
		p.write(batch)
		clear(batch)
		p.mu.Lock()
		p.spare = batch[:0]
		if len(p.refused) > 0 { // what follows from it is sent as well
			for _, r := range p.refused {
				p.lane.TooLong(p.now(), r.to, r.size)
			}
			p.refused = p.refused[:0]
			p.take()
		}
	}
	p.writing = false
	p.mu.Unlock()
}

// take handles the lane's output, but for the datagrams, which it adds to those that wait. The lock is held.
func (p *loop) take() {
	out := p.lane.Flush(p.now())
	if len(out.Events)+len(out.Delivered) > 0 {
		p.handle(out)
	}
	p.pending = append(p.pending, out.Datagrams...)
	out.Reset()
	if p.lane.Wake() < p.armed {
		p.armed = p.lane.Wake()
		select {
		case p.kick <- struct{}{}:
		default:
		}
	}
}

// write writes datagrams and gives their memory back. One that the system refuses is lost, as any may be on the way. Those
// that are too long for the first device, or for what the system knows of the path, are noted: the lane need not wait for an
// answer to them.
func (p *loop) write(batch []conn.Datagram) {
	for len(batch) > 0 {
		n := min(len(batch), writeBatch)
		for i := range n {
			p.outgoing = append(p.outgoing, outgoing(&batch[i]))
		}
		refused, err := p.io.Write(p.outgoing)
		for i := 0; i < n && refused > 0 && err == nil; i++ {
			if errors.Is(p.outgoing[i].Err, udpio.ErrTooLong) {
				p.refused = append(p.refused, tooLong{batch[i].To, len(batch[i].Data)})
			}
		}
		clear(p.outgoing)
		p.outgoing = p.outgoing[:0]
		for i := range n {
			batch[i].Free()
		}
		if err != nil { // closed
			return
		}
		batch = batch[n:]
	}
}

// outgoing is a datagram as the socket takes it. It refers to what d holds.
func outgoing(d *conn.Datagram) udpio.Datagram { return udpio.Datagram{To: d.To, Body: d.Data} }

// read brings datagrams to the lane until the socket is closed.
func (p *loop) read() {
	defer p.wait.Done()
	held := 0 // bytes since others were let have the processor
	for {
		packets, err := p.io.Read()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-p.done:
				return
			case <-time.After(readPause):
			}
			continue
		}
		for len(packets) > 0 {
			n, size := 0, 0
			for n < min(len(packets), takeAtOnce) && size < takeBytes {
				size += len(packets[n].Data)
				n++
			}
			p.mu.Lock()
			now := p.now()
			for i := range packets[:n] {
				p.lane.Datagram(now, packets[i].From, packets[i].Data)
			}
			p.finish()
			p.after()
			packets = packets[n:]
			if held += size; p.yields && held >= takeBytes { // the runtime takes it away after 10 ms only
				held = 0
				runtime.Gosched()
			}
		}
	}
}

// keepTime calls the lane when a timer is due.
func (p *loop) keepTime() {
	defer p.wait.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.mu.Lock()
		p.armed = p.lane.Wake()
		wait := min(max(p.armed-p.now(), 0), time.Hour)
		p.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-p.done:
			return
		case <-p.kick:
		case <-timer.C:
			p.do(func(now conn.Time, l *lane.Lane) { l.Tick(now) })
		}
	}
}

// close ends the goroutines and closes the socket.
func (p *loop) close() {
	close(p.done)
	_ = p.io.Close() // nothing of what is still to be written matters
	p.wait.Wait()
}
