package hot

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// simple goes through an instruction that neither jumps nor calls nor needs the engine. fuse says that a conditional jump
// follows, for which a comparison may leave its result on WebAssembly's own stack.
func (w *walker) simple(in *bytecode.Instr, fuse bool) {
	switch in.Op {
	case bytecode.OpInt:
		w.push(val{k: kInt, known: true, v: in.Arg})
		if w.e != nil {
			w.e.c.int(in.Arg)
			w.store(0)
		}
	case bytecode.OpThrow:
		if !w.is("n") {
			return
		}
		if v := *w.top(0); v.known && v.v != 0 {
			w.giveUp()
			return
		}
		if w.e != nil {
			w.load(0)
			w.e.c.int(0)
			w.failIf(wNe)
		}
		w.pop(1)
	case bytecode.OpGas:
		if w.e != nil {
			w.flush()
		}
		w.push(val{k: kInt})
		if w.e != nil {
			w.e.c.get(w.e.gas)
			w.store(0)
		}
	case bytecode.OpDepth:
		if w.f.word == mainWord {
			n := int64(len(w.st))
			w.push(val{k: kInt, known: true, v: n})
			if w.e != nil {
				w.e.c.int(n)
				w.store(0)
			}
			return
		}
		w.f.usesDepth = true
		if w.e != nil {
			w.e.pushDepth(w)
		}
		w.push(val{k: kInt})
		if w.e != nil {
			w.store(0)
		}
	case bytecode.OpI, bytecode.OpJ:
		at := len(w.rs) - 1
		if in.Op == bytecode.OpJ {
			at -= 2
		}
		if at < 1 || w.rs[len(w.rs)-1].k != kLoop || w.rs[at].k != kLoop {
			w.giveUp()
			return
		}
		w.fromReturn(at)
	case bytecode.OpUnloop:
		if n := len(w.rs); n < 2 || w.rs[n-1].k != kLoop {
			w.giveUp()
		} else {
			w.rs = w.rs[:n-2]
		}
	case bytecode.OpToR:
		w.rroom(1)
		if w.e != nil {
			w.load(0)
			w.e.c.set(w.rplace(-1))
		}
		w.rs = append(w.rs, *w.top(0))
		w.pop(1)
	case bytecode.OpFromR, bytecode.OpRFetch:
		n := len(w.rs)
		if n == 0 || w.rs[n-1].k > kAny {
			w.giveUp()
			return
		}
		w.fromReturn(n - 1)
		if in.Op == bytecode.OpFromR {
			w.rs = w.rs[:n-1]
		}
	case bytecode.OpSlot:
		w.slot(in.Arg)
	case bytecode.OpSetSlot:
		v := *w.top(0)
		if k := join(w.t.slots[in.Arg], v.k); k != w.t.slots[in.Arg] {
			w.t.slots[in.Arg], w.t.anew = k, true
		}
		if w.e != nil {
			w.load(0)
			w.e.c.setGlobal(gSlots + int(in.Arg))
		}
		w.pop(1)
	case bytecode.OpPick, bytecode.OpRoll:
		w.pick(in)
	case bytecode.OpSame, bytecode.OpEqual, bytecode.OpNotEqual:
		w.equal(in, fuse)
	case bytecode.OpLen:
		if !w.is("b") {
			return
		}
		if w.e != nil {
			w.load(0)
			w.e.c.int(0xffff)
			w.e.c.op(wAnd)
			w.store(0)
		}
		*w.top(0) = val{k: kInt}
	case bytecode.OpFetch, bytecode.OpCFetch, bytecode.OpStore, bytecode.OpCStore, bytecode.OpAddStore:
		w.cell(in)
	default:
		switch {
		case w.shuffle(in.Op), w.wide(in.Op):
		case w.binary(in, fuse), w.unary(in, fuse):
		default:
			w.giveUp()
		}
	}
}

// fromReturn pushes a copy of a value of the return stack.
func (w *walker) fromReturn(at int) {
	v := w.rs[at]
	if v.k == kLoop {
		v.k = kInt
	}
	w.push(v)
	if w.e != nil {
		w.e.c.get(w.e.rstack + at)
		w.store(0)
	}
}

func (w *walker) slot(n int64) {
	k := w.t.slots[n]
	if k == kNone {
		k = kInt
	}
	w.push(val{k: k})
	if w.e == nil {
		return
	}
	w.e.c.global(gSlots + int(n))
	if k == kBytes {
		w.e.c.tee(w.e.temp)
		w.e.c.int(noBytes)
		w.failIf(wEq)
		w.e.c.get(w.e.temp)
	}
	w.store(0)
}

// pick is pick and roll, where it is known how deep.
func (w *walker) pick(in *bytecode.Instr) {
	v := *w.top(0)
	if v.k != kInt || !v.known || v.v < 0 || v.v >= int64(len(w.st)-1) {
		if v.known {
			w.f.short, w.f.low = true, 0
		}
		w.giveUp()
		return
	}
	n := int(v.v)
	if !w.need(n + 2) {
		return
	}
	w.gas += v.v / bytecode.GasDepth
	w.pop(1)
	if in.Op == bytecode.OpPick {
		if w.e != nil {
			w.load(n)
		}
		w.push(*w.top(n))
		if w.e != nil {
			w.store(0)
		}
		return
	}
	if w.e != nil {
		for i := n; i >= 0; i-- {
			w.load(i)
		}
	}
	at := len(w.st) - 1 - n
	x := w.st[at]
	copy(w.st[at:], w.st[at+1:])
	w.st[len(w.st)-1] = x
	if w.e != nil { // what was loaded last goes second
		for i := 1; i <= n; i++ {
			w.store(i)
		}
		w.store(0)
	}
}

// shuffles says which values, counted from the top of the stack, take the place of those that an instruction takes, bottom first.
var shuffles = map[bytecode.Opcode][]int{
	bytecode.OpDup: {0, 0}, bytecode.OpDrop: {}, bytecode.OpSwap: {0, 1}, bytecode.OpOver: {1, 0, 1}, bytecode.OpRot: {1, 0, 2},
	bytecode.OpMinusRot: {0, 2, 1}, bytecode.OpNip: {0}, bytecode.OpTuck: {0, 1, 0}, bytecode.Op2Dup: {1, 0, 1, 0}, bytecode.Op2Drop: {},
	bytecode.Op2Swap: {1, 0, 3, 2}, bytecode.Op2Over: {3, 2, 1, 0, 3, 2},
}

func (w *walker) shuffle(op bytecode.Opcode) bool {
	order, ok := shuffles[op]
	if !ok {
		return false
	}
	takes := int(bytecode.Opcodes[op].Takes)
	if len(order) == 0 {
		w.pop(takes)
		return true
	}
	moved := make([]val, len(order))
	for i, n := range order {
		moved[i] = *w.top(n)
	}
	first := 0
	for first < takes && first < len(order) && order[first] == takes-1-first {
		first++ // it stays where it is
	}
	if w.e != nil {
		for _, n := range order[first:] {
			w.load(n)
		}
	}
	w.pop(takes)
	w.st = append(w.st, moved...)
	if w.e != nil {
		for n := range len(order) - first {
			w.store(n)
		}
	}
	return true
}

// equal is for values of any type.
func (w *walker) equal(in *bytecode.Instr, fuse bool) {
	a, b := *w.top(1), *w.top(0)
	switch {
	case a.k == kAny || b.k == kAny || a.k == kBytes && b.k == kBytes:
		w.giveUp() // two byte strings are for the engine
	case a.k != b.k: // never equal
		w.pop(2)
		v := val{k: kInt, known: true}
		if in.Op == bytecode.OpNotEqual {
			v.v = -1
		}
		w.push(v)
		if w.e != nil {
			w.e.c.int(v.v)
			w.store(0)
		}
	default:
		op, one := byte(wEq), false
		if in.Op == bytecode.OpNotEqual {
			op = wNe
		}
		if in.Op == bytecode.OpSame {
			one = true
		}
		w.compare(2, op, one, fuse)
	}
}

// compare pops n values, of which the last is compared with 0 if there is one, and pushes a flag, -1 or, if one is set, 1.
func (w *walker) compare(n int, op byte, one, fuse bool) {
	if w.e != nil {
		w.load(n - 1)
		if fuse && op == wLtU {
			w.e.opaque()
		}
		if n == 2 {
			w.load(0)
			if fuse && op != wEq && op != wNe && !w.top(0).known {
				w.e.opaque()
			}
		} else {
			w.e.c.int(0)
		}
		w.e.c.op(op)
		if !fuse {
			w.e.c.op(wExtendU)
			if !one {
				w.e.c.set(w.e.temp)
				w.e.c.int(0)
				w.e.c.get(w.e.temp)
				w.e.c.op(wSub)
			}
		}
	}
	w.pop(n)
	w.push(val{k: kInt})
	if fuse {
		w.fused = true
	} else if w.e != nil {
		w.store(0)
	}
}

var comparisons = map[bytecode.Opcode]byte{
	bytecode.OpLess: wLtS, bytecode.OpGreater: wGtS, bytecode.OpLessEqual: wLeS, bytecode.OpGreaterEqual: wGeS, bytecode.OpULess: wLtU,
}
