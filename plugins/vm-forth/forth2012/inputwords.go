package forth2012

import "fmt"

func inputWords() []*builtin {
	return []*builtin{
		{name: ">IN", run: func(s *System) error { return s.give(s.sys(atIn)) }},
		{name: "SOURCE", run: func(s *System) error {
			if src := s.source(); src != nil {
				return s.give(src.at, src.n)
			}
			return s.give(0, 0)
		}},
		{name: "SOURCE-ID", run: func(s *System) error {
			if src := s.source(); src != nil {
				return s.give(src.id)
			}
			return s.give(terminalID)
		}},
		{name: "REFILL", run: func(s *System) error {
			more, err := s.refill()
			if err != nil {
				return err
			}
			return s.give(flag(more))
		}},
		{name: "PARSE", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			at, text, _, err := s.parse(byte(a[0]))
			if err != nil {
				return err
			}
			return s.give(at, int64(len(text)))
		}},
		{name: "PARSE-NAME", run: func(s *System) error {
			at, text, err := s.parseNameAt()
			if err != nil {
				return err
			}
			return s.give(at, int64(len(text)))
		}},
		{name: "WORD", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.parseWord(byte(a[0]))
		}},
		{name: "(", immediate: true, run: func(s *System) error {
			for {
				_, _, found, err := s.parse(')')
				if err != nil || found {
					return err
				}
				if more, err := s.refill(); err != nil || !more {
					return err
				}
			}
		}},
		{name: `\`, immediate: true, run: (*System).skipLine},
		{name: "EVALUATE", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			return s.evaluate(a[0], a[1])
		}},
		{name: "INCLUDED", run: func(s *System) error { return s.includeText(false) }},
		{name: "REQUIRED", run: func(s *System) error { return s.includeText(true) }},
		{name: "INCLUDE", run: func(s *System) error { return s.includeName(false) }},
		{name: "REQUIRE", run: func(s *System) error { return s.includeName(true) }},
		{name: "SAVE-INPUT", run: func(s *System) error {
			src := s.source()
			in, err := s.in()
			if err != nil || src == nil {
				return err
			}
			return s.give(src.serial, int64(src.start), int64(src.line), in, 4)
		}},
		{name: "RESTORE-INPUT", run: (*System).restoreInput},
		{name: "QUIT", run: func(*System) error { return errQuit }},
		{name: "KEY", run: func(s *System) error { return s.fail(throwUnsupported, "KEY; a session has no keyboard") }},
		{name: "ACCEPT", run: func(s *System) error {
			if _, err := s.take(2); err != nil {
				return err
			}
			return s.give(0)
		}},
	}
}

func (s *System) skipLine() error {
	if src := s.source(); src != nil {
		return s.setIn(src.n)
	}
	return nil
}

// parseWord is WORD.
func (s *System) parseWord(delimiter byte) error {
	for {
		rest, in, err := s.rest()
		if err != nil {
			return err
		}
		if len(rest) == 0 || (rest[0] != delimiter && !(delimiter == ' ' && isBlank(rest[0]))) {
			break
		}
		if err := s.setIn(in + 1); err != nil {
			return err
		}
		if err := s.charge(2); err != nil {
			return err
		}
	}
	_, text, _, err := s.parse(delimiter)
	if err != nil {
		return err
	}
	if len(text) > 255 {
		return s.fail(throwStringLong, "")
	}
	at := s.sys(atWord)
	if err := s.write(at, string([]byte{byte(len(text))})+text+" "); err != nil {
		return err
	}
	return s.give(at)
}

func (s *System) includeText(once bool) error {
	name, err := s.takeText()
	if err != nil {
		return err
	}
	return s.include(name, once)
}

func (s *System) includeName(once bool) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	return s.include(name, once)
}

// restoreInput is RESTORE-INPUT: it goes to another place of the current source, if it is of that.
func (s *System) restoreInput() error {
	n, err := s.take(1)
	if err != nil {
		return err
	}
	if n[0] < 0 || n[0] > int64(s.live.Depth()) {
		return s.fail(throwUnderflow, "")
	}
	a, err := s.take(int(n[0]))
	if err != nil {
		return err
	}
	src := s.source()
	if len(a) != 4 || src == nil || src.serial != a[0] || a[1] < 0 || a[1] > int64(len(src.text)) || a[2] < 0 || a[2] > 1<<32-1 {
		return s.give(-1)
	}
	if err := s.moveTo(src, int(a[1]), uint32(a[2]), a[3]); err != nil {
		return err
	}
	return s.give(0)
}

// moveTo goes to a place of the current source.
func (s *System) moveTo(src *source, start int, line uint32, in int64) error {
	if src.id != stringID && (start != src.start || line != src.line) {
		if err := s.load(src, start, line); err != nil {
			return fmt.Errorf("going back in the input: %w", err)
		}
	}
	return s.setIn(in)
}
