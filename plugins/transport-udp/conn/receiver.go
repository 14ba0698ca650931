package conn

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// firstBuffer is what is allocated for a large message before any of it has come, in bytes; from there the buffer grows
// sixteenfold, so that an announcement alone costs a peer more than it costs here.
const firstBuffer = 64 << 10

// receiver is the receiving half of a session.
type receiver struct {
	expected uint32
	early    int // messages that wait for those before them
	slots    map[uint32]slot
	closed   bool // the receive queue is full

	confirm    bool
	confirmID  wire.ID
	confirmSeq uint8

	assemblies []*assembly
	assembled  int // bytes announced by them
	channel    string
}

type slot struct {
	id   wire.ID
	body []byte
}

// assembly is a large message that is arriving.
type assembly struct {
	wire.File
	channel string
	buf     []byte
	hash    hash.Hash
	last    Time // of its last progress
}

func newReceiver(closed bool) receiver {
	return receiver{expected: 1, closed: closed, slots: map[uint32]slot{}}
}

// confirmation returns the body of a confirmation, valid until the next call.
func (c *Conn) confirmation() []byte {
	r := &c.rcv
	conf := wire.Confirmation{Expected: r.expected, Window: uint8(min(c.cfg.Window, MaxWindow))}
	if r.closed {
		conf.Window = 0
	}
	var bits [wire.MaxBits]byte
	for i, left := 1, r.early; left > 0 && i < MaxWindow; i++ {
		if _, ok := r.slots[r.expected+uint32(i)]; ok {
			bits[(i-1)/8] |= 1 << ((i - 1) % 8)
			conf.Bits = bits[:(i-1)/8+1]
			left--
		}
	}
	return conf.Append(c.scratch[:0])
}

// receive handles a message that wants confirmation.
func (c *Conn) receive(now Time, h wire.Header, b []byte) error {
	r := &c.rcv
	number, b, err := wire.ParseNumber(b)
	if err != nil {
		return err
	}
	if uint8(number) != h.Seq {
		return fmt.Errorf("%w: number %d in the body and %d in the header", wire.ErrMalformed, number, h.Seq)
	}
	r.confirm, r.confirmID, r.confirmSeq = true, h.ID.Confirmation(), h.Seq
	ahead := int32(number - r.expected)
	switch {
	case ahead < 0: // received before; the confirmation was lost
		return nil
	case ahead >= MaxWindow || r.closed: // not taken, so not confirmed either
		r.confirmID, r.confirmSeq = wire.DataOK, uint8(r.expected-1)
		return nil
	case ahead > 0:
		if _, ok := r.slots[number]; !ok {
			r.slots[number] = slot{h.ID, bytes.Clone(b)}
			r.early++
		}
		return nil
	}
	if _, ok := r.slots[number]; ok { // it was waiting when the queue was full
		return c.drain(now)
	}
	if err := c.take(now, h.ID, b); err != nil {
		return err
	}
	r.expected++
	return c.drain(now)
}

// drain takes the messages whose turn has come.
func (c *Conn) drain(now Time) error {
	r := &c.rcv
	for r.early > 0 && !r.closed {
		s, ok := r.slots[r.expected]
		if !ok {
			return nil
		}
		delete(r.slots, r.expected)
		r.early--
		if err := c.take(now, s.id, s.body); err != nil {
			return err
		}
		r.expected++
	}
	return nil
}

// take handles a message in its turn.
func (c *Conn) take(now Time, id wire.ID, b []byte) error {
	switch id {
	case wire.Data:
		if len(b) == 0 {
			return fmt.Errorf("%w: empty DATA", wire.ErrMalformed)
		}
		switch kind, b := wire.DataKind(b[0]), b[1:]; kind {
		case wire.Messages:
			return c.takeMessages(b)
		case wire.Piece:
			return c.takePiece(now, b)
		default:
			return fmt.Errorf("%w: DATA of kind %d", wire.ErrMalformed, kind)
		}
	case wire.FileName:
		return c.takeFile(now, b)
	case wire.DataOver:
		return c.takeOver(b)
	case wire.Start, wire.Stop, wire.Result, wire.TestOver: // a measurement of the plain mode means nothing here
		return nil
	}
	return fmt.Errorf("%w: %s in the session", wire.ErrMalformed, id)
}

func (c *Conn) takeMessages(b []byte) error {
	for {
		channel, payload, rest, err := wire.NextMessage(b)
		if err != nil {
			return err
		}
		if len(channel) > MaxChannel {
			return fmt.Errorf("%w: channel of %d bytes", wire.ErrMalformed, len(channel))
		}
		c.deliver(channel, append(make([]byte, 0, len(payload)), payload...))
		if b = rest; len(b) == 0 {
			return nil
		}
	}
}

func (c *Conn) deliver(channel []byte, payload []byte) {
	r := &c.rcv
	if r.channel != string(channel) { // mostly it is the same as before, and no new string is needed
		r.channel = string(channel)
	}
	d := Delivery{From: c.addr, Channel: r.channel, Payload: payload, after: len(c.out.Events)}
	c.held += d.Size()
	r.closed = r.closed || c.held >= c.cfg.ReceiveQueue
	c.out.Delivered = append(c.out.Delivered, d)
}

// Release says that delivered messages of that size have been consumed.
func (c *Conn) Release(now Time, size int) {
	c.held = max(c.held-size, 0)
	r := &c.rcv
	if !c.up || !r.closed || c.held > c.cfg.ReceiveQueue*3/4 {
		return
	}
	r.closed = false
	for _, a := range r.assemblies {
		a.last = now
	}
	if err := c.drain(now); err != nil {
		c.end(now, err.Error(), wire.NumMissMatch, true, c.cfg.ConnectInterval)
		return
	}
	r.confirm, r.confirmID, r.confirmSeq = true, wire.DataOK, uint8(r.expected-1)
}

func (c *Conn) takeFile(now Time, b []byte) error {
	r := &c.rcv
	f, err := wire.ParseFile(b)
	switch {
	case err != nil:
		return err
	case f.Length > MaxMessage || len(f.Channel) > MaxChannel:
		return fmt.Errorf("%w: a message of %d bytes on a channel of %d", wire.ErrMalformed, f.Length, len(f.Channel))
	case len(r.assemblies) >= maxAssemblies || r.assembled+int(f.Length) > maxAssembly:
		return fmt.Errorf("%w: %d large messages of %d bytes at once", wire.ErrMalformed, len(r.assemblies)+1, r.assembled+int(f.Length))
	case r.find(f.Message) >= 0:
		return fmt.Errorf("%w: message %d is announced twice", wire.ErrMalformed, f.Message)
	}
	a := &assembly{File: f, channel: string(f.Channel), hash: sha256.New(), last: now}
	a.Channel = nil
	a.buf = make([]byte, 0, min(int(f.Length), firstBuffer))
	r.assemblies = append(r.assemblies, a)
	r.assembled += int(f.Length)
	return nil
}

// find returns the index of an assembly, or -1.
func (r *receiver) find(message uint32) int {
	for i, a := range r.assemblies {
		if a.Message == message {
			return i
		}
	}
	return -1
}

func (c *Conn) takePiece(now Time, b []byte) error {
	message, offset, data, err := wire.ParsePiece(b)
	if err != nil {
		return err
	}
	i := c.rcv.find(message)
	if i < 0 {
		return fmt.Errorf("%w: piece of message %d, which was not announced", wire.ErrMalformed, message)
	}
	a := c.rcv.assemblies[i]
	if int(offset) != len(a.buf) || len(data) > int(a.Length)-len(a.buf) {
		return fmt.Errorf("%w: piece of %d bytes at %d after %d of %d", wire.ErrMalformed, len(data), offset, len(a.buf), a.Length)
	}
	if need := len(a.buf) + len(data); need > cap(a.buf) {
		size := max(16*cap(a.buf), need)
		a.buf = append(make([]byte, 0, min(size, int(a.Length))), a.buf...)
	}
	a.buf = append(a.buf, data...)
	a.hash.Write(data)
	a.last = now
	return nil
}

func (c *Conn) takeOver(b []byte) error {
	message, err := wire.ParseOver(b)
	if err != nil {
		return err
	}
	r := &c.rcv
	i := r.find(message)
	if i < 0 {
		return fmt.Errorf("%w: end of message %d, which was not announced", wire.ErrMalformed, message)
	}
	a := r.assemblies[i]
	if len(a.buf) != int(a.Length) {
		return fmt.Errorf("%w: message %d ends after %d of %d bytes", wire.ErrMalformed, message, len(a.buf), a.Length)
	}
	if sum := a.hash.Sum(nil); !bytes.Equal(sum, a.Digest[:]) {
		return fmt.Errorf("%w: message %d has the digest %x, %x was announced", wire.ErrMalformed, message, sum, a.Digest)
	}
	r.assemblies = append(r.assemblies[:i], r.assemblies[i+1:]...)
	r.assembled -= int(a.Length)
	c.deliver([]byte(a.channel), a.buf)
	return nil
}

// deadline is when the first of the large messages will have made no progress for too long.
func (r *receiver) deadline(timeout time.Duration) Time {
	t := never
	if r.closed { // then it is this end that does not let it
		return t
	}
	for _, a := range r.assemblies {
		t = min(t, a.last+timeout)
	}
	return t
}

func (r *receiver) stalled(now Time, timeout time.Duration) bool { return now >= r.deadline(timeout) }
