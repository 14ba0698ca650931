package main

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm/runtime"
)

// The programs for the EVM: the same algorithms with the same steps, written by hand for its stack. Its word has 256 bits;
// the numbers of the programs fit it, and in memory a number takes 32 bytes. The comments show the stack, top on the
// right.

// returnTop ends a program.
const returnTop = `
	0 MSTORE 32 0 RETURN`

func evmFib(n int64) *assembler {
	return assemble(`
	@done %d @fib JUMP
fib:                        ; back n
	DUP1 2 GT @base JUMPI
	@one 1 DUP3 SUB @fib JUMP
one:                        ; back n f
	SWAP1 @two SWAP1        ; back f two n
	2 SWAP1 SUB @fib JUMP
two:                        ; back f f
	ADD
base:                       ; back f
	SWAP1 JUMP
done:`+returnTop, n)
}

func evmSieve(n int64) *assembler {
	return assemble(`
	0 %d                    ; count n
again:
	0
fill:                       ; count n i
	1 DUP2 MSTORE8
	1 ADD
	DUP1 8191 GT @fill JUMPI
	POP SWAP1 POP 0 0       ; n count i
next:
	DUP1 MLOAD 0 BYTE ISZERO @skip JUMPI
	DUP1 DUP1 ADD 3 ADD     ; n count i prime
	DUP2 DUP2 ADD           ; n count i prime k
	DUP1 8191 GT ISZERO @crossed JUMPI
cross:
	0 DUP2 MSTORE8
	DUP2 ADD
	DUP1 8191 GT @cross JUMPI
crossed:
	POP POP                 ; n count i
	SWAP1 1 ADD SWAP1
skip:
	1 ADD
	DUP1 8191 GT @next JUMPI
	POP SWAP1               ; count n
	1 SWAP1 SUB
	DUP1 @again JUMPI
	POP`+returnTop, n)
}

func evmLoop(n int64) *assembler {
	return assemble(`
	0 0                     ; count i
again:
	SWAP1 1 ADD SWAP1
	1 ADD
	DUP1 %d GT @again JUMPI
	POP`+returnTop, n)
}

func evmBubble(n int64) *assembler {
	const end = sorted * 32
	return assemble(`
	0 %[1]d                 ; digest n
again:
	42 0                    ; digest n x p
number:
	SWAP1 1103515245 MUL 12345 ADD 2147483647 AND SWAP1
	DUP2 DUP2 MSTORE
	32 ADD
	DUP1 %[2]d GT @number JUMPI
	POP POP
	%[3]d                   ; digest n end
pass:
	0                       ; digest n end p
inner:
	DUP1 MLOAD              ; … end p a
	DUP2 32 ADD MLOAD       ; … end p a b
	DUP1 DUP3 GT @swap JUMPI
	POP POP
	32 ADD
	DUP2 DUP2 LT @inner JUMPI
	@passed JUMP
swap:
	DUP3 MSTORE             ; … end p a
	DUP2 32 ADD MSTORE      ; … end p
	32 ADD
	DUP2 DUP2 LT @inner JUMPI
passed:
	POP                     ; digest n end
	32 SWAP1 SUB
	DUP1 @pass JUMPI
	POP SWAP1 POP           ; n
	0 0                     ; n digest p
sum:
	SWAP1 31 MUL DUP2 MLOAD ADD 2147483647 AND SWAP1
	32 ADD
	DUP1 %[2]d GT @sum JUMPI
	POP SWAP1               ; digest n
	1 SWAP1 SUB
	DUP1 @again JUMPI
	POP`+returnTop, n, end, end-32)
}

// evm runs programs in go-ethereum's EVM.
type evm struct{}

func (evm) prepare(_ context.Context, p program) (runner, error) {
	if p.evm == nil {
		return nil, nil
	}
	code, err := p.evm(p.n).bytes()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		return nil, err
	}
	address := common.BytesToAddress([]byte("contract"))
	db.CreateAccount(address)
	db.SetCode(address, code, tracing.CodeChangeUnspecified)
	config := &runtime.Config{State: db, GasLimit: math.MaxUint64 / 2}
	return func(context.Context) (result int64, cpu time.Duration, err error) {
		cpu, err = processorTime(func() error {
			for range p.times {
				out, _, err := runtime.Call(address, nil, config)
				if err != nil {
					return fmt.Errorf("%s on the EVM: %w", p.name, err)
				}
				n := new(big.Int).SetBytes(out)
				if !n.IsInt64() {
					return fmt.Errorf("%s on the EVM: %v is no result", p.name, n)
				}
				result = n.Int64()
			}
			return nil
		})
		return result, cpu, err
	}, nil
}
