package hot

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// emitter writes the WebAssembly of a body. Jumps become blocks and loops along the dominator tree, as in N. Ramsey,
// "Beyond Relooper", 2022: a block stands within those that it jumps forward to, and a loop's head around all that it
// dominates. What has a loop with two entries cannot be written so.
type emitter struct {
	c      code
	f      *fn
	gas    int // locals
	r, d   int // what is used of the return stack, of the data stack; -1: known
	stack  int // the first value that is taken
	rstack int
	temp   int // three of them
	labels []int
	ended  bool // the last block left the function
	order  []int
	number []int // of a block in order
	idom   []int
	merge  []bool // blocks that more than one jump leads forward to
	head   []bool // of a loop
	kids   [][]int
	err    error
	blocks int // of WebAssembly
}

const temps = 3

func (t *translation) reference(f *fn) int {
	if f.index == 0 {
		f.index = t.b.reserve()
		t.queue = append(t.queue, f)
	}
	return f.index
}

// emit writes a body.
func (t *translation) emit(f *fn) error {
	e := &emitter{f: f, r: -1, d: -1}
	takes, sig := 1, 0
	if f.word == mainWord {
		takes = 2 // gas, and what is touched
	} else {
		if f.carriesR() {
			e.r = takes
			takes++
		}
		if f.carriesD() {
			e.d = takes
			takes++
		}
	}
	e.stack = takes
	sig = takes + f.entry - f.low
	e.rstack = e.stack + f.entry - f.low + f.localD
	e.temp = e.rstack + f.localR
	locals := e.temp + temps - sig
	leaves := len(f.out)
	if f.word == mainWord {
		leaves = 1 + results
	}
	if err := e.arrange(); err != nil {
		return err
	}
	e.c.op(wBlock, noType)
	if f.word == mainWord {
		e.c.get(1)
		e.c.call(helper(fSetTouched))
		e.c.int(0)
		e.c.setGlobal(gDone)
		for _, s := range t.usedSlots() {
			e.c.int(t.slotStart(s))
			e.c.setGlobal(gSlots + int(s))
		}
	} else {
		e.c.get(e.gas)
		e.c.int(0)
		e.failIf(wLtS)
		if e.r >= 0 {
			e.limit(e.r, int64(f.maxR), t.lim.ReturnDepth)
		}
		if e.d >= 0 && f.recursive {
			e.limit(e.d, int64(f.maxD), t.lim.StackDepth)
		}
	}
	e.tree(0)
	if e.err != nil {
		return e.err
	}
	e.c.op(wEnd, wUnreachable)
	// The compiler looks at each local in each block.
	t.b.cost += int64(len(e.c) + e.blocks*(locals+sig)/4)
	if t.size += len(e.c); t.size > maxEmitted {
		return unsuitable("its translation is longer than %d bytes", maxEmitted)
	}
	t.b.define(f.index, signature(longs(sig), longs(1+leaves)), locals, e.c)
	return nil
}

// limit leaves the module if a depth and what comes on top are more than there may be.
func (e *emitter) limit(local int, more, most int64) {
	e.c.get(local)
	e.c.int(most - more)
	e.failIf(wGtS)
}

// inverse has for each comparison the one that holds where it does not.
var inverse = map[byte]byte{wEq: wNe, wNe: wEq, wLtS: wGeS, wGeS: wLtS, wLtU: wGeU, wGeU: wLtU, wGtS: wLeS, wLeS: wGtS, isSet: wEqz32}

// isSet stands for what takes an i32 that is not 0 for true.
const isSet = 0

// failIf compares, and leaves the module if the comparison holds. What goes on comes first, so that it need not jump.
func (e *emitter) failIf(op byte) {
	e.blocks++
	e.c.op(inverse[op], wIf, noType, wElse, wBr)
	e.c.u(uint64(e.depth() + 1))
	e.c.op(wEnd)
}

// opaque hides from the compiler how the value on top came about. wazero 1.12 makes a single test of a conditional jump that compares 0
// with the result of an and, and takes the flags as if the two had been compared in this order: "0 > (x and y)" jumps as
// "(x and y) > 0" does. On arm64 it is wrong too for numbers without a sign with the 0 on the other side. Equality, and numbers with a
// sign that are compared with a 0 on the right, are not concerned.
func (e *emitter) opaque() {
	e.c.int(0)
	e.c.op(wOr)
}

// depth is how far out the place is that all doubts lead to.
func (e *emitter) depth() int { return len(e.labels) }

// arrange finds the order of the blocks, what dominates what, and where loops and merges are.
func (e *emitter) arrange() error {
	blocks := e.f.blocks
	n := len(blocks)
	e.number, e.idom = slices.Repeat([]int{-1}, n), slices.Repeat([]int{-1}, n)
	e.merge, e.head, e.kids = make([]bool, n), make([]bool, n), make([][]int, n)
	type visit struct{ x, next int }
	seen := make([]bool, n)
	seen[0] = true
	for path := []visit{{}}; len(path) > 0; {
		v := &path[len(path)-1]
		if v.next < len(blocks[v.x].succ) {
			y := blocks[v.x].succ[v.next]
			v.next++
			if !seen[y] {
				seen[y] = true
				path = append(path, visit{x: y})
			}
			continue
		}
		e.order = append(e.order, v.x)
		path = path[:len(path)-1]
	}
	slices.Reverse(e.order)
	for i, x := range e.order {
		e.number[x] = i
	}
	preds := make([][]int, n)
	for _, x := range e.order {
		for _, y := range blocks[x].succ {
			preds[y] = append(preds[y], x)
		}
	}
	e.idom[0] = 0
	for changed := true; changed; {
		changed = false
		for _, x := range e.order[1:] {
			d := -1
			for _, p := range preds[x] {
				if e.idom[p] < 0 {
					continue
				}
				if d < 0 {
					d = p
					continue
				}
				for a := p; a != d; { // the nearest that dominates both
					for e.number[a] > e.number[d] {
						a = e.idom[a]
					}
					for e.number[d] > e.number[a] {
						d = e.idom[d]
					}
				}
			}
			if e.idom[x] != d {
				e.idom[x], changed = d, true
			}
		}
	}
	for _, x := range e.order {
		forward := 0
		for _, p := range preds[x] {
			if e.number[p] < e.number[x] {
				forward++
				continue
			}
			if !e.dominates(x, p) {
				return unsuitable("a loop has two entries")
			}
			e.head[x] = true
		}
		e.merge[x] = forward > 1
		if x != 0 {
			e.kids[e.idom[x]] = append(e.kids[e.idom[x]], x)
		}
	}
	return nil
}

func (e *emitter) dominates(x, y int) bool {
	for e.number[y] > e.number[x] {
		y = e.idom[y]
	}
	return x == y
}

// tree writes a block and all that it dominates.
func (e *emitter) tree(x int) {
	if e.err != nil {
		return
	}
	if len(e.labels) > maxNesting {
		e.err = unsuitable("blocks within blocks, more than %d deep", maxNesting)
		return
	}
	var merges []int // in the order of the code
	for _, k := range e.kids[x] {
		if e.merge[k] {
			merges = append(merges, k)
		}
	}
	e.blocks += len(merges)
	if e.head[x] {
		e.blocks++
		e.c.op(wLoop, noType)
		e.labels = append(e.labels, x)
		e.c.get(e.gas)
		e.c.int(0)
		e.failIf(wLtS)
	}
	for i := range merges {
		e.c.op(wBlock, noType)
		e.labels = append(e.labels, merges[len(merges)-1-i])
	}
	w := walker{t: e.f.t, f: e.f, e: e, base: e.f.entry}
	e.ended = false
	if _, err := w.block(x); err != nil {
		e.err = err
	}
	for _, k := range merges {
		e.c.op(wEnd)
		e.labels = e.labels[:len(e.labels)-1]
		e.tree(k)
	}
	if e.head[x] {
		e.c.op(wEnd)
		e.labels = e.labels[:len(e.labels)-1]
	}
	e.ended = true
}

// reach returns how far out the label of a block is, for a jump from another; ok is false if the block is written in place.
func (e *emitter) reach(from, to int) (int, bool) {
	if e.number[to] > e.number[from] && !e.merge[to] {
		return 0, false
	}
	for i := len(e.labels) - 1; i >= 0; i-- {
		if e.labels[i] == to {
			return len(e.labels) - 1 - i, true
		}
	}
	e.err = unsuitable("a jump cannot be written")
	return 0, true
}

// leave goes on with another block.
func (e *emitter) leave(from, to int) {
	e.ended = true
	if n, ok := e.reach(from, to); ok {
		e.c.op(wBr)
		e.c.u(uint64(n))
		return
	}
	e.tree(to)
	e.ended = true
}

// branch goes on with one of two blocks, with the first if the i32 on top is not 0. It never jumps right to a place that
// others lead to: for such jumps wazero does not join comparison and jump.
func (e *emitter) branch(from, yes, no int) {
	e.ended = true
	e.blocks++
	e.c.op(wIf, noType)
	e.labels = append(e.labels, -1)
	e.leave(from, yes)
	e.c.op(wElse)
	e.leave(from, no)
	e.c.op(wEnd)
	e.labels = e.labels[:len(e.labels)-1]
	e.ended = true
}

// pushDepth pushes how many values are on the stack, those of all callers included.
func (e *emitter) pushDepth(w *walker) {
	if w.f.word == mainWord {
		e.c.int(int64(len(w.st)))
		return
	}
	e.c.get(e.d)
	e.c.int(int64(len(w.st) - w.base))
	e.c.op(wAdd)
}

func (t *translation) usedSlots() []int64 {
	var out []int64
	for i := range t.p.Ins {
		if bytecode.Opcodes[t.p.Ins[i].Op].Operand == bytecode.SlotOperand {
			out = append(out, t.p.Ins[i].Arg)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > 0 {
		t.b.slots = max(t.b.slots, int(out[len(out)-1])+1)
	}
	return out
}

// slotStart is what a slot has at first: 0, or, where it holds bytes later, what no bytes are, since it is an error to take
// it for bytes before.
func (t *translation) slotStart(s int64) int64 {
	if t.slots[s] == kBytes {
		return noBytes
	}
	return 0
}

const noBytes = -1
