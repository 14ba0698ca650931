// Package conn is one connection of the reliable UDP protocol: one lane between two addresses. It is a pure state machine
// in the style of etcd's raft. The caller hands in the time, the datagrams that arrived and the messages to send, and
// carries out the [Output]: datagrams to write, messages that were delivered, events. There is no socket, no clock, no
// goroutine and no randomness here but what the caller passes in, so the same inputs give the same outputs.
//
// # The life of a connection
//
// Dial makes a connection call: CONNECT goes out at every interval, with a tag that was drawn for this attempt. Who
// receives a CONNECT answers CONN_OK with a tag of its own and remembers the pair as a candidate. Who receives the
// CONN_OK has a session, and says so with COFIRM; any datagram under the candidate's session tag makes the candidate a
// session. So a CONNECT alone changes nothing: one that was repeated by the network or made up by a stranger leaves the
// session that exists, while that of a peer that was started again replaces it within one round trip. When both ends
// call at once, both handshakes agree on the same two tags and are one connection.
//
// A session ends when the peer is silent for too long, confirms nothing over too many retransmissions, sends an ERROR,
// breaks the protocol, starts a new one, or when the caller hangs up. Everything is reset then: numbers, windows, queues.
// What had not been confirmed may or may not have arrived. A connection that was dialled calls again at once.
//
// # Numbers and windows
//
// Sequence numbers have eight bits in the header and 32 in the body, of which the header has the last eight. CONNECT and
// CONN_OK carry 0; the first message of a session has number 1. A selective-repeat window of at most 127 keeps to what
// eight bits allow, and the number in the body also recognises a datagram that the network delivers a whole cycle late.
// Messages are taken in order; what comes
// early waits. At most [Config.Window] numbers are in flight, at most the congestion window of them not known to be lost.
//
// # Messages
//
// A message that fits a datagram travels in a DATA, several in one where several wait. A larger one is announced by a
// FILENAME with its length and digest, follows in DATA pieces, and is delivered when the DATA_OVER has come and the digest
// is right. Messages of one channel keep their order. Among channels the lowest priority number goes first, also between
// the pieces of a large message. A message waits for those before it in its channel, whatever its priority.
package conn
