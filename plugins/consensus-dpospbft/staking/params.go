package staking

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Bounds of parameters.
const (
	MaxSeats       = 512 // of elected sets; a genesis set may be larger
	MaxEpochSlots  = MaxTicks
	MinEpochSlots  = 4
	MaxTicks       = 1 << 40
	MaxEpochsKept  = 100_000 // epochs whose sets are kept, if so many fit into the unbonding time
	MinJailTurns   = 2       // the slots of a hand-over may pass as one turn that nobody could use
	MaxJailTurns   = 1 << 20
	MillionPPM     = 1_000_000
	MaxStakeNeeded = math.MaxUint64 / 2
)

// Params are the rules' numbers. Those that the chain may change come with each block.
type Params struct {
	Seats           uint64 // of an elected set
	MinSet          uint64 // 0: the larger of 4 and two thirds of the set before
	EpochSlots      uint64
	Approvals       uint64 // that one vote may have
	UnbondingTicks  uint64
	TrustingTicks   uint64 // for light clients; less than UnbondingTicks
	MinStake        uint64 // own stake of a candidate
	SlashPPM        uint64
	SilenceTicks    uint64 // without a block, after which a member is excluded
	JailMissedTurns uint64 // in a row
}

// ErrParams says that parameters do not fit their bounds or each other.
var ErrParams = errors.New("staking: bad parameters")

// EvidenceTicks is for how long after its end the set of an epoch is kept, so that evidence against its members can be judged: the
// unbonding time, but no more than MaxEpochsKept epochs.
func (p *Params) EvidenceTicks() uint64 { return min(p.UnbondingTicks, MaxEpochsKept*p.EpochSlots) }

// Validate checks bounds and what must hold between parameters; turn is the number of slots of a turn.
func (p *Params) Validate(turn uint64) error {
	for _, v := range []struct {
		name            string
		value, min, max uint64
	}{
		{"seats", p.Seats, 1, MaxSeats},
		{"min_set", p.MinSet, 0, MaxSeats},
		{"epoch, in slots,", p.EpochSlots, MinEpochSlots, MaxEpochSlots},
		{"approvals", p.Approvals, 1, types.MaxApprovals},
		{"unbonding, in slots,", p.UnbondingTicks, 1, MaxTicks},
		{"trusting, in slots,", p.TrustingTicks, 1, MaxTicks},
		{"min_stake", p.MinStake, 0, MaxStakeNeeded},
		{"slash_ppm", p.SlashPPM, 0, MillionPPM},
		{"silence, in slots,", p.SilenceTicks, 1, MaxTicks},
		{"jail_missed_turns", p.JailMissedTurns, MinJailTurns, MaxJailTurns},
	} {
		if v.value < v.min || v.value > v.max {
			return fmt.Errorf("%w: %s = %d is outside %d to %d", ErrParams, v.name, v.value, v.min, v.max)
		}
	}
	switch {
	case p.MinSet > p.Seats:
		return fmt.Errorf("%w: min_set %d is above seats %d", ErrParams, p.MinSet, p.Seats)
	case p.TrustingTicks >= p.UnbondingTicks:
		return fmt.Errorf("%w: trusting (%d slots) must be shorter than unbonding (%d slots), or clients trust producers who have nothing to lose", ErrParams,
			p.TrustingTicks, p.UnbondingTicks)
	case p.TrustingTicks >= p.EvidenceTicks():
		return fmt.Errorf("%w: trusting is %d slots, but sets are kept for evidence for %d epochs of %d slots only; make epochs longer or trusting shorter", ErrParams,
			p.TrustingTicks, MaxEpochsKept, p.EpochSlots)
	case p.SilenceTicks < 2*p.Seats*turn:
		return fmt.Errorf("%w: silence of %d slots is shorter than two rounds of %d seats with turns of %d", ErrParams, p.SilenceTicks, p.Seats, turn)
	}
	return nil
}

// Governed tells whether the chain may change the attribute with this name.
func Governed(name string) bool {
	p := Params{}
	return p.set(name, []byte("1"), 1) == nil
}

// set gives a parameter that the chain may change a value, by the attribute's name. Durations come in nanoseconds.
func (p *Params) set(name string, raw []byte, slotNs uint64) error {
	s := string(raw)
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' && name == "min_stake" { // amounts may be strings
		s = s[1 : n-1]
	} else if !json.Valid(raw) {
		return errors.New("not JSON")
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return errors.New("not a whole number")
	}
	switch name {
	case "approvals":
		p.Approvals = v
	case "epoch":
		p.EpochSlots = Ticks(v, slotNs)
	case "jail_missed_turns":
		p.JailMissedTurns = v
	case "min_stake":
		p.MinStake = v
	case "seats":
		p.Seats = v
	case "silence":
		p.SilenceTicks = Ticks(v, slotNs)
	case "slash_ppm":
		p.SlashPPM = v
	case "unbonding":
		p.UnbondingTicks = Ticks(v, slotNs)
	default:
		return errors.New("unknown, or not one that can change")
	}
	return nil
}

// Ticks returns how many slots a time takes, rounded up.
func Ticks(ns, slotNs uint64) uint64 { return ns/slotNs + min(ns%slotNs, 1) }

// with returns the parameters with the values of params, by names such as "consensus.seats". In strict mode it fails for what is
// wrong; otherwise a set that is wrong counts as none, on every node alike.
func (c *Config) with(params map[string][]byte) (Params, error) {
	p := c.Params
	names := make([]string, 0, len(params))
	for name := range params {
		if strings.HasPrefix(name, types.ModuleConsensus+".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := p.set(strings.TrimPrefix(name, types.ModuleConsensus+"."), params[name], c.SlotMs*1_000_000); err != nil {
			return c.Params, fmt.Errorf("%w: %.80q: %v", module.ErrBadParams, name, err)
		}
	}
	if p.MinSet > p.Seats { // min_set is fixed: it gives way
		p.MinSet = p.Seats
	}
	if err := p.Validate(c.Turn); err != nil {
		return c.Params, fmt.Errorf("%w: %v", module.ErrBadParams, err)
	}
	return p, nil
}
