package stripe

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	// firstBuffer is what is allocated for a large message when its first bytes have come. From there the buffer grows to
	// growth times what has arrived, so that an announcement alone, or a single piece of the end, costs a peer more than it
	// costs here.
	firstBuffer = 256 << 10
	growth      = 16
	// slack is what buffers may have above MaxAssembly while lengths are not known.
	slack = MaxAssembly
	// apartSize is what a piece that is kept by itself is counted for besides its bytes.
	apartSize = 64
)

// never is later than every deadline.
const never = time.Duration(1<<63 - 1)

// Receiver puts messages together. Times are those of the caller's clock.
type Receiver struct {
	timeout    time.Duration
	ids        numbers
	assemblies map[uint32]*assembly
	announced  int // bytes announced by them
	allocated  int // bytes of their buffers
	channel    string
	check      time.Duration // no assembly is overdue before
	out        []Delivery
}

// assembly is a large message that is arriving.
type assembly struct {
	known   bool // the announcement has come
	length  int
	digest  [32]byte
	channel string
	buf     []byte // len is the highest offset in it
	end     int    // the highest offset that has come
	apart   []part // pieces far beyond what the buffer may be yet
	have    spans
	bytes   int
	hashed  int
	hash    hash.Hash
	last    time.Duration // of its last progress
}

type part struct {
	from int
	data []byte
}

// NewReceiver returns one without messages. One that makes no progress for the timeout is overdue.
func NewReceiver(timeout time.Duration) *Receiver {
	return &Receiver{timeout: timeout, assemblies: map[uint32]*assembly{}, check: never}
}

// Held is how many bytes are allocated for messages that are not complete.
func (r *Receiver) Held() int { return r.allocated }

// Delivered returns the messages that were completed since the last call, valid until the next Take.
func (r *Receiver) Delivered() []Delivery {
	d := r.out
	r.out = r.out[:0]
	return d
}

// Take handles a frame; nothing of b is kept. It returns false if there is no room for it now: it must come again. An error
// means that the peer broke the protocol.
func (r *Receiver) Take(now time.Duration, id wire.ID, b []byte) (bool, error) {
	switch id {
	case wire.Data:
		if len(b) == 0 {
			return false, fmt.Errorf("%w: empty DATA", wire.ErrMalformed)
		}
		switch kind, b := wire.DataKind(b[0]), b[1:]; kind {
		case wire.Messages:
			return true, r.messages(b)
		case wire.Piece:
			return r.piece(now, b)
		case wire.Void:
			return true, nil
		default:
			return false, fmt.Errorf("%w: DATA of kind %d", wire.ErrMalformed, kind)
		}
	case wire.FileName:
		return r.file(now, b)
	case wire.DataOver:
		return true, r.over(b)
	}
	return false, fmt.Errorf("%w: %s in the session", wire.ErrMalformed, id)
}

// number checks a message's number, and tells whether the message is done.
func (r *Receiver) number(id uint32) (done bool, err error) {
	if n := r.ids.ahead(id); n >= idWindow || n < -idWindow {
		return false, fmt.Errorf("%w: message %d when %d is the oldest under way", wire.ErrMalformed, id, r.ids.base)
	}
	return r.ids.done(id), nil
}

func (r *Receiver) messages(b []byte) error {
	id, b, err := wire.ParseFirst(b)
	if err != nil {
		return err
	}
	for {
		channel, payload, rest, err := wire.NextMessage(b)
		if err != nil {
			return err
		}
		if len(channel) > MaxChannel {
			return fmt.Errorf("%w: channel of %d bytes", wire.ErrMalformed, len(channel))
		}
		done, err := r.number(id)
		if err != nil {
			return err
		}
		if !done {
			if r.assemblies[id] != nil {
				return fmt.Errorf("%w: message %d is whole and in pieces", wire.ErrMalformed, id)
			}
			r.ids.finish(id)
			if r.channel != string(channel) { // mostly it is the same as before, and no new string is needed
				r.channel = string(channel)
			}
			r.out = append(r.out, Delivery{r.channel, append(make([]byte, 0, len(payload)), payload...)})
		}
		id++
		if b = rest; len(b) == 0 {
			return nil
		}
	}
}

// open returns the assembly of a message, a new one if there is none. It returns nil if there is no room for one.
func (r *Receiver) open(now time.Duration, id uint32) *assembly {
	a := r.assemblies[id]
	if a == nil && len(r.assemblies) < MaxAssemblies {
		a = &assembly{last: now, length: MaxMessage}
		r.assemblies[id] = a
		r.check = min(r.check, now+r.timeout)
	}
	return a
}

func (r *Receiver) file(now time.Duration, b []byte) (bool, error) {
	f, err := wire.ParseFile(b)
	if err != nil {
		return false, err
	}
	length := int(f.Length)
	if f.Length > MaxMessage || len(f.Channel) > MaxChannel {
		return false, fmt.Errorf("%w: a message of %d bytes on a channel of %d", wire.ErrMalformed, f.Length, len(f.Channel))
	}
	if done, err := r.number(f.Message); done || err != nil {
		return true, err
	}
	if r.announced+length > MaxAssembly && (r.assemblies[f.Message] == nil || !r.assemblies[f.Message].known) {
		return false, fmt.Errorf("%w: %d large messages of %d bytes at once", wire.ErrMalformed, len(r.assemblies)+1, r.announced+length)
	}
	a := r.open(now, f.Message)
	switch {
	case a == nil:
		return false, nil
	case a.known:
		if a.length != length || a.digest != f.Digest || a.channel != string(f.Channel) {
			return false, fmt.Errorf("%w: message %d is announced twice, differently", wire.ErrMalformed, f.Message)
		}
		return true, nil
	case a.end > length:
		return false, fmt.Errorf("%w: message %d has %d bytes, announced were %d", wire.ErrMalformed, f.Message, a.end, length)
	}
	if cap(a.buf) > length {
		r.resize(a, length)
	}
	a.known, a.length, a.digest, a.channel, a.last = true, length, f.Digest, string(f.Channel), now
	r.announced += length
	return true, r.complete(f.Message, a)
}

func (r *Receiver) resize(a *assembly, size int) {
	r.allocated += size - cap(a.buf)
	buf := make([]byte, len(a.buf), size)
	copy(buf, a.buf)
	a.buf = buf
}

func (r *Receiver) piece(now time.Duration, b []byte) (bool, error) {
	id, offset, data, err := wire.ParsePiece(b)
	if err != nil {
		return false, err
	}
	if done, err := r.number(id); done || err != nil {
		return true, err
	}
	a := r.open(now, id)
	if a == nil {
		return false, nil
	}
	from, to := int(offset), int(offset)+len(data)
	if to > a.length {
		return false, fmt.Errorf("%w: piece of %d bytes at %d of %d", wire.ErrMalformed, len(data), offset, a.length)
	}
	if a.have.covered(from, to) {
		return true, nil
	}
	fits := r.room(a, to)
	if !fits && r.allocated+len(data)+apartSize > MaxAssembly+slack {
		return false, nil
	}
	grown := a.have.add(from, to)
	if grown < 0 {
		return false, nil
	}
	if fits {
		a.put(from, data)
	} else {
		r.allocated += len(data) + apartSize
		a.apart = append(a.apart, part{from, append([]byte(nil), data...)})
	}
	a.bytes += grown
	a.end = max(a.end, to)
	a.last = now
	return true, r.complete(id, a)
}

// settle puts what is kept apart into the buffer, once that may be as large, and goes on with the digest.
func (r *Receiver) settle(a *assembly) {
	if len(a.apart) > 0 && r.room(a, a.end) {
		for _, p := range a.apart {
			r.allocated -= len(p.data) + apartSize
			a.put(p.from, p.data)
		}
		a.apart = nil
	}
	if p := a.have.prefix(); p > a.hashed && len(a.apart) == 0 {
		if a.hash == nil {
			a.hash = sha256.New()
		}
		a.hash.Write(a.buf[a.hashed:p])
		a.hashed = p
	}
}

// put copies bytes to their place, but for those that were hashed already.
func (a *assembly) put(from int, data []byte) {
	to := from + len(data)
	if to > len(a.buf) {
		a.buf = a.buf[:to]
	}
	if skip := max(a.hashed-from, 0); skip < len(data) {
		copy(a.buf[from+skip:to], data[skip:])
	}
}

// room tells whether the buffer has room up to an offset, or can be given some.
func (r *Receiver) room(a *assembly, to int) bool { return to <= cap(a.buf) || r.grow(a, to) }

// grow makes room in a buffer for the bytes up to an offset. It returns false if that is more than the message may have yet.
func (r *Receiver) grow(a *assembly, to int) bool {
	most := firstBuffer + growth*a.bytes
	if to > most {
		return false
	}
	size := min(max(firstBuffer, growth*cap(a.buf)), most, a.length)
	if !a.known {
		size = min(max(firstBuffer, 2*cap(a.buf)), MaxMessage)
	}
	size = max(size, to)
	if r.allocated+size-cap(a.buf) > MaxAssembly+slack {
		return false
	}
	r.resize(a, size)
	return true
}

func (r *Receiver) over(b []byte) error {
	id, err := wire.ParseOver(b)
	if err != nil {
		return err
	}
	_, err = r.number(id) // what is missing comes later
	return err
}

// complete delivers a message if all of it is there.
func (r *Receiver) complete(id uint32, a *assembly) error {
	r.settle(a)
	if !a.known || a.bytes < a.length || len(a.apart) > 0 {
		return nil
	}
	sum := sha256.Sum256(nil)
	if a.hash != nil {
		a.hash.Sum(sum[:0])
	}
	if sum != a.digest {
		return fmt.Errorf("%w: message %d has the digest %x, %x was announced", wire.ErrMalformed, id, sum, a.digest)
	}
	delete(r.assemblies, id)
	r.announced -= a.length
	r.allocated -= cap(a.buf)
	for _, p := range a.apart {
		r.allocated -= len(p.data) + apartSize
	}
	r.ids.finish(id)
	if len(r.assemblies) == 0 {
		r.check = never
	}
	r.out = append(r.out, Delivery{a.channel, a.buf})
	return nil
}

// Deadline is when Overdue has to be asked next.
func (r *Receiver) Deadline() time.Duration { return r.check }

// Overdue tells whether a message has made no progress for the timeout.
func (r *Receiver) Overdue(now time.Duration) bool {
	if now < r.check {
		return false
	}
	first := never
	for _, a := range r.assemblies {
		first = min(first, a.last+r.timeout)
	}
	r.check = first
	return now >= first
}

// Touch says that no message could make progress for a while, since this end took nothing.
func (r *Receiver) Touch(now time.Duration) {
	for _, a := range r.assemblies {
		a.last = now
	}
}
