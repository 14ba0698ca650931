package host

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// askPatience is how long a question waits to be let in, and the longest that questions rest.
	askPatience = 5 * time.Second
	// askCalm is how long questions must have done no harm for the next harm to count as the first.
	askCalm = time.Minute
	// lingering is how long after its end a question is still suspected when a process ends.
	lingering = time.Second
)

// involvement is what an instance had to do with a loss.
type involvement struct {
	under   [manners]bool // which calls were under way
	talks   bool          // conversations, which are not made again by the host
	lingers bool          // a question had ended just before
}

// any tells whether something was under way.
func (v involvement) any() bool { return v.under[needed] || v.asked() }

func (v involvement) asked() bool { return v.under[asking] || v.under[once] }

// load is what an instance has under way in one incarnation.
type load struct {
	now   [manners]int
	lost  [manners]bool // some have ended in a loss
	talks int
	asked time.Time // when the last question ended well
}

// enter and exit count what is under way, for blaming; the caller holds i.mu for enter.
func (b *binding) enter(m manner, talk bool) {
	b.load.now[m]++
	if talk {
		b.load.talks++
	}
}

func (i *Instance) exit(b *binding, m manner, talk, lost bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b.load.now[m]--
	if lost {
		b.load.lost[m] = true
	} else {
		if talk {
			b.load.talks--
		}
		if m != needed {
			b.load.asked = time.Now()
		}
	}
}

// opens tells what the instance is being opened in, or was when that was lost.
func (i *Instance) opensIn(inc *incarnation) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.opening = inc
}

// involvedIn tells what the instance had to do with the loss of an incarnation.
func (i *Instance) involvedIn(inc *incarnation) involvement {
	i.mu.Lock()
	defer i.mu.Unlock()
	var v involvement
	v.under[needed] = i.opening == inc
	if b := i.latest; b != nil && b.inc == inc {
		v.add(&b.load)
		v.lingers = !b.load.asked.IsZero() && inc.lostAt.Sub(b.load.asked) < lingering
	}
	return v
}

func (v *involvement) add(l *load) {
	for m := range manners {
		v.under[m] = v.under[m] || l.now[m] > 0 || l.lost[m]
	}
	v.talks = v.talks || l.talks > 0
}

// judge decides what a loss means for an instance that had to do with it, and tells whether it counts towards failing.
//
// What questions alone were under way in is put down to them. What they were not under way in counts. Where both were, nobody
// knows which it was: nothing counts, and for the next time one can know, because no question is let in until the calls that were
// lost are answered or, if they are not made again by the host, until the chain has got on.
func (i *Instance) judge(v involvement, cause error) (counts bool) {
	questions := v.asked() || v.lingers
	if !questions {
		i.blame(cause)
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if v.under[asking] || v.lingers {
		now := time.Now()
		if now.Sub(i.harmed) > askCalm {
			i.harms = 0
		}
		i.harms++
		i.harmed = now
		i.rested = now.Add(min(firstBackoff<<min(i.harms-1, 10), askPatience))
	}
	switch {
	case !v.any() || v.talks:
		i.untilProgress = true
	case v.under[needed]:
		i.untilAnswer = true
	}
	return false
}

// held tells whether questions must wait; the lock is held.
func (i *Instance) held() bool { return i.again > 0 || i.untilAnswer || i.untilProgress }

// repeats says that a needed call is about to be made again. No question is let in until as many calls of settled.
func (i *Instance) repeats() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.again++
}

// settled ends what repeats began.
func (i *Instance) settled(answered bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.again--
	if answered {
		i.untilAnswer = false
	}
	i.wake()
}

// wake lets those look again who wait for the instance; the lock is held.
func (i *Instance) wake() {
	close(i.changed)
	i.changed = make(chan struct{})
}

// acquire waits until the instance is open and a call of its manner may be made, which it enters.
func (i *Instance) acquire(ctx context.Context, m manner, talk bool) (*binding, error) {
	var patience <-chan time.Time
	for {
		i.mu.Lock()
		if i.err != nil {
			defer i.mu.Unlock()
			return nil, i.err
		}
		held := m != needed && i.held()
		var rest time.Duration
		if m == asking {
			rest = time.Until(i.rested)
		}
		if b := i.bound; b != nil && !b.over() && !held && rest <= 0 {
			defer i.mu.Unlock()
			b.enter(m, talk)
			return b, nil
		}
		changed := i.changed
		i.mu.Unlock()

		if patience == nil && (held || rest > 0) {
			timer := time.NewTimer(askPatience)
			defer timer.Stop()
			patience = timer.C
		}
		var rested <-chan time.Time
		if rest > 0 && !held {
			timer := time.NewTimer(rest)
			defer timer.Stop()
			rested = timer.C
		}
		select {
		case <-changed:
		case <-rested:
		case <-patience:
			return nil, fmt.Errorf("chain %q asks plugin %q nothing that it need not know until it has got on, since questions have ended it: %w",
				i.req.ChainName, i.p.spec.Name, ErrPluginLost)
		case <-i.ctx.Done():
			return nil, i.Err()
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for plugin %q: %w", i.p.spec.Name, ctx.Err())
		}
	}
}

// blame counts a crash. At the limit the instance has failed.
func (i *Instance) blame(cause error) {
	s := i.p.spec
	i.mu.Lock()
	now := time.Now()
	i.crashes = append(i.crashes, now)
	for now.Sub(i.crashes[0]) > s.CrashWindow {
		i.crashes = i.crashes[1:]
	}
	n := len(i.crashes)
	i.mu.Unlock()
	if n >= s.MaxCrashes {
		i.fail(fmt.Errorf("%w: chain %q lost plugin %q %d times within %s without progress; the last time: %w",
			ErrFailed, i.req.ChainName, s.Name, n, s.CrashWindow, cause))
	}
}

// troubles is how often the instance has been in a loss lately.
func (i *Instance) troubles() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.crashes)
	if time.Since(i.harmed) <= askCalm {
		n += i.harms
	}
	return n
}

// fail ends the instance for good.
func (i *Instance) fail(err error) {
	i.mu.Lock()
	if i.err != nil {
		i.mu.Unlock()
		return
	}
	i.err = err
	close(i.failed)
	i.mu.Unlock()
	i.cancel()
	if !errors.Is(err, ErrClosed) && i.p.h != nil {
		i.p.h.log.Error("plugin instance failed", "plugin", i.p.spec.Name, "chain", i.req.ChainName, "error", err)
	}
}

// Progress says that the chain has got on: what was asked of the plugin before is done with, and earlier crashes count no
// more. A chain calls it at each final block.
func (i *Instance) Progress() {
	i.mu.Lock()
	u := i.unit
	had := len(i.crashes) > 0
	i.crashes = i.crashes[:0]
	if i.untilAnswer || i.untilProgress {
		i.untilAnswer, i.untilProgress = false, false
		i.wake()
	}
	i.mu.Unlock()
	if had && u != nil {
		u.progress()
	}
}
