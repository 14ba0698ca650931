package bytecode

// For the tests that run programs.
var KindsOf = kindsOf

// Shuffle says what an instruction that only moves values does.
func Shuffle(op Opcode) (takes int, order []int) { return shuffles[op].takes, shuffles[op].order }

// IsShuffle says whether an instruction only moves values.
func IsShuffle(op Opcode) bool { return shuffles[op].takes > 0 }
