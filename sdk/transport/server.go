package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
)

// RegisterServer serves the open transports of a plugin. The gRPC server must accept messages of plugin.MaxMessage.
func RegisterServer(s grpc.ServiceRegistrar, in plugin.Instances) {
	transportv1.RegisterTransportServiceServer(s, &server{in: in, errs: errorMap()})
}

type server struct {
	transportv1.UnimplementedTransportServiceServer
	in   plugin.Instances
	errs plugin.ErrorMap
}

func (s *server) Listen(ctx context.Context, req *transportv1.ListenRequest) (*transportv1.ListenResponse, error) {
	t, err := plugin.InstanceAs[Transport](s.in, req.GetInstance())
	if err == nil {
		err = CheckListen(req.GetAddress())
	}
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	address, err := t.Listen(ctx, req.GetAddress())
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	return &transportv1.ListenResponse{Address: address}, nil
}

func (s *server) Probe(ctx context.Context, req *transportv1.ProbeRequest) (*transportv1.ProbeResponse, error) {
	r, err := s.probe(ctx, req)
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	return reportToWire(r), nil
}

func (s *server) Stats(ctx context.Context, req *transportv1.StatsRequest) (*transportv1.StatsResponse, error) {
	t, err := plugin.InstanceAs[Transport](s.in, req.GetInstance())
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	links, err := t.Stats(ctx)
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	return statsToWire(links), nil
}

func (s *server) probe(ctx context.Context, req *transportv1.ProbeRequest) (LinkReport, error) {
	t, err := plugin.InstanceAs[Transport](s.in, req.GetInstance())
	if err != nil {
		return LinkReport{}, err
	}
	peer, ok := peerFromWire(req.GetPeer())
	if !ok {
		return LinkReport{}, fmt.Errorf("probe a peer whose name has %d bytes: %w", len(req.GetPeer()), ErrInvalid)
	}
	n := int(min(req.GetDatagrams(), MaxProbe+1)) // so that it fits an int everywhere
	if err := CheckProbe(n); err != nil {
		return LinkReport{}, err
	}
	return t.Probe(ctx, peer, n)
}

func (s *server) Exchange(stream transportv1.TransportService_ExchangeServer) error {
	return s.errs.ToWire(s.exchange(stream))
}

func (s *server) exchange(stream transportv1.TransportService_ExchangeServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	a := first.GetAttach()
	if a == nil {
		return fmt.Errorf("attach: the first message is none: %w", ErrInvalid)
	}
	t, err := plugin.InstanceAs[Transport](s.in, a.GetInstance())
	if err != nil {
		return err
	}
	e := &exchange{stream: stream}
	if a.GetBulk() {
		e.lane = Bulk
	}
	if e.link, err = t.Attach(stream.Context(), e.lane); err != nil {
		return err
	}
	// The headers tell the client that the lane is attached.
	if err := stream.SendHeader(metadata.Pairs("paloalto-attached", "1")); err != nil {
		return errors.Join(err, e.link.Close())
	}
	// The reader ends at the latest when this handler returns, which ends the stream. Closing the link ends the writer.
	read := make(chan error, 1)
	go func() {
		read <- e.read()
		_ = e.link.Close()
	}()
	err = e.write()
	select {
	case rerr := <-read: // the reason why the link is closed
		err = rerr
	default:
	}
	closeErr := e.link.Close()
	if errors.Is(err, io.EOF) { // the client has hung up
		return closeErr
	}
	return err
}

// exchange is one attached lane.
type exchange struct {
	stream transportv1.TransportService_ExchangeServer
	lane   Lane
	link   Link
	mu     sync.Mutex // a stream takes one message at a time
}

// write hands what arrives to the client until the link or the stream ends.
func (e *exchange) write() error {
	for {
		in, err := e.link.Recv()
		if err == nil {
			err = e.send(in)
		}
		if err != nil {
			return err
		}
	}
}

func (e *exchange) send(in Incoming) error {
	w, err := incomingToWire(in)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stream.Send(w)
}

// read hands the client's messages to the link until one of them ends; io.EOF says that the client has closed the stream.
func (e *exchange) read() error {
	for {
		w, err := e.stream.Recv()
		if err != nil {
			return err
		}
		if err := e.carryOut(w); err != nil {
			return err
		}
	}
}

func (e *exchange) carryOut(w *transportv1.Outgoing) error {
	switch k := w.GetKind().(type) {
	case *transportv1.Outgoing_Send:
		out, err := sendFromWire(k.Send)
		if err != nil {
			return err
		}
		switch err := e.link.Send(out); {
		case errors.Is(err, ErrUnknownPeer), errors.Is(err, ErrNotConnected), errors.Is(err, ErrBusy):
			return nil // the message is lost, as any may be
		default:
			return err
		}
	case *transportv1.Outgoing_Dial:
		peer, ok := peerFromWire(k.Dial.GetPeer())
		if !ok {
			return fmt.Errorf("dial a peer whose name has %d bytes: %w", len(k.Dial.GetPeer()), ErrInvalid)
		}
		if err := CheckAddress(k.Dial.GetAddress()); err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		err := e.link.Dial(peer, k.Dial.GetAddress())
		if err == nil || e.lane != Control || errors.Is(err, ErrClosed) {
			return err
		}
		// One peer that cannot be dialled must not cost the lane, and with it all the others.
		return e.send(Incoming{Peer: &PeerEvent{Peer: peer, Reason: err.Error(), Address: k.Dial.GetAddress()}})
	case *transportv1.Outgoing_Hangup:
		peer, ok := peerFromWire(k.Hangup.GetPeer())
		if !ok {
			return fmt.Errorf("hang up a peer whose name has %d bytes: %w", len(k.Hangup.GetPeer()), ErrInvalid)
		}
		if err := e.link.Hangup(peer); !errors.Is(err, ErrUnknownPeer) {
			return err
		}
		return nil
	case *transportv1.Outgoing_Attach:
		return fmt.Errorf("attach: the lane is attached already: %w", ErrInvalid)
	}
	return nil // of a later version of the protocol
}
