package forth2012

import "fmt"

func searchWords() []*builtin {
	return []*builtin{
		{name: "FORTH-WORDLIST", root: true, run: func(s *System) error { return s.give(forthList) }},
		{name: "SET-ORDER", root: true, run: (*System).setOrder},
		{name: "FORTH", root: true, run: func(s *System) error {
			if len(s.order) == 0 {
				return s.fail(throwOrderEmpty, "")
			}
			s.order[0] = forthList
			return nil
		}},
		{name: "ONLY", root: true, run: func(s *System) error {
			s.order = []int{rootList}
			return nil
		}},
		{name: "GET-ORDER", run: func(s *System) error {
			for i := len(s.order) - 1; i >= 0; i-- {
				if err := s.give(int64(s.order[i])); err != nil {
					return err
				}
			}
			return s.give(int64(len(s.order)))
		}},
		{name: "GET-CURRENT", run: func(s *System) error { return s.give(int64(s.current)) }},
		{name: "SET-CURRENT", run: func(s *System) error {
			l, err := s.takeList()
			if err != nil {
				return err
			}
			s.current = l
			return nil
		}},
		{name: "WORDLIST", run: func(s *System) error {
			if len(s.lists) >= maxLists {
				return s.fail(throwDictionary, "wordlists")
			}
			s.lists = append(s.lists, &wordlist{fmt.Sprintf("wordlist %d", len(s.lists)), map[string]*word{}})
			return s.give(int64(len(s.lists) - 1))
		}},
		{name: "DEFINITIONS", run: func(s *System) error {
			if len(s.order) == 0 {
				return s.fail(throwOrderEmpty, "")
			}
			s.current = s.order[0]
			return nil
		}},
		{name: "ALSO", run: func(s *System) error {
			switch {
			case len(s.order) == 0:
				return s.fail(throwOrderEmpty, "")
			case len(s.order) >= maxOrder:
				return s.fail(throwOrderFull, "")
			}
			s.order = append([]int{s.order[0]}, s.order...)
			return nil
		}},
		{name: "PREVIOUS", run: func(s *System) error {
			if len(s.order) == 0 {
				return s.fail(throwOrderEmpty, "")
			}
			s.order = append([]int(nil), s.order[1:]...)
			return nil
		}},
		{name: "ORDER", run: func(s *System) error {
			for _, l := range s.order {
				if err := s.print(s.lists[l].name + " "); err != nil {
					return err
				}
			}
			return s.print("(definitions: " + s.lists[s.current].name + ") ")
		}},
		{name: "SEARCH-WORDLIST", run: func(s *System) error {
			l, err := s.takeList()
			if err != nil {
				return err
			}
			name, err := s.takeText()
			if err != nil {
				return err
			}
			w := s.lists[l].names[fold(name)]
			if w == nil {
				return s.give(0)
			}
			xt, err := s.tick(w)
			if err != nil {
				return err
			}
			return s.give(xt, sense(w))
		}},
	}
}

// takeList takes the number of a wordlist.
func (s *System) takeList() (int, error) {
	a, err := s.take(1)
	if err != nil {
		return 0, err
	}
	return s.list(a[0])
}

func (s *System) list(n int64) (int, error) {
	if n < 1 || n >= int64(len(s.lists)) {
		return 0, s.fail(throwNumber, "no wordlist")
	}
	return int(n), nil
}

func (s *System) setOrder() error {
	a, err := s.take(1)
	if err != nil {
		return err
	}
	switch n := a[0]; {
	case n == -1:
		s.order = []int{rootList}
		return nil
	case n < 0 || n > maxOrder:
		return s.fail(throwOrderFull, "")
	}
	ids, err := s.take(int(a[0]))
	if err != nil {
		return err
	}
	order := make([]int, len(ids))
	for i, id := range ids {
		l, err := s.list(id)
		if err != nil {
			return err
		}
		order[len(ids)-1-i] = l
	}
	s.order = order
	return nil
}
