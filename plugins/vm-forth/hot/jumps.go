package hot

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// end is the end of a body.
func (w *walker) end(in *bytecode.Instr, i int) bool {
	if w.nesting > 0 { // in place of a call: the walk goes on behind it
		if len(w.rs) == 0 || w.rs[len(w.rs)-1].k != kFrame {
			w.giveUp()
		}
		return false
	}
	if w.f.word == mainWord {
		w.finish(false)
		return false
	}
	if len(w.rs) > 0 {
		w.giveUp()
		return false
	}
	w.edges = append(w.edges, edge{to: -1, st: slices.Clone(w.st)})
	if w.e != nil {
		w.flush()
		w.e.c.get(w.e.gas)
		for n := len(w.st) - w.f.low - 1; n >= 0; n-- {
			w.load(n)
		}
		w.e.c.op(wReturn)
		w.e.ended = true
	}
	return false
}

// finish ends the run.
func (w *walker) finish(loose bool) {
	n := len(w.st)
	if n < results || n > results && !loose {
		w.f.short, w.f.low = true, 0
		w.giveUp()
		return
	}
	if !w.need(results) || !w.is("nnn") {
		return
	}
	main := w.f.word == mainWord
	if main {
		w.edges = append(w.edges, edge{to: -1})
	}
	if w.e == nil {
		if !main {
			w.t.ends = true
			w.dead = true
		}
		return
	}
	w.flush()
	w.checkGas()
	if main {
		w.e.c.get(w.e.gas)
		w.e.c.global(gTouched)
		for n := results - 1; n >= 0; n-- {
			w.load(n)
		}
		w.e.c.op(wReturn)
		w.e.ended = true
		return
	}
	w.e.c.get(w.e.gas)
	w.e.c.setGlobal(gGas)
	for n := range results {
		w.load(results - 1 - n)
		w.e.c.setGlobal(gResult + n)
	}
	w.e.c.int(1)
	w.e.c.setGlobal(gDone)
	w.dead = true // the trap that follows ends the run
}

// jumpZero is a conditional jump. kept says that the value stays where it is not 0.
func (w *walker) jumpZero(in *bytecode.Instr, i int, b *block, kept bool) bool {
	fused := w.fused
	w.fused = false
	if !w.is("n") {
		return false
	}
	if w.e != nil && !fused {
		w.load(0)
		w.e.c.int(0)
		w.e.c.op(wNe)
	}
	v := *w.top(0)
	w.pop(1)
	zero := w.to(int(in.Arg))
	if kept {
		w.push(val{k: v.k})
	}
	other := w.to(i + 1)
	if w.e != nil {
		w.flush()
		w.e.branch(w.f.at[b.first], other, zero)
	}
	return false
}

// maybeDup is ?dup. What it leaves is known right before a conditional jump, or where the value is.
func (w *walker) maybeDup(in *bytecode.Instr, i int, last bool, b *block) bool {
	if !w.is("n") {
		return false
	}
	if last || w.t.p.Ins[i+1].Op != bytecode.OpJumpZero {
		v := *w.top(0)
		if !v.known {
			w.giveUp()
			return false
		}
		if v.v != 0 {
			w.push(v)
			if w.e != nil {
				w.e.c.int(v.v)
				w.store(0)
			}
		}
		return true
	}
	next := &w.t.p.Ins[i+1]
	w.gas += int64(next.Gas)
	return w.jumpZero(next, i+1, b, true)
}

// do is do and ?do.
func (w *walker) do(in *bytecode.Instr, i int, b *block) bool {
	if !w.is("nn") {
		return false
	}
	w.rroom(2)
	limit, index := *w.top(1), *w.top(0)
	if w.e != nil {
		w.load(1)
		w.e.c.set(w.rplace(-1))
		w.load(0)
		w.e.c.set(w.rplace(-2))
		if in.Op == bytecode.OpQDo {
			w.load(0)
			w.load(1)
			w.e.c.op(wNe)
		}
	}
	w.pop(2)
	skip := 0
	if in.Op == bytecode.OpQDo {
		skip = w.to(int(in.Arg))
	}
	limit.k, index.k = kLoop, kLoop
	w.rs = append(w.rs, limit, index)
	if in.Op == bytecode.OpDo {
		return true
	}
	enter := w.to(i + 1)
	if w.e != nil {
		w.flush()
		w.e.branch(w.f.at[b.first], enter, skip)
	}
	return false
}

// loop is loop and +loop.
func (w *walker) loop(in *bytecode.Instr, i int, b *block) bool {
	plus := in.Op == bytecode.OpPlusLoop
	if plus && !w.is("n") {
		return false
	}
	n := len(w.rs)
	if n < 2 || w.rs[n-1].k != kLoop {
		w.giveUp()
		return false
	}
	if e := w.e; e != nil {
		limit := func() {
			if v := w.rs[n-2]; v.known {
				e.c.int(v.v)
			} else {
				e.c.get(w.rplace(1))
			}
		}
		index := w.rplace(0)
		if !plus {
			e.c.get(index)
			e.c.int(1)
			e.c.op(wAdd)
			e.c.tee(index)
			limit()
			e.c.op(wNe)
		} else {
			// It ends when (x^(x+step)) & (x^step) is negative, x being how far the index is above the limit.
			x := e.temp
			e.c.get(index)
			limit()
			e.c.op(wSub)
			e.c.tee(x)
			e.c.get(x)
			w.load(0)
			e.c.op(wAdd, wXor)
			e.c.get(x)
			w.load(0)
			e.c.op(wXor, wAnd)
			e.c.int(0)
			e.c.op(wGeS)
			e.c.get(index)
			w.load(0)
			e.c.op(wAdd)
			e.c.set(index)
		}
	}
	if plus {
		w.pop(1)
	}
	w.rs[n-1] = val{k: kLoop}
	again := w.to(int(in.Arg))
	w.rs = w.rs[:n-2]
	out := w.to(i + 1)
	if w.e != nil {
		w.flush()
		w.e.branch(w.f.at[b.first], again, out)
	}
	return false
}
