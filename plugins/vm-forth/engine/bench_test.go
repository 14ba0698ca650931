package engine

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// hashLock is a hash lock that opens, and the same without its hash word, for measuring.
func hashLock(tb testing.TB, m *Machine, hashed bool) vm.Run {
	tb.Helper()
	secret := sha256.Sum256([]byte("secret"))
	commitment, word := sha256.Sum256(secret[:]), "hash"
	if !hashed {
		commitment, word = secret, ""
	}
	source := fmt.Sprintf(`: hashlock swap %s == ; x"%x" hashlock call if 0 100 else 0 50 end 1`, word, commitment)
	return vm.Run{Code: compiled(tb, m, source, false), Evidence: compiled(tb, m, fmt.Sprintf(`x"%x"`, secret), true), GasLimit: plentyGas}
}

// TestWarmRunAllocatesNothing covers decoding, validating and running, and hashes of each kind.
func TestWarmRunAllocatesNothing(t *testing.T) {
	m := machine(t)
	out := make([]int64, ResultCount)
	env := map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 9}, "caller": make([]byte, 8), "balance:3": make([]byte, 8)}
	runs := map[string]vm.Run{
		"hash lock": hashLock(t, m, true),
		"all kinds of words": {Code: compiled(t, m, `: w height caller + 3 balance + 7 >b hash blake2b keccak256 x"00" cat 0 4 slice b> ;
			variable x 10 0 do i x +! loop w 2drop ' w call 2drop 0 100 1`, false), GasLimit: plentyGas},
		"catch, slots, doubles": {Code: assembled(t, m, ".word 0\nint 7\nthrow\n.main\n int 0\n catch\n slot! 3\n slot@ 3\n dup\n m*\n int 1\n int 0\n d+\n 2drop\n"+
			"int 0\nint 100\nint 1\n"), GasLimit: plentyGas},
	}
	for name, r := range runs {
		if res := m.Run(&r, nil, env, out); res.Status != vm.OK {
			t.Fatalf("%s: %+v", name, res)
		}
		if n := testing.AllocsPerRun(100, func() { m.Run(&r, nil, env, out) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		p := kept(t, m, r.Code)
		if n := testing.AllocsPerRun(100, func() { m.Run(&r, p, env, out) }); n != 0 {
			t.Errorf("%s, kept: %v allocations", name, n)
		}
	}
}

// BenchmarkHashLock is decoding, validating and running the white paper's contract, with and without its hash.
func BenchmarkHashLock(b *testing.B) {
	for name, hashed := range map[string]bool{"hash": true, "no-hash": false} {
		b.Run(name, func(b *testing.B) {
			m := machine(b)
			out := make([]int64, ResultCount)
			r := hashLock(b, m, hashed)
			b.ReportAllocs()
			for b.Loop() {
				m.Run(&r, nil, nil, out)
			}
		})
	}
}

// BenchmarkLoop is an empty counted loop of a million, for the cost of an instruction.
func BenchmarkLoop(b *testing.B) {
	m := machine(b, func(l *bytecode.Limits) { l.GasLimit = 100_000_000 })
	out := make([]int64, ResultCount)
	r := vm.Run{Code: compiled(b, m, "0 1000000 0 do i + loop drop 0 100 1", false), GasLimit: 100_000_000}
	for name, p := range map[string]*bytecode.Program{"cold": nil, "kept": kept(b, m, r.Code)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if res := m.Run(&r, p, nil, out); res.Status != vm.OK {
					b.Fatal(res)
				}
			}
		})
	}
}
