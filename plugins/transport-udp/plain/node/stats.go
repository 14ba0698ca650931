package node

import (
	"context"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// rateSeconds is over how many seconds rates are taken.
const rateSeconds = 4

// rate counts bytes by the second.
type rate struct {
	total   uint64
	second  int64
	buckets [rateSeconds + 1]uint64 // the last is the second that is not over
}

func (r *rate) turn(now time.Duration) {
	s := int64(now / time.Second)
	for ; r.second < s-rateSeconds; r.second = s - rateSeconds {
		clear(r.buckets[:])
	}
	for ; r.second < s; r.second++ {
		copy(r.buckets[:], r.buckets[1:])
		r.buckets[rateSeconds] = 0
	}
}

func (r *rate) add(now time.Duration, n int) {
	r.turn(now)
	r.buckets[rateSeconds] += uint64(n)
	r.total += uint64(n)
}

// perSecond is the mean of the last whole seconds.
func (r *rate) perSecond(now time.Duration) uint64 {
	r.turn(now)
	sum := uint64(0)
	for _, b := range r.buckets[:rateSeconds] {
		sum += b
	}
	return sum / rateSeconds
}

// counts are what a connection has seen since it came up.
type counts struct {
	base           plain.Stats // when it came up
	out, in        rate
	rtt, variation time.Duration
}

func (c *counts) sent(now time.Duration, n int)     { c.out.add(now, n) }
func (c *counts) received(now time.Duration, n int) { c.in.add(now, n) }

// trip takes a round trip into the estimate of RFC 6298.
func (c *counts) trip(d time.Duration) {
	if c.rtt == 0 {
		c.rtt, c.variation = max(d, 1), d/2
		return
	}
	c.variation += ((c.rtt - d).Abs() - c.variation) / 4
	c.rtt = max(c.rtt+(d-c.rtt)/8, 1)
}

// Stats tells the state of all links.
func (n *Node) Stats(ctx context.Context) ([]transport.LinkStats, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []transport.LinkStats
	var err error
	n.do(func(_ plain.Time, h *plain.Hub) {
		if n.closed {
			err = fmt.Errorf("stats: %w", transport.ErrClosed)
			return
		}
		now := time.Since(n.start)
		for _, p := range n.sorted() {
			if len(out) == transport.MaxLinks {
				return
			}
			s := transport.LinkStats{Peer: p.id, Up: p.up, Dialled: p.dialled, Address: p.where(), Since: max(now-p.since, 0)}
			if p.up && h != nil {
				s.Lanes, s.RTT, s.Variance = 1, p.counts.rtt, p.counts.variation
				if s.Datagram = n.cfg.Datagram; p.addr.Addr().IsLoopback() {
					s.Datagram = n.piece + wire.HeaderSize
				}
				for l := range p.queue {
					s.Queued += p.queue[l].bytes
					if o := p.sending[l]; o != nil {
						s.Queued += len(o.payload) - o.off
					}
				}
				s.SentBytes, s.ReceivedBytes = p.counts.out.total, p.counts.in.total
				s.Out, s.In = p.counts.out.perSecond(now), p.counts.in.perSecond(now)
				if c := h.Conn(p.addr); c != nil {
					st := c.Stats()
					s.Datagrams, s.Retransmitted = st.Messages-p.counts.base.Messages, st.Retransmitted-p.counts.base.Retransmitted
				}
			}
			out = append(out, s)
		}
	})
	return out, err
}
