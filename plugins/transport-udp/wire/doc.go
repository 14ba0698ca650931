// Package wire is the format of the datagrams: the fixed four-byte header, the sixteen messages, and the bodies that the
// open mode adds. It decodes and encodes; it keeps no state and does no I/O. Every decoder takes hostile bytes: it
// returns an error or a value that aliases its input, and never reads past it.
//
// The header is that of the white paper, chapter 5, one unsigned byte a field:
//
//	0  message type    0 no body, 1 a body follows
//	1  identification  see [ID]
//	2  confirmation    0 none wanted, 1 wanted, 2 wanted, and this is a retransmission
//	3  sequence        0 to 255, cyclic; one more for each message that wants confirmation, otherwise that of the last one
//
// The paper says that all messages but CONNECT, JUMP and COFIRM want a confirmation, that each message has one of its own,
// and in one place that a message of type 1 is confirmed. Field 2 decides here, and [ID.Confirmation] tells by which
// message: DATA by DATA_OK, FILENAME by FILENAME_OK, DATA_OVER by DATA_OVER_OK, START by START_OK, and CONN_OK, ERROR,
// RESULT, STOP and TEST_OVER by COFIRM.
//
// # Bodies of the open mode
//
// All integers are big-endian. A connection is the agreement of two 64-bit tags, one chosen at random by each end for
// each attempt; CONNECT and CONN_OK tell them. Every other datagram begins its body with their exclusive or, the session
// tag, so that datagrams of an earlier connection, or of someone who cannot see the traffic, are recognised and dropped.
//
//	CONNECT    port(2) version(1) tag(8) largest datagram(2) link(8) lanes(1) port(2)… zeros up to 64 bytes
//	CONN_OK    tag of the CONNECT(8) version(1) tag(8) largest datagram(2) link(8) lanes(1) port(2)…
//	DATA       session(8) number(4) kind(1) …  see [DataKind]; without number if no confirmation is wanted
//	FILENAME   session(8) number(4) message(4) length(4) SHA-256(32) channel
//	DATA_OVER  session(8) number(4) message(4)
//	ERROR      session(8) code(1)
//	JUMP       session(8)
//	all confirmations
//	           session(8) window(1) expected(4) bitmap(0 to 16)
//
// Number and expected are sequence numbers of 32 bits, whose last eight are those of the header. With the header's alone, a
// datagram that the network delivers more than 128 numbers late would be taken for a new one.
//
// Link is 0 on the first lane of a link. A handshake on a further lane carries the first one's session tag there, so that
// it belongs to that session, and only who took part in it, or sees the traffic, can make one.
//
// A confirmation confirms the message whose number is in its header, and repeats what else has arrived: everything before
// expected, and after it the numbers whose bit is set (the least significant bit of the first byte is expected + 1). A lost
// confirmation is made good by the next one, and one confirmation may serve many messages. Window is how many numbers
// from expected on the receiver has room for.
package wire
