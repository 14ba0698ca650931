package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"

	transportudp "github.com/paloalto-chain/paloalto/plugins/transport-udp"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ours is the name of the transport that the others stand beside.
const ours = "udp"

// opened is what the benchmark uses of a transport.Transport. Closing it ends it.
type opened interface {
	Listen(ctx context.Context, address string) (string, error)
	Attach(ctx context.Context, lane transport.Lane) (transport.Link, error)
	io.Closer
}

// setting is how a transport is opened.
type setting struct {
	Mode   string // of transport-udp
	Config string // further attributes of transport-udp, a JSON object
	MTU    int    // largest datagram of the path; 0: no limit
	Trip   int    // round trip of the path, in milliseconds
}

// contender is a transport that is measured.
type contender struct {
	name string
	open func(key ed25519.PrivateKey, at netip.AddrPort, s setting) (opened, *host, error)
	// about says with which settings it runs.
	about func(s setting) string
}

func contenders() []contender {
	return []contender{
		{ours, openUDP, aboutUDP},
		{"quic", openQUIC(quicOptions{perMessage: true}), aboutQUIC(quicOptions{perMessage: true})},
		{"quic-stream", openQUIC(quicOptions{}), aboutQUIC(quicOptions{})},
		{"quic-2conn", openQUIC(quicOptions{two: true}), aboutQUIC(quicOptions{two: true})},
		{"kcp", openKCP(true), aboutKCP(true)},
		{"kcp-clear", openKCP(false), aboutKCP(false)},
	}
}

func contenderOf(name string) (contender, error) {
	var names []string
	for _, c := range contenders() {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return contender{}, fmt.Errorf("no transport has the name %q; there are %q", name, names)
}

// nodeKey makes the key of a node: the same in every process of a run.
func nodeKey(seed uint64, node byte) ed25519.PrivateKey {
	var s [ed25519.SeedSize]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	s[31] = node
	return ed25519.NewKeyFromSeed(s[:])
}

func idOf(key ed25519.PrivateKey) transport.PeerID {
	return transport.PeerID(types.Ed25519Key(key.Public().(ed25519.PublicKey)).Hash())
}

// openUDP opens the transport under test, in process.
func openUDP(key ed25519.PrivateKey, at netip.AddrPort, s setting) (opened, *host, error) {
	config, err := configUDP(at, s)
	if err != nil {
		return nil, nil, err
	}
	h := &host{key: key}
	v, err := transportudp.Plugin().Open(context.Background(), h, plugin.OpenRequest{Kind: plugin.Transport, Config: config})
	if err != nil {
		return nil, nil, err
	}
	t, ok := v.(opened)
	if !ok {
		return nil, nil, fmt.Errorf("transport-udp opens a %T, which is no transport that can be closed", v)
	}
	return t, h, nil
}

// defaultMode is the mode that transport-udp has if it is not told.
func defaultMode() string {
	for _, a := range transportudp.Plugin().Describe().Kinds[0].Schema.Attributes {
		if a.Name == "mode" {
			return strings.Trim(a.Default, `"`)
		}
	}
	return ""
}

// configUDP returns the attributes. The bulk lane has the port after that of the node, so that the proxy knows it.
func configUDP(at netip.AddrPort, s setting) ([]byte, error) {
	attrs := map[string]any{"mode": s.Mode}
	known := map[string]bool{}
	for _, a := range transportudp.Plugin().Describe().Kinds[0].Schema.Attributes {
		known[a.Name] = true
	}
	if known["bulk_port"] {
		attrs["bulk_port"] = at.Port() + 1
	}
	if s.Mode == "open" && s.MTU > 0 { // that mode does not find out what the path takes
		attrs["datagram_loopback"] = s.MTU
	}
	if s.Config != "" {
		if err := json.Unmarshal([]byte(s.Config), &attrs); err != nil {
			return nil, fmt.Errorf("-config: %w", err)
		}
	}
	return json.Marshal(attrs)
}

func aboutUDP(s setting) string {
	b, err := configUDP(netip.AddrPort{}, s)
	if err != nil {
		return err.Error()
	}
	return "transport-udp " + transportudp.Version + " in process, " + string(b)
}

// host is the core as far as a transport sees it.
type host struct {
	key  ed25519.PrivateKey
	mu   sync.Mutex
	logs []string
}

var errNoHost = errors.New("the benchmark's host does not do that")

func (h *host) Sign(context.Context, string, uint64, []byte) ([]byte, error) { return nil, errNoHost }
func (h *host) ProveVRF(context.Context, []byte) ([]byte, error)             { return nil, errNoHost }
func (h *host) Derive(context.Context, string) ([]byte, error)               { return nil, errNoHost }
func (h *host) Metric(string, float64)                                       {}

func (h *host) BindTransport(_ context.Context, sessionKey []byte) ([]byte, error) {
	return transport.EncodeBinding(types.Ed25519Key(h.key.Public().(ed25519.PublicKey)), ed25519.Sign(h.key, transport.BindingBytes(sessionKey))), nil
}

// Log keeps the first lines.
func (h *host) Log(level, message string, fields map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.logs) < 20 {
		h.logs = append(h.logs, fmt.Sprintf("%s %s %v", level, message, fields))
	}
}

func (h *host) lines() []string {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.logs...)
}
