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

// call makes one idempotent call, and makes it again in the next incarnation if the process was lost, until it has an
// answer, ctx ends, or the instance has failed.
func call[T, R any](ctx context.Context, i *Instance, method string, dial dialler[T], f func(context.Context, T) (R, error)) (R, error) {
	var none R
	for {
		b, err := i.acquire(ctx)
		if err != nil {
			return none, fmt.Errorf("%s: %w", method, err)
		}
		r, err := attempt(ctx, i, b, method, dial, f)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil || !b.lost(i, err) {
			i.exit(b.inc, false)
			return none, err
		}
		i.exit(b.inc, true)
	}
}

// attempt makes a call once. If it fails, the instance still counts as busy, until the caller knows whether the process
// was lost by it.
func attempt[T, R any](ctx context.Context, i *Instance, b *binding, method string, dial dialler[T], f func(context.Context, T) (R, error)) (R, error) {
	limit := i.p.spec.CallTimeout
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The time-out is the host's own and not a deadline of ctx: a plugin that exceeds it is not slow but hung.
	timer := time.AfterFunc(limit, func() {
		b.inc.lose(fmt.Errorf("%w: %s for chain %q took more than %s", ErrHung, method, i.req.ChainName, limit), i)
		cancel()
	})
	defer timer.Stop()
	i.enter()
	r, err := f(ctx, dial(b.inc.conn, b.handle))
	if err == nil {
		i.exit(b.inc, false)
	}
	return r, err
}

// lost tells whether a failed call means that the binding can't be used any more.
func (b *binding) lost(i *Instance, err error) bool {
	if errors.Is(err, plugin.ErrPanicked) || errors.Is(err, plugin.ErrUnknownInstance) {
		b.breakBinding(i, err)
		return true
	}
	return b.over() || b.inc.lostBy(err)
}

// breakBinding opens the instance anew in the same process, because its code there is known to be broken.
func (b *binding) breakBinding(i *Instance, cause error) {
	b.once.Do(func() {
		close(b.broken)
		i.blame(cause)
	})
}

// lostBy tells whether a failed call means that the process is lost. A plugin may answer Unavailable by itself.
func (i *incarnation) lostBy(err error) bool {
	select {
	case <-i.dead:
		return true
	default:
	}
	return status.Code(err) == codes.Unavailable && !i.alive()
}

// ended maps the error of a conversation: what ended it because the plugin was lost wraps ErrPluginLost.
func (b *binding) ended(i *Instance, method string, err error) error {
	if err == nil || !b.lost(i, err) {
		return err
	}
	cause := err
	select {
	case <-b.inc.dead:
		cause = b.inc.cause
	default:
	}
	return fmt.Errorf("%s: %w: %w", method, ErrPluginLost, cause)
}
