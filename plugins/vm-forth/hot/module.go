package hot

import (
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// Globals of a module.
const (
	gTouched = iota // bytes of the data space that have been touched
	gWhole          // addresses below it are of cells that have been touched as a whole
	gDone           // 1: a word has ended the run
	gGas            // what was left then
	gResult         // the first of the results then
	gSlots   = gResult + results
)

const (
	results   = 3 // that a contract leaves
	hostTakes = 3 // at most, by a word that the engine executes
	hostLeave = 2
)

// site is a place in a module where the engine executes an instruction.
type site struct {
	one   *bytecode.Program // the instruction alone
	kinds string            // of what it takes and leaves, as in hostWords
	takes int
}

// builder makes a module out of any number of programs.
type builder struct {
	lim     *bytecode.Limits
	types   []string
	funcs   []function
	exports []export
	sites   []site
	slots   int
	memory  bool
	cost    int64 // of compiling, about as much as so many bytes of plain code
}

type function struct {
	typ  int
	body code // with its locals
}

type export struct {
	name  string
	index int
}

// The functions that each module has first, after its imports.
const (
	fTouch = iota
	fSetTouched
	fMul
	fMulWide
	helpers
)

// imports are the names of what a module asks of the host: w and m with how many values they take and leave; m for words
// on the data space, which pass on how much of it is touched.
func imports() []string {
	var out []string
	for n := range hostTakes + 1 {
		for r := range hostLeave + 1 {
			out = append(out, fmt.Sprintf("w%d%d", n, r))
		}
	}
	return append(out, "m30", "m20", "m21")
}

// importIndex is the number of an import, or -1.
func importIndex(memory bool, takes, leaves int) int {
	if !memory {
		return takes*(hostLeave+1) + leaves
	}
	for i, n := range imports() {
		if n == fmt.Sprintf("m%d%d", takes, leaves) {
			return i
		}
	}
	return -1
}

// signature writes a type: numbers of i64, with a letter i for an i32.
func signature(takes, leaves string) string { return takes + ">" + leaves }

func longs(n int) string { return strings.Repeat("l", n) }

func newBuilder(l *bytecode.Limits) *builder {
	b := &builder{lim: l}
	for range helpers {
		b.reserve()
	}
	b.touch()
	b.setTouched()
	b.mul()
	b.mulWide()
	return b
}

func (b *builder) typeOf(sig string) int {
	for i, t := range b.types {
		if t == sig {
			return i
		}
	}
	b.types = append(b.types, sig)
	return len(b.types) - 1
}

// reserve returns the index of a function whose body follows.
func (b *builder) reserve() int {
	b.funcs = append(b.funcs, function{})
	return len(imports()) + len(b.funcs) - 1
}

// define gives a reserved function its body; locals are all i64.
func (b *builder) define(index int, sig string, locals int, body code) {
	var out code
	if locals == 0 {
		out.u(0)
	} else {
		out.u(1)
		out.u(uint64(locals))
		out.op(typeI64)
	}
	b.funcs[index-len(imports())] = function{b.typeOf(sig), append(append(out, body...), wEnd)}
}

func helper(n int) int { return len(imports()) + n }

// touch ( gas address size -- gas ) is for an access that may be the first: it checks the address, and charges.
func (b *builder) touch() {
	const gas, addr, size, end = 0, 1, 2, 3
	var c code
	c.get(addr)
	c.int(b.lim.DataBytes)
	c.get(size)
	c.op(wSub, wGtU, wIf, noType, wUnreachable, wEnd)
	c.get(addr)
	c.get(size)
	c.op(wAdd)
	c.tee(end)
	c.global(gTouched)
	c.op(wGtS, wIf, noType)
	blocks := func(push func()) {
		push()
		c.int(bytecode.GasDataBytes - 1)
		c.op(wAdd)
		c.int(bytecode.GasDataBytes)
		c.op(wDivS)
	}
	c.get(gas)
	blocks(func() { c.get(end) })
	blocks(func() { c.global(gTouched) })
	c.op(wSub, wSub)
	c.set(gas)
	c.get(end)
	c.call(helper(fSetTouched))
	c.op(wEnd)
	c.get(gas)
	b.define(helper(fTouch), signature("lll", "l"), 1, c)
}

// setTouched ( touched -- ) sets the two globals.
func (b *builder) setTouched() {
	var c code
	c.get(0)
	c.setGlobal(gTouched)
	c.get(0)
	c.int(7)
	c.op(wSub)
	c.int(0)
	c.get(0)
	c.int(7)
	c.op(wGtS, wSelect)
	c.setGlobal(gWhole)
	b.define(helper(fSetTouched), signature("l", ""), 0, c)
}

// mul ( x y -- product ) traps if the product does not fit. So does its division by -1 of the least number.
func (b *builder) mul() {
	const x, y, product = 0, 1, 2
	var c code
	c.get(x)
	c.op(wEqz, wIf, noType)
	c.int(0)
	c.op(wReturn, wEnd)
	c.get(x)
	c.get(y)
	c.op(wMul)
	c.tee(product)
	c.get(x)
	c.op(wDivS)
	c.get(y)
	c.op(wNe, wIf, noType, wUnreachable, wEnd)
	c.get(product)
	b.define(helper(fMul), signature("ll", "l"), 1, c)
}

// mulWide ( u u -- low high ) multiplies unsigned, by halves.
func (b *builder) mulWide() {
	const x, y, xl, xh, yl, yh, t, u = 0, 1, 2, 3, 4, 5, 6, 7
	var c code
	low := func(from int) { c.get(from); c.int(0xffffffff); c.op(wAnd) }
	high := func(from int) { c.get(from); c.int(32); c.op(wShrU) }
	low(x)
	c.set(xl)
	high(x)
	c.set(xh)
	low(y)
	c.set(yl)
	high(y)
	c.set(yh)
	c.get(xh) // t = xh*yl + (xl*yl >> 32)
	c.get(yl)
	c.op(wMul)
	c.get(xl)
	c.get(yl)
	c.op(wMul)
	c.int(32)
	c.op(wShrU, wAdd)
	c.set(t)
	c.get(xl) // u = low(t) + xl*yh
	c.get(yh)
	c.op(wMul)
	low(t)
	c.op(wAdd)
	c.set(u)
	c.get(x)
	c.get(y)
	c.op(wMul)
	c.get(xh)
	c.get(yh)
	c.op(wMul)
	high(t)
	c.op(wAdd)
	high(u)
	c.op(wAdd)
	b.define(helper(fMulWide), signature("ll", "ll"), 6, c)
}

// pages is how much memory an instance has, in pages of 64 KiB.
func (b *builder) pages() int {
	if !b.memory {
		return 0
	}
	return int((b.lim.DataBytes + 1<<16 - 1) >> 16)
}

// encode writes the module.
func (b *builder) encode() []byte {
	var imp, fun, mem, glo, exp, bodies code
	imp.u(uint64(len(imports())))
	for _, n := range imports() {
		takes, leaves := int(n[1]-'0'), int(n[2]-'0')
		sig := signature("il"+longs(takes), longs(1+leaves))
		if n[0] == 'm' {
			sig = signature("ill"+longs(takes), longs(2+leaves))
		}
		imp.name(hostModule)
		imp.name(n)
		imp.op(0)
		imp.u(uint64(b.typeOf(sig)))
	}
	fun.u(uint64(len(b.funcs)))
	bodies.u(uint64(len(b.funcs)))
	for _, f := range b.funcs {
		fun.u(uint64(f.typ))
		bodies.u(uint64(len(f.body)))
		bodies = append(bodies, f.body...)
	}
	mem.u(1)
	mem.op(1)
	mem.u(uint64(b.pages()))
	mem.u(uint64(b.pages()))
	globals := gSlots + b.slots
	glo.u(uint64(globals))
	for range globals {
		glo.op(typeI64, 1)
		glo.int(0)
		glo.op(wEnd)
	}
	exp.u(uint64(len(b.exports) + 1 + gSlots))
	for _, e := range b.exports {
		exp.name(e.name)
		exp.op(0)
		exp.u(uint64(e.index))
	}
	exp.name("memory")
	exp.op(2, 0)
	for g := range gSlots {
		exp.name(globalName(g))
		exp.op(3)
		exp.u(uint64(g))
	}
	var types code
	types.u(uint64(len(b.types)))
	for _, t := range b.types {
		takes, leaves, _ := strings.Cut(t, ">")
		types.op(0x60)
		for _, s := range []string{takes, leaves} {
			types.u(uint64(len(s)))
			for _, x := range s {
				if x == 'i' {
					types.op(typeI32)
				} else {
					types.op(typeI64)
				}
			}
		}
	}
	out := code{0, 'a', 's', 'm', 1, 0, 0, 0}
	for _, s := range []struct {
		id   byte
		body code
	}{{1, types}, {2, imp}, {3, fun}, {5, mem}, {6, glo}, {7, exp}, {10, bodies}} {
		out.section(s.id, s.body)
	}
	return out
}

func globalName(g int) string { return fmt.Sprintf("g%d", g) }

const hostModule = "engine"
