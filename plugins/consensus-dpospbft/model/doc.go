// Package model is a second, independent reading of the voting rules of dpospbft: a model small enough to be searched
// completely. It shares no code with package pbft. Where the simulation of that package samples long runs of the real
// machine, this package visits every state that a few slots can lead to.
//
// # What is modelled
//
// Four seats, a quorum of three (n = 4, q = 3). One to three seats are Byzantine, the others (H1, H2, H3) are honest. The
// adversary makes every block: a [Tree] fixes for each its slot, parent and justify, and the search goes through all trees
// within its [Bounds]. Every block is known to everybody from the start, and a Byzantine vote of either kind is there for any
// block as soon as it is of use: a block is certified (has a PrepareQC) when honest PREPAREs and all Byzantine seats together
// are a quorum, and final when honest COMMITs and all Byzantine seats are.
//
// What is left are the steps of the honest seats, in every order. H1P2 says that seat H1 prepares block 2, H1C2 that it commits
// it. A step is possible when the rules allow it and the certificate that it needs exists; nobody is forced to take it, so
// that votes and certificates may be delayed without limit and each seat may see them in its own order:
//
//	H P b  needs the PrepareQC of b's justify, and
//	       R1  b.slot > lastPrep.slot
//	       R2  b extends lock  or  b.justify.slot > lock.slot
//	       then src = max(b.justify.slot, lock.slot if b extends lock)
//	       and  forkSlot = lastPrep.slot if b does not extend lastPrep
//	H C b  needs the PrepareQC of b, and
//	       R3  b.slot > lock.slot
//	       R4  lastPrep.slot <= b.slot  or  (lastPrep is or extends b  and  forkSlot <= b.slot)
//	       then lock = b
//
// A block is valid if its justify is a proper ancestor of it and not older than its parent's justify. [Rules] has a switch to
// leave out each of these; with one of them set, the search must find the harm that the rule prevents.
//
// # What is looked for
//
// [Conflict]: two final blocks of which neither descends from the other. With one Byzantine seat there must be none.
//
// [Accused]: an honest seat whose own votes match evidence E2, E3 or E4. There must be none, with any number of Byzantine seats.
// That depends on one seat's votes only, and more Byzantine seats only certify more, so a search with three Byzantine seats
// and one honest one covers every other mix.
//
// [Unaccounted]: two conflicting final blocks that expose fewer than 2q-n seats, when more than f are Byzantine. The Byzantine
// seats get the best choice of who of them signs what with which src, as long as all certificates that the run relies on can be
// formed, and they may look at the whole run before they choose. Blocks are not held against them (E1). What happens after a
// conflict is not searched: a node that sees one halts.
//
// # What is not modelled
//
// Epochs and the hand-over between sets, clocks and early blocks, crashes and what is durable, message formats, the fork
// choice, liveness. "Descends from final" is not asked of a vote, as if a seat never learned what is final; that only allows
// more. So does the time at which a Byzantine src is judged, which is the end of the run.
//
// # How it is searched
//
// The steps of a seat depend on its own votes and, otherwise, only on which blocks are certified. So each tree gives one small
// automaton for a seat (automaton.go), whose moves are guarded by certificates, and a state of the model is one automaton state
// for each honest seat. Honest seats are alike, so states that differ by a permutation of them are one. The search is breadth
// first with an exact set of visited states: what it finds first in a tree is shortest there, and after a find in one tree the
// others are searched for something shorter only.
//
// A tree has the same number of blocks in every slot. That loses nothing: a run that uses fewer is also a run of a tree with
// some more.
//
// # How large
//
// The tests search 3 slots of 2 blocks and 4 slots of 1 block, which takes about ten seconds of one core. For more:
//
//	go test -run FullRules/no_conflict -v -timeout 30m ./plugins/consensus-dpospbft/model -model.slots 5 -model.blocks 1
//
// With these bounds and one Byzantine seat there are 1,333 trees, 1,080 million states (10 million in the largest tree) and 3,448
// million transitions: some eight minutes of one core. FullRules/no_honest goes further: 6 slots of 1 block are 24 million
// states. A tree of more than [MaxStates] states ends a search with [ErrTooLarge].
package model
