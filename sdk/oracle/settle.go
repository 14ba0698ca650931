package oracle

import (
	"math/bits"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// million is what shares are parts of.
const million = 1_000_000

// Settlement is what became of the tokens in a dispute, in the smallest unit. The sum of Burned, Returned, ToWinner, Rewards and
// Kept is what the question's escrow held.
type Settlement struct {
	Decided     bool   `json:"decided"` // a quorum of equal reveals decided; otherwise Winner is INVALID
	Winner      Value  `json:"winner"`
	Burned      uint64 `json:"burned,string"`       // remainders of divisions included
	Returned    uint64 `json:"returned,string"`     // bonds, or parts of them, and the deposit, to those who had paid them
	ToWinner    uint64 `json:"to_winner,string"`    // of the losing bond, to the side that was right
	Rewards     uint64 `json:"rewards,string"`      // to the producers that revealed the winner, all together
	PerProducer uint64 `json:"per_producer,string"` // to each of them
	Rewarded    uint64 `json:"rewarded"`            // how many they are
	Kept        uint64 `json:"kept,string"`         // the deposit, if the question is open again
	Reopened    bool   `json:"reopened"`            // the question is open again
}

func (s *Settlement) encode(e *types.Encoder) {
	e.Byte(flag(s.Decided) | flag(s.Reopened)<<1)
	e.Byte(byte(s.Winner))
	for _, v := range []uint64{s.Burned, s.Returned, s.ToWinner, s.Rewards, s.PerProducer, s.Rewarded, s.Kept} {
		e.Uint(v)
	}
}

func decodeSettlement(d *types.Decoder) *Settlement {
	f := d.Byte()
	if f > 3 {
		d.Fail("flags %d", f)
	}
	s := &Settlement{Decided: f&1 != 0, Reopened: f&2 != 0, Winner: Value(d.Byte())}
	if !s.Winner.Valid() {
		d.Fail("value %d", s.Winner)
	}
	for _, v := range []*uint64{&s.Burned, &s.Returned, &s.ToWinner, &s.Rewards, &s.PerProducer, &s.Rewarded, &s.Kept} {
		*v = d.Uint()
	}
	return s
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Payment is an amount that leaves a question's escrow for an account.
type Payment struct {
	Account types.AccountID
	Amount  uint64
}

// Settle says how a dispute that is over ends: what it comes to, and who gets what, the burn account included. Every account
// stands once, and none with nothing.
//
// Each of the two sides, the answer and the counter, has a bond as large as the deposit D; for the answer that the asker
// gave for free it is D itself. If a quorum revealed a value:
//
//   - a side whose value that is gets its bond back, the bonds of others are lost: L together;
//   - of L, at least BurnPPM millionths are burned, rounded up; a fifth, or what is not burned if that is less, goes to the
//     producers that revealed the value, in equal parts; the rest to the side that was right, and if none was, to the fire;
//   - D, where it is nobody's bond, goes back to the asker, but is burned if the value is INVALID;
//   - if the value is TOO_EARLY and D is not lost, D stays and the question is open again.
//
// Without a quorum the question is INVALID, nobody is found wrong, and each bond loses BurnPPM millionths, rounded up, to the
// fire. What divisions leave over is burned.
func Settle(t Terms, r *Record, d *Dispute) (Settlement, []Payment) {
	answer, _ := r.Current()
	counter, _ := r.Contradiction()
	free := r.Free(answer)
	s := Settlement{}
	s.Winner, s.Decided = d.Verdict()
	sides := []struct {
		Given
		bond uint64
	}{{answer, answer.Bond}, {counter, counter.Bond}}
	if free {
		sides[0].bond = r.Deposit
	}
	var p payments
	deposit := r.Deposit // what is left of D, besides its part as a bond
	if free {
		deposit = 0
	}
	if !s.Decided {
		for _, side := range sides {
			burned := share(side.bond, t.BurnPPM)
			s.Burned += burned
			s.Returned += side.bond - burned
			p.add(side.Account, side.bond-burned)
		}
		s.Returned += deposit
		p.add(r.Asker, deposit)
		p.add(types.BurnAccount, s.Burned)
		return s, p.list
	}
	var lost uint64
	var right *types.AccountID
	for i, side := range sides {
		switch {
		case side.Value != s.Winner:
			lost += side.bond
		case free && i == 0: // D comes back as the deposit, or stays as such
			right, deposit = &answer.Account, side.bond
		default:
			right = &sides[i].Account
			s.Returned += side.bond
			p.add(side.Account, side.bond)
		}
	}
	s.Burned = share(lost, t.BurnPPM)
	pot := min(lost/5, lost-s.Burned)
	rest := lost - s.Burned - pot
	rewarded := d.Rewarded(s.Winner)
	s.Rewarded = uint64(len(rewarded))
	s.PerProducer = pot / s.Rewarded // a quorum is at least one
	s.Rewards = s.PerProducer * s.Rewarded
	s.Burned += pot - s.Rewards
	if s.PerProducer > 0 {
		for _, a := range rewarded {
			p.add(a, s.PerProducer)
		}
	}
	if right != nil {
		s.ToWinner = rest
		p.add(*right, rest)
	} else {
		s.Burned += rest
	}
	lostDeposit := free && answer.Value != s.Winner
	switch {
	case s.Winner == Invalid && !free:
		s.Burned += deposit
	case s.Winner == TooEarly && !lostDeposit && !r.Reopened:
		s.Kept, s.Reopened = deposit, true
	default:
		s.Returned += deposit
		p.add(r.Asker, deposit)
	}
	p.add(types.BurnAccount, s.Burned)
	return s, p.list
}

// share returns ppm millionths of amount, rounded up. ppm is at most a million.
func share(amount, ppm uint64) uint64 {
	hi, lo := bits.Mul64(amount, ppm)
	q, rem := bits.Div64(hi, lo, million)
	if rem > 0 {
		q++
	}
	return q
}

// payments adds up what accounts get, in the order in which they first do.
type payments struct{ list []Payment }

func (p *payments) add(a types.AccountID, amount uint64) {
	if amount == 0 {
		return
	}
	for i := range p.list {
		if p.list[i].Account == a {
			p.list[i].Amount += amount
			return
		}
	}
	p.list = append(p.list, Payment{a, amount})
}
