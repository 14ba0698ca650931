package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// gather is how many bytes of small messages are given to a stream at once.
	gather = 64 << 10
	// Messages that wait in each direction, on the control lane and on the bulk lane.
	controlQueue = 1 << 16
	bulkQueue    = 64
)

// adapter is the part that all transports have in common which were not written for the interface: queues, and messages in
// streams of bytes. It serves one peer, which is all that the benchmark needs.
type adapter struct {
	self   transport.PeerID
	ctx    context.Context
	cancel context.CancelFunc
	in     [2]chan transport.Incoming
	out    [2]chan []byte // framed messages
	wait   sync.WaitGroup
	dial   func(peer transport.PeerID, address string) error
}

func newAdapter(self transport.PeerID) *adapter {
	a := &adapter{self: self}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	for i, n := range []int{controlQueue, bulkQueue} {
		a.in[i], a.out[i] = make(chan transport.Incoming, n), make(chan []byte, n)
	}
	return a
}

// Attach returns the lane.
func (a *adapter) Attach(_ context.Context, lane transport.Lane) (transport.Link, error) {
	if err := transport.CheckLane(lane); err != nil {
		return nil, err
	}
	return adapterLink{a, lane}, nil
}

type adapterLink struct {
	*adapter
	lane transport.Lane
}

func (l adapterLink) Dial(peer transport.PeerID, address string) error { return l.dial(peer, address) }
func (l adapterLink) Hangup(transport.PeerID) error                    { return transport.ErrInvalid }
func (l adapterLink) Close() error                                     { l.cancel(); return nil }

// Send queues a message, whoever it is for, and blocks while the queue is full.
func (l adapterLink) Send(out transport.Outgoing) error {
	if err := out.Check(); err != nil {
		return err
	}
	select {
	case l.out[l.lane] <- frame(out.Channel, out.Payload):
		return nil
	case <-l.ctx.Done():
		return transport.ErrClosed
	}
}

func (l adapterLink) Recv() (transport.Incoming, error) {
	select {
	case in := <-l.in[l.lane]:
		return in, nil
	case <-l.ctx.Done():
		return transport.Incoming{}, transport.ErrClosed
	}
}

// deliver hands something to the receiver; it blocks while that does not take enough.
func (a *adapter) deliver(lane transport.Lane, in transport.Incoming) error {
	select {
	case a.in[lane] <- in:
		return nil
	case <-a.ctx.Done():
		return transport.ErrClosed
	}
}

// frame is a message in a stream: length of what follows (4), length of the channel (1), channel, payload.
func frame(channel string, payload []byte) []byte {
	b := make([]byte, 0, 5+len(channel)+len(payload))
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(channel)+len(payload)))
	b = append(b, byte(len(channel)))
	b = append(b, channel...)
	return append(b, payload...)
}

// write gives the lane's messages to a stream until either ends. Small ones are given together.
func (a *adapter) write(lane transport.Lane, stream io.Writer) error {
	var buf []byte
	for {
		var b []byte
		select {
		case b = <-a.out[lane]:
		case <-a.ctx.Done():
			return transport.ErrClosed
		}
		if len(b) >= gather {
			if _, err := stream.Write(b); err != nil {
				return err
			}
			continue
		}
		buf = append(buf[:0], b...)
		for more := true; more && len(buf) < gather; {
			select {
			case b := <-a.out[lane]:
				buf = append(buf, b...)
			default:
				more = false
			}
		}
		if _, err := stream.Write(buf); err != nil {
			return err
		}
	}
}

// read delivers the messages of a stream until either ends.
func (a *adapter) read(lane transport.Lane, peer transport.PeerID, stream *bufio.Reader) error {
	for {
		var head [5]byte
		if _, err := io.ReadFull(stream, head[:]); err != nil {
			return err
		}
		n, c := int(binary.BigEndian.Uint32(head[:])), int(head[4])
		if n < 1+c || n > transport.MaxPayload+1+c || c > transport.MaxChannel {
			return fmt.Errorf("a message of %d bytes on a channel of %d: %w", n, c, transport.ErrInvalid)
		}
		b := make([]byte, n-1)
		if _, err := io.ReadFull(stream, b); err != nil {
			return err
		}
		m := &transport.Message{Peer: peer, Channel: string(b[:c]), Payload: b[c:]}
		if err := a.deliver(lane, transport.Incoming{Message: m}); err != nil {
			return err
		}
	}
}

func (a *adapter) event(peer transport.PeerID, up bool, reason string) {
	_ = a.deliver(transport.Control, transport.Incoming{Peer: &transport.PeerEvent{Peer: peer, Up: up, Reason: reason}})
}

// Probe and Stats are of no use here.
func (a *adapter) Probe(context.Context, transport.PeerID, int) (transport.LinkReport, error) {
	return transport.LinkReport{}, transport.ErrInvalid
}
func (a *adapter) Stats(context.Context) ([]transport.LinkStats, error) {
	return nil, transport.ErrInvalid
}
