package prophecy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// retryGrowth is how many times the pause after a failure doubles.
const retryGrowth = 3

// pursue sees to it that the source is asked about a dispute, unless that is under way, done, or of no use. The lock is held.
func (v *voter) pursue(e *entry) {
	if v.closed || e.over || e.question == nil || e.belief != nil || e.offered != nil || e.stop != nil {
		return
	}
	switch e.where {
	case missed, ended, revealed, foreign:
		return
	}
	if !v.source.Asks() {
		if e.reason == "" {
			e.reason = fmt.Sprintf("the observer is %q, so the operator's answer is awaited", v.source.Name())
			level := "warn"
			if v.source.Name() == observe.None { // it was not meant to have one
				level = "info"
			}
			v.log(level, "a question is disputed and this node has no answer by itself", e, "text", e.question.Text, "observer", v.source.Name(),
				"next", fmt.Sprintf("answer by hand: alto oracle ballot %x YES|NO|INVALID|TOO_EARLY", e.id))
		}
		return
	}
	ctx, cancel := context.WithCancel(v.ctx)
	e.stop = cancel
	v.wg.Go(func() { v.watch(ctx, e, *e.question) })
}

// watch asks until there is an answer or ctx ends.
func (v *voter) watch(ctx context.Context, e *entry, q oracle.Question) {
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		e.stop()
		e.stop, e.asking = nil, false
	}()
	v.keep() // that there is something to find out
	pause, longest := v.cfg.observer.retry, v.cfg.observer.retry<<retryGrowth
	for {
		b, err := v.ask(ctx, e, q)
		if ctx.Err() != nil {
			return
		}
		if v.found(e, b, err, pause) {
			v.keep()
			v.measure()
			return
		}
		v.measure()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		pause = min(2*pause, longest)
	}
}

// ask asks the source once, when it is this question's turn.
func (v *voter) ask(ctx context.Context, e *entry, q oracle.Question) (oracle.Belief, error) {
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return oracle.Belief{}, ctx.Err()
	}
	if e != nil {
		v.mu.Lock()
		e.asking = true
		v.mu.Unlock()
	}
	return v.source.Observe(ctx, q)
}

// found takes note of what came of an attempt, and tells whether there is nothing more to find out.
func (v *voter) found(e *entry, b oracle.Belief, err error, pause time.Duration) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	e.asking = false
	e.attempts++
	if e.belief != nil || e.offered != nil || e.over { // the operator was quicker
		return true
	}
	e.at = v.cfg.now()
	if err == nil {
		e.belief, e.source, e.reason = &b, v.source.Name(), b.Reason
		v.log("info", "this node has an answer to a disputed question", e, "answer", b.Value.String(), "reason", b.Reason)
		return true
	}
	v.counts.failed++
	e.reason = shorten(err.Error())
	v.warn("no answer to a disputed question yet", e, "attempt", fmt.Sprint(e.attempts), "cause", e.reason,
		"next", fmt.Sprintf("it is tried again in %s; alto oracle ballot %x YES|NO|INVALID|TOO_EARLY answers by hand", pause, e.id))
	return false
}

// report tells the operator, once, of what has become of a ballot and must not have. The lock is held.
func (v *voter) report(e *entry) {
	if e.where == e.warned {
		return
	}
	e.warned = e.where
	switch e.where {
	case noValue:
		v.warn("commits on a disputed question are accepted now, and this node has no answer", e, "cause", e.reason, "until_clock", fmt.Sprint(e.facts.dispute.RevealAt),
			"next", fmt.Sprintf("answer by hand: alto oracle ballot %x YES|NO|INVALID|TOO_EARLY", e.id))
	case illegal:
		v.warn("this node believes TOO_EARLY, which is no vote in this dispute", e, "cause", "the answer was given after answer_by, or the question was reopened before",
			"next", fmt.Sprintf("answer by hand: alto oracle ballot %x YES|NO|INVALID", e.id))
	case missed:
		cause := "this node had no answer in time"
		if e.belief != nil || e.offered != nil {
			cause = "this node had an answer, but made no block that carried its commit while commits were accepted"
		}
		v.tellLate(e, cause)
		if e.stop != nil {
			e.stop()
		}
	case ended:
		v.tellLate(e, "this node has committed, but made no block that carried its reveal while reveals were accepted")
	case foreign:
		v.warn("the commit on a disputed question under this node's key is not one that it could have made, so it can't reveal it", e,
			"cause", "another program has used the key, or the key is another now", "next", "find out what else has this key")
	}
}

// tellLate says that a ballot is lost. The lock is held.
func (v *voter) tellLate(e *entry, cause string) {
	v.counts.late++
	if e.belief == nil && e.reason != "" {
		cause += "; the last attempt: " + e.reason
	}
	e.reason, e.at = shorten(cause), v.cfg.now()
	v.warn("this node's vote on a disputed question is lost", e, "cause", e.reason,
		"next", "see docs/guide/observers.md; alto oracle ballot answers by hand the next time")
}

// shorten makes a text fit to be remembered: UTF-8, and not too long.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > oracle.MaxReasonBytes {
		s = strings.ToValidUTF8(s[:oracle.MaxReasonBytes-4], "") + " ..."
	}
	return s
}

// crowded tells the operator, at most once in a while, that there are too many disputes to remember all. The lock is held.
func (v *voter) crowded(forgotten *entry) {
	now := v.cfg.now()
	if !v.told.IsZero() && now.Sub(v.told) < crowdedAgain {
		return
	}
	v.told = now
	what := "nothing could be forgotten"
	if forgotten != nil {
		what = fmt.Sprintf("question %x is forgotten", forgotten.id)
		if forgotten.operators() {
			what += ", to which the operator has said " + forgotten.belief.Value.String()
		}
	}
	v.warn("there are more disputes and answers than this node can remember", nil, "cause", fmt.Sprintf("it remembers %d: %s; others may follow", maxEntries, what),
		"next", "look with alto oracle ballot --list, and answer again what is missing")
}

// crowdedAgain is how long the operator is not told again that there is no room.
const crowdedAgain = time.Hour

// keep saves what is known; that it fails is told, and tried again with the next change.
func (v *voter) keep() {
	if err := v.save(); err != nil {
		v.warn("what this node votes for cannot be written to disk", nil, "cause", err.Error(), "next", "make room on the disk, or mend its rights")
	}
}

// believe takes the operator's answer.
func (v *voter) believe(ctx context.Context, id [32]byte, b oracle.Belief) error {
	if !b.Value.Valid() {
		return fmt.Errorf("%w: %s is no answer", oracle.ErrInvalid, b.Value)
	}
	if v.cfg.key == nil {
		return fmt.Errorf("%w: this node makes no blocks of the chain, so it has no ballot on question %x", oracle.ErrNoBelief, id[:4])
	}
	if err := v.accept(id, b); err != nil {
		return err
	}
	return v.saveWhile(ctx)
}

func (v *voter) accept(id [32]byte, b oracle.Belief) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.all.hear(id, true, v.cfg.now())
	switch {
	case e == nil:
		return fmt.Errorf("%w: this node keeps %d ballots already and has no room for another", oracle.ErrInvalid, maxEntries)
	case e.offered != nil && *e.offered != b.Value:
		return fmt.Errorf("%w: %s on question %x, and a commit can't be changed", oracle.ErrCommitted, *e.offered, id[:4])
	case e.facts != nil && (e.where == missed || e.where == ended):
		return fmt.Errorf("%w: ballots on question %x are not accepted any more", oracle.ErrNothingDue, id[:4])
	case e.facts != nil && e.where == foreign:
		return fmt.Errorf("%w: something else has committed under this node's key on question %x", oracle.ErrCommitted, id[:4])
	}
	if mine := v.committedTo(e); mine != nil && *mine != b.Value {
		return fmt.Errorf("%w: %s on question %x, and a commit can't be changed", oracle.ErrCommitted, *mine, id[:4])
	}
	b.Reason = shorten(b.Reason)
	e.belief, e.source, e.reason, e.at = &b, sourceOperator, b.Reason, v.cfg.now()
	if e.stop != nil {
		e.stop()
	}
	return nil
}

// sourceOperator is the source of what the operator believes.
const sourceOperator = "operator"

// committedTo finds what the node has committed to in the state that it saw last, if it did: nil if not, or if the salt is not
// at hand. The lock is held.
func (v *voter) committedTo(e *entry) *oracle.Value {
	salt, ok := v.salts[entryKey{e.id, e.life}]
	if e.facts == nil || !ok {
		return nil
	}
	d := e.facts.dispute
	mine, ok := d.CommitOf(d.Seat(*v.cfg.key))
	if !ok {
		return nil
	}
	value, ok := openCommit(v.cfg.chain, e.id, v.cfg.key.Hash(), mine.Hash, salt)
	if !ok {
		return nil
	}
	return &value
}

// signBallot signs what is due, as far as the last state shows that this node has seen.
func (v *voter) signBallot(ctx context.Context, id [32]byte) ([]byte, error) {
	if v.cfg.key == nil {
		return nil, fmt.Errorf("%w: this node makes no blocks of the chain, so it has no ballot on question %x", oracle.ErrNoBelief, id[:4])
	}
	v.mu.Lock()
	var facts []disputed
	e := v.all.last(id)
	if e != nil && e.facts != nil {
		facts = append(facts, *e.facts)
	}
	v.mu.Unlock()
	if len(facts) == 0 {
		return nil, fmt.Errorf("%w: this node has seen no dispute about question %x that it has a seat in; alto oracle show %x makes it look", oracle.ErrNothingDue, id[:4], id)
	}
	if err := v.deriveSalts(ctx, facts); err != nil {
		return nil, err
	}
	due, unsealed := v.decide(facts, v.clockAt(v.nextSlot()))
	if unsealed {
		if err := v.saveWhile(ctx); err != nil {
			return nil, err
		}
		due = v.sealed(due)
	}
	if len(due) == 0 {
		return nil, v.nothing(id)
	}
	b := due[0].ballot
	b.Serial = uint64(v.cfg.now().UnixNano())
	sig, err := v.cfg.host.Sign(ctx, b.Purpose(), b.Ordinal(), b.Payload())
	if err != nil {
		return nil, fmt.Errorf("ballot on question %x: %w", id[:4], err)
	}
	return oracle.Carried{Ballot: b, Key: *v.cfg.key, Sig: sig}.Encode(), nil
}

// nextSlot is the first after the last block that was executed.
func (v *voter) nextSlot() uint64 {
	if b := v.latest.Load(); b != nil {
		return b.slot + 1
	}
	return 0
}

// nothing says why no ballot is due.
func (v *voter) nothing(id [32]byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.all.last(id)
	if e == nil {
		return fmt.Errorf("%w on question %x", oracle.ErrNothingDue, id[:4])
	}
	why := ""
	switch e.where {
	case noValue:
		return fmt.Errorf("%w: on question %x: %s", oracle.ErrNoBelief, id[:4], e.reason)
	case illegal:
		return fmt.Errorf("%w: on question %x it is TOO_EARLY, which is no vote in this dispute", oracle.ErrNoBelief, id[:4])
	case tooSoon:
		why = "commits are not accepted yet"
	case committed:
		why = "its commit is on the chain, and reveals are not accepted yet"
	case revealed:
		why = "it is on the chain"
	default:
		why = e.reason
	}
	return fmt.Errorf("%w on question %x: %s", oracle.ErrNothingDue, id[:4], why)
}

// observations lists what is known.
func (v *voter) observations() []oracle.Observation {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := v.all.list()
	out := make([]oracle.Observation, 0, min(len(list), oracle.MaxObservations))
	for _, e := range list[:min(len(list), oracle.MaxObservations)] {
		out = append(out, e.observation())
	}
	return out
}

// observe asks the source for whoever wants to know.
func (v *voter) observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(v.ctx, cancel)()
	b, err := v.ask(ctx, nil, q)
	if err != nil && v.ctx.Err() != nil {
		return b, oracle.ErrClosed
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, oracle.ErrNoBelief) {
		err = fmt.Errorf("%w: %w", oracle.ErrNoBelief, err)
	}
	return b, err
}

// warn tells the operator. pairs are names and values.
func (v *voter) warn(message string, e *entry, pairs ...string) { v.log("warn", message, e, pairs...) }

func (v *voter) log(level, message string, e *entry, pairs ...string) {
	fields := map[string]string{}
	if e != nil {
		fields["question"] = fmt.Sprintf("%x", e.id)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	v.cfg.host.Log(level, message, fields)
}

// measure tells the metrics.
func (v *voter) measure() {
	v.mu.Lock()
	c, waiting := v.counts, 0
	for _, e := range v.all.by {
		if !e.over && e.question != nil && e.value() == nil {
			waiting++
		}
	}
	v.mu.Unlock()
	v.cfg.host.Metric("observations_failed", c.failed)
	v.cfg.host.Metric("ballots_late", c.late)
	v.cfg.host.Metric("ballots_offered", c.offered)
	v.cfg.host.Metric("disputes_without_answer", float64(waiting))
}
