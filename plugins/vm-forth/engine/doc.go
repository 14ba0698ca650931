// Package engine runs programs. Values are signed 64-bit integers and immutable byte strings of up to 1024 bytes; each knows
// which it is. Arithmetic traps instead of wrapping, and stacks, byte strings and data space are bounded. There is no clock,
// no chance, no floating point and no map order: a run is a function of code, evidence, environment and limits. All of this
// package belongs to the rules version of the plugin.
//
// A [Machine] runs contracts. The loop in exec.go has what is simple and frequent, cold.go and what it calls the rest; fuse.go
// makes faster instructions for programs that are kept, which change neither status nor gas nor place. [Live] is the same
// interpreter for sessions. A fault of the machine itself panics with a [Fault] and is never a status. The judge is the
// naive interpreter in the tests: VM_FORTH_DIFFERENTIAL=5m go test -run TestDifferential -v compares the two for that long.
package engine
