package faultproxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Errors, told apart with errors.Is.
var (
	// ErrInvalid: a name, an address, a fault or a scenario is not what the documentation asks for.
	ErrInvalid = errors.New("invalid")
	// ErrClosed: the proxy has been closed.
	ErrClosed = errors.New("the fault proxy is closed")
)

// Names with a meaning of their own.
const (
	// Unknown is the name of all senders that nobody has registered.
	Unknown = "unknown"
	// Any stands for every name, Unknown included, where faults are set.
	Any = "*"
)

// Endpoint is an address of the proxy that stands for an address of a node.
type Endpoint struct {
	Name   string         // of the node; may have several endpoints
	Listen netip.AddrPort // loopback; port 0 lets the system choose; the zero value is 127.0.0.1:0
	Target netip.AddrPort // loopback; no two endpoints have the same; may be set later with SetTarget
}

// Endpoints returns endpoints of one node that listen on an address of its own with the ports of the real addresses.
func Endpoints(name string, at netip.Addr, targets ...netip.AddrPort) []Endpoint {
	var es []Endpoint
	for _, t := range targets {
		es = append(es, Endpoint{Name: name, Listen: netip.AddrPortFrom(at, t.Port()), Target: t})
	}
	return es
}

// Config is what New needs. Zero values of the limits mean the defaults.
type Config struct {
	Seed      uint64
	Endpoints []Endpoint
	Faults    Faults // of all pairs, until SetFaults says otherwise

	MaxFlows   int           // senders that are no targets, each with a socket; 256 by default
	FlowIdle   time.Duration // a flow without a datagram for so long ends; a minute by default
	MaxPending int           // bytes of buffers of datagrams on their way; 64 MiB by default. What exceeds it is dropped and counted

	Log *slog.Logger // changes of faults, with the seed; nil: nowhere
}

type pair struct{ from, to string }

// sender is what is known of a source address.
type sender struct {
	name string
	via  *endpoint // whose target it is, or nil
}

// Proxy is a running proxy. Its methods may be used by several goroutines at once.
type Proxy struct {
	cfg   Config
	log   *slog.Logger
	start time.Time
	queue *queue
	done  chan struct{}
	wait  sync.WaitGroup

	mu        sync.RWMutex // before link.mu, before queue.mu
	closed    bool
	endpoints []*endpoint
	names     map[string]bool
	senders   map[netip.AddrPort]sender
	links     map[pair]*link
	rules     map[pair]Faults
	groups    map[string]uint64 // bit i: the name is in group i; nil: no partition
	flows     map[flowKey]*flow
	noTarget  uint64
	noFlow    uint64
}

// New opens the endpoints and begins to forward. Errors wrap ErrInvalid, or are those of the sockets.
func New(cfg Config) (*Proxy, error) {
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = 256
	}
	if cfg.FlowIdle == 0 {
		cfg.FlowIdle = time.Minute
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 64 << 20
	}
	if cfg.MaxFlows < 0 || cfg.FlowIdle < 0 || cfg.MaxPending < 0 {
		return nil, fmt.Errorf("fault proxy: a limit is below 0: %w", ErrInvalid)
	}
	if err := cfg.Faults.Check(); err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{cfg: cfg, log: cfg.Log, start: time.Now(), queue: newQueue(cfg.MaxPending), done: make(chan struct{}),
		names: map[string]bool{Unknown: true}, senders: map[netip.AddrPort]sender{}, links: map[pair]*link{},
		rules: map[pair]Faults{{Any, Any}: cfg.Faults}, flows: map[flowKey]*flow{}}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.log.With("faultproxy_seed", cfg.Seed)
	p.wait.Go(p.deliver)
	for _, e := range cfg.Endpoints {
		if _, err := p.AddEndpoint(e); err != nil {
			p.Close()
			return nil, err
		}
	}
	p.log.Info("fault proxy runs", "endpoints", len(cfg.Endpoints), "faults", cfg.Faults.String())
	return p, nil
}

// Seed returns the seed that the decisions are drawn from.
func (p *Proxy) Seed() uint64 { return p.cfg.Seed }

// fail says what failed, and the seed.
func (p *Proxy) fail(err error, format string, args ...any) error {
	return fmt.Errorf("fault proxy (seed %d): %s: %w", p.cfg.Seed, fmt.Sprintf(format, args...), err)
}

// checkName accepts what a scenario can name.
func checkName(name string) error {
	if len(name) == 0 || len(name) > 64 {
		return fmt.Errorf("the name %q is not 1 to 64 bytes long: %w", name, ErrInvalid)
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '/' || c == ':') {
			return fmt.Errorf("the name %q has a character other than letters, digits and - _ . / : %w", name, ErrInvalid)
		}
	}
	return nil
}

// checkAddr accepts loopback addresses.
func checkAddr(a netip.AddrPort, needPort bool) error {
	if !a.Addr().IsLoopback() || needPort && a.Port() == 0 {
		return fmt.Errorf("the address %s is no loopback address with a port: %w", a, ErrInvalid)
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// AddEndpoint opens one more endpoint and returns its address.
func (p *Proxy) AddEndpoint(e Endpoint) (netip.AddrPort, error) {
	none := netip.AddrPort{}
	if !e.Listen.IsValid() {
		e.Listen = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	e.Listen, e.Target = unmap(e.Listen), unmap(e.Target)
	err := checkName(e.Name)
	if err == nil {
		err = checkAddr(e.Listen, false)
	}
	if err != nil {
		return none, p.fail(err, "add endpoint %s", e.Name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return none, p.fail(ErrClosed, "add endpoint %s", e.Name)
	}
	if err := p.checkTarget(nil, e.Target); err != nil {
		return none, p.fail(err, "add endpoint %s", e.Name)
	}
	sock, err := openSocket(e.Listen)
	if err != nil {
		return none, p.fail(err, "add endpoint %s", e.Name)
	}
	n := &endpoint{name: e.Name, sock: sock, at: unmap(sock.LocalAddr().(*net.UDPAddr).AddrPort())}
	p.endpoints = append(p.endpoints, n)
	p.names[n.name] = true
	p.aim(n, e.Target)
	p.wait.Go(func() { p.read(n) })
	return n.at, nil
}

// Addr returns the address of the first endpoint of a name, or the zero value if there is none.
func (p *Proxy) Addr(name string) netip.AddrPort {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, e := range p.endpoints {
		if e.name == name {
			return e.at
		}
	}
	return netip.AddrPort{}
}

// SetTarget changes where the endpoint that listens at an address forwards to, for a node that chooses its port when it
// starts, or has moved. The zero value takes the target away: what comes is dropped.
func (p *Proxy) SetTarget(listen, target netip.AddrPort) error {
	listen, target = unmap(listen), unmap(target)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail(ErrClosed, "set target of %s", listen)
	}
	i := slices.IndexFunc(p.endpoints, func(e *endpoint) bool { return e.at == listen })
	if i < 0 {
		return p.fail(ErrInvalid, "set target of %s: no endpoint listens there", listen)
	}
	if err := p.checkTarget(p.endpoints[i], target); err != nil {
		return p.fail(err, "set target of %s", listen)
	}
	p.aim(p.endpoints[i], target)
	return nil
}

// checkTarget is called with the lock held.
func (p *Proxy) checkTarget(e *endpoint, target netip.AddrPort) error {
	if !target.IsValid() {
		return nil
	}
	if err := checkAddr(target, true); err != nil {
		return err
	}
	if s := p.senders[target]; s.via != nil && s.via != e {
		return fmt.Errorf("the target %s is that of an endpoint of %s: %w", target, s.via.name, ErrInvalid)
	}
	if slices.ContainsFunc(p.endpoints, func(o *endpoint) bool { return o.at == target }) {
		return fmt.Errorf("the target %s is an endpoint itself: %w", target, ErrInvalid)
	}
	return nil
}

// aim is called with the lock held.
func (p *Proxy) aim(e *endpoint, target netip.AddrPort) {
	if e.target.IsValid() {
		delete(p.senders, e.target)
	}
	for k, f := range p.flows {
		if k.to == e || k.from == target {
			p.endFlow(k, f)
		}
	}
	if e.target = target; target.IsValid() {
		p.senders[target] = sender{e.name, e}
	}
}

// Register names the sender at a source address, which need not be a node: a client, or a node's further socket. Targets
// of endpoints are registered by themselves.
func (p *Proxy) Register(name string, addr netip.AddrPort) error {
	addr = unmap(addr)
	if err := checkName(name); err != nil {
		return p.fail(err, "register %s", addr)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail(ErrClosed, "register %s", addr)
	}
	if err := checkAddr(addr, true); err != nil {
		return p.fail(err, "register %s", name)
	}
	if s := p.senders[addr]; s.via != nil {
		return p.fail(ErrInvalid, "register %s: %s is the target of an endpoint of %s", name, addr, s.via.name)
	}
	p.names[name] = true
	p.senders[addr] = sender{name: name}
	return nil
}

// Close ends everything and waits for it. What is on its way is dropped.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.done)
		for _, e := range p.endpoints {
			_ = e.sock.Close()
		}
		for k, f := range p.flows {
			p.endFlow(k, f)
		}
		p.queue.close()
	}
	p.mu.Unlock()
	p.wait.Wait()
	return nil
}
