package staking

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var rewrite = flag.Bool("transcripts", false, "write the outcomes in testdata/transcripts again")

// story is a chain that the lines of a transcript drive. F0 to F3 are the founders, A1 to A39 other accounts.
//
//	with [decay] [week T] [seats N] [unbonding T] [trusting T]   begins anew; a week has T ticks
//	A1 joins N           makes it a producer with a stake of N, which it votes for itself with
//	A5 stakes N [for A1] and votes, if it has not before
//	A5 unstakes N
//	week N               makes blocks until that week has begun
//	wait N               makes N blocks
//	epoch                makes blocks until another set is in force, and names it
//	twice E A1           hands in that A1, who has a seat in epoch E, has signed two blocks in a slot of it
//	bound A1             is what lies with it, stake and what is on its way out
//	votes A1             are those that the chain has counted
//	floats A1            would be those of a tally in floating point; fused: where product and sum are rounded once
//	floats elect A1 A2   is whom that would give the seat, fused elect likewise
//	params unbonding T trusting T   fit one another, or do not
type story struct {
	c     *chain
	slots map[uint64]uint64 // by epoch: a slot of it
	cast  []castVote
}

// castVote is a vote as it was cast: floats add them up again.
type castVote struct {
	to           types.AccountID
	stake, weeks uint64
}

func newStory(t testing.TB, words []string) (*story, error) {
	nums, decay := map[string]uint64{"week": 3, "seats": 4, "unbonding": 20, "trusting": 5}, false
	for i := 0; i < len(words); i++ {
		if words[i] == "decay" {
			decay = true
			continue
		}
		if _, ok := nums[words[i]]; !ok || i+1 == len(words) {
			return nil, fmt.Errorf("what is %q?", words[i])
		}
		v, err := strconv.ParseUint(words[i+1], 10, 64)
		if err != nil || v == 0 {
			return nil, fmt.Errorf("%s needs a number above 0", words[i])
		}
		nums[words[i]] = v
		i++
	}
	c := ready(t, func(cfg *Config) {
		cfg.Decay, cfg.SlotMs = decay, weekMs/nums["week"]
		p := &cfg.Params
		p.Seats, p.UnbondingTicks, p.TrustingTicks = nums["seats"], nums["unbonding"], nums["trusting"]
		p.MinSet, p.JailMissedTurns, p.SilenceTicks = 1, 1<<20, 1<<30 // weeks go by in few blocks
	})
	return &story{c: c, slots: map[uint64]uint64{0: c.slot}}, nil
}

// who finds an account by its name.
func who(name string) (types.AccountID, error) {
	if len(name) > 1 {
		n, err := strconv.ParseUint(name[1:], 10, 8)
		switch {
		case err != nil:
		case name[0] == 'F' && n < 4:
			return founder(int(n)), nil
		case name[0] == 'A' && n > 0 && n < 40:
			return account(int(n)), nil
		}
	}
	return types.AccountID{}, fmt.Errorf("who is %q?", name)
}

// shortName is the inverse of who.
func shortName(a types.AccountID) string {
	for i := range 40 {
		switch {
		case i < 4 && founder(i) == a:
			return fmt.Sprintf("F%d", i)
		case account(i) == a:
			return fmt.Sprintf("A%d", i)
		}
	}
	return "?"
}

// send puts actions into a block and returns the error's name, or "ok".
func (s *story) send(from types.AccountID, actions ...types.Action) string {
	c := s.c
	c.n++
	x := tx(c.n, from, actions...)
	c.core.FundAll([]module.Tx{x})
	e := c.step(testBlock{txs: []module.Tx{x}, final: c.height})
	if e.Txs[0].Error != "" {
		return e.Txs[0].Error
	}
	return "ok"
}

// vote notes a vote that the last block has counted.
func (s *story) vote(to types.AccountID, stake uint64) {
	s.cast = append(s.cast, castVote{to, stake, s.c.cfg.weeks(s.c.clock)})
}

// float adds an account's votes up in floating point, with the factors of the table. The conversion keeps the compiler from
// fusing the two operations where it could.
func (s *story) float(a types.AccountID, fused bool) (sum float64) {
	for _, v := range s.cast {
		if v.to != a {
			continue
		}
		stake, factor := float64(v.stake), float64(Factor(v.weeks))/(1<<factorBits)
		if fused {
			sum = math.FMA(stake, factor, sum)
		} else {
			sum += float64(stake * factor)
		}
	}
	return sum
}

// do carries out a line and returns what came of it, or nothing if the line tells nothing.
func (s *story) do(line string) (string, error) {
	args := append(strings.Fields(line), "", "", "", "", "")
	c := s.c
	number := func(i int) uint64 {
		v, err := strconv.ParseUint(args[i], 10, 64)
		if err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		return v
	}
	named := func(i int) types.AccountID {
		a, err := who(args[i])
		if err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		return a
	}
	switch args[0] {
	case "week":
		ticks := weekMs / c.cfg.SlotMs * number(1)
		for c.clock < ticks {
			c.step(testBlock{gap: min(8, ticks-c.clock), final: c.height})
		}
		return "", nil
	case "wait":
		for range number(1) {
			c.step(testBlock{final: c.height})
		}
		return "", nil
	case "epoch":
		c.nextEpoch()
		c.step(testBlock{final: c.height})
		s.slots[c.set.Epoch] = c.slot
		var list []string
		for _, a := range c.members() {
			list = append(list, shortName(a))
		}
		slices.Sort(list)
		return strings.Join(list, ", "), nil
	case "twice":
		set := c.sets[number(1)]
		seat := slices.IndexFunc(set.Seats, func(x types.Seat) bool { return x.Key.Hash() == c.producerOf(named(2)).Key.Hash() })
		if seat < 0 {
			return "", fmt.Errorf("%s has no seat in epoch %d", args[2], set.Epoch)
		}
		got := s.send(founder(0), evidenceOf(twice(set, seat, s.slots[set.Epoch])))
		if got == "ok" {
			got = c.producerOf(named(2)).Status.String()
		}
		return got, nil
	case "bound":
		return strconv.FormatUint(c.core.Escrow(OwnerItem(named(1))), 10), nil
	case "votes":
		w := c.producerOf(named(1)).Votes
		return fmt.Sprintf("%s and %d/%d", w.Votes(), w.Lo&(1<<factorBits-1), 1<<factorBits), nil
	case "floats", "fused":
		fused := args[0] == "fused"
		if args[1] != "elect" {
			return fmt.Sprintf("%.3f", s.float(named(1), fused)), nil
		}
		a, b := named(2), named(3)
		fa, fb := s.float(a, fused), s.float(b, fused)
		first := before(&candidate{account: a, p: &producer{}, seat: s.seat(a)}, &candidate{account: b, p: &producer{}, seat: s.seat(b)}) < 0
		if fa > fb || fa == fb && first {
			return args[2], nil
		}
		return args[3], nil
	case "params":
		cfg := small()
		cfg.Params.UnbondingTicks, cfg.Params.TrustingTicks = number(2), number(4)
		if args[1] != "unbonding" || args[3] != "trusting" {
			return "", fmt.Errorf("params unbonding T trusting T")
		}
		if err := cfg.Validate(); err != nil {
			return "refused", nil
		}
		return "fit", nil
	}
	from := named(0)
	switch args[1] {
	case "joins":
		n, err := strconv.Atoi(args[0][1:])
		if err != nil {
			return "", err
		}
		got := s.send(from, stakeOf(number(2)), registerOf(100+n, from, ""), voteFor(from))
		if got == "ok" {
			s.vote(from, number(2))
		}
		return got, nil
	case "stakes":
		actions := []types.Action{stakeOf(number(2))}
		if args[3] == "for" {
			actions = append(actions, voteFor(named(4)))
		}
		got := s.send(from, actions...)
		if got == "ok" && args[3] == "for" {
			s.vote(named(4), number(2))
		}
		return got, nil
	case "unstakes":
		return s.send(from, unstakeOf(number(2))), nil
	}
	return "", fmt.Errorf("what is %q?", args[1])
}

// seat returns an account's seat in the set in force, or nil.
func (s *story) seat(a types.AccountID) *seat {
	for _, x := range s.c.seats() {
		if x.Account == a {
			return &x
		}
	}
	return nil
}

// TestTranscripts plays the files in testdata/transcripts: the pitfalls of the design whose rule is kept here. After "=>" a line says
// what must come of it.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) < 2 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := newStory(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for i, line := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n") {
				body, want, told := strings.Cut(line, "=>")
				body, want = strings.TrimRight(body, " "), strings.TrimSpace(want)
				got := ""
				switch {
				case body == "" || body[0] == '#':
				case strings.HasPrefix(body, "with "):
					s, err = newStory(t, strings.Fields(body)[1:])
				default:
					got, err = s.do(body)
				}
				if err != nil {
					t.Fatalf("line %d: %s: %v", i+1, body, err)
				}
				if told = told || got != ""; !told {
					out = append(out, line)
					continue
				}
				out = append(out, fmt.Sprintf("%-28s => %s", body, got))
				if !*rewrite && got != want {
					t.Errorf("line %d: %s => %s, want %s", i+1, body, got, want)
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
