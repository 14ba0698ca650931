package forth2012

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// dataWords are words on HERE. A contract has its HERE in a cell behind its data.
func dataWords() []*builtin {
	here := func(after ...bytecode.Opcode) func(*image) []byte {
		return func(i *image) []byte {
			return append(append(constant(i.here()), byte(bytecode.OpFetch)), opcodes(after...)...)
		}
	}
	// advance moves the contract's HERE by what is on the stack.
	advance := func(i *image) []byte {
		return append(constant(i.here()), opcodes(bytecode.OpTuck, bytecode.OpFetch, bytecode.OpAddWrap, bytecode.OpSwap, bytecode.OpStore)...)
	}
	storeAnd := func(op bytecode.Opcode, n int64) func(*image) []byte {
		return func(i *image) []byte {
			return append(append(here(op)(i), constant(n)...), advance(i)...)
		}
	}
	return []*builtin{
		{name: "HERE", run: func(s *System) error { return s.give(s.dp) }, contract: here()},
		{name: "ALLOT", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.allot(a[0])
		}, contract: advance},
		{name: ",", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.comma(a[0])
		}, contract: storeAnd(bytecode.OpStore, 8)},
		{name: "C,", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			at := s.dp
			if err := s.allot(1); err != nil {
				return err
			}
			return s.write(at, string([]byte{byte(a[0])}))
		}, contract: storeAnd(bytecode.OpCStore, 1)},
		{name: "ALIGN", run: (*System).align, contract: func(i *image) []byte {
			out := append(here(bytecode.OpSmall, bytecode.OpSwap, bytecode.OpSubWrap)(i), constant(7)...)
			return append(append(out, byte(bytecode.OpAnd)), advance(i)...)
		}},
		{name: "UNUSED", run: func(s *System) error { return s.give(s.space - s.dp) }},
		{name: "PAD", run: func(s *System) error { return s.give(s.sys(atPad)) }, contract: func(i *image) []byte {
			return append(here()(i), append(constant(256), opcodes(bytecode.OpAddWrap)...)...)
		}},
	}
}
