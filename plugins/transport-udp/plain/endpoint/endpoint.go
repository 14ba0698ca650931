package endpoint

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// socketBuffer is what is asked of the kernel for each direction, in bytes. It may grant less.
const socketBuffer = 4 << 20

// Options are what an endpoint is opened with.
type Options struct {
	Hub plain.HubConfig // its port is set by Listen
	// Largest is the largest datagram that is taken, in bytes; 0 is the largest that UDP has.
	Largest int
	// Handle is called for each event, Pump after each change, both with the endpoint locked, in order. They may call the
	// hub, not the endpoint. After is called unlocked after each change.
	Handle func(now plain.Time, h *plain.Hub, e plain.Event)
	Pump   func(now plain.Time, h *plain.Hub)
	After  func()
	// Trace is called for each datagram, sent or received, from several goroutines; one of the addresses is zero: this end.
	Trace func(at plain.Time, from, to netip.AddrPort, b []byte)
}

// Endpoint is a socket with its connections.
type Endpoint struct {
	opt   Options
	sock  *net.UDPConn
	start time.Time

	mu      sync.Mutex
	hub     *plain.Hub
	pending []plain.Datagram // to be written, in order
	writing bool             // someone is writing and will take what is pending
	armed   plain.Time

	kick chan struct{}
	done chan struct{}
	once sync.Once
	wait sync.WaitGroup
}

// Listen opens a socket. There is no SO_REUSEADDR: two processes that share a port take each other's datagrams.
func Listen(ctx context.Context, address string, opt Options) (*Endpoint, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	sock := pc.(*net.UDPConn)
	_ = sock.SetReadBuffer(socketBuffer) // the kernel grants what it allows
	_ = sock.SetWriteBuffer(socketBuffer)
	if opt.Largest == 0 {
		opt.Largest = wire.MaxDatagram
	}
	opt.Hub.Conn.Port = uint16(sock.LocalAddr().(*net.UDPAddr).Port)
	e := &Endpoint{opt: opt, sock: sock, start: time.Now(), hub: plain.NewHub(opt.Hub), kick: make(chan struct{}, 1), done: make(chan struct{})}
	e.wait.Go(e.read)
	e.wait.Go(e.keepTime)
	return e, nil
}

// Text is the address as the system writes it, which keeps the family of the socket.
func (e *Endpoint) Text() string { return e.sock.LocalAddr().String() }

// Address is where the endpoint listens.
func (e *Endpoint) Address() netip.AddrPort {
	return unmap(e.sock.LocalAddr().(*net.UDPAddr).AddrPort())
}

// Buffer is the receive buffer that the kernel has granted, in bytes; it counts a datagram for up to twice its length. 0 if
// it is not known.
func (e *Endpoint) Buffer() int {
	size := 0
	if raw, err := e.sock.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { size, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF) })
	}
	return size
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (e *Endpoint) now() plain.Time { return time.Since(e.start) }

// Do changes the hub and carries out what follows.
func (e *Endpoint) Do(f func(now plain.Time, h *plain.Hub)) {
	e.mu.Lock()
	f(e.now(), e.hub)
	e.finish()
}

// finish is called with the lock held and releases it. Datagrams are written by one caller at a time without the lock: who
// comes meanwhile leaves its own to that one, so order is kept and nobody waits.
func (e *Endpoint) finish() {
	out := e.hub.Output()
	for {
		events := out.Events
		out.Events = nil
		if e.opt.Handle != nil {
			for _, ev := range events {
				e.opt.Handle(e.now(), e.hub, ev)
			}
		}
		if e.opt.Pump != nil {
			e.opt.Pump(e.now(), e.hub)
		}
		if len(out.Events) == 0 {
			break
		}
	}
	e.pending = append(e.pending, out.Datagrams...)
	e.hub.Reset()
	if w := e.hub.Wake(); w < e.armed {
		e.armed = w
		select {
		case e.kick <- struct{}{}:
		default:
		}
	}
	if !e.writing {
		e.writing = true
		for len(e.pending) > 0 {
			batch := e.pending
			e.pending = nil
			e.mu.Unlock()
			e.write(batch)
			e.mu.Lock()
		}
		e.writing = false
	}
	e.mu.Unlock()
	if e.opt.After != nil {
		e.opt.After()
	}
}

// write writes datagrams. One that the system refuses is lost, as any may be on the way.
func (e *Endpoint) write(batch []plain.Datagram) {
	for _, d := range batch {
		if e.opt.Trace != nil {
			e.opt.Trace(e.now(), netip.AddrPort{}, d.To, d.Data)
		}
		_, _ = e.sock.WriteToUDPAddrPort(d.Data, d.To)
	}
}

// read brings datagrams to the hub until the socket is closed.
func (e *Endpoint) read() {
	buf := make([]byte, e.opt.Largest+1)
	for {
		n, from, err := e.sock.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // an error of a single datagram, such as a refusal by the other end's system
			case <-e.done:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		if n > e.opt.Largest {
			continue
		}
		from = unmap(from)
		if e.opt.Trace != nil {
			e.opt.Trace(e.now(), from, netip.AddrPort{}, buf[:n])
		}
		e.mu.Lock()
		e.hub.Datagram(e.now(), from, buf[:n])
		e.finish()
	}
}

// keepTime calls the hub when a timer is due.
func (e *Endpoint) keepTime() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		e.mu.Lock()
		e.armed = e.hub.Wake()
		wait := min(max(e.armed-e.now(), 0), time.Hour)
		e.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-e.done:
			return
		case <-e.kick:
		case <-timer.C:
			e.Do(func(now plain.Time, h *plain.Hub) { h.Tick(now) })
		}
	}
}

// Close tells all peers that the connection ends, once, and closes the socket. Nothing runs after it.
func (e *Endpoint) Close() error {
	e.once.Do(func() {
		e.Do(func(now plain.Time, h *plain.Hub) { h.Close(now) })
		e.shut()
	})
	return nil
}

// shut closes the socket without a word to anybody.
func (e *Endpoint) shut() {
	close(e.done)
	_ = e.sock.Close()
	e.wait.Wait()
}

// Kill closes the socket without a word to anybody, as a process that is killed does.
func (e *Endpoint) Kill() { e.once.Do(e.shut) }
