package hot

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// cell reads and writes the data space.
func (w *walker) cell(in *bytecode.Instr) {
	if in.Op == bytecode.OpFetch || in.Op == bytecode.OpCFetch {
		if !w.is("n") {
			return
		}
	} else if !w.is("nn") {
		return
	}
	w.t.memory = true
	size, below := int64(8), gWhole
	if in.Op == bytecode.OpCFetch || in.Op == bytecode.OpCStore {
		size, below = 1, gTouched
	}
	if w.e != nil {
		c, t := &w.e.c, w.e.temp
		w.e.blocks++
		w.load(0)
		c.global(below)
		c.op(wLtU, wIf, noType, wElse)
		c.get(w.e.gas)
		w.load(0)
		c.int(size)
		c.call(helper(fTouch))
		c.set(w.e.gas)
		c.op(wEnd)
		w.load(0)
		c.op(wWrap)
		switch in.Op {
		case bytecode.OpFetch:
			c.memory(wLoad, 0)
			w.store(0)
		case bytecode.OpCFetch:
			c.memory(wLoad8, 0)
			w.store(0)
		case bytecode.OpStore:
			w.load(1)
			c.memory(wStore, 0)
		case bytecode.OpCStore:
			w.load(1)
			c.memory(wStore8, 0)
		case bytecode.OpAddStore:
			w.load(0)
			c.op(wWrap)
			c.memory(wLoad, 0)
			c.tee(t)
			w.load(1)
			c.op(wAdd)
			c.set(t + 1)
			c.get(t + 1) // the sum fits if it has the sign of one of the two
			c.get(t)
			c.op(wXor)
			c.get(t + 1)
			w.load(1)
			c.op(wXor, wAnd)
			c.int(0)
			w.failIf(wLtS)
			c.get(t + 1)
			c.memory(wStore, 0)
		}
	}
	if in.Op == bytecode.OpFetch || in.Op == bytecode.OpCFetch {
		*w.top(0) = val{k: kInt}
	} else {
		w.pop(2)
	}
}

// wide goes through the instructions on numbers of two cells, but those that divide.
func (w *walker) wide(op bytecode.Opcode) bool {
	takes := int(bytecode.Opcodes[op].Takes)
	leaves := int(bytecode.Opcodes[op].Leaves)
	switch op {
	case bytecode.OpMStar, bytecode.OpUMStar, bytecode.OpDAdd, bytecode.OpDSub, bytecode.OpDNegate, bytecode.OpDLess, bytecode.OpDULess:
	default:
		return false
	}
	if !w.is("nnnn"[:takes]) {
		return true
	}
	if w.e != nil {
		c, t := &w.e.c, w.e.temp
		flag := func() {
			c.op(wExtendU)
			c.set(t)
			c.int(0)
			c.get(t)
			c.op(wSub)
		}
		switch op {
		case bytecode.OpMStar, bytecode.OpUMStar:
			w.load(1)
			w.load(0)
			c.call(helper(fMulWide))
			if op == bytecode.OpMStar { // high -= (x<0 ? y : 0) + (y<0 ? x : 0)
				for _, two := range [][2]int{{1, 0}, {0, 1}} {
					w.load(two[1])
					w.load(two[0])
					c.int(63)
					c.op(wShrS, wAnd, wSub)
				}
			}
			w.store(0)
			w.store(1)
		case bytecode.OpDAdd: // places, from the top: high, low, high, low
			w.load(3)
			w.load(1)
			c.op(wAdd)
			c.tee(t)
			w.load(1)
			c.op(wLtU, wExtendU)
			w.load(2)
			c.op(wAdd)
			w.load(0)
			c.op(wAdd)
			c.set(t + 1)
			c.get(t)
			w.store(3)
			c.get(t + 1)
			w.store(2)
		case bytecode.OpDSub:
			w.load(2)
			w.load(0)
			c.op(wSub)
			w.load(3)
			w.load(1)
			c.op(wLtU, wExtendU, wSub)
			c.set(t)
			w.load(3)
			w.load(1)
			c.op(wSub)
			w.store(3)
			c.get(t)
			w.store(2)
		case bytecode.OpDNegate:
			c.int(0)
			w.load(0)
			c.op(wSub)
			w.load(1)
			c.int(0)
			c.op(wNe, wExtendU, wSub)
			c.set(t)
			c.int(0)
			w.load(1)
			c.op(wSub)
			w.store(1)
			c.get(t)
			w.store(0)
		case bytecode.OpDLess, bytecode.OpDULess:
			// high < high, or they are the same and low < low, which is unsigned
			w.load(2)
			w.load(0)
			c.op(pick(op == bytecode.OpDLess, wLtS, wLtU))
			w.load(2)
			w.load(0)
			c.op(wEq)
			w.load(3)
			w.load(1)
			c.op(wLtU, wAnd32, wOr32)
			flag()
			w.store(3)
		}
	}
	w.pop(takes)
	for range leaves {
		w.push(val{k: kInt})
	}
	return true
}
