// Package transportudp is the built-in transport: the white paper's reliable protocol over UDP.
//
// The protocol is pure and lives below: package wire is the format, package conn one connection, package lane all
// connections of a socket. This package is the thin rest: two sockets, a goroutine that reads and one that keeps the time
// for each, the names that the core gives to addresses, and the queues towards the core.
//
// A link between two nodes has two lanes, each with a socket of its own, so that control never waits behind bulk. The
// control lane uses the port that the node listens on. The handshake there tells the port of the bulk lane, on which both
// ends then call each other. A link is up when its control lane is. If its bulk lane breaks, the link is broken and made
// again.
//
// Sends never wait: what a peer's queue cannot hold is dropped, oldest and least urgent first, and logged. What the core
// does not take makes the peer wait, by the window that every confirmation carries. Neither touches any other peer.
//
// An address that nobody dialled may connect, up to the attribute strangers. Its name is the SHA-256 of
// "paloalto transport-udp stranger" and the address, such as 192.0.2.1:26600, until the core dials that address.
//
// The open mode has neither encryption nor authentication. Whoever can see the traffic can change it; who cannot has to
// guess a 64-bit tag.
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
	return newNode(set, host), nil
}
