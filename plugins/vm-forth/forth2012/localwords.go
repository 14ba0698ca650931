package forth2012

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// localWords declare local variables. They live in numbered slots, the same in every definition: a definition puts the
// values that it finds there on the return stack, and restores them where it ends.
func localWords() []*builtin {
	return []*builtin{
		working("(LOCAL)", func(s *System, d *definition) error {
			name, err := s.takeText()
			if err != nil || name == "" {
				return err
			}
			return d.addLocal(s, name, true)
		}),
		structure("LOCALS|", func(s *System, d *definition) error {
			for {
				name, err := s.localName()
				if err != nil || name == "|" {
					return err
				}
				if err := d.addLocal(s, name, true); err != nil {
					return err
				}
			}
		}),
		structure("{:", (*System).declareLocals),
	}
}

func (s *System) localName() (string, error) {
	name, err := s.nextName()
	if err == nil && name == "" {
		err = s.fail(throwUnexpectedEO, "the locals have no end")
	}
	return name, err
}

// declareLocals is {: arguments | others -- comment :}. The last argument is on top.
func (s *System) declareLocals(d *definition) error {
	var args, others []string
	to, comment := &args, false
	for {
		name, err := s.localName()
		if err != nil {
			return err
		}
		switch {
		case name == ":}":
			for i := len(args) - 1; i >= 0; i-- {
				if err := d.addLocal(s, args[i], true); err != nil {
					return err
				}
			}
			for _, n := range others {
				if err := d.addLocal(s, n, false); err != nil {
					return err
				}
			}
			return nil
		case comment:
		case name == "--":
			comment = true
		case name == "|" && to == &args:
			to = &others
		case len(args)+len(others) >= maxLocals:
			return s.fail(throwDictionary, "locals")
		default:
			*to = append(*to, name)
		}
	}
}

// opcodes makes code of instructions.
func opcodes(ops ...bytecode.Opcode) []byte {
	d := definition{}
	d.ops(ops...)
	return d.Code
}
