package host

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// calm is how long a process must have run for its end to count as a new trouble rather than the old one.
	calm = 10 * time.Second
	// splitAfter is how many crashes an instance may be suspected of before it gets a process of its own.
	splitAfter = 2
)

// unit is the place of one process: it keeps one running for its instances.
type unit struct {
	p       *Process
	label   string // the chain that it is for, if for one alone
	dataDir string // what it may write
	solo    bool   // for one instance, and ends with it

	ctx    context.Context // ends with the unit
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing of it is left

	mu        sync.Mutex
	inc       *incarnation  // that serves, or nil
	changed   chan struct{} // closed, and replaced, when inc or instances change
	instances map[*Instance]struct{}
	state     State
	starts    int
	failures  int // in a row
	lastErr   error
	pid       int
	started   time.Time
}

func newUnit(p *Process, label, dataDir string) *unit {
	u := &unit{p: p, label: label, dataDir: dataDir, done: make(chan struct{}), changed: make(chan struct{}),
		instances: map[*Instance]struct{}{}, state: Starting}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	return u
}

// supervise keeps a process running until the unit is closed. first is already running, or nil.
func (u *unit) supervise(inc *incarnation) {
	defer close(u.done)
	defer u.p.dropUnit(u)
	defer u.set(Stopped, nil, nil)
	for {
		if inc == nil {
			if inc = u.restart(); inc == nil {
				return
			}
		}
		u.set(Ready, inc, nil)
		select {
		case <-inc.dead:
		case <-u.ctx.Done():
			u.set(Stopping, nil, nil)
			inc.stop()
			return
		}
		u.set(Restarting, nil, inc.crash())
		<-inc.gone
		u.crashed(inc, inc.crash())
		inc = nil
	}
}

// restart waits until there is an instance to run for, and for the back-off, and starts a process, again and again. It
// returns nil when the unit is closed.
func (u *unit) restart() *incarnation {
	for {
		if !u.demand() || !u.pause() {
			return nil
		}
		u.set(Starting, nil, nil)
		inc, err := u.launch(u.ctx)
		if err == nil {
			return inc
		}
		if u.ctx.Err() != nil {
			return nil
		}
		u.set(Restarting, nil, err)
		u.crashed(nil, err)
	}
}

// demand waits until the unit has an instance. An idle process that crashed is not started for nobody.
func (u *unit) demand() bool {
	for {
		u.mu.Lock()
		n, changed := len(u.instances), u.changed
		u.mu.Unlock()
		if n > 0 {
			return u.ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-u.ctx.Done():
			return false
		}
	}
}

// pause is the back-off: none before the first restart, then doubling, with jitter of a half to either side so that many
// nodes on one machine do not start in step.
func (u *unit) pause() bool {
	u.mu.Lock()
	n := u.failures
	u.mu.Unlock()
	if n <= 1 {
		return u.ctx.Err() == nil
	}
	d := min(firstBackoff<<min(n-2, 10), maxBackoff)
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-u.ctx.Done():
		return false
	}
}

// set publishes a change.
func (u *unit) set(s State, inc *incarnation, err error) {
	u.mu.Lock()
	u.state, u.inc = s, inc
	if inc != nil {
		u.starts++
		u.pid, u.started = inc.run.pid(), inc.started
	} else {
		u.pid = 0
	}
	if err != nil {
		u.lastErr = err
	}
	close(u.changed)
	u.changed = make(chan struct{})
	u.mu.Unlock()
	if n := u.p.h.notify; n != nil {
		n(u.status())
	}
}

// current returns the incarnation that serves, or nil.
func (u *unit) current() *incarnation {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.inc
}

// ready waits for an incarnation that serves. It returns nil when ctx or the unit ends, or when moved is closed.
func (u *unit) ready(ctx context.Context, moved <-chan struct{}) *incarnation {
	for {
		u.mu.Lock()
		inc, changed := u.inc, u.changed
		u.mu.Unlock()
		if inc != nil {
			select {
			case <-inc.dead: // and not yet noticed by supervise
			default:
				return inc
			}
		}
		select {
		case <-changed:
		case <-moved:
			return nil
		case <-u.ctx.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (u *unit) attach(inst *Instance) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.instances[inst] = struct{}{}
	close(u.changed)
	u.changed = make(chan struct{})
}

// detach takes an instance out; a unit of one instance ends with it.
func (u *unit) detach(inst *Instance) {
	u.mu.Lock()
	delete(u.instances, inst)
	u.mu.Unlock()
	if u.solo {
		u.cancel()
	}
}

// crashed blames a lost process on instances. inc is nil if it did not even start.
func (u *unit) crashed(inc *incarnation, cause error) {
	u.mu.Lock()
	if inc != nil && time.Since(inc.started) > calm {
		u.failures = 0
	}
	all := keys(u.instances)
	u.mu.Unlock()
	u.p.h.log.Warn("plugin lost", "plugin", u.p.spec.Name, "chain", u.label, "error", cause)

	counts := inc == nil
	for inst, v := range suspects(inc, all) {
		counts = inst.judge(v, cause) || counts
		if len(all) > 1 && inst.troubles() >= splitAfter && inst.Err() == nil {
			if alone := u.p.newUnitFor(inst); alone != nil {
				inst.moveTo(alone)
			}
		}
	}
	if counts { // else the back-off is the questions'
		u.mu.Lock()
		u.failures++
		u.mu.Unlock()
	}
}

// suspects are the instances that may have broken a process, and what they had to do with it: the one whose call is known to
// have, else those with a call under way, else those that were asked something just before, else all.
func suspects(inc *incarnation, all []*Instance) map[*Instance]involvement {
	some, last, rest := map[*Instance]involvement{}, map[*Instance]involvement{}, map[*Instance]involvement{}
	if inc != nil {
		inc.mu.Lock()
		culprit, how := inc.culprit, inc.how
		inc.mu.Unlock()
		if culprit != nil {
			v := culprit.involvedIn(inc)
			v.under[how], v.lingers = true, false
			return map[*Instance]involvement{culprit: v}
		}
	}
	for _, inst := range all {
		var v involvement
		if inc != nil {
			v = inst.involvedIn(inc)
		}
		switch {
		case v.any():
			some[inst] = v
		case v.lingers:
			last[inst] = v
		default:
			rest[inst] = v
		}
	}
	switch {
	case len(some) > 0:
		return some
	case len(last) > 0:
		return last
	}
	return rest
}

// progress forgets earlier failures.
func (u *unit) progress() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failures = 0
}

// close ends the unit and waits until nothing of it is left.
func (u *unit) close() {
	u.cancel()
	<-u.done
}
