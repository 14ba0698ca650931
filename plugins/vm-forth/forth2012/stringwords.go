package forth2012

import "strings"

// stringWords are those of the string word set that are neither instructions nor helpers.
func stringWords() []*builtin {
	return []*builtin{
		{name: "UNESCAPE", run: func(s *System) error {
			a, err := s.take(3)
			if err != nil {
				return err
			}
			text, err := s.text(a[0], a[1])
			if err != nil {
				return err
			}
			text = strings.ReplaceAll(text, "%", "%%")
			if err := s.write(a[2], text); err != nil {
				return err
			}
			return s.give(a[2], int64(len(text)))
		}},
	}
}

// Bounds of what REPLACES keeps.
const (
	maxSubstitutions     = 256
	maxSubstitutionBytes = 64 << 10
)

// replaceWords are REPLACES and SUBSTITUTE.
func replaceWords() []*builtin {
	return []*builtin{
		{name: "REPLACES", run: func(s *System) error {
			a, err := s.take(4)
			if err != nil {
				return err
			}
			text, err := s.text(a[0], a[1])
			if err != nil {
				return err
			}
			name, err := s.text(a[2], a[3])
			if err != nil {
				return err
			}
			old, known := s.subst[name]
			size := s.substLen + len(text) - len(old)
			if !known {
				size += len(name)
			}
			if strings.Contains(name, "%") || size > maxSubstitutionBytes || (!known && len(s.subst) >= maxSubstitutions) {
				return s.fail(-79, show(name))
			}
			s.subst[name], s.substLen = text, size
			return nil
		}},
		{name: "SUBSTITUTE", run: func(s *System) error {
			a, err := s.take(4)
			if err != nil {
				return err
			}
			text, err := s.text(a[0], a[1])
			if err != nil {
				return err
			}
			out, n := s.substitute(text, min(max(a[3], 0), s.space+systemSpace))
			if err := s.charge(int64(len(out)) / 4); err != nil {
				return err
			}
			if int64(len(out)) > a[3] {
				out, n = out[:max(a[3], 0)], -78
			}
			if err := s.write(a[2], out); err != nil {
				return err
			}
			return s.give(a[2], int64(len(out)), int64(n))
		}},
	}
}

// substitute replaces names between % by their texts, and %% by %; n is how many names there were. It may end once the
// result is longer than a limit.
func (s *System) substitute(text string, limit int64) (out string, n int) {
	var b strings.Builder
	for text != "" && int64(b.Len()) <= limit {
		before, rest, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "%")
		replacement, known := s.subst[name]
		switch {
		case !closed:
			b.WriteString("%" + rest)
			after = ""
		case name == "":
			b.WriteByte('%')
		case known:
			b.WriteString(replacement)
			n++
		default:
			b.WriteString("%" + name + "%")
		}
		text = after
	}
	return b.String(), n
}
