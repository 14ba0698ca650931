package bytecode

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// GasVersion is the version of the gas schedule. The schedule is what the opcodes cost, in [Opcodes], and the constants
// below; it is part of consensus. A change of any of it is a new version.
const GasVersion = 2

// What gas depends on besides the opcode. Unit: about 1.2 ns of one core.
const (
	GasCodeByte      = 4       // of code and evidence, before anything runs
	GasWordByte      = 1       // of a word that can be called by hash, and its hash
	GasBlockBytes    = 32      // bytes of byte strings that cost 1 when they are made or compared, and a block of a hash
	GasEd25519       = 40_000  // one check of a signature
	GasSecp256k1     = 100_000 // one check of a signature
	GasShaBase       = 65
	GasShaBlock      = 16
	GasBlakeBase     = 180
	GasBlakeBlock    = 40
	GasKecBase       = 350
	GasKecBlock      = 65
	GasDataBytes     = 64 // of data space that is touched for the first time cost 1
	GasCopyBytes     = 8  // of data space that are moved, filled, or made a byte string or made of one, cost 1
	GasMerkleStep    = 113
	GasDepth         = 8 // values deep that pick and roll look cost 1
	GasWordsPerProbe = 4 // words that a call by hash compares with cost 1
)

// gasConstants are those above, by name.
func gasConstants() []struct {
	name  string
	value int64
} {
	return []struct {
		name  string
		value int64
	}{{"GasCodeByte", GasCodeByte}, {"GasWordByte", GasWordByte}, {"GasBlockBytes", GasBlockBytes}, {"GasEd25519", GasEd25519},
		{"GasSecp256k1", GasSecp256k1}, {"GasShaBase", GasShaBase}, {"GasShaBlock", GasShaBlock}, {"GasBlakeBase", GasBlakeBase},
		{"GasBlakeBlock", GasBlakeBlock}, {"GasKecBase", GasKecBase}, {"GasKecBlock", GasKecBlock}, {"GasDataBytes", GasDataBytes},
		{"GasCopyBytes", GasCopyBytes}, {"GasMerkleStep", GasMerkleStep}, {"GasDepth", GasDepth}, {"GasWordsPerProbe", GasWordsPerProbe}}
}

// Blocks is how many blocks of 32 bytes n bytes have.
func Blocks(n int) int64 { return int64(n+GasBlockBytes-1) / GasBlockBytes }

// gasWord is what a definition costs that can be called by hash: its bytes, and the hash.
func gasWord(body, canonical int) int64 {
	return GasWordByte*int64(body) + GasShaBase + GasShaBlock*Blocks(canonical)
}

// HashGas is what a hash word costs for n bytes, besides the instruction.
func HashGas(op Opcode, n int) int64 {
	switch op {
	case OpHash:
		return GasShaBase + GasShaBlock*Blocks(n)
	case OpBlake2b:
		return GasBlakeBase + GasBlakeBlock*Blocks(n)
	}
	return GasKecBase + GasKecBlock*Blocks(n)
}

// MerkleGas is what merkle-proof costs for a proof and a leaf of so many bytes, besides the instruction.
func MerkleGas(proof, leaf int) int64 {
	return GasMerkleStep*Blocks(proof) + GasShaBase + GasShaBlock*Blocks(leaf+1)
}

// Schedule is the gas schedule as text, one line for each opcode and constant: what its hash covers.
func Schedule() string {
	var b strings.Builder
	fmt.Fprintf(&b, "paloalto vm-forth gas schedule %d\n", GasVersion)
	for op, i := range Opcodes {
		if i.Name != "" {
			fmt.Fprintf(&b, "opcode %d %s %d\n", op, i.Name, i.Gas)
		}
	}
	for _, c := range gasConstants() {
		fmt.Fprintf(&b, "constant %s %d\n", c.name, c.value)
	}
	return b.String()
}

// GasTableHash is the SHA-256 of [Schedule]. A chain's genesis has it.
func GasTableHash() [32]byte { return sha256.Sum256([]byte(Schedule())) }

// dynamicGas bounds what an instruction costs besides its opcode, and besides touching the data space for the first time.
func (p *Program) dynamicGas(in *Instr, l *Limits) int64 {
	longest := Blocks(MaxBytes)
	switch in.Op {
	case OpBytes:
		return Blocks(int(in.Arg & 0xffff))
	case OpSame, OpEqual, OpNotEqual, OpSlice:
		return longest
	case OpCat:
		return 2 * longest // the gas is taken before the length is looked at
	case OpHash, OpBlake2b, OpKeccak:
		return HashGas(in.Op, MaxBytes)
	case OpVerifySig:
		return GasSecp256k1
	case OpPick, OpRoll:
		return l.StackDepth / GasDepth
	case OpCallHash:
		return (int64(len(p.Hashes)) + l.Definitions) / GasWordsPerProbe
	case OpMove, OpFill:
		return l.DataBytes/GasCopyBytes + 1
	case OpMemToB, OpBToMem:
		return longest + MaxBytes/GasCopyBytes + 1
	case OpMerkleProof:
		return MerkleGas(MaxBytes, MaxBytes)
	case OpEnv:
		switch e := Environment[in.Arg]; {
		case e.IsBytes:
			return longest
		case e.From == EnvNamed, e.From == EnvOracle:
			return longest // of the name
		}
	}
	return 0
}

// loadGas is what code costs before it runs.
func (p *Program) loadGas() int64 { return GasCodeByte*int64(len(p.Code)) + p.Gas }

// touchGas bounds what touching the data space costs in a whole run.
func (p *Program) touchGas(l *Limits) int64 {
	if len(p.Data) > 0 {
		return l.DataBytes/GasDataBytes + 1
	}
	for i := range p.Ins {
		switch p.Ins[i].Op {
		case OpFetch, OpStore, OpCFetch, OpCStore, OpAddStore, OpMove, OpFill, OpMemToB, OpBToMem:
			return l.DataBytes/GasDataBytes + 1
		}
	}
	return 0
}
