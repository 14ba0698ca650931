// Package secure is the cryptography of the noise mode: the handshake that proves who is at the other end, the sealing of
// datagrams that arrive in any order, the cookies that prove an address before anything is kept for it, and the limits of
// handshakes. It is pure: randomness and time are passed in.
//
// The primitives are not ours. The handshake is Noise XX of github.com/flynn/noise; the ciphers are those of the standard
// library; keys follow each other by Noise's Rekey.
//
// # Handshake
//
// A node makes an [Identity] whenever it is opened: a Curve25519 key that exists in this process only, and the certificate
// in which the node key vouches for it. XX sends three messages. Each end shows its key and certificate under encryption,
// the one that answers first; who only listens learns neither. What both tell each other in the clear is the prologue, so
// nobody can change it. The first byte of every message is the version of the pattern, see [Pattern]: another key
// exchange, such as a hybrid with a post-quantum one, is another version.
//
// # Sealing
//
// A sealed datagram is what stays readable, a counter of 8 bytes, and the cipher text with its tag. The counter is the
// nonce. Its upper 24 bits are the generation of the key, the rest a number that never repeats. A window of numbers that
// were seen refuses what comes twice, however much the network reorders. Each direction has keys of its own, so nothing can
// be sent back to whom it came from.
//
// A sender goes on to the next key after so many datagrams, bytes or so much time ([Rotation]). The receiver follows when
// a datagram of a later generation opens, and forgets an earlier key when all of its numbers have left the window, or two
// generations later. Who takes a node's memory can not read what was sent under the keys before.
//
// # Cookies and limits
//
// A [Cookies] answers a first call with a code of the caller's address and the time. It keeps nothing; only who receives
// at that address can come back with the code. A [Limits] holds the handshakes of an address, and of all together, to a
// rate.
package secure
