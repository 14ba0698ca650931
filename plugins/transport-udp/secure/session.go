package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/flynn/noise"
)

// Sizes in bytes.
const (
	CounterSize = 8
	// Overhead is what sealing adds: the counter before, the tag after.
	Overhead = CounterSize + 16
)

const (
	numberBits = 40
	maxNumber  = 1<<numberBits - 1 // and so no counter of 64 ones is ever used
	maxGen     = 1<<(64-numberBits) - 1
	// maxAhead is how many generations a receiver follows at once, after all datagrams of those between were lost.
	maxAhead = 8
	// maxPast is how many earlier keys a receiver keeps.
	maxPast = 2
)

// Errors of sealing.
var (
	// ErrExhausted: the counter has come to its end; the session has to.
	ErrExhausted = errors.New("the session's counter is used up")
	// ErrReplayed: a datagram came before, or is too old to tell.
	ErrReplayed = errors.New("replayed datagram")
	// ErrForged: a datagram was not sealed by the peer, or was altered.
	ErrForged = errors.New("forged datagram")
)

// Rotation is what a key is used for at most.
type Rotation struct {
	Datagrams uint64
	Bytes     uint64
	Time      time.Duration
}

// DefaultRotation is far below what AES-GCM bears.
func DefaultRotation() Rotation {
	return Rotation{Datagrams: 1 << 20, Bytes: 64 << 30, Time: 2 * time.Minute}
}

// key is one generation of one direction.
type key struct {
	secret [32]byte
	aead   cipher.AEAD
}

func newKey(secret [32]byte) key {
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic("secure: " + err.Error()) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("secure: " + err.Error())
	}
	return key{secret, aead}
}

// next is the key of the next generation: Rekey of the Noise specification, which can not be undone.
func (k key) next() key {
	cs := noise.UnsafeNewCipherState(suite(), k.secret, 0)
	cs.Rekey()
	return newKey(cs.UnsafeKey())
}

// Session seals and opens the datagrams of one session. It is not for concurrent use.
type Session struct {
	rotation Rotation
	out      sealer
	in       opener
	nonce    [12]byte
}

type sealer struct {
	key        key
	generation uint64
	number     uint64 // of the next datagram
	datagrams  uint64 // under this key
	bytes      uint64
	started    bool
	since      time.Duration
}

type opener struct {
	key        key
	generation uint64
	ahead      []key // of the following generations, as far as they were needed
	past       []pastKey
	window     Window
}

// pastKey is an earlier key: no number of its generation is until or later.
type pastKey struct {
	key
	generation uint64
	until      uint64
}

func newSession(out, in [32]byte, rotation Rotation) *Session {
	return &Session{rotation: rotation, out: sealer{key: newKey(out)}, in: opener{key: newKey(in)}}
}

// Generation returns the generations of both directions.
func (s *Session) Generation() (out, in uint64) { return s.out.generation, s.in.generation }

func (s *Session) setNonce(counter uint64) []byte {
	binary.BigEndian.PutUint64(s.nonce[4:], counter)
	return s.nonce[:]
}

// Seal seals a datagram in place: its first clear bytes stay readable and are authenticated, the next eight are room for
// the counter, the rest is encrypted. What it returns is longer by 16 bytes and shares b's memory if that has room.
func (s *Session) Seal(now time.Duration, b []byte, clear int) ([]byte, error) {
	o := &s.out
	if !o.started {
		o.started, o.since = true, now
	}
	if o.datagrams >= s.rotation.Datagrams || o.bytes >= s.rotation.Bytes || now-o.since >= s.rotation.Time {
		if o.generation >= maxGen {
			return nil, ErrExhausted
		}
		o.key = o.key.next()
		o.generation++
		o.datagrams, o.bytes, o.since = 0, 0, now
	}
	if o.number >= maxNumber {
		return nil, ErrExhausted
	}
	counter := o.generation<<numberBits | o.number
	o.number++
	o.datagrams++
	o.bytes += uint64(len(b))
	binary.BigEndian.PutUint64(b[clear:], counter)
	at := clear + CounterSize
	return o.key.aead.Seal(b[:at], s.setNonce(counter), b[at:], b[:clear]), nil
}

// Open opens a datagram in place, which changes it. Latest tells whether its number is higher than all before. The
// error is ErrForged or ErrReplayed, and then the session is as before.
func (s *Session) Open(b []byte, clear int) (inner []byte, latest bool, err error) {
	if len(b) < clear+Overhead {
		return nil, false, ErrForged
	}
	counter := binary.BigEndian.Uint64(b[clear:])
	generation, number := counter>>numberBits, counter&maxNumber
	o := &s.in
	if !o.window.Fresh(number) {
		return nil, false, ErrReplayed
	}
	k := o.find(generation)
	if k == nil {
		return nil, false, ErrForged
	}
	at := clear + CounterSize
	inner, err = k.aead.Open(b[at:at], s.setNonce(counter), b[at:], b[:clear])
	if err != nil {
		return nil, false, ErrForged
	}
	latest = o.window.Mark(number)
	o.opened(generation, number)
	return inner, latest, nil
}

// find returns the key of a generation, or nil. Looking for one changes nothing but what is kept at hand.
func (o *opener) find(generation uint64) *key {
	switch {
	case generation == o.generation:
		return &o.key
	case generation > o.generation:
		steps := generation - o.generation
		if steps > maxAhead {
			return nil
		}
		for uint64(len(o.ahead)) < steps {
			last := o.key
			if n := len(o.ahead); n > 0 {
				last = o.ahead[n-1]
			}
			o.ahead = append(o.ahead, last.next())
		}
		return &o.ahead[steps-1]
	}
	for i := range o.past {
		if o.past[i].generation == generation {
			return &o.past[i].key
		}
	}
	return nil
}

// opened follows the peer to a later generation, and forgets keys that nothing can need any more.
func (o *opener) opened(generation, number uint64) {
	for generation > o.generation {
		o.past = append(o.past, pastKey{o.key, o.generation, number})
		o.key, o.ahead = o.ahead[0], o.ahead[1:]
		o.generation++
	}
	if n := len(o.past); n > 0 && generation == o.generation {
		o.past[n-1].until = min(o.past[n-1].until, number)
	}
	for len(o.past) > maxPast || len(o.past) > 0 && o.past[0].until <= o.window.Bottom() {
		o.past[0] = pastKey{}
		o.past = o.past[1:]
	}
	if len(o.past) == 0 {
		o.past = nil
	}
	if len(o.ahead) == 0 {
		o.ahead = nil
	}
}

// String tells nothing of the keys.
func (s *Session) String() string {
	return fmt.Sprintf("session at generation %d, %d", s.out.generation, s.in.generation)
}
