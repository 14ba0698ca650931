package forth2012

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// marker is what a word of MARKER goes back to.
type marker struct {
	seq     int
	dp      int64
	order   []int
	current int
}

func definingWords() []*builtin {
	return []*builtin{
		{name: ":", run: func(s *System) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			return s.start(n)
		}},
		{name: ":NONAME", run: func(s *System) error {
			if err := s.start(""); err != nil {
				return err
			}
			xt, err := s.reserve("")
			if err != nil {
				return err
			}
			s.def.xt, s.def.first, s.ticked[xt] = xt, xt, true
			return s.give(int64(xt))
		}},
		structure(";", (*System).semicolon),
		structure("DOES>", (*System).does),
		{name: "(does)", internal: true, run: (*System).attach},
		{name: "IMMEDIATE", run: func(s *System) error {
			if s.latest == nil || s.latest.dead {
				return s.fail(throwNoName, "there is no definition")
			}
			s.latest.immediate = true
			return nil
		}},
		{name: "CREATE", run: func(s *System) error { return s.defineData(kindCreate, 0) }},
		{name: "VARIABLE", run: func(s *System) error { return s.defineData(kindOther, 8) }},
		{name: "2VARIABLE", run: func(s *System) error { return s.defineData(kindOther, 16) }},
		{name: "BUFFER:", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			if a[0] < 0 {
				return s.fail(throwDictionary, "")
			}
			return s.defineData(kindOther, a[0])
		}},
		{name: "CONSTANT", run: func(s *System) error { return s.defineConstant(1) }},
		{name: "2CONSTANT", run: func(s *System) error { return s.defineConstant(2) }},
		{name: "VALUE", run: func(s *System) error { return s.defineValue(kindValue, 1, bytecode.OpFetch) }},
		{name: "2VALUE", run: func(s *System) error {
			return s.defineValue(kind2Value, 2, bytecode.OpDup, bytecode.OpSmall+8, bytecode.OpAddWrap, bytecode.OpFetch, bytecode.OpSwap, bytecode.OpFetch)
		}},
		{name: "DEFER", run: func(s *System) error {
			xt, err := s.token(s.named["(undeferred)"].word())
			if err != nil {
				return err
			}
			if err := s.give(int64(xt)); err != nil {
				return err
			}
			return s.defineValue(kindDefer, 1, bytecode.OpFetch, bytecode.OpExecute)
		}},
		{name: "(undeferred)", internal: true, code: append(constant(throwUndefined), byte(bytecode.OpThrow))},
		{name: "TO", immediate: true, run: func(s *System) error { return s.assign(false, "TO") }, comp: func(s *System) error { return s.assign(true, "TO") }},
		{name: "IS", immediate: true, run: func(s *System) error { return s.assign(false, "IS") }, comp: func(s *System) error { return s.assign(true, "IS") }},
		{name: "ACTION-OF", immediate: true, run: func(s *System) error { return s.action(false) }, comp: func(s *System) error { return s.action(true) }},
		{name: "DEFER!", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			w, err := s.deferred(a[1])
			if err != nil {
				return err
			}
			return s.store(w.addr, a[0])
		}},
		{name: "DEFER@", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			w, err := s.deferred(a[0])
			if err != nil {
				return err
			}
			v, err := s.fetch(w.addr)
			if err != nil {
				return err
			}
			return s.give(v)
		}},
		{name: ">BODY", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			if w := s.byXT[a[0]]; w != nil && w.kind == kindCreate {
				return s.give(w.addr)
			}
			return s.fail(throwNoBody, "")
		}},
		{name: "SYNONYM", run: func(s *System) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			w, err := s.nameOf()
			if err != nil {
				return err
			}
			c := *w
			c.name, c.list = n, s.current
			s.link(&c)
			s.latest = &c
			return s.charge(20)
		}},
		{name: "MARKER", run: func(s *System) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			m := marker{len(s.words), s.dp, append([]int(nil), s.order...), s.current}
			code := append(constant(int64(len(s.markers))), hostCode(s.named["(marker)"].id*3)...)
			s.markers = append(s.markers, m)
			_, err = s.create(n, kindOther, 0, code)
			return err
		}},
		{name: "(marker)", internal: true, run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			if a[0] < 0 || a[0] >= int64(len(s.markers)) || s.markers[a[0]].seq > len(s.words) {
				return s.fail(-15, "")
			}
			m := s.markers[a[0]]
			if err := s.charge(int64(len(s.words) - m.seq)); err != nil {
				return err
			}
			s.prune(m.seq)
			s.dp, s.order, s.current, s.latest = m.dp, append([]int(nil), m.order...), m.current, nil
			return nil
		}},
		{name: "BEGIN-STRUCTURE", run: func(s *System) error {
			n, err := s.name()
			if err != nil {
				return err
			}
			w, err := s.create(n, kindStructure, 0, constant(0))
			if err != nil {
				return err
			}
			return s.give(int64(w.xt), 0)
		}},
		{name: "END-STRUCTURE", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			w := s.byXT[a[0]]
			if w == nil || w.kind != kindStructure {
				return s.fail(throwControl, "END-STRUCTURE without BEGIN-STRUCTURE")
			}
			return s.redefine(w.xt, constant(a[1]), nil)
		}},
		{name: "+FIELD", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			return s.field(a[0], a[1], 1)
		}},
		{name: "FIELD:", run: func(s *System) error { return s.fieldOf(8, 8) }},
		{name: "2FIELD:", run: func(s *System) error { return s.fieldOf(16, 8) }},
		{name: "CFIELD:", run: func(s *System) error { return s.fieldOf(1, 1) }},
	}
}

// semicolon is ;.
func (s *System) semicolon(d *definition) error {
	if err := s.finish(d); err != nil {
		return err
	}
	s.def = nil
	if d.name != "" {
		w := &word{name: d.name, xt: d.first, list: s.current}
		s.link(w)
		s.byXT[int64(d.first)] = w
		s.latest = w
	}
	return s.setState(false)
}

// does is DOES>: what follows is a word of its own, and the first part ends with giving it to the latest word.
func (s *System) does(d *definition) error {
	xt, err := s.reserve(d.name)
	if err != nil {
		return err
	}
	d.Integer(int64(xt))
	d.host(s.named["(does)"].id * 3)
	if err := s.finish(d); err != nil {
		return err
	}
	s.def = &definition{name: d.name, first: d.first, xt: xt}
	return nil
}

// attach makes the latest word push its address and do something.
func (s *System) attach() error {
	a, err := s.take(1)
	if err != nil {
		return err
	}
	w := s.latest
	if w == nil || w.dead || w.kind != kindCreate || a[0] < 0 || a[0] >= int64(s.live.Words()) {
		return s.fail(throwNoBody, "DOES> without CREATE")
	}
	e := bytecode.Emitter{Code: constant(w.addr)}
	e.Word(int(a[0]))
	return s.redefine(w.xt, e.Code, nil)
}

// defineData defines a word that pushes the address of n bytes.
func (s *System) defineData(k kind, n int64) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	if err := s.align(); err != nil {
		return err
	}
	at := s.dp
	if err := s.allot(n); err != nil {
		return err
	}
	_, err = s.create(name, k, at, constant(at))
	return err
}

// defineConstant defines a word that pushes n values.
func (s *System) defineConstant(n int) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	e := bytecode.Emitter{}
	if n == 1 {
		if b, err := s.live.PopBytes(); err == nil {
			e.Bytes(b)
			_, err = s.create(name, kindOther, 0, e.Code)
			return err
		}
	}
	a, err := s.take(n)
	if err != nil {
		return err
	}
	_, err = s.create(name, kindOther, 0, constant(a...))
	return err
}

// defineValue defines a word with n cells, which it pushes the address of before it does what ops do.
func (s *System) defineValue(k kind, n int, ops ...bytecode.Opcode) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	a, err := s.take(n)
	if err != nil {
		return err
	}
	if err := s.align(); err != nil {
		return err
	}
	at := s.dp
	for i := len(a) - 1; i >= 0; i-- { // the upper one first, as 2! does
		if err := s.comma(a[i]); err != nil {
			return err
		}
	}
	d := definition{Emitter: bytecode.Emitter{Code: constant(at)}}
	d.ops(ops...)
	_, err = s.create(name, k, at, d.Code)
	return err
}

// assign is TO and IS.
func (s *System) assign(compile bool, what string) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	d := s.def
	if compile {
		if d, err = s.compiling(); err != nil {
			return err
		}
		if slot, ok := d.local(name); ok && what == "TO" {
			d.Slot(bytecode.OpSetSlot, slot)
			return d.check(s)
		}
	}
	w := s.find(name)
	if w == nil {
		return s.fail(throwUndefined, show(name))
	}
	fits := w.kind == kindDefer
	if what == "TO" {
		fits = w.kind == kindValue || w.kind == kind2Value
	}
	if !fits {
		return s.fail(throwNotVariable, show(name))
	}
	if compile {
		d.Integer(w.addr)
		if w.kind == kind2Value {
			d.ops(bytecode.OpTuck, bytecode.OpStore, bytecode.OpSmall+8, bytecode.OpAddWrap)
		}
		d.Op(bytecode.OpStore)
		return d.check(s)
	}
	n := 1
	if w.kind == kind2Value {
		n = 2
	}
	a, err := s.take(n)
	if err != nil {
		return err
	}
	for i := range a {
		if err := s.store(w.addr+int64(i)*8, a[len(a)-1-i]); err != nil {
			return err
		}
	}
	return nil
}

// action is ACTION-OF.
func (s *System) action(compile bool) error {
	w, err := s.nameOf()
	if err != nil {
		return err
	}
	if w.kind != kindDefer {
		return s.fail(throwNotVariable, show(w.name))
	}
	if compile {
		d, err := s.compiling()
		if err != nil {
			return err
		}
		d.Integer(w.addr)
		d.Op(bytecode.OpFetch)
		return d.check(s)
	}
	v, err := s.fetch(w.addr)
	if err != nil {
		return err
	}
	return s.give(v)
}

// deferred returns the word of DEFER with an execution token.
func (s *System) deferred(xt int64) (*word, error) {
	if w := s.byXT[xt]; w != nil && w.kind == kindDefer {
		return w, nil
	}
	return nil, s.fail(throwNotVariable, "no word of DEFER")
}

// field defines a field of n bytes at an offset, and leaves the offset behind it.
func (s *System) field(offset, n, unit int64) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	offset = (offset + unit - 1) &^ (unit - 1)
	d := definition{Emitter: bytecode.Emitter{Code: constant(offset)}}
	d.Op(bytecode.OpAddWrap)
	if _, err := s.create(name, kindOther, 0, d.Code); err != nil {
		return err
	}
	return s.give(offset + n)
}

func (s *System) fieldOf(n, unit int64) error {
	a, err := s.take(1)
	if err != nil {
		return err
	}
	return s.field(a[0], n, unit)
}
