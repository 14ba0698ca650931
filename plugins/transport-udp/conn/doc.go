// Package conn is one connection of the reliable UDP protocol: one lane between two addresses. It is a pure state machine
// in the style of etcd's raft. The caller hands in the time, the datagrams that arrived and the messages to send, and
// carries out the [Output]: datagrams to write, messages that were delivered, events. There is no socket, no clock, no
// goroutine and no randomness here but what the caller passes in, so the same inputs give the same outputs.
//
// # The life of a connection
//
// Dial makes a connection call: CONNECT goes out at every interval with the first message of a handshake, always the same.
// It is answered by a cookie, with which it is sent again at once, and then by CONN_OK with the second message. COFIRM
// carries the third, until the first datagram of the session comes back; only then has the caller a session. The one who is
// called has it as soon as the third message has come. Both know then who is at the other end, see package secure, and
// [Env.Admit] has agreed.
//
// Until a handshake is complete nothing changes: what the network repeats, and what others make up, leaves the session that
// exists. A complete one takes its place, since it proves that the peer began anew. When both ends call at once there are
// two handshakes. Whoever has sent a third message takes none of a call with a lower tag; apart from that the first
// complete one stands. So one of two calls that cross ends for both, and always the same.
//
// Every datagram of a session is sealed. One that does not open, or that came before, has no effect. That a session does
// not exist can only be said in the clear, so nobody believes it: it makes the other end send echoes, and if nothing at all
// comes back, call beside the session. Whatever arrives in the session ends that.
//
// A session ends when the peer is silent for too long, confirms nothing over too many retransmissions, sends a sealed
// ERROR, breaks the protocol, starts a new one, when its counter is used up, or when the caller hangs up. Everything is
// reset then: numbers, windows, queues, keys. What had not been confirmed may or may not have arrived. A connection that
// was dialled calls again at once.
//
// # Numbers and windows
//
// Sequence numbers have eight bits in the header and 32 in the body, of which the header has the last eight. CONNECT and
// CONN_OK carry 0; the first message of a session has number 1. A selective-repeat window of at most 127 keeps to what
// eight bits allow, and the number in the body also recognises a datagram that the network delivers a whole cycle late.
// What was lost is found by time ([RFC 8985]): something that was sent later has arrived, and by more than
// datagrams are known to overtake each other. When nothing is heard, the oldest and the newest are sent again, and after the
// timeout of RFC 6298 all. A confirmation serves several datagrams and is a quarter of a round trip late at most; what comes
// out of order is confirmed at once.
//
// # Control and bulk
//
// A connection by itself is a control lane: it takes messages in order and delivers each channel in order. While the
// path loses datagrams, it sends small ones twice. The connections of a [Group] are the bulk lanes of a link. They
// share what waits to be sent, what arrives, and one model of the path that says how much may be under way and how fast
// it goes (see congestion.go); a lane is a space of numbers. Each takes the next frame when its numbers allow, and
// brings what it receives to the group at once, in any order. What a lane had under way when it broke goes back to the group. See
// package stripe. Bulk lanes look for the largest datagram that the path lets through (RFC 8899); frames that no longer fit are cut
// anew, and a void takes their number. The control lane keeps to the datagram that it began with.
//
// A group asks for more lanes when its numbers are what holds a transfer up, and a lane that is not the first closes when it
// has carried nothing for some time.
//
// # Bounds
//
// What waits to be sent or is not confirmed is at most [Config.SendQueue]; QueueFull and QueueRoom tell the caller, and what is
// queued nevertheless displaces what is less urgent. What was delivered and not released is at most [Config.ReceiveQueue], and the
// window that confirmations tell closes before. Messages that are not complete have the bounds of package stripe.
//
// [RFC 8985]: https://www.rfc-editor.org/rfc/rfc8985
package conn
