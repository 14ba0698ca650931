package engine

import (
	"math/bits"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// double executes the words on two-cell numbers, of which the low cell lies below the high one, and those with an exact
// product in between.
func (m *Machine) double(in *bytecode.Instr) vm.Status {
	n := int(in.Needs)
	if !m.st.ints(m.sp, n) {
		return bytecode.TypeError
	}
	v := func(i int) *int64 { return &m.st.v[(m.sp-n+i)&mask] } // of the operands
	leaves := 2
	switch in.Op {
	case bytecode.OpMStar:
		*v(1), *v(0) = mul128(*v(0), *v(1))
	case bytecode.OpUMStar:
		hi, lo := bits.Mul64(uint64(*v(0)), uint64(*v(1)))
		*v(0), *v(1) = int64(lo), int64(hi)
	case bytecode.OpUMDivMod:
		lo, hi, d := uint64(*v(0)), uint64(*v(1)), uint64(*v(2))
		if d == 0 {
			return bytecode.DivByZero
		}
		if hi >= d {
			return bytecode.Overflow
		}
		q, r := bits.Div64(hi, lo, d)
		*v(0), *v(1) = int64(r), int64(q)
	case bytecode.OpSMDivRem, bytecode.OpFMDivMod:
		q, r, s := divide(*v(1), uint64(*v(0)), *v(2), in.Op == bytecode.OpFMDivMod)
		if s != vm.OK {
			return s
		}
		*v(0), *v(1) = r, q
	case bytecode.OpMulDiv, bytecode.OpMulDivMod:
		hi, lo := mul128(*v(0), *v(1))
		q, r, s := divide(hi, uint64(lo), *v(2), false)
		if s != vm.OK {
			return s
		}
		*v(0), *v(1) = r, q
		if in.Op == bytecode.OpMulDiv {
			*v(0), leaves = q, 1
		}
	case bytecode.OpDAdd:
		lo, carry := bits.Add64(uint64(*v(0)), uint64(*v(2)), 0)
		hi, _ := bits.Add64(uint64(*v(1)), uint64(*v(3)), carry)
		*v(0), *v(1) = int64(lo), int64(hi)
	case bytecode.OpDSub:
		lo, borrow := bits.Sub64(uint64(*v(0)), uint64(*v(2)), 0)
		hi, _ := bits.Sub64(uint64(*v(1)), uint64(*v(3)), borrow)
		*v(0), *v(1) = int64(lo), int64(hi)
	case bytecode.OpDNegate:
		lo, borrow := bits.Sub64(0, uint64(*v(0)), 0)
		hi, _ := bits.Sub64(0, uint64(*v(1)), borrow)
		*v(0), *v(1) = int64(lo), int64(hi)
	case bytecode.OpDLess:
		less := *v(1) < *v(3) || (*v(1) == *v(3) && uint64(*v(0)) < uint64(*v(2)))
		*v(0), leaves = flag(less), 1
	default:
		less := uint64(*v(1)) < uint64(*v(3)) || (*v(1) == *v(3) && uint64(*v(0)) < uint64(*v(2)))
		*v(0), leaves = flag(less), 1
	}
	m.sp += leaves - n
	return vm.OK
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// divide divides a two-cell number. The quotient is rounded towards 0, or down if floored.
func divide(hi int64, lo uint64, by int64, floored bool) (quotient, remainder int64, s vm.Status) {
	if by == 0 {
		return 0, 0, bytecode.DivByZero
	}
	h, negative := uint64(hi), hi < 0
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		h, _ = bits.Sub64(0, h, borrow)
	}
	d := magnitude(by)
	if h >= d {
		return 0, 0, bytecode.Overflow
	}
	q, r := bits.Div64(h, lo, d)
	opposite := negative != (by < 0)
	if floored && opposite && r != 0 {
		if q++; q == 0 {
			return 0, 0, bytecode.Overflow
		}
		r = d - r
		negative = by < 0
	} else if floored {
		negative = by < 0
	}
	if q > 1<<63-1 && (q != 1<<63 || !opposite) {
		return 0, 0, bytecode.Overflow
	}
	quotient, remainder = int64(q), int64(r)
	if opposite {
		quotient = -quotient
	}
	if negative {
		remainder = -remainder
	}
	return quotient, remainder, vm.OK
}
