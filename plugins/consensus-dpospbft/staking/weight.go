package staking

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
)

// Weight is an unsigned number of 128 bits: stake in the smallest unit times a [Factor].
type Weight struct{ Hi, Lo uint64 }

var errWeight = errors.New("votes do not add up")

// Weigh returns stake × factor. It cannot overflow.
func Weigh(stake, factor uint64) Weight {
	hi, lo := bits.Mul64(stake, factor)
	return Weight{hi, lo}
}

// Add returns w + v. It fails on overflow, which a supply of less than 2^64 units rules out.
func (w Weight) Add(v Weight) (Weight, error) {
	lo, c := bits.Add64(w.Lo, v.Lo, 0)
	hi, c := bits.Add64(w.Hi, v.Hi, c)
	if c != 0 {
		return w, errWeight
	}
	return Weight{hi, lo}, nil
}

// Sub returns w - v, or an error if that is below zero.
func (w Weight) Sub(v Weight) (Weight, error) {
	lo, c := bits.Sub64(w.Lo, v.Lo, 0)
	hi, c := bits.Sub64(w.Hi, v.Hi, c)
	if c != 0 {
		return w, errWeight
	}
	return Weight{hi, lo}, nil
}

// IsZero tells whether w is 0.
func (w Weight) IsZero() bool { return w == Weight{} }

// Compare returns -1, 0 or 1.
func (w Weight) Compare(v Weight) int {
	switch {
	case w == v:
		return 0
	case w.Hi < v.Hi || w.Hi == v.Hi && w.Lo < v.Lo:
		return -1
	}
	return 1
}

// Votes returns the weight in units of stake that was cast in week 0, rounded down, as decimal digits.
func (w Weight) Votes() string {
	v := new(big.Int).SetUint64(w.Hi)
	v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(w.Lo))
	return v.Rsh(v, factorBits).String()
}

// descending returns bytes that sort from the greatest weight to the least.
func (w Weight) descending() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:], ^w.Hi)
	binary.BigEndian.PutUint64(b[8:], ^w.Lo)
	return b
}

// Fixed point of factors. A factor is below 2^64: a table entry is below 2^21 and is shifted by at most maxYears-1 = 43. Stakes
// of all voters together are at most the supply, below 2^64, and each counts once for a producer. So the votes of a producer
// are below 2^128 on every chain, and below 2^(50+64) with the supply of 10^15 units.
const (
	factorBits   = 20
	maxYears     = 44
	weeksPerYear = 52
)

// Factor is 2^(weeks/52) · 2^20, rounded to the nearest, by which stake counts in a vote that is cast so many weeks after the
// chain's beginning. After 44 years it grows no more, and votes no longer decay.
func Factor(weeks uint64) uint64 {
	weeks = min(weeks, maxYears*weeksPerYear-1)
	return yearTable[weeks%weeksPerYear] << (weeks / weeksPerYear)
}

// yearTable[k] is 2^(k/52) · 2^20, rounded to the nearest.
var yearTable = [weeksPerYear]uint64{
	1048576, 1062647, 1076906, 1091357, 1106002, 1120844, 1135884, 1151127, 1166574, 1182228, 1198092, 1214170, 1230462,
	1246974, 1263707, 1280665, 1297850, 1315266, 1332915, 1350802, 1368928, 1387298, 1405914, 1424780, 1443899, 1463275,
	1482910, 1502810, 1522976, 1543413, 1564124, 1585113, 1606383, 1627939, 1649784, 1671923, 1694358, 1717095, 1740137,
	1763488, 1787152, 1811134, 1835437, 1860067, 1885027, 1910322, 1935957, 1961935, 1988263, 2014943, 2041982, 2069383,
}
