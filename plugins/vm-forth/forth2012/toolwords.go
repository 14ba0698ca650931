package forth2012

import "sort"

// conditionWords are [IF] and its like.
func conditionWords() []*builtin {
	defined := func(name string, want bool) *builtin {
		return &builtin{name: name, immediate: true, run: func(s *System) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			return s.give(flag((s.find(n) != nil) == want))
		}}
	}
	return []*builtin{
		{name: "[IF]", immediate: true, run: func(s *System) error {
			a, err := s.take(1)
			if err != nil || a[0] != 0 {
				return err
			}
			return s.skipTo(true)
		}},
		{name: "[ELSE]", immediate: true, run: func(s *System) error { return s.skipTo(false) }},
		{name: "[THEN]", immediate: true, run: func(*System) error { return nil }},
		defined("[DEFINED]", true), defined("[UNDEFINED]", false),
	}
}

// skipTo skips text to the [THEN] of this level, or to its [ELSE].
func (s *System) skipTo(orElse bool) error {
	level := 1
	for {
		name, err := s.nextName()
		if err != nil || name == "" {
			return err
		}
		switch fold(name) {
		case "[IF]":
			level++
		case "[ELSE]":
			if level == 1 && orElse {
				return nil
			}
		case "[THEN]":
			if level--; level == 0 {
				return nil
			}
		}
	}
}

func toolWords() []*builtin {
	return []*builtin{
		{name: "BYE", run: func(*System) error { return errBye }},
		{name: "WORDS", run: (*System).listWords},
		{name: "SEE", run: func(s *System) error {
			w, err := s.nameOf()
			if err != nil {
				return err
			}
			text, err := s.describe(w)
			if err != nil {
				return err
			}
			return s.print(text)
		}},
		{name: "ENVIRONMENT?", run: func(s *System) error {
			name, err := s.takeText()
			if err != nil {
				return err
			}
			values, ok := s.query(name)
			if !ok {
				return s.give(0)
			}
			return s.give(append(values, -1)...)
		}},
		{name: "TRAVERSE-WORDLIST", run: (*System).traverse},
		{name: "NAME>STRING", run: func(s *System) error {
			w, err := s.nameToken()
			if err != nil {
				return err
			}
			at, err := s.passing(w.name)
			if err != nil {
				return err
			}
			return s.give(at, int64(len(w.name)))
		}},
		{name: "NAME>INTERPRET", run: func(s *System) error {
			w, err := s.nameToken()
			if err != nil {
				return err
			}
			if b := w.builtin; b != nil && b.run == nil && b.comp != nil {
				return s.give(0)
			}
			xt, err := s.tick(w)
			if err != nil {
				return err
			}
			return s.give(xt)
		}},
		{name: "NAME>COMPILE", run: func(s *System) error {
			w, err := s.nameToken()
			if err != nil {
				return err
			}
			xt, err := s.tick(w)
			if err != nil {
				return err
			}
			how := "COMPILE,"
			if w.immediate {
				how = "EXECUTE"
			}
			do, err := s.tick(s.named[how].word())
			if err != nil {
				return err
			}
			return s.give(xt, do)
		}},
	}
}

// nameToken takes a name token: the place of a word in the dictionary, and 1.
func (s *System) nameToken() (*word, error) {
	a, err := s.take(1)
	if err != nil {
		return nil, err
	}
	if a[0] < 1 || a[0] > int64(len(s.words)) {
		return nil, s.fail(throwNumber, "no name token")
	}
	return s.words[a[0]-1], nil
}

// traverse is TRAVERSE-WORDLIST: the latest word first.
func (s *System) traverse() error {
	l, err := s.takeList()
	if err != nil {
		return err
	}
	a, err := s.take(1)
	if err != nil {
		return err
	}
	if s.deep >= maxNesting {
		return s.fail(throwReturnFull, "")
	}
	s.deep++
	defer func() { s.deep-- }()
	for i := len(s.words) - 1; i >= 0; i-- {
		if i >= len(s.words) || s.words[i].list != l {
			continue
		}
		if err := s.charge(2); err != nil {
			return err
		}
		if err := s.give(int64(i) + 1); err != nil {
			return err
		}
		if err := s.live.Execute(int(a[0])); err != nil {
			return err
		}
		v, err := s.take(1)
		if err != nil {
			return err
		}
		if v[0] == 0 {
			return nil
		}
	}
	return nil
}

// listWords is WORDS: those of the wordlist that is searched first, the latest first.
func (s *System) listWords() error {
	if len(s.order) == 0 {
		return nil
	}
	var list []*word
	for _, w := range s.lists[s.order[0]].names {
		list = append(list, w)
	}
	if err := s.charge(20 * int64(len(list))); err != nil {
		return err
	}
	sort.Slice(list, func(i, j int) bool { return list[i].seq > list[j].seq })
	for _, w := range list {
		if err := s.print(w.name + " "); err != nil {
			return err
		}
	}
	return nil
}

// query answers ENVIRONMENT?.
func (s *System) query(name string) ([]int64, bool) {
	const maxN = 1<<63 - 1
	switch name {
	case "/COUNTED-STRING", "MAX-CHAR":
		return []int64{255}, true
	case "/HOLD":
		return []int64{pictureEnd - atPicture}, true
	case "/PAD":
		return []int64{padBytes}, true
	case "ADDRESS-UNIT-BITS":
		return []int64{8}, true
	case "FLOORED":
		return []int64{0}, true
	case "MAX-D":
		return []int64{-1, maxN}, true
	case "MAX-N":
		return []int64{maxN}, true
	case "MAX-U":
		return []int64{-1}, true
	case "MAX-UD":
		return []int64{-1, -1}, true
	case "RETURN-STACK-CELLS":
		return []int64{sessionReturn}, true
	case "STACK-CELLS":
		return []int64{sessionStack}, true
	case "#LOCALS":
		return []int64{maxLocals}, true
	case "WORDLISTS":
		return []int64{maxOrder}, true
	case "/SUBSTITUTE":
		return []int64{maxSubstitutionBytes}, true
	case "CORE", "CORE-EXT", "DOUBLE", "DOUBLE-EXT", "EXCEPTION", "EXCEPTION-EXT", "STRING", "STRING-EXT", "LOCALS", "LOCALS-EXT", "SEARCH-ORDER",
		"SEARCH-ORDER-EXT":
		return []int64{-1}, true
	case "BLOCK", "FILE", "FLOATING", "MEMORY-ALLOC", "FACILITY":
		return []int64{0}, true
	}
	return nil, false
}
