package consensustest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// bend is how a run of a broken engine differs from that of the engine inside. Nil functions change nothing.
type bend struct {
	event func(e consensus.Event) (pass bool, err error)
	ready func(r *consensus.Ready) []*consensus.Ready
	next  func(ctx context.Context) (*consensus.Ready, error) // instead of the inner Next
	close func()                                              // before the inner Close
}

// bentEngine wraps an engine.
type bentEngine struct {
	consensus.Engine
	run func(ctx context.Context, start *consensus.Start) (consensus.Session, error)
}

func (e *bentEngine) Run(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
	return e.run(ctx, start)
}

type bentSession struct {
	consensus.Session
	bend
	mu    sync.Mutex
	queue []*consensus.Ready
}

func (s *bentSession) Step(ctx context.Context, e consensus.Event) error {
	if s.event != nil {
		s.mu.Lock()
		pass, err := s.event(e)
		s.mu.Unlock()
		if !pass {
			return err
		}
	}
	return s.Session.Step(ctx, e)
}

func (s *bentSession) Next(ctx context.Context) (*consensus.Ready, error) {
	if s.next != nil {
		return s.next(ctx)
	}
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			r := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return r, nil
		}
		s.mu.Unlock()
		r, err := s.Session.Next(ctx)
		if err != nil || s.ready == nil {
			return r, err
		}
		s.mu.Lock()
		s.queue = s.ready(r)
		s.mu.Unlock()
	}
}

func (s *bentSession) Close() error {
	if s.close != nil {
		s.close()
	}
	return s.Session.Close()
}

// wrapRun makes a breakage of a function that runs in place of an engine's Run. It is made anew for each engine.
func wrapRun(make func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error)) func(Factory) Factory {
	return func(f Factory) Factory {
		open := f.Open
		f.Open = func() (consensus.Engine, func() error, error) {
			e, closeEngine, err := open()
			if err != nil {
				return nil, nil, err
			}
			return &bentEngine{e, make(e)}, closeEngine, nil
		}
		return f
	}
}

// wrapSession makes a breakage of what changes in each session. Inner is the session inside, for events that are made up.
func wrapSession(make func(start *consensus.Start, inner consensus.Session) bend) func(Factory) Factory {
	return wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
		return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
			s, err := e.Run(ctx, start)
			if err != nil {
				return nil, err
			}
			return &bentSession{Session: s, bend: make(start, s)}, nil
		}
	})
}

// wrapReady makes a breakage that only changes what comes out.
func wrapReady(f func(start *consensus.Start, r *consensus.Ready)) func(Factory) Factory {
	return wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
		return bend{ready: func(r *consensus.Ready) []*consensus.Ready { f(start, r); return []*consensus.Ready{r} }}
	})
}

func one(r *consensus.Ready) []*consensus.Ready { return []*consensus.Ready{r} }

// Broken returns the broken forms of an engine, at least one for each case.
func Broken() []Breakage {
	out := brokenLives()
	out = append(out, brokenBuilds()...)
	out = append(out, brokenChecks()...)
	out = append(out, brokenSigns()...)
	out = append(out, brokenFinals()...)
	out = append(out, brokenRestarts()...)
	return append(out, brokenEpochs()...)
}

func brokenLives() []Breakage {
	return []Breakage{
		{"start-is-required", "a run without a set begins", wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
			return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
				s, err := e.Run(ctx, start)
				if errors.Is(err, consensus.ErrInvalid) {
					return &bentSession{}, nil
				}
				return s, err
			}
		})},
		{"second-start-is-refused", "a second start is swallowed", wrapSession(func(*consensus.Start, consensus.Session) bend {
			return bend{event: func(e consensus.Event) (bool, error) {
				_, is := e.(*consensus.Start)
				return !is, nil
			}}
		})},
		{"second-run-ends-the-first", "each run has an engine of its own", func(f Factory) Factory {
			open := f.Open
			f.Open = func() (consensus.Engine, func() error, error) {
				var closers []func() error
				run := func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
					e, c, err := open()
					if err != nil {
						return nil, err
					}
					closers = append(closers, c)
					return e.Run(ctx, start)
				}
				return &bentEngine{run: run}, func() error {
					var err error
					for _, c := range closers {
						err = errors.Join(err, c())
					}
					return err
				}, nil
			}
			return f
		}},
		{"close-ends-the-run", "Next after Close has an error that nobody knows", wrapSession(func(_ *consensus.Start, inner consensus.Session) bend {
			return bend{next: func(ctx context.Context) (*consensus.Ready, error) {
				r, err := inner.Next(ctx)
				if errors.Is(err, consensus.ErrClosed) {
					err = errors.New("broken pipe")
				}
				return r, err
			}}
		})},
		{"context-of-next", "a cancelled Next ends the run", wrapSession(func(_ *consensus.Start, inner consensus.Session) bend {
			return bend{next: func(ctx context.Context) (*consensus.Ready, error) {
				r, err := inner.Next(ctx)
				if err != nil {
					_ = inner.Close()
				}
				return r, err
			}}
		})},
		{"context-of-run", "the run does not look at its context", wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
			return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
				return e.Run(context.WithoutCancel(ctx), start)
			}
		})},
	}
}

func brokenBuilds() []Breakage {
	return []Breakage{
		{"builds-once-a-slot", "each body is asked for twice", wrapSession(func(*consensus.Start, consensus.Session) bend {
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				if r.Build == nil {
					return one(r)
				}
				return []*consensus.Ready{r, {Build: r.Build, WakeAtMs: r.WakeAtMs}}
			}}
		})},
		{"tells-its-head", "no head is told but the first", wrapReady(func(start *consensus.Start, r *consensus.Ready) {
			if r.Head != nil && *r.Head != start.Final.ID() && !follows(start) {
				r.Head = nil
			}
		})},
		{"wakes-in-time", "the wish is a millisecond late", wrapReady(func(_ *consensus.Start, r *consensus.Ready) {
			if r.WakeAtMs > 0 {
				r.WakeAtMs++
			}
		})},
		{"goes-on-without-a-body", "an empty answer is the last", wrapSession(func(*consensus.Start, consensus.Session) bend {
			over := false
			return bend{event: func(e consensus.Event) (bool, error) {
				if b, ok := e.(*consensus.Built); ok && b.Header == nil {
					over = true
				}
				return true, nil
			}, ready: func(r *consensus.Ready) []*consensus.Ready {
				if over {
					r.Build = nil
				}
				return one(r)
			}}
		})},
	}
}

// follows tells whether a node has no seat: breakages that are about producers leave it alone.
func follows(start *consensus.Start) bool { return start.Key == nil }

func brokenChecks() []Breakage {
	return []Breakage{
		{"own-block-is-checked", "peers are named that vouch for an own block", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				for i, k := range r.Check {
					if start.Key != nil && k.Header.Producer == start.Key.Hash() {
						r.Check[i].From = []types.Hash{stranger}
					}
				}
				return one(r)
			}}
		})},
		{"final-needs-the-check", "the engine answers itself", wrapSession(func(start *consensus.Start, inner consensus.Session) bend {
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				for _, k := range r.Check {
					if k.Header.Height == 1 && start.Key != nil && k.Header.Slot != refusedSlot {
						go func() {
							_ = inner.Step(context.Background(), &consensus.Checked{Block: k.Header.ID(), OK: true})
						}()
					}
				}
				return one(r)
			}}
		})},
		{"refused-block-is-not-used", "the answer is not read", wrapSession(func(*consensus.Start, consensus.Session) bend {
			return bend{event: func(e consensus.Event) (bool, error) {
				if k, ok := e.(*consensus.Checked); ok {
					k.OK = true
				}
				return true, nil
			}}
		})},
		{"asks-again", "each check is asked for once", wrapSession(func(*consensus.Start, consensus.Session) bend {
			asked := map[types.BlockID]bool{}
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				r.Check = slices.DeleteFunc(r.Check, func(k consensus.Check) bool {
					id := k.Header.ID()
					again := asked[id]
					asked[id] = true
					return again
				})
				return one(r)
			}}
		})},
		{"parent-is-checked-first", "a child is asked for with its parent", wrapReady(func(_ *consensus.Start, r *consensus.Ready) {
			for _, k := range slices.Clone(r.Check) {
				child := *k.Header
				child.Height, child.Slot, child.Parent = k.Header.Height+1, k.Header.Slot+1, k.Header.ID()
				r.Check = slices.Insert(r.Check, 0, consensus.Check{Header: &child, From: k.From})
			}
		})},
	}
}

func brokenSigns() []Breakage {
	return []Breakage{
		{"follower-never-signs", "a signature is asked for without a seat", wrapReady(func(start *consensus.Start, r *consensus.Ready) {
			if start.Key == nil && len(r.Final) > 0 {
				r.Sign = append(r.Sign, consensus.Unsigned{Purpose: types.PurposeCommit, Ordinal: 1, Payload: []byte("x")})
			}
		})},
		{"keeps-its-word", "records come after what they are for", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				if len(r.Sign) == 0 || len(r.Persist) == 0 {
					return one(r)
				}
				late := &consensus.Ready{Persist: r.Persist, WakeAtMs: r.WakeAtMs}
				r.Persist = nil
				return []*consensus.Ready{r, late}
			}}
		})},
		{"asks-for-signatures-again", "what was asked for in an earlier run is not asked for again", wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
			var mu sync.Mutex // the last run's reader may still be at work when the next begins
			var before, now []string
			return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
				s, err := e.Run(ctx, start)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				defer mu.Unlock()
				before, now = append(before, now...), nil
				return &bentSession{Session: s, bend: bend{ready: func(r *consensus.Ready) []*consensus.Ready {
					mu.Lock()
					defer mu.Unlock()
					r.Sign = slices.DeleteFunc(r.Sign, func(u consensus.Unsigned) bool {
						now = append(now, word(u))
						return slices.Contains(before, word(u))
					})
					return one(r)
				}}}, nil
			}
		})},
		{"own-vote-comes-back", "own votes count at once", wrapSession(func(start *consensus.Start, inner consensus.Session) bend {
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				for _, u := range r.Sign {
					for seat := range start.Set.Seats {
						priv, pub := seatKey(seat)
						if start.Key == nil || pub.Hash() != start.Key.Hash() || u.Ordinal != 3 {
							continue
						}
						msg := append(slices.Clone(u.Message), ed25519.Sign(priv, types.SignBytes(start.Genesis.Chain, u.Purpose, u.Payload))...)
						go func() { _ = inner.Step(context.Background(), &consensus.Message{Payload: msg}) }()
					}
				}
				return one(r)
			}}
		})},
		{"survives-a-refusal", "the fourth signature is asked for when one of the first three has come", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			asked, came := 0, false
			return bend{event: func(e consensus.Event) (bool, error) {
				if m, ok := e.(*consensus.Message); ok && m.From.IsZero() {
					came = true
				}
				return true, nil
			}, ready: func(r *consensus.Ready) []*consensus.Ready {
				if asked > 2 && !came {
					r.Sign = nil
				}
				asked += len(r.Sign)
				return one(r)
			}}
		})},
	}
}

// refusedSlot is a slot that no breakage touches.
const refusedSlot = 1

func brokenFinals() []Breakage {
	return []Breakage{
		{"certificates-verify", "certificates of height 15 and above are spoilt", wrapReady(func(_ *consensus.Start, r *consensus.Ready) {
			for i, f := range r.Final {
				if f.Proof != nil && f.Proof.Cert.Height > certifiedTo/2+4 {
					bad := *f.Proof.Cert
					bad.Signatures = slices.Clone(bad.Signatures)
					bad.Signatures[0] = make([]byte, 64)
					r.Final[i].Proof = &types.Finality{Cert: &bad, Suffix: f.Proof.Suffix}
				}
			}
		})},
		{"final-ascends", "height 3 is final twice", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				for _, f := range r.Final {
					if f.Proof != nil && f.Proof.Cert.Height == 3 && start.Final.Height == 0 {
						return []*consensus.Ready{r, {Final: []consensus.Final{f}, WakeAtMs: r.WakeAtMs}}
					}
				}
				return one(r)
			}}
		})},
		{"finalised-is-not-repeated", "what the core tells comes back", wrapSession(func(*consensus.Start, consensus.Session) bend {
			var echo []consensus.Final
			return bend{event: func(e consensus.Event) (bool, error) {
				if f, ok := e.(*consensus.Finalised); ok && f.Header != nil && f.Header.Parent != stranger && f.Header.Epoch == 0 && f.Next == nil {
					echo = append(echo, consensus.Final{Block: f.Header.ID(), Proof: f.Proof})
				}
				return true, nil
			}, ready: func(r *consensus.Ready) []*consensus.Ready {
				r.Final = append(echo, r.Final...)
				echo = nil
				return one(r)
			}}
		})},
		{"garbage-changes-nothing", "a message that makes no sense is an error", wrapSession(func(*consensus.Start, consensus.Session) bend {
			return bend{event: func(e consensus.Event) (bool, error) {
				if m, ok := e.(*consensus.Message); ok && m.From == stranger {
					return false, errors.New("bad message")
				}
				return true, nil
			}}
		})},
		{"four-agree", "once all others were heard, nothing is signed any more", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			return quiet(start, func(heard map[types.Hash]bool) bool { return len(heard) == 3 })
		})},
		{"one-of-four-is-silent", "nothing is final before all were heard", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			return quiet(start, func(heard map[types.Hash]bool) bool { return len(heard) < 3 })
		})},
	}
}

// quiet asks for no signatures, on a chain with four seats, while a condition on the peers that were heard holds.
func quiet(start *consensus.Start, silent func(heard map[types.Hash]bool) bool) bend {
	heard := map[types.Hash]bool{}
	return bend{event: func(e consensus.Event) (bool, error) {
		if m, ok := e.(*consensus.Message); ok && !m.From.IsZero() {
			heard[m.From] = true
		}
		return true, nil
	}, ready: func(r *consensus.Ready) []*consensus.Ready {
		if len(start.Set.Seats) == 4 && silent(heard) {
			r.Sign = nil
		}
		return one(r)
	}}
}

func brokenRestarts() []Breakage {
	return []Breakage{
		{"bad-records-are-refused", "records that cannot be read are left out", wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
			return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
				s, err := e.Run(ctx, start)
				if errors.Is(err, consensus.ErrBadState) {
					again := *start
					again.Records, again.Snapshot = nil, nil
					return e.Run(ctx, &again)
				}
				return s, err
			}
		})},
		{"goes-on-after-a-restart", "the newest final block is told of again", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			first := true
			return bend{ready: func(r *consensus.Ready) []*consensus.Ready {
				if first && start.FinalProof != nil && start.Next == nil {
					r.Final = append([]consensus.Final{{Block: start.Final.ID(), Proof: start.FinalProof}}, r.Final...)
				}
				first = false
				return one(r)
			}}
		})},
		{"checked-once", "after a restart all checks are asked for again", wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
			var mu sync.Mutex
			var asked []consensus.Check
			return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
				s, err := e.Run(ctx, start)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				defer mu.Unlock()
				again := asked
				return &bentSession{Session: s, bend: bend{ready: func(r *consensus.Ready) []*consensus.Ready {
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, r.Check...)
					r.Check = append(r.Check, again...)
					again = nil
					return one(r)
				}}}, nil
			}
		})},
	}
}
