package staking

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestFactorTable proves each entry v to be 2^(k/52+20) rounded, in integers: (2v-1)^52 < 2^(k+21·52) < (2v+1)^52.
func TestFactorTable(t *testing.T) {
	for k, v := range yearTable {
		want := new(big.Int).Lsh(big.NewInt(1), uint(k+21*52))
		power := func(x uint64) *big.Int {
			return new(big.Int).Exp(new(big.Int).SetUint64(x), big.NewInt(52), nil)
		}
		if power(2*v-1).Cmp(want) >= 0 || power(2*v+1).Cmp(want) <= 0 {
			t.Errorf("entry %d is %d", k, v)
		}
	}
}

func TestFactorGolden(t *testing.T) {
	for weeks, want := range map[uint64]uint64{
		0: 1 << 20, 1: 1062647, 26: 1482910, 51: 2069383, 52: 1 << 21, 104: 1 << 22, 53: 2125294, 520: 1 << 30,
		44*52 - 1: 2069383 << 43, 44 * 52: 2069383 << 43, math.MaxUint64: 2069383 << 43,
	} {
		if got := Factor(weeks); got != want {
			t.Errorf("week %d: %d, want %d", weeks, got, want)
		}
	}
	for w := uint64(1); w < 44*52; w++ {
		if Factor(w) <= Factor(w-1) {
			t.Fatalf("week %d counts no more than the week before", w)
		}
	}
	// A vote that nobody renews halves in a year against new ones, and the whole supply with the greatest factor fits.
	if Factor(1000+52) != 2*Factor(1000) {
		t.Error("a year is not a factor of two")
	}
	if w := Weigh(math.MaxUint64, Factor(math.MaxUint64)); bigOf(w).BitLen() > 128 || bigOf(w).Sign() <= 0 {
		t.Error("overflow")
	}
}

func TestWeight(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		a := Weight{rnd.Uint64() >> (1 + rnd.IntN(63)), rnd.Uint64()}
		b := Weight{rnd.Uint64() >> (1 + rnd.IntN(63)), rnd.Uint64()}
		sum, err := a.Add(b)
		if err != nil || bigOf(sum).Cmp(new(big.Int).Add(bigOf(a), bigOf(b))) != 0 {
			t.Fatalf("%v + %v = %v, %v", a, b, sum, err)
		}
		if back, err := sum.Sub(b); err != nil || back != a {
			t.Fatalf("%v - %v = %v, %v", sum, b, back, err)
		}
		c := bigOf(a).Cmp(bigOf(b))
		da, db := a.descending(), b.descending()
		if a.Compare(b) != c || strings.Compare(string(da[:]), string(db[:])) != -c {
			t.Fatalf("%v and %v are not in order", a, b)
		}
		if _, err := a.Sub(b); (err != nil) != (c < 0) {
			t.Fatalf("%v - %v: %v", a, b, err)
		}
		if got := a.Votes(); got != new(big.Int).Rsh(bigOf(a), 20).String() {
			t.Fatalf("votes of %v are %s", a, got)
		}
	}
	if _, err := (Weight{math.MaxUint64, math.MaxUint64}).Add(Weight{0, 1}); err == nil {
		t.Error("an overflow goes unnoticed")
	}
}

func TestShuffleGolden(t *testing.T) {
	for _, c := range []struct {
		seed string
		n    int
		want string
	}{
		{"a", 1, "0"},
		{"a", 4, "3 0 2 1"},
		{"d", 4, "0 3 2 1"},
		{"a", 21, "6 3 12 1 9 11 8 4 18 19 7 13 16 20 14 5 15 2 10 0 17"},
	} {
		list := make([]int, c.n)
		naive := make([]int, c.n)
		for i := range list {
			list[i], naive[i] = i, i
		}
		seed := types.Sum("test\x00", []byte(c.seed))
		shuffle(seed, list)
		naiveShuffle(seed, c.n, func(i, j int) { naive[i], naive[j] = naive[j], naive[i] })
		if got := strings.Trim(fmt.Sprint(list), "[]"); got != c.want || fmt.Sprint(naive) != fmt.Sprint(list) {
			t.Errorf("seed %s, %d: %s, want %s; drawn from big integers: %v", c.seed, c.n, got, c.want, naive)
		}
	}
}

// TestShuffleIsFair counts the orders of four over many seeds: each comes about as often as any other.
func TestShuffleIsFair(t *testing.T) {
	count := map[[4]int]int{}
	const seeds = 24 * 500
	for i := range seeds {
		list := [4]int{0, 1, 2, 3}
		shuffle(types.Sum("test\x00", fmt.Append(nil, i)), list[:])
		count[list]++
	}
	for order, n := range count {
		if n < 400 || n > 600 { // 500 ± 4.5 standard deviations
			t.Errorf("%v came %d times of %d", order, n, seeds)
		}
	}
	if len(count) != 24 {
		t.Errorf("%d orders of 24", len(count))
	}
}

// TestBelowRejects shows that numbers that would favour small results are drawn again.
func TestBelowRejects(t *testing.T) {
	const n = 1<<63 + 1 // of 2^64 numbers almost half are rejected
	s, raw := stream{}, stream{}
	rejected := 0
	for range 200 {
		got := s.below(n)
		for {
			v := raw.next()
			if v >= n-2 { // 2^64 mod n
				if got != v%n {
					t.Fatalf("%d, want %d", got, v%n)
				}
				break
			}
			rejected++
		}
	}
	if rejected < 100 {
		t.Errorf("%d were rejected", rejected)
	}
}

// TestMissed compares with a walk over all slots, with every back-off and turn.
func TestMissed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	withTurns := 0
	for range 6000 {
		n, turn, k := 1+rnd.Uint64N(8), 1+rnd.Uint64N(5), uint(rnd.IntN(5))
		parent := rnd.Uint64N(400)
		child := (parent>>k + 1 + rnd.Uint64N(1+rnd.Uint64N(60))) << k
		if rnd.IntN(10) == 0 {
			child = parent + 1 + rnd.Uint64N(500) // even if it is not usable
		}
		slots, turns, groups := make([]uint64, n), make([]uint64, n), map[uint64]uint64{}
		for s := parent + 1; s < child; s++ {
			i := pbft.LeaderSeat(int(n), turn, k, s)
			if i < 0 {
				continue
			}
			slots[i]++
			g := (s >> k) / turn
			if groups[g]++; groups[g] == turn {
				turns[i]++
				withTurns++
			}
		}
		for i := range n {
			if a, b := missed(n, turn, k, parent, child, i); a != slots[i] || b != turns[i] {
				t.Fatalf("n %d, turn %d, k %d, slots %d to %d, seat %d: %d slots and %d turns, want %d and %d", n, turn, k, parent, child, i, a, b, slots[i], turns[i])
			}
		}
	}
	if withTurns < 1000 {
		t.Errorf("%d turns missed", withTurns)
	}
	// A gap of a hundred years costs nothing, and nothing overflows.
	var sum uint64
	for i := range uint64(21) {
		a, _ := missed(21, 4, 0, 1000, 1000+6_307_200_001, i)
		sum += a
	}
	if sum != 6_307_200_000 {
		t.Errorf("%d slots missed", sum)
	}
}
