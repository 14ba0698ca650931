// Package lang compiles the sources of contracts: the dialects paloalto and chalang, and asm, which is what Disassemble
// writes. It belongs to no rules: a chain sees bytecode alone, so a compiler may be mended or replaced at any time. The same
// source gives the same bytes, wherever it is compiled.
//
// A source may be in parts that know each other by hash only: a word that another source defines is called with its hash,
// x"…" call, and comes with the evidence.
package lang
