package observe

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// Source is where answers come from. It may be used concurrently.
type Source struct {
	cfg Config
	ask func(ctx context.Context, q oracle.Question) (oracle.Belief, error)
}

// New returns the source that a configuration describes. The error wraps [ErrConfig].
func New(cfg Config) (*Source, error) {
	cfg = cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg}
	switch cfg.Kind {
	case None, Manual:
		s.ask = s.nothing
	case Command:
		s.ask = (&command{argv: cfg.Argv}).observe
	case HTTP:
		h, err := newWeb(cfg)
		if err != nil {
			return nil, err
		}
		s.ask = h.observe
	}
	return s, nil
}

// Name returns the kind of the source.
func (s *Source) Name() string { return s.cfg.Kind }

// Asks tells whether it is of any use to ask: whether the source is a command or web services.
func (s *Source) Asks() bool { return s.cfg.Kind == Command || s.cfg.Kind == HTTP }

// Observe asks once, within the configured time-out. The error is ctx's own, or wraps oracle.ErrNoBelief. A panic while
// an answer is read is such an error too: the answer is a stranger's, and other chains live in this process.
func (s *Source) Observe(ctx context.Context, q oracle.Question) (b oracle.Belief, err error) {
	if err := ctx.Err(); err != nil {
		return oracle.Belief{}, fmt.Errorf("observe: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			b, err = oracle.Belief{}, noBelief("the %s observer panicked, which is a defect in it: %v\n%s", s.cfg.Kind, p, debug.Stack())
		}
	}()
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	b, err = s.ask(limited, q)
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			return oracle.Belief{}, fmt.Errorf("observe: %w", cause)
		}
		return oracle.Belief{}, err
	}
	b.Reason = clean(b.Reason, oracle.MaxReasonBytes)
	return b, nil
}

func (s *Source) nothing(_ context.Context, q oracle.Question) (oracle.Belief, error) {
	if s.cfg.Kind == Manual {
		return oracle.Belief{}, noBelief("this node answers by hand only: alto oracle ballot %x YES|NO|INVALID|TOO_EARLY", q.ID)
	}
	return oracle.Belief{}, noBelief("no source of answers is configured on this node (observer = %q), so it has none on question %x by itself; "+
		"alto oracle ballot gives one by hand", None, q.ID[:4])
}

func noBelief(format string, args ...any) error {
	return fmt.Errorf("%w: %s", oracle.ErrNoBelief, clean(fmt.Sprintf(format, args...), oracle.MaxReasonBytes))
}

// clean makes a stranger's text fit to be shown: UTF-8, one line without control characters, not too long.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}
