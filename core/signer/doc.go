// Package signer keeps the keys of a node and of its users, and signs with them.
//
// A [Keystore] is a folder with one file a key, encrypted with a passphrase or, on local networks, plain. A key is for
// one role: a node's key, opened as a [Signer], signs votes, blocks and greetings; a wallet's key, opened as a [Wallet],
// signs transactions. Neither can do the other's work, and everything that is signed begins with a domain of its own.
//
// # The guard
//
// A node that signs two different votes for one slot loses its stake, and enough of them break the chain. The engine
// avoids that with its records in the journal; the guard is the second lock, beside the key, in the folder NAME.guard:
// before a signature exists, {chain, purpose, ordinal, digest, journal position} is on the disk, and an ordinal that is
// not larger than the last of its chain and purpose is refused unless the very same bytes are to be signed, which gives
// the very same signature. The position shows when a node is started with an old copy of its journal, see
// [Signer.CheckJournal]. A key whose guard is missing is not opened, because nobody knows what it has signed.
//
// The guard is kept by the same log as the journal, with what it says of crashes: each folder's log begins with a
// snapshot of all that counts, and now and then a new one replaces what came before.
package signer
