// Package forth2012 is the dialect forth2012: a Forth text interpreter after the standard of 2012, for sessions and for the
// compilation of contracts. Nothing on a chain rests on it; what counts is the bytecode that it writes.
//
// A System has a dictionary, an input source and a definition that is being compiled, all in Go, and runs every word on
// [engine.Live]. A word of the language is either instructions, or a helper in Forth that is compiled when it is first used,
// or a host word: a function of this package that the program calls with bytecode.OpHost. A contract has no host words, so
// [Compile] refuses those that its main word may reach, except where instructions do the same.
//
// Word sets: core with extensions, double with extensions, string, exception, locals, search order, the structures of
// facility, and of the programming tools what needs no assembler. There is no block, file, floating-point, memory-allocation
// or extended-character word set, and KEY; ACCEPT receives nothing.
//
// Cells have 64 bits, characters 8. Arithmetic wraps; division is symmetric and traps where the quotient does not fit.
// An execution token is the number of a word. The data space is byte addressed, begins for programs at
// address 8, and nothing needs to be aligned. The control-flow stack is not the data stack.
//
// Everything is bounded: gas for what runs and for what is interpreted, the text printed by an input, the dictionary, the
// data space, the nesting of sources. There is no clock, no chance, and no file but what the caller hands over.
package forth2012
