package main

import (
	"fmt"
	"strings"
)

// assembler makes bytecode of the EVM. Its text has one instruction or several a line: mnemonics; numbers in decimal, which
// become the shortest PUSH; NAME: for a place that can be jumped to, with its JUMPDEST; and @NAME, which pushes that place
// in two bytes. What follows ; is a comment.
type assembler struct {
	code   []byte
	labels map[string]int
	uses   map[int]string // where an address belongs
	err    error
}

// evmOpcodes are the instructions that the programs need (Ethereum yellow paper, appendix H). They are never written.
var evmOpcodes = map[string]byte{
	"STOP": 0x00, "ADD": 0x01, "MUL": 0x02, "SUB": 0x03, "LT": 0x10, "GT": 0x11, "EQ": 0x14, "ISZERO": 0x15, "AND": 0x16, "OR": 0x17,
	"BYTE": 0x1a, "POP": 0x50, "MLOAD": 0x51, "MSTORE": 0x52, "MSTORE8": 0x53, "JUMP": 0x56, "JUMPI": 0x57, "JUMPDEST": 0x5b,
	"PUSH0": 0x5f, "RETURN": 0xf3,
}

// assemble reads a text, whose verbs take the arguments.
func assemble(format string, args ...any) *assembler {
	a := &assembler{labels: map[string]int{}, uses: map[int]string{}}
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		line, _, _ = strings.Cut(line, ";")
		for _, word := range strings.Fields(line) {
			if err := a.word(word); err != nil && a.err == nil {
				a.err = err
			}
		}
	}
	return a
}

func (a *assembler) word(word string) error {
	var n uint64
	if op, ok := evmOpcodes[word]; ok {
		a.code = append(a.code, op)
		return nil
	}
	if name, ok := strings.CutSuffix(word, ":"); ok {
		if _, twice := a.labels[name]; twice {
			return fmt.Errorf("evm: the place %s is there twice", name)
		}
		a.labels[name] = len(a.code)
		return a.word("JUMPDEST")
	}
	if name, ok := strings.CutPrefix(word, "@"); ok {
		a.uses[len(a.code)+1] = name
		a.code = append(a.code, 0x61, 0, 0) // PUSH2
		return nil
	}
	if _, err := fmt.Sscanf(word, "DUP%d", &n); err == nil && n >= 1 && n <= 16 {
		a.code = append(a.code, 0x7f+byte(n))
		return nil
	}
	if _, err := fmt.Sscanf(word, "SWAP%d", &n); err == nil && n >= 1 && n <= 16 {
		a.code = append(a.code, 0x8f+byte(n))
		return nil
	}
	if _, err := fmt.Sscanf(word, "%d", &n); err != nil {
		return fmt.Errorf("evm: %q is no instruction", word)
	}
	if n == 0 {
		return a.word("PUSH0")
	}
	var b []byte
	for ; n > 0; n >>= 8 {
		b = append([]byte{byte(n)}, b...)
	}
	a.code = append(append(a.code, 0x5f+byte(len(b))), b...)
	return nil
}

// bytes returns the code.
func (a *assembler) bytes() ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	for at, name := range a.uses {
		to, ok := a.labels[name]
		if !ok || to > 0xffff {
			return nil, fmt.Errorf("evm: there is no place %s, or it is too far", name)
		}
		a.code[at], a.code[at+1] = byte(to>>8), byte(to)
	}
	return a.code, nil
}
