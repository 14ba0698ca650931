package transportudp

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// A probe measures the goodput of a link with a burst each way, which is messages on a channel that no core uses. They are named
// as the paper's test has them: START asks the other end for a burst, or TEST_OVER says that it makes none; DATA are the burst
// and come by the bulk lanes; STOP says how much that was; RESULT is what arrived, and in what time. All begin with a kind
// of a byte and the test's number, which its end has drawn.
const (
	testChannel = "\x00transport-udp test"
	// burstTime, burstBytes and burstPiece bound a burst, and each of its messages.
	burstTime  = time.Second
	burstBytes = 4 << 20
	burstPiece = 16 << 10
	// burstQueue is how much of one may wait to be sent: what is more would only make messages of the core late.
	burstQueue = 256 << 10
	// burstPace is the time between two looks at that queue.
	burstPace = time.Millisecond
	// burstWait is how long the rest of a burst, or its result, is waited for. A link that is slower has no result.
	burstWait = 2 * time.Second
	// maxServed is how many bursts are made at once for others. One peer gets one at a time, and the next after servePause.
	maxServed  = 4
	servePause = time.Second
	// maxGoodput is in bytes a second. What a peer says beyond is a lie.
	maxGoodput = 1 << 40

	testHead = 1 + 8
)

// burst is what comes of a test from a peer. The node's lock guards it.
type burst struct {
	number      uint64
	first, last time.Time
	head, bytes uint64 // of the first message, from which on the time counts, and of all
	total       uint64 // that were sent; 0 before STOP
	over        bool
	done        chan struct{} // closed when all is there; nil if it was the peer that began
}

// goodput is bytes and the time that they took.
type goodput struct {
	bytes uint64
	took  time.Duration
}

func (g goodput) rate() uint64 {
	if g.took <= 0 || g.bytes == 0 || g.bytes > burstBytes {
		return 0
	}
	if r := float64(g.bytes) / g.took.Seconds(); r < maxGoodput {
		return uint64(r)
	}
	return 0
}

func (b *burst) goodput() goodput { return goodput{b.bytes - b.head, b.last.Sub(b.first)} }

// tests are the bursts under way. The node's lock guards them.
type tests struct {
	results map[uint64]chan goodput // that are waited for, by the test's number
	serving int
}

// tested takes a message of a test. It is called with the lock held, and a lane's.
func (n *node) tested(p *peer, b []byte) {
	if len(b) < testHead {
		return
	}
	kind, number, rest := wire.ID(b[0]), binary.BigEndian.Uint64(b[1:]), b[testHead:]
	now := time.Now()
	switch kind {
	case wire.Start:
		n.serve(p, number, now)
	case wire.Data, wire.Stop:
		t := p.asked
		if t == nil || t.number != number {
			t = p.burst
		}
		if t == nil || t.number != number { // by bulk lanes DATA may come before anything else that is said of a test
			t = &burst{number: number}
			p.burst = t
		}
		if kind == wire.Data {
			if t.bytes == 0 {
				t.first, t.head = now, uint64(len(b))
			}
			t.bytes, t.last = t.bytes+uint64(len(b)), now
		} else if len(rest) == 8 {
			t.total = binary.BigEndian.Uint64(rest)
		}
		n.settleBurst(p, t)
	case wire.Result:
		if w := n.tests.results[number]; w != nil && len(rest) == 16 {
			delete(n.tests.results, number)
			took := binary.BigEndian.Uint64(rest[8:])
			w <- goodput{binary.BigEndian.Uint64(rest), time.Duration(min(took, uint64(time.Hour)))}
		}
	case wire.TestOver:
		if t := p.asked; t != nil && t.number == number && !t.over {
			t.over = true
			close(t.done)
		}
	}
}

// settleBurst notes that a burst is there. Who has not asked for it tells the peer.
func (n *node) settleBurst(p *peer, t *burst) {
	if t.over || t.total == 0 || t.bytes < t.total {
		return
	}
	t.over = true
	if t.done != nil {
		close(t.done)
		return
	}
	g := t.goodput()
	n.say(p, wire.Result, t.number, g.bytes, uint64(max(g.took, 0)))
}

// serve makes a burst that a peer asks for.
func (n *node) serve(p *peer, number uint64, now time.Time) {
	if n.tests.serving >= maxServed || p.serving || now.Sub(p.served) < servePause || !p.linked() {
		n.say(p, wire.TestOver, number)
		return
	}
	p.serving = true
	n.tests.serving++
	b := p.bulk
	n.wait.Go(func() {
		n.sendBurst(n.ctx, p, b, number)
		n.mu.Lock()
		p.serving, p.served = false, time.Now()
		n.tests.serving--
		n.mu.Unlock()
	})
}

// say sends a message of a test by the control lane, as soon as no lock is held.
func (n *node) say(p *peer, kind wire.ID, number uint64, values ...uint64) {
	addr, m := p.addr[0], testMessage(kind, number, values...)
	n.task(0, func(_ conn.Time, l *lane.Lane) { l.Send(addr, m) })
}

func testMessage(kind wire.ID, number uint64, values ...uint64) conn.Message {
	b := binary.BigEndian.AppendUint64([]byte{byte(kind)}, number)
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return conn.Message{Channel: testChannel, Payload: b}
}

// sendBurst sends as much as a link takes within the bounds, and says how much that was.
func (n *node) sendBurst(ctx context.Context, p *peer, b *bulk, number uint64) {
	piece := testMessage(wire.Data, number)
	piece.Payload = append(piece.Payload, make([]byte, burstPiece-len(piece.Payload))...)
	pace := time.NewTicker(burstPace)
	defer pace.Stop()
	sent := uint64(0)
	for end := time.Now().Add(burstTime); sent < burstBytes && time.Now().Before(end); {
		if b.group.Stats(n.now()).Queued < burstQueue {
			n.sendBulk(p, b, piece)
			sent += burstPiece
			continue
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
	}
	n.mu.Lock()
	if p.up && p.bulk == b {
		n.say(p, wire.Stop, number, sent)
	}
	n.mu.Unlock()
	n.tasks.run()
}

// measureOut sends a burst and returns the goodput that the peer tells, 0 if it tells none.
func (n *node) measureOut(ctx context.Context, p *peer) uint64 {
	number, result := random(), make(chan goodput, 1)
	n.mu.Lock()
	b := p.bulk
	if !p.up || !p.linked() {
		n.mu.Unlock()
		return 0
	}
	if n.tests.results == nil {
		n.tests.results = map[uint64]chan goodput{}
	}
	n.tests.results[number] = result
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.tests.results, number)
		n.mu.Unlock()
	}()
	n.sendBurst(ctx, p, b, number)
	return awaitBurst(ctx, n.ctx, burstWait, result, func(g goodput) uint64 { return g.rate() })
}

// measureIn asks the peer for a burst and returns its goodput, 0 if it does not come.
func (n *node) measureIn(ctx context.Context, p *peer) uint64 {
	t := &burst{number: random(), done: make(chan struct{})}
	n.mu.Lock()
	if !p.up || !p.linked() {
		n.mu.Unlock()
		return 0
	}
	p.asked = t
	n.say(p, wire.Start, t.number)
	n.mu.Unlock()
	n.tasks.run()
	return awaitBurst(ctx, n.ctx, burstTime+burstWait, t.done, func(struct{}) uint64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		return t.goodput().rate()
	})
}

// awaitBurst waits for the end of a test.
func awaitBurst[T any](ctx, closed context.Context, patience time.Duration, done <-chan T, rate func(T) uint64) uint64 {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case v := <-done:
		return rate(v)
	case <-limit.C:
	case <-ctx.Done():
	case <-closed.Done():
	}
	return 0
}

// measureGoodput completes a report. What cannot be measured, or not in time, is 0.
func (n *node) measureGoodput(ctx context.Context, id transport.PeerID, r *transport.LinkReport) {
	n.mu.Lock()
	p := n.peers[id]
	n.mu.Unlock()
	if p != nil {
		r.Out = n.measureOut(ctx, p)
		r.In = n.measureIn(ctx, p)
	}
}
