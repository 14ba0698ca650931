package vmforth

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"

	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// naive is a second interpreter, written for being read: it works on the bytes of the code, decodes each instruction when
// it comes to it, and counts with big integers. It shares the tables of opcodes and gas with the other, and nothing else.
type naive struct {
	lim   limits
	env   []map[string][]byte
	stack []any // *big.Int or string
	ret   []any // besides these, naiveLoop and naiveFrame
	segs  [2]*naiveSegment
	arena int
	data  []byte
	reach int
	gas   int64
}

type naiveLoop struct{ limit, index uint64 }

// naiveFrame is a place in the code: a segment, a body in it (-1 is the main body), and an offset there.
type naiveFrame struct{ seg, body, at int }

type naiveSegment struct {
	bodies [][]byte
	main   []byte
	hashes []string
}

// naiveFail carries a status out of the depths.
type naiveFail struct{ s vm.Status }

func (n *naive) fail(s vm.Status) { panic(naiveFail{s}) }

func (n *naive) pay(gas int64) {
	if n.gas -= gas; n.gas < 0 {
		n.fail(OutOfGas)
	}
}

// naiveRun returns the status, the stack at the end, what is left of the gas, and whether return ended it.
func naiveRun(r *vm.Run, common map[string][]byte, l limits) (status vm.Status, stack []string, left int64, loose bool) {
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
		n.fail(BadCode)
	}
	n.gas = int64(min(r.GasLimit, uint64(l.GasLimit)))
	n.pay(gasCodeByte * int64(len(r.Code)+len(r.Evidence)))
	cost := int64(0)
	for i, code := range [][]byte{r.Evidence, r.Code} {
		// What is well formed is the loader's word: the naive part is how it runs.
		p := &program{}
		if p.load(code, &l, i == 0) != nil {
			n.fail(BadCode)
		}
		seg, gas, err := naiveParse(code)
		if err != nil {
			panic(err)
		}
		n.segs[i], cost = seg, cost+gas
	}
	n.pay(cost)
	for i := range n.segs {
		n.ret = nil
		if loose = n.run(naiveFrame{i, -1, 0}); loose {
			break
		}
	}
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
		if code[1] == 0 {
			continue
		}
		canonical := ""
		for at := 0; at < len(body); {
			op, operand, next := naiveDecode(body, at)
			if op == opCall {
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
func naiveDecode(body []byte, at int) (opcode, *big.Int, int) {
	op := opcode(body[at])
	at++
	if op >= opSmall {
		return opInt, big.NewInt(int64(op - opSmall)), at
	}
	switch opcodes[op].operand {
	case intOperand:
		v, k := binary.Varint(body[at:])
		return op, big.NewInt(v), at + k
	case bytesOperand:
		v, k := binary.Uvarint(body[at:])
		return op, big.NewInt(int64(v)), at + k + int(v)
	case jumpOperand:
		return op, big.NewInt(int64(body[at])<<8 | int64(body[at+1])), at + 2
	case wordOperand:
		v, k := binary.Uvarint(body[at:])
		return op, big.NewInt(int64(v)), at + k
	case envOperand:
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
		n.fail(Overflow)
	}
	n.push(v)
}

// pushBytes pushes new bytes.
func (n *naive) pushBytes(s string) {
	if len(s) > 1024 || n.arena+len(s) > int(n.lim.ArenaBytes) {
		n.fail(OutOfSpace)
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
			n.fail(TypeError)
		}
		out[i] = b
	}
	n.stack = n.stack[:at]
	return out
}

func (n *naive) text() string {
	s, ok := n.pop().(string)
	if !ok {
		n.fail(TypeError)
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
	if len(n.ret) >= int(n.lim.ReturnDepth) {
		n.fail(StackOverflow)
	}
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
		n.fail(StackOverflow)
	}
}

func (n *naive) topLoop(below int) *naiveLoop {
	if len(n.ret) <= below {
		n.fail(StackUnderflow)
	}
	for i := range below + 1 {
		if _, ok := n.ret[len(n.ret)-1-i].(naiveLoop); !ok {
			n.fail(StackUnderflow)
		}
	}
	l := n.ret[len(n.ret)-1-below].(naiveLoop)
	return &l
}

// run runs a main body to its end, or to return.
func (n *naive) run(f naiveFrame) (loose bool) {
	for {
		body := n.body(f)
		if f.at == len(body) {
			if f.body < 0 {
				return false
			}
			f = n.leave()
			continue
		}
		op, operand, next := naiveDecode(body, f.at)
		d := opcodes[op]
		takes, leaves := int(d.takes), int(d.leaves)
		if op == opEnv {
			if e := environment[operand.Int64()]; e.from == envPlain {
				leaves = 1
			} else {
				takes = 1
			}
		}
		n.pay(int64(d.gas))
		if len(n.stack) < takes {
			n.fail(StackUnderflow)
		}
		if len(n.stack)+max(0, leaves-takes) > int(n.lim.StackDepth) {
			n.fail(StackOverflow)
		}
		f.at = next
		switch op {
		case opBytes:
			n.pay(blocks(int(operand.Int64())))
			n.pushBytes(string(body[next-int(operand.Int64()) : next]))
		case opJump:
			f.at = int(operand.Int64())
		case opJumpZero:
			if n.ints(1)[0].Sign() == 0 {
				f.at = int(operand.Int64())
			}
		case opCall:
			n.room(1)
			n.enter(f)
			f = naiveFrame{f.seg, int(operand.Int64()), 0}
		case opRecurse:
			n.room(1)
			n.enter(f)
			f.at = 0
		case opExit:
			f = n.leave()
		case opCallHash:
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
				n.fail(UnknownWord)
			}
			n.room(1)
			n.enter(f)
			f = to
		case opReturn:
			return true
		case opFail:
			n.fail(Fail)
		case opThrow:
			if n.ints(1)[0].Sign() != 0 {
				n.fail(Thrown)
			}
		case opDo, opQDo:
			v := n.ints(2)
			if op == opQDo && v[0].Cmp(v[1]) == 0 {
				f.at = int(operand.Int64())
				break
			}
			n.room(2)
			n.ret = append(n.ret, naiveLoop{uint64(v[0].Int64()), uint64(v[1].Int64())})
		case opLoop, opPlusLoop:
			step := big.NewInt(1)
			if op == opPlusLoop {
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
		case opI:
			n.pushInt(int64(n.topLoop(0).index))
		case opJ:
			n.pushInt(int64(n.topLoop(1).index))
		case opUnloop:
			n.topLoop(0)
			n.ret = n.ret[:len(n.ret)-1]
		case opGas:
			n.pushInt(n.gas)
		case opInt:
			n.push(operand)
		default:
			n.word(op, operand)
		}
	}
}

func (n *naive) leave() naiveFrame {
	if len(n.ret) > 0 {
		if f, ok := n.ret[len(n.ret)-1].(naiveFrame); ok {
			n.ret = n.ret[:len(n.ret)-1]
			return f
		}
	}
	n.fail(StackUnderflow)
	return naiveFrame{}
}

// shuffles are the words that only move values: after the colon, what is left of a b c d, the last on top.
var shuffles = map[opcode]string{
	opDup: "a:aa", opDrop: "a:", opSwap: "ab:ba", opOver: "ab:aba", opRot: "abc:bca", opMinusRot: "abc:cab", opNip: "ab:b", opTuck: "ab:bab",
	op2Dup: "ab:abab", op2Drop: "ab:", op2Swap: "abcd:cdab", op2Over: "abcd:abcdab",
}

func (n *naive) word(op opcode, operand *big.Int) {
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
	case opQDup:
		v := n.ints(1)[0]
		n.push(v)
		if v.Sign() != 0 {
			n.push(v)
		}
	case opPick, opRoll:
		v := n.ints(1)[0]
		if v.Sign() < 0 || v.Cmp(big.NewInt(int64(len(n.stack)))) >= 0 {
			n.fail(StackUnderflow)
		}
		n.pay(v.Int64() / 8)
		at := len(n.stack) - 1 - int(v.Int64())
		x := n.stack[at]
		if op == opRoll {
			n.stack = append(n.stack[:at], n.stack[at+1:]...)
		}
		n.push(x)
	case opDepth:
		n.pushInt(int64(len(n.stack)))
	case opToR:
		n.room(1)
		n.ret = append(n.ret, n.pop())
	case opFromR, opRFetch:
		if len(n.ret) == 0 {
			n.fail(StackUnderflow)
		}
		switch v := n.ret[len(n.ret)-1].(type) {
		case *big.Int, string:
			n.push(v)
		default:
			n.fail(StackUnderflow)
		}
		if op == opFromR {
			n.ret = n.ret[:len(n.ret)-1]
		}
	case opAdd:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) })
	case opSub:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) })
	case opMul:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) })
	case opAddWrap:
		two(func(a, b *big.Int) *big.Int { return wrap(new(big.Int).Add(a, b)) })
	case opSubWrap:
		two(func(a, b *big.Int) *big.Int { return wrap(new(big.Int).Sub(a, b)) })
	case opMulWrap:
		two(func(a, b *big.Int) *big.Int { return wrap(new(big.Int).Mul(a, b)) })
	case opAnd:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).And(a, b) })
	case opOr:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Or(a, b) })
	case opXor:
		two(func(a, b *big.Int) *big.Int { return new(big.Int).Xor(a, b) })
	case opMin:
		two(func(a, b *big.Int) *big.Int {
			if a.Cmp(b) < 0 {
				return a
			}
			return b
		})
	case opMax:
		two(func(a, b *big.Int) *big.Int {
			if a.Cmp(b) > 0 {
				return a
			}
			return b
		})
	case opDiv, opMod, opDivMod, opMulDiv, opMulDivMod:
		var a, b *big.Int
		if op == opMulDiv || op == opMulDivMod {
			v := n.ints(3)
			a, b = new(big.Int).Mul(v[0], v[1]), v[2]
		} else {
			v := n.ints(2)
			a, b = v[0], v[1]
		}
		if b.Sign() == 0 {
			n.fail(DivByZero)
		}
		q, r := new(big.Int).QuoRem(a, b, new(big.Int)) // rounds towards 0
		if !q.IsInt64() {
			n.fail(Overflow)
		}
		if op == opMod || op == opDivMod || op == opMulDivMod {
			n.push(r)
		}
		if op != opMod {
			n.push(q)
		}
	case opNegate:
		n.checked(new(big.Int).Neg(n.ints(1)[0]))
	case opAbs:
		n.checked(new(big.Int).Abs(n.ints(1)[0]))
	case opInc:
		n.checked(new(big.Int).Add(n.ints(1)[0], big.NewInt(1)))
	case opDec:
		n.checked(new(big.Int).Sub(n.ints(1)[0], big.NewInt(1)))
	case opInvert:
		n.checked(new(big.Int).Not(n.ints(1)[0]))
	case opTwoMul:
		n.checked(new(big.Int).Mul(n.ints(1)[0], big.NewInt(2)))
	case opTwoDiv:
		n.checked(new(big.Int).Rsh(n.ints(1)[0], 1))
	case opLShift, opRShift:
		v := n.ints(2)
		switch {
		case v[1].Sign() < 0 || v[1].Cmp(big.NewInt(63)) > 0:
			n.pushInt(0)
		case op == opLShift:
			n.push(wrap(new(big.Int).Lsh(v[0], uint(v[1].Int64()))))
		default:
			n.push(wrap(new(big.Int).Rsh(new(big.Int).SetUint64(uint64(v[0].Int64())), uint(v[1].Int64()))))
		}
	case opSame, opEqual, opNotEqual:
		b, a := n.pop(), n.pop()
		equal := naiveShow(a) == naiveShow(b)
		if x, ok := a.(string); ok {
			if y, ok := b.(string); ok && len(x) == len(y) {
				n.pay(blocks(len(x)))
			}
		}
		switch op {
		case opSame:
			n.pushInt(-truth(equal))
		case opEqual:
			n.pushInt(truth(equal))
		default:
			n.pushInt(truth(!equal))
		}
	case opLess:
		test(func(o int) bool { return o < 0 })
	case opGreater:
		test(func(o int) bool { return o > 0 })
	case opLessEqual:
		test(func(o int) bool { return o <= 0 })
	case opGreaterEqual:
		test(func(o int) bool { return o >= 0 })
	case opULess:
		v := n.ints(2)
		n.pushInt(truth(uint64(v[0].Int64()) < uint64(v[1].Int64())))
	case opZeroEqual:
		against0(func(o int) bool { return o == 0 })
	case opZeroNotEqual:
		against0(func(o int) bool { return o != 0 })
	case opZeroLess:
		against0(func(o int) bool { return o < 0 })
	case opZeroGreater:
		against0(func(o int) bool { return o > 0 })
	default:
		n.memory(op, operand)
	}
}

// touch returns n bytes of the data space, and pays for what is new.
func (n *naive) touch(a *big.Int, size int) []byte {
	if a.Sign() < 0 || new(big.Int).Add(a, big.NewInt(int64(size))).Cmp(big.NewInt(n.lim.DataBytes)) > 0 {
		n.fail(BadAddress)
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

func (n *naive) memory(op opcode, operand *big.Int) {
	switch op {
	case opFetch:
		n.pushInt(int64(binary.LittleEndian.Uint64(n.touch(n.ints(1)[0], 8))))
	case opCFetch:
		n.pushInt(int64(n.touch(n.ints(1)[0], 1)[0]))
	case opStore:
		v := n.ints(2)
		binary.LittleEndian.PutUint64(n.touch(v[1], 8), uint64(v[0].Int64()))
	case opCStore:
		v := n.ints(2)
		n.touch(v[1], 1)[0] = byte(v[0].Int64())
	case opAddStore:
		v := n.ints(2)
		b := n.touch(v[1], 8)
		sum := new(big.Int).Add(v[0], big.NewInt(int64(binary.LittleEndian.Uint64(b))))
		if !sum.IsInt64() {
			n.fail(Overflow)
		}
		binary.LittleEndian.PutUint64(b, uint64(sum.Int64()))
	case opLen:
		n.pushInt(int64(len(n.text())))
	case opSlice:
		b, ok := n.stack[len(n.stack)-3].(string)
		if !ok {
			n.fail(TypeError)
		}
		v := n.ints(2)
		n.pop()
		have := big.NewInt(int64(len(b)))
		if v[0].Sign() < 0 || v[1].Sign() < 0 || new(big.Int).Add(v[0], v[1]).Cmp(have) > 0 {
			n.fail(BadAddress)
		}
		n.pay(blocks(int(v[1].Int64())))
		n.push(b[v[0].Int64() : v[0].Int64()+v[1].Int64()]) // shares memory
	case opCat:
		b, ok := n.pop().(string)
		a, ok2 := n.pop().(string)
		if !ok || !ok2 {
			n.fail(TypeError)
		}
		n.pay(blocks(len(a) + len(b)))
		n.pushBytes(a + b)
	case opToB:
		n.pushBytes(string(binary.BigEndian.AppendUint64(nil, uint64(n.ints(1)[0].Int64()))))
	case opFromB:
		s := n.text()
		if len(s) > 8 {
			n.fail(Overflow)
		}
		n.push(wrap(new(big.Int).SetBytes([]byte(s))))
	case opHash:
		s := n.text()
		n.pay(65 + 16*blocks(len(s)))
		h := sha256.Sum256([]byte(s))
		n.pushBytes(string(h[:]))
	case opBlake2b:
		s := n.text()
		n.pay(180 + 40*blocks(len(s)))
		h := blake2b.Sum256([]byte(s))
		n.pushBytes(string(h[:]))
	case opKeccak:
		s := n.text()
		n.pay(350 + 65*blocks(len(s)))
		h := sha3.NewLegacyKeccak256()
		h.Write([]byte(s))
		n.pushBytes(string(h.Sum(nil)))
	case opVerifySig:
		key, a := n.pop().(string)
		msg, b := n.pop().(string)
		sig, c := n.pop().(string)
		if !a || !b || !c {
			n.fail(TypeError)
		}
		n.pay(40_000)
		ok := len(key) > 0 && types.VerifySignature(types.PublicKey{Scheme: types.Scheme(key[0]), Key: []byte(key[1:])}, SignBytes([]byte(msg)), []byte(sig)) == nil
		n.pushInt(-truth(ok))
	case opEnv:
		e := environment[operand.Int64()]
		name := e.name
		switch e.from {
		case envIndexed:
			name += ":" + n.ints(1)[0].String()
		case envNamed:
			s := n.text()
			n.pay(blocks(len(s)))
			name += ":" + s
		}
		v, ok := n.env[0][name]
		if !ok {
			v, ok = n.env[1][name]
		}
		if !ok {
			n.fail(EnvMissing)
		}
		if e.isB {
			n.pay(blocks(len(v)))
			n.pushBytes(string(v))
			return
		}
		if len(v) != 8 {
			n.fail(EnvMissing)
		}
		n.checked(new(big.Int).SetBytes(v))
	default:
		panic(fmt.Sprintf("the naive interpreter lacks %s", opcodes[op].name))
	}
}
