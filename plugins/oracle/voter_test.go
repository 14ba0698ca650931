package prophecy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func questionOf(d disputed) oracle.Question {
	return oracle.Question{ID: d.record.ID, Text: d.record.Text, Sources: d.record.Sources}
}

func TestAVoteFromNoticeToReveal(t *testing.T) {
	n := newNode(t, script("echo YES it is written"))
	d := disputeOf(1, oracle.Countered)
	n.noticed(questionOf(d), 0)
	n.host.await(t, "has an answer", `answer="YES"`)
	if got := n.extends(newState().put(d)); got != nil {
		t.Fatalf("commits are not accepted yet, and there is %+v", got)
	}
	if o := n.showsOf(d.dispute.ID); o.State != oracle.ObservationBelieves || *o.Value != oracle.Yes || o.Source != observe.Command || o.Reason != "it is written" || o.Attempts != 1 {
		t.Errorf("it shows %+v", o)
	}
	commit := n.one(d.in(oracle.Commit))
	if v := votesFor(t, commit, 0); v != oracle.Yes || commit.CommitAt != 100 || commit.Serial != 0 {
		t.Fatalf("a commit to %s: %+v", v, commit)
	}
	if again := n.one(d.in(oracle.Commit)); again != commit {
		t.Errorf("on the same state again: %+v", again)
	}
	d = d.with(t, commit)
	if got := n.extends(newState().put(d.in(oracle.Commit))); got != nil {
		t.Errorf("the commit is there, and there is %+v", got)
	}
	if o := n.showsOf(d.dispute.ID); o.State != oracle.ObservationCommitted {
		t.Errorf("it shows %+v", o)
	}
	reveal := n.one(d.in(oracle.Reveal))
	d = d.with(t, reveal).in(oracle.Reveal)
	if got := n.extends(newState().put(d)); got != nil || n.showsOf(d.dispute.ID).State != oracle.ObservationRevealed {
		t.Errorf("the reveal is there, and there is %+v; it shows %+v", got, n.showsOf(d.dispute.ID))
	}
	if n.host.count("warn") != 0 {
		t.Errorf("warnings: %q", n.host.told)
	}
	if n.host.metric("ballots_offered") != 3 || n.host.metric("observations_failed") != 0 {
		t.Errorf("metrics: %v", n.host.metrics)
	}
}

// TestACrashAtEachStepLosesNothing opens the voter anew between all steps; the command that it asks says something else each
// time, so that what is not remembered shows.
func TestACrashAtEachStepLosesNothing(t *testing.T) {
	calls := filepath.Join(t.TempDir(), "calls")
	n := newNode(t, script(fmt.Sprintf(`echo x >>%s; if [ "$(wc -l <%s)" = 1 ]; then echo YES; else echo NO; fi`, calls, calls)))
	d := disputeOf(1, oracle.Countered)
	n.noticed(questionOf(d), 0)
	n.host.await(t, "has an answer", "YES")
	n.save() // the background's own may still be under way; a crash before it would only ask again
	n.restart()
	n.extends(newState().put(d))
	n.restart()
	commit := n.one(d.in(oracle.Commit))
	if v := votesFor(t, commit, 0); v != oracle.Yes {
		t.Fatalf("it commits to %s, and believed YES before the crash", v)
	}
	n.restart()
	if again := n.one(d.in(oracle.Commit)); again != commit {
		t.Fatalf("after the crash it commits to something else")
	}
	d = d.with(t, commit).in(oracle.Reveal)
	n.restart()
	if r := n.one(d); r.Value != oracle.Yes {
		t.Fatalf("it reveals %s", r.Value)
	}
	for _, what := range []string{"nothing is left", "the file is garbage"} {
		if err := os.RemoveAll(n.dir); err != nil {
			t.Fatal(err)
		}
		if what != "nothing is left" {
			if err := os.MkdirAll(n.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(n.dir, storeName), []byte("{]"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n.restart()
		if r := n.one(d); r.Value != oracle.Yes {
			t.Fatalf("%s: it reveals %s", what, r.Value)
		}
	}
}

// TestTheSameCommitInARivalBranch: once a commit was offered, another branch that does not have it gets the same, whatever the
// operator and the source say meanwhile, and after a crash too.
func TestTheSameCommitInARivalBranch(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Commit)
	id := d.dispute.ID
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.Yes}); err != nil {
		t.Fatal(err)
	}
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.No, Reason: "on second thoughts"}); err != nil {
		t.Fatalf("nothing was offered yet: %v", err)
	}
	commit := n.one(d)
	rival := disputeOf(1, oracle.Commit)
	rival.dispute.CommitAt, rival.record.CommitAt = 101, 101 // the counter came a tick later there
	for range 2 {
		if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.Yes}); !errors.Is(err, oracle.ErrCommitted) || !strings.Contains(err.Error(), "NO") {
			t.Fatalf("%v, want ErrCommitted", err)
		}
		if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.No, Reason: "still"}); err != nil {
			t.Fatalf("the same value again: %v", err)
		}
		if b := n.one(rival); b.Commit != commit.Commit || b.CommitAt != 101 {
			t.Fatalf("the rival branch gets %+v, want %x", b, commit.Commit)
		}
		n.restart()
	}
}

// TestNothingIsOfferedThatIsNotOnDisk takes the disk away.
func TestNothingIsOfferedThatIsNotOnDisk(t *testing.T) {
	n := newNode(t, manual())
	d, other := disputeOf(1, oracle.Commit), disputeOf(2, oracle.Commit)
	for _, x := range []disputed{d, other} {
		if err := n.believe(t.Context(), x.dispute.ID, oracle.Belief{Value: oracle.Yes}); err != nil {
			t.Fatal(err)
		}
	}
	other = other.with(t, n.one(other)).in(oracle.Reveal)
	hidden := n.dir + ".hidden"
	if err := os.Rename(n.dir, hidden); err != nil {
		t.Fatal(err)
	}
	if got := n.extends(newState().put(d, other)); len(got) != 1 || got[0].Phase != oracle.Reveal {
		t.Fatalf("without a disk it offers %+v, want the reveal alone", got)
	}
	n.host.await(t, "warn", "cannot vote", "make room")
	if err := n.believe(t.Context(), [32]byte{9}, oracle.Belief{Value: oracle.Yes}); err == nil {
		t.Error("the operator's answer is taken, and not on disk")
	}
	if err := os.Rename(hidden, n.dir); err != nil {
		t.Fatal(err)
	}
	if got := n.extends(newState().put(d, other)); len(got) != 2 {
		t.Fatalf("with the disk again it offers %+v", got)
	}
}

func TestTheOperatorWins(t *testing.T) {
	d := disputeOf(1, oracle.Commit)
	id := d.dispute.ID
	believe := func(n *node) {
		t.Helper()
		if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.Invalid, Reason: "I know"}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, n *node) {
		t.Helper()
		if v := votesFor(t, n.one(d), 0); v != oracle.Invalid {
			t.Errorf("it commits to %s", v)
		}
		if o := n.showsOf(id); o.Source != sourceOperator || o.Reason != "I know" || *o.Value != oracle.Invalid {
			t.Errorf("it shows %+v", o)
		}
	}
	t.Run("before the source is asked", func(t *testing.T) {
		n := newNode(t, script("echo YES"))
		believe(n)
		n.restart()
		n.noticed(questionOf(d), 0)
		check(t, n)
		if n.host.count("has an answer") != 0 {
			t.Error("the source was asked")
		}
	})
	t.Run("after the source has answered", func(t *testing.T) {
		n := newNode(t, script("echo YES"))
		n.noticed(questionOf(d), 0)
		n.host.await(t, "has an answer")
		believe(n)
		check(t, n)
	})
	t.Run("while the source hangs", func(t *testing.T) {
		n := newNode(t, script("sleep 1000"))
		n.noticed(questionOf(d), 0)
		believe(n)
		check(t, n)
	})
}

func TestAHangingSourceHoldsNothingUp(t *testing.T) {
	n := newNode(t, script("echo started >&2; sleep 1000"))
	var list []disputed
	for i := range byte(5) {
		d := disputeOf(i, oracle.Commit)
		n.noticed(questionOf(d), 0)
		list = append(list, d)
	}
	if got := n.extends(newState().put(list...)); got != nil {
		t.Fatalf("there is %+v", got)
	}
	n.host.await(t, "warn", "commits on a disputed question are accepted now", "alto oracle ballot")
	for _, d := range list {
		if o := n.showsOf(d.dispute.ID); o.State != oracle.ObservationObserving && o.State != oracle.ObservationWaiting {
			t.Errorf("it shows %+v", o)
		}
	}
}

// TestFewAreAskedAboutAtATime counts at a service that answers only when all that may ask have done so.
func TestFewAreAskedAboutAtATime(t *testing.T) {
	const questions, together = 6, 2 // newNode allows 2
	arrived, answer := make(chan struct{}, questions), make(chan struct{})
	var now, most atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" {
			return
		}
		if k := now.Add(1); k > most.Load() {
			most.Store(k)
		}
		arrived <- struct{}{}
		<-answer
		now.Add(-1)
		fmt.Fprint(w, `"YES"`)
	}))
	defer srv.Close()
	n := newNode(t, observe.Config{Kind: observe.HTTP, URLs: []string{srv.URL + "/{id}"}, Paths: []string{"$"}, Timeout: time.Minute})
	for i := range byte(questions) {
		n.noticed(questionOf(disputeOf(i, oracle.Countered)), 0)
	}
	for range together {
		<-arrived
	}
	for range 20 { // those that may not ask yet have had the time to, if they did not wait
		resp, err := http.Get(srv.URL + "/ping")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	for i := range questions {
		answer <- struct{}{}
		if i < questions-together {
			<-arrived
		}
	}
	n.voter.wg.Wait()
	if most.Load() > together {
		t.Errorf("%d were asked about at a time, at most %d may", most.Load(), together)
	}
	for i := range byte(questions) {
		if o := n.showsOf(disputeOf(i, oracle.Countered).dispute.ID); o.State != oracle.ObservationBelieves {
			t.Errorf("it shows %+v", o)
		}
	}
}

// TestWhatWasOfferedCountsMoreThanWhatIsBelieved: a file that says both is what a crash at the worst moment could leave.
func TestWhatWasOfferedCountsMoreThanWhatIsBelieved(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Commit)
	file := fmt.Sprintf(`{"format":1,"ballots":[{"question":"%x","life":0,"text":"Is it?","value":"NO","offered":"YES","source":"operator"}]}`, d.dispute.ID)
	if err := os.WriteFile(filepath.Join(n.dir, storeName), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	n.restart()
	if v := votesFor(t, n.one(d), 0); v != oracle.Yes {
		t.Errorf("it commits to %s", v)
	}
	if o := n.showsOf(d.dispute.ID); *o.Value != oracle.Yes {
		t.Errorf("it shows %+v", o)
	}
}

// TestALateAnswerOfTheSourceIsDropped: the operator has spoken while it was under way.
func TestALateAnswerOfTheSourceIsDropped(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Commit)
	n.noticed(questionOf(d), 0)
	if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.No}); err != nil {
		t.Fatal(err)
	}
	if !n.found(n.all.last(d.dispute.ID), oracle.Belief{Value: oracle.Yes}, nil, 0) {
		t.Error("it goes on asking")
	}
	if v := votesFor(t, n.one(d), 0); v != oracle.No {
		t.Errorf("it commits to %s", v)
	}
}

func TestItTriesAgain(t *testing.T) {
	calls := filepath.Join(t.TempDir(), "calls")
	n := newNode(t, script(fmt.Sprintf(`echo x >>%s; if [ "$(wc -l <%s)" -ge 4 ]; then echo NO at last; else echo dunno >&2; exit 7; fi`, calls, calls)))
	d := disputeOf(1, oracle.Commit)
	n.noticed(questionOf(d), 0)
	n.host.await(t, "has an answer", "NO", "at last")
	for i, pause := range []string{"1ms", "2ms", "4ms"} {
		n.host.await(t, "warn", fmt.Sprintf(`attempt="%d"`, i+1), "code 7", "dunno", "again in "+pause, fmt.Sprintf("alto oracle ballot %x", d.dispute.ID))
	}
	if o := n.showsOf(d.dispute.ID); o.Attempts != 4 || n.host.metric("observations_failed") != 3 {
		t.Errorf("it shows %+v; metrics %v", o, n.host.metrics)
	}
	if v := votesFor(t, n.one(d), 0); v != oracle.No {
		t.Errorf("it commits to %s", v)
	}
}

// TestAVoteThatIsLostIsTold is about a source that has no answer until it is too late.
func TestAVoteThatIsLostIsTold(t *testing.T) {
	n := newNode(t, script("echo no idea >&2; exit 1"))
	d := disputeOf(1, oracle.Commit)
	n.extends(newState().put(d))
	n.host.await(t, "no answer to a disputed question yet", "no idea")
	n.extends(newState().put(d.in(oracle.Reveal)))
	n.host.await(t, "warn", "vote on a disputed question is lost", "no answer in time", "no idea", "docs/guide/observers.md")
	n.voter.wg.Wait() // it has given up
	if o := n.showsOf(d.dispute.ID); o.State != oracle.ObservationFailed || n.host.metric("ballots_late") != 1 {
		t.Errorf("it shows %+v; metrics %v", o, n.host.metrics)
	}
	if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.Yes}); !errors.Is(err, oracle.ErrNothingDue) {
		t.Errorf("the operator comes too late: %v", err)
	}
	n.extends(newState().put(d.in(oracle.Reveal)))
	if n.host.count("is lost") != 1 {
		t.Error("it is told again and again")
	}
	rival := d // another branch is behind: there the vote is not lost
	n.extends(newState().put(rival))
	if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.Yes}); err != nil {
		t.Error(err)
	}
	n.one(rival)
}

func TestIllegalTooEarlyIsTold(t *testing.T) {
	n := newNode(t, script("echo TOO_EARLY"))
	d := disputeOf(1, oracle.Commit).reopened()
	n.extends(newState().put(d))
	n.host.await(t, "has an answer")
	if got := n.extends(newState().put(d)); got != nil {
		t.Fatalf("there is %+v", got)
	}
	n.host.await(t, "warn", "TOO_EARLY", "no vote in this dispute")
}

func TestASecondDisputeIsAnother(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Commit)
	id := d.dispute.ID
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.TooEarly}); err != nil {
		t.Fatal(err)
	}
	first := n.one(d)
	n.extends(newState())
	n.time.add(2 * goneAfter)
	n.extends(newState()) // the dispute is over
	d = d.reopened()
	n.noticed(questionOf(d), 1)
	if got := n.extends(newState().put(d)); got != nil {
		t.Fatalf("what was believed in the first life is offered in the second: %+v", got)
	}
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.TooEarly}); err != nil {
		t.Fatal(err)
	}
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.Yes}); err != nil {
		t.Fatalf("the commit of the first life binds in the second: %v", err)
	}
	second := n.one(d)
	if votesFor(t, first, 0) != oracle.TooEarly || votesFor(t, second, 1) != oracle.Yes {
		t.Error("other values")
	}
}

func TestNobodyIsAskedWithoutASeat(t *testing.T) {
	n := newNode(t, script("echo YES"))
	d := disputeOf(1, oracle.Commit)
	d.dispute.Producers = d.dispute.Producers[1:]
	n.extends(newState().put(d))
	if got := n.observations(); len(got) != 0 {
		t.Errorf("it knows %+v", got)
	}
	key := n.voter.cfg.key
	n.voter.cfg.key = nil // a node that makes no blocks
	n.noticed(questionOf(d), 0)
	if b, err := n.extend(t.Context(), 1, nil); b != nil || err != nil {
		t.Errorf("%x, %v", b, err)
	}
	if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.Yes}); !errors.Is(err, oracle.ErrNoBelief) {
		t.Errorf("%v", err)
	}
	if _, err := n.signBallot(t.Context(), d.dispute.ID); !errors.Is(err, oracle.ErrNoBelief) {
		t.Errorf("%v", err)
	}
	if b, err := n.observe(t.Context(), questionOf(d)); err != nil || b.Value != oracle.Yes {
		t.Errorf("it can still try its source: %+v, %v", b, err)
	}
	n.voter.cfg.key = key
}

func TestManyDisputesTakeTurns(t *testing.T) {
	n := newNode(t, manual())
	s := newState()
	var list []disputed
	for i := range byte(200) {
		d := disputeOf(i, oracle.Commit)
		d.dispute.RevealAt, d.dispute.EndsAt = 1000-uint64(i), 2000
		list = append(list, d)
		if _, err := n.accepted(d.dispute.ID); err != nil {
			t.Fatal(err)
		}
	}
	s.put(list...)
	seen := map[[32]byte]bool{}
	for round := range 4 {
		got := n.extends(s)
		if want := min(oracle.MaxBallots, max(0, 200-round*oracle.MaxBallots)); len(got) != want {
			t.Fatalf("round %d: %d ballots, want %d", round, len(got), want)
		}
		for _, b := range got {
			if seen[b.Question] {
				t.Fatalf("question %x again", b.Question[:2])
			}
			seen[b.Question] = true
			i := b.Question[0]
			if i < byte(200-min(200, (round+1)*oracle.MaxBallots)) {
				t.Fatalf("round %d: question %d is not among the most urgent", round, i)
			}
			list[i] = list[i].with(t, b)
			s.put(list[i])
		}
	}
}

// accepted believes YES without writing it each time.
func (n *node) accepted(id [32]byte) (oracle.Value, error) {
	return oracle.Yes, n.accept(id, oracle.Belief{Value: oracle.Yes})
}

func TestABallotToCarry(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Countered)
	id := d.dispute.ID
	refused := func(want error, words ...string) {
		t.Helper()
		_, err := n.signBallot(t.Context(), id)
		if !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("the error does not say %q: %v", w, err)
			}
		}
	}
	carried := func() oracle.Ballot {
		t.Helper()
		b, err := n.signBallot(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		c, err := oracle.DecodeCarried(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(voterChain); err != nil || c.Key.String() != voterKey(0).String() {
			t.Fatalf("the key is %s: %v", c.Key, err)
		}
		return c.Ballot
	}
	refused(oracle.ErrNothingDue, "alto oracle show")
	n.shown(d.record, d.dispute)
	refused(oracle.ErrNothingDue, "not accepted yet")
	d = d.in(oracle.Commit)
	n.shown(d.record, d.dispute)
	refused(oracle.ErrNoBelief, "operator's answer is awaited")
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.No}); err != nil {
		t.Fatal(err)
	}
	commit := carried()
	if v := votesFor(t, commit, 0); v != oracle.No || commit.Serial == 0 {
		t.Fatalf("%s, serial %d", v, commit.Serial)
	}
	if err := n.believe(t.Context(), id, oracle.Belief{Value: oracle.Yes}); !errors.Is(err, oracle.ErrCommitted) {
		t.Errorf("a commit that was signed binds: %v", err)
	}
	if b := n.one(d); b.Commit != commit.Commit {
		t.Error("the block's commit is another than the one that was signed")
	}
	d = d.with(t, commit)
	n.shown(d.record, d.dispute)
	refused(oracle.ErrNothingDue, "reveals are not accepted yet")
	d = d.in(oracle.Reveal)
	n.shown(d.record, d.dispute)
	reveal := carried()
	if reveal.Serial <= commit.Serial || reveal.Value != oracle.No {
		t.Errorf("%+v", reveal)
	}
	d = d.with(t, reveal)
	n.shown(d.record, d.dispute)
	refused(oracle.ErrNothingDue, "it is on the chain")
}

func TestASlowHostOrDiskDoesNotHoldUpTheBlock(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Commit)
	if _, err := n.accepted(d.dispute.ID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n.host.derive = func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := n.extend(ctx, 1, newState().put(d)); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	n.host.derive = nil
	ctx, cancel = context.WithCancel(t.Context())
	n.voter.saving.Lock() // a write that takes for ever
	done := make(chan error)
	go func() {
		_, err := n.extend(ctx, 1, newState().put(d))
		done <- err
	}()
	for n.showsOf(d.dispute.ID).State != oracle.ObservationCommitted { // no event says that it waits for the disk
		runtime.Gosched()
	}
	cancel()
	err := <-done
	n.voter.saving.Unlock()
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	n.one(d)
}

func TestForeignCommitIsTold(t *testing.T) {
	n := newNode(t, manual())
	d := disputeOf(1, oracle.Reveal).with(t, oracle.Ballot{Phase: oracle.Commit, Commit: types.Hash{1}})
	if got := n.extends(newState().put(d)); got != nil {
		t.Fatalf("there is %+v", got)
	}
	n.host.await(t, "warn", "not one that it could have made")
	if err := n.believe(t.Context(), d.dispute.ID, oracle.Belief{Value: oracle.Yes}); !errors.Is(err, oracle.ErrCommitted) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsOverIsForgottenInTheEnd(t *testing.T) {
	n := newNode(t, manual())
	for i := range maxEntries + 20 {
		n.noticed(questionOf(manyDisputes(i)), 0)
	}
	if got := len(n.voter.all.by); got != maxHeard {
		t.Fatalf("%d entries", got)
	}
	n.time.add(heardLong + time.Hour)
	n.extends(newState())
	for i := range maxEntries + 20 { // those that are over make room for others
		n.extends(newState().put(manyDisputes(i)))
		n.time.add(2 * goneAfter)
		n.extends(newState())
	}
	if got := len(n.voter.all.by); got != maxEntries {
		t.Fatalf("%d entries", got)
	}
	if err := n.believe(t.Context(), [32]byte{0xee}, oracle.Belief{Value: oracle.Yes}); err != nil {
		t.Fatal(err)
	}
	if got := n.observations(); len(got) != oracle.MaxObservations || got[0].Question != [32]byte{0xee} {
		t.Errorf("%d observations, the first of %x", len(got), got[0].Question[:4])
	}
	n.time.add(heardLong + time.Hour)
	n.extends(newState())
	if o := n.showsOf([32]byte{0xee}); o.State != oracle.ObservationBelieves {
		t.Errorf("what the operator knows beforehand is forgotten: %+v", o)
	}
}
