package lang

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// closer says what closes a control structure.
func (c *compiler) closer(word string) string {
	switch word {
	case "if":
		if c.dialect == Chalang {
			return "else … then"
		}
		return "then or end"
	case "else":
		if c.dialect == Chalang {
			return "then"
		}
		return "then or end"
	case "begin":
		return "until, again or while … repeat"
	case "while":
		return "repeat"
	case "case":
		return "endcase"
	case "of":
		return "endof"
	}
	return "loop or +loop"
}

func (c *compiler) open(ctl control) error {
	if len(c.control) >= maxNesting {
		return c.fail(ctl.token, "control structures within each other, more than %d deep", maxNesting)
	}
	c.control = append(c.control, ctl)
	return nil
}

// shut takes the innermost control structure, which has to be one of two.
func (c *compiler) shut(t token, word, or string) (control, error) {
	n := len(c.control)
	if n == 0 {
		return control{}, c.fail(t, "%s without %s", t.text, word)
	}
	ctl := c.control[n-1]
	if ctl.word != word && ctl.word != or {
		return control{}, c.fail(t, "%s without %s: the innermost open structure is %s in line %d, which needs %s", t.text, word, ctl.word,
			ctl.token.line, c.closer(ctl.word))
	}
	c.control = c.control[:n-1]
	return ctl, nil
}

// closed checks that no control structure is open.
func (c *compiler) closed() error {
	if n := len(c.control); n > 0 {
		open := c.control[n-1]
		return c.fail(open.token, "%s is not closed; %s is missing", open.word, c.closer(open.word))
	}
	return nil
}

// set lets jumps go to what comes next.
func (c *compiler) set(jumps ...int) error {
	o := c.out()
	for _, j := range jumps {
		o.Target(j, len(o.Code))
	}
	o.label()
	return nil
}

// back writes a jump to an earlier place.
func (c *compiler) back(op bytecode.Opcode, to int) *body {
	o := c.out()
	o.Target(o.Jump(op), to)
	if op == bytecode.OpJump {
		o.ends = len(o.Code)
	}
	return o
}

func openIf(c *compiler, t token) error {
	return c.open(control{word: "if", token: t, at: c.out().Jump(bytecode.OpJumpZero)})
}

func openElse(c *compiler, t token) error {
	ctl, err := c.shut(t, "if", "if")
	if err != nil {
		return err
	}
	at := c.out().Jump(bytecode.OpJump)
	if err := c.set(ctl.at); err != nil {
		return err
	}
	return c.open(control{word: "else", token: t, at: at})
}

// structureWords are the control structures of paloalto.
func structureWords() map[string]func(*compiler, token) error {
	words := map[string]func(*compiler, token) error{"if": openIf, "else": openElse}
	words["then"] = func(c *compiler, t token) error {
		ctl, err := c.shut(t, "if", "else")
		if err != nil {
			return err
		}
		return c.set(ctl.at)
	}
	words["end"] = words["then"]
	loopWords(words)
	caseWords(words)
	return words
}

func loopWords(words map[string]func(*compiler, token) error) {
	do := func(op bytecode.Opcode) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			ctl := control{word: "do", token: t}
			if op == bytecode.OpQDo {
				ctl.exits = []int{c.out().Jump(op)}
			} else {
				c.lintDo(t)
				c.out().Op(op)
			}
			ctl.at = len(c.out().Code)
			c.out().label()
			return c.open(ctl)
		}
	}
	loop := func(op bytecode.Opcode) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			ctl, err := c.shut(t, "do", "do")
			if err != nil {
				return err
			}
			c.back(op, ctl.at)
			return c.set(ctl.exits...)
		}
	}
	until := func(op bytecode.Opcode) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			ctl, err := c.shut(t, "begin", "begin")
			if err != nil {
				return err
			}
			c.back(op, ctl.at)
			return nil
		}
	}
	words["do"], words["?do"], words["loop"], words["+loop"] = do(bytecode.OpDo), do(bytecode.OpQDo), loop(bytecode.OpLoop), loop(bytecode.OpPlusLoop)
	words["until"], words["again"] = until(bytecode.OpJumpZero), until(bytecode.OpJump)
	words["begin"] = func(c *compiler, t token) error {
		c.out().label()
		return c.open(control{word: "begin", token: t, at: len(c.out().Code)})
	}
	words["while"] = func(c *compiler, t token) error {
		ctl, err := c.shut(t, "begin", "while")
		if err != nil {
			return err
		}
		ctl.word, ctl.token = "while", t
		ctl.exits = append(ctl.exits, c.out().Jump(bytecode.OpJumpZero))
		return c.open(ctl)
	}
	words["repeat"] = func(c *compiler, t token) error {
		ctl, err := c.shut(t, "while", "while")
		if err != nil {
			return err
		}
		c.back(bytecode.OpJump, ctl.at)
		return c.set(ctl.exits...)
	}
	words["leave"] = func(c *compiler, t token) error {
		for i := len(c.control) - 1; i >= 0; i-- {
			if c.control[i].word == "do" {
				o := c.out()
				o.Op(bytecode.OpUnloop)
				c.control[i].exits = append(c.control[i].exits, o.Jump(bytecode.OpJump))
				o.ends = len(o.Code)
				return nil
			}
		}
		return c.fail(t, "leave outside of a loop")
	}
}

// caseWords are case … of … endof … endcase.
func caseWords(words map[string]func(*compiler, token) error) {
	words["case"] = func(c *compiler, t token) error { return c.open(control{word: "case", token: t}) }
	words["of"] = func(c *compiler, t token) error {
		if n := len(c.control); n == 0 || c.control[n-1].word != "case" {
			return c.fail(t, "of without case")
		}
		o := c.out()
		o.Op(bytecode.OpOver)
		o.Op(bytecode.OpEqual)
		at := o.Jump(bytecode.OpJumpZero)
		o.Op(bytecode.OpDrop)
		return c.open(control{word: "of", token: t, at: at})
	}
	words["endof"] = func(c *compiler, t token) error {
		ctl, err := c.shut(t, "of", "of")
		if err != nil {
			return err
		}
		outer := &c.control[len(c.control)-1]
		outer.exits = append(outer.exits, c.out().Jump(bytecode.OpJump))
		return c.set(ctl.at)
	}
	words["endcase"] = func(c *compiler, t token) error {
		ctl, err := c.shut(t, "case", "case")
		if err != nil {
			return err
		}
		c.out().Op(bytecode.OpDrop)
		return c.set(ctl.exits...)
	}
}
