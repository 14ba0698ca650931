package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
)

// stepQueue is how many events a client takes before Step waits for the stream.
const stepQueue = 256

// NewClient returns the engine with a handle behind a connection. What the plugin answers is checked as far as its form
// goes; a Ready that cannot be read ends the run with an error that wraps ErrMisbehaved.
func NewClient(cc grpc.ClientConnInterface, handle uint64) Engine {
	return &client{rpc: consensusv1.NewConsensusServiceClient(cc), handle: handle, errs: errorMap()}
}

type client struct {
	rpc    consensusv1.ConsensusServiceClient
	handle uint64
	errs   plugin.ErrorMap
}

func (c *client) Run(ctx context.Context, start *Start) (Session, error) {
	pieces, err := startPieces(c.handle, start)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.rpc.Run(ctx, grpc.MaxCallRecvMsgSize(plugin.MaxMessage), grpc.MaxCallSendMsgSize(plugin.MaxMessage))
	if err == nil {
		err = c.open(stream, pieces)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("run: %w", c.errs.FromWire(err))
	}
	s := &clientSession{stream: stream, errs: c.errs, cancel: cancel, out: make(chan *consensusv1.Event, stepQueue),
		in: make(chan *Ready, 16), closed: make(chan struct{}), ended: make(chan struct{})}
	s.wg.Add(2)
	go s.sending()
	go s.receiving()
	return s, nil
}

// open sends the Start and waits until the server has begun the run, which it shows by sending its headers.
func (c *client) open(stream consensusv1.ConsensusService_RunClient, pieces []*consensusv1.Event) error {
	for _, p := range pieces {
		if err := stream.Send(p); errors.Is(err, io.EOF) {
			break // the server has refused already; Recv has its error
		} else if err != nil {
			return err
		}
	}
	md, err := stream.Header()
	if err == nil && md != nil {
		return nil
	}
	if _, rerr := stream.Recv(); rerr != nil && !errors.Is(rerr, io.EOF) {
		return rerr
	}
	if err == nil {
		err = fmt.Errorf("the stream ended before the run began: %w", ErrMisbehaved)
	}
	return err
}

// clientSession is one stream. One goroutine sends and one receives, so that Step and Next obey their contexts, which
// the stream's own Send and Recv do not.
type clientSession struct {
	stream consensusv1.ConsensusService_RunClient
	errs   plugin.ErrorMap
	cancel context.CancelFunc
	wg     sync.WaitGroup

	out chan *consensusv1.Event
	in  chan *Ready

	closeOnce sync.Once
	closed    chan struct{} // Close was called
	endOnce   sync.Once
	ended     chan struct{} // the stream has ended, err says why
	err       error
}

func (s *clientSession) end(err error) {
	s.endOnce.Do(func() {
		s.err = err
		close(s.ended)
		s.cancel()
	})
}

func (s *clientSession) sending() {
	defer s.wg.Done()
	for {
		select {
		case ev := <-s.out:
			if err := s.stream.Send(ev); err != nil {
				if !errors.Is(err, io.EOF) { // else the receiver learns why the stream ended
					s.end(fmt.Errorf("send an event: %w", s.errs.FromWire(err)))
				}
				return
			}
		case <-s.ended:
			return
		}
	}
}

func (s *clientSession) receiving() {
	defer s.wg.Done()
	for {
		w, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			s.end(ErrClosed)
			return
		}
		if err != nil {
			s.end(fmt.Errorf("next: %w", s.errs.FromWire(err)))
			return
		}
		r, err := readyFromWire(w)
		if err != nil {
			s.end(fmt.Errorf("next: %w", err))
			return
		}
		select {
		case s.in <- r:
		case <-s.ended:
			return
		}
	}
}

func (s *clientSession) Step(ctx context.Context, e Event) error {
	w, err := eventToWire(e)
	if err != nil {
		return fmt.Errorf("step: %w", err)
	}
	select {
	case <-s.closed:
		return ErrClosed
	case <-s.ended:
		return s.err
	default:
	}
	select {
	case s.out <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	case <-s.ended:
		return s.err
	}
}

func (s *clientSession) Next(ctx context.Context) (*Ready, error) {
	select {
	case <-s.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case r := <-s.in:
		return r, nil
	default:
	}
	select {
	case r := <-s.in:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closed:
		return nil, ErrClosed
	case <-s.ended:
		select {
		case r := <-s.in: // what came before the end
			return r, nil
		default:
			return nil, s.err
		}
	}
}

func (s *clientSession) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.end(ErrClosed)
	})
	s.wg.Wait()
	return nil
}
