package hot

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// walker goes through a block. It keeps what is known of both stacks, and, where it has an emitter, writes the block's
// WebAssembly. The same code does both, so that what is written rests on what was found out.
type walker struct {
	t       *translation
	f       *fn
	e       *emitter // nil while the body is being analysed
	st, rs  []val
	base    int   // values on the stack when the body starts
	gas     int64 // that has to be charged yet
	dead    bool  // the run is given up here
	fused   bool  // the condition of a jump has been left to WebAssembly's own stack
	nesting int   // words that were put in place of their calls
	edges   []edge
	err     error
}

// block goes through a block and returns the ways out of it.
func (w *walker) block(x int) ([]edge, error) {
	b := &w.f.blocks[x]
	w.st, w.rs = slices.Clone(b.st), slices.Clone(b.rs)
	for i := b.first; i < b.end; i++ {
		if w.t.steps++; w.t.steps > maxSteps {
			return nil, unsuitable("it takes too much work to analyse")
		}
		in := &w.t.p.Ins[i]
		last := i == b.end-1
		if !w.instruction(in, i, last, b) {
			break
		}
		if w.err != nil {
			return nil, w.err
		}
		if w.dead {
			break
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	if w.dead {
		w.edges = nil
		if w.e != nil {
			w.e.c.op(wUnreachable)
		}
	} else if len(w.edges) == 0 && w.e == nil || len(w.edges) == 0 && w.e != nil && !w.e.ended {
		// The block ends where another begins.
		w.to(b.end)
		if w.e != nil {
			w.flush()
			w.e.leave(x, w.edges[0].to)
		}
	}
	return w.edges, nil
}

// to adds an edge to the block that starts at an instruction.
func (w *walker) to(ins int) int {
	x, ok := w.f.at[ins]
	if !ok { // the loader lets no body end without its end
		w.err = unsuitable("a path leaves its body")
		return 0
	}
	w.t.steps += (len(w.st) + len(w.rs)) / 8
	w.edges = append(w.edges, edge{to: x, st: slices.Clone(w.st), rs: slices.Clone(w.rs)})
	return x
}

// giveUp says that the run leaves the module here, because it fails or because the module does not know better.
func (w *walker) giveUp() { w.dead = true }

func (w *walker) push(v val) { w.st = append(w.st, v) }

func (w *walker) pop(n int) { w.st = w.st[:len(w.st)-n] }

// top is the value that is n below the top.
func (w *walker) top(n int) *val { return &w.st[len(w.st)-1-n] }

// place is the local of the value that is n below the top.
func (w *walker) place(n int) int { return w.e.stack + len(w.st) - 1 - n - w.f.low }

// place of the value on the return stack that is n below its top.
func (w *walker) rplace(n int) int { return w.e.rstack + len(w.rs) - 1 - n }

func (w *walker) need(n int) bool {
	if len(w.st) < n {
		w.f.short = true
		w.f.low = 0
		w.giveUp()
		return false
	}
	w.f.low = min(w.f.low, len(w.st)-n)
	return true
}

// is says whether the values on top are of these types, n or b or, for any, a; the last one is on top.
func (w *walker) is(kinds string) bool {
	for i := range len(kinds) {
		k := w.st[len(w.st)-len(kinds)+i].k
		if kinds[i] == 'n' && k != kInt || kinds[i] == 'b' && k != kBytes {
			w.giveUp()
			return false
		}
	}
	return true
}

func (w *walker) room(n int) {
	w.f.localD = max(w.f.localD, len(w.st)+n-w.base)
	w.f.maxD = max(w.f.maxD, w.f.localD)
}

func (w *walker) rroom(n int) {
	w.f.localR = max(w.f.localR, len(w.rs)+n)
	w.f.maxR = max(w.f.maxR, w.f.localR)
}

// load pushes the value that is n below the top.
func (w *walker) load(n int) {
	if v := w.top(n); v.known && v.k == kInt {
		w.e.c.int(v.v)
		return
	}
	w.e.c.get(w.place(n))
}

// store takes what WebAssembly has on top into the place n below the top.
func (w *walker) store(n int) { w.e.c.set(w.place(n)) }

// failIf compares, and leaves the module if the comparison holds.
func (w *walker) failIf(op byte) { w.e.failIf(op) }

// flush charges what has to be charged.
func (w *walker) flush() {
	if w.gas == 0 {
		return
	}
	w.e.c.get(w.e.gas)
	w.e.c.int(w.gas)
	w.e.c.op(wSub)
	w.e.c.set(w.e.gas)
	w.gas = 0
}

// checkGas leaves the module if the gas is used up.
func (w *walker) checkGas() {
	w.e.c.get(w.e.gas)
	w.e.c.int(0)
	w.failIf(wLtS)
}

// instruction goes through one; it reports false at the end of a block. last says that the block ends behind it.
func (w *walker) instruction(in *bytecode.Instr, i int, last bool, b *block) bool {
	host := w.onHost(in)
	if !host {
		w.gas += int64(in.Gas)
	}
	if !w.need(int(in.Needs)) {
		return false
	}
	w.room(int(in.Grows))
	switch in.Op {
	case bytecode.OpEnd, bytecode.OpExit:
		return w.end(in, i)
	case bytecode.OpReturn:
		w.finish(true)
		return false
	case bytecode.OpJump:
		w.to(int(in.Arg))
		if w.e != nil {
			w.flush()
			w.e.leave(w.f.at[b.first], w.edges[0].to)
		}
		return false
	case bytecode.OpJumpZero:
		return w.jumpZero(in, i, b, false)
	case bytecode.OpQDup:
		return w.maybeDup(in, i, last, b)
	case bytecode.OpDo, bytecode.OpQDo:
		return w.do(in, i, b)
	case bytecode.OpLoop, bytecode.OpPlusLoop:
		return w.loop(in, i, b)
	case bytecode.OpCall, bytecode.OpRecurse, bytecode.OpCallHash, bytecode.OpExecute, bytecode.OpCatch:
		w.call(in)
		return !w.dead
	case bytecode.OpFail:
		w.giveUp()
		return false
	}
	if host {
		w.host(in)
		return !w.dead
	}
	next := bytecode.OpEnd
	if !last {
		next = w.t.p.Ins[i+1].Op
	}
	w.simple(in, next == bytecode.OpJumpZero && w.nesting == 0)
	return !w.dead
}
