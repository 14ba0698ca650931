package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The naive interpreter's two-cell numbers, signatures and oracle.

var (
	two64  = new(big.Int).Lsh(big.NewInt(1), 64)
	two128 = new(big.Int).Lsh(big.NewInt(1), 128)
)

func unsigned(v *big.Int) *big.Int { return new(big.Int).Mod(v, two64) }

// joined is a two-cell number, signed.
func joined(lo, hi *big.Int) *big.Int {
	return new(big.Int).Add(new(big.Int).Mul(hi, two64), unsigned(lo))
}

func (n *naive) pushDouble(d *big.Int) {
	d = new(big.Int).Mod(d, two128)
	n.push(wrap(d))
	n.push(wrap(new(big.Int).Rsh(d, 64)))
}

// double reports whether the instruction is one on two-cell numbers.
func (n *naive) double(op bytecode.Opcode) bool {
	switch op {
	case bytecode.OpMStar:
		v := n.ints(2)
		n.pushDouble(new(big.Int).Mul(v[0], v[1]))
	case bytecode.OpUMStar:
		v := n.ints(2)
		n.pushDouble(new(big.Int).Mul(unsigned(v[0]), unsigned(v[1])))
	case bytecode.OpUMDivMod:
		v := n.ints(3)
		d := new(big.Int).Mod(joined(v[0], v[1]), two128)
		n.quotient(d, unsigned(v[2]), op)
	case bytecode.OpSMDivRem, bytecode.OpFMDivMod:
		v := n.ints(3)
		n.quotient(joined(v[0], v[1]), v[2], op)
	case bytecode.OpDAdd:
		v := n.ints(4)
		n.pushDouble(new(big.Int).Add(joined(v[0], v[1]), joined(v[2], v[3])))
	case bytecode.OpDSub:
		v := n.ints(4)
		n.pushDouble(new(big.Int).Sub(joined(v[0], v[1]), joined(v[2], v[3])))
	case bytecode.OpDNegate:
		v := n.ints(2)
		n.pushDouble(new(big.Int).Neg(joined(v[0], v[1])))
	case bytecode.OpDLess:
		v := n.ints(4)
		n.pushInt(truth(joined(v[0], v[1]).Cmp(joined(v[2], v[3])) < 0))
	case bytecode.OpDULess:
		v := n.ints(4)
		n.pushInt(truth(new(big.Int).Mod(joined(v[0], v[1]), two128).Cmp(new(big.Int).Mod(joined(v[2], v[3]), two128)) < 0))
	default:
		return false
	}
	return true
}

// quotient pushes remainder and quotient.
func (n *naive) quotient(d, by *big.Int, op bytecode.Opcode) {
	if by.Sign() == 0 {
		n.fail(bytecode.DivByZero)
	}
	q, r := new(big.Int).QuoRem(d, by, new(big.Int))
	if op == bytecode.OpFMDivMod && r.Sign() != 0 && r.Sign() != by.Sign() {
		q.Sub(q, big.NewInt(1))
		r.Add(r, by)
	}
	if op == bytecode.OpUMDivMod && !q.IsUint64() || op != bytecode.OpUMDivMod && !q.IsInt64() {
		n.fail(bytecode.Overflow)
	}
	n.push(wrap(r))
	n.push(wrap(q))
}

// naiveVerify has secp256k1 by its formulas: u1 G + u2 Q, of which x is r.
func naiveVerify(key, message, sig string) bool {
	switch {
	case len(key) == 33 && key[0] == 1:
		return types.VerifySignature(types.PublicKey{Scheme: 1, Key: []byte(key[1:])}, []byte(message), []byte(sig)) == nil
	case len(key) == 34 && key[0] == 2 && len(sig) == 64:
		curve := secp256k1.S256()
		public, err := secp256k1.ParsePubKey([]byte(key[1:]))
		r, s := new(big.Int).SetBytes([]byte(sig[:32])), new(big.Int).SetBytes([]byte(sig[32:]))
		if err != nil || r.Sign() == 0 || s.Sign() == 0 || r.Cmp(curve.N) >= 0 || new(big.Int).Lsh(s, 1).Cmp(curve.N) > 0 {
			return false
		}
		h := sha256.Sum256([]byte(message))
		inverse := new(big.Int).ModInverse(s, curve.N)
		u1 := new(big.Int).Mod(new(big.Int).Mul(new(big.Int).SetBytes(h[:]), inverse), curve.N)
		u2 := new(big.Int).Mod(new(big.Int).Mul(r, inverse), curve.N)
		x1, y1 := curve.ScalarBaseMult(u1.Bytes())
		x2, y2 := curve.ScalarMult(public.X(), public.Y(), u2.Bytes())
		x, _ := curve.Add(x1, y1, x2, y2)
		return new(big.Int).Mod(x, curve.N).Cmp(r) == 0
	}
	return false
}

func (n *naive) env1(name string) (string, bool) {
	for _, e := range n.env {
		if v, ok := e[name]; ok {
			return string(v), true
		}
	}
	return "", false
}

// natural is an integer of the environment.
func (n *naive) natural(s string) *big.Int {
	if len(s) != 8 {
		n.fail(bytecode.EnvMissing)
	}
	v := new(big.Int).SetBytes([]byte(s))
	if !v.IsInt64() {
		n.fail(bytecode.Overflow)
	}
	return v
}

func (n *naive) oracle() {
	v := n.ints(2)
	name := "oracle:"
	switch id := n.pop().(type) {
	case *big.Int:
		name += id.String()
	case string:
		n.pay(bytecode.Blocks(len(id)))
		name += hex.EncodeToString([]byte(id))
	}
	value, status := big.NewInt(0), int64(0)
	b, ok := n.env1(name)
	if !ok || len(b) != 25 {
		n.fail(bytecode.EnvMissing)
	}
	switch b[0] {
	case 1:
		since, deposit := n.natural(b[9:17]), n.natural(b[17:])
		now, ok := n.env1("clock")
		if !ok {
			n.fail(bytecode.EnvMissing)
		}
		switch clock := n.natural(now); {
		case new(big.Int).Sub(clock, since).Cmp(v[0]) > 0:
			status = -3
		case deposit.Cmp(v[1]) < 0:
			status = -4
		default:
			value, status = wrap(new(big.Int).SetBytes([]byte(b[1:9]))), 1
		}
	case 2:
		status = -1
	case 3:
		status = -2
	}
	n.push(value)
	n.pushInt(status)
}
