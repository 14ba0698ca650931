package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
)

// test is a test that is open: T{ what is computed -> what is expected }T.
type test struct {
	at     word
	text   text
	depth  int      // of the stack at T{
	actual []string // what was computed, once -> was there
	turned bool
}

func openTest(_ context.Context, r *reader) error {
	if r.s.test != nil {
		return r.fail("T{ within a test; the }T of line %d is missing", r.s.test.at.line)
	}
	r.s.test = &test{at: r.word, text: r.text, depth: len(r.s.core.stack())}
	return nil
}

// since returns what is on the stack above where the test began.
func (r *reader) since(t *test) ([]string, error) {
	st := r.s.core.stack()
	if len(st) < t.depth {
		return nil, r.fail("the test took %d values that were on the stack before it", t.depth-len(st))
	}
	return st[t.depth:], nil
}

func turnTest(_ context.Context, r *reader) error {
	t := r.s.test
	if t == nil || t.turned {
		return r.fail("-> without T{")
	}
	got, err := r.since(t)
	if err != nil {
		return err
	}
	t.actual, t.turned = got, true
	return r.s.core.drop(t.depth)
}

func closeTest(_ context.Context, r *reader) error {
	t := r.s.test
	if t == nil || !t.turned {
		return r.fail("}T without T{ and ->")
	}
	want, err := r.since(t)
	if err != nil {
		return err
	}
	r.s.test = nil
	if err := r.s.core.drop(t.depth); err != nil {
		return err
	}
	if equalAll(t.actual, want) {
		r.s.passed++
		return nil
	}
	r.s.failed++
	why := r.s.fail(t.text, t.at.line, t.at.col, "expected %s, got %s", resultText(want), resultText(t.actual))
	return r.s.print("%s\n", r.s.errorText(why))
}

func equalAll(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] && !equalFailure(got[i], want[i]) {
			return false
		}
	}
	return true
}

// failed is what a contract that fails leaves in a session: bytes that say how.
const failedPrefix = "contract fails "

// failedValue writes such bytes as a value.
func failedValue(how string) string { return fmt.Sprintf(`x"%x"`, failedPrefix+how) }

// failedHow tells what such a value says.
func failedHow(v string) (string, bool) {
	h, ok := strings.CutPrefix(v, `x"`)
	if !ok {
		return "", false
	}
	b, err := hex.DecodeString(strings.TrimSuffix(h, `"`))
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(b), failedPrefix)
}

// equalFailure lets fails Thrown stand for any number that is thrown.
func equalFailure(got, want string) bool {
	g, a := failedHow(got)
	w, b := failedHow(want)
	return a && b && strings.HasPrefix(g, w+"(")
}

// resultText writes what a test left, for people.
func resultText(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	out := make([]string, len(list))
	for i, v := range list {
		if how, ok := failedHow(v); ok {
			out[i] = "fails " + how
		} else {
			out[i] = display(v)
		}
	}
	return strings.Join(out, " ")
}
