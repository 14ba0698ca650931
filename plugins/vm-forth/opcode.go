package vmforth

// opcode is the first byte of an instruction. The numbers are part of consensus.
type opcode uint8

// Control, literals and loops.
const (
	opEnd      opcode = 0x00 // never in code: the loader puts it behind each body
	opInt      opcode = 0x01
	opBytes    opcode = 0x02
	opJump     opcode = 0x03
	opJumpZero opcode = 0x04
	opCall     opcode = 0x05
	opRecurse  opcode = 0x06
	opExit     opcode = 0x07
	opCallHash opcode = 0x08
	opReturn   opcode = 0x09
	opFail     opcode = 0x0a
	opThrow    opcode = 0x0b
	opDo       opcode = 0x0c
	opQDo      opcode = 0x0d
	opLoop     opcode = 0x0e
	opPlusLoop opcode = 0x0f
	opI        opcode = 0x10
	opJ        opcode = 0x11
	opUnloop   opcode = 0x12
	opEnv      opcode = 0x13
	opGas      opcode = 0x14
)

// Stack.
const (
	opDup opcode = 0x20 + iota
	opDrop
	opSwap
	opOver
	opRot
	opMinusRot
	opNip
	opTuck
	opQDup
	op2Dup
	op2Drop
	op2Swap
	op2Over
	opPick
	opRoll
	opDepth
	opToR
	opFromR
	opRFetch
)

// Arithmetic and bits.
const (
	opAdd opcode = 0x40 + iota
	opSub
	opMul
	opDiv
	opMod
	opDivMod
	opNegate
	opAbs
	opMin
	opMax
	opInc
	opDec
	opMulDiv
	opMulDivMod
	opAddWrap
	opSubWrap
	opMulWrap
	opAnd
	opOr
	opXor
	opInvert
	opLShift
	opRShift
	opTwoMul
	opTwoDiv
)

// Comparison.
const (
	opSame opcode = 0x60 + iota
	opEqual
	opNotEqual
	opLess
	opGreater
	opLessEqual
	opGreaterEqual
	opULess
	opZeroEqual
	opZeroNotEqual
	opZeroLess
	opZeroGreater
)

// Memory, byte strings and cryptography.
const (
	opFetch opcode = 0x70 + iota
	opStore
	opCFetch
	opCStore
	opAddStore
	opLen
	opSlice
	opCat
	opToB
	opFromB
	opHash
	opBlake2b
	opKeccak
	opVerifySig
)

// opSmall and above push 0 to maxSmall.
const opSmall opcode = 0xc0

const maxSmall = 63

// operand is what follows an opcode.
type operand uint8

const (
	noOperand     operand = iota
	intOperand            // zigzag varint, minimal, not 0 to 63
	bytesOperand          // uvarint length, bytes
	jumpOperand           // two bytes, big-endian: where in the body
	wordOperand           // uvarint: an earlier definition
	envOperand            // one byte: index into environment
	internalLabel         // never in code
)

// info describes an opcode. It takes and leaves values on the data stack; gas is what it costs besides what depends on
// its operands.
type info struct {
	name    string
	operand operand
	takes   uint8
	leaves  uint8
	gas     uint8
}

// GasVersion is the version of the gas schedule that this file and gas.go hold. It belongs to the rules of the plugin.
const GasVersion = 1

// opcodes is the instruction set. An opcode without a name is unknown. It is never written.
var opcodes = [256]info{
	opEnd:      {"end", internalLabel, 0, 0, 0},
	opInt:      {"int", intOperand, 0, 1, 1},
	opBytes:    {"bytes", bytesOperand, 0, 1, 2},
	opJump:     {"jump", jumpOperand, 0, 0, 1},
	opJumpZero: {"jump-zero", jumpOperand, 1, 0, 1},
	opCall:     {"word", wordOperand, 0, 0, 5},
	opRecurse:  {"recurse", noOperand, 0, 0, 5},
	opExit:     {"exit", noOperand, 0, 0, 1},
	opCallHash: {"call", noOperand, 1, 0, 5},
	opReturn:   {"return", noOperand, 0, 0, 1},
	opFail:     {"fail", noOperand, 0, 0, 1},
	opThrow:    {"throw", noOperand, 1, 0, 1},
	opDo:       {"do", noOperand, 2, 0, 1},
	opQDo:      {"?do", jumpOperand, 2, 0, 1},
	opLoop:     {"loop", jumpOperand, 0, 0, 1},
	opPlusLoop: {"+loop", jumpOperand, 1, 0, 1},
	opI:        {"i", noOperand, 0, 1, 1},
	opJ:        {"j", noOperand, 0, 1, 1},
	opUnloop:   {"unloop", noOperand, 0, 0, 1},
	opEnv:      {"env", envOperand, 0, 0, 3},
	opGas:      {"gas", noOperand, 0, 1, 1},

	opDup: {"dup", noOperand, 1, 2, 1}, opDrop: {"drop", noOperand, 1, 0, 1}, opSwap: {"swap", noOperand, 2, 2, 1},
	opOver: {"over", noOperand, 2, 3, 1}, opRot: {"rot", noOperand, 3, 3, 1}, opMinusRot: {"-rot", noOperand, 3, 3, 1},
	opNip: {"nip", noOperand, 2, 1, 1}, opTuck: {"tuck", noOperand, 2, 3, 1}, opQDup: {"?dup", noOperand, 1, 2, 1},
	op2Dup: {"2dup", noOperand, 2, 4, 1}, op2Drop: {"2drop", noOperand, 2, 0, 1}, op2Swap: {"2swap", noOperand, 4, 4, 1},
	op2Over: {"2over", noOperand, 4, 6, 1}, opPick: {"pick", noOperand, 1, 1, 1}, opRoll: {"roll", noOperand, 1, 0, 1},
	opDepth: {"depth", noOperand, 0, 1, 1}, opToR: {">r", noOperand, 1, 0, 1}, opFromR: {"r>", noOperand, 0, 1, 1},
	opRFetch: {"r@", noOperand, 0, 1, 1},

	opAdd: {"+", noOperand, 2, 1, 1}, opSub: {"-", noOperand, 2, 1, 1}, opMul: {"*", noOperand, 2, 1, 1},
	opDiv: {"/", noOperand, 2, 1, 1}, opMod: {"mod", noOperand, 2, 1, 1}, opDivMod: {"/mod", noOperand, 2, 2, 1},
	opNegate: {"negate", noOperand, 1, 1, 1}, opAbs: {"abs", noOperand, 1, 1, 1}, opMin: {"min", noOperand, 2, 1, 1},
	opMax: {"max", noOperand, 2, 1, 1}, opInc: {"1+", noOperand, 1, 1, 1}, opDec: {"1-", noOperand, 1, 1, 1},
	opMulDiv: {"*/", noOperand, 3, 1, 8}, opMulDivMod: {"*/mod", noOperand, 3, 2, 8}, opAddWrap: {"+w", noOperand, 2, 1, 1},
	opSubWrap: {"-w", noOperand, 2, 1, 1}, opMulWrap: {"*w", noOperand, 2, 1, 1}, opAnd: {"and", noOperand, 2, 1, 1},
	opOr: {"or", noOperand, 2, 1, 1}, opXor: {"xor", noOperand, 2, 1, 1}, opInvert: {"invert", noOperand, 1, 1, 1},
	opLShift: {"lshift", noOperand, 2, 1, 1}, opRShift: {"rshift", noOperand, 2, 1, 1}, opTwoMul: {"2*", noOperand, 1, 1, 1},
	opTwoDiv: {"2/", noOperand, 1, 1, 1},

	opSame: {"==", noOperand, 2, 1, 1}, opEqual: {"=", noOperand, 2, 1, 1}, opNotEqual: {"<>", noOperand, 2, 1, 1},
	opLess: {"<", noOperand, 2, 1, 1}, opGreater: {">", noOperand, 2, 1, 1}, opLessEqual: {"<=", noOperand, 2, 1, 1},
	opGreaterEqual: {">=", noOperand, 2, 1, 1}, opULess: {"u<", noOperand, 2, 1, 1}, opZeroEqual: {"0=", noOperand, 1, 1, 1},
	opZeroNotEqual: {"0<>", noOperand, 1, 1, 1}, opZeroLess: {"0<", noOperand, 1, 1, 1}, opZeroGreater: {"0>", noOperand, 1, 1, 1},

	opFetch: {"@", noOperand, 1, 1, 3}, opStore: {"!", noOperand, 2, 0, 3}, opCFetch: {"c@", noOperand, 1, 1, 3},
	opCStore: {"c!", noOperand, 2, 0, 3}, opAddStore: {"+!", noOperand, 2, 0, 3}, opLen: {"len", noOperand, 1, 1, 1},
	opSlice: {"slice", noOperand, 3, 1, 2}, opCat: {"cat", noOperand, 2, 1, 2}, opToB: {">b", noOperand, 1, 1, 2},
	opFromB: {"b>", noOperand, 1, 1, 1}, opHash: {"hash", noOperand, 1, 1, 3}, opBlake2b: {"blake2b", noOperand, 1, 1, 3},
	opKeccak: {"keccak256", noOperand, 1, 1, 3}, opVerifySig: {"verify-sig", noOperand, 3, 1, 1},
}

// envWord is a word that reads the environment. Its index is part of consensus.
type envWord struct {
	name string
	from envArgument // what it takes off the stack
	isB  bool        // it leaves bytes
}

type envArgument uint8

const (
	envPlain   envArgument = iota
	envIndexed             // takes an integer i; the environment's name is "name:i", i in decimal digits
	envNamed               // takes a byte string s; the environment's name is "name:s"
)

// environment is what contracts may ask for. In a batch, an integer is 8 bytes, big-endian, and bytes are what they are.
var environment = [...]envWord{
	{"height", envPlain, false}, {"slot", envPlain, false}, {"clock", envPlain, false}, {"slot-time", envPlain, false},
	{"chain-id", envPlain, true}, {"channel-id", envPlain, true}, {"balance", envIndexed, false}, {"deposit", envIndexed, false},
	{"participants", envPlain, false}, {"participant", envIndexed, true}, {"caller", envPlain, true}, {"nonce", envPlain, false},
	{"closing?", envPlain, false}, {"param", envNamed, false},
}
