package forth2012

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// orElse is ELSE.
func (d *definition) orElse(s *System) error {
	if err := d.ahead(s, bytecode.OpJump); err != nil {
		return err
	}
	if err := d.swap(s); err != nil {
		return err
	}
	return d.then(s)
}

// while is WHILE: a jump out of the loop below its BEGIN.
func (d *definition) while(s *System) error {
	if err := d.ahead(s, bytecode.OpJumpZero); err != nil {
		return err
	}
	return d.swap(s)
}

func (d *definition) repeat(s *System) error {
	if err := d.back(s, bytecode.OpJump); err != nil {
		return err
	}
	return d.then(s)
}

// structure is a word that works on the definition when it is compiled, and does nothing otherwise.
func structure(name string, f func(*System, *definition) error) *builtin {
	return &builtin{name: name, immediate: true, comp: func(s *System) error {
		d, err := s.compiling()
		if err != nil {
			return err
		}
		return f(s, d)
	}}
}

// working is a word that works on the definition when it runs, for words that compile.
func working(name string, f func(*System, *definition) error) *builtin {
	return &builtin{name: name, run: func(s *System) error {
		d, err := s.compiling()
		if err != nil {
			return err
		}
		return f(s, d)
	}}
}

func controlWords() []*builtin {
	jump := func(op bytecode.Opcode) func(*System, *definition) error {
		return func(s *System, d *definition) error { return d.ahead(s, op) }
	}
	back := func(op bytecode.Opcode) func(*System, *definition) error {
		return func(s *System, d *definition) error { return d.back(s, op) }
	}
	do := func(op bytecode.Opcode) func(*System, *definition) error {
		return func(s *System, d *definition) error { return d.do(s, op) }
	}
	loop := func(op bytecode.Opcode) func(*System, *definition) error {
		return func(s *System, d *definition) error { return d.loop(s, op) }
	}
	return []*builtin{
		structure("IF", jump(bytecode.OpJumpZero)), structure("AHEAD", jump(bytecode.OpJump)),
		structure("ELSE", func(s *System, d *definition) error { return d.orElse(s) }),
		structure("THEN", func(s *System, d *definition) error { return d.then(s) }),
		structure("BEGIN", func(s *System, d *definition) error { return d.begin(s) }),
		structure("UNTIL", back(bytecode.OpJumpZero)), structure("AGAIN", back(bytecode.OpJump)),
		structure("WHILE", func(s *System, d *definition) error { return d.while(s) }),
		structure("REPEAT", func(s *System, d *definition) error { return d.repeat(s) }),
		structure("DO", do(bytecode.OpDo)), structure("?DO", do(bytecode.OpQDo)),
		structure("LOOP", loop(bytecode.OpLoop)), structure("+LOOP", loop(bytecode.OpPlusLoop)),
		structure("LEAVE", func(s *System, d *definition) error { return d.exitLoop(s) }),
		structure("CASE", func(s *System, d *definition) error { return d.push(s, flow{kind: flowCase}) }),
		structure("OF", func(s *System, d *definition) error {
			d.ops(bytecode.OpOver, bytecode.OpEqual)
			if err := d.ahead(s, bytecode.OpJumpZero); err != nil {
				return err
			}
			d.Op(bytecode.OpDrop)
			return nil
		}),
		structure("ENDOF", endOf),
		structure("ENDCASE", func(s *System, d *definition) error {
			f, err := d.pop(s, flowCase)
			if err != nil {
				return err
			}
			d.Op(bytecode.OpDrop)
			for _, at := range f.of {
				d.Target(at, len(d.Code))
			}
			return d.check(s)
		}),
		structure("EXIT", func(s *System, d *definition) error {
			d.leave()
			d.Op(bytecode.OpExit)
			return d.check(s)
		}),
		structure("RECURSE", func(s *System, d *definition) error {
			d.Op(bytecode.OpRecurse)
			return d.check(s)
		}),
		working("CS-PICK", func(s *System, d *definition) error {
			i, err := flowItem(s, d)
			if err != nil {
				return err
			}
			if d.flow[i].kind != flowDest {
				return s.fail(throwControl, "")
			}
			return d.push(s, d.flow[i])
		}),
		working("CS-ROLL", func(s *System, d *definition) error {
			i, err := flowItem(s, d)
			if err != nil {
				return err
			}
			f := d.flow[i]
			d.flow = append(append(d.flow[:i], d.flow[i+1:]...), f)
			return nil
		}),
		structure("N>R", nToR), structure("NR>", nFromR),
	}
}

// endOf is ENDOF: a jump behind the CASE.
func endOf(s *System, d *definition) error {
	n := len(d.flow)
	if n < 2 || d.flow[n-1].kind != flowOrig || d.flow[n-2].kind != flowCase {
		return s.fail(throwControl, "")
	}
	d.flow[n-2].of = append(d.flow[n-2].of, d.Jump(bytecode.OpJump))
	return d.then(s)
}

// flowItem takes the number of an item of the control-flow stack, from its top.
func flowItem(s *System, d *definition) (int, error) {
	a, err := s.take(1)
	if err != nil {
		return 0, err
	}
	if a[0] < 0 || a[0] >= int64(len(d.flow)) {
		return 0, s.fail(throwControl, "")
	}
	return len(d.flow) - 1 - int(a[0]), nil
}

// nToR is N>R: a loop in the definition itself, since a word that is called has its own return address on that stack.
func nToR(s *System, d *definition) error {
	d.Op(bytecode.OpDup)
	if err := d.begin(s); err != nil {
		return err
	}
	d.Op(bytecode.OpDup)
	if err := d.while(s); err != nil {
		return err
	}
	d.ops(bytecode.OpRot, bytecode.OpToR, bytecode.OpDec)
	if err := d.repeat(s); err != nil {
		return err
	}
	d.ops(bytecode.OpDrop, bytecode.OpToR)
	return nil
}

func nFromR(s *System, d *definition) error {
	d.ops(bytecode.OpFromR, bytecode.OpDup)
	if err := d.begin(s); err != nil {
		return err
	}
	d.Op(bytecode.OpDup)
	if err := d.while(s); err != nil {
		return err
	}
	d.ops(bytecode.OpFromR, bytecode.OpMinusRot, bytecode.OpDec)
	if err := d.repeat(s); err != nil {
		return err
	}
	d.Op(bytecode.OpDrop)
	return nil
}
