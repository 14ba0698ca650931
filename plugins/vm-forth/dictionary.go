package vmforth

import (
	"strings"
)

// dictionary is what the compiler knows before it reads a source.
type dictionary struct {
	builtins    map[string][]byte                       // the instructions of a word
	structures  map[string]func(*compiler, token) error // control structures
	defining    map[string]func(*compiler, token) error // words that read on in the source
	unavailable map[string]string                       // words of other Forths, and what to do instead
}

func newDictionary() dictionary {
	d := dictionary{builtins: map[string][]byte{}, structures: structureWords(), defining: definingWords(), unavailable: map[string]string{}}
	for op, i := range opcodes {
		if i.name != "" && i.operand == noOperand {
			d.builtins[i.name] = []byte{byte(op)}
		}
	}
	for n, e := range environment {
		d.builtins[e.name] = []byte{byte(opEnv), byte(n)}
	}
	d.builtins["sha256"] = []byte{byte(opHash)}
	d.builtins["execute"] = []byte{byte(opCallHash)}
	d.builtins["false"] = []byte{byte(opSmall)}
	d.builtins["true"] = []byte{byte(opInt), 1} // -1
	for _, line := range strings.Split(elsewhere, "\n") {
		words, hint, _ := strings.Cut(line, "|")
		for _, w := range strings.Fields(words) {
			d.unavailable[w] = hint
		}
	}
	return d
}

// elsewhere are words that a Forth programmer may miss, and after the bar what their error says besides.
const elsewhere = `create does> allot , c, here align aligned cells cell+ chars char+|; use variable
constant value to 2constant|; use macro NAME … ;
case of endof endcase ?of|; use if … else … then
catch|: a contract that fails, fails as a whole
immediate postpone [ ] literal compile, [compile] :noname ['] evaluate state
oracle verify-zk merkle-proof
m* um* um/mod fm/mod sm/rem d+ d- s>d|; */ multiplies and divides without overflow in between
fill move erase cmove cmove> count
key emit type . .s cr ." accept|: a contract has neither terminal nor output
not|; use 0=
int binary print band bor bxor|: that is Chalang
2variable 2@ 2! 2>r 2r> 2r@ u> within`

// keyword tells whether a name has a meaning that a source can't change.
func (c *compiler) keyword(name string) bool {
	_, a := c.dict.builtins[name]
	_, b := c.dict.structures[name]
	_, d := c.dict.defining[name]
	return a || b || d || name == ";"
}

// newName reads the name that a defining word is followed by, and checks that it is free.
func (c *compiler) newName(t token) (token, error) {
	n, ok := c.next()
	if !ok {
		return n, c.fail(t, "a name is missing after %s", t.text)
	}
	if n.str || len(n.text) > 64 {
		return n, c.fail(n, "%s is no name; a name has 1 to 64 bytes", show(n.text))
	}
	if _, _, _, ok, err := literal(n); ok || err != nil {
		return n, c.fail(n, "%s is a literal and can't be a name", show(n.text))
	}
	if c.keyword(n.text) {
		return n, c.fail(n, "%s is a word of the language and can't be defined again", show(n.text))
	}
	_, word := c.words[n.text]
	_, macro := c.macros[n.text]
	_, variable := c.vars[n.text]
	if word || macro || variable {
		return n, c.fail(n, "%s is defined already", show(n.text))
	}
	return n, nil
}

// definingWords are the words that name something, or use a name.
func definingWords() map[string]func(*compiler, token) error {
	return map[string]func(*compiler, token) error{
		":": func(c *compiler, t token) error {
			if c.body != nil {
				return c.fail(t, "a definition within that of %s; its ; is missing", show(c.name.text))
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
			c.body, c.name = &emitter{}, n
			return nil
		},
		";": func(c *compiler, t token) error {
			if c.body == nil {
				return c.fail(t, "; without a definition")
			}
			if err := c.closed(); err != nil {
				return err
			}
			c.words[c.name.text] = len(c.bodies)
			c.bodies = append(c.bodies, c.body.code)
			c.body = nil
			return nil
		},
		"macro": func(c *compiler, t token) error {
			if c.body != nil {
				return c.fail(t, "a macro within the definition of %s", show(c.name.text))
			}
			n, err := c.newName(t)
			if err != nil {
				return err
			}
			var body []token
			for {
				b, ok := c.next()
				if !ok {
					return c.fail(n, "the macro %s has no ;", show(n.text))
				}
				if b.text == ";" && !b.str {
					break
				}
				if !b.str && (b.text == "macro" || b.text == ":") {
					return c.fail(b, "%s within the macro %s; its ; is missing", b.text, show(n.text))
				}
				body = append(body, b)
			}
			c.macros[n.text] = body
			return nil
		},
		"variable": func(c *compiler, t token) error {
			if c.evidence {
				return c.fail(t, "evidence has no variables")
			}
			n, err := c.newName(t)
			if err != nil {
				return err
			}
			if at := int64(len(c.vars)) * 8; int64(len(c.vars)) < c.lim.Variables && at+8 <= c.lim.DataBytes {
				c.vars[n.text] = at
				return nil
			}
			return c.fail(n, "more than %d variables", c.lim.Variables)
		},
		"'": func(c *compiler, t token) error {
			if c.evidence && c.body == nil {
				return c.fail(t, "evidence only pushes literals and defines words")
			}
			n, ok := c.next()
			if !ok {
				return c.fail(t, "a name is missing after '")
			}
			w, ok := c.words[n.text]
			if !ok || n.str {
				return c.fail(n, "%s is no word that this source defines before", show(n.text))
			}
			if len(c.hashes) <= w {
				p := &program{}
				if err := p.load(assembleProgram(c.bodies, nil, true), c.lim, false); err != nil {
					return c.fail(n, "%v", err)
				}
				c.hashes = p.hashes
			}
			c.addressable = true
			c.out().bytes(c.hashes[w][:])
			return nil
		},
	}
}
