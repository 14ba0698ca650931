package bytecode

// kindsOf says for instructions without further rules what they take and leave: i an integer, b bytes, a either.
var kindsOf = map[Opcode]string{
	OpInt: "-i", OpBytes: "-b", OpDrop: "a-", Op2Drop: "aa-", OpGas: "-i", OpDepth: "-i",
	OpAdd: "ii-i", OpSub: "ii-i", OpMul: "ii-i", OpDiv: "ii-i", OpMod: "ii-i", OpDivMod: "ii-ii", OpNegate: "i-i", OpAbs: "i-i", OpMin: "ii-i",
	OpMax: "ii-i", OpInc: "i-i", OpDec: "i-i", OpMulDiv: "iii-i", OpMulDivMod: "iii-ii", OpAddWrap: "ii-i", OpSubWrap: "ii-i", OpMulWrap: "ii-i",
	OpAnd: "ii-i", OpOr: "ii-i", OpXor: "ii-i", OpInvert: "i-i", OpLShift: "ii-i", OpRShift: "ii-i", OpTwoMul: "i-i", OpTwoDiv: "i-i",
	OpSame: "aa-i", OpEqual: "aa-i", OpNotEqual: "aa-i", OpLess: "ii-i", OpGreater: "ii-i", OpLessEqual: "ii-i", OpGreaterEqual: "ii-i",
	OpULess: "ii-i", OpZeroEqual: "i-i", OpZeroNotEqual: "i-i", OpZeroLess: "i-i", OpZeroGreater: "i-i",
	OpFetch: "i-i", OpStore: "ii-", OpCFetch: "i-i", OpCStore: "ii-", OpAddStore: "ii-", OpLen: "b-i", OpSlice: "bii-b", OpCat: "bb-b",
	OpToB: "i-b", OpFromB: "b-i", OpHash: "b-b", OpBlake2b: "b-b", OpKeccak: "b-b", OpVerifySig: "bbb-i", OpMove: "iii-", OpFill: "iii-",
	OpMemToB: "ii-b", OpBToMem: "bi-", OpMerkleProof: "bbb-i",
	OpMStar: "ii-ii", OpUMStar: "ii-ii", OpUMDivMod: "iii-ii", OpSMDivRem: "iii-ii", OpFMDivMod: "iii-ii", OpDAdd: "iiii-ii", OpDSub: "iiii-ii",
	OpDNegate: "ii-ii", OpDLess: "iiii-i", OpDULess: "iiii-i",
}

// shuffles say what the words that only move values do: how many they look at, and what is there afterwards, each as a
// number from the bottom of those.
var shuffles = map[Opcode]struct {
	takes int
	order []int
}{
	OpDup: {1, []int{0, 0}}, OpSwap: {2, []int{1, 0}}, OpOver: {2, []int{0, 1, 0}}, OpRot: {3, []int{1, 2, 0}}, OpMinusRot: {3, []int{2, 0, 1}},
	OpNip: {2, []int{1}}, OpTuck: {2, []int{1, 0, 1}}, Op2Dup: {2, []int{0, 1, 0, 1}}, Op2Swap: {4, []int{2, 3, 0, 1}},
	Op2Over: {4, []int{0, 1, 2, 3, 0, 1}},
}

// nodeOf is the node of a value of a kind that comes from somewhere else.
var nodeOf = [...]int32{AnyKind: anyNode, IntKind: intNode, BytesKind: bytesNode}

// fused says whether an instruction is a jump-zero that belongs to the ?dup before it.
func (b *body) fused(i int32) bool {
	return i > b.first && b.p.Ins[i].Op == OpJumpZero && b.p.Ins[i-1].Op == OpQDup && !b.targets[i]
}

// step carries out an instruction on the state before it.
func (b *body) step(i int32, s *state) {
	in := &b.p.Ins[i]
	if k, ok := kindsOf[in.Op]; ok {
		b.plain(i, s, k)
		return
	}
	if m, ok := shuffles[in.Op]; ok {
		b.need(s, m.takes)
		at := len(s.stack) - m.takes
		var taken [4]item
		copy(taken[:], s.stack[at:])
		s.stack = s.stack[:at]
		for _, n := range m.order {
			s.stack = append(s.stack, taken[n])
		}
		b.flow(i, i+1, s)
		return
	}
	switch in.Op {
	case OpEnd, OpExit:
		if b.word < len(b.p.Starts) && len(s.ret) > 0 {
			b.fail(i, "the word leaves something on the return stack")
			return
		}
		b.flow(i, b.last+1, s)
	case OpReturn, OpFail:
	case OpJump:
		b.flow(i, int32(in.Arg), s)
	case OpJumpZero:
		v := b.pop(s)
		b.want(i, v, intNode)
		b.flow(i, int32(in.Arg), s)
		if b.fused(i) {
			s.push(intNode)
		}
		b.flow(i, i+1, s)
	case OpQDup:
		v := b.pop(s)
		b.want(i, v, intNode)
		s.push(intNode)
		if i == b.last || !b.fused(i+1) {
			switch c, ok := b.constant(v, OpInt); {
			case !ok:
				b.fail(i, "it leaves one value or two, and no if is behind it")
			case c != 0:
				s.push(intNode)
			}
		}
		b.flow(i, i+1, s)
	case OpThrow:
		v := b.pop(s)
		b.want(i, v, intNode)
		if c, ok := b.constant(v, OpInt); !ok || c == 0 {
			b.flow(i, i+1, s)
		}
	case OpCall:
		b.call(i, s, int32(b.p.WordAt(int32(in.Arg))))
	case OpRecurse:
		b.call(i, s, int32(b.word))
	case OpExecute, OpCatch, OpCallHash:
		b.indirect(i, s)
	case OpPick, OpRoll:
		c, ok := b.constant(b.pop(s), OpInt)
		if !ok || c < 0 || c >= b.lim.StackDepth {
			b.fail(i, "how deep it looks is not known")
			return
		}
		b.need(s, int(c)+1)
		at := len(s.stack) - 1 - int(c)
		v := s.stack[at]
		if in.Op == OpRoll {
			s.stack = append(s.stack[:at], s.stack[at+1:]...)
		}
		s.stack = append(s.stack, v)
		b.flow(i, i+1, s)
	case OpEnv:
		b.env(i, s)
	case OpSlot:
		s.push(nodeOf[b.slots[in.Arg]])
		b.flow(i, i+1, s)
	case OpSetSlot:
		switch v := b.find(b.pop(s).node); {
		case v == intNode:
			b.stored[in.Arg] |= 1 << IntKind
		case v == bytesNode:
			b.stored[in.Arg] |= 1 << BytesKind
		case v == anyNode:
			b.stored[in.Arg] |= 1<<IntKind | 1<<BytesKind
		case b.slots[in.Arg] != AnyKind:
			b.parents[v] = nodeOf[b.slots[in.Arg]]
		}
		b.flow(i, i+1, s)
	default:
		b.loop(i, s)
	}
}

// plain carries out an instruction that kindsOf has.
func (b *body) plain(i int32, s *state, kinds string) {
	n := 0
	for kinds[n] != '-' {
		n++
	}
	for k := n - 1; k >= 0; k-- {
		switch v := b.pop(s); kinds[k] {
		case 'i':
			b.want(i, v, intNode)
		case 'b':
			b.want(i, v, bytesNode)
		}
	}
	for _, k := range kinds[n+1:] {
		if s.push(intNode); k == 'b' {
			s.stack[len(s.stack)-1].node = bytesNode
		}
	}
	if op := b.p.Ins[i].Op; op == OpInt || op == OpBytes {
		s.stack[len(s.stack)-1].from = i
	}
	b.flow(i, i+1, s)
}

// loop carries out what uses the return stack.
func (b *body) loop(i int32, s *state) {
	in, n := &b.p.Ins[i], len(s.ret)
	pair := n >= 2 && b.find(s.ret[n-1].node) == loopNode
	switch in.Op {
	case OpDo, OpQDo:
		b.want(i, b.pop(s), intNode)
		b.want(i, b.pop(s), intNode)
		if in.Op == OpQDo {
			b.flow(i, int32(in.Arg), s)
		}
		s.ret = append(s.ret, item{loopNode, -1}, item{loopNode, -1})
	case OpLoop, OpPlusLoop:
		if in.Op == OpPlusLoop {
			b.want(i, b.pop(s), intNode)
		}
		if !pair {
			b.fail(i, "no loop is open")
			return
		}
		b.flow(i, int32(in.Arg), s)
		s.ret = s.ret[:n-2]
	case OpI, OpJ:
		if !pair || (in.Op == OpJ && (n < 4 || b.find(s.ret[n-3].node) != loopNode)) {
			b.fail(i, "no loop is open")
			return
		}
		s.push(intNode)
	case OpUnloop:
		if !pair {
			b.fail(i, "no loop is open")
			return
		}
		s.ret = s.ret[:n-2]
	case OpToR:
		s.ret = append(s.ret, b.pop(s))
	case OpFromR, OpRFetch:
		if n == 0 || b.find(s.ret[n-1].node) == loopNode {
			b.fail(i, "there is no value on the return stack")
			return
		}
		s.stack = append(s.stack, s.ret[n-1])
		if in.Op == OpFromR {
			s.ret = s.ret[:n-1]
		}
	default:
		b.fail(i, "it is not known what it does")
		return
	}
	b.flow(i, i+1, s)
}

// constant is the value of an item that an instruction with an opcode pushed.
func (b *body) constant(v item, op Opcode) (int64, bool) {
	if v.from < 0 || b.p.Ins[v.from].Op != op {
		return 0, false
	}
	return b.p.Ins[v.from].Arg, true
}

// indirect carries out the calls whose operand is on the stack.
func (b *body) indirect(i int32, s *state) {
	v := b.pop(s)
	word := int32(-1)
	if b.p.Ins[i].Op == OpCallHash {
		if arg, ok := b.constant(v, OpBytes); ok {
			if start, ok := b.p.Find(b.p.Code[arg>>16 : arg>>16+arg&0xffff]); ok {
				word = int32(b.p.WordAt(start))
			}
		}
	} else if c, ok := b.constant(v, OpInt); ok && c >= 0 && c < int64(len(b.p.Starts)) {
		word = int32(c)
	}
	if word < 0 {
		b.fail(i, "which word it runs is not known")
		return
	}
	if word >= int32(b.word) {
		b.fail(i, "it runs a word that is not before its own")
		return
	}
	if b.p.Ins[i].Op != OpCatch {
		b.call(i, s, word)
		return
	}
	// What the word took is still there after a throw, but not what it was.
	c := &b.words[word]
	if b.runs[i-b.first] = word; !b.arguments(i, s, c) {
		return
	}
	if c.returns && len(c.in) != len(c.out) {
		b.fail(i, "the word takes %d values and leaves %d, so how many there are depends on whether it throws", len(c.in), len(c.out))
		return
	}
	for range c.in {
		s.push(anyNode)
	}
	s.push(intNode)
	b.flow(i, i+1, s)
}

// call carries out a call of a word before this one, or of this one.
func (b *body) call(i int32, s *state, word int32) {
	c := b.assumed
	if b.runs[i-b.first] = word; word == int32(b.word) {
		if b.recursive = true; c == nil {
			return // at first, look only at the ways that end
		}
	} else {
		c = &b.words[word]
	}
	if !b.arguments(i, s, c) || !c.returns {
		return
	}
	for _, n := range c.out {
		if n >= openNode {
			n = b.classes(c, n)
		}
		s.push(n)
	}
	b.flow(i, i+1, s)
}

// arguments takes what a word takes.
func (b *body) arguments(i int32, s *state, c *summary) bool {
	if c.problem != nil {
		b.fail(i, "the word is not understood: %s", c.problem)
		return false
	}
	b.need(s, len(c.in))
	at := len(s.stack) - len(c.in)
	b.taken = append(b.taken[:0], s.stack[at:]...)
	s.stack = s.stack[:at]
	for k, n := range c.in {
		if n < openNode {
			b.want(i, b.taken[k], n)
		}
	}
	return b.problem == nil
}

// classes is the node of all the arguments that a word takes to be of one kind, whatever that is.
func (b *body) classes(c *summary, class int32) int32 {
	node := int32(-1)
	for k, n := range c.in {
		switch {
		case n != class:
		case node < 0:
			node = b.taken[k].node
		default:
			node = b.join(node, b.taken[k].node)
		}
	}
	return node
}

// env carries out an environment word.
func (b *body) env(i int32, s *state) {
	e := Environment[b.p.Ins[i].Arg]
	switch e.From {
	case EnvIndexed:
		b.want(i, b.pop(s), intNode)
	case EnvNamed:
		b.want(i, b.pop(s), bytesNode)
	case EnvOracle:
		b.want(i, b.pop(s), intNode)
		b.want(i, b.pop(s), intNode)
		b.pop(s)
		s.push(intNode)
	}
	if s.push(intNode); e.IsBytes {
		s.stack[len(s.stack)-1].node = bytesNode
	}
	b.flow(i, i+1, s)
}

// cost is what an instruction costs at most, besides the word that it runs.
func (b *body) cost(in *Instr, s *state) int64 {
	return int64(in.Gas) + b.p.dynamicGas(in, b.lim)
}
