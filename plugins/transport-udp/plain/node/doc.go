// Package node is the transport of nodes with mode = "plain": both lanes of package sdk/transport over one connection of the
// white paper's protocol for each peer.
//
// # Messages
//
// A message of the core is a file: FILENAME, the payload in DATA, DATA_OVER. The name is "alto-control-" or "alto-bulk-" and
// the channel in hexadecimal. A message of the control lane does not wait for one of the bulk lane: it may stand between its
// FILENAME and its DATA_OVER, and after the inner DATA_OVER the DATA belong to the outer file again. There is one message of
// each lane under way at most, and a bulk message never stands within one of control. A peer that sends files of other names,
// or in another order, is disconnected with ConfigError or NumMissMatch.
//
// # Names
//
// Nobody is authenticated. An address that nobody has dialled has the SHA-256 of "paloalto transport-udp stranger" and the
// address as its name, until the core dials it.
//
// # Bounds
//
// What waits for a peer is bounded on each lane. What the core does not receive makes the connection take no more: the
// protocol has no other way to say so, so the peer sends again and again, and disconnects after its limit. Both lanes have
// to wait then, since they are one connection.
package node
