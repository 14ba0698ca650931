// Package hot is the second engine of vm-forth, for code that runs long: it translates a loaded program into a WebAssembly
// module, which wazero compiles to machine code.
//
// Only success comes from here. A module leaves off at the first doubt: a trap, a limit, a word that it does not know; the
// run is then done over by the interpreter, whose status is the canonical one. So the translation has to be right about
// runs that succeed, and may be careful about all others:
//
//   - Gas only decreases, hence a run succeeds if its last value is not negative. It is charged for each block, and looked
//     at in loops, at the start of words and at the end. Before a word that can see it, it is exact.
//   - The depth of both stacks is known for each instruction; where words call themselves it is carried along.
//   - A module is made for one shape of what the evidence leaves: how many values, and which of them are bytes. With that
//     each value's type is known. Stack places become locals, so moving values about costs nothing.
//   - The data space is the module's memory. Byte strings stay in the engine's arena, and words on them, the environment
//     and cryptography are executed by the engine, an instruction at a time.
package hot
