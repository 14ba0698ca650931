package udpio

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
)

// MaxDatagram is the longest content of a datagram that IPv4 allows, in bytes.
const MaxDatagram = 65507

// ErrTooLong says that a datagram is longer than what the way to its receiver takes in one piece, as far as this machine
// can tell.
var ErrTooLong = errors.New("the datagram is too long to be sent in one piece")

// errAddress says that a datagram's address cannot be reached through the socket.
var errAddress = errors.New("the address is invalid, or of a family that the socket does not speak")

// Config are the settings of a socket.
type Config struct {
	// Largest is the longest datagram in bytes that Read delivers, 1 to 65,535; the nearest of these is taken for any other
	// number. It bounds nothing that is written.
	Largest int
	// Without are features that are not used even if the system has them. DF cannot be left out.
	Without Features
	// Thread has Read wait in a system call, which keeps a thread. Datagrams are noticed when they come even if the program keeps all
	// processors busy; otherwise the runtime may look for them no more often than every 10 ms. Deadlines for reading have no effect.
	// Where the system has no such thing it is as if it was not set.
	Thread bool
}

// Features are what makes a socket fast.
type Features struct {
	Batches bool // a system call moves more than one datagram
	GRO     bool // the kernel joins datagrams that come
	GSO     bool // the kernel separates datagrams that go
	DF      bool // datagrams are never fragmented
}

// String names the features in use, such as "batches gro gso df", or "none".
func (f Features) String() string {
	var names []string
	for _, x := range []struct {
		on   bool
		name string
	}{{f.Batches, "batches"}, {f.GRO, "gro"}, {f.GSO, "gso"}, {f.DF, "df"}} {
		if x.on {
			names = append(names, x.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// Packet is a datagram that came.
type Packet struct {
	From netip.AddrPort // an IPv4 address is never in the form of IPv6
	Data []byte         // valid until the next Read
}

// Datagram is one to be written.
type Datagram struct {
	To         netip.AddrPort
	Head, Body []byte // its content, one after the other; either may be empty
	// Err is set by Write: nil if the system took the datagram, which does not say that it arrives; ErrTooLong; or
	// another error of the system.
	Err error
}

func (d *Datagram) size() int { return len(d.Head) + len(d.Body) }

// Stats count since the socket was opened.
type Stats struct {
	Read      uint64 // datagrams delivered by Read
	ReadCalls uint64 // system calls that brought them
	TooLong   uint64 // datagrams longer than Config.Largest, which were dropped
	Written   uint64 // datagrams that the system took
	Refused   uint64 // datagrams that it did not take
	SendCalls uint64 // system calls for both
}

type counters struct {
	read, readCalls, tooLong, written, refused, sendCalls atomic.Uint64
}

// backend is one way to move datagrams.
type backend interface {
	read(into []Packet) ([]Packet, error)
	write(batch []Datagram) (refused int, err error)
	features() Features
	close(socket func() error) error
}

// Socket is a UDP socket. One caller at a time may read, and another write. Everything else may be called at any time.
type Socket struct {
	conn    *net.UDPConn
	back    backend
	df      bool
	packets []Packet
	count   counters
}

// New makes a Socket of an open UDP socket, which it takes over.
func New(conn *net.UDPConn, cfg Config) *Socket {
	cfg.Largest = min(max(cfg.Largest, 1), 1<<16-1)
	s := &Socket{conn: conn, df: dontFragment(conn)}
	if !cfg.Without.Batches {
		s.back = newBatch(conn, cfg, &s.count)
	}
	if s.back == nil {
		s.back = newPlain(conn, cfg, &s.count)
	}
	return s
}

// Read waits for datagrams and returns those that are there, in the order in which they came, at least one. They are
// valid until the next Read. The error is net.ErrClosed when the socket is closed; after any other the caller may go on
// reading, but should wait a moment, for it is likely to happen again.
func (s *Socket) Read() ([]Packet, error) {
	for {
		packets, err := s.back.read(s.packets[:0])
		s.packets = packets
		s.count.read.Add(uint64(len(packets)))
		if len(packets) > 0 || err != nil {
			return packets, err
		}
	}
}

// Write writes datagrams in their order and sets the Err of each. It waits while the socket's buffer is full. It returns
// how many were refused, which is nothing that ends the socket; the error is net.ErrClosed when the socket is closed, and
// then nothing is known about the datagrams. It keeps nothing of the batch.
func (s *Socket) Write(batch []Datagram) (refused int, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	refused, err = s.back.write(batch)
	if err == nil {
		s.count.written.Add(uint64(len(batch) - refused))
		s.count.refused.Add(uint64(refused))
	}
	return refused, err
}

// Features returns what is in use at this moment.
func (s *Socket) Features() Features {
	f := s.back.features()
	f.DF = s.df
	return f
}

// Stats returns the counters.
func (s *Socket) Stats() Stats {
	c := &s.count
	return Stats{Read: c.read.Load(), ReadCalls: c.readCalls.Load(), TooLong: c.tooLong.Load(), Written: c.written.Load(),
		Refused: c.refused.Load(), SendCalls: c.sendCalls.Load()}
}

// LocalAddr returns the address of the socket.
func (s *Socket) LocalAddr() netip.AddrPort {
	return unmap(s.conn.LocalAddr().(*net.UDPAddr).AddrPort())
}

// Close closes the socket and ends Read and Write. With Config.Thread, whoever closes the net.UDPConn instead may wait a second.
func (s *Socket) Close() error { return s.back.close(s.conn.Close) }

// ReceiveBuffer returns how many bytes the kernel keeps for a socket until they are read, in its own way of counting, in
// which a datagram may count for twice its length. It is 0 where the system does not tell.
func ReceiveBuffer(conn *net.UDPConn) int { return receiveBuffer(conn) }

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
