package faultproxy

import (
	"sync"
	"time"
)

// parcel is a datagram on its way.
type parcel struct {
	at    time.Duration
	seq   uint64 // of the order in which parcels were added, which is kept among those of one time
	link  *link
	out   outlet
	buf   *[]byte // from the pool of its capacity
	bytes int     // length of the datagram
}

// queue holds the parcels of a proxy in a heap, earliest first.
type queue struct {
	limit int // bytes of buffers that may wait
	pools [3]bufferPool

	mu     sync.Mutex
	heap   []parcel
	seq    uint64
	held   int           // bytes of buffers that wait
	armed  time.Duration // when who empties the queue will look at it next
	kick   chan struct{} // to look earlier
	closed bool
}

const never = time.Duration(1<<63 - 1)

func newQueue(limit int) *queue {
	q := &queue{limit: limit, kick: make(chan struct{}, 1), armed: never}
	for i, size := range [...]int{2 << 10, 8 << 10, 64 << 10} {
		q.pools[i].size = size
	}
	return q
}

// push adds a copy of b and reports whether there was room.
func (q *queue) push(at time.Duration, l *link, out outlet, c Copy, b []byte) bool {
	pool := q.poolFor(len(b))
	q.mu.Lock()
	if q.closed || q.held+pool.size > q.limit {
		q.mu.Unlock()
		return false
	}
	q.held += pool.size
	q.mu.Unlock()

	buf := pool.get()
	c.Alter((*buf)[:copy(*buf, b)])

	q.mu.Lock()
	defer q.mu.Unlock()
	q.seq++
	q.heap = append(q.heap, parcel{at: at, seq: q.seq, link: l, out: out, buf: buf, bytes: len(b)})
	q.up(len(q.heap) - 1)
	if at < q.armed {
		q.armed = at
		select {
		case q.kick <- struct{}{}:
		default:
		}
	}
	return true
}

// pop moves parcels that are due to batch, as many as fit. If none is due it notes that the caller will look again when
// the next is, or at the given time, and returns which.
func (q *queue) pop(now, again time.Duration, batch []parcel) ([]parcel, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(batch) < cap(batch) && len(q.heap) > 0 && q.heap[0].at <= now {
		batch = append(batch, q.heap[0])
		last := len(q.heap) - 1
		q.heap[0] = q.heap[last]
		q.heap[last] = parcel{}
		q.heap = q.heap[:last]
		q.down(0)
	}
	q.armed = again
	if len(q.heap) > 0 {
		q.armed = min(again, q.heap[0].at)
	} else if cap(q.heap) > 4096 { // a burst's heap is not kept for ever
		q.heap = nil
	}
	return batch, q.armed
}

// release gives a delivered parcel's buffer back.
func (q *queue) release(p *parcel) {
	pool := q.poolFor(p.bytes)
	pool.pool.Put(p.buf)
	p.buf = nil
	q.mu.Lock()
	if !q.closed {
		q.held -= pool.size
	}
	q.mu.Unlock()
}

// close drops what waits and takes nothing more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.heap, q.held = true, nil, 0
}

func (q *queue) bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}

func (q *queue) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) up(i int) {
	for i > 0 && q.less(i, (i-1)/2) {
		q.heap[i], q.heap[(i-1)/2] = q.heap[(i-1)/2], q.heap[i]
		i = (i - 1) / 2
	}
}

func (q *queue) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(q.heap) {
			return
		}
		if c+1 < len(q.heap) && q.less(c+1, c) {
			c++
		}
		if !q.less(c, i) {
			return
		}
		q.heap[i], q.heap[c] = q.heap[c], q.heap[i]
		i = c
	}
}

// bufferPool keeps buffers of one size.
type bufferPool struct {
	size int
	pool sync.Pool
}

func (p *bufferPool) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, p.size)
	return &b
}

func (q *queue) poolFor(size int) *bufferPool {
	for i := range q.pools {
		if size <= q.pools[i].size {
			return &q.pools[i]
		}
	}
	return &q.pools[len(q.pools)-1] // no datagram is larger
}
