package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

const (
	// headSize is what a message begins with: its number and the time that its latency counts from.
	headSize = 16
	// largestMessage is the largest that a pattern makes, in bytes.
	largestMessage = 1 << 20
)

// pattern makes messages that differ from each other and can be made again, so that the receiver can compare every byte
// with what was sent, at a cost that is small beside that of any transport.
type pattern []byte

func newPattern(seed uint64) pattern {
	p := make(pattern, 2*largestMessage)
	r := rand.New(rand.NewPCG(seed, 0x7061747465726e))
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], r.Uint64())
	}
	return p
}

// body returns what follows the head of message n of the given size.
func (p pattern) body(n uint64, size int) []byte {
	at := int(n * 40503 % largestMessage)
	return p[at : at+size-headSize]
}

// make returns message n, whose latency counts from at since an agreed start.
func (p pattern) make(n uint64, size int, at time.Duration) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, n)
	binary.BigEndian.PutUint64(b[8:], uint64(at))
	copy(b[headSize:], p.body(n, size))
	return b
}

// check returns the number and time of a message that was received, and whether it is what was sent. A limit of numbers bounds
// what an altered head can claim.
func (p pattern) check(b []byte, size int, limit uint64) (n uint64, at time.Duration, ok bool) {
	if len(b) != size {
		return 0, 0, false
	}
	n, at = binary.BigEndian.Uint64(b), time.Duration(binary.BigEndian.Uint64(b[8:]))
	return n, at, n < limit && at >= 0 && bytes.Equal(b[headSize:], p.body(n, size))
}
