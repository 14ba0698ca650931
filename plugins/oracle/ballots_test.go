package prophecy

import (
	"context"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// voterKey is number i of a dispute's producers in these tests; the voter is number 0.
func voterKey(i int) types.PublicKey { return hostKey(i).public }

// chainState is what a state says of disputes, for tests of the voter.
type chainState struct {
	items map[module.Item][]byte
	reads int
}

func newState() *chainState { return &chainState{items: map[module.Item][]byte{}} }

// Read implements module.Reader.
func (s *chainState) Read(ctx context.Context, _ int, items []module.Item) ([][]byte, error) {
	if len(items) > module.MaxReadItems {
		return nil, fmt.Errorf("%w: a read of %d items", module.ErrInvalid, len(items))
	}
	out := make([][]byte, len(items))
	for i, it := range items {
		out[i] = s.items[it]
	}
	s.reads += len(items)
	return out, ctx.Err()
}

// Scan implements module.Reader.
func (s *chainState) Scan(ctx context.Context, _ int, start, end module.Item, limit int) (out []module.Value, more bool, err error) {
	for it, data := range s.items {
		if it.Compare(start) >= 0 && it.Compare(end) < 0 {
			out = append(out, module.Value{Item: it, Data: data})
		}
	}
	sortValues(out)
	if limit = min(limit, module.MaxScan); len(out) > limit {
		out, more = out[:limit], true
	}
	return out, more, ctx.Err()
}

// disputeOf makes a question whose dispute stands in a state: commits from clock 100, reveals from 200 to 300.
func disputeOf(n byte, state oracle.State) disputed {
	id := [32]byte{n, 0xd1}
	r := &oracle.Record{ID: id, Text: fmt.Sprintf("Is it %d?", n), State: state, Open: 1, AnswerBy: 50, Deposit: 100, CommitAt: 100, RevealAt: 200, EndsAt: 300,
		Answers: []oracle.Given{{Value: oracle.No, Clock: 10}, {Value: oracle.Yes, Clock: 20, Bond: 100, Counter: true}}}
	d := &oracle.Dispute{ID: id, Countered: 20, CommitAt: 100, RevealAt: 200, EndsAt: 300}
	for i := range 4 {
		d.Producers = append(d.Producers, voterKey(i))
	}
	return disputed{r, d}
}

// reopened makes it the question's second dispute.
func (d disputed) reopened() disputed {
	r, x := *d.record, *d.dispute
	r.Reopened, x.Life = true, 1
	return disputed{&r, &x}
}

// with takes a ballot of seat 0 as the rules would.
func (d disputed) with(t *testing.T, b oracle.Ballot) disputed {
	t.Helper()
	seat := d.dispute.Seat(voterKey(0))
	if b.Phase == oracle.Commit {
		d.dispute = d.dispute.WithCommit(oracle.Committed{Seat: seat, Hash: b.Commit, Clock: 150})
		return d
	}
	c, ok := d.dispute.CommitOf(seat)
	if !ok || oracle.BallotCommit(voterChain, b.Question, voterKey(0).Hash(), b.Value, b.Salt) != c.Hash {
		t.Fatalf("a reveal of %s that does not match the commit", b.Value)
	}
	d.dispute = d.dispute.WithReveal(oracle.Revealed{Seat: seat, Value: b.Value, Clock: 250})
	return d
}

// in moves the question on.
func (d disputed) in(s oracle.State) disputed {
	r := *d.record
	r.State = s
	d.record = &r
	return d
}

func (s *chainState) put(list ...disputed) *chainState {
	for _, d := range list {
		id := d.dispute.ID
		s.items[oracle.Item(id)] = d.record.Encode()
		s.items[oracle.DisputeItem(id, d.dispute.Life)] = d.dispute.Encode()
		if c := d.dispute.EncodeCommits(); c != nil {
			s.items[oracle.CommitsItem(id, d.dispute.Life)] = c
		}
		if d.record.State.Disputed() {
			s.items[oracle.DisputeIndex(d.dispute.CommitAt, id)] = []byte{1}
		}
	}
	return s
}

func TestBallotOf(t *testing.T) {
	yes, early := oracle.Yes, oracle.TooEarly
	salt := [32]byte{7}
	mine := func(v oracle.Value) oracle.Ballot {
		return oracle.Ballot{Phase: oracle.Commit, Commit: oracle.BallotCommit(voterChain, disputeOf(1, oracle.Commit).dispute.ID, voterKey(0).Hash(), v, salt)}
	}
	done := func(s oracle.State, v oracle.Value) disputed { return disputeOf(1, s).with(t, mine(v)) }
	shortly := func(d disputed) disputed { // reveals for 16 ticks
		d.record.EndsAt, d.dispute.EndsAt = 216, 216
		return d
	}
	late := disputeOf(1, oracle.Commit)
	late.record.Answers[0].Clock = 50 // the answer was not given before answer_by
	for _, c := range []struct {
		name  string
		d     disputed
		value *oracle.Value
		c     clocks
		want  standing
		shows oracle.Value // of a reveal
	}{
		{"noticed", disputeOf(1, oracle.Countered), &yes, clocks{}, tooSoon, 0},
		{"noticed, a tick before commits", disputeOf(1, oracle.Countered), &yes, clocks{90, 99}, tooSoon, 0},
		{"the state lags behind the clock", disputeOf(1, oracle.Countered), &yes, clocks{90, 100}, toCommit, 0},
		{"commit", disputeOf(1, oracle.Commit), &yes, clocks{}, toCommit, 0},
		{"commit without a value", disputeOf(1, oracle.Commit), nil, clocks{}, noValue, 0},
		{"commit of TOO_EARLY", disputeOf(1, oracle.Commit), &early, clocks{}, toCommit, 0},
		{"commit of TOO_EARLY that is illegal", late, &early, clocks{}, illegal, 0},
		{"commit of TOO_EARLY in the second life", disputeOf(1, oracle.Commit).reopened(), &early, clocks{}, illegal, 0},
		{"commit in the last tick", disputeOf(1, oracle.Commit), &yes, clocks{199, 199}, toCommit, 0},
		{"commit is there", done(oracle.Commit, oracle.Yes), &yes, clocks{}, committed, 0},
		{"commit is there and reveals may have begun", done(oracle.Commit, oracle.Yes), &yes, clocks{200, 220}, committed, 0},
		{"reveals have begun, if the clock was not that of a rival branch", done(oracle.Commit, oracle.Yes), &yes, clocks{224, 240}, committed, 0},
		{"reveals have surely begun", done(oracle.Commit, oracle.Yes), &yes, clocks{225, 240}, toReveal, oracle.Yes},
		{"reveals of a short window may have begun", shortly(done(oracle.Commit, oracle.Yes)), &yes, clocks{207, 220}, committed, 0},
		{"reveals of a short window have surely begun", shortly(done(oracle.Commit, oracle.Yes)), &yes, clocks{208, 220}, toReveal, oracle.Yes},
		{"reveal", done(oracle.Reveal, oracle.Yes), &yes, clocks{}, toReveal, oracle.Yes},
		{"reveal of what was forgotten", done(oracle.Reveal, oracle.Invalid), nil, clocks{}, toReveal, oracle.Invalid},
		{"reveal of what another belief replaced", done(oracle.Reveal, oracle.No), &yes, clocks{}, toReveal, oracle.No},
		{"reveal, too late", done(oracle.Reveal, oracle.No), &yes, clocks{300, 300}, ended, 0},
		{"reveal without a commit", disputeOf(1, oracle.Reveal), &yes, clocks{}, missed, 0},
		{"revealed", done(oracle.Reveal, oracle.Yes).with(t, oracle.Ballot{Question: disputeOf(1, 0).dispute.ID, Phase: oracle.Reveal, Value: oracle.Yes, Salt: salt}),
			&yes, clocks{}, revealed, 0},
		{"a commit of another", disputeOf(1, oracle.Reveal).with(t, oracle.Ballot{Phase: oracle.Commit, Commit: types.Hash{9}}), &yes, clocks{}, foreign, 0},
		{"final", disputeOf(1, oracle.Final), &yes, clocks{}, notAsked, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, b := ballotOf(voterChain, voterKey(0), c.d, stance{c.value, salt}, c.c)
			if got != c.want {
				t.Fatalf("it stands at %d, want %d", got, c.want)
			}
			switch got {
			case toCommit:
				if b.Phase != oracle.Commit || b.Commit != oracle.BallotCommit(voterChain, c.d.dispute.ID, voterKey(0).Hash(), *c.value, salt) || b.CommitAt != 100 {
					t.Errorf("the ballot is %+v", b)
				}
			case toReveal:
				if b.Phase != oracle.Reveal || b.Value != c.shows || b.Salt != salt || b.CommitAt != 100 {
					t.Errorf("the ballot is %+v", b)
				}
			}
		})
	}
	if got, _ := ballotOf(voterChain, voterKey(9), disputeOf(1, oracle.Commit), stance{&yes, salt}, clocks{}); got != notAsked {
		t.Errorf("a stranger stands at %d", got)
	}
}

func TestPackIsByStakeAndUrgency(t *testing.T) {
	ballot := func(n byte, phase oracle.State) oracle.Ballot {
		return oracle.Ballot{Question: [32]byte{n}, Phase: phase, CommitAt: 1 << 60}
	}
	got := pack([]dueBallot{
		{ballot: ballot(5, oracle.Commit), until: 20}, {ballot: ballot(4, oracle.Commit), until: 10}, {ballot: ballot(3, oracle.Reveal), until: 20},
		{ballot: ballot(2, oracle.Commit), until: 20}, {ballot: ballot(1, oracle.Reveal), until: 30}, {ballot: ballot(6, oracle.Commit), stake: 1, until: 40},
	})
	order := ""
	for _, b := range got {
		order += fmt.Sprint(b.Question[0])
	}
	if order != "643251" {
		t.Errorf("the order is %s, want 643251", order)
	}
	var many []dueBallot
	for n := range 3 * oracle.MaxBallots {
		many = append(many, dueBallot{ballot: ballot(byte(n), oracle.Reveal), until: uint64(1000 - n)})
	}
	got = pack(many)
	if len(got) != oracle.MaxBallots || got[0].Question[0] != byte(len(many)-1) {
		t.Errorf("%d ballots, the first is %d", len(got), got[0].Question[0])
	}
	data := oracle.EncodeBallots(got)
	if len(data) > types.MaxExtensionBytes {
		t.Errorf("an extension of %d bytes", len(data))
	}
	if back, err := oracle.DecodeBallots(data); err != nil || len(back) != len(got) {
		t.Errorf("it is not what the rules read: %v", err)
	}
	if pack(nil) == nil || oracle.EncodeBallots(pack(nil)) != nil {
		t.Error("nothing is due, and there is an extension")
	}
}
