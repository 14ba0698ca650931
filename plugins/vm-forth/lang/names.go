package lang

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// name reads the name that a word is followed by.
func (c *compiler) name(t token) (token, error) {
	n, ok, err := c.next()
	if err != nil {
		return n, err
	}
	if !ok {
		return n, incomplete(c.fail(t, "a name is missing after %s", t.text))
	}
	return n, nil
}

// newName reads the name that a defining word is followed by, and checks that it is free.
func (c *compiler) newName(t token) (token, error) {
	n, err := c.name(t)
	if err != nil {
		return n, err
	}
	if n.str || len(n.text) > maxName {
		return n, c.fail(n, "%s is no name; a name has 1 to %d bytes", show(n.text), maxName)
	}
	if _, _, ok, err := literal(n); ok || err != nil {
		return n, c.fail(n, "%s is a literal and can't be a name", show(n.text))
	}
	if c.known(n.text) {
		return n, c.fail(n, "%s is a word of the language and can't be defined again", show(n.text))
	}
	if e, ok := c.names[n.text]; ok {
		return n, c.fail(n, "%s is defined already, in line %d", show(n.text), e.at.line)
	}
	return n, nil
}

func (c *compiler) define(n token, e entry) {
	e.at = n
	c.names[n.text] = &e
	c.order = append(c.order, n.text)
}

// outside checks that no definition is open, nor evidence is compiled unless that is fine.
func (c *compiler) outside(t token, evidence bool) error {
	switch {
	case c.def != nil:
		return c.fail(t, "%s within the definition of %s", t.text, show(c.defName.text))
	case c.evidence && !evidence:
		return c.fail(t, "evidence has no variables and no data; it only pushes literals and defines words")
	}
	return nil
}

// colon begins a definition.
func colon(c *compiler, t token) error {
	if c.def != nil {
		return c.fail(t, "a definition within that of %s; its ; is missing", show(c.defName.text))
	}
	if err := c.closed(); err != nil {
		return err
	}
	n, err := c.newName(t)
	if err != nil {
		return err
	}
	if int64(len(c.bodies)) >= c.lim.Definitions {
		return c.fail(n, "more than %d definitions", c.lim.Definitions)
	}
	c.def, c.defName, c.defPush = newBody(n.text), n, false
	return nil
}

// semicolon ends one.
func semicolon(c *compiler, t token) error {
	if c.def == nil {
		return c.fail(t, "; without a definition")
	}
	if err := c.closed(); err != nil {
		return err
	}
	b := c.out() // so that the end of the body has this place
	if err := c.fits(b); err != nil {
		return err
	}
	c.define(c.defName, entry{kind: isWord, n: len(c.bodies), used: c.defPush})
	c.bodies, c.hashes = append(c.bodies, b), append(c.hashes, b.hash(c.hashes))
	c.size += len(b.Code)
	if c.def = nil; c.defPush {
		return c.pushHash(len(c.bodies) - 1)
	}
	return nil
}

// macro names text.
func macro(c *compiler, t token) error {
	if c.def != nil {
		return c.fail(t, "a macro within the definition of %s", show(c.defName.text))
	}
	n, err := c.newName(t)
	if err != nil {
		return err
	}
	e := entry{kind: isMacro}
	for {
		b, ok, err := c.next()
		if err != nil {
			return err
		}
		if !ok {
			return incomplete(c.fail(n, "the macro %s has no ;", show(n.text)))
		}
		if b.text == ";" && !b.str {
			break
		}
		if !b.str && (b.text == "macro" || b.text == ":") {
			return c.fail(b, "%s within the macro %s; its ; is missing", b.text, show(n.text))
		}
		if e.size += len(b.text) + len(b.data) + 1; e.size > maxExpansion {
			return c.fail(n, "the macro %s has more than %d bytes", show(n.text), maxExpansion)
		}
		e.body = append(e.body, b)
	}
	c.define(n, e)
	return nil
}

// slot names a new numbered slot.
func (c *compiler) slot(n token, kind entryKind) (int, error) {
	if int64(c.slots) >= c.lim.Variables {
		return 0, c.fail(n, "more than %d values", c.lim.Variables)
	}
	c.define(n, entry{kind: kind, n: c.slots})
	c.slots++
	return c.slots - 1, nil
}

// word reads the name of a word of this source.
func (c *compiler) word(t token) (*entry, error) {
	n, err := c.name(t)
	if err != nil {
		return nil, err
	}
	e, ok := c.names[n.text]
	if !ok || n.str || e.kind != isWord {
		return nil, c.fail(n, "%s is no word that this source defines before", show(n.text))
	}
	e.used = true
	return e, nil
}

// definingWords are the words of paloalto that name something, use a name, or work while compiling.
func definingWords() map[string]func(*compiler, token) error {
	tick := func(c *compiler, t token) error {
		e, err := c.word(t)
		if err != nil {
			return err
		}
		return c.pushHash(e.n)
	}
	character := func(c *compiler, t token) error {
		n, err := c.name(t)
		if err != nil {
			return err
		}
		for _, r := range n.text {
			return c.push(t, value{v: int64(r)})
		}
		return nil
	}
	words := map[string]func(*compiler, token) error{
		":": colon, ";": semicolon, "macro": macro, "'": tick, "[']": tick, "char": character, "[char]": character,
		// value NAME sets a slot where it stands, and names it.
		"value": func(c *compiler, t token) error {
			if err := c.outside(t, false); err != nil {
				return err
			}
			n, err := c.newName(t)
			if err != nil {
				return err
			}
			s, err := c.slot(n, isSlot)
			if err == nil {
				c.out().Slot(bytecode.OpSetSlot, s)
			}
			return err
		},
		"to": func(c *compiler, t token) error {
			if c.evidence {
				return c.fail(t, "evidence has no values")
			}
			n, err := c.name(t)
			if err != nil {
				return err
			}
			e, ok := c.names[n.text]
			if !ok || n.str || e.kind != isSlot {
				return c.fail(n, "%s is no value; define it before: 0 value NAME", show(n.text))
			}
			c.out().Slot(bytecode.OpSetSlot, e.n)
			return nil
		},
		// constant NAME names the literal before it; anything else that is computed is a value that nothing changes.
		"constant": func(c *compiler, t token) error {
			if err := c.outside(t, true); err != nil {
				return err
			}
			n, err := c.newName(t)
			if err != nil {
				return err
			}
			if v, ok := c.out().take(); ok {
				c.define(n, entry{kind: isConstant, v: v})
				return nil
			}
			if err := c.outside(t, false); err != nil {
				return err
			}
			s, err := c.slot(n, isSlot)
			if err == nil {
				c.out().Slot(bytecode.OpSetSlot, s)
			}
			return err
		},
	}
	for name, f := range dataWords() {
		words[name] = f
	}
	return words
}
