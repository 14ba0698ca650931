package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func (a *app) vmDebugCmd() *cobra.Command {
	var o vmInput
	c := &cobra.Command{
		Use: "debug SOURCE", Short: "Step through a contract, forwards and backwards",
		Long: "Runs a contract as `alto vm run` does, and then walks through what it did, in both directions: step, over, out, back, break, watch,\n" +
			"continue, where, stack, print. `help` lists them; an empty line does the last one again. Commands may come from a pipe.",
		Example: "  alto vm debug contract.fs --push 5\n  alto vm debug contract.fs --evidence secret.fs --env height=10\n  alto vm debug contract.bin",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lines := a.newLineReader()
			ctx := c.Context()
			if lines.interactive() {
				var end func()
				ctx, end = untilTerminated(ctx)
				defer end()
			}
			return o.with(ctx, a, func(ctx context.Context, m *openVM) error {
				p, err := o.prepare(ctx, a, m, args[0])
				if err != nil {
					return err
				}
				r, err := recordRun(ctx, m, p)
				if err != nil {
					return err
				}
				d := &debugger{a: a, recording: r, lines: lines}
				a.warn(p.warnings())
				return d.talk(ctx)
			})
		},
	}
	o.flags(c)
	return c
}

// debugger walks through a recording. It stands before the step at.
type debugger struct {
	*recording
	a      *app
	lines  *lineReader
	at     int
	stops  []stop
	lastID int
	again  string // the last command
}

// talk reads and carries out commands until quit.
func (d *debugger) talk(ctx context.Context) error {
	d.say("%d steps; help lists the commands", len(d.steps))
	if d.result == nil {
		d.say("the run goes on after the last of them; what comes then is not kept")
	}
	d.show(ctx)
	for {
		line, err := d.lines.line(ctx, "(debug) ")
		if errors.Is(err, io.EOF) || (errors.Is(err, errInterrupted) && line == "") {
			if d.lines.interactive() {
				d.say("")
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			line = d.again
		}
		d.again = line
		quit, err := d.command(ctx, strings.Fields(line))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.say("%v", err)
		}
		if quit {
			return nil
		}
	}
}

func (d *debugger) say(format string, args ...any) { fmt.Fprintf(d.a.out, format+"\n", args...) }

// debugVerb is a command of the debugger.
type debugVerb struct {
	names []string
	args  string
	help  string
	do    func(d *debugger, ctx context.Context, args []string) error
}

var errQuit = errors.New("quit")

func debugVerbs() []debugVerb {
	move := func(f func(*debugger, int) int) func(*debugger, context.Context, []string) error {
		return func(d *debugger, ctx context.Context, args []string) error {
			n, err := count(args)
			if err != nil {
				return err
			}
			return d.move(ctx, n, f)
		}
	}
	return []debugVerb{
		{[]string{"step", "s"}, "[N]", "one instruction on, or N", move((*debugger).stepOn)},
		{[]string{"over", "o", "next", "n"}, "[N]", "one on, past the words that are called", move((*debugger).over)},
		{[]string{"out", "f", "finish"}, "", "on until the word that runs has returned", move((*debugger).out)},
		{[]string{"back", "b"}, "[N]", "one instruction back, or N", move((*debugger).stepBack)},
		{[]string{"back-over", "bo"}, "[N]", "one back, past the words that were called", move((*debugger).backOver)},
		{[]string{"continue", "c"}, "", "on to the next break or watch, or the end", move((*debugger).forth)},
		{[]string{"reverse", "rc"}, "", "back to the last break or watch, or the start", move((*debugger).reverse)},
		{[]string{"break", "br"}, "LINE|WORD|pc N", "stop at a line, at the start of a word, at an instruction; alone: list", (*debugger).addBreak},
		{[]string{"watch", "w"}, "WHAT OP N", "stop when gas, depth, calls or top is < <= = <> >= > N; watch slot N: when it is written", (*debugger).addWatch},
		{[]string{"delete", "d"}, "[NUMBER]", "remove a break or watch, or all", (*debugger).remove},
		{[]string{"where", "l"}, "", "the source around, and the words that are being run", (*debugger).where},
		{[]string{"stack", ".s"}, "", "the whole stack, a value a line, top last", (*debugger).printStack},
		{[]string{"print", "p"}, "env|gas|result|NAME", "the environment, the gas, the result, or one value of the environment", (*debugger).printValue},
		{[]string{"goto", "g"}, "N|start|end", "to a step by its number", (*debugger).jump},
		{[]string{"help", "?"}, "", "this", (*debugger).help},
		{[]string{"quit", "q", "bye", "exit"}, "", "the end", func(*debugger, context.Context, []string) error { return errQuit }},
	}
}

func (d *debugger) command(ctx context.Context, words []string) (quit bool, err error) {
	if len(words) == 0 {
		return false, nil
	}
	var names []string
	for _, v := range debugVerbs() {
		for _, n := range v.names {
			if n == words[0] {
				err := v.do(d, ctx, words[1:])
				return errors.Is(err, errQuit), ignore(err, errQuit)
			}
		}
		names = append(names, v.names[0])
	}
	return false, fmt.Errorf("unknown command %q%s; help lists them", words[0], didYouMean(words[0], names))
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

func count(args []string) (int, error) {
	if len(args) == 0 {
		return 1, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 || len(args) > 1 {
		return 0, fmt.Errorf("%q: a number of steps is wanted, from 1", strings.Join(args, " "))
	}
	return n, nil
}

// move goes to where f leads, n times, and shows it.
func (d *debugger) move(ctx context.Context, n int, f func(*debugger, int) int) error {
	for range n {
		to := f(d, d.at)
		if to == d.at {
			break
		}
		d.at = to
	}
	if s := d.stopsAt(d.at); len(s) > 0 {
		for _, x := range s {
			d.say("%s", x.describe("is reached: "))
		}
	}
	d.show(ctx)
	return nil
}

func (d *debugger) stepOn(at int) int   { return min(at+1, len(d.steps)) }
func (d *debugger) stepBack(at int) int { return max(at-1, 0) }

// over goes on to the next step that is not within a word called from here.
func (d *debugger) over(at int) int {
	if at >= len(d.steps) {
		return at
	}
	for to := at + 1; to < len(d.steps); to++ {
		if d.steps[to].depth <= d.steps[at].depth || d.breakAt(to) {
			return to
		}
	}
	return len(d.steps)
}

func (d *debugger) backOver(at int) int {
	from := uint16(0)
	if at < len(d.steps) {
		from = d.steps[at].depth
	}
	for to := at - 1; to >= 0; to-- {
		if d.steps[to].depth <= from {
			return to
		}
	}
	return 0
}

func (d *debugger) out(at int) int {
	if at >= len(d.steps) {
		return at
	}
	for to := at + 1; to < len(d.steps); to++ {
		if d.steps[to].depth < d.steps[at].depth || d.breakAt(to) {
			return to
		}
	}
	return len(d.steps)
}

func (d *debugger) forth(at int) int {
	for to := at + 1; to < len(d.steps); to++ {
		if len(d.stopsAt(to)) > 0 {
			return to
		}
	}
	return len(d.steps)
}

func (d *debugger) reverse(at int) int {
	for to := at - 1; to > 0; to-- {
		if len(d.stopsAt(to)) > 0 {
			return to
		}
	}
	return 0
}

// show prints where the debugger stands.
func (d *debugger) show(ctx context.Context) {
	if d.at >= len(d.steps) {
		d.say("step %d: the end", d.at)
		d.showResult()
		return
	}
	s := d.steps[d.at]
	src, e, ok := d.place(d.at)
	where := fmt.Sprintf("pc %d", s.pc)
	if text, _, _ := src.place(uint64(s.pc)); text != "" {
		where = text
	}
	if s.evidence {
		where += " (evidence)"
	}
	d.say("step %d, %s: %s   gas %d, costs %d", d.at, where, shortOp(d.op(d.at)), s.gas, s.cost)
	if ok {
		if x := src.excerpt(int(e.Line), int(e.Column)); x != "" {
			d.say("%s", x)
		}
	}
	top, err := d.top(ctx, d.at)
	if err != nil {
		d.say("stack: %v", err)
		return
	}
	more := ""
	if n := int(s.stack) - len(top); n > 0 {
		more = fmt.Sprintf("(%d more) ", n)
	}
	d.say("  stack, top last: %s%s", more, strings.Join(top, " "))
}

func (d *debugger) showResult() {
	switch {
	case d.result == nil:
		d.say("the run goes on; only the first %d steps are kept", len(d.steps))
	case d.result.Status == vm.OK:
		d.say("result %s, gas %d", integers(d.result.Stack), d.result.Gas)
	default:
		d.say("%s", strings.TrimRight(failure(d.p, d.result), "\n"))
	}
}
