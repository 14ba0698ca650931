package conn

import (
	"net/netip"
	"sync"
)

// Datagram is one to be written, sealed if it belongs to a session.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
	pool *Pool
}

// Len is the datagram's length in bytes.
func (d *Datagram) Len() int { return len(d.Data) }

// Append appends the datagram's bytes.
func (d *Datagram) Append(b []byte) []byte { return append(b, d.Data...) }

// Free gives the datagram's memory back once it was written. It may be called from anywhere, or not at all.
func (d *Datagram) Free() {
	if d.pool != nil {
		d.pool.put(d.Data)
	}
	d.Data, d.pool = nil, nil
}

const (
	// Datagrams up to smallBuffer bytes, which is all on a usual path, share buffers of that size.
	smallBuffer = 2 << 10
	// poolBytes is how much a pool keeps of each size at most.
	poolBytes = 2 << 20
)

// Pool keeps the memory of datagrams that were written, so that one costs no allocation.
type Pool struct {
	mu           sync.Mutex
	small, large [][]byte
	largest      int
}

// get returns an empty slice with room for n bytes.
func (p *Pool) get(n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, size := &p.small, smallBuffer
	if n > smallBuffer {
		p.largest = max(p.largest, n)
		list, size = &p.large, p.largest
	}
	for k := len(*list); k > 0; k = len(*list) {
		b := (*list)[k-1]
		(*list)[k-1] = nil
		*list = (*list)[:k-1]
		if cap(b) >= n {
			return b[:0]
		}
	}
	return make([]byte, 0, size)
}

func (p *Pool) put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := &p.small
	if cap(b) > smallBuffer {
		list = &p.large
	}
	if cap(b) >= smallBuffer && (len(*list)+1)*cap(b) <= poolBytes {
		*list = append(*list, b)
	}
}
