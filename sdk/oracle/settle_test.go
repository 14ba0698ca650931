package oracle

import (
	"math"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestSettlement has each kind of end, to the unit. D is 101: nothing divides it. Sides are the answer's account, the
// counter's and the asker's; where the asker answers for free its deposit is the bond.
func TestSettlement(t *testing.T) {
	const D = 101
	yes, no, invalid, early := Yes, No, Invalid, TooEarly
	type want struct {
		asker, answerer, counterer, each, burned uint64
		reopened                                 bool
		kept                                     uint64
	}
	for name, tc := range map[string]struct {
		free            bool
		answer, counter Value
		ppm             uint64
		reveals         string // Y, N, I, T of seats 0 to 3, - for none
		decided         bool
		winner          Value
		want            want
	}{
		// The losing bond of 101: 51 burned, 20 to producers, 30 to the other side.
		"answer wins with all":           {false, yes, no, 500_000, "YYYY", true, yes, want{asker: D, answerer: D + 30, each: 5, burned: 51}},
		"answer wins with three":         {false, yes, no, 500_000, "YYY-", true, yes, want{asker: D, answerer: D + 30, each: 6, burned: 51 + 2}},
		"answer wins, one against":       {false, yes, no, 500_000, "YNYY", true, yes, want{asker: D, answerer: D + 30, each: 6, burned: 51 + 2}},
		"counter wins":                   {false, yes, no, 500_000, "NNN-", true, no, want{asker: D, counterer: D + 30, each: 6, burned: 51 + 2}},
		"free answer wins":               {true, yes, no, 500_000, "YYY-", true, yes, want{asker: D + 30, each: 6, burned: 51 + 2}},
		"free answer loses":              {true, yes, no, 500_000, "NNN-", true, no, want{counterer: D + 30, each: 6, burned: 51 + 2}},
		"counter with INVALID wins":      {false, yes, invalid, 500_000, "III-", true, invalid, want{counterer: D + 30, each: 6, burned: 51 + 2 + D}},
		"answer INVALID wins":            {false, invalid, no, 500_000, "III-", true, invalid, want{answerer: D + 30, each: 6, burned: 51 + 2 + D}},
		"free answer INVALID wins":       {true, invalid, no, 500_000, "III-", true, invalid, want{asker: D + 30, each: 6, burned: 51 + 2}},
		"free answer loses to INVALID":   {true, yes, invalid, 500_000, "III-", true, invalid, want{counterer: D + 30, each: 6, burned: 51 + 2}},
		"TOO_EARLY confirmed":            {false, early, no, 500_000, "TTT-", true, early, want{answerer: D + 30, each: 6, burned: 51 + 2, reopened: true, kept: D}},
		"counter with TOO_EARLY wins":    {false, yes, early, 500_000, "TTT-", true, early, want{counterer: D + 30, each: 6, burned: 51 + 2, reopened: true, kept: D}},
		"free TOO_EARLY confirmed":       {true, early, no, 500_000, "TTT-", true, early, want{asker: 30, each: 6, burned: 51 + 2, reopened: true, kept: D}},
		"free answer loses to TOO_EARLY": {true, yes, early, 500_000, "TTT-", true, early, want{counterer: D + 30, each: 6, burned: 51 + 2}},
		"TOO_EARLY refuted":              {false, early, no, 500_000, "NNN-", true, no, want{asker: D, counterer: D + 30, each: 6, burned: 51 + 2}},
		// Both bonds of 101 lose, 202: 101 burned, 40 to producers, 61 without a side that was right.
		"neither was right":               {false, yes, no, 500_000, "III-", true, invalid, want{each: 13, burned: 101 + 61 + 1 + D}},
		"neither was right, free":         {true, yes, no, 500_000, "III-", true, invalid, want{each: 13, burned: 101 + 61 + 1}},
		"neither was right but NO":        {false, yes, invalid, 500_000, "NNNN", true, no, want{asker: D, each: 10, burned: 101 + 61}},
		"neither was right but TOO_EARLY": {false, yes, no, 500_000, "TTTT", true, early, want{each: 10, burned: 101 + 61, reopened: true, kept: D}},
		"neither but TOO_EARLY, free":     {true, yes, no, 500_000, "TTTT", true, early, want{each: 10, burned: 101 + 61}},
		// The paper's literal rule: all is burned.
		"all is burned":            {false, yes, no, 1_000_000, "YYYY", true, yes, want{asker: D, answerer: D, burned: D}},
		"nine tenths are burned":   {false, yes, no, 900_000, "YYYY", true, yes, want{asker: D, answerer: D, each: 2, burned: 91 + 2}},
		"part of a unit is burned": {false, yes, no, 500_001, "YYYY", true, yes, want{asker: D, answerer: D + 30, each: 5, burned: 51}},
		// No quorum: 51 of each bond.
		"nobody votes":                     {false, yes, no, 500_000, "----", false, invalid, want{asker: D, answerer: 50, counterer: 50, burned: 102}},
		"two against two":                  {false, yes, no, 500_000, "YYNN", false, invalid, want{asker: D, answerer: 50, counterer: 50, burned: 102}},
		"two of four":                      {false, yes, no, 500_000, "YY--", false, invalid, want{asker: D, answerer: 50, counterer: 50, burned: 102}},
		"two against two, free":            {true, yes, no, 500_000, "YYNN", false, invalid, want{asker: 50, counterer: 50, burned: 102}},
		"two against two, all is burned":   {true, yes, no, 1_000_000, "YYNN", false, invalid, want{burned: 202}},
		"two for INVALID are no quorum":    {false, invalid, no, 500_000, "II--", false, invalid, want{asker: D, answerer: 50, counterer: 50, burned: 102}},
		"two for TOO_EARLY reopen nothing": {false, early, no, 500_000, "TT--", false, invalid, want{asker: D, answerer: 50, counterer: 50, burned: 102}},
	} {
		t.Run(name, func(t *testing.T) {
			asker, answerer, counterer := someAccount(1), someAccount(2), someAccount(3)
			r := &Record{Asker: asker, Deposit: D, AnswerBy: 100, State: Reveal,
				Answers: []Given{{Account: answerer, Value: tc.answer, Clock: 50, Bond: D}, {Account: counterer, Value: tc.counter, Clock: 51, Bond: D, Counter: true}}}
			if tc.free {
				r.Answers[0].Account, r.Answers[0].Bond = asker, 0
			}
			d := &Dispute{Producers: someKeys(4)}
			for seat, c := range tc.reveals {
				if v := strings.IndexRune("NYIT", c); v >= 0 {
					d.Reveals = append(d.Reveals, Revealed{Seat: seat, Value: Value(v)})
				}
			}
			terms := someTerms()
			terms.BurnPPM = tc.ppm
			s, pays := Settle(terms, r, d)
			if s.Decided != tc.decided || s.Winner != tc.winner || s.Reopened != tc.want.reopened || s.Kept != tc.want.kept {
				t.Fatalf("%+v", s)
			}
			got := map[types.AccountID]uint64{}
			sum := s.Kept
			for _, p := range pays {
				if _, twice := got[p.Account]; twice || p.Amount == 0 {
					t.Errorf("payment %+v", p)
				}
				got[p.Account] = p.Amount
				sum += p.Amount
			}
			if sum != r.Escrow() || s.Kept+s.Burned+s.Returned+s.ToWinner+s.Rewards != r.Escrow() {
				t.Errorf("escrow %d, paid %d, %+v", r.Escrow(), sum, s)
			}
			check := func(who string, a types.AccountID, want uint64) {
				if got[a] != want {
					t.Errorf("%s gets %d, want %d", who, got[a], want)
				}
				delete(got, a)
			}
			check("the asker", asker, tc.want.asker)
			check("the answerer", answerer, tc.want.answerer)
			check("the counterer", counterer, tc.want.counterer)
			check("the fire", types.BurnAccount, tc.want.burned)
			for seat, c := range tc.reveals {
				each := uint64(0)
				if v := strings.IndexRune("NYIT", c); tc.decided && v == int(tc.winner) {
					each = tc.want.each
				}
				check("a producer", types.SingleKeyAuthority(d.Producers[seat]).ID(), each)
			}
			if len(got) > 0 {
				t.Errorf("others get %v", got)
			}
		})
	}
}

// TestSettlementOfOneWhoIsBoth has the asker, the answerer, the counterer and a producer be the same.
func TestSettlementOfOneWhoIsBoth(t *testing.T) {
	d := &Dispute{Producers: someKeys(1), Reveals: []Revealed{{Seat: 0, Value: No}}}
	all := types.SingleKeyAuthority(d.Producers[0]).ID()
	r := &Record{Asker: all, Deposit: 101, State: Reveal, Answers: []Given{{Account: all, Value: Yes}, {Account: all, Value: No, Bond: 101, Counter: true}}}
	s, pays := Settle(someTerms(), r, d)
	if len(pays) != 2 || pays[0] != (Payment{all, 202 - 51}) || pays[1] != (Payment{types.BurnAccount, 51}) {
		t.Fatalf("%+v, %+v", s, pays)
	}
}

// TestSettlementOfTheLargest sums to what a number can hold.
func TestSettlementOfTheLargest(t *testing.T) {
	for _, ppm := range []uint64{500_000, 999_999, 1_000_000} {
		for reveals := range 4 {
			d := &Dispute{Producers: someKeys(3)}
			for seat := range reveals {
				d.Reveals = append(d.Reveals, Revealed{Seat: seat, Value: Invalid})
			}
			r := &Record{Asker: someAccount(1), Deposit: MaxDeposit, State: Reveal,
				Answers: []Given{{Account: someAccount(2), Value: Yes, Bond: MaxDeposit}, {Account: someAccount(3), Value: No, Bond: MaxDeposit, Counter: true}}}
			terms := someTerms()
			terms.BurnPPM = ppm
			s, pays := Settle(terms, r, d)
			sum := uint64(0)
			for _, p := range pays {
				if sum > math.MaxUint64-p.Amount {
					t.Fatalf("%+v overflows", pays)
				}
				sum += p.Amount
			}
			if sum != r.Escrow() || s.Burned < MaxDeposit {
				t.Errorf("%d of %d, %+v", sum, r.Escrow(), s)
			}
		}
	}
}
