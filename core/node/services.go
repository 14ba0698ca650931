package node

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// services is what an instance may ask of the core. What it has signed carries the kind of the plugin in its purpose, so that it
// can be neither a vote nor a transaction, nor what another kind has had signed.
type services struct {
	node    *Node
	kind    plugin.Kind
	chain   types.ChainID
	journal *journal.Journal // nil for a transport
	log     *slog.Logger
	gauges  *gauges
	name    string // the chain's
}

// Sign signs for a plugin on a chain in which the node's key has, or has had, a seat: a producer that has left the schedule may
// still owe something, such as its ballot in a dispute that began before.
func (s *services) Sign(ctx context.Context, purpose string, ordinal uint64, payload []byte) ([]byte, error) {
	if had, err := s.node.hadSeat(ctx, s.chain); s.journal == nil || err != nil || !had {
		if err != nil {
			return nil, fmt.Errorf("sign for plugin kind %s: %w", s.kind, err)
		}
		return nil, fmt.Errorf("sign for plugin kind %s: this node has no seat and had none before", s.kind)
	}
	// What the signature may rest on is in the journal first, as for a vote.
	if err := s.journal.Sync(); err != nil {
		return nil, err
	}
	r, err := s.node.cfg.Signer.SignAll(s.chain, uint64(s.journal.Synced()), []signer.Request{
		{Purpose: "plugin/" + string(s.kind) + "/" + purpose, Ordinal: ordinal, Payload: payload}})
	if err != nil {
		return nil, err
	}
	return r[0].Sig, r[0].Err
}

func (s *services) ProveVRF(_ context.Context, input []byte) ([]byte, error) {
	return s.node.cfg.Signer.ProveVRF(append(s.chain[:], input...))
}

func (s *services) Derive(_ context.Context, label string) ([]byte, error) {
	return s.node.cfg.Signer.Derive(string(s.kind)+"/"+label, s.chain)
}

func (s *services) BindTransport(_ context.Context, sessionKey []byte) ([]byte, error) {
	if s.kind != plugin.Transport {
		return nil, fmt.Errorf("bind a session key: a %s plugin is no transport", s.kind)
	}
	return s.node.cfg.Signer.BindTransport(sessionKey)
}

func (s *services) Log(level, message string, fields map[string]string) {
	args := make([]any, 0, 2*len(fields))
	for k, v := range fields {
		args = append(args, k, v)
	}
	l := slog.LevelInfo
	switch strings.ToLower(level) {
	case "debug", "trace":
		l = slog.LevelDebug
	case "warn", "warning":
		l = slog.LevelWarn
	case "error":
		l = slog.LevelError
	}
	s.log.Log(context.Background(), l, message, args...)
}

func (s *services) Metric(name string, value float64) { s.gauges.set(s.kind, s.name, name, value) }

var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// gauges are the plugins' own metrics: alto_plugin_value{kind, chain, name}.
type gauges struct {
	vec   *prometheus.GaugeVec
	mu    sync.Mutex
	names map[string]bool
}

// maxMetricNames bounds the metrics that all plugins of a node may make up together.
const maxMetricNames = 1024

func newGauges(reg prometheus.Registerer) *gauges {
	g := &gauges{names: map[string]bool{}}
	g.vec = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "alto_plugin_value", Help: "What plugins measure of themselves."},
		[]string{"kind", "chain", "name"})
	reg.MustRegister(g.vec)
	return g
}

func (g *gauges) set(kind plugin.Kind, chain, name string, value float64) {
	if g == nil || !metricName.MatchString(name) {
		return
	}
	key := string(kind) + "\x00" + chain + "\x00" + name
	g.mu.Lock()
	ok := g.names[key] || len(g.names) < maxMetricNames
	if ok {
		g.names[key] = true
	}
	g.mu.Unlock()
	if ok {
		g.vec.WithLabelValues(string(kind), chain, name).Set(value)
	}
}
