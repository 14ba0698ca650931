package session

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// reader is where a word of the session finds what follows it.
type reader struct {
	s    *Session
	text text
	sc   *scanner
	word word // itself
}

// fail makes an error at the word.
func (r *reader) fail(format string, args ...any) error {
	return r.s.fail(r.text, r.word.line, r.word.col, format, args...)
}

// name reads the word that has to follow.
func (r *reader) name(what string) (word, error) {
	w, ok := r.sc.next()
	if !ok {
		return w, r.fail("%s is missing after %s", what, r.word.text)
	}
	return w, nil
}

// sameLine reads the next word if it stands in the same line.
func (r *reader) sameLine() (word, bool) {
	before := *r.sc
	w, ok := r.sc.next()
	if ok && w.line == r.word.line {
		return w, true
	}
	*r.sc = before
	return word{}, false
}

// verb is a word that the session has besides its language.
type verb func(context.Context, *reader) error

// verbs are all of them.
func verbs() map[string]verb {
	return map[string]verb{
		".s": func(_ context.Context, r *reader) error {
			if st := r.s.core.stack(); len(st) > 0 {
				return r.s.print("%s\n", displayAll(st))
			}
			return r.s.print("the stack is empty\n")
		},
		".": func(ctx context.Context, r *reader) error {
			st := r.s.core.stack()
			if len(st) == 0 {
				return r.fail("the stack is empty")
			}
			if err := r.s.print("%s\n", display(st[len(st)-1])); err != nil {
				return err
			}
			return r.s.core.drop(len(st) - 1)
		},
		`."`:        func(_ context.Context, r *reader) error { return r.s.print("%s", r.word.quoted) },
		"cr":        func(_ context.Context, r *reader) error { return r.s.print("\n") },
		"words":     words,
		"see":       see,
		"cost":      cost,
		"env":       env,
		"help":      func(_ context.Context, r *reader) error { return r.s.print("%s", Help) },
		"reset":     func(_ context.Context, r *reader) error { return r.s.restart() },
		"clear":     func(_ context.Context, r *reader) error { r.s.core.clear(); return nil },
		"bye":       func(_ context.Context, r *reader) error { r.s.bye = true; return nil },
		"T{":        openTest,
		"->":        turnTest,
		"}T":        closeTest,
		"contract":  openContract,
		"evidence{": evidence,
		"run":       runContract,
		"fails":     fails,
		"gas-used":  func(_ context.Context, r *reader) error { return r.s.core.push(strconv.FormatInt(r.s.runGas, 10)) },
	}
}

// restart is reset within an input: what the input has used stays used.
func (s *Session) restart() error {
	if err := s.reset(); err != nil {
		return hostError{err}
	}
	return nil
}

// Help is what the word help prints.
const Help = `.s                          the stack, top last
. ." text" cr               print the top and drop it; print a text; begin a line
words                       all words, own ones first
see NAME                    the instructions of a word
cost                        gas of the last input; ` + "`gas`" + ` is what is left
env                         the environment; env set height 10, env set caller 0,
                            env set participant:0 x"…", env unset height
T{ 1 2 + -> 3 }T            a test
contract NAME … end-contract   a whole contract, under a name
run NAME                    run it: evidence pushes what is on the stack (within T{: since T{);
                            its results are pushed
evidence{ … } run NAME      run it with evidence that is written out
fails StackUnderflow        what run leaves if the contract fails, for tests; fails Thrown(7)
gas-used                    gas of the last run
clear                       empty the stack; reset: forget all definitions; bye: end
`

// words lists what can be used.
func words(_ context.Context, r *reader) error {
	for _, part := range []struct {
		name string
		list []string
	}{{"own", slices.Sorted(maps.Keys(r.s.nest.names))}, {"language", r.s.core.words()}, {"session", slices.Sorted(maps.Keys(r.s.verbs))}} {
		if len(part.list) == 0 {
			continue
		}
		if err := r.s.print("%s", wrap(part.name+":", part.list)); err != nil {
			return err
		}
	}
	return nil
}

// wrap writes a list in lines.
func wrap(line string, list []string) string {
	const width = 96
	var b strings.Builder
	for _, w := range list {
		if len(line)+1+len(w) > width {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + w
	}
	return b.String() + line + "\n"
}

// see shows a word.
func see(_ context.Context, r *reader) error {
	w, err := r.name("a name")
	if err != nil {
		return err
	}
	if text, ok := r.s.core.see(w.text); ok {
		return r.s.print("%s", text)
	}
	if text, ok := r.s.seeBuiltin(w.text); ok {
		return r.s.print("%s", text)
	}
	near := lang.Nearest(w.text, append(slices.Collect(maps.Keys(r.s.nest.names)), r.s.core.words()...))
	if len(near) > 0 {
		return r.s.fail(r.text, w.line, w.col, "unknown word %q; did you mean %s?", w.text, strings.Join(near, ", "))
	}
	return r.s.fail(r.text, w.line, w.col, "unknown word %q", w.text)
}

// seeBuiltin describes a word of the language.
func (s *Session) seeBuiltin(name string) (string, bool) {
	for _, o := range bytecode.Opcodes {
		if o.Name == name && o.Operand == bytecode.NoOperand {
			return fmt.Sprintf("%s is an instruction: takes %d, leaves %d, costs %d gas and what its operands add\n", name, o.Takes, o.Leaves, o.Gas), true
		}
	}
	for _, e := range bytecode.Environment {
		if e.Name == name {
			takes := map[bytecode.EnvArgument]int{bytecode.EnvIndexed: 1, bytecode.EnvNamed: 1, bytecode.EnvOracle: 3}[e.From]
			return fmt.Sprintf("%s reads the environment: takes %d, costs %d gas\n", name, takes, bytecode.Opcodes[bytecode.OpEnv].Gas), true
		}
	}
	if _, ok := s.verbs[name]; ok {
		return fmt.Sprintf("%s is a word of the session; see help\n", name), true
	}
	return "", false
}

func cost(_ context.Context, r *reader) error {
	used := r.s.gas - r.s.left
	if used == 0 {
		used = r.s.cost
	}
	return r.s.print("%d gas\n", used)
}

// env lists, sets and removes values of the environment.
func env(_ context.Context, r *reader) error {
	verb, ok := r.sameLine()
	if !ok {
		if len(r.s.env) == 0 {
			return r.s.print("the environment is empty; env set height 10\n")
		}
		for _, n := range slices.Sorted(maps.Keys(r.s.env)) {
			if err := r.s.print("%s = %s\n", n, envText(r.s.env[n])); err != nil {
				return err
			}
		}
		return nil
	}
	usage := func() error {
		return r.s.fail(r.text, verb.line, verb.col, `env is written: env, env set NAME VALUE, env unset NAME; a value is 10, 0x00ff, x"00ff" or s" text"`)
	}
	name, ok := r.sameLine()
	if !ok || name.str {
		return usage()
	}
	switch verb.text {
	case "unset":
		if _, ok := r.s.env[name.text]; !ok {
			return r.s.fail(r.text, name.line, name.col, "the environment has no %q", name.text)
		}
		delete(r.s.env, name.text)
		return nil
	case "set":
		v, ok := r.sameLine()
		if !ok {
			return usage()
		}
		b, ok := envValue(v)
		if !ok {
			return usage()
		}
		next := maps.Clone(r.s.env)
		next[name.text] = b
		if err := (vm.Session{Environment: next}).Check(); err != nil {
			return r.s.fail(r.text, name.line, name.col, "%v", err)
		}
		r.s.env[name.text] = b
		return nil
	}
	return usage()
}

// envValue reads a value as it is written after env set.
func envValue(w word) ([]byte, bool) {
	text := w.text
	switch {
	case w.str && w.text == `s"`:
		return []byte(w.quoted), true
	case w.str:
		b, err := hex.DecodeString(w.quoted)
		return b, err == nil
	case strings.HasPrefix(text, "0x"):
		b, err := hex.DecodeString(text[2:])
		return b, err == nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return binary.BigEndian.AppendUint64(nil, uint64(n)), err == nil && n >= 0
}

// envText writes a value: eight bytes are an integer.
func envText(b []byte) string {
	if len(b) == 8 && b[0] < 0x80 {
		return strconv.FormatUint(binary.BigEndian.Uint64(b), 10)
	}
	return display(fmt.Sprintf(`x"%x"`, b))
}
