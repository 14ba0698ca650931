package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// dialler makes a kind's client for an open instance.
type dialler[T any] func(cc grpc.ClientConnInterface, handle uint64) T

// way is what is to know of a method.
type way struct {
	method string
	limit  time.Duration    // after which the plugin counts as hung
	answer func(error) bool // tells whether an error is an answer, rather than a sign that the instance is broken; nil: every one is
}

// call makes one idempotent call, and makes it again in the next incarnation if the process was lost, until it has an
// answer, ctx ends, or the instance has failed; or as often as ctx says, see [Asking] and [Once].
func call[T, R any](ctx context.Context, i *Instance, method string, dial dialler[T], f func(context.Context, T) (R, error)) (R, error) {
	return callBy(ctx, i, way{method: method, limit: i.p.spec.CallTimeout}, dial, f)
}

func callBy[T, R any](ctx context.Context, i *Instance, w way, dial dialler[T], f func(context.Context, T) (R, error)) (R, error) {
	var none R
	m := i.manner(ctx)
	repeated, answered := false, false
	defer func() {
		if repeated {
			i.settled(answered)
		}
	}()
	for tries := 1; ; tries++ {
		b, err := i.acquire(ctx, m, false)
		if err != nil {
			return none, fmt.Errorf("%s: %w", w.method, err)
		}
		// Until exit the instance counts as busy, so that it is suspected if the process was lost.
		r, err := attempt(ctx, i, b, w, m, dial, f)
		var read *readError
		switch {
		case err == nil && !isClosed(b.broken):
			i.exit(b, m, false, false)
			answered = true
			return r, nil
		case err == nil: // it may come of what another call has left half done
			err = errors.New("the instance was broken by another call meanwhile")
		case ctx.Err() != nil:
			i.exit(b, m, false, false)
			return none, err
		case errors.As(err, &read): // the core's own, whatever it wraps: nothing of it is the plugin's
			i.exit(b, m, false, false)
			return none, read.err
		case !b.lost(i, err, m, w.answer):
			i.exit(b, m, false, false)
			answered = true
			return none, err
		}
		i.exit(b, m, false, true)
		if tries == m.attempts() {
			return none, i.loss(ctx, b, w.method, err)
		}
		if m == needed && !repeated {
			i.repeats()
			repeated = true
		}
	}
}

type watchKey struct{}

// attempt makes a call once.
func attempt[T, R any](ctx context.Context, i *Instance, b *binding, w way, m manner, dial dialler[T], f func(context.Context, T) (R, error)) (R, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.whole, cancel)()
	// The time-out is the host's own and not a deadline of ctx: a plugin that exceeds it is not slow but hung.
	watch := startStopwatch(w.limit, func() {
		b.inc.loseBy(fmt.Errorf("%w: %s for chain %q took more than %s", ErrHung, w.method, i.req.ChainName, w.limit), i, m)
		cancel()
	})
	defer watch.end()
	return f(context.WithValue(ctx, watchKey{}, watch), dial(b.inc.conn, b.handle))
}

// loss describes how a call was lost that is not made again.
func (i *Instance) loss(ctx context.Context, b *binding, method string, err error) error {
	if cause := i.Err(); cause != nil {
		return fmt.Errorf("%s: %w", method, cause)
	}
	if !isClosed(b.inc.dead) {
		if errors.Is(err, plugin.ErrPanicked) {
			return fmt.Errorf("%s: %w", method, err)
		}
		return fmt.Errorf("%s: %w: %w", method, ErrPluginLost, err)
	}
	timer := time.NewTimer(killAfter)
	defer timer.Stop()
	select {
	case <-b.inc.gone: // and its last words are in
	case <-timer.C:
	case <-ctx.Done():
	}
	return fmt.Errorf("%s: %w", method, b.inc.crash())
}

// lost tells whether a failed call means that the binding can't be used any more. answer, if not nil, tells errors that are
// answers from those that are not, which break the binding.
func (b *binding) lost(i *Instance, err error, m manner, answer func(error) bool) bool {
	switch {
	case b.over() || b.inc.lostBy(err):
		return true
	case errors.Is(err, plugin.ErrPanicked), errors.Is(err, plugin.ErrUnknownInstance):
	case answer == nil || m == asking || answer(err):
		return false
	case !b.inc.alive(): // what looks like an answer of the plugin was the end of its process
		return true
	}
	b.breakBinding(i, err, m)
	return true
}

// breakBinding opens the instance anew in the same process, because its code there is known to be broken.
func (b *binding) breakBinding(i *Instance, cause error, m manner) {
	b.once.Do(func() {
		i.mu.Lock()
		var v involvement
		v.add(&b.load)
		b.brokenBy = m
		i.mu.Unlock()
		counts := i.judge(v, cause)
		i.p.h.log.Warn("plugin instance is broken and opened anew", "plugin", i.p.spec.Name, "chain", i.req.ChainName, "counts", counts, "error", cause)
		close(b.broken)
		b.end()
	})
}

// lostBy tells whether a failed call means that the process is lost. A plugin may answer Unavailable by itself.
func (i *incarnation) lostBy(err error) bool {
	return isClosed(i.dead) || status.Code(err) == codes.Unavailable && !i.alive()
}

// ended maps the error of a conversation: what ended it because the plugin was lost wraps ErrPluginLost.
func (b *binding) ended(i *Instance, method string, err error, m manner) error {
	if err == nil || !b.lost(i, err, m, nil) {
		return err
	}
	cause := err
	if isClosed(b.inc.dead) {
		cause = b.inc.cause
	}
	return fmt.Errorf("%s: %w: %w", method, ErrPluginLost, cause)
}
