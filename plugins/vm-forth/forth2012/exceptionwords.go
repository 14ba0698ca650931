package forth2012

import (
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
)

// savedLocal is the value of a local variable when CATCH was called.
type savedLocal = engine.Value

// maxSaved bounds the catches within catches.
const maxSaved = 512

// exceptionWords are CATCH and ABORT". Besides what the instruction does, CATCH goes back to the input source that there was, and
// to the values of the local variables.
func exceptionWords() []*builtin {
	return []*builtin{
		{name: "CATCH", helper: "(catch>) >r (catch) r> (catch<)", contract: func(i *image) []byte {
			d := definition{}
			for n := range i.locals {
				d.Slot(bytecode.OpSlot, n)
				d.Op(bytecode.OpToR)
			}
			d.Op(bytecode.OpCatch)
			for n := i.locals - 1; n >= 0; n-- {
				d.Op(bytecode.OpFromR)
				d.Slot(bytecode.OpSetSlot, n)
			}
			return d.Code
		}},
		{name: "(catch)", internal: true, code: opcodes(bytecode.OpCatch)},
		{name: "(catch>)", internal: true, run: func(s *System) error {
			if len(s.saved) >= maxSaved {
				return s.fail(throwReturnFull, "catches within catches")
			}
			in, err := s.in()
			if err != nil {
				return err
			}
			at := savedInput{depth: len(s.sources), in: in}
			if src := s.source(); src != nil {
				at.serial, at.start, at.line = src.serial, src.start, src.line
			}
			for n := range s.locals {
				at.locals = append(at.locals, s.live.Slot(n))
			}
			s.saved = append(s.saved, at)
			if err := s.charge(2 * int64(s.locals)); err != nil {
				return err
			}
			return s.give(int64(len(s.saved) - 1))
		}},
		{name: "(catch<)", internal: true, run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			if a[1] < 0 || a[1] >= int64(len(s.saved)) {
				return s.fail(throwReturnFull, "")
			}
			at := s.saved[a[1]]
			s.saved = s.saved[:a[1]]
			if a[0] != 0 {
				if err := s.caught(at); err != nil {
					return err
				}
			}
			return s.give(a[0])
		}},
		structure(`ABORT"`, func(s *System, d *definition) error {
			_, text, _, err := s.parse('"')
			if err != nil {
				return err
			}
			if err := d.ahead(s, bytecode.OpJumpZero); err != nil {
				return err
			}
			if err := s.compileString(d, text); err != nil {
				return err
			}
			d.host(s.named["(abort)"].id * 3)
			d.Integer(throwAbortText)
			d.Op(bytecode.OpThrow)
			return d.then(s)
		}),
		{name: "(abort)", internal: true, run: func(s *System) error {
			text, err := s.takeText()
			s.aborted = text
			return err
		}, contract: func(*image) []byte { return opcodes(bytecode.Op2Drop) }},
	}
}

// caught goes back to the state of the input when CATCH was called.
func (s *System) caught(at savedInput) error {
	s.origin, s.detail = "", ""
	if err := s.exit(at.depth); err != nil {
		return err
	}
	for n, v := range at.locals {
		if err := s.live.SetSlot(n, v); err != nil {
			return err
		}
	}
	src := s.source()
	if src == nil || src.serial != at.serial {
		return nil
	}
	return s.moveTo(src, at.start, at.line, at.in)
}
