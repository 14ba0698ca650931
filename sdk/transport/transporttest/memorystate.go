package transporttest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	defaultQueue = 64 << 20
	messageCost  = 64 // what a message is counted for besides its payload
)

// joined is a connection. An end is 0 or 1.
type joined struct {
	ends   [2]*Memory
	names  [2]transport.PeerID // what each end calls the other
	ways   [2][2]way           // what each end sends, by lane
	parted bool
}

func connect(a, b *Memory) *joined {
	return &joined{ends: [2]*Memory{a, b}, names: [2]transport.PeerID{a.nameOf(b), b.nameOf(a)}}
}

// way is one direction of a lane of a connection. The hub's lock guards it.
type way struct {
	queued         int // bytes that the receiver's core has not taken
	sent, received uint64
	messages       uint64
	full           bool
}

// send queues a message of one end at the other, or drops it. The hub's lock is held.
func (j *joined) send(end int, lane transport.Lane, channel string, payload []byte) {
	w := &j.ways[end][lane]
	if w.full {
		return
	}
	from, to := j.ends[end], j.ends[1-end]
	w.queued += len(payload) + messageCost
	w.sent += uint64(len(payload))
	w.messages++
	to.inbox[lane].push(memoryItem{Incoming: transport.Incoming{Message: &transport.Message{Peer: j.names[1-end], Channel: channel, Payload: bytes.Clone(payload)}},
		conn: j, end: end})
	if w.queued >= from.hub.limit() {
		w.full = true
		j.tellFlow(end, lane, true)
	}
}

// taken notes that a core has taken a message that an end has sent.
func (j *joined) taken(end int, lane transport.Lane, payload int) {
	h := j.ends[end].hub
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &j.ways[end][lane]
	w.queued -= payload + messageCost
	w.received += uint64(payload)
	if w.full && w.queued <= h.limit()/2 {
		w.full = false
		if !j.parted { // with the next connection there is room anyhow
			j.tellFlow(end, lane, false)
		}
	}
}

func (j *joined) tellFlow(end int, lane transport.Lane, full bool) {
	j.ends[end].inbox[lane].push(memoryItem{Incoming: transport.Incoming{Flow: &transport.Flow{Peer: j.names[end], Full: full}}})
}

func (h *Hub) limit() int {
	if h.Queue == 0 {
		return defaultQueue
	}
	return h.Queue
}

// stats is the state of the connection as an end sees it. There is no time on a hub.
func (j *joined) stats(end int) transport.LinkStats {
	s := transport.LinkStats{Peer: j.names[end], Up: true, Address: j.ends[1-end].address, Lanes: 1}
	for lane := range j.ways[end] {
		out, in := j.ways[end][lane], j.ways[1-end][lane]
		s.Queued += out.queued
		s.SentBytes += out.sent
		s.ReceivedBytes += in.received
		s.Datagrams += out.messages
	}
	return s
}

// Probe implements transport.Transport: each datagram takes a microsecond.
func (m *Memory) Probe(ctx context.Context, peer transport.PeerID, datagrams int) (transport.LinkReport, error) {
	if err := ctx.Err(); err != nil {
		return transport.LinkReport{}, err
	}
	if err := transport.CheckProbe(datagrams); err != nil {
		return transport.LinkReport{}, err
	}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.closed {
		return transport.LinkReport{}, fmt.Errorf("probe: %w", transport.ErrClosed)
	}
	if j, _ := m.hub.find(m, peer); j == nil {
		if _, ok := m.peers[peer]; ok {
			return transport.LinkReport{}, fmt.Errorf("probe %x: %w", peer[:4], transport.ErrNotConnected)
		}
		return transport.LinkReport{}, fmt.Errorf("probe %x: %w", peer[:4], transport.ErrUnknownPeer)
	}
	return transport.LinkReport{Min: 1000, P50: 1000, P99: 1000, Sent: datagrams}, nil
}

// Stats implements transport.Transport.
func (m *Memory) Stats(ctx context.Context) ([]transport.LinkStats, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("stats: %w", transport.ErrClosed)
	}
	links := map[transport.PeerID]transport.LinkStats{}
	for id, address := range m.peers {
		links[id] = transport.LinkStats{Peer: id, Dialled: true, Address: address}
	}
	m.hub.links(m, func(_ *Memory, j *joined, end int) {
		s := j.stats(end)
		_, s.Dialled = m.peers[s.Peer]
		links[s.Peer] = s
	})
	out := slices.Collect(maps.Values(links))
	slices.SortFunc(out, func(a, b transport.LinkStats) int { return slices.Compare(a.Peer[:], b.Peer[:]) })
	return out[:min(len(out), transport.MaxLinks)], nil
}
