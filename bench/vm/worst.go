package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	worstGas  = 1_000_000 // the default limit of a run
	worstRuns = 4096
)

// signedDomain stands before a message that a contract checks (docs/reference/vm-forth.md).
const signedDomain = "paloalto/contract-message/1\x00"

// burner is a contract that burns its gas with one kind of work.
type burner struct{ name, dialect, source string }

// burners returns contracts that burn their gas, each in its own way.
func burners() []burner {
	const paloalto, standard = "paloalto", "forth2012"
	message := make([]byte, 1000)
	signed := append([]byte(signedDomain), message...)
	edwards := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	edwardsKey := append([]byte{1}, edwards.Public().(ed25519.PublicKey)...)
	koblitz := secp256k1.PrivKeyFromBytes([]byte{1: 7, 31: 9})
	koblitzKey := append([]byte{2}, koblitz.PubKey().SerializeCompressed()...)
	digest := sha256.Sum256(signed)
	koblitzSignature := ecdsa.SignCompact(koblitz, digest[:], true)[1:]
	check := func(signature, key []byte) string {
		return fmt.Sprintf(`x"%x" x"%x" x"%x" begin 2 pick 2 pick 2 pick verify-sig 1 <> if 13 throw then again`, signature, message, key)
	}
	long := fmt.Sprintf(`x"%s" `, strings.Repeat("a5", 1024))
	repeat := func(what string) string { return "begin " + what + " again" }
	most := "9223372036854775807 "
	return []burner{
		{"jumps", paloalto, repeat("")},
		{"empty loop", paloalto, repeat("1000000000 0 do loop")},
		{"empty +loop", paloalto, repeat("1000000000 0 do 1 +loop")},
		{"arithmetic", paloalto, repeat("1 2 + 3 * 4 - 5 xor drop")},
		{"division", paloalto, repeat(most + "3 / drop")},
		{"*/", paloalto, repeat(most + most + most + "*/ drop")},
		{"m*", paloalto, repeat(most + most + "m* 2drop")},
		{"um/mod", paloalto, repeat("1 5 7 um/mod 2drop")},
		{"fm/mod", paloalto, repeat("1 -1 7 fm/mod 2drop")},
		{"calls", paloalto, ": w ; " + repeat("w w w w")},
		{"calls by hash", paloalto, ": w ; ' w " + repeat("dup call")},
		{"catch", standard, ": t 1 throw ; : main begin ['] t catch drop again ;"},
		{"reading memory", paloalto, "0 " + repeat("dup @ drop 4160 + 65535 and")},
		{"writing memory", paloalto, "0 " + repeat("dup dup ! 4160 + 65535 and")},
		{"move", paloalto, repeat("0 32768 32768 move")},
		{"fill", paloalto, repeat("0 65536 1 fill")},
		{"move, short", paloalto, repeat("0 8 1 move")},
		{"b>mem", paloalto, long + repeat("dup 0 b>mem")},
		{"pick, deep", paloalto, "1000 0 do i loop " + repeat("990 pick drop")},
		{"roll, deep", paloalto, "1000 0 do i loop " + repeat("990 roll")},
		{"slices", paloalto, long + repeat("dup 0 1024 slice drop")},
		{"comparing bytes", paloalto, long + `dup 0 1023 slice x"a5" cat ` + repeat("2dup == drop")},
		{"sha256 of 1,024 bytes", paloalto, long + repeat("dup hash drop")},
		{"sha256 of nothing", paloalto, `x"" ` + repeat("dup hash drop")},
		{"blake2b of 1,024 bytes", paloalto, long + repeat("dup blake2b drop")},
		{"keccak256 of 1,024 bytes", paloalto, long + repeat("dup keccak256 drop")},
		{"ed25519", paloalto, check(ed25519.Sign(edwards, signed), edwardsKey)},
		{"secp256k1", paloalto, check(koblitzSignature, koblitzKey)},
		{"merkle-proof", paloalto, long + repeat("dup dup dup 0 32 slice merkle-proof drop")},
		{"height", paloalto, repeat("height drop")},
		{"balance", paloalto, repeat("1 balance drop")},
		{"param", paloalto, `s" commission" ` + repeat("dup param drop")},
		{"oracle", paloalto, `x"01" ` + repeat("dup 0 0 oracle 2drop")},
	}
}

// burnerEnvironment is what they read, and 256 values in all.
func burnerEnvironment() map[string][]byte {
	env := map[string][]byte{"height": binary.BigEndian.AppendUint64(nil, 7), "param:commission": binary.BigEndian.AppendUint64(nil, 5),
		"clock": binary.BigEndian.AppendUint64(nil, 9), "oracle:01": append([]byte{1}, make([]byte, 24)...)}
	for i := 0; len(env) < vm.MaxEnvironment; i++ {
		env[fmt.Sprintf("balance:%d", i)] = binary.BigEndian.AppendUint64(nil, uint64(i))
	}
	return env
}

// burnResult is what a burner takes.
type burnResult struct {
	Name         string
	Status       uint32
	Used         uint64  // gas, when it ended
	Milliseconds float64 // of processor time, a run
	code         []byte
}

// perGas is nanoseconds of processor time a unit of gas.
func (b burnResult) perGas() float64 { return b.Milliseconds * 1e6 / float64(max(b.Used, 1)) }

// measureBurners measures each in this process.
func measureBurners(ctx context.Context, o options) ([]burnResult, error) {
	v, err := openForth(ctx, nil)
	if err != nil {
		return nil, err
	}
	env := burnerEnvironment()
	var out []burnResult
	for _, b := range burners() {
		r := burnResult{Name: b.name}
		c, err := v.Compile(ctx, vm.Source{Text: b.source, Dialect: b.dialect, File: b.name})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.name, err)
		}
		r.code = c.Code
		batch := vm.Batch{Environment: env, Runs: []vm.Run{{Code: c.Code, GasLimit: worstGas}}}
		for round := range max(o.rounds, 2) {
			cpu, err := processorTime(func() error {
				res, err := v.RunBatch(ctx, batch)
				if err == nil {
					r.Status, r.Used = uint32(res[0].Status), usedGas(res[0])
				}
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.name, err)
			}
			if round == 0 || ms(cpu) < r.Milliseconds {
				r.Milliseconds = ms(cpu)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// usedGas is the gas that a run had used when it ended, whatever it then cost.
func usedGas(r vm.Result) uint64 {
	if r.Status == vm.OK || r.GasUsed == 0 {
		return r.Gas
	}
	return r.GasUsed
}

// worstResult is what became of a batch of burners that went over the boundary.
type worstResult struct {
	Name    string
	Runs    int
	Seconds float64 // elapsed
	Refused string  // why it was
}

// measureWorst sends batches of the burner that takes longest, and of the plainest, to a plugin that may use all
// processors.
func measureWorst(ctx context.Context, o options, burnt []burnResult) (_ []worstResult, err error) {
	r, err := startPlugin(ctx, onAllCores)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	worst := burnt[0]
	for _, b := range burnt {
		if b.Milliseconds > worst.Milliseconds {
			worst = b
		}
	}
	var out []worstResult
	for _, b := range []burnResult{burnt[0], worst} {
		batch := vm.Batch{Environment: burnerEnvironment(), Runs: make([]vm.Run, o.worst)}
		for i := range batch.Runs {
			batch.Runs[i] = vm.Run{Code: b.code, GasLimit: worstGas}
		}
		w := worstResult{Name: b.Name, Runs: o.worst}
		start := time.Now()
		res, err := r.RunBatch(ctx, batch)
		w.Seconds = time.Since(start).Seconds()
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			w.Refused = err.Error()
		}
		for i, x := range res {
			if x.Gas != worstGas {
				return nil, fmt.Errorf("%s, run %d of %d: %d gas, want the whole limit", b.Name, i, o.worst, x.Gas)
			}
		}
		out = append(out, w)
	}
	return out, nil
}
