package forth2012

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// image is a contract that is being made of a system.
type image struct {
	s      *System
	src    vm.Source
	hereAt int64 // of the cell with the contract's HERE; 0: it has none
	locals int   // slots that CATCH saves

	keep    bool        // words keep their numbers
	numbers map[int]int // of words in the contract, by execution token
	order   []int       // execution tokens, callees first
	seen    map[int]bool
	path    []int // of words, to the one that is visited
	memory  bool  // an instruction reaches the data space
	execute bool  // one takes an execution token
}

// here is the address of the cell with the contract's HERE.
func (i *image) here() int64 {
	if i.hereAt == 0 {
		i.hereAt = (i.s.dp + 7) &^ 7
	}
	i.memory = true
	return i.hereAt
}

// image writes the contract whose main body is a word.
func (s *System) image(main *word, c vm.Convention, src vm.Source, l *bytecode.Limits) ([]byte, vm.SourceMap, error) {
	i := &image{s: s, src: src, numbers: map[int]int{}, seen: map[int]bool{}, locals: s.locals}
	xt, err := s.token(main)
	if err != nil {
		return nil, nil, i.wrap(main.name, "%v", err)
	}
	if err := i.visit(xt); err != nil {
		return nil, nil, err
	}
	if i.execute {
		i.keep = true
		ticked := make([]int, 0, len(s.ticked))
		for t := range s.ticked {
			ticked = append(ticked, t)
		}
		slices.Sort(ticked)
		for _, t := range ticked {
			// A word that no contract can run is left out, and the token of it is none.
			order, seen := slices.Clone(i.order), cloneSet(i.seen)
			if err := i.visit(t); err != nil {
				i.order, i.seen, i.path = order, seen, nil
			}
		}
	}
	p := bytecode.Parts{Convention: c}
	i.number(xt, &p)
	maps := make([][]mark, len(p.Words))
	for _, t := range i.order {
		n, has := i.numbers[t]
		if !has {
			continue
		}
		code, marks, err := i.translate(t)
		if err != nil {
			return nil, nil, err
		}
		p.Words[n], maps[n] = code, marks
	}
	mainMarks := []mark(nil)
	if n, has := i.numbers[xt]; has {
		e := bytecode.Emitter{}
		e.Word(n)
		p.Main = e.Code
	} else if p.Main, mainMarks, err = i.translate(xt); err != nil {
		return nil, nil, err
	}
	if int64(len(p.Words)) > l.Definitions {
		return nil, nil, i.wrap(main.name, "the contract has %d words, the chain allows %d", len(p.Words), l.Definitions)
	}
	if i.memory {
		if err := i.snapshot(&p); err != nil {
			return nil, nil, i.wrap(main.name, "the data space: %v", err)
		}
	}
	return p.Encode(), i.sourceMap(&p, xt, maps, mainMarks), nil
}

func cloneSet(m map[int]bool) map[int]bool {
	out := make(map[int]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

// wrap makes an error about a word.
func (i *image) wrap(name, format string, args ...any) error {
	return syntaxError(i.src.File, 1, 1, "%s: %s", name, fmt.Sprintf(format, args...))
}

// visit notes a word and those that it uses, those first.
func (i *image) visit(xt int) error {
	if i.seen[xt] {
		return nil
	}
	i.seen[xt] = true
	i.path = append(i.path, xt)
	body := i.s.bodies[xt]
	if body == nil {
		return i.unavailable(fmt.Sprintf("word %d", xt), "is not there")
	}
	code := body.code
	if body.contract != nil {
		code = body.contract(i)
	}
	ins, err := decode(code)
	if err != nil {
		return i.unavailable(body.name, err.Error())
	}
	if len(i.path) > maxDepth {
		return i.unavailable(body.name, "is nested too deeply")
	}
	for _, in := range ins {
		if err := i.note(in); err != nil {
			return err
		}
	}
	i.path = i.path[:len(i.path)-1]
	i.order = append(i.order, xt)
	return nil
}

// maxDepth is how deeply words may use words.
const maxDepth = 2000

// note looks at an instruction of the word that is visited.
func (i *image) note(in instr) error {
	switch in.op {
	case bytecode.OpHost:
		h := i.s.hosts[in.arg]
		if h.contract == nil {
			return i.unavailable(h.name, "is not available in a contract")
		}
		ins, err := decode(h.contract(i))
		if err != nil {
			return i.unavailable(h.name, err.Error())
		}
		for _, in := range ins {
			if err := i.note(in); err != nil {
				return err
			}
		}
	case bytecode.OpCall:
		return i.visit(int(in.arg))
	case bytecode.OpExecute, bytecode.OpCatch:
		i.execute = true
	case bytecode.OpFetch, bytecode.OpStore, bytecode.OpCFetch, bytecode.OpCStore, bytecode.OpAddStore, bytecode.OpMove, bytecode.OpFill,
		bytecode.OpMemToB, bytecode.OpBToMem:
		i.memory = true
	}
	return nil
}

// unavailable is the error about something that the last word of the path uses.
func (i *image) unavailable(what, why string) error {
	names := make([]string, 0, 8)
	for n, xt := range i.path {
		name := i.s.bodies[xt].nameOr(xt)
		if n > 6 && n < len(i.path)-2 {
			if n == 7 {
				names = append(names, "…")
			}
			continue
		}
		names = append(names, name)
	}
	line, col := 1, 1
	if b := i.s.bodies[i.path[len(i.path)-1]]; b != nil && len(b.marks) > 0 {
		line, col = int(b.marks[0].line), int(b.marks[0].col)
	}
	return syntaxError(i.src.File, line, col, "%s, which %s uses, %s", what, strings.Join(names, " → "), why)
}

func (b *body) nameOr(xt int) string {
	if b == nil || b.name == "" {
		return fmt.Sprintf("word %d", xt)
	}
	return b.name
}

// number gives the words their numbers. The main word has none if it can be the main body itself.
func (i *image) number(xt int, p *bytecode.Parts) {
	if i.keep {
		highest := -1
		for _, t := range i.order {
			i.numbers[t] = t
			highest = max(highest, t)
		}
		if !i.s.ticked[xt] && !i.needsFrame(xt) {
			delete(i.numbers, xt)
		}
		p.Words = make([][]byte, highest+1)
		return
	}
	for _, t := range i.order {
		if t == xt && !i.needsFrame(t) {
			continue
		}
		i.numbers[t] = len(p.Words)
		p.Words = append(p.Words, nil)
	}
}

// needsFrame says whether a word has instructions that belong into words.
func (i *image) needsFrame(xt int) bool {
	ins, err := decode(i.s.bodies[xt].code)
	return err != nil || slices.ContainsFunc(ins, func(in instr) bool { return in.op == bytecode.OpExit || in.op == bytecode.OpRecurse })
}

var errTooLong = errors.New("a word is longer than 65,535 bytes")

// translate writes the body of a word as the contract has it.
func (i *image) translate(xt int) ([]byte, []mark, error) {
	b := i.s.bodies[xt]
	code := b.code
	if b.contract != nil {
		code = b.contract(i)
	}
	ins, err := decode(code)
	if err != nil {
		return nil, nil, i.wrap(b.name, "%v", err)
	}
	e := bytecode.Emitter{}
	places := make(map[int]int, len(ins)) // in the new body, by those in the old
	type jump struct{ at, to int }
	var jumps []jump
	self := i.numberOr(xt)
	for _, in := range ins {
		places[in.at] = len(e.Code)
		switch {
		case in.op == bytecode.OpHost:
			e.Code = append(e.Code, i.s.hosts[in.arg].contract(i)...)
		case in.op == bytecode.OpCall:
			n := i.numbers[int(in.arg)]
			if n < self {
				e.Word(n)
			} else { // a word calls earlier ones only; the others it executes
				e.Integer(int64(n))
				e.Op(bytecode.OpExecute)
			}
		case bytecode.Opcodes[in.op].Operand == bytecode.JumpOperand:
			jumps = append(jumps, jump{e.Jump(in.op), int(in.arg)})
		default:
			e.Code = append(e.Code, code[in.at:in.next]...)
		}
	}
	places[len(code)] = len(e.Code)
	if len(e.Code) > 1<<16-1 {
		return nil, nil, i.wrap(b.name, "%v", errTooLong)
	}
	for _, j := range jumps {
		e.Target(j.at, places[j.to])
	}
	marks := make([]mark, 0, len(b.marks))
	for _, m := range b.marks {
		if to, ok := places[m.at]; ok {
			marks = append(marks, mark{to, m.line, m.col})
		}
	}
	return e.Code, marks, nil
}

// numberOr is the number of a word, or for the main body one above all.
func (i *image) numberOr(xt int) int {
	if n, ok := i.numbers[xt]; ok {
		return n
	}
	return 1 << 30
}

// snapshot takes the data space.
func (i *image) snapshot(p *bytecode.Parts) error {
	b, err := i.s.live.Memory(0, i.s.dp)
	if err != nil {
		return err
	}
	p.Data = slices.Clone(b)
	if i.hereAt > 0 {
		p.Data = append(p.Data, make([]byte, int(i.hereAt)+8-len(p.Data))...)
		e := i.hereAt + 8
		for n := range 8 {
			p.Data[int(i.hereAt)+n] = byte(e >> (8 * n))
		}
	}
	return nil
}

// sourceMap joins the marks of the bodies.
func (i *image) sourceMap(p *bytecode.Parts, xt int, maps [][]mark, mainMarks []mark) vm.SourceMap {
	names := make([]string, len(p.Words))
	for t, n := range i.numbers {
		names[n] = i.s.bodies[t].name
	}
	words, mainAt := p.Offsets()
	var out vm.SourceMap
	add := func(at int, name string, marks []mark, size int) {
		if size > 0 && (len(marks) == 0 || marks[0].at > 0) { // no place is known, or not for its beginning
			e := vm.MapEntry{PC: uint32(at), Line: 1, Column: 1, Word: name}
			if len(marks) > 0 {
				e.Line, e.Column = marks[0].line, marks[0].col
			}
			out = append(out, e)
		}
		for _, m := range marks {
			e := vm.MapEntry{PC: uint32(at + m.at), Line: m.line, Column: m.col, Word: name}
			if m.at >= size {
				continue
			}
			if n := len(out); n > 0 && out[n-1].PC == e.PC {
				out[n-1] = e
				continue
			}
			out = append(out, e)
		}
	}
	for n, at := range words {
		add(at, names[n], maps[n], len(p.Words[n]))
	}
	name := ""
	if len(mainMarks) > 0 {
		name = i.s.bodies[xt].name
	}
	add(mainAt, name, mainMarks, len(p.Main))
	return out
}
