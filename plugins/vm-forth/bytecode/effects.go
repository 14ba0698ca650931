package bytecode

import (
	"fmt"
	"strings"
)

// Kind is what is known of a value before it is there.
type Kind uint8

// Kinds.
const (
	AnyKind   Kind = iota // an integer or bytes
	IntKind               // an integer
	BytesKind             // bytes
	LoopKind              // on the return stack only: limit or index of a loop
)

// String implements fmt.Stringer.
func (k Kind) String() string { return [...]string{"any", "integer", "bytes", "loop"}[k&3] }

// Value is what is known of a value that a body takes or leaves.
type Value struct {
	Kind Kind
	// From is, if Kind is AnyKind, which of the values that are taken has the same kind, whatever that is, counted from
	// the bottom: the first one of them. It is -1 if there is none.
	From int
}

// Effect is what a body does to the stacks. If Unknown is not empty it says why nothing is known, and the rest is empty.
type Effect struct {
	Unknown string

	Takes     []Value // values that have to be there, and of what kind, bottom first
	Leaves    []Value // in place of those, bottom first
	Returns   bool    // it comes to its end; otherwise it always ends the run, or never ends, and Leaves is empty
	MaxStack  int     // values on the data stack at most, from the lowest that it takes on; -1: recursion, so no bound is known
	MaxReturn int     // values on the return stack at most, above its caller's; -1: no bound is known
	Gas       int64   // used at most; -1: it loops or recurses, so no bound is known
}

// Entry is what is known when an instruction is reached.
type Entry struct {
	Reached bool
	// Stack has the values from the lowest that the body takes on, bottom first. A value of kind AnyKind may be either, in
	// one run or in different ones. Return has those of the return stack above the caller's.
	Stack, Return []Kind
	// Word is the number of the word that an OpCall, OpRecurse, or an OpExecute, OpCatch or OpCallHash with a known
	// operand, runs; otherwise -1.
	Word int
	// Fused says that the instruction is a jump-zero right behind a ?dup, and nowhere else jumped to. The two are understood
	// together: Stack is that before the ?dup. The value stays if it is not 0, and is gone where the jump leads.
	Fused bool
}

// Effects are those of a program, by inference. They hold for every run of a program of which Main is known, provided
// that the evidence leaves what Main takes: then no instruction finds too few values, or one of another kind than it
// needs, neither on the data stack nor on the return stack.
type Effects struct {
	Words []Effect // by number
	Main  Effect
	At    []Entry // by instruction
	Slots []Kind  // what each slot holds that the program uses, by number; further ones hold integers
}

// inferBudget bounds the work of Infer: values of stacks that are looked at. Programs that need more are not understood.
const inferBudget = 1 << 18

// Infer finds the effects of a loaded program of code under limits. It reports false if that of the main body is not
// known; why is in Main.Unknown. It takes time and memory in proportion to the program, up to a bound.
func (p *Program) Infer(l *Limits) (*Effects, bool) {
	// Slots hold integers at first, so that is what they are taken to hold, until something else goes into them. If that
	// fails, those of which the beginning is not seen are taken to hold bytes; at last all may hold anything.
	e, initial, slots := (*Effects)(nil), p.initialReads(), slotsOf(p)
	for _, first := range []Kind{IntKind, BytesKind, AnyKind} {
		x := &inference{p: p, lim: l, budget: inferBudget, slots: make([]Kind, slots), initial: initial}
		for n := range x.slots {
			if x.slots[n] = first; first == BytesKind && initial.has(int64(n)) {
				x.slots[n] = IntKind
			}
		}
		if e = x.program(); e.Main.Unknown == "" || slots == 0 || x.budget <= 0 {
			break
		}
	}
	return e, e.Main.Unknown == ""
}

// GasBound is what a run uses at most, besides what loading and running its evidence costs; 0 if no bound is known.
func (p *Program) GasBound(e *Effects, l *Limits) uint64 {
	if e.Main.Unknown != "" || e.Main.Gas < 0 {
		return 0
	}
	return uint64(e.Main.Gas + p.loadGas() + p.touchGas(l))
}

// slotsOf is how many slots a program uses.
func slotsOf(p *Program) int {
	n := 0
	for i := range p.Ins {
		if Opcodes[p.Ins[i].Op].Operand == SlotOperand {
			n = max(n, int(p.Ins[i].Arg)+1)
		}
	}
	return n
}

// WordAt is the number of the word that starts at an instruction, or -1.
func (p *Program) WordAt(ins int32) int {
	lo, hi := 0, len(p.Starts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if p.Starts[mid] < ins {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(p.Starts) && p.Starts[lo] == ins {
		return lo
	}
	return -1
}

// problem is why a body is not understood.
type problem struct {
	pc   uint32
	text string
}

func (p problem) String() string { return fmt.Sprintf("offset %d: %s", p.pc, p.text) }

// String writes an effect as Forth programmers do: "( bytes #1 -- integer #1 )". Values that are of the same kind, whatever
// that is, have the place of the first of them that is taken, from the bottom.
func (e *Effect) String() string {
	if e.Unknown != "" {
		return "unknown: " + e.Unknown
	}
	var b strings.Builder
	b.WriteString("( ")
	write := func(list []Value) {
		for _, v := range list {
			if v.Kind == AnyKind && v.From >= 0 {
				fmt.Fprintf(&b, "#%d ", v.From)
			} else {
				b.WriteString(v.Kind.String() + " ")
			}
		}
	}
	write(e.Takes)
	b.WriteString("-- ")
	write(e.Leaves)
	if !e.Returns {
		b.WriteString("ends ")
	}
	b.WriteString(")")
	return b.String()
}
