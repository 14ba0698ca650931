// Package oracletest is the conformance suite of the observer face of the oracle kind: named cases that every observer
// passes, in process and behind a gRPC connection. An oracle's module face is for the package moduletest.
//
// Observers may be slow, fail and change their mind; what they must not do is to answer what is no answer, to outlast
// their context, to forget what their operator says, or to fail without saying why. Each case comes with an observer, in this package's tests, that only this
// case fails.
package oracletest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// T is what a case needs of a *testing.T. A runner outside of go test can implement it: Fatalf and Skipf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Context() context.Context
}

// Instance is an open observer under test.
type Instance struct {
	Observer oracle.Observer
	Close    func() error // nil if it cannot be closed
	// Conn is a connection on which other handles can be tried. Nil in process.
	Conn grpc.ClientConnInterface
	// NoOtherKind says that OtherKindHandle is unknown as well, since the plugin's process has observers only.
	NoOtherKind bool
}

// Factory opens observers.
type Factory struct {
	Open func() (Instance, error)
	// Questions are some that the observer can be asked; it need not know the answers.
	Questions []oracle.Question
	// Patience is how long the observer may take after its context has ended; 0: 10 s.
	Patience time.Duration
}

// Case is one property of an observer.
type Case struct {
	Name string
	Why  string // what goes wrong on a node whose observer does not have it
	Run  func(t T, f Factory)
}

// Handles that the cases about handles ask for.
const (
	UnknownHandle   = 0xdead
	OtherKindHandle = 0xbeef
)

// Run runs all cases as subtests.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, f) })
	}
}

// Cases returns all cases.
func Cases() []Case {
	return []Case{
		{"answers-are-values", "a ballot for what is no value is a vote lost", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			for _, q := range f.Questions {
				b, err := in.Observer.Observe(t.Context(), q)
				if err != nil {
					continue
				}
				if !b.Value.Valid() {
					t.Errorf("question %q: the answer is %s", q.Text, b.Value)
				}
			}
		}},
		{"no-answer-says-why", "the operator has to see why this producer does not vote", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			for _, q := range f.Questions {
				_, err := in.Observer.Observe(t.Context(), q)
				if err == nil {
					continue
				}
				if !errors.Is(err, oracle.ErrNoBelief) {
					t.Errorf("question %q: %v, want an answer or ErrNoBelief", q.Text, err)
				} else if strings.TrimSpace(err.Error()) == oracle.ErrNoBelief.Error() {
					t.Errorf("question %q: ErrNoBelief without why", q.Text)
				}
			}
		}},
		{"the-context-ends-it", "a ballot is due at a slot, and the core waits no longer", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			result := make(chan error, len(f.Questions))
			go func() {
				for _, q := range f.Questions {
					_, err := in.Observer.Observe(ctx, q)
					result <- err
				}
			}()
			patience := f.Patience
			if patience == 0 {
				patience = 10 * time.Second
			}
			late := time.NewTimer(patience)
			defer late.Stop()
			for range f.Questions {
				select {
				case <-result:
				case <-late.C:
					t.Fatalf("an observer is still at work %s after its context has ended", patience)
				}
			}
		}},
		{"concurrent-questions", "several ballots are due at a time", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			var wg sync.WaitGroup
			errs := make(chan error, 4*len(f.Questions))
			for range 4 {
				for _, q := range f.Questions {
					wg.Go(func() {
						if _, err := in.Observer.Observe(t.Context(), q); err != nil && !errors.Is(err, oracle.ErrNoBelief) {
							errs <- fmt.Errorf("question %q: %w", q.Text, err)
						}
					})
				}
			}
			wg.Wait()
			select {
			case err := <-errs:
				t.Fatalf("among others: %v", err)
			default:
			}
		}},
		{"largest-question", "questions have limits, and observers must take what is within them", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			q := oracle.Question{ID: [32]byte{0xff}, Text: strings.Repeat("ü", oracle.MaxTextBytes/2)}
			for range oracle.MaxSources {
				q.Sources = append(q.Sources, strings.Repeat("s", oracle.MaxSourceBytes))
			}
			if _, err := in.Observer.Observe(t.Context(), q); err != nil && !errors.Is(err, oracle.ErrNoBelief) {
				t.Fatalf("the largest question: %v", err)
			}
		}},
		{"the-operators-answer-is-kept", "an operator who has answered has to see it, and that it is what counts", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			for _, q := range f.Questions {
				for _, b := range []oracle.Belief{{Value: oracle.Invalid, Reason: "a hunch"}, {Value: oracle.Yes, Reason: "I was there"}} {
					err := in.Observer.Believe(t.Context(), q.ID, b)
					if errors.Is(err, oracle.ErrNoBelief) || errors.Is(err, oracle.ErrCommitted) {
						continue // it has no ballots, or one that binds it
					}
					if err != nil {
						t.Fatalf("question %q: believe: %v", q.Text, err)
					}
					o, ok := observation(t, in.Observer, q.ID)
					if !ok || o.Value == nil || *o.Value != b.Value || o.Reason != b.Reason {
						t.Errorf("question %q: the operator says %s and sees %t, %+v", q.Text, b.Value, ok, o)
					}
				}
			}
		}},
		{"no-nonsense-is-believed", "what is no answer can't be voted for", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			id := f.Questions[0].ID
			if err := in.Observer.Believe(t.Context(), id, oracle.Belief{Value: 9}); err == nil {
				t.Errorf("value 9 is believed")
			}
			if o, ok := observation(t, in.Observer, id); ok && o.Value != nil && !o.Value.Valid() {
				t.Errorf("value %d is shown", *o.Value)
			}
		}},
		{"observations-are-in-order", "what has just happened is what an operator looks for", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			for _, q := range f.Questions {
				if err := in.Observer.Believe(t.Context(), q.ID, oracle.Belief{Value: oracle.No}); err != nil && !errors.Is(err, oracle.ErrNoBelief) && !errors.Is(err, oracle.ErrCommitted) {
					t.Fatalf("question %q: believe: %v", q.Text, err)
				}
			}
			list, err := in.Observer.Observations(t.Context())
			if err != nil || len(list) > oracle.MaxObservations {
				t.Fatalf("%d observations: %v", len(list), err)
			}
			for i := 1; i < len(list); i++ {
				if list[i].At.After(list[i-1].At) {
					t.Errorf("number %d is of %s, and the one before of %s", i, list[i].At, list[i-1].At)
				}
			}
		}},
		{"no-ballot-says-why", "whoever wants to carry a ballot has to see why there is none", func(t T, f Factory) {
			in := open(t, f)
			defer done(t, &in)
			for _, q := range f.Questions {
				b, err := in.Observer.SignBallot(t.Context(), q.ID)
				switch {
				case err == nil && len(b) == 0:
					t.Errorf("question %q: a ballot of no bytes", q.Text)
				case err == nil:
				case !errors.Is(err, oracle.ErrNoBelief) && !errors.Is(err, oracle.ErrNothingDue):
					t.Errorf("question %q: %v, want a ballot, ErrNoBelief or ErrNothingDue", q.Text, err)
				case err.Error() == oracle.ErrNoBelief.Error() || err.Error() == oracle.ErrNothingDue.Error():
					t.Errorf("question %q: %v without why", q.Text, err)
				}
			}
		}},
		{"closed-is-closed", "a chain that is over has no producer who votes", func(t T, f Factory) {
			in := open(t, f)
			if in.Close == nil {
				t.Skipf("the observer cannot be closed")
			}
			done(t, &in)
			for what, err := range callAll(t, in.Observer, f.Questions[0]) {
				if err == nil || errors.Is(err, oracle.ErrNoBelief) || errors.Is(err, oracle.ErrNothingDue) {
					t.Errorf("%s on a closed instance: %v", what, err)
				}
			}
		}},
		{"an-unknown-instance-is-named", "the core opens an instance again when it is told that it is gone", func(t T, f Factory) {
			wantHandle(t, f, UnknownHandle, plugin.ErrUnknownInstance)
		}},
		{"another-kind-is-named", "an instance of another kind is not asked", func(t T, f Factory) {
			wantHandle(t, f, OtherKindHandle, plugin.ErrWrongKind)
		}},
	}
}

func open(t T, f Factory) Instance {
	t.Helper()
	if len(f.Questions) == 0 {
		t.Fatalf("the factory has no questions")
	}
	in, err := f.Open()
	if err != nil {
		t.Fatalf("open an observer: %v", err)
	}
	return in
}

func done(t T, in *Instance) {
	t.Helper()
	if c := in.Close; c != nil {
		in.Close = nil
		if err := c(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func wantHandle(t T, f Factory, handle uint64, want error) {
	t.Helper()
	in := open(t, f)
	defer done(t, &in)
	if in.Conn == nil {
		t.Skipf("the observer is in process")
	}
	if handle == OtherKindHandle && in.NoOtherKind {
		t.Skipf("the plugin has no other kind")
	}
	for what, err := range callAll(t, oracle.NewClient(in.Conn, handle), f.Questions[0]) {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
}

// callAll calls each method and returns what it fails with.
func callAll(t T, o oracle.Observer, q oracle.Question) map[string]error {
	errs := map[string]error{"believe": o.Believe(t.Context(), q.ID, oracle.Belief{Value: oracle.Yes})}
	_, errs["observe"] = o.Observe(t.Context(), q)
	_, errs["observations"] = o.Observations(t.Context())
	_, errs["sign a ballot"] = o.SignBallot(t.Context(), q.ID)
	return errs
}

// observation finds what is known of a question.
func observation(t T, o oracle.Observer, id [32]byte) (oracle.Observation, bool) {
	t.Helper()
	list, err := o.Observations(t.Context())
	if err != nil {
		t.Fatalf("observations: %v", err)
	}
	for _, v := range list {
		if v.Question == id {
			return v, true
		}
	}
	return oracle.Observation{}, false
}
