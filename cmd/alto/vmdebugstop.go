package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// stop is a break or a watch.
type stop struct {
	id    int
	text  string
	watch bool
	at    func(d *debugger, step int) bool
}

func (s stop) describe(verb string) string {
	what := "break"
	if s.watch {
		what = "watch"
	}
	return fmt.Sprintf("%s %d %s%s", what, s.id, verb, s.text)
}

// stopsAt are the breaks and watches that hold at a step.
func (d *debugger) stopsAt(step int) []stop {
	if step >= len(d.steps) {
		return nil
	}
	var out []stop
	for _, s := range d.stops {
		if s.at(d, step) {
			out = append(out, s)
		}
	}
	return out
}

// breakAt tells whether a break is at a step; over and out end there.
func (d *debugger) breakAt(step int) bool {
	for _, s := range d.stopsAt(step) {
		if !s.watch {
			return true
		}
	}
	return false
}

func (d *debugger) add(text string, watch bool, at func(*debugger, int) bool) {
	d.lastID++
	s := stop{d.lastID, text, watch, at}
	d.stops = append(d.stops, s)
	hits := 0
	for i := range d.steps {
		if at(d, i) {
			hits++
		}
	}
	note := ""
	if hits == 0 {
		note = ", which this run never reaches"
	}
	d.say("%s%s", s.describe("is set: "), note)
}

func (d *debugger) list() error {
	if len(d.stops) == 0 {
		d.say("no breaks and no watches")
	}
	for _, s := range d.stops {
		d.say("%s", s.describe(""))
	}
	return nil
}

// addBreak sets a break: a line of the contract, or FILE:LINE, or a word, or pc N.
func (d *debugger) addBreak(_ context.Context, args []string) error {
	switch {
	case len(args) == 0:
		return d.list()
	case len(args) == 2 && args[0] == "pc":
		n, err := strconv.ParseUint(args[1], 10, 32)
		if err != nil {
			return fmt.Errorf("pc %q: a number is wanted", args[1])
		}
		d.add("pc "+args[1], false, func(d *debugger, at int) bool { return !d.steps[at].evidence && uint64(d.steps[at].pc) == n })
		return nil
	}
	src, text := d.p.code, strings.Join(args, " ")
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		for _, p := range []*vmProgram{d.p.code, d.p.evidence} {
			if p != nil && strings.HasSuffix(p.path, text[:i]) {
				src, text = p, text[i+1:]
				break
			}
		}
	}
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return d.breakLine(src, uint32(n))
	}
	return d.breakWord(text)
}

func (d *debugger) breakLine(src *vmProgram, n uint32) error {
	lines := map[uint32]bool{}
	for _, e := range src.at {
		lines[e.Line] = true
	}
	if !lines[n] {
		if len(lines) == 0 {
			return fmt.Errorf("no lines of %s are known; use pc N", src.path)
		}
		return fmt.Errorf("line %d of %s has no instructions%s", n, src.path, nextLine(lines, n))
	}
	d.add(fmt.Sprintf("%s:%d", src.path, n), false, func(d *debugger, at int) bool {
		here := func(i int) bool {
			s, e, ok := d.place(i)
			return ok && s == src && e.Line == n
		}
		if !here(at) {
			return false
		}
		if at == 0 || !here(at-1) { // the line is reached anew: from elsewhere, or by a jump back
			return true
		}
		return d.steps[at].pc <= d.steps[at-1].pc
	})
	return nil
}

func nextLine(lines map[uint32]bool, n uint32) string {
	var after []int
	for l := range lines {
		if l > n {
			after = append(after, int(l))
		}
	}
	if len(after) == 0 {
		return ""
	}
	sort.Ints(after)
	return fmt.Sprintf("; the next that has some is %d", after[0])
}

func (d *debugger) breakWord(name string) error {
	var names []string
	known := false
	for _, p := range []*vmProgram{d.p.code, d.p.evidence} {
		if p == nil {
			continue
		}
		for _, e := range p.at {
			if known = known || e.Word == name; e.Word != "" {
				names = append(names, e.Word)
			}
		}
	}
	if !known {
		return fmt.Errorf("no word %q is defined%s", name, didYouMean(name, names))
	}
	d.add(name, false, func(d *debugger, at int) bool {
		_, e, ok := d.place(at)
		if !ok || e.Word != name {
			return false
		}
		return at == 0 || d.steps[at-1].depth < d.steps[at].depth
	})
	return nil
}

// addWatch sets a watch: gas, depth (of the stack), calls, or top, compared with a value; or slot N.
func (d *debugger) addWatch(_ context.Context, args []string) error {
	if len(args) == 0 {
		return d.list()
	}
	if len(args) == 2 && args[0] == "slot" {
		if _, err := strconv.ParseUint(args[1], 10, 32); err != nil {
			return fmt.Errorf("slot %q: a number is wanted", args[1])
		}
		op := "slot! " + args[1]
		d.add("slot "+args[1]+" is written", true, func(d *debugger, at int) bool { return at > 0 && d.op(at-1) == op })
		return nil
	}
	usage := errors.New("watch is written: watch gas|depth|calls|top OP VALUE, where OP is one of < <= = <> >= >; or watch slot N")
	if len(args) != 3 {
		return usage
	}
	value, integer := valueKey(args[2])
	holds, ok := comparison(args[1])
	var of func(record) (uint64, bool)
	switch args[0] {
	case "gas":
		of = func(r record) (uint64, bool) { return r.gas, true }
	case "depth":
		of = func(r record) (uint64, bool) { return uint64(r.stack), true }
	case "calls":
		of = func(r record) (uint64, bool) { return uint64(r.depth), true }
	case "top":
		of = func(r record) (uint64, bool) { return r.top, r.isInteger && r.stack > 0 }
	}
	if !ok || of == nil {
		return usage
	}
	if !integer {
		if args[0] != "top" || (args[1] != "=" && args[1] != "==") {
			return errors.New("bytes can only be watched for as top = x\"…\"")
		}
		want := value
		d.add(strings.Join(args, " "), true, func(d *debugger, at int) bool {
			same := func(i int) bool { r := d.steps[i]; return r.stack > 0 && !r.isInteger && r.top == want }
			return same(at) && (at == 0 || !same(at-1))
		})
		return nil
	}
	d.add(strings.Join(args, " "), true, func(d *debugger, at int) bool {
		is := func(i int) bool { v, ok := of(d.steps[i]); return ok && holds(cmp.Compare(int64(v), int64(value))) }
		return is(at) && (at == 0 || !is(at-1)) // when it begins to be so
	})
	return nil
}

func comparison(op string) (func(int) bool, bool) {
	f, ok := map[string]func(int) bool{
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 }, "=": func(c int) bool { return c == 0 },
		"==": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 }, "!=": func(c int) bool { return c != 0 },
		">=": func(c int) bool { return c >= 0 }, ">": func(c int) bool { return c > 0 },
	}[op]
	return f, ok
}

func (d *debugger) remove(_ context.Context, args []string) error {
	if len(args) == 0 {
		d.stops = nil
		d.say("all breaks and watches are removed")
		return nil
	}
	for i, s := range d.stops {
		if strconv.Itoa(s.id) == args[0] {
			d.stops = append(d.stops[:i:i], d.stops[i+1:]...)
			d.say("removed: %s", s.describe(""))
			return nil
		}
	}
	return fmt.Errorf("there is no break or watch %q; break lists them", args[0])
}

// where lists the source around, and the words that are being run, the innermost first.
func (d *debugger) where(context.Context, []string) error {
	if d.at >= len(d.steps) {
		d.showResult()
		return nil
	}
	src, e, ok := d.place(d.at)
	if !ok {
		return fmt.Errorf("the place in the source is not known; pc is %d", d.steps[d.at].pc)
	}
	const around = 5
	for n := max(int(e.Line)-around, 1); n <= int(e.Line)+around; n++ {
		text, ok := src.line(n)
		if !ok {
			break
		}
		mark := "  "
		if n == int(e.Line) {
			mark = "=>"
		}
		d.say("%s %4d | %s", mark, n, printable(text))
	}
	for at, depth := d.at, d.steps[d.at].depth; ; depth-- {
		text, _, _ := d.p.program(d.steps[at].evidence).place(uint64(d.steps[at].pc))
		if text == "" {
			text = fmt.Sprintf("pc %d", d.steps[at].pc)
		}
		d.say("  %d: %s", depth, text)
		if depth == 0 {
			return nil
		}
		for at--; at > 0 && d.steps[at].depth >= depth; at-- {
		}
		at = max(at, 0)
	}
}

func (d *debugger) printStack(ctx context.Context, _ []string) error {
	if d.at >= len(d.steps) {
		d.showResult()
		return nil
	}
	stack, err := d.whole(ctx, d.at)
	if err != nil {
		return err
	}
	if len(stack) == 0 {
		d.say("the stack is empty")
	}
	for i, v := range stack {
		d.say("%4d  %s", len(stack)-1-i, printable(v))
	}
	return nil
}

func (d *debugger) printValue(_ context.Context, args []string) error {
	env := d.p.run.Environment
	if len(args) != 1 {
		return errors.New("print takes env, gas, result, or the name of a value of the environment")
	}
	switch args[0] {
	case "env":
		if len(env) == 0 {
			d.say("the environment is empty; --env NAME=VALUE sets it")
		}
		for _, n := range sortedKeys(env) {
			d.say("%s = %s", n, envText(env[n]))
		}
	case "gas":
		if d.at < len(d.steps) {
			d.say("gas %d of %d is left", d.steps[d.at].gas, d.p.run.GasLimit)
			return nil
		}
		d.showResult()
	case "result":
		d.showResult()
	default:
		v, ok := env[args[0]]
		if !ok {
			return fmt.Errorf("the environment has no %q%s", args[0], didYouMean(args[0], sortedKeys(env)))
		}
		d.say("%s = %s", args[0], envText(v))
	}
	return nil
}

func sortedKeys(env map[string][]byte) []string {
	var out []string
	for n := range env {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// envText writes a value of an environment: eight bytes are an integer.
func envText(b []byte) string {
	if len(b) == 8 {
		var n uint64
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
		if n < 1<<63 {
			return strconv.FormatUint(n, 10)
		}
	}
	return fmt.Sprintf("0x%x", b)
}

func (d *debugger) jump(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("goto takes a step's number, start or end")
	}
	switch args[0] {
	case "start":
		d.at = 0
	case "end":
		d.at = len(d.steps)
	default:
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 0 || n > len(d.steps) {
			return fmt.Errorf("step %q: there are 0 to %d", args[0], len(d.steps))
		}
		d.at = n
	}
	d.show(ctx)
	return nil
}

func (d *debugger) help(context.Context, []string) error {
	for _, v := range debugVerbs() {
		d.say("  %-28s %s", strings.TrimSpace(strings.Join(v.names, "|")+" "+v.args), v.help)
	}
	return nil
}
