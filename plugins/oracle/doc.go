// Package prophecy is the oracle plugin: the paper's prophecy machine. Anybody asks a yes/no question by depositing for its
// timetable; the answer is final if nobody contradicts it.
//
// The state machine is pure: no clock, goroutine, I/O or map order in it. A question is one record, under
// oracle.Item(id); its deposit and bonds lie in the escrow of the same item.
//
//	ask      escrows the deposit                                       → OPEN, or ANSWERED if it brings a first answer
//	answer   the asker for free in its window, then anybody, with a bond → ANSWERED
//	close    by itself when the challenge window has passed            → FINAL, deposit and bond returned;
//	         if the answer was TOO_EARLY                               → OPEN again, once, the bond returned
//	expiry   by itself when nobody has answered                        → EXPIRED, the deposit returned less the fee, which is burned
//
// Each open or answered question has one entry in the core's queue, at the clock at which it closes as it stands; entries
// that a later event has overtaken are cancelled where the record tells their clock, and harmless where it does not, since
// whatever falls due is looked at afresh. More than the core delivers in a block carry over; a question whose time has come
// takes no answers meanwhile, and an action `close` does for it at once what its turn in the queue would.
//
// Disputes (counter, ballots, settlement) are not part of rules version 1: counter fails with ErrNoDisputes.
package prophecy
