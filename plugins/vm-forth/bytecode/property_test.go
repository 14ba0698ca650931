package bytecode_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// generator writes random asm. It keeps to what the stack has for most of the time, so that many programs are understood.
type generator struct {
	*rand.Rand
	b      strings.Builder
	stack  []byte // i, b, or a for either
	loops  int
	labels int
	left   int // instructions to write
	words  []effect
}

type effect struct{ takes, leaves []byte }

func (g *generator) emit(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

func (g *generator) push(kinds ...byte) { g.stack = append(g.stack, kinds...) }

func (g *generator) literal(kind byte) {
	if kind == 'b' {
		g.emit("bytes x\"%x\"", make([]byte, g.IntN(40)))
	} else {
		g.emit("int %d", g.IntN(20)-4)
	}
	g.push(kind)
}

// give puts what is missing on the stack.
func (g *generator) give(kinds []byte) {
	if g.IntN(40) == 0 {
		return // and leave it to the inference to find out
	}
	have := max(len(g.stack)-len(kinds), 0)
	for i, k := range kinds {
		if k != 'a' && (have+i >= len(g.stack) || g.stack[have+i] != k) {
			for _, k := range kinds {
				if k == 'a' {
					k = 'i'
				}
				g.literal(k)
			}
			return
		}
	}
	for len(g.stack) < len(kinds) {
		g.literal('i')
	}
}

func (g *generator) take(n int) { g.stack = g.stack[:max(len(g.stack)-n, 0)] }

// level brings the stack to a depth.
func (g *generator) level(n int) {
	for len(g.stack) > n {
		g.emit("drop")
		g.take(1)
	}
	for len(g.stack) < n {
		g.literal('i')
	}
}

func (g *generator) label() string {
	g.labels++
	return fmt.Sprintf("L%d", g.labels)
}

func (g *generator) body(depth int, main bool) {
	for n := 1 + g.IntN(12); n > 0 && g.left > 0; n-- {
		g.left--
		g.one(depth, main)
	}
}

func (g *generator) one(depth int, main bool) {
	switch n := g.IntN(30); {
	case n < 5:
		g.literal("iib"[g.IntN(3)])
	case n == 5 && depth < 4:
		g.give([]byte("i"))
		g.take(1)
		other, end, before := g.label(), g.label(), slices.Clone(g.stack)
		g.emit("jump-zero %s", other)
		g.body(depth+1, main)
		after := slices.Clone(g.stack)
		g.emit("jump %s\n%s:", end, other)
		g.stack = before
		g.body(depth+1, main)
		g.level(len(after))
		for i := range after {
			if after[i] != g.stack[i] {
				g.stack[i] = 'a'
			}
		}
		g.emit("%s:", end)
	case n == 6 && depth < 3:
		top := g.label()
		from, to := g.IntN(3), g.IntN(5)
		g.emit("int %d\nint %d\ndo\n%s:", to+from+1, from, top)
		g.loops++
		before := slices.Clone(g.stack)
		g.body(depth+1, main)
		g.level(len(before))
		g.loops--
		g.stack = before
		g.emit("loop %s", top)
	case n == 7 && g.loops > 0:
		g.emit("i")
		g.push('i')
	case n == 8:
		g.give([]byte("a"))
		k := g.top()
		g.take(1)
		g.emit(">r")
		if g.IntN(3) > 0 {
			g.emit("r@")
			g.push(k)
			g.emit("drop")
			g.take(1)
		}
		g.emit("r>")
		g.push(k)
	case n == 9:
		slot := g.IntN(4)
		kind := "iiib"[slot] // for most of the time
		if g.IntN(20) > 0 {
			g.give([]byte{kind})
			g.emit("slot! %d", slot)
			g.take(1)
		}
		if g.IntN(3) > 0 {
			g.emit("slot@ %d", slot)
			g.push(kind)
		}
	case n == 10 && len(g.words) > 0:
		w := g.IntN(len(g.words))
		g.give(g.words[w].takes)
		g.take(len(g.words[w].takes))
		switch g.IntN(6) {
		case 0:
			g.emit("int %d\nexecute", w)
		case 1:
			g.emit("int %d\ncatch", w)
			g.push('i')
		default:
			g.emit("word %d", w)
		}
		g.push(g.words[w].leaves...)
	case n == 11 && !main:
		skip := g.label()
		g.give([]byte("i"))
		g.emit("dup\njump-zero %s\n1-\nrecurse\n%s:", skip, skip)
	case n == 12:
		g.give([]byte("i"))
		g.take(1)
		skip := g.label()
		g.emit("?dup\njump-zero %s\ndrop\n%s:", skip, skip)
	case n == 13:
		g.give([]byte("aaa"))
		g.emit("int %d\n%s", g.IntN(3), []string{"pick", "roll"}[g.IntN(2)])
		g.push('a')
	case n == 14 && g.IntN(4) == 0:
		g.emit([]string{"return", "fail", "call", "unloop", "j", "r>", "throw", ">r"}[g.IntN(8)])
	case n < 18:
		var op bytecode.Opcode
		for !bytecode.IsShuffle(op) {
			op = bytecode.Opcode(0x20 + g.IntN(0x10))
		}
		takes, order := bytecode.Shuffle(op)
		g.give([]byte(strings.Repeat("a", takes)))
		for len(g.stack) < takes {
			g.literal('i')
		}
		taken := slices.Clone(g.stack[len(g.stack)-takes:])
		g.take(takes)
		for _, n := range order {
			g.push(taken[n])
		}
		g.emit("%s", bytecode.Opcodes[op].Name)
	default:
		var op bytecode.Opcode
		kinds := ""
		for kinds == "" || op < bytecode.OpDup || op == bytecode.OpVerifySig {
			op = bytecode.Opcode(g.IntN(0x90))
			kinds = bytecode.KindsOf[op]
		}
		takes, leaves, _ := strings.Cut(kinds, "-")
		g.give([]byte(takes))
		g.take(len(takes))
		g.push([]byte(leaves)...)
		g.emit("%s", bytecode.Opcodes[op].Name)
	}
}

func (g *generator) top() byte {
	if len(g.stack) == 0 {
		return 'a'
	}
	return g.stack[len(g.stack)-1]
}

// program writes words and a main body.
func (g *generator) program() string {
	for range g.IntN(4) {
		takes := []byte("iibba")[:g.IntN(4)]
		g.Shuffle(len(takes), func(i, j int) { takes[i], takes[j] = takes[j], takes[i] })
		g.emit(".word")
		g.stack, g.left = slices.Clone(takes), 25
		g.body(0, false)
		g.words = append(g.words, effect{takes, slices.Clone(g.stack)})
	}
	g.emit(".main")
	g.stack, g.left = []byte("iab")[:g.IntN(3)], 40
	g.body(0, true)
	g.body(0, true)
	g.level(3)
	return g.b.String()
}

// evidence pushes what a program takes; what may be of either kind is, but the same for all that have to be the same.
func evidence(e *bytecode.Effect, r *rand.Rand, more int) []byte {
	var m bytecode.Emitter
	for range more {
		m.Integer(7)
	}
	either := map[int]bool{}
	for i, v := range e.Takes {
		bytes := v.Kind == bytecode.BytesKind
		if v.Kind == bytecode.AnyKind {
			if v.From == i || v.From < 0 {
				either[i] = r.IntN(2) == 0
			}
			bytes = either[v.From]
		}
		if bytes {
			m.Bytes(make([]byte, r.IntN(20)))
		} else {
			m.Integer(r.Int64N(9) - 2)
		}
	}
	return bytecode.Parts{Main: m.Code}.Encode()
}

// TestVerifiedPrograms runs random programs that are understood: no instruction finds too few values or one of another
// kind, no stack is higher and no value of another kind than was found, and no run takes more gas.
func TestVerifiedPrograms(t *testing.T) {
	l := bytecode.DefaultLimits()
	l.GasLimit = 20_000
	m, err := engine.New(&l)
	if err != nil {
		t.Fatal(err)
	}
	programs, verified, bounded, steps := 3000, 0, 0, 0
	if testing.Short() {
		programs = 1000
	}
	for seed := range uint64(programs) {
		r := rand.New(rand.NewPCG(seed, 5))
		text := (&generator{Rand: r}).program()
		code, err := bytecode.Assemble(text, &l)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		p := &bytecode.Program{}
		if err := p.Load(code.Code, &l, false); err != nil {
			continue // such as exit in the main body
		}
		e, ok := p.Infer(&l)
		if !ok {
			continue
		}
		verified++
		at := map[uint64]*bytecode.Entry{}
		for i := range p.Ins {
			if p.Ins[i].Op != bytecode.OpEnd {
				at[uint64(p.Ins[i].PC)] = &e.At[i]
			}
		}
		more := r.IntN(3)
		run := vm.Run{Code: code.Code, Evidence: evidence(&e.Main, r, more), GasLimit: 20_000}
		before, bad := uint64(0), ""
		err = m.Trace(t.Context(), &run, nil, nil, func(s vm.Step) error {
			if s.Result != nil {
				switch s.Result.Status {
				case bytecode.StackUnderflow, bytecode.TypeError, bytecode.BadCode, bytecode.UnknownWord:
					bad = fmt.Sprintf("ends with %s at %d", s.Result.Error, s.Result.PC)
				case bytecode.StackOverflow:
					if e.Main.MaxStack >= 0 {
						bad = "the stack is full"
					}
				}
				if n := p.GasBound(e, &l); n > 0 {
					bounded++
					if used := s.Result.Gas - before; s.Result.Status == vm.OK && s.Result.Gas > n+4*uint64(len(run.Evidence))+2*uint64(len(run.Evidence)) {
						bad = fmt.Sprintf("%d gas, the bound is %d", used, n)
					} else if s.Result.Status == bytecode.OutOfGas && n < 15_000 {
						bad = fmt.Sprintf("out of gas, the bound is %d", n)
					}
				}
			}
			if s.Evidence || s.Op == "" {
				return nil
			}
			steps++
			if e.Main.MaxStack >= 0 && len(s.Stack) > e.Main.MaxStack+more {
				bad = fmt.Sprintf("at %d: %d values, %d of them are too much", s.PC, len(s.Stack), e.Main.MaxStack)
			}
			x := at[s.PC]
			if x == nil || x.Fused {
				return nil
			}
			if !x.Reached || len(x.Stack) > len(s.Stack) {
				bad = fmt.Sprintf("at %d: %v, found was %+v", s.PC, s.Stack, x)
				return nil
			}
			for i, k := range x.Stack {
				v := s.Stack[len(s.Stack)-len(x.Stack)+i]
				if bytes := strings.HasPrefix(v, "x\""); (k == bytecode.IntKind && bytes) || (k == bytecode.BytesKind && !bytes) {
					bad = fmt.Sprintf("at %d: %v, found was %v", s.PC, s.Stack, x.Stack)
				}
			}
			return nil
		})
		if err != nil || bad != "" {
			t.Fatalf("seed %d: %v %s\nmain %s\n%s", seed, err, bad, &e.Main, text)
		}
	}
	t.Logf("%d of %d programs are understood, %d have a bound of gas, %d steps", verified, programs, bounded, steps)
	if verified < programs/4 || bounded < programs/20 || steps < 10*verified {
		t.Errorf("too few to mean something")
	}
}
