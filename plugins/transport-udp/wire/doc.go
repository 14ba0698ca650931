// Package wire is the format of the datagrams: the fixed four-byte header, the sixteen messages, and the bodies that the
// noise mode adds. It decodes and encodes; it keeps no state and does no I/O. Every decoder takes hostile bytes: it
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
// # Bodies of the noise mode
//
// All integers are big-endian. Only the handshake, and what is said to somebody with whom there is no session, is in the
// clear:
//
//	CONNECT    port(2) version(1) tag(8) largest datagram(2) link(8) lanes(1) port(2)…
//	           cookie length(1) cookie(0 or 16) length(2) first message, zeros up to 512 bytes or more
//	CONN_OK    tag of the CONNECT(8) version(1) 0(1) cookie(16)
//	           tag of the CONNECT(8) version(1) 1(1) second message
//	COFIRM     session(8) 64 ones(8) third message
//	ERROR      session(8) code(1), in answer to a datagram of a session that does not exist here
//	ERROR      code(1), in answer to a peer of the plain mode
//
// The three messages are those of package secure; the second contains, encrypted, what the other end tells about itself,
// in the form of a CONNECT from version to the last port. A session is named by the exclusive or of the two tags, one
// chosen at random by each end for each attempt. Link is 0 on the first lane of a link; a handshake on a further lane
// carries the first one's session tag there.
//
// Every datagram of a session, confirmations, JUMP and ERROR included, is sealed:
//
//	session(8) counter(8) encrypted body, authentication tag(16)
//
// Header and session tag are authenticated with it. The encrypted bodies:
//
//	DATA       number(4) kind(1) …  see [DataKind]; without number if no confirmation is wanted
//	FILENAME   number(4) message(4) length(4) SHA-256(32) channel
//	DATA_OVER  number(4) message(4)
//	ERROR      code(1) reason in UTF-8 (0 to 128)
//	JUMP       nothing
//	all confirmations
//	           window(1) expected(4) bitmap(0 to 16)
//
// Number and expected are sequence numbers of 32 bits, whose last eight are those of the header. With the header's alone, a
// datagram that the network delivers more than 128 numbers late would be taken for a new one.
//
// A confirmation confirms the message whose number is in its header, and repeats what else has arrived: everything before
// expected, and after it the numbers whose bit is set (the least significant bit of the first byte is expected + 1). A lost
// confirmation is made good by the next one, and one confirmation may serve many messages. Window is how many numbers
// from expected on the receiver has room for.
package wire
