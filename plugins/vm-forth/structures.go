package vmforth

// closer says what closes a control structure.
func closer(word string) string {
	switch word {
	case "if", "else":
		return "then or end"
	case "begin":
		return "until, again or while … repeat"
	case "while":
		return "repeat"
	}
	return "loop or +loop"
}

func (c *compiler) open(ctl control) { c.control = append(c.control, ctl) }

// shut takes the innermost control structure, which has to be one of two.
func (c *compiler) shut(t token, word, or string) (control, error) {
	n := len(c.control)
	if n == 0 {
		return control{}, c.fail(t, "%s without %s", t.text, word)
	}
	ctl := c.control[n-1]
	if ctl.word != word && ctl.word != or {
		return control{}, c.fail(t, "%s without %s: the innermost open structure is %s in line %d, which needs %s", t.text, word, ctl.word,
			ctl.token.line, closer(ctl.word))
	}
	c.control = c.control[:n-1]
	return ctl, nil
}

// set lets jumps go to what comes next.
func (c *compiler) set(jumps ...int) error {
	o := c.out()
	for _, j := range jumps {
		o.target(j, len(o.code))
	}
	return nil
}

// back writes a jump to an earlier place.
func (c *compiler) back(op opcode, to int) {
	o := c.out()
	o.target(o.jump(op), to)
}

// structureWords are the control structures.
func structureWords() map[string]func(*compiler, token) error {
	then := func(c *compiler, t token) error {
		ctl, err := c.shut(t, "if", "else")
		if err != nil {
			return err
		}
		return c.set(ctl.at)
	}
	do := func(op opcode) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			ctl := control{word: "do", token: t}
			if op == opQDo {
				ctl.exits = []int{c.out().jump(op)}
			} else {
				c.out().op(op)
			}
			ctl.at = len(c.out().code)
			c.open(ctl)
			return nil
		}
	}
	loop := func(op opcode) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			ctl, err := c.shut(t, "do", "do")
			if err != nil {
				return err
			}
			c.back(op, ctl.at)
			return c.set(ctl.exits...)
		}
	}
	until := func(op opcode) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			ctl, err := c.shut(t, "begin", "begin")
			if err != nil {
				return err
			}
			c.back(op, ctl.at)
			return nil
		}
	}
	return map[string]func(*compiler, token) error{
		"if": func(c *compiler, t token) error {
			c.open(control{word: "if", token: t, at: c.out().jump(opJumpZero)})
			return nil
		},
		"else": func(c *compiler, t token) error {
			ctl, err := c.shut(t, "if", "if")
			if err != nil {
				return err
			}
			at := c.out().jump(opJump)
			c.open(control{word: "else", token: t, at: at})
			return c.set(ctl.at)
		},
		"then": then, "end": then,
		"begin": func(c *compiler, t token) error {
			c.open(control{word: "begin", token: t, at: len(c.out().code)})
			return nil
		},
		"until": until(opJumpZero), "again": until(opJump),
		"while": func(c *compiler, t token) error {
			ctl, err := c.shut(t, "begin", "while")
			if err != nil {
				return err
			}
			ctl.word, ctl.token = "while", t
			ctl.exits = append(ctl.exits, c.out().jump(opJumpZero))
			c.open(ctl)
			return nil
		},
		"repeat": func(c *compiler, t token) error {
			ctl, err := c.shut(t, "while", "while")
			if err != nil {
				return err
			}
			c.back(opJump, ctl.at)
			return c.set(ctl.exits...)
		},
		"do": do(opDo), "?do": do(opQDo), "loop": loop(opLoop), "+loop": loop(opPlusLoop),
		"leave": func(c *compiler, t token) error {
			for i := len(c.control) - 1; i >= 0; i-- {
				if c.control[i].word == "do" {
					c.out().op(opUnloop)
					c.control[i].exits = append(c.control[i].exits, c.out().jump(opJump))
					return nil
				}
			}
			return c.fail(t, "leave outside of a loop")
		},
	}
}
