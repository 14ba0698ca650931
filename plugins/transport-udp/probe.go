package transportudp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// probePace is the time between the datagrams of a probe.
	probePace = time.Millisecond
	// probeWait is how long the answer to the last is waited for.
	probeWait = time.Second
)

// probes are the measurements under way.
type probes struct {
	mu   sync.Mutex
	open map[*probe]bool
}

// probe is one: echoes with the numbers from first on.
type probe struct {
	first uint64
	sent  []time.Time
	trips []time.Duration
	seen  []bool
	all   chan struct{} // closed when every echo has been answered
	// latest is the last one that was answered, overtaken how many were answered after a later one.
	latest    uint64
	overtaken int
}

func (p *probes) add(b *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[*probe]bool{}
	}
	p.open[b] = true
}

func (p *probes) remove(b *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, b)
}

// echoed takes an answer. One that no probe waits for, or that comes again, is ignored.
func (p *probes) echoed(number uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for b := range p.open {
		i := number - b.first
		if i >= uint64(len(b.sent)) || b.seen[i] {
			continue
		}
		b.seen[i] = true
		if i < b.latest {
			b.overtaken++
		}
		b.latest = max(b.latest, i)
		if b.trips = append(b.trips, now.Sub(b.sent[i])); len(b.trips) == len(b.seen) {
			close(b.all)
		}
	}
}

// Probe sends echoes on the control lane, one a millisecond, and waits for the answers. Then it measures the goodput.
func (n *node) Probe(ctx context.Context, id transport.PeerID, datagrams int) (transport.LinkReport, error) {
	var none transport.LinkReport
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if err := transport.CheckProbe(datagrams); err != nil {
		return none, err
	}
	n.mu.Lock()
	p, closed, l := n.peers[id], n.closed, n.loops[0]
	up := p != nil && p.up
	var addr netip.AddrPort
	if up {
		addr = p.addr[0]
	}
	n.mu.Unlock()
	switch {
	case closed:
		return none, fmt.Errorf("probe: %w", transport.ErrClosed)
	case p == nil:
		return none, fmt.Errorf("probe %x: %w", id[:4], transport.ErrUnknownPeer)
	case !up:
		return none, fmt.Errorf("probe %x: %w", id[:4], transport.ErrNotConnected)
	}
	b := &probe{first: random(), seen: make([]bool, datagrams), all: make(chan struct{})}
	n.probes.add(b)
	defer n.probes.remove(b)
	pace := time.NewTicker(probePace)
	defer pace.Stop()
	for i := range datagrams {
		n.probes.mu.Lock()
		b.sent = append(b.sent, time.Now())
		n.probes.mu.Unlock()
		l.do(func(now conn.Time, l *lane.Lane) { l.Echo(now, addr, b.first+uint64(i)) })
		if i == datagrams-1 {
			break
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return none, fmt.Errorf("probe %x: %w", id[:4], ctx.Err())
		case <-n.ctx.Done():
			return none, fmt.Errorf("probe %x: %w", id[:4], transport.ErrClosed)
		}
	}
	last := time.NewTimer(probeWait)
	defer last.Stop()
	select {
	case <-b.all:
	case <-last.C:
	case <-ctx.Done():
		return none, fmt.Errorf("probe %x: %w", id[:4], ctx.Err())
	case <-n.ctx.Done():
		return none, fmt.Errorf("probe %x: %w", id[:4], transport.ErrClosed)
	}
	n.probes.mu.Lock()
	trips := slices.Clone(b.trips)
	overtaken := b.overtaken
	n.probes.mu.Unlock()
	r := report(trips, datagrams)
	r.Reordered = overtaken
	n.measureGoodput(ctx, id, &r)
	return r, nil
}

func report(trips []time.Duration, sent int) transport.LinkReport {
	r := transport.LinkReport{Sent: sent, Lost: sent - len(trips)}
	if len(trips) > 0 {
		slices.Sort(trips)
		at := func(percent int) time.Duration { return trips[min(len(trips)*percent/100, len(trips)-1)] }
		r.Min, r.P50, r.P99 = max(trips[0], 1), max(at(50), 1), max(at(99), 1)
	}
	return r
}
