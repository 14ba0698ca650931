package transportudp

import (
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// inboxLimit is what may wait for the core on one lane in bytes, over all peers. Each peer alone is held back much
	// earlier by its window; this bounds what many strangers can do that connect again and again.
	inboxLimit = 512 << 20
	// eventReserve is for events alone: one that is lost is never made good, a message ends its connection.
	eventReserve = inboxLimit / 8
	// eventSize is what an event is counted for.
	eventSize = 1 << 10
)

// inbox is what waits for the core on one lane.
type inbox struct {
	release func(p *peer, size int)

	mu     sync.Mutex
	ready  sync.Cond
	items  []item
	head   int
	bytes  int
	reader *link
	closed bool
	chunk  int // so much is released at once
}

type item struct {
	transport.Incoming
	peer  *peer
	size  int
	taken *int // of the peer on this lane: bytes that the core has and that were not released; guarded by the inbox
}

func newInbox(chunk int, release func(*peer, int)) *inbox {
	b := &inbox{release: release, chunk: chunk}
	b.ready.L = &b.mu
	return b
}

// push appends an item. It returns false if there is no room.
func (b *inbox) push(it item) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := inboxLimit
	if it.Message == nil {
		limit += eventReserve
	}
	if b.closed || b.bytes+it.size > limit {
		return false
	}
	b.items = append(b.items, it)
	b.bytes += it.size
	b.ready.Signal()
	return true
}

// attach makes l the reader in place of another. Events that nobody took are replaced by those given.
func (b *inbox) attach(l *link, events []transport.Incoming) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var items []item
	for _, e := range events {
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
	release := 0
	if it.Message != nil {
		if *it.taken += it.size; *it.taken >= b.chunk {
			release, *it.taken = *it.taken, 0
		}
	}
	b.mu.Unlock()
	if release > 0 {
		b.release(it.peer, release)
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
	node   *node
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
