// Package light follows a chain by its certificates alone. It is what another chain, a wallet or a node that has been away
// uses to tell what is final on a chain that it does not execute. It is pure: no clock, no I/O, no goroutine; the same calls
// give the same answers on every machine, so that a module may run it inside consensus.
//
// A [Client] starts from a [Checkpoint]: the block that opened an epoch (the genesis block, or the closing block of the epoch
// before) and the set that its header names. From there [Client.Advance] moves it one epoch further with one closing header,
// the next set and one finality proof, below three thousand bytes with 21 seats. No trust is needed on the way, because each set
// is named by a header that the set before has signed.
//
// With the set of an epoch at hand, [Client.Verify] tells whether a block is final, [Client.VerifyItem] what was in its
// state, [Client.VerifyMessage] what was in its outbox, and [Client.VerifyAncestor] that an older block lies on its chain.
//
// What it rests on. Signatures show something only while those who gave them can still be punished for lying. After that, keys
// may be sold, and a quorum of them can sign another past. So nothing is believed that is signed by an epoch whose last known
// moment lies further back than the trusting period: for the current epoch that is the newest block verified, for an earlier
// one the block that closed it. A client that has slept longer needs a new checkpoint from somebody whom its owner trusts.
//
// Two proofs that exclude one another mean that a third of the seats has signed both. Whoever has them calls
// [Client.Conflict]: the client is frozen for ever, keeps both, and refuses every later call with [ErrFrozen]. Which of the two
// chains goes on is for people to decide.
//
// A block that closes its epoch may be followed by blocks of the same epoch that carry votes and are then dropped. A
// certificate for one of them says no more than that the closing block is final. Once the client knows the closing block, it
// refuses them with [ErrSuffix]; before, it cannot tell them from others, and what it says of them is true: their state is that
// after the closing block.
package light
