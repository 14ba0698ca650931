package oracletest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
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

// book is an observer that knows some answers, and notes what its operator says.
type book struct {
	closed atomic.Bool
	mu     sync.Mutex
	noted  []oracle.Observation
	wrong
}

// wrong is what a broken observer does otherwise.
type wrong struct {
	observe func(ctx context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error)
	believe func(b *oracle.Belief, err error) error
	list    func([]oracle.Observation)
	sign    func(b []byte, err error) ([]byte, error)
}

func (k *book) Observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	b, err := k.look(ctx, q)
	if k.observe != nil {
		b, err = k.observe(ctx, q, b, err)
	}
	return b, err
}

func (k *book) look(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
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

func (k *book) Believe(_ context.Context, id [32]byte, b oracle.Belief) error {
	if k.closed.Load() {
		return oracle.ErrClosed
	}
	var err error
	if !b.Value.Valid() {
		err = oracle.ErrInvalid
	}
	if k.believe != nil {
		err = k.believe(&b, err)
	}
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noted = slices.DeleteFunc(k.noted, func(o oracle.Observation) bool { return o.Question == id })
	k.noted = slices.Insert(k.noted, 0, oracle.Observation{Question: id, State: oracle.ObservationBelieves, Value: &b.Value, Reason: b.Reason,
		Source: "operator", At: time.UnixMilli(time.Now().UnixMilli())})
	return nil
}

func (k *book) Observations(context.Context) ([]oracle.Observation, error) {
	if k.closed.Load() {
		return nil, oracle.ErrClosed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list := slices.Clone(k.noted)
	if k.list != nil {
		k.list(list)
	}
	return list, nil
}

func (k *book) SignBallot(context.Context, [32]byte) ([]byte, error) {
	if k.closed.Load() {
		return nil, oracle.ErrClosed
	}
	err := fmt.Errorf("%w: nothing is disputed", oracle.ErrNothingDue)
	if k.sign != nil {
		return k.sign(nil, err)
	}
	return nil, err
}

func (k *book) Close() error {
	k.closed.Store(true)
	return nil
}

var questions = []oracle.Question{
	{ID: [32]byte{1}, Text: "Is it so?", Sources: []string{"https://example.org/a"}},
	{ID: [32]byte{2}, Text: "Who knows?"},
}

func factory(w wrong) Factory {
	return Factory{Questions: questions, Open: func() (Instance, error) {
		k := &book{wrong: w}
		return Instance{Observer: k, Close: k.Close}, nil
	}}
}

func TestBook(t *testing.T)       { Run(t, factory(wrong{})) }
func TestBookRemote(t *testing.T) { Run(t, Remote(factory(wrong{}))) }

var brokenObservers = map[string]func() wrong{
	"answers-are-values": func() wrong {
		return wrong{observe: func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			b.Value = 9
			return b, err
		}}
	},
	"no-answer-says-why": func() wrong {
		return wrong{observe: func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if errors.Is(err, oracle.ErrNoBelief) {
				err = oracle.ErrNoBelief
			}
			return b, err
		}}
	},
	"the-context-ends-it": func() wrong {
		return wrong{observe: func(ctx context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if ctx.Err() != nil {
				<-release
			}
			return b, err
		}}
	},
	"concurrent-questions": func() wrong {
		var mu sync.Mutex
		asked := map[[32]byte]int{}
		return wrong{observe: func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked[q.ID]++; asked[q.ID] > 3 { // as if only three could be worked on at a time
				return b, errors.New("busy")
			}
			return b, err
		}}
	},
	"largest-question": func() wrong {
		return wrong{observe: func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if len(q.Text) > 500 {
				err = errors.New("too long")
			}
			return b, err
		}}
	},
	"closed-is-closed": func() wrong {
		return wrong{observe: func(_ context.Context, q oracle.Question, b oracle.Belief, err error) (oracle.Belief, error) {
			if errors.Is(err, oracle.ErrClosed) {
				err = nil
			}
			return b, err
		}}
	},
	"the-operators-answer-is-kept": func() wrong {
		return wrong{list: func(list []oracle.Observation) {
			for i := range list {
				list[i].Reason = "who knows"
			}
		}}
	},
	"no-nonsense-is-believed": func() wrong {
		return wrong{believe: func(b *oracle.Belief, err error) error {
			if err != nil {
				b.Value = oracle.No
			}
			return nil
		}}
	},
	"observations-are-in-order": func() wrong {
		return wrong{list: func(list []oracle.Observation) {
			for i := range list {
				list[i].At = list[i].At.Add(time.Duration(i) * time.Hour)
			}
		}}
	},
	"no-ballot-says-why": func() wrong {
		return wrong{sign: func([]byte, error) ([]byte, error) { return nil, oracle.ErrNothingDue }}
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
			f := factory(wrong{})
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
