package hot

import (
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// hostWords are what the engine executes, with the types of what they take and leave.
var hostWords = map[bytecode.Opcode]string{
	bytecode.OpBytes: ":b", bytecode.OpSlice: "bnn:b", bytecode.OpCat: "bb:b", bytecode.OpToB: "n:b", bytecode.OpFromB: "b:n", bytecode.OpHash: "b:b",
	bytecode.OpBlake2b: "b:b", bytecode.OpKeccak: "b:b", bytecode.OpVerifySig: "bbb:n", bytecode.OpMerkleProof: "bbb:n", bytecode.OpMulDiv: "nnn:n",
	bytecode.OpMulDivMod: "nnn:nn", bytecode.OpUMDivMod: "nnn:nn", bytecode.OpSMDivRem: "nnn:nn", bytecode.OpFMDivMod: "nnn:nn",
	bytecode.OpMove: "nnn:", bytecode.OpFill: "nnn:", bytecode.OpMemToB: "nn:b", bytecode.OpBToMem: "bn:",
}

// hostWord returns the types of an instruction that the engine executes.
func hostWord(in *bytecode.Instr, st []val) (string, bool) {
	switch in.Op {
	case bytecode.OpSame, bytecode.OpEqual, bytecode.OpNotEqual:
		n := len(st)
		return "bb:n", n >= 2 && st[n-1].k == kBytes && st[n-2].k == kBytes
	case bytecode.OpEnv:
		e := &bytecode.Environment[in.Arg]
		leaves := "n"
		if e.IsBytes {
			leaves = "b"
		}
		switch e.From {
		case bytecode.EnvPlain:
			return ":" + leaves, true
		case bytecode.EnvIndexed:
			return "n:" + leaves, true
		case bytecode.EnvNamed:
			return "b:" + leaves, true
		case bytecode.EnvOracle:
			if n := len(st); n >= 3 && st[n-3].k == kBytes {
				return "bnn:nn", true
			}
			return "nnn:nn", true
		}
	}
	k, ok := hostWords[in.Op]
	return k, ok
}

func (w *walker) onHost(in *bytecode.Instr) bool {
	_, ok := hostWord(in, w.st)
	return ok
}

// usesData says that an instruction reads or writes the data space.
func usesData(op bytecode.Opcode) bool {
	return op == bytecode.OpMove || op == bytecode.OpFill || op == bytecode.OpMemToB || op == bytecode.OpBToMem
}

// host lets the engine execute an instruction.
func (w *walker) host(in *bytecode.Instr) {
	kinds, _ := hostWord(in, w.st)
	n := 0
	for kinds[n] != ':' {
		n++
	}
	takes, leaves := kinds[:n], kinds[n+1:]
	if !w.is(takes) {
		return
	}
	data := usesData(in.Op)
	w.t.memory = w.t.memory || data
	if w.e != nil {
		w.flush()
		w.e.c.int32(w.t.b.site(w.t.p, in, kinds))
		w.e.c.get(w.e.gas)
		if data {
			w.e.c.global(gTouched)
		}
		for i := n - 1; i >= 0; i-- {
			w.load(i)
		}
		w.e.c.call(importIndex(data, len(takes), len(leaves)))
	}
	w.pop(n)
	for _, k := range leaves {
		v := val{k: kInt}
		if k == 'b' {
			v.k = kBytes
			if in.Op == bytecode.OpBytes {
				v.known, v.v = true, w.t.literal(in)
			}
		}
		w.push(v)
	}
	if w.e != nil {
		for i := range leaves {
			w.store(i)
		}
		if data {
			w.e.c.call(helper(fSetTouched))
		}
		w.e.c.set(w.e.gas)
		w.checkGas()
	}
}

// literal returns the place of an instruction in Ins.
func (t *translation) literal(in *bytecode.Instr) int64 {
	lo, hi := 0, len(t.p.Ins)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if t.p.Ins[mid].PC < in.PC {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	// The end of a body has the place of what comes behind it.
	for lo < len(t.p.Ins) && &t.p.Ins[lo] != in {
		lo++
	}
	return int64(lo)
}

// site makes a place where the engine executes an instruction.
func (b *builder) site(p *bytecode.Program, in *bytecode.Instr, kinds string) int {
	one := &bytecode.Program{Code: p.Code, Ins: []bytecode.Instr{*in, {Op: bytecode.OpEnd, PC: in.PC}}}
	b.sites = append(b.sites, site{one, kinds, strings.IndexByte(kinds, ':')})
	return len(b.sites) - 1
}
