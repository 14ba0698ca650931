// Package dpospbft is the consensus plugin of delegated producers with two-phase finality: producers take turns in slots,
// and every block is voted on twice, so that it is irreversible three message delays after it was sent. The protocol is in
// package pbft, a pure state machine; the elections that say who the producers are, for an epoch at a time, are in package
// staking; what proves that a producer has broken the rules is in package evidence. Here is what connects them with the core.
package dpospbft

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const (
	pluginName    = "dpospbft"
	pluginVersion = "0.2.0"
	rulesVersion  = "1"
	coin          = 1_000_000 // smallest units of a token

	decayNone   = "none"
	decayWeekly = "weekly"
)

// Bounds of durations.
const (
	smallestSlot = 50 * time.Millisecond
	largestSlot  = time.Hour
	longest      = 10 * 365 * 24 * time.Hour
)

// Plugin returns the plugin.
func Plugin() plugin.Plugin { return consensusPlugin{} }

type consensusPlugin struct{}

// attribute is one line of the schema. Values are JSON numbers; durations are nanoseconds.
type attribute struct {
	name     string
	typ      plugin.AttrType
	def      int64
	min, max int64
	at       func(*config) *int64
	help     string
}

// attributes returns all that are numbers, in the order in which the documentation shows them.
func attributes() []attribute {
	return []attribute{
		{"slot", plugin.Duration, int64(500 * time.Millisecond), int64(smallestSlot), int64(largestSlot), func(c *config) *int64 { return &c.Slot },
			"length of a slot, in whole milliseconds; blocks become final at once only if messages need less than a slot"},
		{"turn", plugin.Number, 1, 1, 1000, func(c *config) *int64 { return &c.Turn },
			"consecutive slots of one producer; 4 suits networks whose delay comes near a slot"},
		{"max_unfinal", plugin.Number, 1800, 1, 10_000, func(c *config) *int64 { return &c.MaxUnfinal },
			"with so many blocks above the last final one, producers make empty blocks until finality is back"},
		{"seats", plugin.Number, 21, 1, staking.MaxSeats, func(c *config) *int64 { return &c.Seats },
			"producers of an elected set"},
		{"min_set", plugin.Number, 0, 0, staking.MaxSeats, func(c *config) *int64 { return &c.MinSet },
			"what a set does not shrink below when producers are excluded; 0: the larger of 4 and two thirds of the set before"},
		{"epoch", plugin.Duration, int64(time.Hour), int64(smallestSlot), int64(longest), func(c *config) *int64 { return &c.Epoch },
			"how long a set of producers is in force, in time of slots"},
		{"approvals", plugin.Number, types.MaxApprovals, 1, types.MaxApprovals, func(c *config) *int64 { return &c.Approvals },
			"producers that one account can vote for"},
		{"unbonding", plugin.Duration, int64(504 * time.Hour), int64(smallestSlot), int64(longest), func(c *config) *int64 { return &c.Unbonding },
			"how long stake that is taken out is held, and can be slashed"},
		{"trusting", plugin.Duration, int64(336 * time.Hour), int64(smallestSlot), int64(longest), func(c *config) *int64 { return &c.Trusting },
			"how old a set may be that light clients trust; with an epoch not more than unbonding"},
		{"min_stake", plugin.Amount, 1000 * coin, 0, staking.MaxStakeNeeded, func(c *config) *int64 { return (*int64)(&c.MinStake) },
			"own stake that a candidate needs, the producers of the genesis set excepted"},
		{"slash_ppm", plugin.Number, 50_000, 0, staking.MillionPPM, func(c *config) *int64 { return &c.SlashPPM },
			"share of a convicted producer's stake that is burned, in millionths"},
		{"silence", plugin.Duration, int64(24 * time.Hour), int64(smallestSlot), int64(longest), func(c *config) *int64 { return &c.Silence },
			"a producer that has missed its turns for so long, by the chain's clock, is excluded at the end of the epoch"},
		{"jail_missed_turns", plugin.Number, 20, staking.MinJailTurns, staking.MaxJailTurns, func(c *config) *int64 { return &c.Jail },
			"turns missed in a row, after which a producer is jailed: passed over at the end of the epoch"},
	}
}

// Describe implements plugin.Plugin.
func (consensusPlugin) Describe() plugin.Info {
	info := plugin.KindInfo{Kind: plugin.Consensus, Rules: []string{rulesVersion}, HasModule: true}
	for _, a := range attributes() {
		info.Schema.Attributes = append(info.Schema.Attributes, plugin.Attribute{Name: a.name, Type: a.typ, Default: fmt.Sprint(a.def), Min: fmt.Sprint(a.min),
			Max: fmt.Sprint(a.max), ConsensusCritical: true, Governed: staking.Governed(a.name), Description: a.help})
	}
	info.Schema.Attributes = append(info.Schema.Attributes, plugin.Attribute{Name: "decay", Type: plugin.String, Default: `"` + decayNone + `"`,
		OneOf: []string{decayNone, decayWeekly}, ConsensusCritical: true,
		Description: "weekly: a vote counts for more the later it is cast, twice as much a year, so that votes that nobody renews fade"})
	return plugin.Info{Name: pluginName, Version: pluginVersion, API: plugin.API, Kinds: []plugin.KindInfo{info}}
}

// amount is a number of the smallest unit, as a JSON number or as a decimal string, as genesis documents have it.
type amount int64

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(b []byte) error {
	s := string(b)
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		s = s[1 : n-1]
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("amount %.40s is not a whole number of the smallest unit", b)
	}
	*a = amount(v)
	return nil
}

// config is what a chain spec says; see the schema.
type config struct {
	Slot       int64  `json:"slot"`
	Turn       int64  `json:"turn"`
	MaxUnfinal int64  `json:"max_unfinal"`
	Seats      int64  `json:"seats"`
	MinSet     int64  `json:"min_set"`
	Epoch      int64  `json:"epoch"`
	Approvals  int64  `json:"approvals"`
	Unbonding  int64  `json:"unbonding"`
	Trusting   int64  `json:"trusting"`
	MinStake   amount `json:"min_stake"`
	SlashPPM   int64  `json:"slash_ppm"`
	Silence    int64  `json:"silence"`
	Jail       int64  `json:"jail_missed_turns"`
	Decay      string `json:"decay"`
}

// settings is a configuration, by who uses it.
type settings struct {
	Engine  pbft.Config
	Staking staking.Config
}

// Instance is the plugin for one chain: the engine, and the module of the elections, to which the engine hands the evidence
// that it finds.
type Instance struct {
	*Engine
	*staking.Module
}

var (
	_ consensus.Engine = (*Instance)(nil)
	_ module.Module    = (*Instance)(nil)
)

// Close ends both faces.
func (i *Instance) Close() error { return errors.Join(i.Module.Close(), i.Engine.Close()) }

// Open implements plugin.Plugin. The instance is an [*Instance].
func (consensusPlugin) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.Consensus {
		return nil, fmt.Errorf("open a %s instance of %s: %w", req.Kind, pluginName, plugin.ErrWrongKind)
	}
	if req.Rules != "" && req.Rules != rulesVersion {
		return nil, fmt.Errorf("rules version %q is unknown, this build has %q: %w", req.Rules, rulesVersion, plugin.ErrBadConfig)
	}
	cfg, err := parseConfig(req.Config)
	if err != nil {
		return nil, err
	}
	m := staking.New(cfg.Staking)
	return &Instance{Engine: NewEngine(cfg.Engine, m.Offer), Module: m}, nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", pluginName, fmt.Sprintf(format, args...), plugin.ErrBadConfig)
}

func parseConfig(raw []byte) (settings, error) {
	cfg := config{Decay: decayNone}
	for _, a := range attributes() {
		*a.at(&cfg) = a.def
	}
	if len(raw) > 0 {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&cfg); err != nil {
			return settings{}, badConfig("%v", err)
		}
		if dec.More() {
			return settings{}, badConfig("more than one value")
		}
	}
	for _, a := range attributes() {
		if v := *a.at(&cfg); v < a.min || v > a.max {
			if a.typ == plugin.Duration {
				return settings{}, badConfig("%s = %s is outside %s to %s", a.name, time.Duration(v), time.Duration(a.min), time.Duration(a.max))
			}
			return settings{}, badConfig("%s = %d is outside %d to %d", a.name, v, a.min, a.max)
		}
	}
	if cfg.Slot%int64(time.Millisecond) != 0 {
		return settings{}, badConfig("slot = %s is not a whole number of milliseconds", time.Duration(cfg.Slot))
	}
	if cfg.Decay != decayNone && cfg.Decay != decayWeekly {
		return settings{}, badConfig("decay %.40q is unknown; there are %s and %s", cfg.Decay, decayNone, decayWeekly)
	}
	slotMs := uint64(cfg.Slot / int64(time.Millisecond))
	ticks := func(ns int64) uint64 { return staking.Ticks(uint64(ns), uint64(cfg.Slot)) }
	out := settings{
		Engine: pbft.Config{SlotMs: slotMs, Turn: uint64(cfg.Turn), MaxUnfinal: uint64(cfg.MaxUnfinal)},
		Staking: staking.Config{SlotMs: slotMs, Turn: uint64(cfg.Turn), Decay: cfg.Decay == decayWeekly, Params: staking.Params{
			Seats: uint64(cfg.Seats), MinSet: uint64(cfg.MinSet), EpochSlots: ticks(cfg.Epoch), Approvals: uint64(cfg.Approvals),
			UnbondingTicks: ticks(cfg.Unbonding), TrustingTicks: ticks(cfg.Trusting), MinStake: uint64(cfg.MinStake), SlashPPM: uint64(cfg.SlashPPM),
			SilenceTicks: ticks(cfg.Silence), JailMissedTurns: uint64(cfg.Jail),
		}},
	}
	if err := out.Staking.Validate(); err != nil {
		return settings{}, badConfig("%v", err)
	}
	// Who unstakes at the start of an epoch keeps its seat, and signs, until the epoch ends.
	if p := out.Staking.Params; p.TrustingTicks+p.EpochSlots > p.UnbondingTicks {
		return settings{}, badConfig("trusting (%s) and an epoch (%s) together are longer than unbonding (%s), so that clients would trust producers who have nothing to lose; make unbonding longer, or one of the others shorter",
			time.Duration(cfg.Trusting), time.Duration(cfg.Epoch), time.Duration(cfg.Unbonding))
	}
	return out, nil
}
