package main

import (
	"encoding/binary"
	"math/bits"
)

// The programs in Go, for scale: the same algorithms, as a Go programmer writes them.

//go:noinline
func fibonacci(n int64) int64 {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

func nativeFib(n int64) int64 { return fibonacci(n) }

const sieveFlags = 8191

func nativeSieve(n int64) int64 {
	var flags [sieveFlags]bool
	count := int64(0)
	for range n {
		for i := range flags {
			flags[i] = true
		}
		count = 0
		for i := range flags {
			if flags[i] {
				prime := 2*i + 3
				for k := i + prime; k < sieveFlags; k += prime {
					flags[k] = false
				}
				count++
			}
		}
	}
	return count
}

func nativeLoop(n int64) int64 {
	count := int64(0)
	for range n {
		count++
	}
	return count
}

const (
	sorted    = 1000
	generator = 1103515245
	increment = 12345
	mask31    = 1<<31 - 1
)

func nativeBubble(n int64) int64 {
	var a [sorted]int64
	digest := int64(0)
	for range n {
		x := int64(42)
		for i := range a {
			x = (x*generator + increment) & mask31
			a[i] = x
		}
		for last := len(a) - 1; last > 0; last-- {
			for i := range last {
				if a[i] > a[i+1] {
					a[i], a[i+1] = a[i+1], a[i]
				}
			}
		}
		digest = 0
		for _, v := range a {
			digest = (31*digest + v) & mask31
		}
	}
	return digest
}

// nativeSHA256 is the hash by its definition, as in the Forth program, not with the processor's instructions for it.
func nativeSHA256(n int64) int64 {
	var hash [8]uint32
	for range n {
		hash = sha256Block(hash)
	}
	return int64(hash[0])
}

// sha256Block returns the hash of 32 bytes.
func sha256Block(of [8]uint32) [8]uint32 {
	var w [64]uint32
	copy(w[:], of[:])
	w[8], w[15] = 1<<31, 256
	for i := 16; i < 64; i++ {
		x, y := w[i-15], w[i-2]
		s0 := bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
		s1 := bits.RotateLeft32(y, -17) ^ bits.RotateLeft32(y, -19) ^ y>>10
		w[i] = w[i-16] + s0 + w[i-7] + s1
	}
	first := [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
	a, b, c, d, e, f, g, h := first[0], first[1], first[2], first[3], first[4], first[5], first[6], first[7]
	for i, k := range sha256Constants {
		t1 := h + (bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)) + (g ^ e&(f^g)) + k + w[i]
		t2 := (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)) + (a&b | c&(a|b))
		a, b, c, d, e, f, g, h = t1+t2, a, b, c, d+t1, e, f, g
	}
	for i, v := range [8]uint32{a, b, c, d, e, f, g, h} {
		first[i] += v
	}
	return first
}

// hashWords are the words of a hash, as the program has them.
func hashWords(b [32]byte) (w [8]uint32) {
	for i := range w {
		w[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return w
}

// sha256Constants are the first bits of the cube roots of the first primes (FIPS 180-4, 4.2.2). They are never written.
var sha256Constants = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
