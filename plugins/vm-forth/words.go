package vmforth

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// signatureDomain stands before the message of verify-sig, so that no signature for anything else serves a contract. That
// it serves one contract only is for the contract to see to, by what is in its message.
const signatureDomain = "paloalto/contract-message/1\x00"

// SignBytes returns what a key signs so that the word verify-sig accepts the message.
func SignBytes(message []byte) []byte { return append([]byte(signatureDomain), message...) }

func decimal(v int64) string { return strconv.FormatInt(v, 10) }

// word executes the instructions on byte strings and the environment. It returns the stack's depth and the gas left.
func (m *machine) word(in *instr, sp int, gas int64) (int, int64, vm.Status, string) {
	st := m.stack
	switch in.op {
	case opLen:
		if st[sp-1].k != isBytes {
			return sp, gas, TypeError, ""
		}
		st[sp-1] = cell{v: st[sp-1].v & 0xffff}
	case opSlice: // bytes from count -- bytes
		b, from, n := st[sp-3], st[sp-2], st[sp-1]
		if b.k != isBytes || from.k|n.k != isInt {
			return sp, gas, TypeError, ""
		}
		have := b.v & 0xffff
		if from.v < 0 || n.v < 0 || from.v > have || n.v > have-from.v {
			return sp, gas, BadAddress, "a slice outside of the bytes"
		}
		if gas -= blocks(int(n.v)); gas < 0 {
			return sp, gas, OutOfGas, ""
		}
		// Bytes do not change, so a slice may share them.
		st[sp-3] = cell{(b.v>>16+from.v)<<16 | n.v, isBytes}
		sp -= 2
	case opCat:
		a, b := st[sp-2], st[sp-1]
		if a.k != isBytes || b.k != isBytes {
			return sp, gas, TypeError, ""
		}
		n := int(a.v&0xffff) + int(b.v&0xffff)
		if gas -= blocks(n); gas < 0 {
			return sp, gas, OutOfGas, ""
		}
		if n > maxBytes || len(m.arena)+n > int(m.lim.ArenaBytes) {
			return sp, gas, OutOfSpace, ""
		}
		at := len(m.arena)
		m.arena = append(m.arena, m.bytesOf(a)...)
		m.arena = append(m.arena, m.bytesOf(b)...)
		st[sp-2] = cell{int64(at)<<16 | int64(n), isBytes}
		sp--
	case opToB:
		if st[sp-1].k != isInt {
			return sp, gas, TypeError, ""
		}
		binary.BigEndian.PutUint64(m.sum[:8], uint64(st[sp-1].v))
		if !m.put(&st[sp-1], m.sum[:8]) {
			return sp, gas, OutOfSpace, ""
		}
	case opFromB:
		if st[sp-1].k != isBytes {
			return sp, gas, TypeError, ""
		}
		b := m.bytesOf(st[sp-1])
		if len(b) > 8 {
			return sp, gas, Overflow, "more than 8 bytes"
		}
		v := uint64(0)
		for _, x := range b {
			v = v<<8 | uint64(x)
		}
		st[sp-1] = cell{v: int64(v)}
	case opHash, opBlake2b, opKeccak:
		if st[sp-1].k != isBytes {
			return sp, gas, TypeError, ""
		}
		b := m.bytesOf(st[sp-1])
		if gas -= hashGas(in.op, len(b)); gas < 0 {
			return sp, gas, OutOfGas, ""
		}
		switch in.op {
		case opHash:
			m.sum = sha256.Sum256(b)
		case opBlake2b:
			m.blake.Reset()
			m.blake.Write(b) //nolint:errcheck // a hash never fails
			m.blake.Sum(m.sum[:0])
		default:
			m.keccak.Reset()
			m.keccak.Write(b) //nolint:errcheck // a hash never fails
			m.keccak.Sum(m.sum[:0])
		}
		if !m.put(&st[sp-1], m.sum[:]) {
			return sp, gas, OutOfSpace, ""
		}
	case opVerifySig: // signature message key -- flag
		sig, msg, key := st[sp-3], st[sp-2], st[sp-1]
		if sig.k != isBytes || msg.k != isBytes || key.k != isBytes {
			return sp, gas, TypeError, ""
		}
		if gas -= gasSignature; gas < 0 {
			return sp, gas, OutOfGas, ""
		}
		m.msg = append(append(m.msg[:0], signatureDomain...), m.bytesOf(msg)...)
		ok := false
		if k := m.bytesOf(key); len(k) > 0 {
			ok = types.VerifySignature(types.PublicKey{Scheme: types.Scheme(k[0]), Key: k[1:]}, m.msg, m.bytesOf(sig)) == nil
		}
		st[sp-3] = cell{v: -flag(ok)}
		sp -= 2
	case opEnv:
		return m.environment(in, sp, gas)
	default: // the loader lets nothing else through
		return sp, gas, BadCode, "unknown opcode"
	}
	return sp, gas, vm.OK, ""
}

func hashGas(op opcode, n int) int64 {
	switch op {
	case opHash:
		return gasShaBase + gasShaBlock*blocks(n)
	case opBlake2b:
		return gasBlakeBase + gasBlakeBlock*blocks(n)
	}
	return gasKecBase + gasKecBlock*blocks(n)
}

// environment executes an environment word.
func (m *machine) environment(in *instr, sp int, gas int64) (int, int64, vm.Status, string) {
	st, e := m.stack, &environment[in.arg]
	m.name = append(m.name[:0], e.name...)
	switch e.from {
	case envIndexed:
		if st[sp-1].k != isInt {
			return sp, gas, TypeError, ""
		}
		m.name = strconv.AppendInt(append(m.name, ':'), st[sp-1].v, 10)
		sp--
	case envNamed:
		if st[sp-1].k != isBytes {
			return sp, gas, TypeError, ""
		}
		b := m.bytesOf(st[sp-1])
		if gas -= blocks(len(b)); gas < 0 {
			return sp, gas, OutOfGas, ""
		}
		m.name = append(append(m.name, ':'), b...)
		sp--
	}
	v, ok := m.lookup(m.name)
	if !ok {
		return sp, gas, EnvMissing, e.name
	}
	if !e.isB {
		n, s := integer(v)
		if s != vm.OK {
			return sp, gas, s, e.name
		}
		st[sp] = cell{v: n}
		return sp + 1, gas, vm.OK, ""
	}
	if gas -= blocks(len(v)); gas < 0 {
		return sp, gas, OutOfGas, ""
	}
	if !m.put(&st[sp], v) {
		return sp, gas, OutOfSpace, e.name
	}
	return sp + 1, gas, vm.OK, ""
}
