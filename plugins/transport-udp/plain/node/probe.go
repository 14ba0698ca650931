package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// probePace is the time between the datagrams of a probe.
	probePace = time.Millisecond
	// probeWait is how long the last confirmations are waited for.
	probeWait = 2 * time.Second
)

// probe is a measurement under way: START again and again, each confirmed by START_OK, and STOP at the end.
type probe struct {
	orders    map[uint64]bool // of the STARTs, see plain.Event; true when it was confirmed
	trips     []time.Duration // of those that were confirmed at the first attempt
	last      uint64          // latest that was confirmed
	overtaken int             // confirmed after a later one
	left      int
	broken    bool
	changed   chan struct{}
}

func (b *probe) change() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (p *peer) confirmed(e plain.Event) {
	if e.Sent == 1 {
		p.counts.trip(e.Trip)
	}
	for _, b := range p.probes {
		if seen, own := b.orders[e.Order]; !own || seen {
			continue
		}
		b.orders[e.Order] = true
		b.left--
		if e.Order < b.last {
			b.overtaken++
		}
		b.last = max(b.last, e.Order)
		if e.Sent == 1 {
			b.trips = append(b.trips, e.Trip)
		}
		b.change()
	}
}

// Probe measures the link with the paper's START and START_OK, one a millisecond. What had to be sent again counts as lost.
func (n *Node) Probe(ctx context.Context, id transport.PeerID, datagrams int) (transport.LinkReport, error) {
	var none transport.LinkReport
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if err := transport.CheckProbe(datagrams); err != nil {
		return none, err
	}
	b := &probe{orders: map[uint64]bool{}, left: datagrams, changed: make(chan struct{}, 1)}
	fail := func(err error) (transport.LinkReport, error) { return none, fmt.Errorf("probe %x: %w", id[:4], err) }
	var err error
	n.do(func(plain.Time, *plain.Hub) {
		switch p := n.peers[id]; {
		case n.closed:
			err = transport.ErrClosed
		case p == nil:
			err = transport.ErrUnknownPeer
		case !p.up:
			err = transport.ErrNotConnected
		default:
			p.probes = append(p.probes, b)
		}
	})
	if err != nil {
		return fail(err)
	}
	defer n.do(func(plain.Time, *plain.Hub) {
		if p := n.peers[id]; p != nil {
			p.probes = slices.DeleteFunc(p.probes, func(o *probe) bool { return o == b })
		}
	})
	pace := time.NewTicker(probePace)
	defer pace.Stop()
	var limit <-chan time.Time // from the last on
	for sent := 0; ; {
		done := false
		n.do(func(now plain.Time, h *plain.Hub) {
			p := n.peers[id]
			switch {
			case n.closed:
				err = transport.ErrClosed
			case b.broken || p == nil || !p.up:
				err = transport.ErrNotConnected
			case sent < datagrams:
				if c := h.Conn(p.addr); c != nil && c.Send(now, wire.Start, nil) {
					b.orders[c.Stats().Messages] = false
					sent++
				}
			case b.left == 0:
				done = true
				if c := h.Conn(p.addr); c != nil {
					c.Send(now, wire.Stop, nil) // without it, nothing is wrong either
				}
			}
		})
		if err != nil {
			return fail(err)
		}
		if done {
			break
		}
		tick := pace.C
		if sent == datagrams {
			if tick = nil; limit == nil {
				t := time.NewTimer(probeWait)
				defer t.Stop()
				limit = t.C
			}
		}
		over := false
		select {
		case <-tick:
		case <-b.changed:
			if sent < datagrams { // the pace is kept
				select {
				case <-tick:
				case <-ctx.Done():
				case <-n.ctx.Done():
				}
			}
		case <-limit:
			over = true
		case <-ctx.Done():
			return fail(ctx.Err())
		case <-n.ctx.Done():
			return fail(transport.ErrClosed)
		}
		if over {
			break
		}
	}
	var r transport.LinkReport
	n.do(func(plain.Time, *plain.Hub) { r = b.report(datagrams) })
	return r, nil
}

func (b *probe) report(sent int) transport.LinkReport {
	r := transport.LinkReport{Sent: sent, Lost: sent - len(b.trips), Reordered: b.overtaken}
	if slices.Sort(b.trips); len(b.trips) > 0 {
		at := func(percent int) time.Duration { return b.trips[min(len(b.trips)*percent/100, len(b.trips)-1)] }
		r.Min, r.P50, r.P99 = max(b.trips[0], 1), max(at(50), 1), max(at(99), 1)
	}
	return r
}
