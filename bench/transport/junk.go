package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// junkSources is how many addresses of 127.77.0.0/16 strangers send from.
	junkSources = 64
	// junkPhases is how often it is quiet and junk comes, in turn.
	junkPhases = 3
	oversized  = 60_000
)

// junkResult is the latency of control messages of one transport without and with junk.
type junkResult struct {
	Peer        string
	Quiet, Junk account
	Sent        uint64 // junk datagrams
	Rate        float64
	Broken      int64 // connections
	Why         string
	CPU         [2]time.Duration // of the child, quiet and with junk
	Error       string           `json:",omitempty"`
}

// phases measures paced control messages while it is quiet and while junk comes, in turn. It calls phase before each.
func phases(p *pair, j job, phase func() error) (junkResult, error) {
	pat := newPattern(j.Seed)
	flows := make([]*flow, 2)
	for i, name := range []string{"quiet", "junk"} {
		flows[i] = newFlow(p, transport.Control, controlSize, pat, time.Now(), true)
		flows[i].channel = name
	}
	p.onMessage(1, func(m *transport.Message) {
		for _, f := range flows {
			if f.channel == m.Channel {
				f.took(m)
			}
		}
	})
	var r junkResult
	for i := range 2 * junkPhases {
		if err := phase(); err != nil {
			return r, err
		}
		f := flows[i%2]
		cpu := cpuTime()
		if err := f.pace(pacePeriod, f.now()+j.Time); err != nil {
			return r, err
		}
		r.CPU[i%2] += cpuTime() - cpu
		f.drain(time.Second)
	}
	for _, f := range flows {
		f.drain(patience)
	}
	r.Quiet, r.Junk = flows[0].account(), flows[1].account()
	r.Broken = p.downs.Load()
	r.Why, _ = p.why.Load().(string)
	return r, nil
}

// runJunk measures each transport.
func runJunk(ctx context.Context, o options, cs []contender, r *report) error {
	for _, c := range cs {
		x := junkOf(ctx, o, c)
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Junk = append(r.Junk, x)
		x.line(os.Stdout, o)
	}
	return nil
}

func junkOf(ctx context.Context, o options, c contender) *junkResult {
	x, err := junkRun(ctx, o, c)
	x.Peer = c.name
	if err != nil {
		x.Error = err.Error()
	}
	return x
}

func junkRun(ctx context.Context, o options, c contender) (*junkResult, error) {
	x := &junkResult{}
	at := newPlaces()
	t, err := newTap(at)
	if err != nil {
		return x, err
	}
	defer t.close()
	g, err := newJunk(t, o)
	if err != nil {
		return x, err
	}
	defer g.close()
	phase := min(o.time, mixedTime)
	j := job{Work: latencyWork, Peer: c.name, At: at.at, Dial: at.proxy, Time: phase, Seed: o.seed, Setting: setting{Mode: o.mode, Config: o.config, MTU: ethernet}}
	k, err := startChild(ctx, j, 2*junkPhases*(phase+2*time.Second)+2*connectTime+2*patience+30*time.Second)
	if err != nil {
		return x, err
	}
	defer k.close()
	var stop func() (uint64, time.Duration)
	var sent uint64
	var took time.Duration
	for i := 0; ; i++ {
		a, err := k.answer()
		if stop != nil {
			n, d := stop()
			sent, took, stop = sent+n, took+d, nil
		}
		if a.Junk != nil {
			x = a.Junk
			x.Sent = sent
			x.Rate = float64(sent) / max(took.Seconds(), 1e-9)
		}
		if err != nil || !a.Ready {
			return x, err
		}
		if i%2 == 1 {
			stop = g.start(ctx)
		}
		if err := k.proceed(); err != nil {
			return x, err
		}
	}
}

// junk sends what no node wants.
type junk struct {
	tap       *tap
	rate      int
	strangers bool // never from the peer's own address
	rand      *rand.Rand
	socks     []*net.UDPConn
}

func newJunk(t *tap, o options) (*junk, error) {
	g := &junk{tap: t, rate: o.junkRate, strangers: o.strangers, rand: rand.New(rand.NewPCG(o.seed, 77))}
	for i := range junkSources {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 77, byte(i), byte(1 + g.rand.IntN(250))}), 0)
		s, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		g.socks = append(g.socks, s)
	}
	return g, nil
}

func (g *junk) close() error {
	var errs []error
	for _, s := range g.socks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// start begins to send at the rate. The function that it returns ends that, and tells how many were sent in what time.
func (g *junk) start(ctx context.Context) func() (uint64, time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	var sent uint64
	var took time.Duration
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		start := time.Now()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				took = time.Since(start)
				return
			case <-tick.C:
			}
			due := uint64(time.Since(start).Seconds() * float64(g.rate))
			for n := 0; sent < due && n < 1000; n++ {
				g.one()
				sent++
			}
		}
	}()
	return func() (uint64, time.Duration) {
		cancel()
		<-ended
		return sent, took
	}
}

// one sends a datagram: random bytes, a real datagram cut off, altered or repeated, or one that is too long, from strangers
// or from where the peer is.
func (g *junk) one() {
	b := g.tap.recorded(g.rand.Uint64())
	kind := g.rand.IntN(20)
	if b == nil {
		kind = 0
	}
	switch {
	case kind < 6:
		b = g.random(1 + g.rand.IntN(ethernet))
	case kind < 10:
		b = b[:g.rand.IntN(len(b)+1)]
	case kind < 14 && len(b) > 0:
		for range 1 + g.rand.IntN(4) {
			b[g.rand.IntN(len(b))] ^= byte(1 + g.rand.IntN(255))
		}
	case kind < 19: // as it is
	default:
		b = g.random(oversized)
	}
	if !g.strangers && g.rand.IntN(4) == 0 {
		g.tap.asPeer(b)
		return
	}
	_, _ = g.socks[g.rand.IntN(len(g.socks))].WriteToUDPAddrPort(b, g.tap.target())
}

func (g *junk) random(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		v := g.rand.Uint64()
		for k := i; k < min(i+8, n); k++ {
			b[k] = byte(v)
			v >>= 8
		}
	}
	return b
}

// line prints the result.
func (x *junkResult) line(w io.Writer, o options) {
	if x.Error != "" {
		fmt.Fprintf(w, "%-12s %s\n", x.Peer, x.Error)
	}
	if x.Junk.Sent == 0 {
		return
	}
	ratio := func(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }
	fmt.Fprintf(w, "%-12s quiet: p50 %.2f p99 %.2f ms; with %.0f junk datagrams a second: p50 %.2f p99 %.2f ms; ratios %.2f and %.2f; a junk datagram costs %.1f µs; missing %d, altered %d\n",
		x.Peer, ms(x.Quiet.P50), ms(x.Quiet.P99), x.Rate, ms(x.Junk.P50), ms(x.Junk.P99), ratio(x.Junk.P50, x.Quiet.P50), ratio(x.Junk.P99, x.Quiet.P99),
		float64((x.CPU[1]-x.CPU[0]).Microseconds())/float64(max(x.Sent, 1)), x.Quiet.Missing+x.Junk.Missing, x.Quiet.Altered+x.Junk.Altered)
	if x.Broken > 0 {
		fmt.Fprintf(w, "    %d connections broke (%s)\n", x.Broken, x.Why)
	}
}
