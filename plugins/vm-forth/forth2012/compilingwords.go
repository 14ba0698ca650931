package forth2012

import "strings"

func compilingWords() []*builtin {
	literal := func(n int) func(*System, *definition) error {
		return func(s *System, d *definition) error { return s.compileLiteral(d, n) }
	}
	return []*builtin{
		{name: "[", immediate: true, run: func(s *System) error { return s.setState(false) }},
		{name: "]", run: func(s *System) error { return s.setState(true) }},
		{name: "STATE", run: func(s *System) error { return s.give(s.sys(atState)) }},
		structure("LITERAL", literal(1)), structure("2LITERAL", literal(2)),
		structure("SLITERAL", func(s *System, d *definition) error {
			text, err := s.takeText()
			if err != nil {
				return err
			}
			return s.compileString(d, text)
		}),
		{name: "'", run: func(s *System) error {
			w, err := s.nameOf()
			if err != nil {
				return err
			}
			xt, err := s.tick(w)
			if err != nil {
				return err
			}
			return s.give(xt)
		}},
		structure("[']", func(s *System, d *definition) error {
			w, err := s.nameOf()
			if err != nil {
				return err
			}
			xt, err := s.tick(w)
			if err != nil {
				return err
			}
			d.Integer(xt)
			return d.check(s)
		}),
		{name: "CHAR", run: func(s *System) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			return s.give(int64(n[0]))
		}},
		structure("[CHAR]", func(s *System, d *definition) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			d.Integer(int64(n[0]))
			return d.check(s)
		}),
		structure("POSTPONE", (*System).postpone),
		structure("[COMPILE]", func(s *System, d *definition) error {
			w, err := s.nameOf()
			if err != nil {
				return err
			}
			if w.builtin != nil && w.builtin.comp != nil {
				d.host(w.builtin.id*3 + 1)
				return d.check(s)
			}
			return s.compile(w)
		}),
		{name: "COMPILE,", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.compileToken(a[0])
		}},
		{name: "FIND", run: (*System).findCounted},
		quoted(`S"`, '"', (*System).compileString, func(s *System, text string) error {
			at, err := s.passing(text)
			if err != nil {
				return err
			}
			return s.give(at, int64(len(text)))
		}),
		{name: `S\"`, immediate: true, run: func(s *System) error {
			text, err := s.parseEscaped()
			if err != nil {
				return err
			}
			at, err := s.passing(text)
			if err != nil {
				return err
			}
			return s.give(at, int64(len(text)))
		}, comp: func(s *System) error {
			d, err := s.compiling()
			if err != nil {
				return err
			}
			text, err := s.parseEscaped()
			if err != nil {
				return err
			}
			return s.compileString(d, text)
		}},
		quoted(`C"`, '"', func(s *System, d *definition, text string) error {
			if len(text) > 255 {
				return s.fail(throwStringLong, "")
			}
			at, err := s.place(string([]byte{byte(len(text))}) + text)
			if err != nil {
				return err
			}
			d.Integer(at)
			return d.check(s)
		}, func(s *System, text string) error {
			if len(text) > 255 {
				return s.fail(throwStringLong, "")
			}
			at, err := s.passing(string([]byte{byte(len(text))}) + text)
			if err != nil {
				return err
			}
			return s.give(at)
		}),
	}
}

// quoted is a word that takes text up to a delimiter.
func quoted(name string, delimiter byte, comp func(*System, *definition, string) error, run func(*System, string) error) *builtin {
	return &builtin{name: name, immediate: true, run: func(s *System) error {
		_, text, _, err := s.parse(delimiter)
		if err != nil {
			return err
		}
		return run(s, text)
	}, comp: func(s *System) error {
		d, err := s.compiling()
		if err != nil {
			return err
		}
		_, text, _, err := s.parse(delimiter)
		if err != nil {
			return err
		}
		return comp(s, d, text)
	}}
}

// compileLiteral is LITERAL and 2LITERAL.
func (s *System) compileLiteral(d *definition, n int) error {
	if n == 1 {
		if b, err := s.live.PopBytes(); err == nil {
			d.Bytes(b)
			return d.check(s)
		}
	}
	a, err := s.take(n)
	if err != nil {
		return err
	}
	for _, v := range a {
		d.Integer(v)
	}
	return d.check(s)
}

// compileString puts a string into the data space, and its address and length into the definition.
func (s *System) compileString(d *definition, text string) error {
	at, err := s.place(text)
	if err != nil {
		return err
	}
	d.Integer(at)
	d.Integer(int64(len(text)))
	return d.check(s)
}

// compileToken is COMPILE,.
func (s *System) compileToken(xt int64) error {
	d, err := s.compiling()
	if err != nil {
		return err
	}
	if w := s.byXT[xt]; w != nil && w.builtin != nil {
		return s.compile(w)
	}
	if xt < 0 || xt >= int64(s.live.Words()) {
		return s.fail(throwUndefined, "no execution token")
	}
	d.Word(int(xt))
	return d.check(s)
}

// postpone appends the compilation semantics of a word to the definition.
func (s *System) postpone(d *definition) error {
	w, err := s.nameOf()
	if err != nil {
		return err
	}
	switch {
	case w.builtin != nil && w.builtin.comp != nil:
		d.host(w.builtin.id*3 + 1)
		return d.check(s)
	case w.immediate:
		return s.compile(w)
	}
	xt, err := s.token(w)
	if err != nil {
		return err
	}
	d.Integer(int64(xt))
	d.host(s.named["COMPILE,"].id * 3)
	return d.check(s)
}

// findCounted is FIND.
func (s *System) findCounted() error {
	a, err := s.take(1)
	if err != nil {
		return err
	}
	n, err := s.text(a[0], 1)
	if err != nil {
		return err
	}
	name, err := s.text(a[0]+1, int64(n[0]))
	if err != nil {
		return err
	}
	w := s.find(name)
	if w == nil {
		return s.give(a[0], 0)
	}
	xt, err := s.tick(w)
	if err != nil {
		return err
	}
	return s.give(xt, sense(w))
}

// sense is 1 for an immediate word, and -1 for others.
func sense(w *word) int64 {
	if w.immediate {
		return 1
	}
	return -1
}

// parseEscaped takes text with escapes of S\" up to its quote.
func (s *System) parseEscaped() (string, error) {
	rest, in, err := s.rest()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	i := 0
	for i < len(rest) && rest[i] != '"' {
		c := rest[i]
		i++
		if c != '\\' || i == len(rest) {
			b.WriteByte(c)
			continue
		}
		c = rest[i]
		i++
		if c == 'x' {
			hi, ok1 := hexDigit(rest, i)
			lo, ok2 := hexDigit(rest, i+1)
			if !ok1 || !ok2 {
				return "", s.fail(throwNumber, `\x needs two hexadecimal digits`)
			}
			b.WriteByte(hi<<4 | lo)
			i += 2
			continue
		}
		text, ok := escapes(c)
		if !ok {
			return "", s.fail(throwNumber, "unknown escape "+show(`\`+string(rune(c))))
		}
		b.WriteString(text)
	}
	if i < len(rest) {
		i++
	}
	if err := s.charge(int64(i)/4 + 1); err != nil {
		return "", err
	}
	return b.String(), s.setIn(in + int64(i))
}

func hexDigit(text []byte, i int) (byte, bool) {
	if i >= len(text) {
		return 0, false
	}
	v, ok := digit(text[i], 16)
	return byte(v), ok
}

// escapes are the characters after a backslash in S\", besides x.
func escapes(c byte) (string, bool) {
	switch c {
	case 'a':
		return "\a", true
	case 'b':
		return "\b", true
	case 'e':
		return "\x1b", true
	case 'f':
		return "\f", true
	case 'l', 'n':
		return "\n", true
	case 'm':
		return "\r\n", true
	case 'q', '"':
		return `"`, true
	case 'r':
		return "\r", true
	case 't':
		return "\t", true
	case 'v':
		return "\v", true
	case 'z':
		return "\x00", true
	case '\\':
		return `\`, true
	}
	return "", false
}
