package prophecy

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// lifeUnknown is the life of a question that the node has heard of, but has not seen disputed in a state yet.
const lifeUnknown = -1

// Bounds of what a voter remembers.
const (
	maxEntries = 1024
	maxHeard   = maxEntries / 4 // of them that it has only heard of, and that the operator has not answered
)

// entry is what a voter knows about its ballot in one dispute: a question has one in each of its lives. It belongs to the
// voter's lock.
type entry struct {
	id       [32]byte
	life     int
	question *oracle.Question // nil: only the operator has spoken of it
	belief   *oracle.Belief
	offered  *oracle.Value // that a commit may have been offered for: it never changes
	sealed   bool          // offered is on disk
	source   string        // of the belief
	reason   string        // of the belief, or of the last failure
	attempts int
	at       time.Time // of the last change
	over     bool      // nothing is to be done any more

	facts  *disputed // of the last state in which it was seen; nil: of none since the start
	seen   time.Time // when that was, or when it was first heard of
	where  standing  // what came of the facts
	warned standing  // that the operator has been told of
	pass   uint64    // the last of entries.pass in which the state shows it
	late   bool      // the operator has been told that the vote is lost, as it was missing
	asking bool      // an attempt is under way
	stop   context.CancelFunc
}

// observation shows an entry.
func (e *entry) observation() oracle.Observation {
	o := oracle.Observation{Question: e.id, Reason: e.reason, Source: e.source, Attempts: e.attempts, At: e.at}
	if v := e.value(); v != nil {
		copied := *v
		o.Value = &copied
	}
	switch known := e.facts != nil; {
	case known && e.where == revealed:
		o.State = oracle.ObservationRevealed
	case known && (e.where == missed || e.where == ended || e.where == illegal || e.where == foreign):
		o.State = oracle.ObservationFailed
	case known && (e.where == committed || e.where == toReveal) || e.offered != nil:
		o.State = oracle.ObservationCommitted
	case e.over:
		o.State = oracle.ObservationFailed
	case e.belief != nil:
		o.State = oracle.ObservationBelieves
	case e.asking:
		o.State = oracle.ObservationObserving
	default:
		o.State = oracle.ObservationWaiting
	}
	return o
}

// value is what the node votes for.
func (e *entry) value() *oracle.Value {
	if e.offered != nil {
		return e.offered
	}
	if e.belief != nil {
		return &e.belief.Value
	}
	return nil
}

// finish ends an entry, and the attempts for it.
func (e *entry) finish() {
	e.over = true
	if e.stop != nil {
		e.stop()
	}
}

type entryKey struct {
	id   [32]byte
	life int
}

// entries is all that a voter knows.
type entries struct {
	by      map[entryKey]*entry
	pass    uint64       // counts the states that were looked at
	crowded func(*entry) // told when there is no room without forgetting this one, or none at all; may be nil
}

// find returns what there is on a question that something may still be done about: the dispute under way, or else what was
// heard of it before.
func (s *entries) find(id [32]byte) *entry {
	for life := 1; life >= lifeUnknown; life-- {
		if e := s.by[entryKey{id, life}]; e != nil && !e.over {
			return e
		}
	}
	return nil
}

// last returns what there is on a question, over or not.
func (s *entries) last(id [32]byte) *entry {
	if e := s.find(id); e != nil {
		return e
	}
	for life := 1; life >= lifeUnknown; life-- {
		if e := s.by[entryKey{id, life}]; e != nil {
			return e
		}
	}
	return nil
}

// hear returns what there is on a question, or a new entry for a dispute that no state has shown yet; nil if there is no room.
// Anybody can make a node hear of disputes that never come to be, in branches that nobody follows. So they have a part of the
// room only, in which the newest push out the oldest; but not if operator says that it is the operator who speaks of it.
func (s *entries) hear(id [32]byte, operator bool, now time.Time) *entry {
	if e := s.find(id); e != nil {
		return e
	}
	if operator {
		return s.add(id, lifeUnknown, asked, now)
	}
	n, oldest := 0, (*entry)(nil)
	for _, e := range s.by {
		if e.hearsay() {
			if n++; oldest == nil || e.seen.Before(oldest.seen) {
				oldest = e
			}
		}
	}
	if n >= maxHeard {
		s.drop(oldest)
	}
	return s.add(id, lifeUnknown, hearsay, now)
}

// revive returns the entry of a dispute that some state has shown before, nil if there is none. It may have been taken for over
// because it was missing from a rival branch.
func (s *entries) revive(id [32]byte, life int, now time.Time) *entry {
	e := s.by[entryKey{id, life}]
	if e != nil && e.over {
		e.over, e.seen, e.where = false, now, notAsked
	}
	return e
}

// look begins with a new state, which shows a dispute in each of these lives: they are not forgotten in favour of one another.
func (s *entries) look(shows []entryKey) {
	s.pass++
	for _, k := range shows {
		for _, life := range []int{k.life, lifeUnknown} {
			if e := s.by[entryKey{k.id, life}]; e != nil {
				e.pass = s.pass
			}
		}
	}
}

// claim returns the entry of a dispute that a state shows, in which the node has a seat; nil if there is no room. What was
// heard of the question before belongs to it, but what a source said never replaces what the operator did.
func (s *entries) claim(id [32]byte, life int, now time.Time) *entry {
	e, heard := s.by[entryKey{id, life}], s.by[entryKey{id, lifeUnknown}]
	switch {
	case heard != nil && !heard.over && e == nil:
		delete(s.by, entryKey{id, lifeUnknown})
		heard.life = life
		s.by[entryKey{id, life}] = heard
		return heard
	case heard != nil && !heard.over: // it had been taken for over, or heard of late
		delete(s.by, entryKey{id, lifeUnknown})
		theirs := e.belief != nil && e.source == sourceOperator && heard.source != sourceOperator
		if heard.belief != nil && e.offered == nil && !theirs {
			e.belief, e.source, e.reason, e.at = heard.belief, heard.source, heard.reason, heard.at
		}
		heard.finish()
	case e == nil:
		return s.add(id, life, shown, now)
	}
	e.over = false
	return e
}

func (s *entries) add(id [32]byte, life int, r rank, now time.Time) *entry {
	k := entryKey{id, life}
	if e := s.by[k]; e != nil {
		e.finish()
		delete(s.by, k)
	}
	if len(s.by) >= maxEntries && !s.forget(r, now) {
		return nil
	}
	e := &entry{id: id, life: life, at: now, seen: now}
	if r == shown {
		e.pass = s.pass
	}
	s.by[k] = e
	return e
}

// list returns all, the latest change first.
func (s *entries) list() []*entry {
	out := make([]*entry, 0, len(s.by))
	for _, e := range s.by {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *entry) int {
		return cmp.Or(b.at.Compare(a.at), slices.Compare(a.id[:], b.id[:]), cmp.Compare(a.life, b.life))
	})
	return out
}
