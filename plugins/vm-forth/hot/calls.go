package hot

import "github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"

// call is a call of a word, in whatever way.
func (w *walker) call(in *bytecode.Instr) {
	word, catch := mainWord, false
	switch in.Op {
	case bytecode.OpCall, bytecode.OpRecurse:
		word = w.t.wordAt(in.Arg)
	case bytecode.OpCallHash:
		v := *w.top(0)
		if v.k != kBytes || !v.known {
			w.giveUp()
			return
		}
		lit := w.t.p.Ins[v.v].Arg
		start, ok := w.t.p.Find(w.t.p.Code[lit>>16 : lit>>16+lit&0xffff])
		if !ok { // it may be in the evidence
			w.giveUp()
			return
		}
		word = w.t.wordAt(int64(start))
		// The module is for evidence that has no words of its own.
		w.gas += int64(len(w.t.p.Hashes)) / bytecode.GasWordsPerProbe
		w.t.byHash = true
		w.pop(1)
	default:
		v := *w.top(0)
		if v.k != kInt || !v.known || v.v < 0 || v.v >= int64(len(w.t.p.Starts)) {
			w.giveUp()
			return
		}
		word, catch = int(v.v), in.Op == bytecode.OpCatch
		w.pop(1)
	}
	frame := 1
	if catch {
		frame = catchCells
	}
	w.rroom(frame)
	if !catch && w.inline(word) || w.dead || w.err != nil {
		return
	}
	f := w.f
	self := word == f.word
	callee := f
	if !self {
		var err error
		if callee, err = w.t.analyse(word, w.st); err != nil {
			w.err = err
			return
		}
		if callee == nil { // words that call each other
			w.giveUp()
			return
		}
		if w.t.anew {
			w.giveUp()
			return
		}
	} else {
		f.self, f.recursive = true, true
		f.growD, f.stepR = max(f.growD, len(w.st)-w.base), min(f.stepR, len(w.rs)+frame)
		if !f.sums {
			w.giveUp()
			return
		}
	}
	takes := len(callee.in)
	if !w.need(takes) {
		return
	}
	for i, k := range callee.in {
		if w.st[len(w.st)-takes+i].k != k {
			w.err = unsuitable("a word calls itself with values of other types than it was called with")
			return
		}
	}
	if !self {
		f.recursive = f.recursive || callee.recursive
		f.usesDepth = f.usesDepth || callee.usesDepth
		f.maxD = max(f.maxD, len(w.st)-w.base+callee.maxD)
		f.deepD = max(f.deepD, len(w.st)-w.base+callee.deepD)
		f.maxR = max(f.maxR, len(w.rs)+frame+callee.maxR)
		f.short = f.short || callee.short
		if callee.short {
			f.low = 0
		}
	}
	if w.e != nil {
		w.flush()
		w.e.c.get(w.e.gas)
		if callee.carriesR() {
			if w.e.r >= 0 {
				w.e.c.get(w.e.r)
				w.e.c.int(int64(len(w.rs) + frame))
				w.e.c.op(wAdd)
			} else {
				w.e.c.int(int64(len(w.rs) + frame))
			}
		}
		if callee.carriesD() {
			w.e.pushDepth(w)
		}
		for n := takes - 1; n >= 0; n-- {
			w.load(n)
		}
		w.e.c.call(w.t.reference(callee))
	}
	if !callee.returns {
		if w.e != nil {
			w.e.c.op(wUnreachable)
		}
		w.giveUp()
		return
	}
	w.pop(takes)
	for _, k := range callee.out {
		w.push(val{k: k})
	}
	w.room(0)
	if w.e != nil {
		for n := range callee.out {
			w.store(n)
		}
		w.e.c.set(w.e.gas)
	}
	if catch {
		w.room(1)
		w.push(val{k: kInt, known: true})
		if w.e != nil {
			w.e.c.int(0)
			w.store(0)
		}
	}
}

// inline puts a short word without jumps in place of its call.
func (w *walker) inline(word int) bool {
	start, end := w.t.body(word)
	if w.nesting == 8 || end-start > maxInline {
		return false
	}
	for _, in := range w.t.p.Ins[start:end] {
		switch in.Op {
		case bytecode.OpJump, bytecode.OpJumpZero, bytecode.OpQDo, bytecode.OpDo, bytecode.OpLoop, bytecode.OpPlusLoop, bytecode.OpExit, bytecode.OpReturn,
			bytecode.OpRecurse, bytecode.OpCatch, bytecode.OpExecute, bytecode.OpCallHash, bytecode.OpQDup, bytecode.OpFail:
			return false
		}
	}
	w.nesting++
	w.rs = append(w.rs, val{k: kFrame})
	for i := start; i <= end; i++ {
		if w.t.steps++; w.t.steps > maxSteps {
			w.err = unsuitable("it takes too much work to analyse")
		}
		if w.err != nil || !w.instruction(&w.t.p.Ins[i], i, true, nil) {
			break
		}
	}
	w.nesting--
	if !w.dead && w.err == nil {
		w.rs = w.rs[:len(w.rs)-1]
	}
	return true
}

// carriesR says that a function is told how much of the return stack is in use, carriesD, how much of the data stack.
func (f *fn) carriesR() bool { return f.recursive }

func (f *fn) carriesD() bool { return f.usesDepth || f.recursive && f.t.carryD }

// catchCells is what a catch takes of the return stack: its frame is that of the call, too.
const catchCells = 1
