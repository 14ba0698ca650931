package main

import (
	"embed"
	"fmt"
)

// sources are the programs, one text for each, in the words that gforth and the dialect paloalto have in common. Each
// defines run ( -- n ), n being 0 or more; mem is the address of the memory that it may use, N a number that is up to the
// caller.
//
//go:embed programs/*.fs
var sources embed.FS

// program is one of the programs, and how much of it is run: times runs with N = n, one after the other. It is cut into
// runs since a configuration allows 100,000,000 gas for one.
type program struct {
	name  string // of the source
	n     int64
	times int
	// evm and native are the same program for the EVM and in Go; evm is nil where there is none.
	evm    func(n int64) *assembler
	native func(n int64) int64
}

// mostRounds of the loop fit a run.
const mostRounds = 10_000_000

// programs returns what is measured. The counted loop has loop rounds.
func programs(loop int64) []program {
	times := max(1, loop/mostRounds)
	return []program{
		{"fib", 30, 1, evmFib, nativeFib},
		{"sieve", 50, 4, evmSieve, nativeSieve},
		{"loop", loop / times, int(times), evmLoop, nativeLoop},
		{"bubble", 5, 4, evmBubble, nativeBubble},
		{"sha256", 2500, 4, nil, nativeSHA256},
	}
}

// short returns the same programs with so little to do that it takes no time.
func short() []program {
	ps := programs(1000)
	for i, n := range []int64{10, 2, 1000, 1, 3} {
		ps[i].n, ps[i].times = n, 2
	}
	return ps
}

// title says what is run, for people.
func (p program) title() string {
	n := p.n * int64(p.times)
	switch p.name {
	case "fib":
		return fmt.Sprintf("fib(%d)", p.n)
	case "loop":
		if n%1_000_000 == 0 {
			return fmt.Sprintf("loop %dM", n/1_000_000)
		}
		return fmt.Sprintf("loop %d", n)
	}
	return fmt.Sprintf("%s ×%d", p.name, n)
}

// source returns the text of a program.
func (p program) source() (string, error) {
	b, err := sources.ReadFile("programs/" + p.name + ".fs")
	if err != nil {
		return "", fmt.Errorf("the program %s: %w", p.name, err)
	}
	return string(b), nil
}
