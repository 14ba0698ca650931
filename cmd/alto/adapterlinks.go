package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/core/node"
)

// Links implements api.Node.
func (a *apiNode) Links(ctx context.Context) (api.Links, error) {
	links, err := a.n.Links(ctx)
	if err != nil {
		return api.Links{}, err
	}
	out := api.Links{HeldBack: a.n.HeldBack()}
	for _, l := range links {
		out.Links = append(out.Links, api.PeerLink{Node: l.Node, Name: l.Name, Address: l.Address, Up: l.Up, Dialled: l.Dialled, Authenticated: l.Authenticated,
			Since: l.Since, RTT: l.RTT, Variance: l.Variance, Lanes: l.Lanes, Datagram: l.Datagram, Queued: l.Queued, SentBytes: l.SentBytes,
			ReceivedBytes: l.ReceivedBytes, Datagrams: l.Datagrams, Retransmitted: l.Retransmitted, Out: l.Out, In: l.In})
	}
	return out, nil
}

// Probe implements api.Admin.
func (a *apiNode) Probe(ctx context.Context, peer string, datagrams int) (api.Probe, error) {
	l, r, err := a.n.Probe(ctx, peer, datagrams)
	if err != nil {
		for _, x := range []struct{ have, want error }{
			{node.ErrUnknownPeer, api.ErrUnknownPeer}, {node.ErrNotConnected, api.ErrNotConnected}, {node.ErrProbing, api.ErrBusy}, {node.ErrDatagrams, api.ErrInvalid},
		} {
			if errors.Is(err, x.have) {
				return api.Probe{}, fmt.Errorf("%w: %w", x.want, err)
			}
		}
		return api.Probe{}, err
	}
	return api.Probe{Node: l.Node, Name: l.Name, Min: r.Min, P50: r.P50, P99: r.P99, Sent: r.Sent, Lost: r.Lost, Reordered: r.Reordered, Out: r.Out, In: r.In}, nil
}
