// Package prophecy is the oracle plugin: the paper's prophecy machine. Anybody asks a yes/no question by depositing for its
// timetable; the answer is final if nobody contradicts it; if somebody does, the producers of blocks decide, in blocks.
//
// The state machine is pure: no clock, goroutine, I/O or map order in it. A question is one record, under
// oracle.Item(id); its deposit and bonds lie in the escrow of the same item.
//
//	ask      escrows the deposit                                       → OPEN, or ANSWERED if it brings a first answer
//	answer   the asker for free in its window, then anybody, with a bond → ANSWERED
//	close    by itself when the challenge window has passed            → FINAL, deposit and bond returned;
//	         if the answer was TOO_EARLY                               → OPEN again, once, the bond returned
//	expiry   by itself when nobody has answered                        → EXPIRED, the deposit returned less the fee, which is burned
//	counter  within the challenge window, with another value and a bond → COUNTERED, then COMMIT and REVEAL by the clock
//	ballot   in a block extension of its producer, or signed in a transaction
//	settling by itself when the time for reveals is over               → FINAL, or OPEN again; see oracle.Settle
//
// A question stands where the clock says. Each that is not over has one entry in the core's queue, at the clock at which it
// leaves its state; but whatever touches a question whose time has come moves it on first, through as many states as have
// passed, so that it makes no difference to what is accepted how much of the queue has carried over. Entries that a later
// event has overtaken are cancelled where the record tells their clock, and harmless where it does not, since whatever falls
// due is looked at afresh.
//
// The files: actions.go is what transactions say, execute.go a block, load.go what is read for it, effect.go what comes of it,
// rules.go the life of a question, dispute.go what the producers decide; voter.go and its siblings are this node's own ballots.
package prophecy
