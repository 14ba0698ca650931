// Package bytecode is what a chain sees of a contract: the instruction set and its gas, the statuses with which a run may
// fail, the limits, the encoding of a program, the loader that verifies it, and its text form, asm.
package bytecode
