package forth2012

import (
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
)

// test is a test of the form T{ … -> … }T that is going on. A file that defines these words itself has its own.
type test struct {
	open   bool
	base   int // values below
	actual []engine.Value
	under  int // values that were taken from below
}

func testWords() []*builtin {
	return []*builtin{
		{name: "T{", run: func(s *System) error {
			s.test = test{open: true, base: s.live.Depth()}
			return nil
		}},
		{name: "->", run: func(s *System) error {
			if !s.test.open {
				return s.fail(throwControl, "-> without T{")
			}
			var err error
			s.test.actual, s.test.under, err = s.results()
			return err
		}},
		{name: "}T", run: (*System).judge},
		{name: "TESTING", run: (*System).skipLine},
	}
}

// results takes off the values above those that were there when the test began.
func (s *System) results() ([]engine.Value, int, error) {
	values := s.live.Values()
	if err := s.charge(4 * int64(len(values))); err != nil {
		return nil, 0, err
	}
	under := max(0, s.test.base-len(values))
	if under > 0 {
		for range under {
			if err := s.give(0); err != nil {
				return nil, 0, err
			}
		}
		return nil, under, nil
	}
	s.live.SetDepth(s.test.base)
	return values[s.test.base:], 0, nil
}

// judge is }T.
func (s *System) judge() error {
	t := s.test
	if !t.open {
		return s.fail(throwControl, "}T without T{")
	}
	want, under, err := s.results()
	if err != nil {
		return err
	}
	s.test = test{}
	what := ""
	switch {
	case len(want) != len(t.actual) || under != t.under:
		what = "wrong number of results"
	case !equal(want, t.actual):
		what = "incorrect result"
	default:
		s.passed++
		return nil
	}
	s.failed++
	return s.print(fmt.Sprintf("%s: %s: %s, expected %s\n", s.position(), what, list(t.actual, t.under), list(want, under)))
}

func equal(a, b []engine.Value) bool {
	for i := range a {
		if a[i].IsBytes != b[i].IsBytes || a[i].Int != b[i].Int || string(a[i].Bytes) != string(b[i].Bytes) {
			return false
		}
	}
	return true
}

// list writes values for people.
func list(values []engine.Value, under int) string {
	var out []string
	if under > 0 {
		out = append(out, fmt.Sprintf("%d taken from below", under))
	}
	for i, v := range values {
		if i == 20 {
			out = append(out, "…")
			break
		}
		if v.IsBytes {
			out = append(out, fmt.Sprintf(`x"%x"`, v.Bytes))
			continue
		}
		out = append(out, fmt.Sprint(v.Int))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, " ")
}
