package consensustest

import (
	"context"
	"errors"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// soon is how long a call may take that must end. Engines that are right end it at once.
const soon = 3 * time.Second

func lifeCases() []Case {
	return []Case{
		{"start-is-required", "an engine that makes up a set of producers forks off", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			full := c.startEvent()
			for what, s := range map[string]*consensus.Start{
				"no start":        nil,
				"an empty start":  {},
				"no genesis":      {Set: full.Set, Final: full.Final, NowMs: full.NowMs, GenesisTimeMs: full.GenesisTimeMs},
				"no set":          {Genesis: full.Genesis, Final: full.Final, NowMs: full.NowMs, GenesisTimeMs: full.GenesisTimeMs},
				"no final header": {Genesis: full.Genesis, Set: full.Set, NowMs: full.NowMs, GenesisTimeMs: full.GenesisTimeMs},
			} {
				if _, err := c.engine.Run(w.ctx, s); !errors.Is(err, consensus.ErrInvalid) {
					t.Fatalf("run with %s: %v, want ErrInvalid", what, err)
				}
			}
			c.start()
			if !w.run(20, w.finalAt(1)) {
				t.Fatalf("nothing becomes final after refused runs")
			}
		}},
		{"second-start-is-refused", "a replay in the middle of a run would let an engine vote twice", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			s, err := c.engine.Run(w.ctx, c.startEvent())
			if err != nil {
				t.Fatalf("run: %v", err)
			}
			c.session = s
			if err := s.Step(w.ctx, c.startEvent()); !errors.Is(err, consensus.ErrInvalid) {
				t.Fatalf("a second start: %v, want ErrInvalid", err)
			}
			if err := s.Step(w.ctx, nil); !errors.Is(err, consensus.ErrInvalid) {
				t.Fatalf("no event: %v, want ErrInvalid", err)
			}
			if _, err := s.Next(w.ctx); err != nil {
				t.Fatalf("next after a refused event: %v", err)
			}
		}},
		{"second-run-ends-the-first", "two runs of one engine would sign against one another", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			first, err := c.engine.Run(w.ctx, c.startEvent())
			if err != nil {
				t.Fatalf("run: %v", err)
			}
			defer first.Close()
			second, err := c.engine.Run(w.ctx, c.startEvent())
			if err != nil {
				t.Fatalf("a second run: %v", err)
			}
			c.session = second
			wantEnd(t, first, "a second run")
			if err := first.Step(w.ctx, &consensus.Woken{NowMs: w.now}); err == nil {
				t.Fatalf("the first run still takes events")
			}
			if _, err := second.Next(w.ctx); err != nil {
				t.Fatalf("next of the second run: %v", err)
			}
		}},
		{"close-ends-the-run", "a chain that was dropped must not go on in a plugin", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			s, err := c.engine.Run(w.ctx, c.startEvent())
			if err != nil {
				t.Fatalf("run: %v", err)
			}
			for i := range 2 {
				if err := s.Close(); err != nil {
					t.Fatalf("close, time %d: %v", i+1, err)
				}
			}
			if r, err := s.Next(w.ctx); !errors.Is(err, consensus.ErrClosed) {
				t.Fatalf("next after close: %v, %v, want ErrClosed", r, err)
			}
			if err := s.Step(w.ctx, &consensus.Woken{NowMs: w.now}); err == nil {
				t.Fatalf("step after close succeeds")
			}
		}},
		{"context-of-next", "who gives up waiting has not given up the run", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			s, err := c.engine.Run(w.ctx, c.startEvent())
			if err != nil {
				t.Fatalf("run: %v", err)
			}
			c.session = s
			ctx, cancel := context.WithCancel(w.ctx)
			cancel()
			for err == nil { // what there is may still come
				_, err = s.Next(ctx)
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("next with a cancelled context: %v", err)
			}
			if err := s.Step(w.ctx, &consensus.Woken{NowMs: w.startOf(1)}); err != nil {
				t.Fatalf("step afterwards: %v", err)
			}
			if _, err := s.Next(w.ctx); err != nil {
				t.Fatalf("next afterwards: %v", err)
			}
		}},
		{"context-of-run", "the core ends a run by its context", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			ctx, cancel := context.WithCancel(w.ctx)
			s, err := c.engine.Run(ctx, c.startEvent())
			if err != nil {
				cancel()
				t.Fatalf("run: %v", err)
			}
			c.session = s
			cancel()
			wantEnd(t, s, "its context's end")
		}},
	}
}

// wantEnd checks that a run ends: that Next returns an error that is not its own context's.
func wantEnd(t T, s consensus.Session, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for {
		_, err := s.Next(ctx)
		if ctx.Err() != nil {
			t.Fatalf("the run goes on after %s", why)
		}
		if err != nil {
			return
		}
	}
}
