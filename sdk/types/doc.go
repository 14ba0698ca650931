// Package types holds what every part of a chain has to agree on to the last byte: hashes, addresses, transactions,
// headers, blocks, sets of producers, certificates and proofs. It encodes, decodes, hashes and verifies, and does no
// I/O, so a light client, another chain or a plugin can use it alone.
//
// Encoding is canonical: a decoder accepts exactly the bytes that the encoder writes for the same value, so decoding
// and encoding again is the identity (ADR 0002). Integers are minimal unsigned varints, hashes are 32 raw bytes, byte
// strings are prefixed with their length. Every decoder is safe on hostile input: it allocates no more than the input
// can justify and returns an error that wraps [ErrMalformed].
//
// Everything that is signed or hashed starts with a domain string of its own, so that bytes made for one purpose can
// never stand in for another.
package types
