package engine

import (
	"crypto/sha256"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// signatureDomain stands before the message of verify-sig, so that no signature for anything else serves a contract. That
// it serves one contract only is for the contract to see to, by what is in its message.
const signatureDomain = "paloalto/contract-message/1\x00"

// SignBytes returns what a key signs so that the word verify-sig accepts the message.
func SignBytes(message []byte) []byte { return append([]byte(signatureDomain), message...) }

// Schemes of keys in contracts: the first byte of a key.
const (
	// SchemeEd25519 is that of [types.SchemeEd25519]: a key of 32 bytes, a signature of 64.
	SchemeEd25519 = byte(types.SchemeEd25519)
	// SchemeSecp256k1 is ECDSA on secp256k1 over the SHA-256 of what is signed: a compressed key of 33 bytes, a signature of
	// 64 bytes, r and s, big-endian, with s in the lower half, so that there is one signature and not two.
	SchemeSecp256k1 byte = 2
)

// crypto executes the hashes and what is checked by means of them.
func (m *Machine) crypto(in *bytecode.Instr) vm.Status {
	n := int(in.Needs)
	for i := range n {
		if m.st.k[(m.sp-1-i)&mask] != isBytes {
			return bytecode.TypeError
		}
	}
	x := m.top(m.sp - n)
	switch in.Op {
	case bytecode.OpVerifySig: // signature message key -- flag
		message, key := m.top(m.sp-2), m.top(m.sp-1)
		if !m.pay(signatureGas(key)) {
			return bytecode.OutOfGas
		}
		m.msg = append(append(m.msg[:0], signatureDomain...), message...)
		m.st.setInt(m.sp-3, -flag(verify(key, m.msg, x)))
		m.sp -= 2
	case bytecode.OpMerkleProof: // proof leaf root -- flag
		leaf, root := m.top(m.sp-2), m.top(m.sp-1)
		if !m.pay(bytecode.MerkleGas(len(x), len(leaf))) {
			return bytecode.OutOfGas
		}
		proof, err := types.DecodeMerkleProof(x)
		ok := err == nil && len(root) == len(types.Hash{}) && proof.Verify(types.Hash(root), leaf) == nil
		m.st.setInt(m.sp-3, -flag(ok))
		m.sp -= 2
	default:
		if !m.pay(bytecode.HashGas(in.Op, len(x))) {
			return bytecode.OutOfGas
		}
		switch in.Op {
		case bytecode.OpHash:
			m.sum = sha256.Sum256(x)
		case bytecode.OpBlake2b:
			m.blake.Reset()
			m.blake.Write(x) //nolint:errcheck // a hash never fails
			m.blake.Sum(m.sum[:0])
		default:
			m.keccak.Reset()
			m.keccak.Write(x) //nolint:errcheck // a hash never fails
			m.keccak.Sum(m.sum[:0])
		}
		if !m.put(m.sp-1, m.sum[:]) {
			return bytecode.OutOfSpace
		}
	}
	return vm.OK
}

// signatureGas goes by the scheme that the key names. What no scheme is costs as much as the dearest, so that no later
// scheme makes old contracts dearer.
func signatureGas(key []byte) int64 {
	if len(key) > 0 && key[0] == SchemeEd25519 {
		return bytecode.GasEd25519
	}
	return bytecode.GasSecp256k1
}

// verify checks a signature. A key or a signature that is malformed is a wrong one.
func verify(key, message, signature []byte) bool {
	if len(key) == 0 {
		return false
	}
	switch key[0] {
	case SchemeEd25519:
		return types.VerifySignature(types.PublicKey{Scheme: types.SchemeEd25519, Key: key[1:]}, message, signature) == nil
	case SchemeSecp256k1:
		if len(key) != 1+secp256k1.PubKeyBytesLenCompressed || len(signature) != 64 {
			return false
		}
		public, err := secp256k1.ParsePubKey(key[1:])
		if err != nil {
			return false
		}
		var r, s secp256k1.ModNScalar
		if r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:]) || r.IsZero() || s.IsZero() || s.IsOverHalfOrder() {
			return false
		}
		digest := sha256.Sum256(message)
		return ecdsa.NewSignature(&r, &s).Verify(digest[:], public)
	}
	return false
}
