//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// crashesOf returns what counts against an instance.
func crashesOf(i *Instance) int { return i.status().Crashes }

func TestModuleThatHangsFails(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.ModuleTimeout, s.MaxCrashes = 50*time.Millisecond, 3
	s.CrashWindow = time.Nanosecond // as short as one may write
	i := openMoody(t, start(t, h, s), "a")
	err := execute(testCtx(t), i, "hang", answers{})
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, ErrHung)
	require.ErrorContains(t, err, `module.Execute for chain "a" took more than 50ms`)
	require.ErrorIs(t, i.Err(), ErrFailed)
	<-i.Failed()
}

func TestCrashWindowIsLongEnough(t *testing.T) {
	for name, s := range map[string]Spec{
		"as it comes":    {},
		"long calls":     {CallTimeout: time.Hour},
		"many crashes":   {MaxCrashes: 100, ModuleTimeout: time.Minute},
		"slow to open":   {OpenTimeout: 10 * time.Minute},
		"rarely pinged":  {PingTimeout: 10 * time.Minute},
		"a short window": {CrashWindow: time.Second},
	} {
		s.Name, s.Builtin = "x", true
		s, err := s.defaults()
		require.NoError(t, err)
		round := max(s.CallTimeout, s.ModuleTimeout, s.PingTimeout) + s.OpenTimeout + s.StartTimeout + maxBackoff
		require.Greater(t, s.CrashWindow, time.Duration(s.MaxCrashes)*round, name)
	}
	s, err := Spec{Name: "x", Builtin: true, CrashWindow: 48 * time.Hour}.defaults()
	require.NoError(t, err)
	require.Equal(t, 48*time.Hour, s.CrashWindow)
	require.Equal(t, 10*time.Second, s.ModuleTimeout)
	s, err = Spec{Name: "x", Builtin: true, CallTimeout: time.Second}.defaults()
	require.NoError(t, err)
	require.Equal(t, time.Second, s.ModuleTimeout)
}

// TestCoresTimeIsNotTheModules lets the core take longer for a read than a module may for a call.
func TestCoresTimeIsNotTheModules(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.ModuleTimeout, s.MaxCrashes = time.Second, 1
	i := openMoody(t, start(t, h, s), "a")
	require.NoError(t, execute(testCtx(t), i, "read", answers{wait: func() { time.Sleep(s.ModuleTimeout + s.ModuleTimeout/5) }}))
	require.Zero(t, crashesOf(i))
	require.ErrorIs(t, execute(testCtx(t), i, "read hang", answers{}), ErrHung, "it runs on afterwards")
}

func TestModuleThatFailsIsAskedAgain(t *testing.T) {
	calls := map[string]func(ctx context.Context, i *Instance, order string) error{
		"execute": func(ctx context.Context, i *Instance, order string) error { return execute(ctx, i, order, answers{}) },
		"check": func(ctx context.Context, i *Instance, order string) error {
			_, err := i.Module().Check(ctx, moodyTxs(order))
			return err
		},
		"validate": func(ctx context.Context, i *Instance, order string) error {
			return i.Module().ValidateParams(ctx, map[string][]byte{"order": []byte(order)})
		},
	}
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 3
	p := start(t, h, s)
	for _, c := range []struct {
		call, order string
		restarts    int
		check       func(error) bool
	}{
		{"execute", "fail", 0, nil},
		{"execute", "closed", 0, func(err error) bool { return errors.Is(err, module.ErrClosed) }},
		{"execute", "panic", 0, func(err error) bool { return errors.Is(err, plugin.ErrPanicked) }},
		{"execute", "unknown", 0, func(err error) bool { return errors.Is(err, plugin.ErrUnknownInstance) }},
		{"execute", "exit", 1, func(err error) bool { return errors.Is(err, ErrPluginLost) }},
		{"check", "fail", 0, nil},
		{"check", "big", 0, func(err error) bool { return status.Code(err) == codes.ResourceExhausted }},
		{"validate", "fail", 0, nil},
	} {
		t.Run(c.call+" "+c.order, func(t *testing.T) {
			name := c.call + c.order
			i := openMoody(t, p, name)
			require.NoError(t, calls[c.call](testCtx(t), i, c.order+"-once"))
			require.EqualValues(t, 2, i.Opens())
			require.Equal(t, 1, crashesOf(i))
			i.Progress()

			err := calls[c.call](testCtx(t), i, c.order)
			require.ErrorIs(t, err, ErrFailed)
			require.ErrorContains(t, err, "3 times")
			if c.check != nil {
				require.True(t, c.check(err), "%v", err)
			} else {
				require.ErrorContains(t, err, "not in the mood")
			}
			require.EqualValues(t, 4, i.Opens())
			require.NoError(t, i.Close(testCtx(t)))
		})
	}
}

func TestAnswersOfAModuleBreakNothing(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 1
	i := openMoody(t, start(t, h, s), "a")
	ctx := testCtx(t)
	require.ErrorIs(t, execute(ctx, i, "fault", answers{}), module.ErrFault)
	require.ErrorIs(t, i.Module().ValidateParams(ctx, map[string][]byte{"bad": nil}), module.ErrBadParams)
	require.ErrorContains(t, query(ctx, i, "fail"), "not in the mood")
	_, err := i.Module().Extend(ctx, 1, answers{})
	require.ErrorContains(t, err, "not in the mood")
	_, err = i.Module().Migrate(ctx, "1", "2", answers{})
	require.ErrorIs(t, err, module.ErrUnsupported)
	_, err = i.Module().Check(Asking(ctx), moodyTxs("fail"))
	require.ErrorContains(t, err, "not in the mood")
	require.EqualValues(t, 1, i.Opens())
	require.Zero(t, crashesOf(i))
}

// TestReadersErrorIsNobodysFault fails in the core, with errors that would be the plugin's if it had made them.
func TestReadersErrorIsNobodysFault(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 1
	i := openMoody(t, start(t, h, s), "a")
	for name, cause := range map[string]error{
		"plain":    errors.New("the disk is gone"),
		"panicked": fmt.Errorf("a store: %w", plugin.ErrPanicked),
		"unknown":  fmt.Errorf("a store: %w", plugin.ErrUnknownInstance),
		"status":   status.Error(codes.Unavailable, "a store"),
		"lost":     fmt.Errorf("a store: %w", ErrPluginLost),
		"context":  fmt.Errorf("a store: %w", context.DeadlineExceeded),
	} {
		for _, ctx := range []context.Context{testCtx(t), Asking(testCtx(t)), Once(testCtx(t))} {
			require.ErrorIs(t, execute(ctx, i, "read", answers{err: cause}), cause, name)
			_, err := i.Module().Query(ctx, module.Query{Path: "read"}, answers{err: cause})
			require.ErrorIs(t, err, cause, name)
			_, err = i.Module().Execute(ctx, &module.Block{Txs: moodyTxs("read")}, answers{err: cause})
			require.Equal(t, cause, err, "it is what it was")
		}
	}
	require.EqualValues(t, 1, i.Opens())
	require.Zero(t, crashesOf(i))
	require.NoError(t, execute(testCtx(t), i, "read", answers{}))
}

// TestReadsOfALostAttemptDoNotCount: a transaction may read 256 items, and reads 200 twice, since the first time it came to
// nothing.
func TestReadsOfALostAttemptDoNotCount(t *testing.T) {
	h := newHost(t, Options{})
	i := openMoody(t, start(t, h, moodySpec(t.TempDir())), "a")
	require.NoError(t, execute(testCtx(t), i, "read200 exit-once", answers{}))
	require.EqualValues(t, 2, i.Opens())
}

func TestQuestionsDoNotCount(t *testing.T) {
	for name, order := range map[string]string{"panics": "panic", "ends": "exit", "hangs": "hang"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			s := moodySpec(t.TempDir())
			s.MaxCrashes = 1
			rounds := 2
			if order == "hang" {
				s.ModuleTimeout, rounds = 500*time.Millisecond, 1
			}
			i := openMoody(t, start(t, h, s), "a")
			want := map[string]error{"panic": plugin.ErrPanicked, "exit": ErrPluginLost, "hang": ErrHung}[order]
			for n := range rounds {
				err := query(Asking(testCtx(t)), i, order)
				require.ErrorIs(t, err, want)
				require.NotErrorIs(t, err, ErrFailed)
				require.NoError(t, execute(testCtx(t), i, "ok", answers{}), "what is needed rests for nobody")
				require.EqualValues(t, 2*(n+1), i.status().Harms, "once more, and no more than that")
			}
			require.ErrorIs(t, execute(Once(testCtx(t)), i, order, answers{}), want)
			require.NoError(t, execute(testCtx(t), i, "ok", answers{}))
			require.NoError(t, query(Asking(testCtx(t)), i, "ok"))
			require.Zero(t, crashesOf(i))
			require.NoError(t, i.Err())
		})
	}
}

func TestQuestionIsAskedOnceMore(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 1
	i := openMoody(t, start(t, h, s), "a")
	require.NoError(t, query(Asking(testCtx(t)), i, "exit-once"))
	require.NoError(t, query(Asking(testCtx(t)), i, "panic-once"))
	require.Zero(t, crashesOf(i))
	require.EqualValues(t, 3, i.Opens())
}

func TestOnceTellsHowItWasLost(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 1
	i := openMoody(t, start(t, h, s), "a")
	err := execute(Once(testCtx(t)), i, "exit", answers{})
	require.ErrorIs(t, err, ErrPluginLost)
	require.ErrorContains(t, err, "exited with status 9")
	require.ErrorContains(t, err, "moody: farewell", "with its last words")
	opens := i.Opens()
	err = execute(Once(testCtx(t)), i, "fail", answers{})
	require.ErrorIs(t, err, ErrPluginLost)
	require.ErrorContains(t, err, "not in the mood")
	require.NoError(t, execute(testCtx(t), i, "ok", answers{}))
	require.Equal(t, opens+2, i.Opens(), "opened anew after either")

	// What its own context ends is no loss.
	ctx, cancel := context.WithCancel(Once(context.Background()))
	defer cancel()
	require.ErrorIs(t, execute(ctx, i, "read hang", answers{wait: cancel}), context.Canceled)
	require.NoError(t, execute(testCtx(t), i, "ok", answers{}))
	require.Equal(t, opens+2, i.Opens())
	require.Zero(t, crashesOf(i))
}

// TestStoreKnowsNoOnce: what a store keeps is needed for other things than what is tried.
func TestStoreKnowsNoOnce(t *testing.T) {
	h := newHost(t, Options{})
	i := open(t, start(t, h, fileSpec(t.TempDir())), "a")
	s, err := order(Once(testCtx(t)), i, "panic-once")
	require.NoError(t, err)
	require.Equal(t, "calm", s)
	require.Equal(t, 1, i.status().Crashes)
}

// TestQuestionBesideABlock ends a process by a question while a block is executed in it.
func TestQuestionBesideABlock(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(shortDir(t))
	s.MaxCrashes = 1 // the first that counts is the end
	ev := events(t, filepath.Join(s.DataDir, "a"))
	i := openMoody(t, start(t, h, s), "a")
	for _, end := range []string{"exit", "panic"} {
		done := make(chan error, 1)
		block := "stay-once"
		if end == "panic" { // which ends no process, but what goes on in the broken instance is ended all the same
			block = "wait-once"
		}
		go func() { done <- execute(testCtx(t), i, block, answers{}) }()
		next(t, ev, "here")
		if end == "panic" {
			require.ErrorIs(t, query(Asking(testCtx(t)), i, "panic"), plugin.ErrPanicked)
		} else {
			require.ErrorIs(t, query(Asking(testCtx(t)), i, "exit"), ErrPluginLost)
		}
		require.NoError(t, <-done)
	}
	require.NoError(t, i.Err())
	require.Zero(t, crashesOf(i))
}

// TestBlockThatKillsBesideAQuestion: a question under way is no excuse. The first time nobody knows; after that the
// block is executed without questions.
func TestBlockThatKillsBesideAQuestion(t *testing.T) {
	for name, order := range map[string]string{"ends": "exit", "panics": "panic", "fails": "fail", "hangs": "hang"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			s := moodySpec(shortDir(t))
			s.MaxCrashes = 2
			if order == "hang" {
				s.ModuleTimeout = 500 * time.Millisecond
			}
			ev := events(t, filepath.Join(s.DataDir, "a"))
			i := openMoody(t, start(t, h, s), "a")
			asked := make(chan error, 1)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() { asked <- query(Asking(ctx), i, "wait") }()
			next(t, ev, "here")
			err := execute(testCtx(t), i, order, answers{})
			require.ErrorIs(t, err, ErrFailed)
			cancel()
			require.Error(t, <-asked)
			if order != "hang" { // where the question may have hung first
				require.EqualValues(t, 3, i.Opens(), "lost once with nobody to blame, and twice alone")
			}
			require.GreaterOrEqual(t, i.Opens(), uint64(3))
		})
	}
}

// TestQuestionsWaitForProgress: where a conversation was lost beside a question, the chain gets a time without questions.
func TestQuestionsWaitForProgress(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 1
	i := openMoody(t, start(t, h, s), "a")
	b, err := i.acquire(testCtx(t), needed, true) // a conversation, as far as blame is concerned
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(Asking(context.Background()))
	defer cancel()
	asked := make(chan error, 1)
	go func() { asked <- query(ctx, i, "exit-once") }()
	<-b.inc.dead
	i.exit(b, needed, true, true)
	require.NoError(t, execute(testCtx(t), i, "ok", answers{}))
	i.mu.Lock()
	held := i.held()
	i.mu.Unlock()
	require.True(t, held, "the block says nothing of the conversation")
	select {
	case err := <-asked:
		require.FailNow(t, "it is let in", "%v", err)
	default:
	}
	i.Progress()
	require.NoError(t, <-asked)
	require.Zero(t, crashesOf(i))
}

func TestSolo(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	s.MaxCrashes = 2
	p := start(t, h, s)
	i := openMoody(t, p, "a")
	require.NoError(t, execute(testCtx(t), i, "ok", answers{}))
	pid := only(t, h).PID

	_, err := p.Solo(testCtx(t), nil, plugin.OpenRequest{Kind: plugin.Module, ChainName: "a", DataDir: filepath.Join(s.DataDir, "a")})
	require.ErrorContains(t, err, "another instance's")
	alone, err := p.Solo(testCtx(t), nil, plugin.OpenRequest{Kind: plugin.Module, ChainName: "a", DataDir: filepath.Join(s.DataDir, "probe")})
	require.NoError(t, err)
	require.Len(t, h.Status(), 2)
	for range 3 {
		require.ErrorIs(t, execute(Once(testCtx(t)), alone, "exit", answers{}), ErrPluginLost)
	}
	require.NoError(t, execute(Once(testCtx(t)), alone, "ok", answers{}))
	require.NoError(t, alone.Err())
	require.ErrorIs(t, execute(testCtx(t), alone, "exit", answers{}), ErrFailed)
	require.NoError(t, alone.Close(testCtx(t)))

	require.NoError(t, execute(testCtx(t), i, "ok", answers{}))
	require.Zero(t, crashesOf(i))
	require.EqualValues(t, 1, i.Opens())
	require.Eventually(t, func() bool { return len(h.Status()) == 1 }, patience, time.Millisecond, "its process ends with it")
	require.Equal(t, pid, only(t, h).PID)

	bare, err := p.Solo(testCtx(t), nil, plugin.OpenRequest{Kind: plugin.Module, ChainName: "a"})
	require.NoError(t, err, "without a folder")
	require.NoError(t, execute(testCtx(t), bare, "ok", answers{}))
}

// TestQuestionsRest is about how long, and that only questions have to.
func TestQuestionsRest(t *testing.T) {
	i := newInstance(&Process{spec: Spec{MaxCrashes: 9, CrashWindow: time.Hour}}, plugin.OpenRequest{}, nil)
	whole, end := context.WithCancel(context.Background())
	i.bind(&binding{inc: &incarnation{dead: make(chan struct{})}, broken: make(chan struct{}), whole: whole, end: end})
	defer end()
	question := involvement{under: [manners]bool{asking: true}}
	for _, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		require.False(t, i.judge(question, nil))
		require.Equal(t, want*time.Millisecond, i.rested.Sub(i.harmed))
	}
	require.False(t, i.judge(involvement{under: [manners]bool{once: true}}, nil))
	require.Equal(t, 8, i.harms, "a try is no question")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for m, free := range map[manner]bool{asking: false, once: true, needed: true} {
		b, err := i.acquire(gone, m, false)
		require.Equal(t, free, err == nil, m)
		if free {
			i.exit(b, m, false, false)
		}
	}
	i.harmed = i.harmed.Add(-askCalm - time.Second)
	require.False(t, i.judge(question, nil))
	require.Equal(t, firstBackoff, i.rested.Sub(i.harmed), "after a calm time it is the first again")

	require.True(t, i.judge(involvement{under: [manners]bool{needed: true}}, nil))
	require.True(t, i.judge(involvement{}, nil))
	require.Len(t, i.crashes, 2)
	require.False(t, i.held())
	require.False(t, i.judge(involvement{lingers: true}, nil), "a question had ended just before")
	require.True(t, i.untilProgress)
	i.Progress()
	require.False(t, i.held())
	require.False(t, i.judge(involvement{under: [manners]bool{needed: true, once: true}}, nil))
	require.True(t, i.untilAnswer && !i.untilProgress)
	i.repeats()
	i.settled(true)
	require.False(t, i.held())
	require.Empty(t, i.crashes)
}

// TestCloseOfWhatIsBroken closes instances whose binding has just been broken, so that they are about to be opened anew.
func TestCloseOfWhatIsBroken(t *testing.T) {
	h := newHost(t, Options{})
	s := moodySpec(t.TempDir())
	p := start(t, h, s)
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for _, order := range []string{"panic", "fail"} {
		for range rounds {
			i, err := p.Solo(testCtx(t), nil, plugin.OpenRequest{Kind: plugin.Module, ChainName: "a"})
			require.NoError(t, err)
			require.Error(t, execute(Once(testCtx(t)), i, order, answers{}))
			require.NoError(t, i.Close(testCtx(t)))
		}
	}
}
