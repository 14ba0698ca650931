package transporttest

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// everyCall makes each call once and returns their errors.
func everyCall(ctx context.Context, tr transport.Transport) map[string]error {
	out := map[string]error{}
	_, out["listen"] = tr.Listen(ctx, "127.0.0.1:0")
	_, out["attach"] = tr.Attach(ctx, transport.Control)
	_, out["probe"] = tr.Probe(ctx, id("b"), 1)
	_, out["stats"] = tr.Stats(ctx)
	return out
}

func TestUnknownInstance(t *testing.T) {
	tr, stop, err := serveTransport(one(NewHub().New()), handle+1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop() }()
	for call, err := range everyCall(t.Context(), tr) {
		if !errors.Is(err, plugin.ErrUnknownInstance) {
			t.Errorf("%s of an unknown instance: %v", call, err)
		}
	}
}

func TestWrongKind(t *testing.T) {
	tr, stop, err := serveTransport(one("no transport"), handle)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop() }()
	for call, err := range everyCall(t.Context(), tr) {
		if !errors.Is(err, plugin.ErrWrongKind) {
			t.Errorf("%s of an instance of another kind: %v", call, err)
		}
	}
}

// hostile is a plugin that answers what no transport can.
type hostile struct {
	transport.Transport
	address string
	report  transport.LinkReport
	in      transport.Incoming
	links   []transport.LinkStats
}

func (h *hostile) Listen(context.Context, string) (string, error) { return h.address, nil }
func (h *hostile) Probe(context.Context, transport.PeerID, int) (transport.LinkReport, error) {
	return h.report, nil
}
func (h *hostile) Stats(context.Context) ([]transport.LinkStats, error) { return h.links, nil }
func (h *hostile) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	k, err := h.Transport.Attach(ctx, lane)
	return &brokenLink{Link: k, recv: func() (transport.Incoming, error) { return h.in, nil }}, err
}

func TestHostileAnswers(t *testing.T) {
	event := &transport.PeerEvent{Peer: id("b"), Up: true}
	foreign := NodeKey("somebody else")
	stats := func(tr transport.Transport) error { _, err := tr.Stats(t.Context()); return err }
	for name, c := range map[string]struct {
		h    hostile
		call func(transport.Transport) error
	}{
		"listen without a port": {hostile{address: "here"}, func(tr transport.Transport) error { _, err := tr.Listen(t.Context(), "127.0.0.1:0"); return err }},
		"probe of more than asked": {hostile{report: transport.LinkReport{Sent: 5}}, func(tr transport.Transport) error {
			_, err := tr.Probe(t.Context(), id("b"), 4)
			return err
		}},
		"probe that lost more than sent": {hostile{report: transport.LinkReport{Sent: 1, Lost: 2}}, func(tr transport.Transport) error {
			_, err := tr.Probe(t.Context(), id("b"), 4)
			return err
		}},
		"probe out of order": {hostile{report: transport.LinkReport{Sent: 1, Min: 2, P50: 1}}, func(tr transport.Transport) error {
			_, err := tr.Probe(t.Context(), id("b"), 4)
			return err
		}},
		"probe with more overtaken than sent": {hostile{report: transport.LinkReport{Sent: 1, Reordered: 2}}, func(tr transport.Transport) error {
			_, err := tr.Probe(t.Context(), id("b"), 4)
			return err
		}},
		"a link with a queue below zero": {hostile{links: []transport.LinkStats{{Queued: -1}}}, stats},
		"a link with too many lanes":     {hostile{links: []transport.LinkStats{{Lanes: 1 << 20}}}, stats},
		"another's node key": {hostile{in: transport.Incoming{Peer: &transport.PeerEvent{Peer: id("b"), Up: true, Node: &foreign}}},
			func(tr transport.Transport) error { return recvOne(t, tr, transport.Control) }},
		"negative round trip": {hostile{report: transport.LinkReport{Sent: 1, P99: -1}}, func(tr transport.Transport) error {
			_, err := tr.Probe(t.Context(), id("b"), 4)
			return err
		}},
		"an event on the bulk lane": {hostile{in: transport.Incoming{Peer: event}}, func(tr transport.Transport) error { return recvOne(t, tr, transport.Bulk) }},
		"a channel too long": {hostile{in: transport.Incoming{Message: &transport.Message{Channel: string(make([]byte, 65))}}},
			func(tr transport.Transport) error { return recvOne(t, tr, transport.Control) }},
		"a payload too large": {hostile{in: transport.Incoming{Message: &transport.Message{Payload: make([]byte, transport.MaxPayload+1)}}},
			func(tr transport.Transport) error { return recvOne(t, tr, transport.Bulk) }},
	} {
		t.Run(name, func(t *testing.T) {
			c.h.Transport = NewHub().New()
			tr, stop, err := serveTransport(one(&c.h), handle)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stop() }()
			if err := c.call(tr); !errors.Is(err, transport.ErrMisbehaved) {
				t.Errorf("%v, want ErrMisbehaved", err)
			}
		})
	}
}

func recvOne(t *testing.T, tr transport.Transport, lane transport.Lane) error {
	k, err := tr.Attach(t.Context(), lane)
	if err != nil {
		return err
	}
	defer func() { _ = k.Close() }()
	_, err = k.Recv()
	return err
}

// TestDialFailureIsAnEvent: a plugin that cannot dial one peer tells so, and the lane goes on.
func TestDialFailureIsAnEvent(t *testing.T) {
	f := remote(memoryFactory())
	a, b := pair(t, f)
	defer a.done()
	defer b.done()
	a.control.dial(id("other"), b.address) // refused by the hub: it is b's
	if e := a.control.event(id("other"), false); e.Reason == "" {
		t.Errorf("the event gives no reason")
	}
	a.control.send("c", []byte("on"), id("b"))
	want(t, b.control.message("a message"), id("a"), "c", []byte("on"))
}

// TestMalformedStreams: what no client of this package sends ends the stream with ErrInvalid.
func TestMalformedStreams(t *testing.T) {
	attach := &transportv1.Outgoing{Kind: &transportv1.Outgoing_Attach{Attach: &transportv1.Attach{Instance: handle}}}
	for name, msgs := range map[string][]*transportv1.Outgoing{
		"no attach":         {{Kind: &transportv1.Outgoing_Hangup{Hangup: &transportv1.Hangup{Peer: make([]byte, 32)}}}},
		"attached twice":    {attach, attach},
		"a short name":      {attach, {Kind: &transportv1.Outgoing_Hangup{Hangup: &transportv1.Hangup{Peer: []byte{1}}}}},
		"send to nobody":    {attach, {Kind: &transportv1.Outgoing_Send{Send: &transportv1.Send{Peers: [][]byte{nil}}}}},
		"too many peers":    {attach, {Kind: &transportv1.Outgoing_Send{Send: &transportv1.Send{Peers: make([][]byte, transport.MaxPeers+1)}}}},
		"dial a short name": {attach, {Kind: &transportv1.Outgoing_Dial{Dial: &transportv1.Dial{Address: "127.0.0.1:1"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			cc, stop, err := serveRaw(one(NewHub().New()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stop() }()
			stream, err := transportv1.NewTransportServiceClient(cc).Exchange(t.Context(), grpc.WaitForReady(true))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				if err := stream.Send(m); err != nil {
					break // Recv has the reason
				}
			}
			_, err = stream.Recv()
			codes := plugin.ErrorMap{Kind: plugin.Transport, Codes: map[int32]error{int32(transportv1.Error_ERROR_INVALID): transport.ErrInvalid}}
			if !errors.Is(codes.FromWire(err), transport.ErrInvalid) {
				t.Fatalf("the stream ends with %v", err)
			}
		})
	}
}
