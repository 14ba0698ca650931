package forth2012

import (
	"encoding/hex"
	"errors"
	"math/bits"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// interpret interprets the current source to its end.
func (s *System) interpret() error {
	depth := len(s.sources)
	for {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		name, err := s.parseName()
		if err == nil && name == "" {
			more, err2 := s.refill()
			if err = err2; err == nil && !more {
				return nil
			}
			if err == nil {
				continue
			}
		}
		if err == nil {
			err = s.word(name)
		}
		if err == nil && len(s.sources) < depth { // a word took the source away
			return nil
		}
		if err != nil {
			if s.origin == "" && !errors.Is(err, errQuit) && !errors.Is(err, errBye) {
				s.origin = s.position()
			}
			return err
		}
	}
}

// word interprets or compiles one word of the text.
func (s *System) word(name string) error {
	if s.def == nil || !s.state {
		return s.one(name)
	}
	d, before := s.def, len(s.def.Code)
	_, line, col := s.where()
	err := s.one(name)
	if s.def == d && len(d.Code) > before && line > 0 {
		d.marks = append(d.marks, mark{before, line, col})
	}
	return err
}

func (s *System) one(name string) error {
	if s.state && s.def != nil {
		if slot, ok := s.def.local(name); ok {
			s.def.Slot(bytecode.OpSlot, slot)
			return nil
		}
	}
	if w := s.find(name); w != nil {
		if s.state {
			return s.compileWord(w)
		}
		return s.run(w)
	}
	return s.literal(name)
}

// run executes a word as the interpreter does.
func (s *System) run(w *word) error {
	if b := w.builtin; b != nil && b.code == nil && b.helper == "" {
		if b.run == nil {
			return s.fail(throwCompileOnly, w.name)
		}
		if err := s.charge(hostGas); err != nil {
			return err
		}
		return b.run(s)
	}
	if w.builtin != nil && w.builtin.returns {
		return s.fail(throwCompileOnly, w.name)
	}
	xt, err := s.token(w)
	if err != nil {
		return err
	}
	return s.live.Execute(xt)
}

// compileWord performs the compilation semantics of a word.
func (s *System) compileWord(w *word) error {
	if b := w.builtin; b != nil && b.comp != nil {
		if err := s.charge(hostGas); err != nil {
			return err
		}
		return b.comp(s)
	}
	if w.immediate {
		return s.run(w)
	}
	return s.compile(w)
}

// compile appends what a word does to the definition.
func (s *System) compile(w *word) error {
	d, err := s.compiling()
	if err != nil {
		return err
	}
	if b := w.builtin; b != nil && b.helper == "" {
		switch {
		case b.code != nil:
			d.Code = append(d.Code, b.code...)
		case b.comp != nil:
			d.host(b.id*3 + 2)
		default:
			d.host(b.id * 3)
		}
		return d.check(s)
	}
	xt, err := s.token(w)
	if err != nil {
		return err
	}
	d.Word(xt)
	return d.check(s)
}

// literal takes a name for a number.
func (s *System) literal(name string) error {
	if strings.HasPrefix(name, `x"`) || strings.HasPrefix(name, `X"`) {
		if digits, ok := strings.CutSuffix(name[2:], `"`); ok {
			b, err := hex.DecodeString(digits)
			if err != nil || len(b) > bytecode.MaxBytes {
				return s.fail(throwNumber, show(name))
			}
			if !s.state {
				return s.live.PushBytes(b)
			}
			d, err := s.compiling()
			if err != nil {
				return err
			}
			d.Bytes(b)
			return d.check(s)
		}
	}
	base, err := s.base()
	if err != nil {
		base = 10
	}
	lo, hi, double, ok := number(name, uint64(base))
	if !ok {
		return s.fail(throwUndefined, show(name))
	}
	if !double && hi != 0 && (hi != -1 || int64(lo) >= 0) {
		return s.fail(-11, show(name))
	}
	vs := []int64{int64(lo)}
	if double {
		vs = append(vs, hi)
	}
	if !s.state {
		return s.give(vs...)
	}
	d, err := s.compiling()
	if err != nil {
		return err
	}
	for _, v := range vs {
		d.Integer(v)
	}
	return d.check(s)
}

// number reads a number: a prefix # $ % for the base, or a character in quotes; a point at the end makes it a double.
func number(text string, base uint64) (lo uint64, hi int64, double, ok bool) {
	if len(text) == 3 && text[0] == '\'' && text[2] == '\'' {
		return uint64(text[1]), 0, false, true
	}
	negative := false
	sign := func() {
		if !negative && strings.HasPrefix(text, "-") {
			negative, text = true, text[1:]
		}
	}
	sign()
	if text != "" {
		switch text[0] {
		case '#':
			base, text = 10, text[1:]
		case '$':
			base, text = 16, text[1:]
		case '%':
			base, text = 2, text[1:]
		}
	}
	sign()
	text, double = strings.CutSuffix(text, ".")
	if text == "" {
		return 0, 0, false, false
	}
	var high uint64
	for i := range len(text) {
		d, ok := digit(text[i], base)
		if !ok {
			return 0, 0, false, false
		}
		if high, lo, ok = mulAdd(high, lo, base, d); !ok {
			return 0, 1, false, true // too large; a single that does not fit
		}
	}
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	return lo, int64(high), double, true
}

// digit is the value of a digit.
func digit(c byte, base uint64) (uint64, bool) {
	v := uint64(99)
	switch {
	case c >= '0' && c <= '9':
		v = uint64(c - '0')
	case c >= 'a' && c <= 'z':
		v = uint64(c-'a') + 10
	case c >= 'A' && c <= 'Z':
		v = uint64(c-'A') + 10
	}
	return v, v < base
}

// mulAdd is the two-cell number times base plus d. ok is false if that does not fit.
func mulAdd(hi, lo, base, d uint64) (uint64, uint64, bool) {
	h, l := bits.Mul64(lo, base)
	over, h2 := bits.Mul64(hi, base)
	sum, carry := bits.Add64(h, h2, 0)
	l, c := bits.Add64(l, d, 0)
	sum, carry2 := bits.Add64(sum, 0, c)
	return sum, l, over == 0 && carry == 0 && carry2 == 0
}
