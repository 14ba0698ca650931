// Package stripe makes frames of messages and messages of frames. The lanes of a link share one [Sender] and one
// [Receiver]: each lane takes the next frame whenever its own windows allow, so that one that is slow or has lost something
// holds up no other, and whoever receives a frame, in whatever order, brings it to the receiver.
//
// A message that fits a frame travels whole, several in one where several wait. A larger one is announced by a FILENAME
// with its length and digest, follows in pieces that say where they belong, and ends with a DATA_OVER. It is delivered as
// soon as all of it is there and the digest is right. Every message has a number. Numbers are how a message that comes again,
// since the lane that carried it broke before it was confirmed, is recognised: each is delivered once. Numbers from the
// first message that is not confirmed on span at most [idWindow], so what both ends remember is bounded.
//
// An ordered sender keeps the order of each channel: what comes after a message is not sent before all of it was. With a
// lane that delivers in order, messages of a channel then arrive in order. Otherwise the more urgent goes first, and
// among equals the older.
//
// The receiver trusts nothing. What it holds is bounded by [MaxAssembly] and a little more, however lengths and offsets are
// chosen; a buffer grows with what has arrived, not with what was announced. A frame for which there is no room is
// not taken: the lane does not confirm it, and it comes again.
//
// There is no clock, no lock and no I/O here; package conn guards what lanes share.
package stripe
