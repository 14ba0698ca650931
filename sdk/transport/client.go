package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
)

// NewClient returns the transport with a handle behind a connection. What the plugin answers is checked as far as its form
// goes; an answer that no transport can give ends the lane with an error that wraps ErrMisbehaved.
func NewClient(cc grpc.ClientConnInterface, handle uint64) Transport {
	return &client{rpc: transportv1.NewTransportServiceClient(cc), handle: handle, errs: errorMap()}
}

type client struct {
	rpc    transportv1.TransportServiceClient
	handle uint64
	errs   plugin.ErrorMap
}

func (c *client) Listen(ctx context.Context, address string) (string, error) {
	if err := CheckListen(address); err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	resp, err := c.rpc.Listen(ctx, &transportv1.ListenRequest{Instance: c.handle, Address: address})
	if err != nil {
		return "", c.errs.FromWire(err)
	}
	if err := CheckAddress(resp.GetAddress()); err != nil {
		return "", misbehaved("listen", "the address in use is said to be %.80q", resp.GetAddress())
	}
	return resp.GetAddress(), nil
}

func (c *client) Probe(ctx context.Context, peer PeerID, datagrams int) (LinkReport, error) {
	if err := CheckProbe(datagrams); err != nil {
		return LinkReport{}, err
	}
	resp, err := c.rpc.Probe(ctx, &transportv1.ProbeRequest{Instance: c.handle, Peer: peer[:], Datagrams: uint32(datagrams)})
	if err != nil {
		return LinkReport{}, c.errs.FromWire(err)
	}
	return reportFromWire(resp, datagrams)
}

func (c *client) Stats(ctx context.Context) ([]LinkStats, error) {
	resp, err := c.rpc.Stats(ctx, &transportv1.StatsRequest{Instance: c.handle}, grpc.MaxCallRecvMsgSize(plugin.MaxMessage))
	if err != nil {
		return nil, c.errs.FromWire(err)
	}
	return statsFromWire(resp)
}

func (c *client) Attach(ctx context.Context, lane Lane) (Link, error) {
	if err := CheckLane(lane); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.rpc.Exchange(ctx, grpc.MaxCallRecvMsgSize(plugin.MaxMessage), grpc.MaxCallSendMsgSize(plugin.MaxMessage))
	if err == nil {
		err = c.open(stream, lane)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("attach to the %s lane: %w", lane, c.errs.FromWire(err))
	}
	return &clientLink{lane: lane, stream: stream, errs: c.errs, cancel: cancel, sending: make(chan struct{}, 1), receiving: make(chan struct{}, 1),
		ended: make(chan struct{})}, nil
}

// open sends the Attach and waits until the server has attached, which it shows by sending its headers.
func (c *client) open(stream transportv1.TransportService_ExchangeClient, lane Lane) error {
	attach := &transportv1.Attach{Instance: c.handle, Bulk: lane == Bulk}
	err := stream.Send(&transportv1.Outgoing{Kind: &transportv1.Outgoing_Attach{Attach: attach}})
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: the server has refused already; Recv has its error
		return err
	}
	md, err := stream.Header()
	if err == nil && md != nil {
		return nil
	}
	if _, rerr := stream.Recv(); rerr != nil && !errors.Is(rerr, io.EOF) {
		return rerr
	}
	if err == nil {
		err = fmt.Errorf("the stream ended before the lane was attached: %w", ErrMisbehaved)
	}
	return err
}

// clientLink is one stream. Callers send and receive on it themselves, so that a vote waits for no other goroutine; both
// return at once when the stream's context ends, which is what Close does.
type clientLink struct {
	lane      Lane
	stream    transportv1.TransportService_ExchangeClient
	errs      plugin.ErrorMap
	cancel    context.CancelFunc
	sending   chan struct{} // held by the one that sends: a stream takes one at a time
	receiving chan struct{}

	once  sync.Once
	ended chan struct{} // closed once err is set
	err   error
}

// end ends the link for the first reason that is given, and returns that one.
func (l *clientLink) end(err error) error {
	l.once.Do(func() {
		l.err = err
		close(l.ended)
		l.cancel()
	})
	<-l.ended
	return l.err
}

func (l *clientLink) Dial(peer PeerID, address string) error {
	if err := CheckAddress(address); err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	return l.write(&transportv1.Outgoing{Kind: &transportv1.Outgoing_Dial{Dial: &transportv1.Dial{Peer: peer[:], Address: address}}})
}

func (l *clientLink) Hangup(peer PeerID) error {
	return l.write(&transportv1.Outgoing{Kind: &transportv1.Outgoing_Hangup{Hangup: &transportv1.Hangup{Peer: peer[:]}}})
}

func (l *clientLink) Send(out Outgoing) error {
	if err := out.Check(); err != nil {
		return err
	}
	return l.write(sendToWire(out))
}

func (l *clientLink) write(w *transportv1.Outgoing) error {
	select {
	case <-l.ended:
		return l.err
	case l.sending <- struct{}{}:
	}
	defer func() { <-l.sending }()
	select {
	case <-l.ended: // gRPC may still take a message for a stream that was cancelled a moment ago
		return l.err
	default:
	}
	err := l.stream.Send(w)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF): // the stream has ended; why, is for whoever receives to learn
		select {
		case <-l.ended:
			return l.err
		default:
			return fmt.Errorf("send on the %s lane: the plugin has ended it: %w", l.lane, ErrClosed)
		}
	}
	return l.end(fmt.Errorf("send on the %s lane: %w", l.lane, l.errs.FromWire(err)))
}

func (l *clientLink) Recv() (Incoming, error) {
	select {
	case <-l.ended:
		return Incoming{}, l.err
	case l.receiving <- struct{}{}:
	}
	defer func() { <-l.receiving }()
	select {
	case <-l.ended:
		return Incoming{}, l.err
	default:
	}
	w, err := l.stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return Incoming{}, l.end(fmt.Errorf("receive on the %s lane: the plugin has ended it: %w", l.lane, ErrClosed))
	case err != nil:
		return Incoming{}, l.end(fmt.Errorf("receive on the %s lane: %w", l.lane, l.errs.FromWire(err)))
	}
	in, err := incomingFromWire(w, l.lane)
	if err != nil {
		return Incoming{}, l.end(err)
	}
	return in, nil
}

func (l *clientLink) Close() error {
	_ = l.end(ErrClosed)
	return nil
}
