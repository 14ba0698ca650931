// Package faultproxy is a bad network on loopback: a UDP proxy that loses, delays, reorders, repeats, alters and holds up
// datagrams, and splits a network into parts, as told and as its seed decides.
//
// # Two layers
//
// [Line] is the pure core: what happens to the n-th datagram of one direction between two names. It has no clock and no socket.
// Its decisions are drawn from (seed, from, to, n) alone, so the same sequence of datagrams meets the same fate in each run,
// and a change of one fault does not change what the others do. What depends on time, which is only the queue of a rate
// limit, follows from the times that Decide is given. [Proxy] is the shell: sockets, one goroutine each, and one more with
// a heap of the datagrams that are on their way.
//
// # How a node is put behind it
//
// An [Endpoint] is an address of the proxy that stands for an address of a node, its target. Every node is told the
// endpoints of its peers as their addresses. A datagram that comes from the target of another endpoint is sent on from
// that other endpoint: the receiver sees its peer at the very address that it was told, and what it answers goes back the
// same way. So both directions pass the proxy, whoever began, and a node may have several ports, each with an endpoint of
// the same name. Where nodes tell each other further ports of theirs, as transport-udp does with the port of its bulk lane,
// give each node an address of its own out of 127.0.0.0/8 and the endpoints the numbers of the real ports ([Endpoints]);
// only Linux has all of these addresses without being told.
//
// Any other sender, registered with [Proxy.Register] or not, gets a socket of its own towards the target, whose replies are
// sent back to it through the endpoint. It has the name that it was registered with, else [Unknown]. Such flows are
// bounded, and end when they are idle.
//
// # Faults
//
// Faults belong to a directed pair of names and can be changed at any time ([Proxy.SetFaults], [Any] for all); a partition
// ([Proxy.Partition]) comes on top. A list of [Step] makes a scenario that is data ([ParseScenario], [Proxy.Play]).
//
// The proxy serves loopback addresses only: it is an instrument for tests, no relay.
package faultproxy
