package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// linkMetrics are the metrics of a node's links. They are read from the transport when somebody asks for them. Labels are the
// names of peers in the configuration; all others are one, so that strangers cannot make metrics up.
type linkMetrics struct {
	read func(context.Context) ([]Link, error)
	held func() uint64
	// reading is held while the transport is asked, so that one that hangs is asked once.
	reading  chan struct{}
	deadline time.Duration

	perPeer                           []linkMetric
	descHeld, descStrangers, descRead *prometheus.Desc
}

// strangers is the label of all peers that are not in the configuration. No name there has parentheses.
const strangers = "(strangers)"

// scrapeDeadline is how long the transport has to tell the state of its links.
const scrapeDeadline = time.Second

// linkMetric is a metric with the label peer.
type linkMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*linkSum) float64
	named bool // makes no sense of strangers together
}

// linkSum is what a label's links have together.
type linkSum struct {
	up                            int
	rtt                           time.Duration
	lanes, queued                 int
	sent, received, retransmitted uint64
	datagrams                     uint64
}

func metricOf(kind prometheus.ValueType, named bool, name, help string, value func(*linkSum) float64) linkMetric {
	return linkMetric{prometheus.NewDesc(name, help, []string{"peer"}, nil), kind, value, named}
}

func linkMetricList() []linkMetric {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	return []linkMetric{
		metricOf(gauge, true, "alto_link_up_bool", "1 if there is a connection with the peer.", func(s *linkSum) float64 { return float64(min(s.up, 1)) }),
		metricOf(gauge, true, "alto_link_rtt_seconds", "Smoothed round trip; 0 if unknown.", func(s *linkSum) float64 { return s.rtt.Seconds() }),
		metricOf(counter, false, "alto_link_datagrams_total", "Datagrams that wanted confirmation, since the connection came up.",
			func(s *linkSum) float64 { return float64(s.datagrams) }),
		metricOf(counter, false, "alto_link_retransmitted_total", "How often a datagram was sent again, since the connection came up.",
			func(s *linkSum) float64 { return float64(s.retransmitted) }),
		metricOf(counter, false, "alto_link_sent_bytes_total", "Bytes of messages that were sent, since the connection came up.",
			func(s *linkSum) float64 { return float64(s.sent) }),
		metricOf(counter, false, "alto_link_received_bytes_total", "Bytes of messages that were received, since the connection came up.",
			func(s *linkSum) float64 { return float64(s.received) }),
		metricOf(gauge, false, "alto_link_lanes_count", "Connections that carry the link.", func(s *linkSum) float64 { return float64(s.lanes) }),
		metricOf(gauge, false, "alto_link_queued_bytes", "Bytes that wait to be sent.", func(s *linkSum) float64 { return float64(s.queued) }),
	}
}

// newLinkMetrics makes the metrics of a node's links, to be registered.
func newLinkMetrics(read func(context.Context) ([]Link, error), held func() uint64) *linkMetrics {
	return &linkMetrics{read: read, held: held, reading: make(chan struct{}, 1), deadline: scrapeDeadline, perPeer: linkMetricList(),
		descHeld:      prometheus.NewDesc("alto_link_held_back_messages_total", "Messages that were not sent since too much waited for their receivers.", nil, nil),
		descStrangers: prometheus.NewDesc("alto_link_strangers_count", "Connections with nodes that are not in the configuration.", nil, nil),
		descRead: prometheus.NewDesc("alto_link_read_bool",
			"1 if the transport has told the state of its links in time; else the metrics of single peers are missing.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (m *linkMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, x := range m.perPeer {
		out <- x.desc
	}
	out <- m.descHeld
	out <- m.descStrangers
	out <- m.descRead
}

// Collect implements prometheus.Collector. It returns within the deadline, whatever the transport does.
func (m *linkMetrics) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(m.descHeld, prometheus.CounterValue, float64(m.held()))
	links, ok := m.within()
	read := 0.0
	if ok {
		read = 1
		m.collect(links, out)
	}
	out <- prometheus.MustNewConstMetric(m.descRead, prometheus.GaugeValue, read)
}

// within asks the transport and waits until the deadline. While an earlier question has no answer yet, it waits for that to end.
func (m *linkMetrics) within() ([]Link, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), m.deadline)
	select {
	case m.reading <- struct{}{}:
	case <-ctx.Done():
		cancel()
		return nil, false
	}
	type answer struct {
		links []Link
		err   error
	}
	ch := make(chan answer, 1)
	go func() {
		defer cancel()
		links, err := m.read(ctx)
		<-m.reading
		ch <- answer{links, err}
	}()
	select {
	case a := <-ch:
		return a.links, a.err == nil
	case <-ctx.Done():
		select {
		case a := <-ch: // it was both
			return a.links, a.err == nil
		default:
			return nil, false
		}
	}
}

func (m *linkMetrics) collect(links []Link, out chan<- prometheus.Metric) {
	sums := map[string]*linkSum{}
	for _, l := range links {
		label := l.Name
		if label == "" {
			label = strangers
		}
		s := sums[label]
		if s == nil {
			s = &linkSum{}
			sums[label] = s
		}
		s.add(&l.LinkStats)
	}
	count := 0
	if s := sums[strangers]; s != nil {
		count = s.up
	}
	out <- prometheus.MustNewConstMetric(m.descStrangers, prometheus.GaugeValue, float64(count))
	for _, x := range m.perPeer {
		for label, s := range sums {
			if label != strangers || !x.named {
				out <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value(s), label)
			}
		}
	}
}

// add adds a link. A peer may have several, of which the round trip of one that is up counts.
func (s *linkSum) add(l *transport.LinkStats) {
	if l.Up {
		s.up++
	}
	if l.RTT > 0 && (s.rtt == 0 || l.Up) {
		s.rtt = l.RTT
	}
	s.lanes += l.Lanes
	s.queued += l.Queued
	s.sent += l.SentBytes
	s.received += l.ReceivedBytes
	s.retransmitted += l.Retransmitted
	s.datagrams += l.Datagrams
}
