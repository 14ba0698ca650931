package staking

import (
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

const (
	domainSeed    = "paloalto/staking/seed/1\x00"
	domainMix     = "paloalto/staking/mix/1\x00"
	domainShuffle = "paloalto/staking/shuffle/1\x00"
	domainRelease = "paloalto/staking/set/1\x00"
)

// stream is the numbers that follow from a seed: blocks of a hash over the seed and a counter, cut into numbers of 64 bits.
type stream struct {
	seed    types.Hash
	counter uint64
	block   types.Hash
	left    int // numbers of block not yet used
}

func (s *stream) next() uint64 {
	if s.left == 0 {
		var c [8]byte
		binary.BigEndian.PutUint64(c[:], s.counter)
		s.block, s.left = types.Sum(domainShuffle, s.seed[:], c[:]), 4
		s.counter++
	}
	v := binary.BigEndian.Uint64(s.block[8*(4-s.left):])
	s.left--
	return v
}

// below returns a number below n > 0, each as likely as any other: what would favour the small ones is rejected.
func (s *stream) below(n uint64) uint64 {
	reject := -n % n // 2^64 mod n
	for {
		if v := s.next(); v >= reject {
			return v % n
		}
	}
}

// shuffle orders list by a seed: Fisher and Yates, from the end.
func shuffle[T any](seed types.Hash, list []T) {
	s := stream{seed: seed}
	for i := len(list) - 1; i > 0; i-- {
		j := s.below(uint64(i) + 1)
		list[i], list[j] = list[j], list[i]
	}
}
