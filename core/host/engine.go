package host

import (
	"context"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Engine returns the instance as a consensus engine. Run waits until the plugin is ready; a session whose process is lost
// ends with an error that wraps [ErrPluginLost], and the caller starts another with what the journal holds by then. It
// panics if the instance is of another kind.
func (i *Instance) Engine() consensus.Engine {
	if e, ok := localAs[consensus.Engine](i, plugin.Consensus); ok {
		return e
	}
	return engine{i}
}

type engine struct{ i *Instance }

func (e engine) Run(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
	t, s, err := converse(ctx, e.i, "consensus.Run", consensus.NewClient, func(ctx context.Context, c consensus.Engine) (consensus.Session, error) {
		return c.Run(ctx, start)
	})
	if err != nil {
		return nil, err
	}
	return &session{s, t}, nil
}

type session struct {
	s consensus.Session
	*talk
}

func (s *session) Step(ctx context.Context, e consensus.Event) error {
	return s.result(ctx, s.s.Step(ctx, e))
}

func (s *session) Next(ctx context.Context) (*consensus.Ready, error) {
	r, err := s.s.Next(ctx)
	return r, s.result(ctx, err)
}

func (s *session) Close() error {
	err := s.s.Close()
	s.finish(false)
	return err
}

// talk is a conversation under way.
type talk struct {
	i      *Instance
	b      *binding
	method string
	manner manner
	once   sync.Once
	unlink func() bool
	cancel context.CancelFunc
}

// converse begins a conversation. It waits until the plugin is ready and begins again if the process is lost before the
// conversation stands. The context that begin is given lives as long as ctx and the incarnation.
func converse[T, S any](ctx context.Context, i *Instance, method string, dial dialler[T], begin func(context.Context, T) (S, error)) (*talk, S, error) {
	var none S
	m := i.manner(ctx)
	for tries := 1; ; tries++ {
		b, err := i.acquire(ctx, m, true)
		if err != nil {
			return nil, none, err
		}
		t := &talk{i: i, b: b, method: method, manner: m}
		tctx, cancel := context.WithCancel(ctx)
		// A stopped process does not close its connection; the incarnation is given up by the ping, and this ends with it.
		unlink := context.AfterFunc(b.whole, cancel)
		t.cancel = cancel
		t.unlink = unlink
		s, err := begin(tctx, dial(b.inc.conn, b.handle))
		if err == nil {
			return t, s, nil
		}
		lost := ctx.Err() == nil && b.lost(i, err, m, nil)
		t.finish(lost)
		if !lost {
			return nil, none, err
		}
		if tries == m.attempts() {
			return nil, none, i.loss(ctx, b, method, err)
		}
	}
}

// finish ends the conversation, once.
func (t *talk) finish(lost bool) {
	t.once.Do(func() {
		t.i.exit(t.b, t.manner, true, lost)
		t.unlink()
		t.cancel()
	})
}

// result maps the error of a call in the conversation.
func (t *talk) result(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil && !t.b.over() {
		return err
	}
	if lost := t.b.ended(t.i, t.method, err, t.manner); lost != err {
		t.finish(true)
		return lost
	}
	return err
}
