package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

// maxHostCalls is how many calls of one plugin process a host carries out at a time; further ones wait in the stream.
const maxHostCalls = 64

// Client is the host's side of the PluginService. Every call needs a context with a deadline.
type Client struct{ c pluginv1.PluginServiceClient }

// NewClient talks to the plugin at the other end of cc.
func NewClient(cc grpc.ClientConnInterface) *Client {
	return &Client{pluginv1.NewPluginServiceClient(cc)}
}

// Describe returns how the plugin describes itself, checked for form. Whether the API ranges overlap is for the caller to
// see, who can name both.
func (c *Client) Describe(ctx context.Context, host Range) (Info, error) {
	r, err := c.c.Describe(ctx, &pluginv1.DescribeRequest{HostApiMin: host.Min, HostApiMax: host.Max})
	if err != nil {
		return Info{}, wire.FromWire(err)
	}
	return InfoFromProto(r)
}

// Open opens an instance under req.Handle, which must not be 0.
func (c *Client) Open(ctx context.Context, req OpenRequest) error {
	r, err := c.c.Open(ctx, req.toProto())
	if err != nil {
		return wire.FromWire(err)
	}
	if r.GetInstance() != req.Handle {
		return fmt.Errorf("open: the plugin answers with handle %#x instead of %#x", r.GetInstance(), req.Handle)
	}
	return nil
}

// Close ends an instance.
func (c *Client) Close(ctx context.Context, handle uint64) error {
	_, err := c.c.Close(ctx, &pluginv1.CloseRequest{Instance: handle})
	return wire.FromWire(err)
}

// Drain asks the plugin to finish.
func (c *Client) Drain(ctx context.Context) error {
	_, err := c.c.Drain(ctx, &pluginv1.DrainRequest{})
	return wire.FromWire(err)
}

// HostLink is an attached Host stream.
type HostLink struct {
	stream grpc.BidiStreamingClient[pluginv1.HostReply, pluginv1.HostCall]
	send   sync.Mutex
	slots  chan struct{}
	calls  sync.WaitGroup
}

// AttachHost opens the Host stream and waits until the plugin has it. The stream lives until ctx ends; the caller runs
// Serve on it.
func (c *Client) AttachHost(ctx context.Context) (*HostLink, error) {
	stream, err := c.c.Host(ctx)
	if err != nil {
		return nil, fmt.Errorf("attach the host: %w", wire.FromWire(err))
	}
	md, err := stream.Header()
	if err == nil && md == nil { // it ended without a header, and only Recv knows why
		_, err = stream.Recv()
	}
	if err != nil {
		return nil, fmt.Errorf("attach the host: %w", wire.FromWire(err))
	}
	return &HostLink{stream: stream, slots: make(chan struct{}, maxHostCalls)}, nil
}

// Serve carries out the plugin's calls until the stream ends. lookup finds what the host offers to an instance, nil if it
// does not know it. Log and Metric are called in the order in which the plugin sent them, the others concurrently.
func (l *HostLink) Serve(lookup func(handle uint64) Host) error {
	defer l.calls.Wait()
	ctx := l.stream.Context()
	for {
		c, err := l.stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the plugin has closed the host stream")
		}
		if err != nil {
			return wire.FromWire(err)
		}
		h := lookup(c.GetInstance())
		switch call := c.GetCall().(type) {
		case *pluginv1.HostCall_Log:
			if h != nil {
				h.Log(call.Log.GetLevel(), call.Log.GetMessage(), call.Log.GetFields())
			}
			continue
		case *pluginv1.HostCall_Metric:
			if h != nil {
				h.Metric(call.Metric.GetName(), call.Metric.GetValue())
			}
			continue
		}
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		l.calls.Add(1)
		go func() {
			defer l.calls.Done()
			defer func() { <-l.slots }()
			l.reply(c.GetId(), func() ([]byte, error) { return carryOut(ctx, h, c) })
		}()
	}
}

func (l *HostLink) reply(id uint64, f func() ([]byte, error)) {
	r := &pluginv1.HostReply{Id: id}
	result, err := f()
	if err != nil {
		r.Error = err.Error()
	} else {
		r.Result = result
	}
	l.send.Lock()
	defer l.send.Unlock()
	_ = l.stream.Send(r) // if it fails, Recv fails too
}

func carryOut(ctx context.Context, h Host, c *pluginv1.HostCall) ([]byte, error) {
	if h == nil {
		return nil, fmt.Errorf("instance %#x: %w", c.GetInstance(), ErrUnknownInstance)
	}
	switch call := c.GetCall().(type) {
	case *pluginv1.HostCall_Sign:
		return h.Sign(ctx, call.Sign.GetPurpose(), call.Sign.GetOrdinal(), call.Sign.GetPayload())
	case *pluginv1.HostCall_Vrf:
		return h.ProveVRF(ctx, call.Vrf.GetInput())
	case *pluginv1.HostCall_Derive:
		return h.Derive(ctx, call.Derive.GetLabel())
	case *pluginv1.HostCall_Bind:
		return h.BindTransport(ctx, call.Bind.GetSessionKey())
	}
	return nil, errors.New("this version of the host does not know the call")
}
