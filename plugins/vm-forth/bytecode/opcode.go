package bytecode

// Opcode is the first byte of an instruction. The numbers are part of consensus.
type Opcode uint8

// Control, literals and loops.
const (
	OpEnd      Opcode = 0x00 // never in code: the loader puts it behind each body
	OpInt      Opcode = 0x01
	OpBytes    Opcode = 0x02
	OpJump     Opcode = 0x03
	OpJumpZero Opcode = 0x04
	OpCall     Opcode = 0x05
	OpRecurse  Opcode = 0x06
	OpExit     Opcode = 0x07
	OpCallHash Opcode = 0x08
	OpReturn   Opcode = 0x09
	OpFail     Opcode = 0x0a
	OpThrow    Opcode = 0x0b
	OpDo       Opcode = 0x0c
	OpQDo      Opcode = 0x0d
	OpLoop     Opcode = 0x0e
	OpPlusLoop Opcode = 0x0f
	OpI        Opcode = 0x10
	OpJ        Opcode = 0x11
	OpUnloop   Opcode = 0x12
	OpEnv      Opcode = 0x13
	OpGas      Opcode = 0x14
	OpExecute  Opcode = 0x15
	OpCatch    Opcode = 0x16
	OpSlot     Opcode = 0x17
	OpSetSlot  Opcode = 0x18
)

// OpHost is never in code either: a session's program uses it to leave the interpreter, see engine.Live. Its argument says
// for what.
const OpHost Opcode = 0x1f

// Two-cell numbers: the low cell below the high one. They wrap.
const (
	OpMStar    Opcode = 0x34 + iota // n n -- d
	OpUMStar                        // u u -- ud
	OpUMDivMod                      // ud u -- remainder quotient
	OpSMDivRem                      // d n -- remainder quotient, symmetric
	OpFMDivMod                      // d n -- remainder quotient, floored
	OpDAdd
	OpDSub
	OpDNegate
	OpDLess
	OpDULess
)

// Stack.
const (
	OpDup Opcode = 0x20 + iota
	OpDrop
	OpSwap
	OpOver
	OpRot
	OpMinusRot
	OpNip
	OpTuck
	OpQDup
	Op2Dup
	Op2Drop
	Op2Swap
	Op2Over
	OpPick
	OpRoll
	OpDepth
	OpToR
	OpFromR
	OpRFetch
)

// Arithmetic and bits.
const (
	OpAdd Opcode = 0x40 + iota
	OpSub
	OpMul
	OpDiv
	OpMod
	OpDivMod
	OpNegate
	OpAbs
	OpMin
	OpMax
	OpInc
	OpDec
	OpMulDiv
	OpMulDivMod
	OpAddWrap
	OpSubWrap
	OpMulWrap
	OpAnd
	OpOr
	OpXor
	OpInvert
	OpLShift
	OpRShift
	OpTwoMul
	OpTwoDiv
)

// Comparison.
const (
	OpSame Opcode = 0x60 + iota
	OpEqual
	OpNotEqual
	OpLess
	OpGreater
	OpLessEqual
	OpGreaterEqual
	OpULess
	OpZeroEqual
	OpZeroNotEqual
	OpZeroLess
	OpZeroGreater
)

// Memory, byte strings and cryptography.
const (
	OpFetch Opcode = 0x70 + iota
	OpStore
	OpCFetch
	OpCStore
	OpAddStore
	OpLen
	OpSlice
	OpCat
	OpToB
	OpFromB
	OpHash
	OpBlake2b
	OpKeccak
	OpVerifySig
	OpMove        // from to count --
	OpFill        // address count byte --
	OpMemToB      // address count -- bytes
	OpBToMem      // bytes address --
	OpMerkleProof // proof leaf root -- flag
	OpVerifyZK    // reserved: the loader refuses it
)

// OpSmall and above push 0 to maxSmall.
const OpSmall Opcode = 0xc0

const MaxSmall = 63

// Operand is what follows an opcode.
type Operand uint8

const (
	NoOperand       Operand = iota
	IntOperand              // zigzag varint, minimal, not 0 to 63
	BytesOperand            // uvarint length, bytes
	JumpOperand             // two bytes, big-endian: where in the body
	WordOperand             // uvarint: an earlier definition
	EnvOperand              // one byte: index into Environment
	SlotOperand             // uvarint: a numbered slot
	InternalOperand         // never in code
)

// Info describes an opcode. It takes and leaves values on the data stack; Gas is what it costs besides what depends on its
// operands.
type Info struct {
	Name    string
	Operand Operand
	Takes   uint8
	Leaves  uint8
	Gas     uint8
}

// Opcodes is the instruction set. An opcode without a name is unknown. It is never written.
var Opcodes = [256]Info{
	OpEnd:      {"end", InternalOperand, 0, 0, 0},
	OpInt:      {"int", IntOperand, 0, 1, 1},
	OpBytes:    {"bytes", BytesOperand, 0, 1, 2},
	OpJump:     {"jump", JumpOperand, 0, 0, 1},
	OpJumpZero: {"jump-zero", JumpOperand, 1, 0, 1},
	OpCall:     {"word", WordOperand, 0, 0, 5},
	OpRecurse:  {"recurse", NoOperand, 0, 0, 5},
	OpExit:     {"exit", NoOperand, 0, 0, 1},
	OpCallHash: {"call", NoOperand, 1, 0, 5},
	OpReturn:   {"return", NoOperand, 0, 0, 1},
	OpFail:     {"fail", NoOperand, 0, 0, 1},
	OpThrow:    {"throw", NoOperand, 1, 0, 1},
	OpDo:       {"do", NoOperand, 2, 0, 1},
	OpQDo:      {"?do", JumpOperand, 2, 0, 1},
	OpLoop:     {"loop", JumpOperand, 0, 0, 1},
	OpPlusLoop: {"+loop", JumpOperand, 1, 0, 1},
	OpI:        {"i", NoOperand, 0, 1, 1},
	OpJ:        {"j", NoOperand, 0, 1, 1},
	OpUnloop:   {"unloop", NoOperand, 0, 0, 1},
	OpEnv:      {"env", EnvOperand, 0, 0, 3},
	OpGas:      {"gas", NoOperand, 0, 1, 1},
	OpExecute:  {"execute", NoOperand, 1, 0, 5},
	OpCatch:    {"catch", NoOperand, 1, 0, 8},
	OpSlot:     {"slot@", SlotOperand, 0, 1, 1},
	OpSetSlot:  {"slot!", SlotOperand, 1, 0, 1},
	OpHost:     {"host", InternalOperand, 0, 0, 1},

	OpDup: {"dup", NoOperand, 1, 2, 1}, OpDrop: {"drop", NoOperand, 1, 0, 1}, OpSwap: {"swap", NoOperand, 2, 2, 1},
	OpOver: {"over", NoOperand, 2, 3, 1}, OpRot: {"rot", NoOperand, 3, 3, 1}, OpMinusRot: {"-rot", NoOperand, 3, 3, 1},
	OpNip: {"nip", NoOperand, 2, 1, 1}, OpTuck: {"tuck", NoOperand, 2, 3, 1}, OpQDup: {"?dup", NoOperand, 1, 2, 1},
	Op2Dup: {"2dup", NoOperand, 2, 4, 1}, Op2Drop: {"2drop", NoOperand, 2, 0, 1}, Op2Swap: {"2swap", NoOperand, 4, 4, 1},
	Op2Over: {"2over", NoOperand, 4, 6, 1}, OpPick: {"pick", NoOperand, 1, 1, 1}, OpRoll: {"roll", NoOperand, 1, 0, 1},
	OpDepth: {"depth", NoOperand, 0, 1, 1}, OpToR: {">r", NoOperand, 1, 0, 1}, OpFromR: {"r>", NoOperand, 0, 1, 1},
	OpRFetch: {"r@", NoOperand, 0, 1, 1},

	OpAdd: {"+", NoOperand, 2, 1, 1}, OpSub: {"-", NoOperand, 2, 1, 1}, OpMul: {"*", NoOperand, 2, 1, 1},
	OpDiv: {"/", NoOperand, 2, 1, 1}, OpMod: {"mod", NoOperand, 2, 1, 1}, OpDivMod: {"/mod", NoOperand, 2, 2, 1},
	OpNegate: {"negate", NoOperand, 1, 1, 1}, OpAbs: {"abs", NoOperand, 1, 1, 1}, OpMin: {"min", NoOperand, 2, 1, 1},
	OpMax: {"max", NoOperand, 2, 1, 1}, OpInc: {"1+", NoOperand, 1, 1, 1}, OpDec: {"1-", NoOperand, 1, 1, 1},
	OpMulDiv: {"*/", NoOperand, 3, 1, 8}, OpMulDivMod: {"*/mod", NoOperand, 3, 2, 8}, OpAddWrap: {"+w", NoOperand, 2, 1, 1},
	OpSubWrap: {"-w", NoOperand, 2, 1, 1}, OpMulWrap: {"*w", NoOperand, 2, 1, 1}, OpAnd: {"and", NoOperand, 2, 1, 1},
	OpOr: {"or", NoOperand, 2, 1, 1}, OpXor: {"xor", NoOperand, 2, 1, 1}, OpInvert: {"invert", NoOperand, 1, 1, 1},
	OpLShift: {"lshift", NoOperand, 2, 1, 1}, OpRShift: {"rshift", NoOperand, 2, 1, 1}, OpTwoMul: {"2*", NoOperand, 1, 1, 1},
	OpTwoDiv: {"2/", NoOperand, 1, 1, 1},

	OpSame: {"==", NoOperand, 2, 1, 1}, OpEqual: {"=", NoOperand, 2, 1, 1}, OpNotEqual: {"<>", NoOperand, 2, 1, 1},
	OpLess: {"<", NoOperand, 2, 1, 1}, OpGreater: {">", NoOperand, 2, 1, 1}, OpLessEqual: {"<=", NoOperand, 2, 1, 1},
	OpGreaterEqual: {">=", NoOperand, 2, 1, 1}, OpULess: {"u<", NoOperand, 2, 1, 1}, OpZeroEqual: {"0=", NoOperand, 1, 1, 1},
	OpZeroNotEqual: {"0<>", NoOperand, 1, 1, 1}, OpZeroLess: {"0<", NoOperand, 1, 1, 1}, OpZeroGreater: {"0>", NoOperand, 1, 1, 1},

	OpFetch: {"@", NoOperand, 1, 1, 3}, OpStore: {"!", NoOperand, 2, 0, 3}, OpCFetch: {"c@", NoOperand, 1, 1, 3},
	OpCStore: {"c!", NoOperand, 2, 0, 3}, OpAddStore: {"+!", NoOperand, 2, 0, 3}, OpLen: {"len", NoOperand, 1, 1, 1},
	OpSlice: {"slice", NoOperand, 3, 1, 2}, OpCat: {"cat", NoOperand, 2, 1, 2}, OpToB: {">b", NoOperand, 1, 1, 2},
	OpFromB: {"b>", NoOperand, 1, 1, 1}, OpHash: {"hash", NoOperand, 1, 1, 3}, OpBlake2b: {"blake2b", NoOperand, 1, 1, 3},
	OpKeccak: {"keccak256", NoOperand, 1, 1, 3}, OpVerifySig: {"verify-sig", NoOperand, 3, 1, 1},
	OpMove: {"move", NoOperand, 3, 0, 3}, OpFill: {"fill", NoOperand, 3, 0, 3}, OpMemToB: {"mem>b", NoOperand, 2, 1, 3},
	OpBToMem: {"b>mem", NoOperand, 2, 0, 3}, OpMerkleProof: {"merkle-proof", NoOperand, 3, 1, 3},

	OpMStar: {"m*", NoOperand, 2, 2, 2}, OpUMStar: {"um*", NoOperand, 2, 2, 2}, OpUMDivMod: {"um/mod", NoOperand, 3, 2, 8},
	OpSMDivRem: {"sm/rem", NoOperand, 3, 2, 8}, OpFMDivMod: {"fm/mod", NoOperand, 3, 2, 8}, OpDAdd: {"d+", NoOperand, 4, 2, 2},
	OpDSub: {"d-", NoOperand, 4, 2, 2}, OpDNegate: {"dnegate", NoOperand, 2, 2, 2}, OpDLess: {"d<", NoOperand, 4, 1, 2},
	OpDULess: {"du<", NoOperand, 4, 1, 2},
}

// EnvWord is a word that reads the environment. Its index is part of consensus.
type EnvWord struct {
	Name    string
	From    EnvArgument // what it takes off the stack
	IsBytes bool        // it leaves bytes
}

// EnvArgument says what an environment word takes off the stack, and what the environment calls its value.
type EnvArgument uint8

// How environment words find their values.
const (
	EnvPlain   EnvArgument = iota
	EnvIndexed             // takes an integer i; the environment's name is "name:i", i in decimal digits
	EnvNamed               // takes a byte string s; the environment's name is "name:s"
	EnvOracle              // takes an id, the greatest age and the least deposit; leaves a value and a status
)

// Environment is what contracts may ask for. In a batch, an integer is 8 bytes, big-endian, and bytes are what they are.
var Environment = [...]EnvWord{
	{"height", EnvPlain, false}, {"slot", EnvPlain, false}, {"clock", EnvPlain, false}, {"slot-time", EnvPlain, false},
	{"chain-id", EnvPlain, true}, {"channel-id", EnvPlain, true}, {"balance", EnvIndexed, false}, {"deposit", EnvIndexed, false},
	{"participants", EnvPlain, false}, {"participant", EnvIndexed, true}, {"caller", EnvPlain, false}, {"nonce", EnvPlain, false},
	{"closing?", EnvPlain, false}, {"param", EnvNamed, false}, {"oracle", EnvOracle, false},
}
