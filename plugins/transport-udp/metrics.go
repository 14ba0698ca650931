package transportudp

import (
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
)

const (
	// metricPace is the time between two reports to the core of what the sockets have counted.
	metricPace = time.Second
	// metricAll is how many reports are of what has changed, until one is of everything: the core may have missed some.
	metricAll = 10
)

// measured is a counter as the core is told it.
type measured struct {
	name  string
	value func(*lane.Stats) *uint64
}

// counters are those of which the sum over all sockets is told. The first three are the usual signs of trouble or an attack.
func counters() []measured {
	return []measured{
		{"junk_datagrams", func(s *lane.Stats) *uint64 { return &s.Junk }},
		{"stray_datagrams", func(s *lane.Stats) *uint64 { return &s.Stray }},
		{"forged_datagrams", func(s *lane.Stats) *uint64 { return &s.Forged }},
		{"replayed_datagrams", func(s *lane.Stats) *uint64 { return &s.Replayed }},
		{"datagrams", func(s *lane.Stats) *uint64 { return &s.Datagrams }},
		{"handshakes", func(s *lane.Stats) *uint64 { return &s.Handshakes }},
		{"handshakes_denied", func(s *lane.Stats) *uint64 { return &s.Denied }},
		{"handshakes_limited", func(s *lane.Stats) *uint64 { return &s.Limited }},
		{"calls_refused", func(s *lane.Stats) *uint64 { return &s.Refused }},
		{"calls_of_mode_plain", func(s *lane.Stats) *uint64 { return &s.Plain }},
		{"cookies_sent", func(s *lane.Stats) *uint64 { return &s.Cookies }},
		{"resets", func(s *lane.Stats) *uint64 { return &s.Resets }},
		{"moves", func(s *lane.Stats) *uint64 { return &s.Moves }},
	}
}

// measure tells the core the counters of all sockets, once a second, those that have changed.
func (n *node) measure() {
	told := map[string]uint64{}
	pace := time.NewTicker(metricPace)
	defer pace.Stop()
	for round := 0; ; round++ {
		var sum lane.Stats
		n.mu.Lock()
		loops := n.loops
		n.mu.Unlock()
		for _, l := range loops { // without the lock, since a loop's comes first
			if l == nil {
				continue
			}
			s := l.stats()
			for _, c := range counters() {
				*c.value(&sum) += *c.value(&s)
			}
		}
		for _, c := range counters() {
			v := *c.value(&sum)
			if round%metricAll == 0 || told[c.name] != v {
				told[c.name] = v
				n.host.Metric(c.name, float64(v))
			}
		}
		select {
		case <-pace.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// stats returns what the loop's socket has counted.
func (p *loop) stats() lane.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lane.Stats()
}
