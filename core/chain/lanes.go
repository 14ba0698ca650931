package chain

import (
	"context"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// lanes is a queue with a lane for the node's own items, of which none is ever dropped, and one for each peer. A peer's lane
// has bounds, and its oldest item makes room for the newest: what comes from the network is sent again if it matters. Own
// items come first, then the peers in turn, so that nobody's flood delays anybody else.
type lanes[T any] struct {
	mu     sync.Mutex
	own    []T
	peers  map[types.Hash]*lane[T]
	ring   []*lane[T] // those that hold something
	next   int
	items  int // bounds of a peer's lane
	bytes  int
	closed bool
	signal chan struct{}
}

type lane[T any] struct {
	peer  types.Hash
	items []sized[T]
	bytes int
}

type sized[T any] struct {
	v    T
	size int
}

// maxLanes bounds the peers whose items wait at the same time.
const maxLanes = 4096

func newLanes[T any](items, bytes int) *lanes[T] {
	return &lanes[T]{peers: map[types.Hash]*lane[T]{}, items: items, bytes: bytes, signal: make(chan struct{}, 1)}
}

// push adds an own item.
func (q *lanes[T]) push(v T) {
	q.mu.Lock()
	if !q.closed {
		q.own = append(q.own, v)
	}
	q.mu.Unlock()
	q.wake()
}

// pushFrom adds a peer's item of so many bytes.
func (q *lanes[T]) pushFrom(peer types.Hash, size int, v T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || size > q.bytes {
		return
	}
	l := q.peers[peer]
	if l == nil {
		if len(q.peers) >= maxLanes {
			return
		}
		l = &lane[T]{peer: peer}
		q.peers[peer] = l
		q.ring = append(q.ring, l)
	}
	for len(l.items) > 0 && (len(l.items) >= q.items || l.bytes+size > q.bytes) {
		l.shift()
	}
	l.items = append(l.items, sized[T]{v, size})
	l.bytes += size
	q.wake()
}

func (l *lane[T]) shift() T {
	first := l.items[0]
	l.items[0] = sized[T]{}
	l.items = l.items[1:]
	l.bytes -= first.size
	return first.v
}

func (q *lanes[T]) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// pop waits for an item; ok is false once ctx has ended or the queue is closed. There is one reader at a time.
func (q *lanes[T]) pop(ctx context.Context) (v T, ok bool) {
	for {
		if v, ok, closed := q.take(); ok || closed {
			return v, ok
		}
		select {
		case <-ctx.Done():
			return v, false
		case <-q.signal:
		}
	}
}

func (q *lanes[T]) take() (v T, ok, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return v, false, true
	case len(q.own) > 0:
		v = q.own[0]
		var zero T
		q.own[0] = zero
		q.own = q.own[1:]
		return v, true, false
	case len(q.ring) == 0:
		return v, false, false
	}
	q.next %= len(q.ring)
	l := q.ring[q.next]
	v = l.shift()
	if len(l.items) == 0 {
		delete(q.peers, l.peer)
		q.ring = append(q.ring[:q.next], q.ring[q.next+1:]...)
	} else {
		q.next++
	}
	return v, true, false
}

// clear drops everything.
func (q *lanes[T]) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.own, q.ring, q.peers = nil, nil, map[types.Hash]*lane[T]{}
}

// close drops everything, and what comes later.
func (q *lanes[T]) close() {
	q.clear()
	q.mu.Lock()
	q.closed = true
	q.own = nil
	q.mu.Unlock()
	q.wake()
}
