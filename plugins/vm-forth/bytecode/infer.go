package bytecode

import (
	"fmt"
	"slices"
)

// The inference walks each body once in the order of its instructions, and again from where a loop changes what was
// known. Values below what a body has put on the stack itself are its inputs, made when they are first looked at. What
// kind an input has to be comes from what is done with it: kinds are nodes of a union-find structure, as in
// Hindley-Milner inference, and those of inputs begin open. A word's calls are of words before it, whose effects are
// known then, or of itself: then the effect without recursion is assumed first, and has to come out again.

// Nodes below openNode are fixed.
const (
	intNode int32 = iota
	bytesNode
	anyNode
	loopNode
	openNode
)

// maxRounds is how often a word that calls itself is looked at.
const maxRounds = 4

type inference struct {
	p       *Program
	lim     *Limits
	budget  int
	slots   []Kind
	stored  []uint8 // kinds that go into each slot, by bit
	initial slotSet // slots that may be read as they are in the beginning, when they hold an integer
	words   []summary
	targets []bool // instructions that are jumped to
	entries []Entry
}

// summary is the effect of a body. Kinds are nodes; an open one is openNode and the number of the first input of that kind.
type summary struct {
	problem             *problem
	in, out             []int32
	returns             bool
	maxStack, maxReturn int
	gas                 int64
}

func (s *summary) same(o *summary) bool {
	return slices.Equal(s.in, o.in) && slices.Equal(s.out, o.out) && s.returns == o.returns
}

// item is a value: its node, and the instruction that pushed it if that is known, or -1.
type item struct{ node, from int32 }

// state is the stacks before an instruction: low inputs are on stack, or were taken; the rest is below.
type state struct {
	set        bool
	low        int
	stack, ret []item
}

func (s *state) size() int { return len(s.stack) + len(s.ret) + 1 }

// program infers the effects of all bodies.
func (x *inference) program() *Effects {
	p := x.p
	x.targets = make([]bool, len(p.Ins))
	for i := range p.Ins {
		if Opcodes[p.Ins[i].Op].Operand == JumpOperand {
			x.targets[p.Ins[i].Arg] = true
		}
	}
	e := &Effects{Words: make([]Effect, len(p.Starts))}
	for round := 0; ; round++ {
		x.stored, x.words, x.entries = make([]uint8, len(x.slots)), x.words[:0], make([]Entry, len(p.Ins))
		for w := range p.Starts {
			x.words = append(x.words, x.word(w))
		}
		main := x.word(len(p.Starts))
		if changed := x.settle(); changed && round < maxRounds {
			continue
		} else if changed && main.problem == nil {
			main = summary{problem: &problem{text: "what the slots hold is not found"}}
		}
		for w := range x.words {
			e.Words[w] = x.words[w].effect()
		}
		e.Main, e.At, e.Slots = main.effect(), x.entries, x.slots
		return e
	}
}

// settle takes slots to hold what went into them. It says whether that is something else than was thought.
func (x *inference) settle() (changed bool) {
	for n, stored := range x.stored {
		if x.slots[n] == AnyKind {
			continue
		}
		if x.initial.has(int64(n)) {
			stored |= 1 << IntKind
		}
		if x.slots[n] == BytesKind {
			stored |= 1 << BytesKind
		}
		kind := x.slots[n]
		switch stored {
		case 0:
		case 1 << IntKind, 1 << BytesKind:
			kind = Kind(stored >> 1)
		default:
			kind = AnyKind
		}
		changed = changed || kind != x.slots[n]
		x.slots[n] = kind
	}
	return changed
}

// word infers the effect of a word, or of the main body.
func (x *inference) word(w int) summary {
	var assumed *summary
	for range maxRounds {
		b := x.body(w, assumed)
		b.walk()
		s := b.summary()
		if s.problem != nil || !b.recursive || (assumed != nil && assumed.same(&s)) {
			if s.problem == nil {
				b.entries()
				s.problem = b.problem
			}
			return s
		}
		assumed = &s
	}
	first, _ := x.p.bounds(w)
	return summary{problem: &problem{x.p.Ins[first].PC, "what the recursion leaves is not found"}}
}

// body is what is found out of one body.
type body struct {
	*inference
	word        int
	first, last int32
	assumed     *summary // of the body itself
	recursive   bool
	loops       bool
	problem     *problem
	parents     []int32
	inputs      []int32
	at          []state // before each instruction, and one more: at the end of the body
	next        [][2]int32
	runs        []int32 // words that instructions run, or -1
	pending     []bool
	cursor      int32
	taken       []item
}

func (x *inference) body(w int, assumed *summary) *body {
	first, last := x.p.bounds(w)
	b := &body{inference: x, word: w, first: first, last: last, assumed: assumed, parents: []int32{intNode, bytesNode, anyNode, loopNode}}
	n := int(b.last - b.first + 1)
	b.at, b.next, b.runs, b.pending = make([]state, n+1), make([][2]int32, n), make([]int32, n), make([]bool, n)
	for i := range n {
		b.next[i], b.runs[i] = [2]int32{-1, -1}, -1
	}
	return b
}

func (b *body) fail(i int32, format string, args ...any) {
	if b.problem == nil {
		b.problem = &problem{b.p.Ins[i].PC, b.p.name(i) + ": " + fmt.Sprintf(format, args...)}
	}
}

func (p *Program) name(i int32) string {
	if in := &p.Ins[i]; in.Op == OpEnv {
		return Environment[in.Arg].Name
	}
	return Opcodes[p.Ins[i].Op].Name
}

func (b *body) find(n int32) int32 {
	for b.parents[n] != n {
		b.parents[n] = b.parents[b.parents[n]]
		n = b.parents[n]
	}
	return n
}

// join is what a value is that is one or the other.
func (b *body) join(m, n int32) int32 {
	m, n = b.find(m), b.find(n)
	switch {
	case m == n:
		return m
	case m >= openNode && n != anyNode && n != loopNode:
		b.parents[m] = n
		return n
	case n >= openNode && m != anyNode && m != loopNode:
		b.parents[n] = m
		return m
	}
	return anyNode
}

// walk finds the stacks before each instruction.
func (b *body) walk() {
	b.at[0].set, b.pending[0] = true, true
	for b.cursor = 0; int(b.cursor) < len(b.pending) && b.problem == nil; {
		i := b.cursor
		b.cursor++
		b.budget--
		if !b.pending[i] {
			continue
		}
		b.pending[i] = false
		s := &b.at[i]
		if b.budget -= s.size(); b.budget < 0 {
			b.fail(b.first+i, "the program is too complicated to be understood")
			return
		}
		b.step(b.first+i, &state{true, s.low, slices.Clone(s.stack), slices.Clone(s.ret)})
	}
}

// flow goes on at an instruction, or at the end with last+1.
func (b *body) flow(from, to int32, s *state) {
	if b.problem != nil {
		return
	}
	if to <= b.last {
		next := &b.next[from-b.first]
		if to <= from {
			b.loops = true
		}
		if next[0] < 0 || next[0] == to {
			next[0] = to
		} else {
			next[1] = to
		}
	}
	t := &b.at[to-b.first]
	changed := !t.set
	b.budget -= s.size()
	if !t.set {
		*t = state{true, s.low, slices.Clone(s.stack), slices.Clone(s.ret)}
	} else {
		if len(t.stack)-t.low != len(s.stack)-s.low {
			b.fail(from, "%d values here, %d there, where two ways meet", len(s.stack)-s.low, len(t.stack)-t.low)
			return
		}
		if len(t.ret) != len(s.ret) && to <= b.last {
			b.fail(from, "the return stack differs where two ways meet")
			return
		}
		for i := range t.ret {
			if to <= b.last && (b.find(t.ret[i].node) == loopNode) != (b.find(s.ret[i].node) == loopNode) {
				b.fail(from, "the return stack differs where two ways meet")
				return
			}
		}
		b.deepen(t, s.low)
		u := &state{low: s.low, stack: s.stack}
		b.deepen(u, t.low)
		changed = b.merge(t.stack, u.stack)
		if to <= b.last && b.merge(t.ret, s.ret) {
			changed = true
		}
	}
	if changed && to <= b.last {
		b.pending[to-b.first] = true
		b.cursor = min(b.cursor, to-b.first)
	}
}

func (b *body) merge(t, s []item) (changed bool) {
	for i := range t {
		before := b.find(t[i].node)
		n := b.join(before, s[i].node)
		if n == anyNode && before != anyNode {
			changed = true
		}
		t[i].node = n
		if t[i].from >= 0 && t[i].from != s[i].from {
			t[i].from, changed = -1, true
		}
	}
	return changed
}

// input is the node of an input, counted from the top.
func (b *body) input(n int) item {
	for len(b.inputs) <= n {
		b.inputs = append(b.inputs, int32(len(b.parents)))
		b.parents = append(b.parents, int32(len(b.parents)))
	}
	return item{b.inputs[n], -1}
}

// deepen puts inputs on the stack until low of them are, or were.
func (b *body) deepen(s *state, low int) {
	if s.low >= low {
		return
	}
	b.budget -= len(s.stack) + low - s.low
	deeper := make([]item, 0, low-s.low+len(s.stack))
	for n := low - 1; n >= s.low; n-- {
		deeper = append(deeper, b.input(n))
	}
	s.stack, s.low = append(deeper, s.stack...), low
}

func (b *body) need(s *state, n int) { b.deepen(s, s.low+n-len(s.stack)) }

func (b *body) pop(s *state) item {
	b.need(s, 1)
	v := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	return v
}

// want demands a kind.
func (b *body) want(i int32, v item, node int32) {
	if n := b.find(v.node); n >= openNode {
		b.parents[n] = node
	} else if n != node {
		b.fail(i, "it takes %s, there may be %s", kindOf(node), kindOf(n))
	}
}

func kindOf(node int32) Kind {
	switch node {
	case intNode:
		return IntKind
	case bytesNode:
		return BytesKind
	case loopNode:
		return LoopKind
	}
	return AnyKind
}

func (s *state) push(nodes ...int32) {
	for _, n := range nodes {
		s.stack = append(s.stack, item{n, -1})
	}
}

// summary says what was found. It is not the end of it if the body calls itself.
func (b *body) summary() summary {
	if b.problem == nil && len(b.inputs) > int(b.lim.StackDepth) {
		b.fail(b.first, "it takes more values than a stack has")
	}
	if b.problem != nil {
		return summary{problem: b.problem}
	}
	s := summary{in: make([]int32, len(b.inputs))}
	node := func(n int32) int32 {
		if n = b.find(n); n < openNode {
			return n
		}
		for i := len(b.inputs) - 1; ; i-- {
			if b.find(b.inputs[i]) == n {
				return openNode + int32(len(b.inputs)-1-i)
			}
		}
	}
	for i := range s.in {
		s.in[i] = node(b.inputs[len(b.inputs)-1-i])
	}
	if end := &b.at[len(b.at)-1]; end.set {
		s.returns = true
		b.deepen(end, len(b.inputs))
		for _, v := range end.stack {
			s.out = append(s.out, node(v.node))
		}
	}
	b.bounds(&s)
	return s
}

// bounds finds what a body uses at most.
func (b *body) bounds(s *summary) {
	unbounded := false
	s.maxStack = len(s.in)
	gas := make([]int64, len(b.next))
	for i := len(b.next) - 1; i >= 0; i-- {
		t := &b.at[i]
		if !t.set {
			continue
		}
		in := &b.p.Ins[int(b.first)+i]
		height, ret, cost := len(b.inputs)-t.low+len(t.stack), len(t.ret), b.cost(in, t)
		s.maxStack, s.maxReturn = max(s.maxStack, height+int(in.Grows)), max(s.maxReturn, ret+returnCells(in.Op))
		if w := b.runs[i]; w == int32(b.word) {
			unbounded = true
		} else if w >= 0 {
			c := &b.words[w]
			if c.maxStack < 0 {
				unbounded = true
			}
			s.maxStack = max(s.maxStack, height-int(in.Needs)-len(c.in)+c.maxStack)
			s.maxReturn = max(s.maxReturn, ret+returnCells(in.Op)+c.maxReturn)
			if cost += c.gas; c.gas < 0 {
				b.loops = true
			}
		}
		for _, to := range b.next[i] {
			if to > b.first+int32(i) {
				gas[i] = max(gas[i], gas[to-b.first])
			}
		}
		if gas[i] += cost; gas[i] > 1<<40 {
			b.loops = true
		}
	}
	s.gas = gas[0]
	if b.loops || unbounded {
		s.gas = -1
	}
	if unbounded {
		s.maxStack, s.maxReturn = -1, -1
	}
}

// returnCells is what an instruction puts on the return stack, before what it runs.
func returnCells(op Opcode) int {
	switch op {
	case OpCall, OpCallHash, OpExecute, OpToR:
		return 1
	case OpDo, OpQDo:
		return 2
	case OpCatch:
		return catchCells
	}
	return 0
}

// catchCells bounds what a catch keeps on the return stack.
const catchCells = 4

// entries writes down what was found for each instruction.
func (b *body) entries() {
	for i := range b.next {
		t := &b.at[i]
		e := &b.inference.entries[int(b.first)+i]
		if *e = (Entry{Word: -1}); !t.set {
			continue
		}
		if b.budget -= len(b.inputs) + t.size(); b.budget < 0 {
			b.fail(b.first, "the program is too complicated to be understood")
			return
		}
		e.Reached, e.Fused, e.Word = true, b.fused(b.first+int32(i)), int(b.runs[i])
		b.deepen(t, len(b.inputs))
		e.Stack, e.Return = b.kinds(t.stack), b.kinds(t.ret)
	}
}

func (b *body) kinds(list []item) []Kind {
	out := make([]Kind, len(list))
	for i, v := range list {
		out[i] = kindOf(b.find(v.node))
	}
	return out
}

// effect is the form of a summary for others.
func (s *summary) effect() Effect {
	if s.problem != nil {
		return Effect{Unknown: s.problem.String()}
	}
	e := Effect{Returns: s.returns, MaxStack: s.maxStack, MaxReturn: s.maxReturn, Gas: s.gas}
	values := func(nodes []int32) (out []Value) {
		for _, n := range nodes {
			v := Value{Kind: kindOf(n), From: -1}
			if n >= openNode {
				v.From = int(n - openNode)
			}
			out = append(out, v)
		}
		return out
	}
	e.Takes, e.Leaves = values(s.in), values(s.out)
	return e
}
