package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/forth2012"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// compileSource compiles a whole source of any dialect.
func compileSource(src vm.Source, l *bytecode.Limits) (*vm.Compiled, error) {
	h, err := lang.ParseHeader(src, l)
	if err != nil {
		return nil, err
	}
	if h.Dialect == forth2012.Dialect {
		return forth2012.Compile(src, l)
	}
	return lang.Compile(src, l)
}

// standard is the core of the dialect forth2012. It has tests, .s, words and see itself.
type standard struct {
	s       *Session
	system  *forth2012.System
	waiting bool
	counter int64 // where the runs of a tester's own }T are counted; 0: the system's is used
	counted uint64
}

func newForth(s *Session) (core, error) {
	sys, err := forth2012.New(s.lim, vm.Session{Dialect: s.dialect, Environment: s.env, GasLimit: uint64(s.gas)})
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &standard{s: s, system: sys}, nil
}

func (f *standard) run(ctx context.Context, part, _ text) error {
	f.system.Live().SetEnvironment(f.s.env)
	out, err := f.system.Eval(ctx, vm.Input{File: part.file, Line: uint32(part.line), Text: part.s})
	if err != nil {
		return hostError{err}
	}
	f.s.left -= int64(min(out.Gas, 1<<62))
	f.s.passed, f.s.failed, f.s.bye = f.s.passed+out.Passed, f.s.failed+out.Failed, f.s.bye || out.Bye
	f.waiting = out.Open
	f.count(out.Text)
	if err := f.s.print("%s", out.Text); err != nil {
		return err
	}
	if out.Error == "" && !out.Open && testerLine.MatchString(part.s) {
		if err := f.watch(ctx, oldTesterLine.MatchString(part.s)); err != nil {
			return err
		}
	}
	if out.Error != "" {
		return errors.New(out.Error)
	}
	return nil
}

// testerLine is where a file defines its own }T: the testers of the public test suites do.
// Older ones have } for it.
var (
	testerLine    = regexp.MustCompile(`(?mi)^\s*:\s+}T\s`)
	oldTesterLine = regexp.MustCompile(`(?m)^\s*:\s+}\s`)
)

// watch counts from now on how often the }T that a file has defined is run: by another one around it.
func (f *standard) watch(ctx context.Context, old bool) error {
	text := "align here 0 , : }T 1 [ dup ] literal +! }T ; "
	if old {
		text += ": } 1 [ dup ] literal +! } ; "
	}
	before := f.system.Live().Depth()
	out, err := f.system.Eval(ctx, vm.Input{Text: text})
	if err != nil {
		return hostError{err}
	}
	f.counter, f.counted = 0, 0
	if l := f.system.Live(); out.Error == "" && l.Depth() == before+1 {
		f.counter, err = l.Pop()
		if err != nil {
			return hostError{err}
		}
	}
	return nil
}

// count adds the tests that a tester of the session's own has run. What it says of those that fail is in what it prints.
func (f *standard) count(output string) {
	if f.counter == 0 {
		return
	}
	b, err := f.system.Live().Memory(f.counter, 8)
	if err != nil {
		return
	}
	now := binary.LittleEndian.Uint64(b)
	ran := int(now - f.counted)
	failed := strings.Count(output, "INCORRECT RESULT: ") + strings.Count(output, "WRONG NUMBER OF RESULTS: ")
	f.counted = now
	f.s.failed += failed
	f.s.passed += max(ran-failed, 0)
}

func (f *standard) open() bool                { return f.waiting }
func (f *standard) stack() []string           { return f.system.Live().Stack() }
func (f *standard) clear()                    { f.system.Live().SetDepth(0) }
func (f *standard) see(string) (string, bool) { return "", false }
func (f *standard) words() []string           { return nil }
func (f *standard) names() []string           { return nil }

func (f *standard) drop(to int) error {
	f.system.Live().SetDepth(min(to, f.system.Live().Depth()))
	return nil
}

func (f *standard) push(v string) error {
	val, err := parse(v)
	if err != nil || val.bytes != nil {
		return fmt.Errorf("the value %s is no integer", display(v))
	}
	return f.system.Live().Push(val.integer)
}

// lineWords are the words of the session that the dialect forth2012 has besides, alone in their line.
var lineWords = map[string]bool{"env": true, "help": true, "cost": true, "reset": true}

// lines evaluates a text of the dialect forth2012, but for lines that begin with a word of the session.
func (s *Session) lines(ctx context.Context, t text) error {
	part, first, line := strings.Builder{}, t.line, t.line
	flush := func() error {
		p := text{t.file, first, part.String()}
		part.Reset()
		if first = line; p.s == "" {
			return nil
		}
		return s.core.run(ctx, p, t)
	}
	for l := range strings.Lines(t.s) {
		f := strings.Fields(l)
		special := len(f) > 0 && lineWords[f[0]] && (f[0] == "env" || len(f) == 1 && strings.TrimSpace(t.s) == f[0])
		if !special {
			part.WriteString(l)
			line++
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if s.core.open() { // it belongs to a definition
			part.WriteString(l)
			line++
			continue
		}
		if s.bye {
			return nil
		}
		sc := newScanner(l, line, false)
		w, _ := sc.next()
		if err := s.verbs[w.text](ctx, &reader{s: s, text: text{t.file, line, l}, sc: sc, word: w}); err != nil {
			return err
		}
		line++
		first = line
	}
	return flush()
}
