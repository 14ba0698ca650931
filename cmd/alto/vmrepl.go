package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func (a *app) vmReplCmd() *cobra.Command {
	var o vmOptions
	c := &cobra.Command{
		Use: "repl [FILE...]", Short: "Talk to the VM, a line at a time",
		Long: "Evaluates the files, and then what is written, over a stack that stays; the prompt is the number of values on it. Besides the words of\n" +
			"the language there are .s (the stack), words, see NAME, cost (gas of the last line), env, load FILE, reset, help and bye. Ctrl-C drops the\n" +
			"line, or ends what runs; Ctrl-D ends the session. Lines may come from a pipe: then exit code 2 says that one of them failed.",
		Example: "  alto vm repl\n  alto vm repl htlc.fs --env height=10\n  alto vm repl --dialect forth2012",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			files := a.files()
			list, err := files.inputs(args)
			if err != nil {
				return err
			}
			s, err := o.begin(list)
			if err != nil {
				return err
			}
			ctx := c.Context()
			r := &repl{a: a, session: s, vm: o.name, lines: a.newLineReader(), files: files, queue: list}
			if r.lines.interactive() { // Ctrl-C is a key there, not the end
				var end func()
				ctx, end = untilTerminated(ctx)
				defer end()
			}
			return o.with(ctx, a, r.talk)
		},
	}
	o.flags(c)
	o.runs(c, "gas limit of each line (default: 100000000)")
	return c
}

// untilTerminated returns a context that outlives an interrupt.
func untilTerminated(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
}

// repl is a session with a person. The VM forgets it when something that runs is ended from here; since a session is a function of its
// inputs, it is then held again, up to the last of them.
type repl struct {
	a       *app
	session vm.Session
	vm      string
	lines   *lineReader
	files   *files
	queue   []vm.Input // that come before what is written
	done    []vm.Input // that the session's state comes from
	number  uint32     // of the line that is written
	depth   int
	open    bool
	bad     bool // something failed
}

// talk holds the session until its end.
func (r *repl) talk(ctx context.Context, m *openVM) error {
	if r.lines.interactive() {
		dialect := r.session.Dialect
		if dialect == "" && len(m.info.Dialects) > 0 {
			dialect = m.info.Dialects[0]
		}
		fmt.Fprintf(r.a.out, "%s %s, dialect %s; help shows the words of this prompt, bye ends it\n", r.vm, m.info.Version, dialect)
	}
	for {
		err := r.hold(ctx, m)
		if errors.Is(err, errInterrupted) {
			fmt.Fprintln(r.a.out, "interrupted; what came before stays")
			continue
		}
		if errors.Is(err, errForget) {
			continue
		}
		switch {
		case errors.Is(err, vm.ErrUnsupported), errors.Is(err, vm.ErrInvalid):
			return coded(exitConfig, err)
		case err != nil:
			return err
		case r.bad && !r.lines.interactive():
			return told(exitDifferent, errors.New("an input failed"))
		}
		return nil
	}
}

// errForget ends the VM's session so that it forgets a definition that is open.
var errForget = errors.New("forget what is open")

// hold is one session of the VM's. It fails with errInterrupted if an input was ended by Ctrl-C.
func (r *repl) hold(ctx context.Context, m vm.VM) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	interrupt := &interrupts{cancel: cancel}
	if r.lines.interactive() {
		interrupt.begin()
		defer interrupt.end()
	}
	r.depth, r.open = 0, false
	var current *vm.Input
	at, fresh, closed := 0, false, 0
	err := m.Interact(ctx, r.session, func(o vm.Output) (vm.Input, error) {
		interrupt.idle()
		if current != nil {
			if r.depth, r.open = len(o.Stack), o.Open; !o.Open {
				closed = at
			}
			if fresh {
				if err := r.show(*current, o); err != nil {
					return vm.Input{}, err
				}
			}
		}
		if fresh = at == len(r.done); !fresh {
			current = &r.done[at]
			at++
			interrupt.busy()
			return *current, nil
		}
		in, err := r.next(ctx)
		if err != nil {
			return vm.Input{}, err
		}
		if r.lines.interactive() { // elsewhere nothing is ever held again
			r.done = append(r.done, in)
			at++
		}
		current = &in
		interrupt.busy()
		return in, nil
	})
	switch {
	case interrupt.happened():
		r.done = r.done[:max(at-1, 0)]
		return errInterrupted
	case errors.Is(err, errForget):
		r.done = r.done[:closed]
		return errForget
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// show prints what an input came to. It fails with io.EOF if the session wants to end.
func (r *repl) show(in vm.Input, o vm.Output) error {
	fmt.Fprint(r.a.out, o.Text)
	if o.Text != "" && !strings.HasSuffix(o.Text, "\n") {
		fmt.Fprintln(r.a.out)
	}
	if o.Error != "" {
		fmt.Fprintln(r.a.err, sessionError(in, o.Error))
	}
	if o.Error != "" || o.Failed > 0 {
		r.bad = true
	}
	if o.Bye {
		return io.EOF
	}
	return nil
}

// next returns what is to be evaluated next.
func (r *repl) next(ctx context.Context) (vm.Input, error) {
	for len(r.queue) == 0 {
		prompt := fmt.Sprintf("%d> ", r.depth)
		if r.open {
			prompt = fmt.Sprintf("%d| ", r.depth)
		}
		line, err := r.lines.line(ctx, prompt)
		switch {
		case errors.Is(err, errInterrupted) && r.open:
			return vm.Input{}, errForget
		case errors.Is(err, errInterrupted):
			continue
		case errors.Is(err, io.EOF) && r.lines.interactive():
			fmt.Fprintln(r.a.out)
			return vm.Input{}, err
		case err != nil:
			return vm.Input{}, err
		}
		r.number++
		if r.queue, err = r.files.split("", r.number, line+"\n", nil); err != nil {
			fmt.Fprintln(r.a.err, err)
			r.bad = true
		}
	}
	in := r.queue[0]
	r.queue = r.queue[1:]
	return in, nil
}

// interrupts ends the session of the VM when Ctrl-C comes while something runs.
type interrupts struct {
	cancel  func()
	signals chan os.Signal
	stop    chan struct{}

	mu   sync.Mutex
	runs bool
	hit  bool
}

func (i *interrupts) begin() {
	i.signals, i.stop = make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(i.signals, os.Interrupt)
	go func() {
		for {
			select {
			case <-i.stop:
				return
			case <-i.signals:
				i.mu.Lock()
				if i.runs {
					i.hit = true
					i.cancel()
				}
				i.mu.Unlock()
			}
		}
	}()
}

func (i *interrupts) end() {
	signal.Stop(i.signals)
	close(i.stop)
}

func (i *interrupts) set(runs bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.runs = runs
}

func (i *interrupts) busy() { i.set(true) }
func (i *interrupts) idle() { i.set(false) }

func (i *interrupts) happened() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hit
}
