//go:build linux

package host

import (
	"context"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// counter is a consensus engine that answers each event with the number of it.
type counter struct{}

func (counter) Run(context.Context, *consensus.Start) (consensus.Session, error) {
	return &counting{events: make(chan struct{}, 1024), done: make(chan struct{})}, nil
}

type counting struct {
	events chan struct{}
	n      uint64
	once   sync.Once
	done   chan struct{}
}

func (s *counting) Step(ctx context.Context, _ consensus.Event) error {
	select {
	case s.events <- struct{}{}:
		return nil
	case <-s.done:
		return consensus.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *counting) Next(ctx context.Context) (*consensus.Ready, error) {
	select {
	case <-s.events:
		s.n++
		return &consensus.Ready{WakeAtMs: s.n}, nil
	case <-s.done:
		return nil, consensus.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *counting) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// echo is a transport whose peers answer with what they were sent.
type echo struct{}

func (*echo) Listen(_ context.Context, address string) (string, error) { return address, nil }

func (*echo) Stats(context.Context) ([]transport.LinkStats, error) { return nil, nil }

func (*echo) Probe(context.Context, transport.PeerID, int) (transport.LinkReport, error) {
	return transport.LinkReport{}, nil
}

func (*echo) Attach(ctx context.Context, _ transport.Lane) (transport.Link, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &echoLink{in: make(chan transport.Incoming, 1024), ctx: ctx, cancel: cancel}, nil
}

type echoLink struct {
	in     chan transport.Incoming
	ctx    context.Context
	cancel context.CancelFunc
}

func (*echoLink) Dial(transport.PeerID, string) error { return nil }
func (*echoLink) Hangup(transport.PeerID) error       { return nil }

func (l *echoLink) Send(out transport.Outgoing) error {
	select {
	case l.in <- transport.Incoming{Message: &transport.Message{Peer: out.Peers[0], Channel: out.Channel, Payload: out.Payload}}:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

func (l *echoLink) Recv() (transport.Incoming, error) {
	select {
	case in := <-l.in:
		return in, nil
	case <-l.ctx.Done():
		return transport.Incoming{}, l.ctx.Err()
	}
}

func (l *echoLink) Close() error {
	l.cancel()
	return nil
}
