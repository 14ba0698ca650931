package dpospbft

import (
	"context"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// Engine is an instance of the plugin: the protocol of one chain.
type Engine struct {
	cfg        pbft.Config
	onEvidence func(encoded []byte)

	mu     sync.Mutex // held while a run begins, so that there is one at a time
	run    *session
	closed bool
}

// NewEngine makes an engine. It calls onEvidence, if that is not nil, with each piece of evidence that it finds; the call must
// not block.
func NewEngine(cfg pbft.Config, onEvidence func(encoded []byte)) *Engine {
	return &Engine{cfg: cfg, onEvidence: onEvidence}
}

// Run implements consensus.Engine.
func (e *Engine) Run(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("run: the engine is closed: %w", consensus.ErrClosed)
	}
	if e.run != nil {
		_ = e.run.Close()
		e.run = nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := pbft.New(e.cfg, start)
	if err != nil {
		return nil, err
	}
	if why := m.Halted(); why != "" {
		return nil, fmt.Errorf("run: %s: %w", why, consensus.ErrConflict)
	}
	e.run = newSession(ctx, m, e.onEvidence)
	return e.run, nil
}

// Close ends the instance and a run that is under way.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.run != nil {
		_ = e.run.Close()
		e.run = nil
	}
	return nil
}

// Events that wait for the machine, and what a Ready may grow to while nobody takes it before no more events are accepted.
const (
	eventQueue = 256
	maxBacklog = 4096
)

// session is one run. Its goroutine owns the machine.
type session struct {
	onEvidence func([]byte)
	events     chan consensus.Event
	out        chan *consensus.Ready
	cancel     context.CancelFunc
	done       chan struct{}
}

func newSession(ctx context.Context, m *pbft.Machine, onEvidence func([]byte)) *session {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{onEvidence: onEvidence, events: make(chan consensus.Event, eventQueue), out: make(chan *consensus.Ready), cancel: cancel,
		done: make(chan struct{})}
	go func() {
		defer close(s.done)
		defer cancel()
		s.loop(ctx, m)
	}()
	return s
}

func (s *session) loop(ctx context.Context, m *pbft.Machine) {
	var next *consensus.Ready
	for ctx.Err() == nil {
		if next == nil && m.HasReady() {
			next = m.Ready()
			if s.onEvidence != nil {
				for _, v := range next.Evidence {
					s.onEvidence(v)
				}
			}
		}
		in, out := s.events, s.out
		if next == nil {
			out = nil
		} else if m.Backlog() >= maxBacklog {
			in = nil
		}
		select {
		case e := <-in:
			_ = m.Step(e) // the types were checked when it was queued
		case out <- next:
			next = nil
		case <-ctx.Done():
		}
	}
}

// Step implements consensus.Session.
func (s *session) Step(ctx context.Context, e consensus.Event) error {
	var known bool
	switch e := e.(type) {
	case *consensus.Woken:
		known = e != nil
	case *consensus.Message:
		known = e != nil
	case *consensus.Built:
		known = e != nil
	case *consensus.Checked:
		known = e != nil
	case *consensus.Finalised:
		known = e != nil
	}
	if !known {
		return fmt.Errorf("step: an event of type %T has no place here: %w", e, consensus.ErrInvalid)
	}
	select {
	case <-s.done:
		return consensus.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	select {
	case s.events <- e:
		return nil
	case <-s.done:
		return consensus.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next implements consensus.Session.
func (s *session) Next(ctx context.Context) (*consensus.Ready, error) {
	select {
	case <-s.done:
		return nil, consensus.ErrClosed
	default:
	}
	select {
	case r := <-s.out:
		return r, nil
	case <-s.done:
		return nil, consensus.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements consensus.Session.
func (s *session) Close() error {
	s.cancel()
	<-s.done
	return nil
}
