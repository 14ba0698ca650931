package node

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// inboxLimit is what may wait for the core on one lane in bytes, over all peers.
	inboxLimit = 512 << 20
	// eventSize is what an event is counted for, and a message besides its payload.
	eventSize = 256
)

// holding is what the core has not taken of a peer's messages. Its lock is a leaf.
type holding struct {
	mu    sync.Mutex
	bytes int
	full  bool // the connection takes no more
}

func (h *holding) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes += n
}

// check tells whether there is too much.
func (h *holding) check(limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full = h.full || h.bytes >= limit
	return h.full
}

// taken returns whether the connection may take more again.
func (h *holding) taken(n, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes -= n
	if !h.full || h.bytes > limit*3/4 {
		return false
	}
	h.full = false
	return true
}

// inbox is what waits for the core on one lane.
type inbox struct {
	release func(item) // the core has taken a message

	mu     sync.Mutex
	ready  sync.Cond
	items  []item
	head   int
	bytes  int
	reader *link
	closed bool
}

type item struct {
	transport.Incoming
	from netip.AddrPort
	size int
	held *holding // of a message
}

func newInbox(release func(item)) *inbox {
	b := &inbox{release: release}
	b.ready.L = &b.mu
	return b
}

// push appends an item. It returns false if there is no room.
func (b *inbox) push(it item) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || it.Message != nil && b.bytes+it.size > inboxLimit {
		return false
	}
	b.items = append(b.items, it)
	b.bytes += it.size
	b.ready.Signal()
	return true
}

// attach makes l the reader in place of another. Events and flows that nobody took are replaced by those given.
func (b *inbox) attach(l *link, first []transport.Incoming) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var items []item
	for _, e := range first {
		items = append(items, item{Incoming: e, size: eventSize})
	}
	for _, it := range b.items[b.head:] {
		if it.Message != nil {
			items = append(items, it)
		}
	}
	b.items, b.head, b.bytes, b.reader = items, 0, 0, l
	for _, it := range items {
		b.bytes += it.size
	}
	b.ready.Broadcast()
}

// pop waits for the next item, as long as l is the reader.
func (b *inbox) pop(l *link) (transport.Incoming, error) {
	b.mu.Lock()
	for b.reader == l && !b.closed && b.head == len(b.items) {
		b.ready.Wait()
	}
	if b.reader != l || b.closed {
		b.mu.Unlock()
		return transport.Incoming{}, fmt.Errorf("receive on the %s lane: %w", l.lane, transport.ErrClosed)
	}
	it := b.items[b.head]
	b.items[b.head] = item{}
	b.head++
	if b.head == len(b.items) {
		b.items, b.head = b.items[:0], 0
	} else if b.head >= 1024 && 2*b.head >= len(b.items) { // a queue that is never empty must not grow for ever
		n := copy(b.items, b.items[b.head:])
		clear(b.items[n:])
		b.items, b.head = b.items[:n], 0
	}
	b.bytes -= it.size
	b.mu.Unlock()
	if it.held != nil {
		b.release(it)
	}
	return it.Incoming, nil
}

// detach ends the reading of l, if it is the reader.
func (b *inbox) detach(l *link) {
	b.mu.Lock()
	if b.reader == l {
		b.reader = nil
	}
	b.ready.Broadcast()
	b.mu.Unlock()
}

func (b *inbox) close() {
	b.mu.Lock()
	b.closed, b.items = true, nil
	b.ready.Broadcast()
	b.mu.Unlock()
}

// current tells whether l is the reader.
func (b *inbox) current(l *link) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader == l && !b.closed
}

// link is an attached lane.
type link struct {
	node   *Node
	lane   transport.Lane
	unlink func() bool
}

func (l *link) Dial(peer transport.PeerID, address string) error {
	return l.node.dial(l, peer, address)
}
func (l *link) Hangup(peer transport.PeerID) error { return l.node.hangup(l, peer) }
func (l *link) Send(out transport.Outgoing) error  { return l.node.send(l, out) }
func (l *link) Recv() (transport.Incoming, error)  { return l.node.inbox[l.lane].pop(l) }

func (l *link) Close() error {
	l.unlink()
	l.node.inbox[l.lane].detach(l)
	return nil
}
