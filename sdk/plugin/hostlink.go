package plugin

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

// hostQueue is how many calls may wait for the stream. Log lines and metrics above it are dropped rather than block.
const hostQueue = 256

// hostLink is the plugin's end of the Host stream. There is at most one stream; a second replaces the first.
type hostLink struct {
	mu      sync.Mutex
	current *hostStream
	lastID  atomic.Uint64
}

type hostStream struct {
	out     chan *pluginv1.HostCall
	done    chan struct{}
	mu      sync.Mutex
	pending map[uint64]chan *pluginv1.HostReply
}

// Host implements the PluginService.
func (s *Server) Host(stream grpc.BidiStreamingServer[pluginv1.HostReply, pluginv1.HostCall]) error {
	hs := &hostStream{out: make(chan *pluginv1.HostCall, hostQueue), done: make(chan struct{}), pending: map[uint64]chan *pluginv1.HostReply{}}
	s.host.mu.Lock()
	s.host.current = hs
	s.host.mu.Unlock()
	defer s.host.detach(hs)
	// The header tells the host that its stream is attached, before there is any call to send.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	go func() { // ends with the stream
		for {
			reply, err := stream.Recv()
			if err != nil {
				s.host.detach(hs)
				return
			}
			hs.deliver(reply)
		}
	}()
	for {
		select {
		case c := <-hs.out:
			if err := stream.Send(c); err != nil {
				return err
			}
		case <-hs.done:
			return nil
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (l *hostLink) detach(hs *hostStream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == hs {
		l.current = nil
	}
	hs.mu.Lock()
	defer hs.mu.Unlock()
	select {
	case <-hs.done:
	default:
		close(hs.done)
	}
}

func (l *hostLink) stream() *hostStream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

func (hs *hostStream) deliver(r *pluginv1.HostReply) {
	hs.mu.Lock()
	ch := hs.pending[r.GetId()]
	delete(hs.pending, r.GetId())
	hs.mu.Unlock()
	if ch != nil {
		ch <- r // has room for one
	}
}

// call sends a call and waits for its reply.
func (l *hostLink) call(ctx context.Context, c *pluginv1.HostCall, what string) ([]byte, error) {
	hs := l.stream()
	if hs == nil {
		return nil, fmt.Errorf("%s: %w", what, ErrHostUnavailable)
	}
	c.Id = l.lastID.Add(1)
	ch := make(chan *pluginv1.HostReply, 1)
	hs.mu.Lock()
	hs.pending[c.Id] = ch
	hs.mu.Unlock()
	defer func() {
		hs.mu.Lock()
		delete(hs.pending, c.Id)
		hs.mu.Unlock()
	}()
	select {
	case hs.out <- c:
	case <-hs.done:
		return nil, fmt.Errorf("%s: %w", what, ErrHostUnavailable)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", what, ctx.Err())
	}
	select {
	case r := <-ch:
		if r.GetError() != "" {
			return nil, fmt.Errorf("%s: the host refuses: %s", what, r.GetError())
		}
		return r.GetResult(), nil
	case <-hs.done:
		return nil, fmt.Errorf("%s: %w", what, ErrHostUnavailable)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", what, ctx.Err())
	}
}

// tell sends a call that gets no reply, or drops it.
func (l *hostLink) tell(c *pluginv1.HostCall) {
	if hs := l.stream(); hs != nil {
		select {
		case hs.out <- c:
		default:
		}
	}
}

// instanceHost is the Host that an instance gets.
type instanceHost struct {
	link   *hostLink
	handle uint64
}

func (h *instanceHost) Sign(ctx context.Context, purpose string, ordinal uint64, payload []byte) ([]byte, error) {
	return h.link.call(ctx, &pluginv1.HostCall{Instance: h.handle, Call: &pluginv1.HostCall_Sign{
		Sign: &pluginv1.SignCall{Purpose: purpose, Ordinal: ordinal, Payload: payload}}}, "sign")
}

func (h *instanceHost) ProveVRF(ctx context.Context, input []byte) ([]byte, error) {
	return h.link.call(ctx, &pluginv1.HostCall{Instance: h.handle, Call: &pluginv1.HostCall_Vrf{Vrf: &pluginv1.VRFCall{Input: input}}}, "prove VRF")
}

func (h *instanceHost) Derive(ctx context.Context, label string) ([]byte, error) {
	return h.link.call(ctx, &pluginv1.HostCall{Instance: h.handle, Call: &pluginv1.HostCall_Derive{Derive: &pluginv1.DeriveCall{Label: label}}}, "derive")
}

func (h *instanceHost) BindTransport(ctx context.Context, sessionKey []byte) ([]byte, error) {
	return h.link.call(ctx, &pluginv1.HostCall{Instance: h.handle, Call: &pluginv1.HostCall_Bind{
		Bind: &pluginv1.BindCall{SessionKey: sessionKey}}}, "bind transport key")
}

func (h *instanceHost) Log(level, message string, fields map[string]string) {
	h.link.tell(&pluginv1.HostCall{Instance: h.handle, Call: &pluginv1.HostCall_Log{
		Log: &pluginv1.LogCall{Level: level, Message: message, Fields: fields}}})
}

func (h *instanceHost) Metric(name string, value float64) {
	h.link.tell(&pluginv1.HostCall{Instance: h.handle, Call: &pluginv1.HostCall_Metric{Metric: &pluginv1.MetricCall{Name: name, Value: value}}})
}
