package chain

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of all chains of a node; the label is the chain's name. A nil *Metrics counts nothing.
type Metrics struct {
	finalHeight *prometheus.GaugeVec
	txs         *prometheus.CounterVec
	finality    *prometheus.HistogramVec
	execution   *prometheus.HistogramVec
	faults      *prometheus.CounterVec
	calls       *prometheus.CounterVec
	refusals    *prometheus.CounterVec
	evidences   *prometheus.CounterVec
	proposals   *prometheus.HistogramVec
	missedSlots *prometheus.CounterVec
	signatures  *prometheus.CounterVec
	shorts      *prometheus.CounterVec
	missing     *prometheus.CounterVec
	gauges      map[string]*prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	label := []string{"chain"}
	m := &Metrics{
		finalHeight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "alto_chain_final_height_blocks", Help: "Height of the newest final block."}, label),
		txs:         prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_final_transactions_total", Help: "Transactions in final blocks."}, label),
		finality: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "alto_chain_finality_seconds", Help: "From a block's slot to its finality.",
			Buckets: []float64{.01, .025, .05, .1, .2, .3, .5, 1, 2, 5, 10, 60}}, label),
		execution: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "alto_chain_execution_seconds", Help: "Execution of a block.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}}, label),
		faults:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_module_faults_total", Help: "Blocks in which a module answered illegally."}, []string{"chain", "module"}),
		refusals:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_guard_refusals_total", Help: "Signatures that the guard refused."}, label),
		evidences: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_evidence_total", Help: "Proofs of double signing that were found."}, label),
	}
	m.proposals = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "alto_chain_proposal_delay_seconds",
		Help: "From the start of an own slot to the moment in which the proposal leaves.", Buckets: []float64{.002, .005, .01, .015, .02, .03, .05, .1, .25, .5}}, label)
	m.missedSlots = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_missed_slots_total", Help: "Slots without a block between final blocks."}, label)
	m.signatures = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_signatures_total",
		Help: "What this node has signed and sent, by purpose: votes and proposals."}, []string{"chain", "purpose"})
	m.shorts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_short_bodies_total",
		Help: "Bodies that came in short form, by what it took: whole (all was in the pool), asked (some was asked for), in_full, malformed."}, []string{"chain", "result"})
	m.missing = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_short_missing_transactions_total",
		Help: "Transactions of bodies in short form that were not in the pool."}, label)
	m.calls = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "alto_chain_module_calls_total",
		Help: "What modules were asked, by the call: check, execute, extend, query, validate_params; and what they asked for meanwhile: read, scan."},
		[]string{"chain", "module", "call"})
	reg.MustRegister(m.shorts, m.missing, m.calls)
	reg.MustRegister(m.finalHeight, m.txs, m.finality, m.execution, m.faults, m.refusals, m.evidences, m.proposals, m.missedSlots, m.signatures)
	m.gauges = map[string]*prometheus.GaugeVec{}
	for name, help := range map[string]string{
		"alto_chain_epoch_number": "Epoch in force.", "alto_chain_slot_number": "Slot that the node's clock is in.",
		"alto_chain_head_height_blocks": "Height of what the engine builds on.", "alto_chain_seat_bool": "1 if this node has a seat in the epoch in force.",
		"alto_chain_producers_count": "Seats of the epoch in force.", "alto_chain_halted_bool": "1 if the chain has halted on this node.",
		"alto_chain_stalled_bool": "1 while the chain waits, such as for room on the disk.",
		"alto_chain_trouble_bool": "1 while something is wrong with this node's part in consensus; its status says what.",
	} {
		m.gauges[name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, label)
		reg.MustRegister(m.gauges[name])
	}
	return m
}

// status sets what tells where the chain stands.
func (m *Metrics) status(c *Chain) {
	if m == nil {
		return
	}
	s := c.Status()
	set := func(name string, v float64) { m.gauges[name].WithLabelValues(s.Name).Set(v) }
	flag := func(name string, v bool) {
		if v {
			set(name, 1)
		} else {
			set(name, 0)
		}
	}
	set("alto_chain_epoch_number", float64(s.Epoch))
	set("alto_chain_slot_number", float64(s.Slot))
	set("alto_chain_head_height_blocks", float64(s.Head))
	set("alto_chain_producers_count", float64(s.Producers))
	flag("alto_chain_seat_bool", s.Producer)
	flag("alto_chain_halted_bool", s.Halted != "")
	flag("alto_chain_stalled_bool", s.Stalled != "")
	flag("alto_chain_trouble_bool", s.Trouble != "")
}

func (m *Metrics) proposed(chain string, delayMs uint64) {
	if m != nil {
		m.proposals.WithLabelValues(chain).Observe(float64(delayMs) / 1000)
	}
}

func (m *Metrics) missed(chain string, slots uint64) {
	if m != nil {
		m.missedSlots.WithLabelValues(chain).Add(float64(slots))
	}
}

func (m *Metrics) signed(chain, purpose string) {
	if m != nil {
		m.signatures.WithLabelValues(chain, purpose).Inc()
	}
}

func (m *Metrics) final(chain string, height uint64, txs int, delayMs uint64) {
	if m != nil {
		m.finalHeight.WithLabelValues(chain).Set(float64(height))
		m.txs.WithLabelValues(chain).Add(float64(txs))
		m.finality.WithLabelValues(chain).Observe(float64(delayMs) / 1000)
	}
}

func (m *Metrics) executed(chain string, _ int, d time.Duration) {
	if m != nil {
		m.execution.WithLabelValues(chain).Observe(d.Seconds())
	}
}

func (m *Metrics) shortBody(chain, result string, missing int) {
	if m != nil {
		m.shorts.WithLabelValues(chain, result).Inc()
		m.missing.WithLabelValues(chain).Add(float64(missing))
	}
}

func (m *Metrics) fault(chain, module string) {
	if m != nil {
		m.faults.WithLabelValues(chain, module).Inc()
	}
}

func (m *Metrics) called(chain, module, call string) {
	if m != nil {
		m.calls.WithLabelValues(chain, module, call).Inc()
	}
}

func (m *Metrics) refused(chain string) {
	if m != nil {
		m.refusals.WithLabelValues(chain).Inc()
	}
}

func (m *Metrics) evidence(chain string) {
	if m != nil {
		m.evidences.WithLabelValues(chain).Inc()
	}
}
