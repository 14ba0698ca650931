package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxProbe is how many datagrams a probe has at most.
const MaxProbe = 1000

// Errors of probes.
var (
	ErrUnknownPeer  = errors.New("unknown peer")
	ErrNotConnected = errors.New("no connection")
	ErrProbing      = errors.New("another probe is being made")
	ErrDatagrams    = errors.New("a probe has 1 to 1000 datagrams")
)

// Link is this node's end of a link to another.
type Link struct {
	transport.LinkStats
	Node          types.Hash // zero for a stranger who has not shown who it is
	Name          string     // as the configuration has it; empty for a stranger
	Authenticated bool       // the node has shown on this connection that it is the one
}

// Links returns the state of the transport's links, those to peers of the configuration first and in its order. A peer of the
// configuration that the transport says nothing of is down.
func (n *Node) Links(ctx context.Context) ([]Link, error) {
	stats, err := n.net.Stats(ctx)
	if err != nil {
		return nil, fmt.Errorf("state of the links: %w", err)
	}
	return n.nameLinks(stats), nil
}

// nameLinks says whose links they are.
func (n *Node) nameLinks(stats []transport.LinkStats) []Link {
	order := map[types.Hash]int{}
	for i, p := range n.cfg.Node.Peers {
		order[p.ID] = i
	}
	var out []Link
	seen := map[types.Hash]bool{}
	for _, s := range stats {
		l := Link{LinkStats: s, Node: n.net.NodeOf(s.Peer)}
		if l.Authenticated = !l.Node.IsZero(); !l.Authenticated {
			if _, ours := order[types.Hash(s.Peer)]; ours { // it is called by the node that was dialled, or that the transport has authenticated
				l.Node = types.Hash(s.Peer)
			}
		}
		if i, ours := order[l.Node]; ours {
			l.Name, seen[l.Node] = n.cfg.Node.Peers[i].Name, true
		}
		out = append(out, l)
	}
	for _, p := range n.cfg.Node.Peers {
		if !seen[p.ID] && p.ID != n.net.Self() {
			out = append(out, Link{LinkStats: transport.LinkStats{Peer: transport.PeerID(p.ID), Address: p.Address}, Node: p.ID, Name: p.Name})
		}
	}
	rank := func(l Link) int {
		if i, ours := order[l.Node]; ours {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(out, func(a, b Link) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(string(a.Peer[:]), string(b.Peer[:])))
	})
	return out
}

// HeldBack returns how many messages were not sent because too much waited for their receivers already.
func (n *Node) HeldBack() uint64 { return n.net.HeldBack() }

// Probe measures the link to a peer with 1 to [MaxProbe] datagrams. The peer is named as in the configuration, or by its id in
// hexadecimal digits; a stranger that is connected by its id. One probe is made at a time.
func (n *Node) Probe(ctx context.Context, peer string, datagrams int) (Link, transport.LinkReport, error) {
	none := transport.LinkReport{}
	if datagrams < 1 || datagrams > MaxProbe {
		return Link{}, none, fmt.Errorf("probe %q: %w, not %d", peer, ErrDatagrams, datagrams)
	}
	l, err := n.findPeer(peer)
	if err != nil {
		return Link{}, none, err
	}
	if !n.probing.CompareAndSwap(false, true) {
		return Link{}, none, fmt.Errorf("probe %q: %w; try again when it is done", peer, ErrProbing)
	}
	defer n.probing.Store(false)
	r, err := n.net.Probe(ctx, l.Node, datagrams)
	switch {
	case errors.Is(err, transport.ErrNotConnected), errors.Is(err, transport.ErrUnknownPeer):
		return l, none, fmt.Errorf("probe %q: %w with it now; the node keeps calling it, and its log says what became of it", peer, ErrNotConnected)
	case err != nil:
		return l, none, fmt.Errorf("probe %q: %w", peer, err)
	}
	return l, r, nil
}

func (n *Node) findPeer(peer string) (Link, error) {
	var names []string
	for _, p := range n.cfg.Node.Peers {
		if p.ID != n.net.Self() && (p.Name == peer || p.ID.String() == peer) {
			return Link{Node: p.ID, Name: p.Name}, nil
		}
		names = append(names, p.Name)
	}
	for _, id := range n.net.Connected() {
		if id.String() == peer {
			return Link{Node: id}, nil
		}
	}
	if peer == n.cfg.Node.Name || peer == n.net.Self().String() {
		return Link{}, fmt.Errorf("%w: %q is this node itself; its peers are %s", ErrUnknownPeer, peer, strings.Join(names, ", "))
	}
	return Link{}, fmt.Errorf("%w: %q; this node's configuration has %s, and others are known by their ids while they are connected", ErrUnknownPeer, peer,
		orNone(names))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no peers"
	}
	return strings.Join(names, ", ")
}
