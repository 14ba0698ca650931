// Package transportudp is the built-in transport: the white paper's reliable protocol over UDP.
//
// The protocol is pure and lives below: package wire is the format, package conn one connection, package lane all
// connections of a socket. This package is the thin rest: the sockets, a goroutine that reads and one that keeps the time
// for each, the names that the core gives to addresses, and the queues towards the core.
//
// A link between two nodes has a control lane and bulk lanes, so that control never waits behind bulk. The control lane uses the
// port that the node listens on. The handshake there tells the ports for bulk; a bulk lane is a connection of one of this end's to
// one of the peer's. There is always one, and there are more while a transfer has more under way than its numbers allow.
// Messages are striped over all of them by frames and put together by message, so a lost datagram delays one message.
// What a bulk lane had under way when it broke goes on by the others. A link is up when its control lane is.
//
// Sends never wait. When a peer's queue is three quarters full the core is told with a Flow, and again when it is a quarter full;
// what does not fit nevertheless is dropped, oldest and least urgent first, and logged. What the core
// does not take makes the peer wait, by the window that every confirmation carries. Neither touches any other peer.
//
// # Who is there
//
// A node is named by the hash of its node key, whether it was dialled or not. Every instance makes a session key, which
// the core certifies with the node key, and proves in each handshake that it has it. A dialled address at which another
// node answers is refused, and so is who is not in the attribute allow, if that is set, and whoever has this node's own key.
// Nodes that nobody dialled may connect, up to the attribute strangers. A peer may change its address: its link follows
// what it proves to have sent.
//
// A node has one link to a peer. If it comes to a second, from another address, the later one stands, since the earlier
// may be of a process that is gone. Only if it is the same process that both have called, each at an address that the
// other does not call from, the one that the node with the lower id has called stands, so that both keep the same.
package transportudp

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Version of the plugin.
const Version = "0.1.0"

// Plugin returns the plugin: its name is "udp", its only kind transport.
func Plugin() plugin.Plugin { return udp{} }

type udp struct{}

func (udp) Describe() plugin.Info {
	return plugin.Info{Name: "udp", Version: Version, API: plugin.API,
		Kinds: []plugin.KindInfo{{Kind: plugin.Transport, Rules: []string{"1"}, Schema: schema()}}}
}

func (udp) Open(_ context.Context, host plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.Transport {
		return nil, fmt.Errorf("open transport-udp as %s: %w", req.Kind, plugin.ErrWrongKind)
	}
	set, err := parseSettings(req.Config)
	if err != nil {
		return nil, fmt.Errorf("open transport-udp: %w", err)
	}
	if set.Mode == modePlain {
		return newPlainNode(set, host), nil
	}
	n, err := newNode(set, host)
	if err != nil {
		return nil, fmt.Errorf("open transport-udp: %w", err)
	}
	return n, nil
}
