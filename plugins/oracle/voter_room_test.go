package prophecy

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// manyDisputes returns number i of very many in COUNTERED.
func manyDisputes(i int) disputed {
	d := disputeOf(byte(i), oracle.Countered)
	d.record.ID[5], d.dispute.ID[5] = byte(i>>8), byte(i>>8)
	return d
}

// hears tells the node of a dispute in its first life, as an executed block does.
func (n *node) hears(d disputed) { n.noticed(questionOf(d), 0) }

// target is none of manyDisputes.
func target(s oracle.State) disputed {
	d := disputeOf(1, s)
	d.record.ID[9], d.dispute.ID[9] = 9, 9
	return d
}

// answers gives the entries that the node has only heard of an answer of the source, as if it had been asked.
func (n *node) answers(v oracle.Value) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.all.by {
		if e.life == lifeUnknown && e.belief == nil && !e.over {
			e.belief, e.source = &oracle.Belief{Value: v}, "command"
		}
	}
}

// TestTheOperatorsAnswerOutlivesARivalBranch: the dispute is missing long enough to count as over, the counter is executed again,
// and the source says something else this time.
func TestTheOperatorsAnswerOutlivesARivalBranch(t *testing.T) {
	d := disputeOf(1, oracle.Countered)
	for _, c := range []struct {
		name string
		back func(n *node)
	}{
		{"the counter is executed again", func(n *node) {
			n.hears(d)
			n.wg.Wait()
		}},
		{"a restart between", func(n *node) {
			n.save()
			n.restart()
			n.hears(d)
			n.wg.Wait()
		}},
		{"an entry of its own with the source's answer", func(n *node) {
			n.mu.Lock()
			e := n.all.add(d.dispute.ID, lifeUnknown, hearsay, n.time.now())
			e.belief, e.source = &oracle.Belief{Value: oracle.No}, "command"
			n.mu.Unlock()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, script("echo NO"))
			if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.Yes, Reason: "I know"}); err != nil {
				t.Fatal(err)
			}
			n.extends(newState().put(d))
			n.time.add(2 * goneAfter)
			n.extends(newState())
			c.back(n)
			if v := votesFor(t, n.one(d.in(oracle.Commit)), 0); v != oracle.Yes {
				t.Errorf("the operator has said YES, and it commits to %s", v)
			}
			if o := n.showsOf(d.dispute.ID); o.Source != sourceOperator || o.Reason != "I know" {
				t.Errorf("it shows %+v", o)
			}
		})
	}
}

// TestARealDisputeAlwaysHasRoom fills the memory in all ways that others, or the operator himself, have.
func TestARealDisputeAlwaysHasRoom(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(n *node)
		warn bool
	}{
		{"with what was only heard of", func(n *node) {
			for i := range maxEntries + 20 {
				n.hears(manyDisputes(i))
			}
		}, false},
		{"and the source has answered", func(n *node) {
			for i := range maxEntries + 20 {
				n.hears(manyDisputes(i))
				n.answers(oracle.Yes)
			}
		}, false},
		{"with what the operator has said ahead", func(n *node) {
			for i := range maxEntries {
				if err := n.accept(manyDisputes(i).dispute.ID, oracle.Belief{Value: oracle.No}); err != nil {
					n.t.Fatal(err)
				}
			}
		}, true},
		{"with disputes of rival branches", func(n *node) {
			for branch := range 2 {
				s := newState()
				for i := range maxOpenDisputes {
					s.put(manyDisputes(branch*maxOpenDisputes + i))
				}
				n.extends(s)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, manual())
			c.fill(n)
			n.save()
			n.restart()
			d := target(oracle.Countered)
			n.extends(newState().put(d))
			if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.Yes}); err != nil {
				t.Fatal(err)
			}
			if v := votesFor(t, n.one(d.in(oracle.Commit)), 0); v != oracle.Yes {
				t.Errorf("it commits to %s", v)
			}
			if got := n.host.count("more disputes and answers than this node can remember"); got != 0 != c.warn || got > 1 {
				t.Errorf("%d warnings that there is no room", got)
			}
			if got := len(n.all.by); got > maxEntries {
				t.Errorf("%d entries", got)
			}
		})
	}
}

// TestHearsayPushesOutNothingElse: what the operator has said, and what states have shown, stays.
func TestHearsayPushesOutNothingElse(t *testing.T) {
	n := newNode(t, manual())
	d, ahead := target(oracle.Countered), [32]byte{0xaa}
	n.extends(newState().put(d))
	for _, id := range [][32]byte{d.dispute.ID, ahead} {
		if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.Invalid}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 * maxEntries {
		n.hears(manyDisputes(i))
	}
	if e := n.find(ahead); e == nil || !e.operators() {
		t.Errorf("what the operator has said is forgotten: %+v", e)
	}
	if v := votesFor(t, n.one(d.in(oracle.Commit)), 0); v != oracle.Invalid {
		t.Errorf("it commits to %s", v)
	}
	if n.find(manyDisputes(2*maxEntries-1).dispute.ID) == nil || n.find(manyDisputes(0).dispute.ID) != nil {
		t.Error("the oldest hearsay does not make room for the newest")
	}
}

func (n *node) find(id [32]byte) *entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all.find(id)
}

// TestTheLastOfManyIsNotPushedOutByTheFirst: the memory is full of answers given ahead, and a state shows disputes about all of those
// that are forgotten first.
func TestTheLastOfManyIsNotPushedOutByTheFirst(t *testing.T) {
	n := newNode(t, manual())
	for i := range maxEntries {
		if err := n.accept(manyDisputes(i).dispute.ID, oracle.Belief{Value: oracle.No}); err != nil {
			t.Fatal(err)
		}
	}
	s := newState().put(target(oracle.Countered))
	for i := range maxOpenDisputes - 1 {
		d := manyDisputes(i)
		d.dispute.CommitAt, d.record.CommitAt = 101, 101
		s.put(d)
	}
	n.extends(s)
	for i := range maxOpenDisputes - 1 {
		if e := n.find(manyDisputes(i).dispute.ID); e == nil || e.value() == nil || e.life != 0 {
			t.Fatalf("what the operator has said on question %d is lost: %+v", i, e)
		}
	}
}

// TestWhatWasOnlyHeardOfEndsSilently: nobody can tell whether this node had a vote in it.
func TestWhatWasOnlyHeardOfEndsSilently(t *testing.T) {
	n := newNode(t, manual())
	for i := range 20 {
		n.hears(manyDisputes(i))
		if i == 9 {
			n.answers(oracle.Yes) // to the first half
		}
	}
	n.time.add(heardLong + time.Hour)
	n.extends(newState())
	if n.host.count("is lost") != 0 || n.host.metric("ballots_late") != 0 {
		t.Errorf("%d votes are said to be lost; %v", n.host.count("is lost"), n.host.metrics)
	}
	for i := range 20 {
		if n.find(manyDisputes(i).dispute.ID) != nil {
			t.Fatalf("dispute %d is not over", i)
		}
	}
}

// TestALostVoteIsToldOnce although its dispute comes and goes with its branch.
func TestALostVoteIsToldOnce(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Countered)
	for range 3 {
		n.hears(d)
		n.extends(newState().put(d))
		n.time.add(2 * goneAfter)
		n.extends(newState())
	}
	if got := n.host.count("is lost"); got != 1 {
		t.Errorf("told %d times", got)
	}
}

// TestWithoutASeatAnAnswerEndsWithTheDispute: the source was quicker than the state that shows who decides.
func TestWithoutASeatAnAnswerEndsWithTheDispute(t *testing.T) {
	n := newNode(t, script("echo YES"))
	d, ahead := disputeOf(1, oracle.Commit), disputeOf(2, oracle.Commit)
	n.hears(d)
	n.host.await(t, "has an answer")
	if err := n.believe(t.Context(), ahead.dispute.ID, oracle.Belief{Value: oracle.No}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []disputed{d, ahead} {
		x.dispute.Producers = x.dispute.Producers[1:]
		n.extends(newState().put(x))
	}
	if n.find(d.dispute.ID) != nil {
		t.Error("a dispute that is not this node's business is remembered")
	}
	if n.find(ahead.dispute.ID) == nil {
		t.Error("what the operator has said is forgotten, and another branch may have another snapshot")
	}
}

// TestOnlyProducersLookForAnswers executes a counter on nodes that are and are not among the producers.
func TestOnlyProducersLookForAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []types.PublicKey
		want int
	}{
		{"a producer", []types.PublicKey{voterKey(3), voterKey(0)}, 1},
		{"a follower", []types.PublicKey{voterKey(3), voterKey(2)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			n := newNode(t, manual())
			w.o.voter, w.Producers = n.voter, c.keys
			w.disputed("Is it so?")
			if got := len(n.observations()); got != c.want {
				t.Errorf("%d observations, want %d", got, c.want)
			}
		})
	}
}

// TestWhatIsAtStakeGoesFirst: who begins many cheap disputes a tick before does not keep a ballot out of the block.
func TestWhatIsAtStakeGoesFirst(t *testing.T) {
	n := newNode(t, manual())
	s := newState()
	var list []disputed
	for i := range 300 {
		d := manyDisputes(i).in(oracle.Commit)
		d.record.Deposit = 100
		list = append(list, d)
	}
	d := target(oracle.Commit)
	d.record.Deposit, d.record.CommitAt, d.dispute.CommitAt, d.dispute.RevealAt, d.dispute.EndsAt = 101, 101, 101, 201, 301
	list = append(list, d)
	for _, x := range list {
		if err := n.accept(x.dispute.ID, oracle.Belief{Value: oracle.Yes}); err != nil {
			t.Fatal(err)
		}
	}
	got := n.extends(s.put(list...))
	if len(got) != oracle.MaxBallots || got[0].Question != d.dispute.ID {
		t.Errorf("%d ballots, the first on question %x", len(got), got[0].Question[:4])
	}
}

// TestACutReasonIsReadAgain: what was cut in the middle of a character would be damaged when it is written as JSON.
func TestACutReasonIsReadAgain(t *testing.T) {
	for k := range 4 {
		for _, s := range []string{strings.Repeat("a", k) + strings.Repeat("é", oracle.MaxReasonBytes), strings.Repeat("a", k) + strings.Repeat("\xff", oracle.MaxReasonBytes)} {
			reason := shorten(s)
			if !utf8.ValidString(reason) || len(reason) > oracle.MaxReasonBytes {
				t.Errorf("%d bytes, valid: %t", len(reason), utf8.ValidString(reason))
			}
			data, err := encodeStore([]*entry{{id: [32]byte{1}, reason: reason}})
			if err != nil {
				t.Fatal(err)
			}
			back, err := decodeStore(data, func(what string, err error) { t.Errorf("%s: %v", what, err) })
			if err != nil || len(back) != 1 || back[0].reason != reason {
				t.Errorf("%d entries are read again: %v", len(back), err)
			}
		}
	}
}

// TestARivalsClockRevealsNothing: the clock of another branch is ahead by several gaps.
func TestARivalsClockRevealsNothing(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Commit)
	if _, err := n.accepted(d.dispute.ID); err != nil {
		t.Fatal(err)
	}
	d = d.with(t, n.one(d))
	n.executed(0, d.dispute.RevealAt+2*maxClockStep)
	if got := n.extends(newState().put(d)); got != nil {
		t.Errorf("the state says COMMIT, and it offers %s %s", got[0].Phase, got[0].Value)
	}
}
