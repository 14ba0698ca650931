package engine

import (
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// generator writes random programs of which most run for a while: it knows what types are on the stack, and supplies what
// an instruction needs. Now and then it does not.
type generator struct {
	r     *rand.Rand
	e     *bytecode.Emitter
	types []kind
	words int // that may be called
	addr  [][32]byte
	depth int
	inDo  int
	last  int64 // what idiom left on top
}

// signatures are the types that instructions take and leave, for those where that is fixed: n integer, b bytes.
var signatures = map[bytecode.Opcode]string{
	bytecode.OpAdd: "nn:n", bytecode.OpSub: "nn:n", bytecode.OpMul: "nn:n", bytecode.OpDiv: "nn:n", bytecode.OpMod: "nn:n", bytecode.OpDivMod: "nn:nn", bytecode.OpNegate: "n:n", bytecode.OpAbs: "n:n", bytecode.OpMin: "nn:n",
	bytecode.OpMax: "nn:n", bytecode.OpInc: "n:n", bytecode.OpDec: "n:n", bytecode.OpMulDiv: "nnn:n", bytecode.OpMulDivMod: "nnn:nn", bytecode.OpAddWrap: "nn:n", bytecode.OpSubWrap: "nn:n",
	bytecode.OpMulWrap: "nn:n", bytecode.OpAnd: "nn:n", bytecode.OpOr: "nn:n", bytecode.OpXor: "nn:n", bytecode.OpInvert: "n:n", bytecode.OpLShift: "nn:n", bytecode.OpRShift: "nn:n", bytecode.OpTwoMul: "n:n",
	bytecode.OpTwoDiv: "n:n", bytecode.OpSame: "bb:n", bytecode.OpEqual: "nn:n", bytecode.OpNotEqual: "bn:n", bytecode.OpLess: "nn:n", bytecode.OpGreater: "nn:n", bytecode.OpLessEqual: "nn:n",
	bytecode.OpGreaterEqual: "nn:n", bytecode.OpULess: "nn:n", bytecode.OpZeroEqual: "n:n", bytecode.OpZeroNotEqual: "n:n", bytecode.OpZeroLess: "n:n", bytecode.OpZeroGreater: "n:n", bytecode.OpLen: "b:n",
	bytecode.OpCat: "bb:b", bytecode.OpToB: "n:b", bytecode.OpFromB: "b:n", bytecode.OpHash: "b:b", bytecode.OpBlake2b: "b:b", bytecode.OpKeccak: "b:b", bytecode.OpDup: "n:nn", bytecode.OpDrop: "n:", bytecode.OpSwap: "bn:nb",
	bytecode.OpOver: "nb:nbn", bytecode.OpRot: "nbn:bnn", bytecode.OpMinusRot: "nnb:bnn", bytecode.OpNip: "nb:b", bytecode.OpTuck: "nb:bnb", bytecode.Op2Dup: "nn:nnnn", bytecode.Op2Drop: "nb:",
	bytecode.Op2Swap: "nbnb:nbnb", bytecode.Op2Over: "nbnb:nbnbnb", bytecode.OpDepth: ":n", bytecode.OpGas: ":n", bytecode.OpVerifySig: "bbb:n",
	bytecode.OpMStar: "nn:nn", bytecode.OpUMStar: "nn:nn", bytecode.OpUMDivMod: "nnn:nn", bytecode.OpSMDivRem: "nnn:nn", bytecode.OpFMDivMod: "nnn:nn",
	bytecode.OpDAdd: "nnnn:nn", bytecode.OpDSub: "nnnn:nn", bytecode.OpDNegate: "nn:nn", bytecode.OpDLess: "nnnn:n", bytecode.OpDULess: "nnnn:n",
	bytecode.OpMerkleProof: "bbb:n",
}

func (g *generator) int() int64 {
	switch g.r.IntN(8) {
	case 0:
		return []int64{math.MaxInt64, math.MinInt64, -1, math.MaxInt64 - 1, 1 << 62, 64, 63, -64}[g.r.IntN(8)]
	case 1:
		return int64(g.r.Uint64())
	case 2:
		return int64(g.r.IntN(2000)) - 1000
	}
	return int64(g.r.IntN(10))
}

// address is mostly within the data space of TestDifferential.
func (g *generator) address() int64 {
	if g.r.IntN(16) == 0 {
		return int64(4080 + g.r.IntN(20))
	}
	return int64(g.r.IntN(300))
}

func (g *generator) want(types string) {
	at := len(g.types) - len(types)
	if at >= 0 {
		fits := true
		for i, c := range types {
			fits = fits && (c == 'b') == (g.types[at+i] == isBytes)
		}
		if fits {
			return
		}
	}
	for _, c := range types {
		g.literal(c == 'b')
	}
}

func (g *generator) literal(bytes bool) {
	if !bytes {
		g.e.Integer(g.int())
		g.types = append(g.types, isInt)
		return
	}
	b := make([]byte, []int{0, 1, 8, 31, 32, 33, 100}[g.r.IntN(7)])
	for i := range b {
		b[i] = byte(g.r.IntN(3))
	}
	g.e.Bytes(b)
	g.types = append(g.types, isBytes)
}

func (g *generator) apply(types string, do func()) {
	takes, leaves := types, ""
	for i := range types {
		if types[i] == ':' {
			takes, leaves = types[:i], types[i+1:]
		}
	}
	g.want(takes)
	do()
	g.types = g.types[:len(g.types)-len(takes)]
	for _, c := range leaves {
		if c == 'b' {
			g.types = append(g.types, isBytes)
		} else {
			g.types = append(g.types, isInt)
		}
	}
}

// inner generates instructions that leave the stack as it was.
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

var signatureOps = func() []bytecode.Opcode {
	var out []bytecode.Opcode
	for op := range signatures {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}()

func (g *generator) some(n int) {
	for range n {
		if len(g.e.Code) > 3000 {
			return
		}
		if g.r.IntN(5) == 0 {
			g.idiom()
			continue
		}
		switch c := g.r.IntN(40); {
		case c < 24:
			op := signatureOps[g.r.IntN(len(signatureOps))]
			if op == bytecode.OpVerifySig && g.r.IntN(10) > 0 {
				continue
			}
			g.apply(signatures[op], func() { g.e.Op(op) })
		case c < 27 && g.depth < 4:
			g.apply("n:", func() {
				at := g.e.Jump(bytecode.OpJumpZero)
				g.inner(1 + g.r.IntN(4))
				end := g.e.Jump(bytecode.OpJump)
				g.e.Target(at, len(g.e.Code))
				g.inner(g.r.IntN(4))
				g.e.Target(end, len(g.e.Code))
			})
		case c < 29 && g.depth < 3:
			start := g.r.IntN(3)
			limit := start + g.r.IntN(6)
			if limit == start && g.r.IntN(8) > 0 { // do does not end then
				limit++
			}
			g.e.Integer(int64(limit))
			g.e.Integer(int64(start))
			op := []bytecode.Opcode{bytecode.OpDo, bytecode.OpQDo}[g.r.IntN(2)]
			skip := -1
			if op == bytecode.OpQDo {
				skip = g.e.Jump(op)
			} else {
				g.e.Op(op)
			}
			again := len(g.e.Code)
			g.inDo++
			g.inner(1 + g.r.IntN(4))
			g.inDo--
			if g.r.IntN(4) == 0 {
				g.e.Integer(g.address())
				g.e.Op(bytecode.OpInc)
				g.e.Target(g.e.Jump(bytecode.OpLoop), again)
				g.types = nil
			} else if g.r.IntN(2) == 0 {
				g.e.Integer([]int64{1, 2, 3, 1, 2, 5, 1, 7, -1, math.MaxInt64}[g.r.IntN(10)])
				g.e.Target(g.e.Jump(bytecode.OpPlusLoop), again)
			} else {
				g.e.Target(g.e.Jump(bytecode.OpLoop), again)
			}
			if skip >= 0 {
				g.e.Target(skip, len(g.e.Code))
			}
		case c < 30 && g.inDo > 0:
			op := bytecode.OpI
			if g.inDo > 1 && g.r.IntN(2) == 0 {
				op = bytecode.OpJ
			}
			g.apply(":n", func() { g.e.Op(op) })
		case c < 31 && g.words > 0:
			g.wordCall()
		case c < 32 && len(g.addr) > 0:
			h := g.addr[g.r.IntN(len(g.addr))]
			g.e.Bytes(h[:])
			g.e.Op(bytecode.OpCallHash)
		case c < 33 && g.r.IntN(2) == 0:
			g.block()
		case c < 34 && g.r.IntN(3) == 0:
			g.slot()
		case c < 34:
			g.e.Integer(g.address())
			g.apply(":n", func() { g.e.Op([]bytecode.Opcode{bytecode.OpFetch, bytecode.OpCFetch}[g.r.IntN(2)]) })
		case c < 36:
			g.apply("n:", func() {
				g.e.Integer(g.address())
				g.e.Op([]bytecode.Opcode{bytecode.OpStore, bytecode.OpCStore, bytecode.OpAddStore}[g.r.IntN(3)])
			})
		case c < 37:
			g.want("n")
			g.e.Op(bytecode.OpToR)
			g.types = g.types[:len(g.types)-1]
			if g.r.IntN(20) > 0 {
				g.e.Op(bytecode.OpFromR)
				g.types = append(g.types, isInt)
			}
		case c < 38:
			n := byte(g.r.IntN(len(bytecode.Environment)))
			switch e := bytecode.Environment[n]; {
			case e.From == bytecode.EnvPlain && e.IsBytes:
				g.apply(":b", func() { g.e.Env(int(n)) })
			case e.From == bytecode.EnvPlain:
				g.apply(":n", func() { g.e.Env(int(n)) })
			case e.From == bytecode.EnvOracle:
				g.oracle(int(n))
			case e.From == bytecode.EnvIndexed:
				g.e.Integer(int64(g.r.IntN(4)))
				g.apply(map[bool]string{false: "n:n", true: "n:b"}[e.IsBytes], func() { g.e.Env(int(n)) })
			}
		case c < 39 && len(g.types) > 0:
			g.e.Integer(int64(g.r.IntN(len(g.types) + 1)))
			if g.r.IntN(4) == 0 {
				g.e.Op(bytecode.OpRoll)
				g.types = nil // unknown from here on: what follows brings its own
			} else {
				g.e.Op(bytecode.OpPick)
				g.e.Op(bytecode.OpDrop)
			}
		case g.r.IntN(6) == 0:
			g.e.Integer(int64(g.r.IntN(2)))
			g.e.Op([]bytecode.Opcode{bytecode.OpThrow, bytecode.OpThrow, bytecode.OpThrow, bytecode.OpThrow, bytecode.OpFail}[g.r.IntN(5)])
		case g.r.IntN(6) == 0: // anything
			if op := bytecode.Opcode(g.r.IntN(0x80)); bytecode.Opcodes[op].Name != "" && bytecode.Opcodes[op].Operand == bytecode.NoOperand {
				g.e.Op(op)
			}
		default:
			g.literal(g.r.IntN(3) == 0)
		}
	}
}

// idiom generates what a fused instruction stands for, mostly with what it needs. Of the stack it knows nothing afterwards,
// so that what follows brings its own.
func (g *generator) idiom() {
	p := patterns[g.r.IntN(len(patterns))]
	last := p.sequence[len(p.sequence)-1]
	if last == bytecode.OpEnd || last == bytecode.OpLoop || last == bytecode.OpPlusLoop {
		return // words and loops see to these
	}
	if g.r.IntN(16) > 0 {
		g.types = append(g.types[:0], isInt) // a want of two brings both
		g.e.Integer(g.int())
		g.last = g.address()
		g.e.Integer(g.last)
		if g.r.IntN(3) > 0 {
			g.last = g.address()
		}
		g.e.Integer(g.last)
		if g.r.IntN(30) == 0 {
			g.e.Bytes(nil)
		}
	}
	g.sequence(p.sequence)
	g.types = nil
}

func (g *generator) sequence(ops []bytecode.Opcode) {
	pick := func(m map[bytecode.Opcode]uint8) bytecode.Opcode {
		return slices.Sorted(maps.Keys(m))[g.r.IntN(len(m))]
	}
	for _, op := range ops {
		switch op {
		case bytecode.OpInt:
			switch g.r.IntN(4) {
			case 0:
				g.e.Integer(g.int())
			case 1:
				g.e.Integer(g.last) // what lies below, so that they are equal
			default:
				g.e.Integer(g.address())
			}
		case bytecode.OpJumpZero:
			at := g.e.Jump(op)
			if g.r.IntN(2) == 0 {
				g.literal(false)
				g.e.Op(bytecode.OpDrop)
			}
			g.e.Target(at, len(g.e.Code))
		case anyCompare:
			g.e.Op(pick(comparisons))
		case anyBranch:
			if g.r.IntN(5) == 0 {
				g.e.Op(bytecode.OpSame)
			} else {
				g.e.Op(pick(comparisons))
			}
		case anyZero:
			g.e.Op(pick(againstZero))
		case anyAdd:
			g.e.Op([]bytecode.Opcode{bytecode.OpAdd, bytecode.OpSub}[g.r.IntN(2)])
		case anyStep:
			g.e.Op([]bytecode.Opcode{bytecode.OpInc, bytecode.OpDec}[g.r.IntN(2)])
		case bytecode.OpEnd:
		default:
			g.e.Op(op)
		}
	}
}

// ending generates the end of a word that is fused, or the whole of a word that is.
func (g *generator) ending() {
	for range 1 + g.r.IntN(4) {
		g.sequence([]bytecode.Opcode{bytecode.OpInt, []bytecode.Opcode{bytecode.OpAnd, anyAdd}[g.r.IntN(2)]})
	}
}

// wordCall runs a word: by a call, by its number, or under a catch.
func (g *generator) wordCall() {
	n := g.r.IntN(g.words)
	if g.r.IntN(2) == 0 {
		g.want("n")
	}
	switch g.r.IntN(4) {
	case 0:
		g.e.Integer(int64(n + g.r.IntN(30)/29))
		g.e.Op(bytecode.OpExecute)
	case 1, 2:
		g.e.Integer(int64(n + g.r.IntN(30)/29))
		g.apply(":n", func() { g.e.Op(bytecode.OpCatch) })
	default:
		g.e.Word(n)
	}
}

// block uses many bytes of the data space.
func (g *generator) block() {
	size := []int64{0, 1, 7, 8, 9, 63, 64, 65, 200, 1025, -1}[g.r.IntN(11)]
	switch g.r.IntN(4) {
	case 0:
		g.e.Integer(g.address())
		g.e.Integer(g.address())
		g.e.Integer(size)
		g.e.Op(bytecode.OpMove)
	case 1:
		g.e.Integer(g.address())
		g.e.Integer(size)
		g.e.Integer(g.int())
		g.e.Op(bytecode.OpFill)
	case 2:
		g.e.Integer(g.address())
		g.e.Integer(size)
		g.apply(":b", func() { g.e.Op(bytecode.OpMemToB) })
	default:
		g.want("b")
		g.e.Integer(g.address())
		g.apply("b:", func() { g.e.Op(bytecode.OpBToMem) })
	}
}

// slot keeps a value of either kind in a slot; what it reads is not known, and so not left.
func (g *generator) slot() {
	n := g.r.IntN(6)
	if g.r.IntN(2) == 0 {
		g.want("n")
		g.apply(map[bool]string{true: "b:", false: "n:"}[g.types[len(g.types)-1] == isBytes], func() { g.e.Slot(bytecode.OpSetSlot, n) })
		return
	}
	g.e.Slot(bytecode.OpSlot, n)
	g.e.Op([]bytecode.Opcode{bytecode.OpDrop, bytecode.OpDrop, bytecode.OpLen, bytecode.OpInc}[g.r.IntN(4)])
	if g.e.Code[len(g.e.Code)-1] != byte(bytecode.OpDrop) {
		g.e.Op(bytecode.OpDrop)
	}
}

func (g *generator) oracle(n int) {
	if g.r.IntN(2) == 0 {
		g.e.Integer(int64(g.r.IntN(9) / 4))
	} else {
		g.e.Bytes([]byte{byte(g.r.IntN(9) / 4)})
	}
	g.e.Integer(int64(g.r.IntN(60000)))
	g.e.Integer(int64(g.r.IntN(200)))
	g.apply(":nn", func() { g.e.Env(n) })
}

// segment generates code or evidence.
func (g *generator) segment(evidence bool) []byte {
	var bodies [][]byte
	for range g.r.IntN(4) {
		g.e, g.types, g.words = &bytecode.Emitter{}, nil, len(bodies)
		if g.r.IntN(4) > 0 {
			g.inner(1 + g.r.IntN(12))
		}
		switch g.r.IntN(10) {
		case 0:
			g.e.Op(bytecode.OpRecurse)
		case 1, 2, 3:
			g.ending()
		case 4:
			g.sequence([]bytecode.Opcode{bytecode.OpAdd, bytecode.OpExit}[:1+g.r.IntN(2)])
		case 5:
			at := g.e.Jump(bytecode.OpJump)
			g.inner(1)
			g.e.Op(bytecode.OpExit)
			g.e.Target(at, len(g.e.Code))
		}
		bodies = append(bodies, g.e.Code)
	}
	g.e, g.types, g.words = &bytecode.Emitter{}, nil, len(bodies)
	if evidence {
		for range g.r.IntN(3) {
			g.literal(g.r.IntN(2) == 0)
		}
	} else {
		g.some(5 + g.r.IntN(40))
		for range 3 {
			g.e.Integer(int64(g.r.IntN(200)))
		}
		if g.r.IntN(4) > 0 {
			g.e.Op(bytecode.OpReturn)
		}
	}
	parts := bytecode.Parts{Words: bodies, Main: g.e.Code, Addressable: g.r.IntN(2) == 0}
	if !evidence && g.r.IntN(4) == 0 {
		parts.Data = make([]byte, g.r.IntN(200))
		for i := range parts.Data {
			parts.Data[i] = byte(g.r.IntN(256))
		}
	}
	if !evidence && g.r.IntN(8) == 0 {
		parts.Convention = vm.DelayNonceAmount
	}
	code, p, l := parts.Encode(), &bytecode.Program{}, bytecode.DefaultLimits()
	if p.Load(code, &l, evidence) == nil {
		g.addr = append(g.addr, p.Hashes...)
	}
	return code
}

func randomEnvironment(r *rand.Rand) map[string][]byte {
	env := map[string][]byte{}
	for _, e := range bytecode.Environment {
		switch {
		case r.IntN(3) == 0:
		case e.IsBytes:
			env[e.Name] = make([]byte, r.IntN(40))
		case r.IntN(20) == 0:
			env[e.Name] = []byte{0xff, 1, 2, 3, 4, 5, 6, 7}
		default:
			env[e.Name] = []byte{0, 0, 0, 0, 0, 0, byte(r.IntN(256)), byte(r.IntN(256))}
		}
	}
	for i := range 4 {
		for _, name := range []string{"balance:", "deposit:", "participant:"} {
			if r.IntN(2) == 0 {
				env[name+decimal(int64(i))] = make([]byte, 8)
			}
		}
		answer := make([]byte, answerBytes-r.IntN(20)/19)
		answer[0], answer[8], answer[15], answer[len(answer)-1] = byte(r.IntN(5)), byte(i), byte(r.IntN(256)), byte(r.IntN(256))
		if r.IntN(6) > 0 {
			env[[]string{"oracle:0", "oracle:1", "oracle:00", "oracle:01"}[i]] = answer
		}
	}
	return env
}

// randomRun makes a run out of a seed. A third of them have a few bytes changed.
func randomRun(seed uint64) (vm.Run, map[string][]byte) {
	r := rand.New(rand.NewPCG(seed, 1))
	g := &generator{r: r}
	run := vm.Run{Evidence: g.segment(true)}
	run.Code = g.segment(false)
	run.GasLimit = []uint64{3_000, 6_000, 45_000}[r.IntN(3)]
	if r.IntN(10) == 0 {
		run.GasLimit = uint64(r.IntN(2000))
	}
	run.Environment = randomEnvironment(r)
	if seed%6 == 0 {
		for range 1 + r.IntN(3) {
			run.Code[r.IntN(len(run.Code))] = byte(r.IntN(256))
		}
	}
	return run, randomEnvironment(r)
}
