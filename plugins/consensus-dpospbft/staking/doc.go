// Package staking is the module face of the consensus plugin: who may produce blocks. It keeps producers, stakes and votes,
// counts what the producers do and leave undone, judges evidence, and elects the set of the next epoch.
//
// It is executed with every block, and pure: no clock, goroutine, I/O or map order. In a block it
//
//  1. releases what has been unbonding long enough, and forgets sets that no evidence can reach any more;
//  2. counts: who produced, whose slots between the parent and the block stayed empty, whose COMMIT is missing in the carried
//     certificate, what the producer's VRF adds to the next order;
//  3. judges evidence that the producer put in;
//  4. moves to the next epoch if the block closes one;
//  5. executes the transactions;
//  6. elects the next set and writes it under consensus.NextSetKey if the next block is to close the epoch: because its time is
//     over, or because a member was convicted.
//
// Votes. An account stakes tokens, which then lie in the escrow of its record, and approves of up to 30 producers. Each gets the
// whole weight: stake × 2^(weeks/52) of when the vote was cast, in fixed point (see [Factor]), so that a vote that nobody renews
// halves in a year against new ones. The totals are kept with the producers and change with every vote and stake, so that no
// tally walks over voters. Candidates with votes stand in an index in the order of rank: a tally reads as many of them as there
// are seats.
//
// Seats. At the end of an epoch the seats go to the candidates with the most votes; members of the set in force come first
// among equals and need no votes, others do. A candidate is a registered producer whose own stake is at least min_stake (this
// is what registering costs, and what a conviction takes from) and who has not been jailed, excluded or convicted and has not
// retired. The producers of the genesis set need no stake until they retire. The order is a shuffle by the VRF outputs of the
// epoch's first two thirds. When a member is convicted the epoch ends early: order, seed and the time of the next tally stay,
// and the offender's place goes to the next candidate in rank, or away.
//
// Exclusion. A member who misses jail_missed_turns turns in a row is jailed at once, and one who has not produced for the time
// of silence, and has missed a turn, is excluded at the tally; both mean that the next tally passes over them, until they send
// reactivate. Silence counts the chain's clock, which runs on by at most eight ticks a block: an outage of the whole chain is
// nobody's silence. For the same reason a gap counts as at most one turn missed in a row for each seat, and turns count only
// while finality keeps up: in a partition those on the other side are not absent. A set never shrinks below min_set, as far as
// there are members: those that produced last are kept then.
package staking
