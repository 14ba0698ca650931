package oracletest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is an observer that knows some answers.
type book struct {
	closed atomic.Bool
	wrong  func(ctx context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error)
}

func (k *book) Observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	b, err := k.observe(ctx, q)
	if k.wrong != nil {
		b, err = k.wrong(ctx, q, b, err)
	}
	return b, err
}

func (k *book) observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	if k.closed.Load() {
		return oracle.Belief{}, oracle.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return oracle.Belief{}, err
	}
	if strings.HasPrefix(q.Text, "Is it") {
		return oracle.Belief{Value: oracle.Yes, Reason: "it is written"}, nil
	}
	return oracle.Belief{}, fmt.Errorf("%w: it is not written", oracle.ErrNoBelief)
}

func (k *book) Close() error {
	k.closed.Store(true)
	return nil
}

var questions = []oracle.Question{
	{ID: [32]byte{1}, Text: "Is it so?", Sources: []string{"https://example.org/a"}},
	{ID: [32]byte{2}, Text: "Who knows?"},
}

func factory(wrong func(ctx context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error)) Factory {
	return Factory{Questions: questions, Open: func() (Instance, error) {
		k := &book{wrong: wrong}
		return Instance{Observer: k, Close: k.Close}, nil
	}}
}

func TestBook(t *testing.T)       { Run(t, factory(nil)) }
func TestBookRemote(t *testing.T) { Run(t, Remote(factory(nil))) }

type wrong = func(ctx context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error)

var brokenObservers = map[string]func() wrong{
	"answers-are-values": func() wrong {
		return func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			b.Value = 9
			return b, err
		}
	},
	"no-answer-says-why": func() wrong {
		return func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if errors.Is(err, oracle.ErrNoBelief) {
				err = oracle.ErrNoBelief
			}
			return b, err
		}
	},
	"the-context-ends-it": func() wrong {
		return func(ctx context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if ctx.Err() != nil {
				<-release
			}
			return b, err
		}
	},
	"concurrent-questions": func() wrong {
		var mu sync.Mutex
		asked := map[[32]byte]int{}
		return func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked[q.ID]++; asked[q.ID] > 3 { // as if only three could be worked on at a time
				return b, errors.New("busy")
			}
			return b, err
		}
	},
	"largest-question": func() wrong {
		return func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if len(q.Text) > 500 {
				err = errors.New("too long")
			}
			return b, err
		}
	},
	"closed-is-closed": func() wrong {
		return func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if errors.Is(err, oracle.ErrClosed) {
				err = nil
			}
			return b, err
		}
	},
}

// release lets the observer go that outlasts its context.
var release = make(chan struct{})

var wrongTables = map[string]serve.Instances{
	"an-unknown-instance-is-named": {OtherKindHandle: struct{}{}, UnknownHandle: &book{}},
	"another-kind-is-named":        {OtherKindHandle: &book{}},
}

type record struct {
	t      *testing.T
	mu     sync.Mutex
	failed string
}

func (r *record) Helper()                  {}
func (r *record) Logf(string, ...any)      {}
func (r *record) Context() context.Context { return r.t.Context() }
func (r *record) Skipf(string, ...any)     { runtime.Goexit() }
func (r *record) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed += fmt.Sprintf(format, args...) + "\n"
}
func (r *record) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func TestEachCaseHasItsBrokenObserver(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			f := factory(nil)
			if b := brokenObservers[c.Name]; b != nil {
				f = factory(b())
				if c.Name == "the-context-ends-it" {
					f.Patience = time.Millisecond // this one does not return at all
				}
			} else if table := wrongTables[c.Name]; table != nil {
				f = Remote(f)
				inner := f.Open
				f.Open = func() (Instance, error) {
					in, err := inner()
					if err != nil {
						return in, err
					}
					other, err := serveObserver(table)
					if err != nil {
						return in, errors.Join(err, in.Close())
					}
					closeInner := in.Close
					in.Conn = other.Conn
					in.Close = func() error { return errors.Join(other.Close(), closeInner()) }
					return in, nil
				}
			} else {
				t.Fatal("the case has no broken observer")
			}
			for _, other := range Cases() {
				r := &record{t: t}
				done := make(chan struct{})
				go func() {
					defer close(done)
					other.Run(r, f)
				}()
				<-done
				if failed := r.failed != ""; failed != (other.Name == c.Name) {
					t.Errorf("case %q: failed %t, want %t: %s", other.Name, failed, other.Name == c.Name, r.failed)
				}
			}
		})
	}
	close(release)
}
