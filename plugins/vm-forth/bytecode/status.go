package bytecode

import "github.com/paloalto-chain/paloalto/sdk/vm"

// How a contract may fail. The numbers are part of consensus: they stand in receipts, and never change or move.
const (
	BadCode        vm.Status = 1  // the code or the evidence is malformed, or longer than the chain allows
	StackUnderflow vm.Status = 2  // a word found too few values, or the return stack did not have what it looked for
	StackOverflow  vm.Status = 3  // the data stack or the return stack is full
	TypeError      vm.Status = 4  // an integer where bytes belong, or the other way round
	Overflow       vm.Status = 5  // the result does not fit 64 bits, signed
	DivByZero      vm.Status = 6  // a division by zero
	OutOfGas       vm.Status = 7  // the gas limit of the run, or of the chain, is used up
	OutOfSpace     vm.Status = 8  // the byte strings are too long, one or all together
	BadAddress     vm.Status = 9  // an address outside of the data space
	UnknownWord    vm.Status = 10 // a call by a hash that no word has
	BadResult      vm.Status = 11 // what is left is not burn, pay and nonce
	Thrown         vm.Status = 12 // throw with a number other than zero; the text has the number
	Fail           vm.Status = 13 // the word fail
	EnvMissing     vm.Status = 14 // the environment does not have what was asked for
)

// StatusName names a status for people.
func StatusName(s vm.Status) string {
	names := [...]string{"OK", "BadCode", "StackUnderflow", "StackOverflow", "TypeError", "Overflow", "DivByZero", "OutOfGas", "OutOfSpace",
		"BadAddress", "UnknownWord", "BadResult", "Thrown", "Fail", "EnvMissing"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}
