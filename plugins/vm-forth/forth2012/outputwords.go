package forth2012

import (
	"fmt"
	"strings"
)

func outputWords() []*builtin {
	// number is a word that prints a number of n cells, with a width on top if it has one.
	number := func(name string, n int, signed, width bool) *builtin {
		return &builtin{name: name, run: func(s *System) error {
			take, to := n, int64(-1)
			if width {
				take++
			}
			a, err := s.take(take)
			if err != nil {
				return err
			}
			if width {
				to = a[n]
			}
			hi := int64(0)
			if n == 2 {
				hi = a[1]
			} else if signed && a[0] < 0 {
				hi = -1
			}
			text, err := s.format(a[0], hi, signed)
			if err != nil {
				return err
			}
			if !width {
				return s.print(text + " ")
			}
			if err := s.spaces(to - int64(len(text))); err != nil {
				return err
			}
			return s.print(text)
		}}
	}
	return []*builtin{
		number(".", 1, true, false), number("U.", 1, false, false), number(".R", 1, true, true), number("U.R", 1, false, true),
		number("D.", 2, true, false), number("D.R", 2, true, true), number("UD.", 2, false, false),
		{name: "EMIT", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.print(string([]byte{byte(a[0])}))
		}},
		{name: "TYPE", run: func(s *System) error {
			text, err := s.takeText()
			if err != nil {
				return err
			}
			return s.print(text)
		}},
		{name: "CR", run: func(s *System) error { return s.print("\n") }},
		{name: "SPACE", run: func(s *System) error { return s.print(" ") }},
		{name: "SPACES", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.spaces(a[0])
		}},
		quoted(`."`, '"', func(s *System, d *definition, text string) error {
			if err := s.compileString(d, text); err != nil {
				return err
			}
			d.host(s.named["TYPE"].id * 3)
			return d.check(s)
		}, (*System).print),
		{name: ".(", immediate: true, run: func(s *System) error {
			_, text, _, err := s.parse(')')
			if err != nil {
				return err
			}
			return s.print(text)
		}},
		{name: "?", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			v, err := s.fetch(a[0])
			if err != nil {
				return err
			}
			text, err := s.format(v, v>>63, true)
			if err != nil {
				return err
			}
			return s.print(text + " ")
		}},
		{name: ".S", run: func(s *System) error {
			values := s.live.Values()
			b := fmt.Sprintf("<%d> ", len(values))
			if err := s.print(b); err != nil {
				return err
			}
			for _, v := range values {
				text := fmt.Sprintf(`x"%x"`, v.Bytes)
				if !v.IsBytes {
					t, err := s.format(v.Int, v.Int>>63, true)
					if err != nil {
						return err
					}
					text = t
				}
				if err := s.print(text + " "); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "DUMP", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			return s.dump(a[0], a[1])
		}},
	}
}

func (s *System) spaces(n int64) error {
	if n > MaxOutput {
		return errOutput
	}
	if n <= 0 {
		return nil
	}
	return s.print(strings.Repeat(" ", int(n)))
}

// dump prints bytes of the data space, 16 a line.
func (s *System) dump(at, n int64) error {
	text, err := s.text(at, n)
	if err != nil {
		return err
	}
	for i := 0; i < len(text); i += 16 {
		line := text[i:min(i+16, len(text))]
		shown := []byte(line)
		for j, c := range shown {
			if c < ' ' || c > '~' {
				shown[j] = '.'
			}
		}
		if err := s.print(fmt.Sprintf("%8x: %-47s %s\n", at+int64(i), fmt.Sprintf("% x", line), shown)); err != nil {
			return err
		}
	}
	return nil
}
