package vmforth

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// generator writes random programs of which most run for a while: it knows what types are on the stack, and supplies what
// an instruction needs. Now and then it does not.
type generator struct {
	r     *rand.Rand
	e     *emitter
	types []kind
	words int // that may be called
	addr  [][32]byte
	depth int
	inDo  int
}

// signatures are the types that instructions take and leave, for those where that is fixed: n integer, b bytes.
var signatures = map[opcode]string{
	opAdd: "nn:n", opSub: "nn:n", opMul: "nn:n", opDiv: "nn:n", opMod: "nn:n", opDivMod: "nn:nn", opNegate: "n:n", opAbs: "n:n", opMin: "nn:n",
	opMax: "nn:n", opInc: "n:n", opDec: "n:n", opMulDiv: "nnn:n", opMulDivMod: "nnn:nn", opAddWrap: "nn:n", opSubWrap: "nn:n",
	opMulWrap: "nn:n", opAnd: "nn:n", opOr: "nn:n", opXor: "nn:n", opInvert: "n:n", opLShift: "nn:n", opRShift: "nn:n", opTwoMul: "n:n",
	opTwoDiv: "n:n", opSame: "bb:n", opEqual: "nn:n", opNotEqual: "bn:n", opLess: "nn:n", opGreater: "nn:n", opLessEqual: "nn:n",
	opGreaterEqual: "nn:n", opULess: "nn:n", opZeroEqual: "n:n", opZeroNotEqual: "n:n", opZeroLess: "n:n", opZeroGreater: "n:n", opLen: "b:n",
	opCat: "bb:b", opToB: "n:b", opFromB: "b:n", opHash: "b:b", opBlake2b: "b:b", opKeccak: "b:b", opDup: "n:nn", opDrop: "n:", opSwap: "bn:nb",
	opOver: "nb:nbn", opRot: "nbn:bnn", opMinusRot: "nnb:bnn", opNip: "nb:b", opTuck: "nb:bnb", op2Dup: "nn:nnnn", op2Drop: "nb:",
	op2Swap: "nbnb:nbnb", op2Over: "nbnb:nbnbnb", opDepth: ":n", opGas: ":n", opVerifySig: "bbb:n",
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
		g.e.integer(g.int())
		g.types = append(g.types, isInt)
		return
	}
	b := make([]byte, []int{0, 1, 8, 31, 32, 33, 100}[g.r.IntN(7)])
	for i := range b {
		b[i] = byte(g.r.IntN(3))
	}
	g.e.bytes(b)
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
		g.e.op(opDrop)
	}
	g.types = outer
}

var signatureOps = func() []opcode {
	var out []opcode
	for op := range signatures {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}()

func (g *generator) some(n int) {
	for range n {
		if len(g.e.code) > 3000 {
			return
		}
		switch c := g.r.IntN(40); {
		case c < 24:
			op := signatureOps[g.r.IntN(len(signatureOps))]
			if op == opVerifySig && g.r.IntN(10) > 0 {
				continue
			}
			g.apply(signatures[op], func() { g.e.op(op) })
		case c < 27 && g.depth < 4:
			g.apply("n:", func() {
				at := g.e.jump(opJumpZero)
				g.inner(1 + g.r.IntN(4))
				end := g.e.jump(opJump)
				g.e.target(at, len(g.e.code))
				g.inner(g.r.IntN(4))
				g.e.target(end, len(g.e.code))
			})
		case c < 29 && g.depth < 3:
			start := g.r.IntN(3)
			limit := start + g.r.IntN(6)
			if limit == start && g.r.IntN(8) > 0 { // do does not end then
				limit++
			}
			g.e.integer(int64(limit))
			g.e.integer(int64(start))
			op := []opcode{opDo, opQDo}[g.r.IntN(2)]
			skip := -1
			if op == opQDo {
				skip = g.e.jump(op)
			} else {
				g.e.op(op)
			}
			again := len(g.e.code)
			g.inDo++
			g.inner(1 + g.r.IntN(4))
			g.inDo--
			if g.r.IntN(2) == 0 {
				g.e.integer([]int64{1, 2, 3, 1, 2, 5, 1, 7, -1, math.MaxInt64}[g.r.IntN(10)])
				g.e.target(g.e.jump(opPlusLoop), again)
			} else {
				g.e.target(g.e.jump(opLoop), again)
			}
			if skip >= 0 {
				g.e.target(skip, len(g.e.code))
			}
		case c < 30 && g.inDo > 0:
			op := opI
			if g.inDo > 1 && g.r.IntN(2) == 0 {
				op = opJ
			}
			g.apply(":n", func() { g.e.op(op) })
		case c < 31 && g.words > 0:
			g.e.word(g.r.IntN(g.words))
		case c < 32 && len(g.addr) > 0:
			h := g.addr[g.r.IntN(len(g.addr))]
			g.e.bytes(h[:])
			g.e.op(opCallHash)
		case c < 34:
			g.e.integer(g.address())
			g.apply(":n", func() { g.e.op([]opcode{opFetch, opCFetch}[g.r.IntN(2)]) })
		case c < 36:
			g.apply("n:", func() {
				g.e.integer(g.address())
				g.e.op([]opcode{opStore, opCStore, opAddStore}[g.r.IntN(3)])
			})
		case c < 37:
			g.want("n")
			g.e.op(opToR)
			g.types = g.types[:len(g.types)-1]
			if g.r.IntN(20) > 0 {
				g.e.op(opFromR)
				g.types = append(g.types, isInt)
			}
		case c < 38:
			n := byte(g.r.IntN(len(environment)))
			switch e := environment[n]; {
			case e.from == envPlain && e.isB:
				g.apply(":b", func() { g.e.op(opEnv); g.e.op(opcode(n)) })
			case e.from == envPlain:
				g.apply(":n", func() { g.e.op(opEnv); g.e.op(opcode(n)) })
			}
		case c < 39 && len(g.types) > 0:
			g.e.integer(int64(g.r.IntN(len(g.types) + 1)))
			if g.r.IntN(4) == 0 {
				g.e.op(opRoll)
				g.types = nil // unknown from here on: what follows brings its own
			} else {
				g.e.op(opPick)
				g.e.op(opDrop)
			}
		case g.r.IntN(6) == 0:
			g.e.integer(int64(g.r.IntN(2)))
			g.e.op([]opcode{opThrow, opThrow, opThrow, opThrow, opFail}[g.r.IntN(5)])
		case g.r.IntN(6) == 0: // anything
			if op := opcode(g.r.IntN(0x80)); opcodes[op].name != "" && opcodes[op].operand == noOperand {
				g.e.op(op)
			}
		default:
			g.literal(g.r.IntN(3) == 0)
		}
	}
}

// segment generates code or evidence.
func (g *generator) segment(evidence bool) []byte {
	var bodies [][]byte
	for range g.r.IntN(4) {
		g.e, g.types, g.words = &emitter{}, nil, len(bodies)
		g.inner(1 + g.r.IntN(12))
		if g.r.IntN(10) == 0 {
			g.e.op(opRecurse)
		}
		bodies = append(bodies, g.e.code)
	}
	g.e, g.types, g.words = &emitter{}, nil, len(bodies)
	if evidence {
		for range g.r.IntN(3) {
			g.literal(g.r.IntN(2) == 0)
		}
	} else {
		g.some(5 + g.r.IntN(40))
		for range 3 {
			g.e.integer(int64(g.r.IntN(200)))
		}
		if g.r.IntN(4) > 0 {
			g.e.op(opReturn)
		}
	}
	code := assembleProgram(bodies, g.e.code, g.r.IntN(2) == 0)
	p := &program{}
	if l, err := parseLimits(nil); err == nil && p.load(code, &l, evidence) == nil {
		g.addr = append(g.addr, p.hashes...)
	}
	return code
}

func randomEnvironment(r *rand.Rand) map[string][]byte {
	env := map[string][]byte{}
	for _, e := range environment {
		switch {
		case r.IntN(3) == 0:
		case e.isB:
			env[e.name] = make([]byte, r.IntN(40))
		case r.IntN(20) == 0:
			env[e.name] = []byte{0xff, 1, 2, 3, 4, 5, 6, 7}
		default:
			env[e.name] = []byte{0, 0, 0, 0, 0, 0, byte(r.IntN(256)), byte(r.IntN(256))}
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

// both runs a run on both interpreters and describes how they differ, or returns "".
func both(m *machine, r *vm.Run, common map[string][]byte) (status vm.Status, diff string) {
	limit := int64(min(r.GasLimit, uint64(m.lim.GasLimit)))
	o := m.enter(r, nil, common, limit)
	var stack []string
	if o.status == vm.OK {
		for _, c := range m.stack[:o.sp] {
			if c.k == isInt {
				stack = append(stack, decimal(c.v))
			} else {
				stack = append(stack, fmt.Sprintf(`x"%x"`, m.bytesOf(c)))
			}
		}
	}
	m.leave()
	s, want, left, loose := naiveRun(r, common, *m.lim)
	switch {
	case o.status != s:
		return s, fmt.Sprintf("status %s (%s at %d, %s), naive %s", statusName(o.status), opcodes[o.op].name, o.pc, o.text, statusName(s))
	case s != vm.OK:
	case !slices.Equal(stack, want):
		return s, fmt.Sprintf("stack %v, naive %v", stack, want)
	case o.gas != left || o.loose != loose:
		return s, fmt.Sprintf("gas left %d, naive %d; return %t, naive %t", o.gas, left, o.loose, loose)
	}
	return s, ""
}

// TestDifferential runs random programs on both interpreters.
func TestDifferential(t *testing.T) {
	l, err := parseLimits(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.StackDepth, l.ReturnDepth, l.ArenaBytes, l.DataBytes = 64, 24, 4<<10, 4<<10 // so that they are reached
	m, err := newMachine(&l)
	if err != nil {
		t.Fatal(err)
	}
	programs := uint64(6000)
	if testing.Short() {
		programs = 2000
	}
	statuses := map[vm.Status]int{}
	for seed := range programs {
		run, common := randomRun(seed)
		s, diff := both(m, &run, common)
		if diff != "" {
			text, err := disassemble(run.Code, &l)
			t.Fatalf("seed %d: %s\n%s%v", seed, diff, text, err)
		}
		statuses[s]++
	}
	for s := vm.OK; s <= EnvMissing; s++ {
		if statuses[s] == 0 && s != BadResult && !testing.Short() {
			t.Errorf("no program ended with %s; the generator misses something", statusName(s))
		}
	}
	t.Logf("ends by status: %v", statuses)
}

// FuzzBytecode runs arbitrary bytes as evidence and code, on both interpreters.
func FuzzBytecode(f *testing.F) {
	for seed := range uint64(20) {
		run, _ := randomRun(seed)
		f.Add(run.Evidence, run.Code)
	}
	l, err := parseLimits(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, evidence, code []byte) {
		m, err := newMachine(&l)
		if err != nil {
			t.Fatal(err)
		}
		run := vm.Run{Evidence: evidence, Code: code, GasLimit: 20_000}
		if _, diff := both(m, &run, map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 9}}); diff != "" {
			t.Fatal(diff)
		}
		v := newVM(l)
		text, err := v.Disassemble(t.Context(), code)
		if err != nil {
			return
		}
		again, _, err := v.Compile(t.Context(), vm.Source{Text: text})
		if err != nil || string(again) != string(code) {
			t.Fatalf("%x disassembles to\n%s\nwhich assembles to %x, %v", code, text, again, err)
		}
	})
}

// TestVerifySig signs a message for a contract.
func TestVerifySig(t *testing.T) {
	v := open(t, "")
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	msg := []byte("pay")
	code := compiled(t, v, fmt.Sprintf(`s" pay" x"%x" verify-sig 0 swap 1`, public), false)
	for name, c := range map[string]struct {
		sig  []byte
		want int64
	}{
		"right": {ed25519.Sign(key, SignBytes(msg)), 1}, "without the domain": {ed25519.Sign(key, msg), 0}, "short": {[]byte{1}, 0},
	} {
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: code, Evidence: compiled(t, v, fmt.Sprintf(`x"%x"`, c.sig), true), GasLimit: plentyGas}}})
		if err != nil || got[0].Status != vm.OK || got[0].Stack[1] != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

const plentyGas = 1_000_000
