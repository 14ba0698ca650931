package lang

import (
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// mapOf makes the source map of encoded code, which ends with the main body. What a macro expands to has the place where
// the source uses the macro, not that of the macro's text. The end of a word has the place of its ;.
func mapOf(code []byte, words []*body, main *body) vm.SourceMap {
	starts := make([]int, len(words)+1)
	starts[len(words)] = len(code) - len(main.Code)
	for i := len(words) - 1; i >= 0; i-- {
		end := starts[i+1]
		if i < len(words)-1 {
			end -= len(binary.AppendUvarint(nil, uint64(len(words[i+1].Code))))
		}
		starts[i] = end - len(words[i].Code)
	}
	var out vm.SourceMap
	add := func(b *body, start int) {
		for _, m := range b.marks {
			e := vm.MapEntry{PC: uint32(start + m.at), Line: uint32(m.line), Column: uint32(m.col), Word: b.name}
			if n := len(out); n > 0 && out[n-1].PC == e.PC {
				out[n-1] = e
				continue
			}
			out = append(out, e)
		}
	}
	for i, b := range words {
		add(b, starts[i])
	}
	add(main, starts[len(words)])
	return out
}
