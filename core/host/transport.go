package host

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Transport returns the instance as a transport. A new process listens nowhere: when a link has ended with an error that
// wraps [ErrPluginLost], its owner calls Listen with the same address, attaches and dials again. It panics if the instance is
// of another kind.
func (i *Instance) Transport() transport.Transport {
	if t, ok := localAs[transport.Transport](i, plugin.Transport); ok {
		return t
	}
	return wires{i}
}

type wires struct{ i *Instance }

func (w wires) Listen(ctx context.Context, address string) (string, error) {
	return call(ctx, w.i, "transport.Listen", transport.NewClient, func(ctx context.Context, c transport.Transport) (string, error) {
		return c.Listen(ctx, address)
	})
}

func (w wires) Probe(ctx context.Context, peer transport.PeerID, datagrams int) (transport.LinkReport, error) {
	return call(ctx, w.i, "transport.Probe", transport.NewClient, func(ctx context.Context, c transport.Transport) (transport.LinkReport, error) {
		return c.Probe(ctx, peer, datagrams)
	})
}

func (w wires) Stats(ctx context.Context) ([]transport.LinkStats, error) {
	return call(ctx, w.i, "transport.Stats", transport.NewClient, func(ctx context.Context, c transport.Transport) ([]transport.LinkStats, error) {
		return c.Stats(ctx)
	})
}

func (w wires) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	t, l, err := converse(ctx, w.i, "transport.Attach", transport.NewClient, func(ctx context.Context, c transport.Transport) (transport.Link, error) {
		return c.Attach(ctx, lane)
	})
	if err != nil {
		return nil, err
	}
	return &link{l, t, ctx}, nil
}

type link struct {
	l transport.Link
	*talk
	ctx context.Context
}

func (l *link) Dial(peer transport.PeerID, address string) error {
	return l.result(l.ctx, l.l.Dial(peer, address))
}

func (l *link) Hangup(peer transport.PeerID) error { return l.result(l.ctx, l.l.Hangup(peer)) }

func (l *link) Send(out transport.Outgoing) error { return l.result(l.ctx, l.l.Send(out)) }

func (l *link) Recv() (transport.Incoming, error) {
	in, err := l.l.Recv()
	return in, l.result(l.ctx, err)
}

func (l *link) Close() error {
	err := l.l.Close()
	l.finish(false)
	return err
}
