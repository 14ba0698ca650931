package transportudp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Stats tells the state of all links.
func (n *node) Stats(ctx context.Context) ([]transport.LinkStats, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type state struct {
		addr netip.AddrPort
		bulk *bulk
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, fmt.Errorf("stats: %w", transport.ErrClosed)
	}
	states := map[transport.PeerID]state{}
	out := make([]transport.LinkStats, 0, len(n.peers))
	for _, p := range n.peers {
		out = append(out, transport.LinkStats{Peer: p.id, Up: p.up, Dialled: p.dialled, Address: p.event(p.up, "").Address, Since: time.Since(p.since)})
		if p.up {
			states[p.id] = state{p.addr[0], p.bulk}
		}
	}
	control := n.loops[0]
	n.mu.Unlock()
	for i := range out { // without the lock, since a loop's comes first
		if s, ok := states[out[i].Peer]; ok {
			control.do(func(now conn.Time, l *lane.Lane) { add(&out[i], l.GroupStats(now, s.addr)) })
			if s.bulk != nil {
				add(&out[i], s.bulk.group.Stats(n.now()))
			}
		}
	}
	slices.SortFunc(out, func(a, b transport.LinkStats) int { return slices.Compare(a.Peer[:], b.Peer[:]) })
	return out[:min(len(out), transport.MaxLinks)], nil
}

// add adds what the connections of a group have seen. The round trip is that of control, if it is known.
func add(s *transport.LinkStats, g conn.GroupStats) {
	if s.RTT == 0 {
		s.RTT, s.Variance = g.RTT, g.Variance
	}
	s.Lanes += g.Lanes
	s.Datagram = max(s.Datagram, g.Datagram)
	s.Queued += g.Queued
	s.SentBytes += g.SentBytes
	s.ReceivedBytes += g.ReceivedBytes
	s.Datagrams += g.Datagrams
	s.Retransmitted += g.Retransmitted
	s.Out += g.Out
	s.In += g.In
}
