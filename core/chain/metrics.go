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
	refusals    *prometheus.CounterVec
	evidences   *prometheus.CounterVec
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
	reg.MustRegister(m.finalHeight, m.txs, m.finality, m.execution, m.faults, m.refusals, m.evidences)
	return m
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

func (m *Metrics) fault(chain, module string) {
	if m != nil {
		m.faults.WithLabelValues(chain, module).Inc()
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
