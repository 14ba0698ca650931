package prophecy

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// disputed is what the state of a block says about one open dispute.
type disputed struct {
	record  *oracle.Record
	dispute *oracle.Dispute
}

// stance is what this node holds about a dispute.
type stance struct {
	value *oracle.Value // that it would commit to, or has offered a commit to; nil: none
	salt  [32]byte
}

// clocks are bounds for the clock of a block that is not made yet. Zero values say nothing.
type clocks struct{ least, most uint64 }

// standing is where this node's ballot on a dispute stands.
type standing int

// The standings.
const (
	notAsked  standing = iota // the node's producer does not decide this one
	tooSoon                   // commits are not accepted yet
	noValue                   // they are, but there is nothing to commit to
	illegal                   // the value is TOO_EARLY, and the rules do not admit it in this dispute
	toCommit                  // a commit is due
	committed                 // it is in the state, and reveals are not accepted yet
	toReveal                  // a reveal is due
	revealed                  // it is in the state
	missed                    // commits are over and there is none
	foreign                   // the commit in the state is not one that this node could have made
	ended                     // reveals are over, and there is none
)

// ballotOf tells where a ballot stands and, where one is due, which. It is a function of what the state and the node hold, so
// that the value of a commit that is in the state is found again even if the node has forgotten everything: there are four.
func ballotOf(chain types.ChainID, key types.PublicKey, d disputed, s stance, c clocks) (standing, oracle.Ballot) {
	rec, dis := d.record, d.dispute
	seat := dis.Seat(key)
	if seat < 0 || !rec.State.Disputed() {
		return notAsked, oracle.Ballot{}
	}
	if _, ok := dis.RevealOf(seat); ok {
		return revealed, oracle.Ballot{}
	}
	b := oracle.Ballot{Question: dis.ID, CommitAt: dis.CommitAt}
	// What is written about the phase may lag behind the clock by which ballots are judged. To commit too soon is harmless; to
	// reveal too soon would tell others what to commit to, and the clock may be that of a rival branch.
	revealing := rec.State == oracle.Reveal || c.least > dis.RevealAt && c.least-dis.RevealAt >= margin(dis)
	if mine, ok := dis.CommitOf(seat); ok {
		switch {
		case c.least >= dis.EndsAt:
			return ended, b
		case !revealing:
			return committed, b
		}
		v, ok := openCommit(chain, dis.ID, key.Hash(), mine.Hash, s.salt)
		if !ok {
			return foreign, b
		}
		b.Phase, b.Value, b.Salt = oracle.Reveal, v, s.salt
		return toReveal, b
	}
	switch {
	case revealing:
		return missed, b
	case rec.State != oracle.Commit && c.most < dis.CommitAt:
		return tooSoon, b
	case s.value == nil:
		return noValue, b
	case *s.value == oracle.TooEarly && !rec.MayBeTooEarly():
		return illegal, b
	}
	b.Phase, b.Commit = oracle.Commit, oracle.BallotCommit(chain, dis.ID, key.Hash(), *s.value, s.salt)
	return toCommit, b
}

// margin is how many ticks a clock must be beyond the beginning of reveals before a node reveals in a state that does not say so
// itself: that of a rival branch may be ahead by the gaps that it has more than this one. A quarter of the window leaves a
// producer three turns of its four; it matters only where the question has to wait long to be moved on.
func margin(d *oracle.Dispute) uint64 {
	if d.EndsAt <= d.RevealAt {
		return maxClockStep
	}
	return max(maxClockStep, (d.EndsAt-d.RevealAt)/4)
}

// openCommit finds the value that was committed to.
func openCommit(chain types.ChainID, id [32]byte, producer, commit types.Hash, salt [32]byte) (oracle.Value, bool) {
	for v := oracle.No; v.Valid(); v++ {
		h := oracle.BallotCommit(chain, id, producer, v, salt)
		if bytes.Equal(h[:], commit[:]) {
			return v, true
		}
	}
	return 0, false
}

// dueBallot is one that is due.
type dueBallot struct {
	ballot oracle.Ballot
	stake  uint64 // the question's deposit, which is the bond of each side
	until  uint64 // the clock at which it is too late for it
	entry  *entry // that it is of
}

// deadline is the clock from which on a ballot is not accepted any more.
func deadline(b oracle.Ballot, d *oracle.Dispute) uint64 {
	if b.Phase == oracle.Commit {
		return d.RevealAt
	}
	return d.EndsAt
}

// pack chooses what goes into a block's extension, which is no more than fits: first what most is at stake in, so that nobody can
// crowd a dispute out with cheaper ones, and then what is most urgent.
func pack(list []dueBallot) []oracle.Ballot {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b dueBallot) int {
		return cmp.Or(-cmp.Compare(a.stake, b.stake), cmp.Compare(a.until, b.until), -cmp.Compare(a.ballot.Phase, b.ballot.Phase), bytes.Compare(a.ballot.Question[:], b.ballot.Question[:]))
	})
	out := make([]oracle.Ballot, 0, min(len(list), oracle.MaxBallots))
	for _, d := range list[:min(len(list), oracle.MaxBallots)] {
		out = append(out, d.ballot)
	}
	for len(oracle.EncodeBallots(out)) > types.MaxExtensionBytes {
		out = out[:len(out)-1]
	}
	return out
}
