package vmforth

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// hashLock is a hash lock that opens, and the same without its hash word, for measuring.
func hashLock(tb testing.TB, v *VM, hashed bool) vm.Run {
	tb.Helper()
	secret := sha256.Sum256([]byte("secret"))
	commitment, word := sha256.Sum256(secret[:]), "hash"
	if !hashed {
		commitment, word = secret, ""
	}
	source := fmt.Sprintf(`: hashlock swap %s == ; x"%x" hashlock call if 0 100 else 0 50 end 1`, word, commitment)
	return vm.Run{Code: compiled(tb, v, source, false), Evidence: compiled(tb, v, fmt.Sprintf(`x"%x"`, secret), true), GasLimit: plentyGas}
}

func warm(tb testing.TB, v *VM) (*machine, []int64) {
	tb.Helper()
	m, err := v.machine()
	if err != nil {
		tb.Fatal(err)
	}
	return m, make([]int64, resultCount)
}

// TestWarmRunAllocatesNothing covers decoding, validating and running, and hashes of each kind.
func TestWarmRunAllocatesNothing(t *testing.T) {
	v := open(t, "")
	m, out := warm(t, v)
	env := map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 9}, "caller": make([]byte, 32), "balance:3": make([]byte, 8)}
	for name, r := range map[string]vm.Run{
		"hash lock": hashLock(t, v, true),
		"all kinds of words": {Code: compiled(t, v, `: w height caller len + 3 balance + 7 >b hash blake2b keccak256 x"00" cat 0 4 slice b> ;
			variable x 10 0 do i x +! loop w 2drop ' w call 2drop 0 100 1`, false), GasLimit: plentyGas},
	} {
		if res := m.run(&r, nil, env, out); res.Status != vm.OK {
			t.Fatalf("%s: %+v", name, res)
		}
		if n := testing.AllocsPerRun(100, func() { m.run(&r, nil, env, out) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkHashLock is decoding, validating and running the white paper's contract, with and without its hash.
func BenchmarkHashLock(b *testing.B) {
	for name, hashed := range map[string]bool{"hash": true, "no-hash": false} {
		b.Run(name, func(b *testing.B) {
			v := open(b, "")
			m, out := warm(b, v)
			r := hashLock(b, v, hashed)
			b.ReportAllocs()
			for b.Loop() {
				m.run(&r, nil, nil, out)
			}
		})
	}
}

// BenchmarkLoop is an empty counted loop of a million, for the cost of an instruction.
func BenchmarkLoop(b *testing.B) {
	v := open(b, `{"gas_limit": 100000000}`)
	m, out := warm(b, v)
	r := vm.Run{Code: compiled(b, v, "0 1000000 0 do i + loop drop 0 100 1", false), GasLimit: 100_000_000}
	for b.Loop() {
		if res := m.run(&r, nil, nil, out); res.Status != vm.OK {
			b.Fatal(res)
		}
	}
}
