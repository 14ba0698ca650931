package prophecy

import "time"

// rank says how much it matters that an entry is remembered. Where there is no room for a new one, one of less rank is forgotten.
type rank int

// The ranks.
const (
	past    rank = iota // over, and not since a moment ago
	hearsay             // heard of, and no state has shown it: it may be of a branch that nobody follows
	absent              // a state has shown it, but not the last one, and nothing was decided about it
	asked               // the operator has answered it ahead of any dispute
	bound               // as absent, but the operator has answered it, or a commit was offered
	shown               // the state that was looked at last shows it
)

// justOver is how long what is over, and was decided about, is kept: it may come back with the branch that it was in.
const justOver = time.Hour

// hearsay tells whether the node has only heard of the dispute, and the operator has not answered it.
func (e *entry) hearsay() bool { return e.life == lifeUnknown && !e.over && !e.operators() }

// operators tells whether what is believed is the operator's answer.
func (e *entry) operators() bool { return e.belief != nil && e.source == sourceOperator }

func (s *entries) rank(e *entry, now time.Time) rank {
	decided := e.offered != nil || e.operators()
	switch {
	case !e.over && e.pass == s.pass && s.pass > 0:
		return shown
	case e.over && (!decided || now.Sub(e.seen) > justOver):
		return past
	case e.hearsay():
		return hearsay
	case !decided:
		return absent
	case e.life == lifeUnknown:
		return asked
	}
	return bound
}

// replaces tells whether an entry of rank r may push out one of rank w. Hearsay, which anybody can spread, pushes out nothing
// else; what the operator says ahead of a dispute pushes out nothing that a state has shown; and what a state shows has room
// in any case, since fewer disputes are looked at than are remembered.
func (r rank) replaces(w rank) bool {
	switch r {
	case hearsay:
		return w <= hearsay
	case asked:
		return w <= hearsay || w == asked
	}
	return w < shown
}

// forget makes room for an entry of a rank, and tells whether it could: it drops what matters least, and of that the oldest.
func (s *entries) forget(r rank, now time.Time) bool {
	var least *entry
	lowest := shown
	for _, e := range s.by {
		w := s.rank(e, now)
		if r.replaces(w) && (least == nil || w < lowest || w == lowest && e.age().Before(least.age())) {
			least, lowest = e, w
		}
	}
	if least == nil || lowest > hearsay {
		s.full(least)
	}
	if least == nil {
		return false
	}
	s.drop(least)
	return true
}

// age is the time by which the oldest of a rank is found.
func (e *entry) age() time.Time {
	if e.over {
		return e.at
	}
	return e.seen
}

// full tells that there was no room without forgetting something that may matter, or none at all.
func (s *entries) full(forgotten *entry) {
	if s.crowded != nil {
		s.crowded(forgotten)
	}
}

func (s *entries) drop(e *entry) {
	e.finish()
	delete(s.by, entryKey{e.id, e.life})
}
