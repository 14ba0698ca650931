package transportudp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
)

const (
	// readBatch and writeBatch are how many datagrams one system call moves at most.
	readBatch  = 32
	writeBatch = 32
	// socketBuffer is what is asked of the kernel for each direction, in bytes. It may grant less.
	socketBuffer = 4 << 20
)

// loop drives one lane: it reads the socket, keeps the time and writes what comes out.
type loop struct {
	sock   *net.UDPConn
	batch  *ipv4.PacketConn // works for both families where no header of IPv4 is touched
	start  time.Time
	handle func(*conn.Output) // called with the lane locked, so in order; must not call the loop
	after  func()             // called unlocked after each change

	mu      sync.Mutex
	lane    *lane.Lane
	pending []conn.Datagram // to be written, in order
	spare   []conn.Datagram
	writing bool // someone is writing and will take what is pending
	armed   conn.Time

	kick chan struct{} // the timer has to be set earlier
	done chan struct{}
	wait sync.WaitGroup

	// Of whoever is writing.
	messages []ipv4.Message
	addrs    map[netip.AddrPort]*net.UDPAddr
}

func newLoop(sock *net.UDPConn, l *lane.Lane, largest int, handle func(*conn.Output), after func()) *loop {
	p := &loop{sock: sock, batch: ipv4.NewPacketConn(sock), start: time.Now(), handle: handle, after: after, lane: l,
		kick: make(chan struct{}, 1), done: make(chan struct{}), messages: make([]ipv4.Message, writeBatch), addrs: map[netip.AddrPort]*net.UDPAddr{}}
	for i := range p.messages {
		p.messages[i].Buffers = make([][]byte, 0, 2)
	}
	p.wait.Add(2)
	go p.read(largest)
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
	}
	p.writing = false
	p.mu.Unlock()
}

// write writes datagrams. One that the system refuses is lost, as any may be on the way.
func (p *loop) write(batch []conn.Datagram) {
	for len(batch) > 0 {
		n := min(len(batch), writeBatch)
		for i := range n {
			d, m := &batch[i], &p.messages[i]
			m.Addr = p.addr(d.To)
			m.Buffers = append(m.Buffers[:0], d.Head[:d.HeadLen])
			if len(d.Body) > 0 {
				m.Buffers = append(m.Buffers, d.Body)
			}
		}
		for rest := p.messages[:n]; len(rest) > 0; {
			k, err := p.batch.WriteBatch(rest, 0)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || k < 1 {
				k = 1
			}
			rest = rest[min(k, len(rest)):]
		}
		for i := range n {
			clear(p.messages[i].Buffers)
		}
		batch = batch[n:]
	}
}

// addr returns the form of an address that the system call wants.
func (p *loop) addr(a netip.AddrPort) *net.UDPAddr {
	u := p.addrs[a]
	if u == nil {
		if len(p.addrs) >= 4096 { // strangers come and go
			clear(p.addrs)
		}
		u = net.UDPAddrFromAddrPort(a)
		p.addrs[a] = u
	}
	return u
}

// read brings datagrams to the lane until the socket is closed.
func (p *loop) read(largest int) {
	defer p.wait.Done()
	messages := make([]ipv4.Message, readBatch)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, largest+1)}
	}
	for {
		n, err := p.batch.ReadBatch(messages, 0)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // an error of a single datagram, such as a refusal by the other end's system
			case <-p.done:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		p.mu.Lock()
		now := p.now()
		for i := range n {
			m := &messages[i]
			from, ok := m.Addr.(*net.UDPAddr)
			if !ok || m.N > largest { // longer than any that this end has agreed to
				continue
			}
			a := from.AddrPort()
			p.lane.Datagram(now, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), m.Buffers[0][:m.N])
		}
		p.finish()
		p.after()
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
	_ = p.sock.Close() // nothing of what is still to be written matters
	p.wait.Wait()
}
