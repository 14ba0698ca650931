package hot

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// generator writes random programs, most of which have known effects and run for a while: it knows what types are on the
// stack, and supplies what an instruction needs. Now and then it does not.
type generator struct {
	r      *rand.Rand
	e      *bytecode.Emitter
	types  []byte // n or b
	words  []effect
	bodies [][]byte
	hashed bool
	depth  int
	inDo   int
	inWord bool
	held   int // values on the return stack above the innermost loop
	slots  string
	wild   bool // what is on the stack is not known any more
}

type effect struct{ takes, leaves string }

// moves are types that instructions take and leave, where these are fixed.
var moves = map[bytecode.Opcode]string{
	bytecode.OpAdd: "nn:n", bytecode.OpSub: "nn:n", bytecode.OpMul: "nn:n", bytecode.OpDiv: "nn:n", bytecode.OpMod: "nn:n", bytecode.OpDivMod: "nn:nn",
	bytecode.OpNegate: "n:n", bytecode.OpAbs: "n:n", bytecode.OpMin: "nn:n", bytecode.OpMax: "nn:n", bytecode.OpInc: "n:n", bytecode.OpDec: "n:n",
	bytecode.OpMulDiv: "nnn:n", bytecode.OpMulDivMod: "nnn:nn", bytecode.OpAddWrap: "nn:n", bytecode.OpSubWrap: "nn:n", bytecode.OpMulWrap: "nn:n",
	bytecode.OpAnd: "nn:n", bytecode.OpOr: "nn:n", bytecode.OpXor: "nn:n", bytecode.OpInvert: "n:n", bytecode.OpLShift: "nn:n", bytecode.OpRShift: "nn:n",
	bytecode.OpTwoMul: "n:n", bytecode.OpTwoDiv: "n:n", bytecode.OpEqual: "nn:n", bytecode.OpLess: "nn:n", bytecode.OpGreater: "nn:n",
	bytecode.OpLessEqual: "nn:n", bytecode.OpGreaterEqual: "nn:n", bytecode.OpULess: "nn:n", bytecode.OpZeroEqual: "n:n", bytecode.OpZeroNotEqual: "n:n",
	bytecode.OpZeroLess: "n:n", bytecode.OpZeroGreater: "n:n", bytecode.OpLen: "b:n", bytecode.OpCat: "bb:b", bytecode.OpToB: "n:b",
	bytecode.OpHash: "b:b", bytecode.OpBlake2b: "b:b", bytecode.OpKeccak: "b:b", bytecode.OpDepth: ":n", bytecode.OpGas: ":n",
	bytecode.OpMStar: "nn:nn", bytecode.OpUMStar: "nn:nn", bytecode.OpUMDivMod: "nnn:nn", bytecode.OpSMDivRem: "nnn:nn", bytecode.OpFMDivMod: "nnn:nn",
	bytecode.OpDAdd: "nnnn:nn", bytecode.OpDSub: "nnnn:nn", bytecode.OpDNegate: "nn:nn", bytecode.OpDLess: "nnnn:n", bytecode.OpDULess: "nnnn:n",
}

// rare are those that fail more often than not with what is random.
var rare = []bytecode.Opcode{bytecode.OpUMDivMod, bytecode.OpSMDivRem, bytecode.OpFMDivMod, bytecode.OpMulDiv, bytecode.OpMulDivMod, bytecode.OpDiv,
	bytecode.OpMod, bytecode.OpDivMod, bytecode.OpTwoMul, bytecode.OpMul, bytecode.OpDepth}

var divisions = []bytecode.Opcode{bytecode.OpUMDivMod, bytecode.OpSMDivRem, bytecode.OpFMDivMod, bytecode.OpMulDiv, bytecode.OpMulDivMod, bytecode.OpDiv,
	bytecode.OpMod, bytecode.OpDivMod}

var moveOps = func() []bytecode.Opcode {
	var out []bytecode.Opcode
	for op := range moves {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}()

// stackOps move values of any type about: which of those that they take, from the top, they leave.
var stackOps = []bytecode.Opcode{bytecode.OpDup, bytecode.OpDrop, bytecode.OpSwap, bytecode.OpOver, bytecode.OpRot, bytecode.OpMinusRot, bytecode.OpNip,
	bytecode.OpTuck, bytecode.Op2Dup, bytecode.Op2Drop, bytecode.Op2Swap, bytecode.Op2Over}

func (g *generator) chance(n int) bool { return g.r.IntN(n) == 0 }

func (g *generator) number() int64 {
	switch g.r.IntN(80) {
	case 0:
		return []int64{math.MaxInt64, math.MinInt64, -1, math.MaxInt64 - 1, 1 << 62, 64, 63, -64, 1 << 31, 1<<32 - 1, -1 << 31}[g.r.IntN(11)]
	case 1:
		return int64(g.r.Uint64())
	case 2, 3, 4, 5, 6, 7, 8, 9:
		return int64(g.r.IntN(2000)) - 1000
	}
	return int64(g.r.IntN(10))
}

func (g *generator) literal(t byte) {
	if t == 'n' {
		g.e.Integer(g.number())
	} else {
		b := make([]byte, []int{0, 1, 8, 31, 32, 33, 100}[g.r.IntN(7)])
		for i := range b {
			b[i] = byte(g.r.IntN(3))
		}
		g.e.Bytes(b)
	}
	g.types = append(g.types, t)
}

// want sees to it that these types are on top.
func (g *generator) want(types string) {
	if strings.HasSuffix(string(g.types), types) && !g.chance(6) {
		return
	}
	for i := range len(types) {
		g.literal(types[i])
	}
}

func (g *generator) apply(types string, do func()) {
	takes, leaves, _ := strings.Cut(types, ":")
	g.want(takes)
	do()
	g.types = append(g.types[:len(g.types)-len(takes)], leaves...)
}

// tame makes what is on top small, so that what comes next does not overflow.
func (g *generator) tame() {
	if !g.chance(40) {
		g.e.Integer([]int64{15, 255, 1023}[g.r.IntN(3)])
		g.e.Op(bytecode.OpAnd)
	}
}

// inner generates instructions that leave the stack as it is where they start.
func (g *generator) inner(n int) {
	outer := g.types
	g.types = nil
	g.depth++
	g.some(n)
	g.depth--
	for range g.types {
		g.e.Op(bytecode.OpDrop)
	}
	g.types = outer
}

func (g *generator) some(n int) {
	for range n {
		if len(g.e.Code) > 1200 || g.wild {
			return
		}
		g.one()
	}
}

func (g *generator) one() {
	switch c := g.r.IntN(60); {
	case c < 22:
		op := moveOps[g.r.IntN(len(moveOps))]
		if slices.Contains(rare, op) && g.chance(2) || op == bytecode.OpDepth && g.inWord {
			return
		}
		g.apply(moves[op], func() {
			if slices.Contains(divisions, op) && !g.chance(40) { // by something that gives a quotient
				if bytecode.Opcodes[op].Leaves == 2 && bytecode.Opcodes[op].Takes == 3 && op != bytecode.OpMulDivMod {
					g.e.Op(bytecode.Op2Drop)
					g.e.Integer(0)
				} else {
					g.e.Op(bytecode.OpDrop)
				}
				g.e.Integer(1 + int64(g.r.IntN(9)))
			}
			g.e.Op(op)
		})
		if len(g.types) > 0 && g.types[len(g.types)-1] == 'n' && bytecode.Opcodes[op].Leaves == 1 {
			g.tame()
		}
	case c < 30:
		g.shuffle()
	case c < 34 && g.depth < 4:
		g.conditional()
	case c < 37 && g.depth < 3:
		g.counted()
	case c < 38 && g.depth < 3:
		g.until()
	case c < 41 && g.inDo > 0 && g.held == 0:
		op := bytecode.OpI
		if g.inDo > 1 && g.chance(2) {
			op = bytecode.OpJ
		}
		g.apply(":n", func() { g.e.Op(op) })
	case c < 44 && len(g.words) > 0:
		g.call()
	case c < 49:
		g.memory()
	case c < 51:
		g.want("n")
		g.e.Op(bytecode.OpToR)
		g.types = g.types[:len(g.types)-1]
		g.held++
		if g.chance(2) {
			g.inner(2)
		}
		g.e.Op([]bytecode.Opcode{bytecode.OpFromR, bytecode.OpRFetch}[g.r.IntN(8)/7])
		g.types = append(g.types, 'n')
		g.held--
		if g.e.Code[len(g.e.Code)-1] == byte(bytecode.OpRFetch) { // it is still there
			g.e.Op(bytecode.OpFromR)
			g.types = append(g.types, 'n')
		}
	case c < 53:
		g.environment()
	case c < 55:
		s := g.r.IntN(len(g.slots))
		if g.chance(2) {
			g.apply(g.slots[s:s+1]+":", func() { g.e.Slot(bytecode.OpSetSlot, s) })
		} else if g.slots[s] == 'n' || g.chance(8) {
			g.e.Slot(bytecode.OpSlot, s)
			g.types = append(g.types, g.slots[s])
		}
	case c < 57:
		g.bytesWord()
	case c == 57 && g.chance(3):
		g.e.Integer(int64(g.r.IntN(32) / 31))
		g.e.Op(bytecode.OpThrow)
	case c == 58 && g.chance(60): // anything
		op := bytecode.Opcode(g.r.IntN(0x90))
		if d := bytecode.Opcodes[op]; d.Name != "" && d.Operand == bytecode.NoOperand && op != bytecode.OpVerifyZK {
			g.e.Op(op)
		}
	default:
		g.literal("nnb"[g.r.IntN(3)])
	}
}

func (g *generator) shuffle() {
	op := stackOps[g.r.IntN(len(stackOps))]
	takes := int(bytecode.Opcodes[op].Takes)
	switch g.r.IntN(12) {
	case 0, 1: // pick, roll
		if n := len(g.types); n > 0 {
			at := g.r.IntN(n)
			g.e.Integer(int64(at))
			t := g.types[n-1-at]
			if g.chance(2) {
				g.e.Op(bytecode.OpPick)
			} else {
				g.e.Op(bytecode.OpRoll)
				g.types = slices.Delete(g.types, n-1-at, n-at)
			}
			g.types = append(g.types, t)
		}
		return
	case 2: // ?dup, and what it is for
		g.want("n")
		g.e.Op(bytecode.OpQDup)
		at := g.e.Jump(bytecode.OpJumpZero)
		g.types = g.types[:len(g.types)-1]
		g.e.Op(bytecode.OpDrop)
		g.e.Target(at, len(g.e.Code))
		return
	}
	for len(g.types) < takes {
		g.literal("nb"[g.r.IntN(2)])
	}
	top := slices.Clone(g.types[len(g.types)-takes:])
	g.e.Op(op)
	g.types = g.types[:len(g.types)-takes]
	for _, n := range shuffles[op] {
		g.types = append(g.types, top[len(top)-1-n])
	}
}

func (g *generator) conditional() {
	g.apply("n:", func() {})
	at := g.e.Jump(bytecode.OpJumpZero)
	if g.inWord && g.chance(6) && g.inDo == 0 && g.held == 0 { // the word ends here, with what it has
		g.inner(2)
		if g.depth == 0 && g.chance(2) {
			g.leaveWord()
		}
	} else {
		g.inner(1 + g.r.IntN(4))
	}
	if g.chance(2) {
		end := g.e.Jump(bytecode.OpJump)
		g.e.Target(at, len(g.e.Code))
		g.inner(g.r.IntN(4))
		at = end
	}
	g.e.Target(at, len(g.e.Code))
}

// leaveWord writes an exit with the word's results, of which the generator knows the number by then.
func (g *generator) leaveWord() {
	w := g.words[len(g.words)-1]
	kept := g.types
	g.fit(w.leaves)
	g.e.Op(bytecode.OpExit)
	g.types = kept
}

// fit makes the stack be of certain types.
func (g *generator) fit(types string) {
	for len(g.types) > len(types) || !strings.HasPrefix(types, string(g.types)) {
		g.e.Op(bytecode.OpDrop)
		g.types = g.types[:len(g.types)-1]
	}
	for len(g.types) < len(types) {
		g.literal(types[len(g.types)])
	}
}

func (g *generator) counted() {
	start := g.r.IntN(3)
	limit := start + g.r.IntN(8)
	op := []bytecode.Opcode{bytecode.OpDo, bytecode.OpQDo}[g.r.IntN(2)]
	if limit == start && op == bytecode.OpDo {
		limit++
	}
	g.e.Integer(int64(limit))
	g.e.Integer(int64(start))
	skip := -1
	if op == bytecode.OpQDo {
		skip = g.e.Jump(op)
	} else {
		g.e.Op(op)
	}
	again, held := len(g.e.Code), g.held
	g.inDo++
	g.held = 0
	g.inner(1 + g.r.IntN(5))
	leave := -1
	if g.chance(4) {
		g.e.Op(bytecode.OpI)
		g.e.Integer(int64(g.r.IntN(8)))
		g.e.Op(bytecode.OpEqual)
		at := g.e.Jump(bytecode.OpJumpZero)
		g.e.Op(bytecode.OpUnloop)
		leave = g.e.Jump(bytecode.OpJump)
		g.e.Target(at, len(g.e.Code))
	}
	g.inDo--
	g.held = held
	if g.chance(2) {
		g.e.Integer([]int64{1, 2, 3, 1, 2, 5, 1, 7, 4, math.MaxInt64}[g.r.IntN(10)])
		g.e.Target(g.e.Jump(bytecode.OpPlusLoop), again)
	} else {
		g.e.Target(g.e.Jump(bytecode.OpLoop), again)
	}
	for _, at := range []int{skip, leave} {
		if at >= 0 {
			g.e.Target(at, len(g.e.Code))
		}
	}
}

// until is begin … while … repeat and begin … until over a number that gets less.
func (g *generator) until() {
	g.e.Integer(int64(g.r.IntN(6)))
	again := len(g.e.Code)
	g.inner(1 + g.r.IntN(3))
	g.e.Op(bytecode.OpDec)
	g.e.Op(bytecode.OpDup)
	if g.chance(2) {
		g.e.Op(bytecode.OpZeroLess)
		g.e.Target(g.e.Jump(bytecode.OpJumpZero), again)
	} else {
		g.e.Op(bytecode.OpZeroGreater)
		out := g.e.Jump(bytecode.OpJumpZero)
		g.inner(2)
		g.e.Target(g.e.Jump(bytecode.OpJump), again)
		g.e.Target(out, len(g.e.Code))
	}
	g.types = append(g.types, 'n')
}

func (g *generator) call() {
	n := len(g.words)
	if g.inWord {
		n--
	}
	if n == 0 {
		return
	}
	w := g.r.IntN(n)
	e := g.words[w]
	g.apply(e.takes+":"+e.leaves, func() {
		switch k := g.r.IntN(8); {
		case k == 0:
			g.e.Integer(int64(w))
			g.e.Op(bytecode.OpExecute)
		case k == 1:
			g.e.Integer(int64(w))
			g.e.Op(bytecode.OpCatch)
			g.e.Op(bytecode.OpDrop)
		case k < 4 && g.hashed:
			p := &bytecode.Program{}
			l := bytecode.DefaultLimits()
			if p.Load(bytecode.Parts{Words: g.bodies, Addressable: true}.Encode(), &l, false) == nil && w < len(p.Hashes) {
				g.e.Bytes(p.Hashes[w][:])
				g.e.Op(bytecode.OpCallHash)
				return
			}
			g.e.Word(w)
		default:
			g.e.Word(w)
		}
	})
}

// address is mostly within the data space of the tests.
func (g *generator) address() {
	if g.chance(200) {
		g.e.Integer(int64(4080 + g.r.IntN(20)))
	} else {
		g.e.Integer(int64(g.r.IntN(300)))
	}
	if g.inDo > 0 && g.held == 0 && g.chance(2) {
		g.e.Op(bytecode.OpI)
		g.e.Op(bytecode.OpAdd)
	}
}

func (g *generator) memory() {
	switch g.r.IntN(10) {
	case 0, 1, 2:
		g.address()
		g.e.Op([]bytecode.Opcode{bytecode.OpFetch, bytecode.OpCFetch}[g.r.IntN(2)])
		g.types = append(g.types, 'n')
		g.tame()
	case 3, 4, 5, 6:
		g.apply("n:", func() {
			g.address()
			g.e.Op([]bytecode.Opcode{bytecode.OpStore, bytecode.OpCStore, bytecode.OpAddStore}[g.r.IntN(3)])
		})
	case 7:
		g.address()
		g.address()
		g.e.Integer(int64(g.r.IntN(64)))
		g.e.Op([]bytecode.Opcode{bytecode.OpMove, bytecode.OpFill}[g.r.IntN(2)])
	case 8:
		g.address()
		g.e.Integer(int64(g.r.IntN(40)))
		g.e.Op(bytecode.OpMemToB)
		g.types = append(g.types, 'b')
	default:
		g.apply("b:", func() {
			g.address()
			g.e.Op(bytecode.OpBToMem)
		})
	}
}

func (g *generator) environment() {
	n := g.r.IntN(len(bytecode.Environment))
	e := bytecode.Environment[n]
	leaves := "n"
	if e.IsBytes {
		leaves = "b"
	}
	switch e.From {
	case bytecode.EnvIndexed:
		g.e.Integer(int64(g.r.IntN(2)))
	case bytecode.EnvNamed:
		g.e.Bytes([]byte("p"))
	case bytecode.EnvOracle:
		g.e.Integer(1)
		g.e.Integer(int64(g.r.IntN(100)))
		g.e.Integer(int64(g.r.IntN(100)))
		leaves = "nn"
	}
	g.e.Env(n)
	g.types = append(g.types, leaves...)
}

func (g *generator) bytesWord() {
	switch g.r.IntN(6) {
	case 0, 1:
		g.apply("b:b", func() {
			g.e.Integer(0)
			g.e.Integer(int64(g.r.IntN(9) / 8))
			g.e.Op(bytecode.OpSlice)
		})
	case 2:
		g.apply("b:n", func() {
			g.e.Op(bytecode.OpHash)
			g.e.Integer(int64(g.r.IntN(24)))
			g.e.Integer(int64(g.r.IntN(9)))
			g.e.Op(bytecode.OpSlice)
			g.e.Op(bytecode.OpFromB)
		})
		g.tame()
	case 3:
		g.apply("bb:n", func() { g.e.Op([]bytecode.Opcode{bytecode.OpSame, bytecode.OpEqual, bytecode.OpNotEqual}[g.r.IntN(3)]) })
	case 4:
		g.apply([]string{"nb:n", "bn:n", "nn:n"}[g.r.IntN(3)], func() {
			g.e.Op([]bytecode.Opcode{bytecode.OpSame, bytecode.OpNotEqual}[g.r.IntN(2)])
		})
	default:
		if g.chance(4) {
			g.apply("bbb:n", func() { g.e.Op([]bytecode.Opcode{bytecode.OpVerifySig, bytecode.OpMerkleProof}[g.r.IntN(2)]) })
		}
	}
}

func randomTypes(r *rand.Rand, most int) string {
	out := make([]byte, r.IntN(most+1))
	for i := range out {
		out[i] = "nnb"[r.IntN(3)]
	}
	return string(out)
}

// program generates code for evidence that leaves certain types.
func (g *generator) program(shape string) []byte {
	g.hashed = g.chance(4)
	g.slots = "nnb"
	for range g.r.IntN(3) {
		g.inWord = true
		w := effect{randomTypes(g.r, 3), randomTypes(g.r, 3)}
		g.words = append(g.words, w)
		g.e, g.types = &bytecode.Emitter{}, []byte(w.takes)
		switch {
		case g.chance(5): // it calls itself, with a number that gets less, as many values as it takes, and leaves as many
			g.words[len(g.words)-1] = effect{"n", "n"}
			g.types = []byte("n")
			g.e.Integer(7)
			g.e.Op(bytecode.OpAnd)
			g.e.Op(bytecode.OpDup)
			out := g.e.Jump(bytecode.OpJumpZero)
			g.inner(3)
			g.e.Op(bytecode.OpDup)
			g.e.Op(bytecode.OpDec)
			g.e.Op(bytecode.OpRecurse)
			g.e.Op(bytecode.OpAddWrap)
			g.e.Target(out, len(g.e.Code))
		default:
			g.some(1 + g.r.IntN(4))
			g.fit(w.leaves)
		}
		if g.chance(60) {
			g.e.Op(bytecode.OpReturn)
		}
		g.bodies = append(g.bodies, g.e.Code)
	}
	g.inWord = false
	g.e, g.types = &bytecode.Emitter{}, []byte(shape)
	g.some(4 + g.r.IntN(12))
	g.results()
	return bytecode.Parts{Words: g.bodies, Main: g.e.Code, Addressable: g.hashed, Convention: 0, Data: g.data()}.Encode()
}

func (g *generator) data() []byte {
	if !g.chance(6) {
		return nil
	}
	b := make([]byte, 1+g.r.IntN(100))
	for i := range b {
		b[i] = byte(g.r.IntN(256))
	}
	return b
}

// results leaves three numbers into which all values that are there have gone, as a sum that wraps.
func (g *generator) results() {
	g.e.Integer(0)
	for i := len(g.types) - 1; i >= 0; i-- {
		g.e.Op(bytecode.OpSwap)
		if g.types[i] == 'b' {
			if g.chance(2) {
				g.e.Op(bytecode.OpLen)
			} else {
				g.e.Op(bytecode.OpHash)
				g.e.Integer(5)
				g.e.Integer(8)
				g.e.Op(bytecode.OpSlice)
				g.e.Op(bytecode.OpFromB)
			}
		}
		g.e.Op(bytecode.OpAddWrap)
		g.e.Integer(31)
		g.e.Op(bytecode.OpMulWrap)
	}
	if !g.chance(40) {
		g.e.Integer(math.MaxInt64 >> 2)
		g.e.Op(bytecode.OpAnd)
	}
	g.e.Integer(int64(g.r.IntN(100)))
	g.e.Op(bytecode.OpDepth)
	if g.chance(3) {
		g.e.Op(bytecode.OpReturn)
	}
}

// sample is a program and a run of it.
type sample struct {
	code, evidence []byte
	env            map[string][]byte
	gas            uint64
}

// randomSample makes a run out of a seed. Some have a few bytes changed.
func randomSample(seed uint64) sample {
	r := rand.New(rand.NewPCG(seed, 2))
	shape := randomTypes(r, 3)
	g := &generator{r: r, e: &bytecode.Emitter{}}
	for i := range len(shape) {
		g.literal(shape[i])
	}
	var s sample
	if len(shape) > 0 {
		var words [][]byte
		if g.chance(12) {
			words = [][]byte{{byte(bytecode.OpDup)}}
		}
		s.evidence = bytecode.Parts{Words: words, Main: g.e.Code, Addressable: len(words) > 0}.Encode()
	}
	s.code = (&generator{r: r}).program(shape)
	s.env = map[string][]byte{}
	for _, e := range bytecode.Environment {
		v := []byte{0, 0, 0, 0, 0, 0, byte(r.IntN(3)), byte(r.IntN(256))}
		if e.IsBytes {
			v = make([]byte, r.IntN(40))
		}
		switch name := e.Name; {
		case r.IntN(600) == 0:
		case e.From == bytecode.EnvIndexed:
			s.env[name+":0"], s.env[name+":1"] = v, v
		case e.From == bytecode.EnvNamed:
			s.env[name+":p"] = v
		case e.From == bytecode.EnvOracle:
			s.env[name+":1"] = append(append([]byte{byte(r.IntN(4))}, v...), append(v, v...)...)
		default:
			s.env[name] = v
		}
	}
	s.gas = 200_000
	if r.IntN(24) == 0 {
		s.gas = uint64(r.IntN(3000))
	}
	if r.IntN(16) == 0 {
		for range 1 + r.IntN(3) {
			s.code[r.IntN(len(s.code))] = byte(r.IntN(256))
		}
	}
	return s
}

func (s sample) String() string {
	l := bytecode.DefaultLimits()
	text, err := bytecode.Disassemble(s.code, &l)
	return fmt.Sprintf("evidence %x, gas %d, environment %x\n%s%v", s.evidence, s.gas, s.env, text, err)
}
