package api

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Links is the state of a node's links to others.
type Links struct {
	Links    []PeerLink
	HeldBack uint64 // messages that were not sent since too much waited for their receivers
}

// PeerLink is a node's end of a link to another. Counters begin when it comes up.
type PeerLink struct {
	Node          types.Hash // zero for a stranger who has not shown who it is
	Name          string     // as the configuration has it; empty for a stranger
	Address       string
	Up            bool
	Dialled       bool          // by this node
	Authenticated bool          // the node has shown on this connection that it is the one
	Since         time.Duration // how long it has been up or down
	RTT, Variance time.Duration // smoothed; 0 if unknown
	Lanes         int           // connections that carry it now
	Datagram      int           // largest that is sent, in bytes
	Queued        int           // bytes that wait to be sent

	SentBytes, ReceivedBytes uint64 // of messages
	Datagrams, Retransmitted uint64 // that wanted confirmation, each counted once; how often one of them was sent again
	Out, In                  uint64 // bytes of messages a second, over the last few seconds
}

// Loss returns the share of datagrams that had to be sent again, which is at least what was lost; 0 without datagrams.
func (l *PeerLink) Loss() float64 {
	if l.Datagrams == 0 {
		return 0
	}
	return float64(l.Retransmitted) / float64(l.Datagrams)
}

// MaxProbe is how many datagrams a probe has at most, and DefaultProbe how many if nothing is said.
const (
	MaxProbe     = 1000
	DefaultProbe = 100
)

// Probe is a measurement of a link. Durations are round trips.
type Probe struct {
	Node                  types.Hash
	Name                  string // as the configuration has it; empty for a stranger
	Min, P50, P99         time.Duration
	Sent, Lost, Reordered int    // datagrams; reordered are answers that came after that of a later one
	Out, In               uint64 // goodput towards the peer and from it in bytes a second; 0 if it was not measured
}

// Links implements apiv1connect.NodeServiceHandler.
func (n *nodeService) Links(ctx context.Context, _ *connect.Request[apiv1.LinksRequest]) (*connect.Response[apiv1.LinksResponse], error) {
	l, err := n.s.node.Links(ctx)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(linksMessage(&l)), nil
}

// Probe implements apiv1connect.AdminServiceHandler.
func (a *adminService) Probe(ctx context.Context, r *connect.Request[apiv1.ProbeRequest]) (*connect.Response[apiv1.ProbeResponse], error) {
	if err := a.authorise(r.Header(), "Probe"); err != nil {
		return nil, err
	}
	n := int(min(r.Msg.Datagrams, MaxProbe+1))
	switch {
	case r.Msg.Peer == "":
		return nil, wireError(fmt.Errorf("%w: probe whom? the peer's name or id is missing", ErrInvalid), 0)
	case n == 0:
		n = DefaultProbe
	case n > MaxProbe:
		return nil, wireError(fmt.Errorf("%w: a probe has 1 to %d datagrams, not %d", ErrInvalid, MaxProbe, r.Msg.Datagrams), 0)
	}
	p, err := a.admin.Probe(ctx, r.Msg.Peer, n)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.ProbeResponse{Node: text(p.Node), Name: p.Name, MinNs: count(int(p.Min)), P50Ns: count(int(p.P50)), P99Ns: count(int(p.P99)),
		Sent: uint32(count(p.Sent)), Lost: uint32(count(p.Lost)), Reordered: uint32(count(p.Reordered)), Out: p.Out, In: p.In}), nil
}

func linksMessage(l *Links) *apiv1.LinksResponse {
	m := &apiv1.LinksResponse{HeldBack: l.HeldBack}
	for _, x := range l.Links {
		m.Links = append(m.Links, &apiv1.PeerLink{Node: text(x.Node), Name: x.Name, Address: clean(x.Address), Up: x.Up, Dialled: x.Dialled,
			Authenticated: x.Authenticated, SinceMs: count(int(x.Since.Milliseconds())), RttNs: count(int(x.RTT)), VarianceNs: count(int(x.Variance)),
			Lanes: uint32(count(x.Lanes)), Datagram: uint32(count(x.Datagram)), Queued: count(x.Queued), SentBytes: x.SentBytes,
			ReceivedBytes: x.ReceivedBytes, Datagrams: x.Datagrams, Retransmitted: x.Retransmitted, Out: x.Out, In: x.In})
	}
	return m
}

// span reads a number of units, which an int64 of nanoseconds may be too small for.
func span(n uint64, unit time.Duration) time.Duration {
	if most := uint64(1<<63-1) / uint64(unit); n > most {
		n = most
	}
	return time.Duration(n) * unit
}

// ParseLinks reads a LinksResponse.
func ParseLinks(m *apiv1.LinksResponse) (Links, error) {
	var p parser
	l := Links{HeldBack: m.GetHeldBack()}
	for _, x := range m.GetLinks() {
		l.Links = append(l.Links, PeerLink{Node: p.hash("node", x.GetNode()), Name: x.GetName(), Address: x.GetAddress(), Up: x.GetUp(),
			Dialled: x.GetDialled(), Authenticated: x.GetAuthenticated(), Since: span(x.GetSinceMs(), time.Millisecond), RTT: span(x.GetRttNs(), 1),
			Variance: span(x.GetVarianceNs(), 1), Lanes: int(x.GetLanes()), Datagram: int(x.GetDatagram()), Queued: int(min(x.GetQueued(), 1<<62)),
			SentBytes: x.GetSentBytes(), ReceivedBytes: x.GetReceivedBytes(), Datagrams: x.GetDatagrams(), Retransmitted: x.GetRetransmitted(),
			Out: x.GetOut(), In: x.GetIn()})
	}
	return l, p.err
}

// ParseProbe reads a ProbeResponse.
func ParseProbe(m *apiv1.ProbeResponse) (Probe, error) {
	var p parser
	r := Probe{Node: p.hash("node", m.GetNode()), Name: m.GetName(), Min: span(m.GetMinNs(), 1), P50: span(m.GetP50Ns(), 1), P99: span(m.GetP99Ns(), 1),
		Sent: int(m.GetSent()), Lost: int(m.GetLost()), Reordered: int(m.GetReordered()), Out: m.GetOut(), In: m.GetIn()}
	return r, p.err
}
