// Package plain is the mode plain: chapter 5 of the white paper, byte for byte, so that a peer written from the paper alone
// is understood. It is a pure state machine: the caller hands in the time, the datagrams that arrived and the messages to
// send, and carries out the [Output]. There is no socket, no clock, no goroutine and no randomness here; package
// plain/endpoint has those.
//
// [Conn] is one connection, [Hub] all connections of a socket, [Intake] turns FILENAME, DATA and DATA_OVER into the parts
// of files. docs/reference/transport-plain.md has the format, and captures of it are in testdata/captures.
//
// # Numbers
//
// The counter of each end is cleared to 0 when a connection begins. Each message that wants confirmation adds one to it and
// carries the sum, so the first one has number 1; one that wants none carries the counter as it is. A confirmation carries
// the number of what it confirms. A peer whose first message has the number of its CONNECT, 0, is understood too, and the
// number of its CONN_OK may be any.
//
// At most [Config.Window] messages, never more than [MaxWindow], are sent and not confirmed, counted from the oldest of
// them. Messages are taken in order, each once; what comes early waits, and is confirmed as it comes. A number is read
// against the next one that is expected: up to 126 ahead of it is new, up to 127 behind it was received before and is
// confirmed again, and the two numbers between mean that both ends have lost each other (NumMissMatch).
//
// # What this mode can not protect from
//
// Eight bits tell old from new as long as no copy of a message arrives after 129 later ones have been taken, and no copy of a
// confirmation after 255 later messages have been sent. A network that holds a datagram back for longer can make a message
// of an earlier cycle be taken for one of this, or a message be believed confirmed that was lost. So can a datagram of an
// earlier connection between the same two addresses, because no field tells connections apart: an ERROR of it ends the new
// one, a DATA of it may be taken. Nothing is encrypted, authenticated or checked for having been altered: the UDP checksum is
// all there is. Whoever can send from a peer's address can speak in its name, and end its connection with one datagram.
//
// # A CONNECT on a connection that exists
//
// It is either a copy that the network has made or delayed, or the peer has lost the connection and calls again, and no
// field tells which. A peer that has the connection goes on to send JUMP; one that has lost it sends CONNECT again. So it
// counts as a new call if a second one comes at least a quarter of [Config.ConnectInterval] later and nothing else came
// between the two.
package plain
