package engine

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestVerifySig signs a message for a contract, under both schemes.
func TestVerifySig(t *testing.T) {
	m, msg := machine(t), []byte("pay")
	ed := ed25519.NewKeyFromSeed(make([]byte, 32))
	edPublic := append([]byte{SchemeEd25519}, ed.Public().(ed25519.PublicKey)...)
	sec := secp256k1.PrivKeyFromBytes([]byte("0123456789abcdef0123456789abcdef"))
	secPublic := append([]byte{SchemeSecp256k1}, sec.PubKey().SerializeCompressed()...)
	sign := func(b []byte) []byte {
		h := sha256.Sum256(b)
		return ecdsa.SignCompact(sec, h[:], true)[1:]
	}
	right := sign(SignBytes(msg))
	high := append([]byte{}, right...)
	var s secp256k1.ModNScalar
	s.SetByteSlice(right[32:])
	s.Negate().PutBytesUnchecked(high[32:])
	other := append([]byte{}, right...)
	other[3] ^= 1
	uncompressed := append([]byte{SchemeSecp256k1}, sec.PubKey().SerializeUncompressed()...)
	for name, c := range map[string]struct {
		key, sig []byte
		flag     int64
		gas      uint64
	}{
		"ed25519":                     {edPublic, ed25519.Sign(ed, SignBytes(msg)), 1, bytecode.GasEd25519},
		"ed25519, without the domain": {edPublic, ed25519.Sign(ed, msg), 0, bytecode.GasEd25519},
		"ed25519, short":              {edPublic, []byte{1}, 0, bytecode.GasEd25519},
		"secp256k1":                   {secPublic, right, 1, bytecode.GasSecp256k1},
		"secp256k1, without domain":   {secPublic, sign(msg), 0, bytecode.GasSecp256k1},
		"secp256k1, s in upper half":  {secPublic, high, 0, bytecode.GasSecp256k1},
		"secp256k1, another r":        {secPublic, other, 0, bytecode.GasSecp256k1},
		"secp256k1, short":            {secPublic, right[:63], 0, bytecode.GasSecp256k1},
		"secp256k1, zero":             {secPublic, make([]byte, 64), 0, bytecode.GasSecp256k1},
		"secp256k1, uncompressed key": {uncompressed, right, 0, bytecode.GasSecp256k1},
		"secp256k1, x not on curve":   {append([]byte{2, 2}, make([]byte, 32)...), right, 0, bytecode.GasSecp256k1},
		"unknown scheme":              {append([]byte{9}, edPublic[1:]...), right, 0, bytecode.GasSecp256k1},
		"no key":                      {nil, right, 0, bytecode.GasSecp256k1},
	} {
		r := vm.Run{Code: compiled(t, m, fmt.Sprintf(`s" pay" x"%x" verify-sig 0 swap 1`, c.key), false), GasLimit: plentyGas,
			Evidence: compiled(t, m, fmt.Sprintf(`x"%x"`, c.sig), true)}
		res := m.Run(&r, nil, nil, make([]int64, ResultCount))
		if res.Status != vm.OK || res.Stack[1] != c.flag {
			t.Errorf("%s: %+v, want %d", name, res, c.flag)
		}
		if loaded := bytecode.GasCodeByte * uint64(len(r.Code)+len(r.Evidence)); res.Gas < c.gas+loaded || res.Gas > c.gas+loaded+20 {
			t.Errorf("%s: gas %d, of which %d are for loading; the check costs %d", name, res.Gas, loaded, c.gas)
		}
		if naive := naiveVerify(string(c.key), string(SignBytes(msg)), string(c.sig)); naive != (c.flag == 1) {
			t.Errorf("%s: the naive check says %t", name, naive)
		}
	}
}

// TestMerkleProof proves leaves of trees, the largest with the longest proof that fits.
func TestMerkleProof(t *testing.T) {
	m := machine(t)
	for _, n := range []int{1, 2, 3, 7, 64, 1000} {
		leaves := make([][]byte, n)
		for i := range leaves {
			leaves[i] = fmt.Appendf(nil, "leaf %d", i)
		}
		root := types.MerkleRoot(leaves)
		for i := 0; i < n; i += 1 + n/5 {
			proof := types.MerkleProve(leaves, i).Encode()
			for name, c := range map[string]struct {
				proof, leaf, root []byte
				want              int64
			}{
				"right":       {proof, leaves[i], root[:], 1},
				"other leaf":  {proof, []byte("leaf"), root[:], 0},
				"other root":  {proof, leaves[i], make([]byte, 32), 0},
				"short root":  {proof, leaves[i], root[:31], 0},
				"short proof": {proof[:len(proof)-1], leaves[i], root[:], 0},
				"no proof":    {nil, leaves[i], root[:], 0},
			} {
				r := vm.Run{Code: assembled(t, m, fmt.Sprintf("int 0\nbytes x\"%x\"\nbytes x\"%x\"\nbytes x\"%x\"\nmerkle-proof\nint 1\n", c.proof, c.leaf, c.root)),
					GasLimit: plentyGas}
				if res := m.Run(&r, nil, nil, make([]int64, ResultCount)); res.Status != vm.OK || res.Stack[1] != c.want {
					t.Errorf("%d leaves, %d, %s: %+v, want %d", n, i, name, res, c.want)
				}
			}
		}
	}
}
