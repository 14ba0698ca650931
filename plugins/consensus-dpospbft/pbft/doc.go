// Package pbft is the protocol of dpospbft as a pure state machine: slots led by one producer each, and a two-phase vote on
// every block. It has no clock, no goroutine, no I/O and no randomness, and nothing it does depends on the order of a map:
// the same events give the same outputs. Package dpospbft wraps it for the core.
//
// # The rules
//
// The seats of a set take turns: slot s on a parent p belongs to order[((s >> k) / turn) mod n], where k is 0 while finality
// keeps up (back-off, below). The leader extends its head, once a slot, and names in the header the block of its highest
// PrepareQC as justify. For a block b an honest node sends PREPARE if it has been checked and
//
//	R1  b.slot > lastPrep.slot
//	R2  b extends lock  or  b.justify.slot > lock.slot
//
// and remembers src = max(b.justify.slot, lock.slot if b extends lock), and forkSlot = lastPrep.slot if b does not extend
// lastPrep. With PREPAREs of a quorum (PrepareQC) in hand it sends COMMIT if
//
//	R3  b.slot > lock.slot
//	R4  lastPrep.slot <= b.slot  or  (lastPrep extends b and forkSlot <= b.slot)
//
// and locks b. COMMITs of a quorum are a finality certificate: b and its ancestors are irreversible. "Extends" means that it
// is a proper ancestor; in R4 the block itself counts too. Safety needs no clock: let b be final and b' the conflicting block
// of the least later slot with a PrepareQC. An honest node did both COMMIT(b) and PREPARE(b'). Prepare first is barred by R4;
// commit first means lock.slot >= b.slot at R2, so b' extends the lock or has a justify above it, and by the choice of b'
// either descends from b.
//
// A final block is treated as if this node had committed to it: the lock is never below it, and a finality certificate
// stands wherever a PrepareQC of the same block is asked for, since it implies one.
//
// Fork choice: among the checked blocks that descend from the last final block and from the block of the highest QC, greatest
// height, then more PREPAREs at the tip, then lower slot, then lower id.
//
// Back-off: with g = height(p) - height(p's finalRef) and k = min(4, bitlen(g / (8·turn))), slot s is usable on p only if 2^k
// divides it, so that slots thin out when the network is slower than a slot.
//
// # Epochs
//
// A block whose header names a next set closes its epoch. Blocks of the epoch that descend from it, the suffix, carry votes
// and nothing else: a certificate for one of them says that the closing block is final, and they are dropped with that. The
// next set takes over only then, so that there are never two sets at work on one chain. Its first block stands on the closing
// block X, which justifies itself there; votes, lock and highest QC start from X, and back-off is counted from it. What a
// node has signed in an epoch bars its slots in all later ones, and who knows X to be final signs nothing in the old epoch any
// more, over restarts as well. To peers whose status is of an older epoch a node shows how that ended.
//
// # Evidence
//
// Signed proposals and votes are kept until the final block is a good deal further on, so that a second one in a slot, or
// a hop over an own COMMIT, is noticed (package evidence). Who holds evidence does not prepare the offender's blocks for the
// rest of the epoch.
//
// # Clocks and keys
//
// Safety needs no clock. All the same a node that finds most producers that it hears of in another slot signs nothing until
// they agree, lest it burn its slots of the future; it follows its clock back when that is put right. A node that is shown a
// signature of its own key which its log does not have stops for good.
//
// # src
//
// A vote's src is the slot of the certified ancestor on whose strength it was given. It matters for accountability only, and
// a vote whose src is not its block's justify counts only where the PrepareQC of that ancestor is held. Such votes carry that
// QC; what is missing all the same is asked for.
//
// # Durability
//
// Whatever a vote relies on is recorded before the request to sign it, in the same Ready: the block's header (which implies
// that the core has its body), the PrepareQC, the vote itself. Own votes count when they come back signed. After a restart
// the last ones are asked for again; nothing else is ever signed in their slots.
//
// # Bounds
//
// Hostile input is normal. Every message has a size limit; votes are kept per seat, the newest only; blocks that do not
// connect, blocks ahead of their time, messages of the next epoch, wanted blocks and peers are kept up to fixed numbers; the
// tree above the last final block ends at maxTree blocks, far beyond what the back-off allows in a day without finality, and then
// lets go of what has no PrepareQC; a suffix ends at types.MaxSuffix blocks. In a tree that is full, and a while before a suffix
// ends, blocks are made beside one another, a few now and then.
package pbft
