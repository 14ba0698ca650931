package transporttest

import (
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// memoryInbox is what waits for the core on one lane.
type memoryInbox struct {
	mu     sync.Mutex
	ready  sync.Cond
	items  []memoryItem
	reader *memoryLink
}

// memoryItem is what waits. A message says by which connection it came, and which end has sent it.
type memoryItem struct {
	transport.Incoming
	conn *joined
	end  int
}

func newMemoryInbox() *memoryInbox {
	b := &memoryInbox{}
	b.ready.L = &b.mu
	return b
}

func (b *memoryInbox) push(it memoryItem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, it)
	b.ready.Broadcast()
}

// attach makes l the reader in place of another. Events and flows that nobody took are replaced by those given.
func (b *memoryInbox) attach(l *memoryLink, first []memoryItem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range b.items {
		if it.Message != nil {
			first = append(first, it)
		}
	}
	b.items, b.reader = first, l
	b.ready.Broadcast()
}

func (b *memoryInbox) detach(l *memoryLink) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader == l {
		b.reader = nil
	}
	b.ready.Broadcast()
}

// pop waits for the next item as long as l is the reader.
func (b *memoryInbox) pop(l *memoryLink) (memoryItem, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.reader == l && len(b.items) == 0 {
		b.ready.Wait()
	}
	if b.reader != l {
		return memoryItem{}, fmt.Errorf("receive on the %s lane: %w", l.lane, transport.ErrClosed)
	}
	it := b.items[0]
	b.items[0] = memoryItem{}
	b.items = b.items[1:]
	return it, nil
}

// memoryLink is an attached lane.
type memoryLink struct {
	m      *Memory
	lane   transport.Lane
	unlink func() bool
}

// attached returns ErrClosed if the link is not the lane's reader any more.
func (l *memoryLink) attached(what string) error {
	b := l.m.inbox[l.lane]
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader != l {
		return fmt.Errorf("%s on the %s lane: %w", what, l.lane, transport.ErrClosed)
	}
	return nil
}

func (l *memoryLink) Dial(peer transport.PeerID, address string) error {
	if err := transport.CheckAddress(address); err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	h := l.m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := l.attached("dial"); err != nil {
		return err
	}
	other, taken := l.m.named(address)
	// Where nobody is authenticated, an address is the peer.
	if taken && other != peer && !h.authenticates || address == l.m.address {
		return fmt.Errorf("dial %x: the address %s belongs to another peer, or to this node: %w", peer[:4], address, transport.ErrAddress)
	}
	if old, ok := l.m.peers[peer]; ok && old != address {
		h.unplug(l.m, &peer, "the peer has moved")
	}
	l.m.peers[peer] = address
	h.settle("dialled")
	return nil
}

func (l *memoryLink) Hangup(peer transport.PeerID) error {
	h := l.m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := l.attached("hang up"); err != nil {
		return err
	}
	delete(l.m.peers, peer)
	h.unplug(l.m, &peer, "hung up")
	h.settle("hung up")
	return nil
}

func (l *memoryLink) Send(out transport.Outgoing) error {
	if err := out.Check(); err != nil {
		return err
	}
	h := l.m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := l.attached("send"); err != nil {
		return err
	}
	for _, id := range out.Peers {
		if j, end := h.find(l.m, id); j != nil {
			j.send(end, l.lane, out.Channel, out.Payload)
		}
	}
	return nil
}

func (l *memoryLink) Recv() (transport.Incoming, error) {
	it, err := l.m.inbox[l.lane].pop(l)
	if err == nil && it.conn != nil {
		it.conn.taken(it.end, l.lane, len(it.Message.Payload))
	}
	return it.Incoming, err
}

func (l *memoryLink) Close() error {
	l.unlink()
	l.m.inbox[l.lane].detach(l)
	return nil
}
