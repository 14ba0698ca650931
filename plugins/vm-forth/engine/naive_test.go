package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// naive is a second interpreter, written for being read: it works on the bytes of the code, decodes each instruction when
// it comes to it, and counts with big integers. It shares the tables of opcodes and gas with the other, and nothing else.
type naive struct {
	lim   bytecode.Limits
	env   []map[string][]byte
	stack []any // *big.Int or string
	ret   []any // besides these, naiveLoop and naiveFrame
	segs  [2]*naiveSegment
	arena int
	data  []byte
	reach int
	slots []any
	gas   int64
	given bool // return ended it
}

type naiveLoop struct{ limit, index uint64 }

// naiveFrame is a place in the code: a segment, a body in it (-1 is the main body), and an offset there.
type naiveFrame struct{ seg, body, at int }

// naiveCatch is a catch: where it goes on, and with how many values.
type naiveCatch struct {
	frame naiveFrame
	depth int
}

type naiveSegment struct {
	data   []byte
	bodies [][]byte
	main   []byte
	hashes []string
}

// naiveFail carries a status out of the depths.
type naiveFail struct {
	s      vm.Status
	thrown int64
}

func (n *naive) fail(s vm.Status) { panic(naiveFail{s: s}) }

func (n *naive) pay(gas int64) {
	if n.gas -= gas; n.gas < 0 {
		n.fail(bytecode.OutOfGas)
	}
}

// naiveRun returns the status, the stack at the end, what is left of the gas, and whether return ended it.
func naiveRun(r *vm.Run, common map[string][]byte, l bytecode.Limits) (status vm.Status, stack []string, left int64, loose bool) {
	n := &naive{lim: l, env: []map[string][]byte{r.Environment, common}, data: make([]byte, l.DataBytes)}
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(naiveFail)
			if !ok {
				panic(p)
			}
			status, stack, left = f.s, nil, 0
		}
	}()
	if len(r.Code) > int(l.CodeBytes) || len(r.Evidence) > int(l.EvidenceBytes) {
		n.fail(bytecode.BadCode)
	}
	n.gas = int64(min(r.GasLimit, uint64(l.GasLimit)))
	n.pay(bytecode.GasCodeByte * int64(len(r.Code)+len(r.Evidence)))
	cost := int64(0)
	for i, code := range [][]byte{r.Evidence, r.Code} {
		// What is well formed is the loader's word: the naive part is how it runs.
		p := &bytecode.Program{}
		if p.Load(code, &l, i == 0) != nil {
			n.fail(bytecode.BadCode)
		}
		seg, gas, err := naiveParse(code)
		if err != nil {
			panic(err)
		}
		n.segs[i], cost = seg, cost+gas
	}
	n.pay(cost)
	for range l.Variables {
		n.slots = append(n.slots, big.NewInt(0))
	}
	for i, b := range n.segs[1].data {
		n.touch(big.NewInt(int64(i)), 1)[0] = b
	}
	for i := range n.segs {
		n.ret = nil
		if n.run(naiveFrame{i, -1, 0}); n.given {
			break
		}
	}
	loose = n.given
	for _, v := range n.stack {
		stack = append(stack, naiveShow(v))
	}
	return vm.OK, stack, n.gas, loose
}

func naiveShow(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf(`x"%x"`, s)
	}
	return v.(*big.Int).String()
}

func naiveParse(code []byte) (*naiveSegment, int64, error) {
	s := &naiveSegment{}
	if len(code) == 0 {
		return s, 0, nil
	}
	r := bytes.NewReader(code[2:])
	if _, err := binary.ReadUvarint(r); err != nil { // what it reads of the environment
		return nil, 0, err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil || size > uint64(r.Len()) {
		return nil, 0, errors.New("too short")
	}
	s.data = make([]byte, size)
	r.Read(s.data)
	words, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, 0, err
	}
	gas := int64(0)
	for range words {
		size, err := binary.ReadUvarint(r)
		if err != nil || size > uint64(r.Len()) {
			return nil, 0, errors.New("too short")
		}
		body := make([]byte, size)
		r.Read(body)
		s.bodies = append(s.bodies, body)
		if code[1]&1 == 0 {
			continue
		}
		canonical := ""
		for at := 0; at < len(body); {
			op, operand, next := naiveDecode(body, at)
			if op == bytecode.OpCall {
				canonical += string(body[at:at+1]) + s.hashes[operand.Int64()]
			} else {
				canonical += string(body[at:next])
			}
			at = next
		}
		h := sha256.Sum256([]byte(canonical))
		s.hashes = append(s.hashes, string(h[:]))
		gas += int64(len(body)) + 65 + 16*int64((len(canonical)+31)/32)
	}
	s.main = make([]byte, r.Len())
	r.Read(s.main)
	return s, gas, nil
}

// naiveDecode returns an instruction, its operand (for bytes their length), and where the next one starts.
func naiveDecode(body []byte, at int) (bytecode.Opcode, *big.Int, int) {
	op := bytecode.Opcode(body[at])
	at++
	if op >= bytecode.OpSmall {
		return bytecode.OpInt, big.NewInt(int64(op - bytecode.OpSmall)), at
	}
	switch bytecode.Opcodes[op].Operand {
	case bytecode.IntOperand:
		v, k := binary.Varint(body[at:])
		return op, big.NewInt(v), at + k
	case bytecode.BytesOperand:
		v, k := binary.Uvarint(body[at:])
		return op, big.NewInt(int64(v)), at + k + int(v)
	case bytecode.JumpOperand:
		return op, big.NewInt(int64(body[at])<<8 | int64(body[at+1])), at + 2
	case bytecode.WordOperand, bytecode.SlotOperand:
		v, k := binary.Uvarint(body[at:])
		return op, big.NewInt(int64(v)), at + k
	case bytecode.EnvOperand:
		return op, big.NewInt(int64(body[at])), at + 1
	}
	return op, nil, at
}

func (n *naive) body(f naiveFrame) []byte {
	if f.body < 0 {
		return n.segs[f.seg].main
	}
	return n.segs[f.seg].bodies[f.body]
}

func (n *naive) push(v any) { n.stack = append(n.stack, v) }
func (n *naive) pushInt(v int64) {
	n.push(big.NewInt(v))
}

// checked pushes an integer that has to fit 64 bits.
func (n *naive) checked(v *big.Int) {
	if !v.IsInt64() {
		n.fail(bytecode.Overflow)
	}
	n.push(v)
}

// pushBytes pushes new bytes.
func (n *naive) pushBytes(s string) {
	if len(s) > 1024 || n.arena+len(s) > int(n.lim.ArenaBytes) {
		n.fail(bytecode.OutOfSpace)
	}
	n.arena += len(s)
	n.push(s)
}

func (n *naive) pop() any {
	v := n.stack[len(n.stack)-1]
	n.stack = n.stack[:len(n.stack)-1]
	return v
}

// ints pops integers; the first of the result was the deepest.
func (n *naive) ints(count int) []*big.Int {
	at := len(n.stack) - count
	out := make([]*big.Int, count)
	for i, v := range n.stack[at:] {
		b, ok := v.(*big.Int)
		if !ok {
			n.fail(bytecode.TypeError)
		}
		out[i] = b
	}
	n.stack = n.stack[:at]
	return out
}

func (n *naive) text() string {
	s, ok := n.pop().(string)
	if !ok {
		n.fail(bytecode.TypeError)
	}
	return s
}

func truth(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

// wrap returns the lowest 64 bits, signed.
func wrap(v *big.Int) *big.Int {
	m := new(big.Int).And(v, new(big.Int).SetUint64(1<<64-1))
	return big.NewInt(int64(m.Uint64()))
}

func (n *naive) enter(f naiveFrame) {
	n.room(1)
	n.ret = append(n.ret, f)
}

// depth is the return stack's: a loop takes two places.
func (n *naive) room(more int) {
	d := more
	for _, v := range n.ret {
		d++
		if _, ok := v.(naiveLoop); ok {
			d++
		}
	}
	if d > int(n.lim.ReturnDepth) {
		n.fail(bytecode.StackOverflow)
	}
}

func (n *naive) topLoop(below int) *naiveLoop {
	if len(n.ret) <= below {
		n.fail(bytecode.StackUnderflow)
	}
	for i := range below + 1 {
		if _, ok := n.ret[len(n.ret)-1-i].(naiveLoop); !ok {
			n.fail(bytecode.StackUnderflow)
		}
	}
	l := n.ret[len(n.ret)-1-below].(naiveLoop)
	return &l
}

// run runs a main body to its end, or to return. A trap puts the stacks back as they were before its instruction, and goes
// on at the innermost catch.
func (n *naive) run(f naiveFrame) {
	for end := false; !end; {
		stack, ret := slices.Clone(n.stack), slices.Clone(n.ret)
		var trap *naiveFail
		func() {
			defer func() {
				if p := recover(); p != nil {
					t, ok := p.(naiveFail)
					if !ok {
						panic(p)
					}
					trap = &t
				}
			}()
			f, end = n.step(f)
		}()
		if trap == nil {
			continue
		}
		number := map[vm.Status]int64{bytecode.Thrown: trap.thrown, bytecode.StackOverflow: -3, bytecode.StackUnderflow: -4, bytecode.BadAddress: -9,
			bytecode.DivByZero: -10, bytecode.Overflow: -11, bytecode.TypeError: -12, bytecode.UnknownWord: -13}[trap.s]
		at := len(ret) - 1
		for ; at >= 0; at-- {
			if _, ok := ret[at].(naiveCatch); ok {
				break
			}
		}
		if number == 0 || at < 0 {
			panic(*trap)
		}
		c := ret[at].(naiveCatch)
		for len(stack) < c.depth {
			stack = append(stack, big.NewInt(0))
		}
		n.stack, n.ret, f = append(stack[:c.depth], big.NewInt(number)), ret[:at], c.frame
	}
}

// step executes one instruction, or leaves a body, and says where to go on, or that the end is there.
func (n *naive) step(f naiveFrame) (naiveFrame, bool) {
	body := n.body(f)
	if f.at == len(body) {
		if f.body < 0 {
			return f, true
		}
		return n.leave(), false
	}
	op, operand, next := naiveDecode(body, f.at)
	d := bytecode.Opcodes[op]
	takes, leaves := int(d.Takes), int(d.Leaves)
	if op == bytecode.OpEnv {
		switch bytecode.Environment[operand.Int64()].From {
		case bytecode.EnvPlain:
			leaves = 1
		case bytecode.EnvOracle:
			takes = 3
		default:
			takes = 1
		}
	}
	n.pay(int64(d.Gas))
	if len(n.stack) < takes {
		n.fail(bytecode.StackUnderflow)
	}
	if len(n.stack)+max(0, leaves-takes) > int(n.lim.StackDepth) {
		n.fail(bytecode.StackOverflow)
	}
	f.at = next
	switch op {
	case bytecode.OpBytes:
		n.pay(bytecode.Blocks(int(operand.Int64())))
		n.pushBytes(string(body[next-int(operand.Int64()) : next]))
	case bytecode.OpJump:
		f.at = int(operand.Int64())
	case bytecode.OpJumpZero:
		if n.ints(1)[0].Sign() == 0 {
			f.at = int(operand.Int64())
		}
	case bytecode.OpCall:
		n.enter(f)
		f = naiveFrame{f.seg, int(operand.Int64()), 0}
	case bytecode.OpRecurse:
		n.enter(f)
		f.at = 0
	case bytecode.OpExit:
		f = n.leave()
	case bytecode.OpCallHash:
		h := n.text()
		n.pay(int64(len(n.segs[0].hashes)+len(n.segs[1].hashes)) / 4)
		to := naiveFrame{-1, 0, 0}
		for _, seg := range []int{1, 0} {
			for i, x := range n.segs[seg].hashes {
				if x == h && to.seg < 0 {
					to = naiveFrame{seg, i, 0}
				}
			}
		}
		if to.seg < 0 {
			n.fail(bytecode.UnknownWord)
		}
		n.enter(f)
		f = to
	case bytecode.OpExecute, bytecode.OpCatch:
		xt := n.ints(1)[0]
		if !xt.IsInt64() || xt.Int64() < 0 || xt.Int64() >= int64(len(n.segs[f.seg].bodies)) {
			n.fail(bytecode.UnknownWord)
		}
		n.room(1)
		if op == bytecode.OpCatch {
			n.ret = append(n.ret, naiveCatch{f, len(n.stack)})
		} else {
			n.ret = append(n.ret, f)
		}
		f = naiveFrame{f.seg, int(xt.Int64()), 0}
	case bytecode.OpSlot:
		n.push(n.slots[operand.Int64()])
	case bytecode.OpSetSlot:
		n.slots[operand.Int64()] = n.pop()
	case bytecode.OpReturn:
		n.given = true
		return f, true
	case bytecode.OpFail:
		n.fail(bytecode.Fail)
	case bytecode.OpThrow:
		if v := n.ints(1)[0]; v.Sign() != 0 {
			panic(naiveFail{bytecode.Thrown, v.Int64()})
		}
	case bytecode.OpDo, bytecode.OpQDo:
		v := n.ints(2)
		if op == bytecode.OpQDo && v[0].Cmp(v[1]) == 0 {
			f.at = int(operand.Int64())
			break
		}
		n.room(2)
		n.ret = append(n.ret, naiveLoop{uint64(v[0].Int64()), uint64(v[1].Int64())})
	case bytecode.OpLoop, bytecode.OpPlusLoop:
		step := big.NewInt(1)
		if op == bytecode.OpPlusLoop {
			step = n.ints(1)[0]
		}
		l := n.topLoop(0)
		// In signed distance to the limit: the loop ends when it passes between -1 and 0.
		x := big.NewInt(int64(l.index - l.limit))
		y := new(big.Int).Add(x, step)
		l.index += uint64(step.Int64())
		crossed := (x.Sign() < 0 && y.Sign() >= 0) || (x.Sign() >= 0 && y.Sign() < 0)
		if crossed {
			n.ret = n.ret[:len(n.ret)-1]
		} else {
			n.ret[len(n.ret)-1] = *l
			f.at = int(operand.Int64())
		}
	case bytecode.OpI:
		n.pushInt(int64(n.topLoop(0).index))
	case bytecode.OpJ:
		n.pushInt(int64(n.topLoop(1).index))
	case bytecode.OpUnloop:
		n.topLoop(0)
		n.ret = n.ret[:len(n.ret)-1]
	case bytecode.OpGas:
		n.pushInt(n.gas)
	case bytecode.OpInt:
		n.push(operand)
	default:
		n.word(op, operand)
	}
	return f, false
}

func (n *naive) leave() naiveFrame {
	if len(n.ret) > 0 {
		if c, ok := n.ret[len(n.ret)-1].(naiveCatch); ok {
			if len(n.stack) >= int(n.lim.StackDepth) {
				n.fail(bytecode.StackOverflow)
			}
			n.ret = n.ret[:len(n.ret)-1]
			n.pushInt(0)
			return c.frame
		}
		if f, ok := n.ret[len(n.ret)-1].(naiveFrame); ok {
			n.ret = n.ret[:len(n.ret)-1]
			return f
		}
	}
	n.fail(bytecode.StackUnderflow)
	return naiveFrame{}
}

// shuffles are the words that only move values: after the colon, what is left of a b c d, the last on top.
var shuffles = map[bytecode.Opcode]string{
	bytecode.OpDup: "a:aa", bytecode.OpDrop: "a:", bytecode.OpSwap: "ab:ba", bytecode.OpOver: "ab:aba", bytecode.OpRot: "abc:bca", bytecode.OpMinusRot: "abc:cab", bytecode.OpNip: "ab:b", bytecode.OpTuck: "ab:bab",
	bytecode.Op2Dup: "ab:abab", bytecode.Op2Drop: "ab:", bytecode.Op2Swap: "abcd:cdab", bytecode.Op2Over: "abcd:abcdab",
}

func (n *naive) word(op bytecode.Opcode, operand *big.Int) {
	if s, ok := shuffles[op]; ok {
		from, to, _ := bytes.Cut([]byte(s), []byte(":"))
		at := len(n.stack) - len(from)
		values := append([]any{}, n.stack[at:]...)
		n.stack = n.stack[:at]
		for _, c := range to {
			n.push(values[c-'a'])
		}
		return
	}
	zero := new(big.Int)
	two := func(f func(a, b *big.Int) *big.Int) {
		v := n.ints(2)
		n.checked(f(v[0], v[1]))
	}
	test := func(f func(order int) bool) {
		v := n.ints(2)
		n.pushInt(truth(f(v[0].Cmp(v[1]))))
	}
	against0 := func(f func(order int) bool) { n.pushInt(truth(f(n.ints(1)[0].Cmp(zero)))) }
	switch op {
	case bytecode.OpQDup:
		v := n.ints(1)[0]
		n.push(v)
		if v.Sign() != 0 {
			n.push(v)
		}
	case bytecode.OpPick, bytecode.OpRoll:
		v := n.ints(1)[0]
		if v.Sign() < 0 || v.Cmp(big.NewInt(int64(len(n.stack)))) >= 0 {
			n.fail(bytecode.StackUnderflow)
		}
		n.pay(v.Int64() / 8)
		at := len(n.stack) - 1 - int(v.Int64())
		x := n.stack[at]
		if op == bytecode.OpRoll {
			n.stack = slices.Delete(slices.Clone(n.stack), at, at+1)
		}
		n.push(x)
	case bytecode.OpDepth:
		n.pushInt(int64(len(n.stack)))
	case bytecode.OpToR:
		n.room(1)
		n.ret = append(n.ret, n.pop())
	case bytecode.OpFromR, bytecode.OpRFetch:
		if len(n.ret) == 0 {
			n.fail(bytecode.StackUnderflow)
		}
		switch v := n.ret[len(n.ret)-1].(type) {
		case *big.Int, string:
			n.push(v)
		default:
			n.fail(bytecode.StackUnderflow)
		}
		if op == bytecode.OpFromR {
			n.ret = n.ret[:len(n.ret)-1]
		}
	case bytecode.OpAdd:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) })
	case bytecode.OpSub:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) })
	case bytecode.OpMul:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) })
	case bytecode.OpAddWrap:
		two(func(a, b *big.Int) *big.Int { return wrap(new(big.Int).Add(a, b)) })
	case bytecode.OpSubWrap:
		two(func(a, b *big.Int) *big.Int { return wrap(new(big.Int).Sub(a, b)) })
	case bytecode.OpMulWrap:
		two(func(a, b *big.Int) *big.Int { return wrap(new(big.Int).Mul(a, b)) })
	case bytecode.OpAnd:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).And(a, b) })
	case bytecode.OpOr:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Or(a, b) })
	case bytecode.OpXor:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Xor(a, b) })
	case bytecode.OpMin:
		two(func(a, b *big.Int) *big.Int {
			if a.Cmp(b) < 0 {
				return a
			}
			return b
		})
	case bytecode.OpMax:
		two(func(a, b *big.Int) *big.Int {
			if a.Cmp(b) > 0 {
				return a
			}
			return b
		})
	case bytecode.OpDiv, bytecode.OpMod, bytecode.OpDivMod, bytecode.OpMulDiv, bytecode.OpMulDivMod:
		var a, b *big.Int
		if op == bytecode.OpMulDiv || op == bytecode.OpMulDivMod {
			v := n.ints(3)
			a, b = new(big.Int).Mul(v[0], v[1]), v[2]
		} else {
			v := n.ints(2)
			a, b = v[0], v[1]
		}
		if b.Sign() == 0 {
			n.fail(bytecode.DivByZero)
		}
		q, r := new(big.Int).QuoRem(a, b, new(big.Int)) // rounds towards 0
		if !q.IsInt64() {
			n.fail(bytecode.Overflow)
		}
		if op == bytecode.OpMod || op == bytecode.OpDivMod || op == bytecode.OpMulDivMod {
			n.push(r)
		}
		if op != bytecode.OpMod {
			n.push(q)
		}
	case bytecode.OpNegate:
		n.checked(new(big.Int).Neg(n.ints(1)[0]))
	case bytecode.OpAbs:
		n.checked(new(big.Int).Abs(n.ints(1)[0]))
	case bytecode.OpInc:
		n.checked(new(big.Int).Add(n.ints(1)[0], big.NewInt(1)))
	case bytecode.OpDec:
		n.checked(new(big.Int).Sub(n.ints(1)[0], big.NewInt(1)))
	case bytecode.OpInvert:
		n.checked(new(big.Int).Not(n.ints(1)[0]))
	case bytecode.OpTwoMul:
		n.checked(new(big.Int).Mul(n.ints(1)[0], big.NewInt(2)))
	case bytecode.OpTwoDiv:
		n.checked(new(big.Int).Rsh(n.ints(1)[0], 1))
	case bytecode.OpLShift, bytecode.OpRShift:
		v := n.ints(2)
		switch {
		case v[1].Sign() < 0 || v[1].Cmp(big.NewInt(63)) > 0:
			n.pushInt(0)
		case op == bytecode.OpLShift:
			n.push(wrap(new(big.Int).Lsh(v[0], uint(v[1].Int64()))))
		default:
			n.push(wrap(new(big.Int).Rsh(new(big.Int).SetUint64(uint64(v[0].Int64())), uint(v[1].Int64()))))
		}
	case bytecode.OpSame, bytecode.OpEqual, bytecode.OpNotEqual:
		b, a := n.pop(), n.pop()
		equal := naiveShow(a) == naiveShow(b)
		if x, ok := a.(string); ok {
			if y, ok := b.(string); ok && len(x) == len(y) {
				n.pay(bytecode.Blocks(len(x)))
			}
		}
		switch op {
		case bytecode.OpSame:
			n.pushInt(-truth(equal))
		case bytecode.OpEqual:
			n.pushInt(truth(equal))
		default:
			n.pushInt(truth(!equal))
		}
	case bytecode.OpLess:
		test(func(o int) bool { return o < 0 })
	case bytecode.OpGreater:
		test(func(o int) bool { return o > 0 })
	case bytecode.OpLessEqual:
		test(func(o int) bool { return o <= 0 })
	case bytecode.OpGreaterEqual:
		test(func(o int) bool { return o >= 0 })
	case bytecode.OpULess:
		v := n.ints(2)
		n.pushInt(truth(uint64(v[0].Int64()) < uint64(v[1].Int64())))
	case bytecode.OpZeroEqual:
		against0(func(o int) bool { return o == 0 })
	case bytecode.OpZeroNotEqual:
		against0(func(o int) bool { return o != 0 })
	case bytecode.OpZeroLess:
		against0(func(o int) bool { return o < 0 })
	case bytecode.OpZeroGreater:
		against0(func(o int) bool { return o > 0 })
	default:
		n.memory(op, operand)
	}
}

// touch returns n bytes of the data space, and pays for what is new.
func (n *naive) touch(a *big.Int, size int) []byte {
	if a.Sign() < 0 || new(big.Int).Add(a, big.NewInt(int64(size))).Cmp(big.NewInt(n.lim.DataBytes)) > 0 {
		n.fail(bytecode.BadAddress)
	}
	end := int(a.Int64()) + size
	for n.reach < end {
		if n.reach%64 == 0 {
			n.pay(1)
		}
		n.reach++
	}
	return n.data[a.Int64():end]
}

// block returns bytes of the data space, and pays for what is new.
func (n *naive) block(a, size *big.Int) []byte {
	if size.Sign() < 0 || !size.IsInt64() || size.Int64() > n.lim.DataBytes {
		n.fail(bytecode.BadAddress)
	}
	return n.touch(a, int(size.Int64()))
}

func (n *naive) payCopy(bytes int) { n.pay(int64((bytes + 7) / 8)) }

func (n *naive) memory(op bytecode.Opcode, operand *big.Int) {
	switch op {
	case bytecode.OpFetch:
		n.pushInt(int64(binary.LittleEndian.Uint64(n.touch(n.ints(1)[0], 8))))
	case bytecode.OpCFetch:
		n.pushInt(int64(n.touch(n.ints(1)[0], 1)[0]))
	case bytecode.OpStore:
		v := n.ints(2)
		binary.LittleEndian.PutUint64(n.touch(v[1], 8), uint64(v[0].Int64()))
	case bytecode.OpCStore:
		v := n.ints(2)
		n.touch(v[1], 1)[0] = byte(v[0].Int64())
	case bytecode.OpAddStore:
		v := n.ints(2)
		b := n.touch(v[1], 8)
		sum := new(big.Int).Add(v[0], big.NewInt(int64(binary.LittleEndian.Uint64(b))))
		if !sum.IsInt64() {
			n.fail(bytecode.Overflow)
		}
		binary.LittleEndian.PutUint64(b, uint64(sum.Int64()))
	case bytecode.OpLen:
		n.pushInt(int64(len(n.text())))
	case bytecode.OpSlice:
		b, ok := n.stack[len(n.stack)-3].(string)
		if !ok {
			n.fail(bytecode.TypeError)
		}
		v := n.ints(2)
		n.pop()
		have := big.NewInt(int64(len(b)))
		if v[0].Sign() < 0 || v[1].Sign() < 0 || new(big.Int).Add(v[0], v[1]).Cmp(have) > 0 {
			n.fail(bytecode.BadAddress)
		}
		n.pay(bytecode.Blocks(int(v[1].Int64())))
		n.push(b[v[0].Int64() : v[0].Int64()+v[1].Int64()]) // shares memory
	case bytecode.OpCat:
		b, ok := n.pop().(string)
		a, ok2 := n.pop().(string)
		if !ok || !ok2 {
			n.fail(bytecode.TypeError)
		}
		n.pay(bytecode.Blocks(len(a) + len(b)))
		n.pushBytes(a + b)
	case bytecode.OpToB:
		n.pushBytes(string(binary.BigEndian.AppendUint64(nil, uint64(n.ints(1)[0].Int64()))))
	case bytecode.OpFromB:
		s := n.text()
		if len(s) > 8 {
			n.fail(bytecode.Overflow)
		}
		n.push(wrap(new(big.Int).SetBytes([]byte(s))))
	case bytecode.OpHash:
		s := n.text()
		n.pay(65 + 16*bytecode.Blocks(len(s)))
		h := sha256.Sum256([]byte(s))
		n.pushBytes(string(h[:]))
	case bytecode.OpBlake2b:
		s := n.text()
		n.pay(180 + 40*bytecode.Blocks(len(s)))
		h := blake2b.Sum256([]byte(s))
		n.pushBytes(string(h[:]))
	case bytecode.OpKeccak:
		s := n.text()
		n.pay(350 + 65*bytecode.Blocks(len(s)))
		h := sha3.NewLegacyKeccak256()
		h.Write([]byte(s))
		n.pushBytes(string(h.Sum(nil)))
	case bytecode.OpVerifySig:
		key, a := n.pop().(string)
		msg, b := n.pop().(string)
		sig, c := n.pop().(string)
		if !a || !b || !c {
			n.fail(bytecode.TypeError)
		}
		if len(key) > 0 && key[0] == 1 {
			n.pay(40_000)
		} else {
			n.pay(100_000)
		}
		n.pushInt(-truth(naiveVerify(key, string(SignBytes([]byte(msg))), sig)))
	case bytecode.OpMerkleProof:
		root, a := n.pop().(string)
		leaf, b := n.pop().(string)
		proof, c := n.pop().(string)
		if !a || !b || !c {
			n.fail(bytecode.TypeError)
		}
		n.pay(113*bytecode.Blocks(len(proof)) + 65 + 16*bytecode.Blocks(len(leaf)+1))
		p, err := types.DecodeMerkleProof([]byte(proof))
		n.pushInt(-truth(err == nil && len(root) == 32 && p.Verify(types.Hash([]byte(root)), []byte(leaf)) == nil))
	case bytecode.OpEnv:
		e := bytecode.Environment[operand.Int64()]
		if e.From == bytecode.EnvOracle {
			n.oracle()
			return
		}
		name := e.Name
		switch e.From {
		case bytecode.EnvIndexed:
			name += ":" + n.ints(1)[0].String()
		case bytecode.EnvNamed:
			s := n.text()
			n.pay(bytecode.Blocks(len(s)))
			name += ":" + s
		}
		v, ok := n.env[0][name]
		if !ok {
			v, ok = n.env[1][name]
		}
		if !ok {
			n.fail(bytecode.EnvMissing)
		}
		if e.IsBytes {
			n.pay(bytecode.Blocks(len(v)))
			n.pushBytes(string(v))
			return
		}
		if len(v) != 8 {
			n.fail(bytecode.EnvMissing)
		}
		n.checked(new(big.Int).SetBytes(v))
	case bytecode.OpMove:
		v := n.ints(3)
		if v[2].Sign() == 0 {
			return
		}
		from := n.block(v[0], v[2])
		to := n.block(v[1], v[2])
		n.payCopy(len(from))
		copy(to, bytes.Clone(from))
	case bytecode.OpFill:
		v := n.ints(3)
		if v[1].Sign() == 0 {
			return
		}
		b := n.block(v[0], v[1])
		n.payCopy(len(b))
		copy(b, bytes.Repeat([]byte{byte(v[2].Int64())}, len(b)))
	case bytecode.OpMemToB:
		v := n.ints(2)
		if v[1].Cmp(big.NewInt(1024)) > 0 {
			n.fail(bytecode.OutOfSpace)
		}
		if v[1].Sign() == 0 {
			n.pushBytes("")
			return
		}
		b := n.block(v[0], v[1])
		n.payCopy(len(b))
		n.pushBytes(string(b))
	case bytecode.OpBToMem:
		to, ok := n.pop().(*big.Int)
		b, ok2 := n.pop().(string)
		if !ok || !ok2 {
			n.fail(bytecode.TypeError)
		}
		if b != "" {
			d := n.block(to, big.NewInt(int64(len(b))))
			n.payCopy(len(b))
			copy(d, b)
		}
	default:
		if n.double(op) {
			return
		}
		panic(fmt.Sprintf("the naive interpreter lacks %s", bytecode.Opcodes[op].Name))
	}
}
