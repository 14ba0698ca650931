package prophecy

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const (
	pluginName    = "prophecy"
	pluginVersion = "0.1.0"
	rulesVersion  = "2"
	coin          = 1_000_000 // smallest units of a token
)

// Defaults of the attributes.
const (
	defaultBase      = 100 * coin
	defaultPerDay    = 1 * coin
	defaultExpiryFee = 1 * coin
	defaultWindow    = 24 * time.Hour
	defaultNotice    = 5 * time.Second
	defaultVote      = time.Minute // at least, for commits and for reveals
	defaultBurnPPM   = oracle.LeastBurnPPM
	shortestWindow   = time.Millisecond
	longestWindow    = oracle.MaxDaysAhead * 24 * time.Hour
	largestAmount    = math.MaxUint64 / 4 / oracle.MaxDaysAhead
)

// Plugin returns the plugin.
func Plugin() plugin.Plugin { return oraclePlugin{} }

type oraclePlugin struct{}

// Describe implements plugin.Plugin.
func (oraclePlugin) Describe() plugin.Info {
	amount := func(name string, def uint64, text string) plugin.Attribute {
		return plugin.Attribute{Name: name, Type: plugin.Amount, Default: fmt.Sprint(def), Min: "0", Max: fmt.Sprint(uint64(largestAmount)),
			ConsensusCritical: true, Description: text}
	}
	window := func(name string, def time.Duration, text string) plugin.Attribute {
		return plugin.Attribute{Name: name, Type: plugin.Duration, Default: fmt.Sprint(int64(def)), Min: fmt.Sprint(int64(shortestWindow)),
			Max: fmt.Sprint(int64(longestWindow)), ConsensusCritical: true, Description: text}
	}
	attributes := []plugin.Attribute{
		amount("base", defaultBase, "part of every question's deposit"),
		amount("per_day", defaultPerDay, "part of the deposit for each day until answer_by, begun days included"),
		amount("expiry_fee", defaultExpiryFee, "burned of the deposit of a question that nobody answers"),
		window("challenge", defaultWindow, "how long an answer can be contradicted before it is final"),
		window("initiator_window", defaultWindow, "how long, from open on, only the asker may answer"),
		window("notice", defaultNotice, "how long the producers have, after a counter, before they may commit to a value"),
		window("commit_window", defaultVote, "how long they may commit; never less than four turns of each of them"),
		window("reveal_window", defaultVote, "how long they may reveal; never less than four turns of each of them"),
		{Name: "burn_ppm", Type: plugin.Number, Default: fmt.Sprint(defaultBurnPPM), Min: fmt.Sprint(oracle.LeastBurnPPM), Max: "1000000",
			ConsensusCritical: true, Description: "how many millionths of a lost bond are burned"},
	}
	return plugin.Info{Name: pluginName, Version: pluginVersion, API: plugin.API, Kinds: []plugin.KindInfo{{
		Kind: plugin.Oracle, Rules: []string{rulesVersion}, HasModule: true, Exports: []string{oracle.ExportedPrefix},
		Schema: plugin.Schema{Attributes: append(attributes, observerAttributes()...)},
	}}}
}

// amount is a number of the smallest unit, as a JSON number or as a decimal string, as genesis documents have it.
type amount uint64

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(b []byte) error {
	s := string(b)
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		s = s[1 : n-1]
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return fmt.Errorf("amount %.40s is not a whole number of the smallest unit", b)
	}
	*a = amount(v)
	return nil
}

// config is what a chain spec says of the rules; see the schema.
type config struct {
	Base            amount        `json:"base"`
	PerDay          amount        `json:"per_day"`
	ExpiryFee       amount        `json:"expiry_fee"`
	Challenge       time.Duration `json:"challenge"`
	InitiatorWindow time.Duration `json:"initiator_window"`
	Notice          time.Duration `json:"notice"`
	CommitWindow    time.Duration `json:"commit_window"`
	RevealWindow    time.Duration `json:"reveal_window"`
	BurnPPM         uint64        `json:"burn_ppm"`
}

// Open implements plugin.Plugin. The instance is an [*Oracle].
func (oraclePlugin) Open(ctx context.Context, host plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.Oracle {
		return nil, fmt.Errorf("open a %s instance of %s: %w", req.Kind, pluginName, plugin.ErrWrongKind)
	}
	if req.Rules != "" && req.Rules != rulesVersion {
		return nil, badConfig("rules version %q is unknown, this build has %q", req.Rules, rulesVersion)
	}
	var chain types.ChainID
	if len(req.ChainID) != len(chain) {
		return nil, badConfig("a chain id of %d bytes", len(req.ChainID))
	}
	copy(chain[:], req.ChainID)
	cfg, others, err := parseConfig(req.Config)
	if err != nil {
		return nil, err
	}
	tick, turn, err := clockOf(req.Genesis)
	if err != nil {
		return nil, err
	}
	terms := oracle.Terms{
		TickNs: uint64(tick), Base: uint64(cfg.Base), PerDay: uint64(cfg.PerDay), ExpiryFee: uint64(cfg.ExpiryFee),
		Challenge: oracle.Ticks(cfg.Challenge, tick), InitiatorWindow: oracle.Ticks(cfg.InitiatorWindow, tick),
		Notice: oracle.Ticks(cfg.Notice, tick), CommitWindow: oracle.Ticks(cfg.CommitWindow, tick), RevealWindow: oracle.Ticks(cfg.RevealWindow, tick),
		Turn: turn, BurnPPM: cfg.BurnPPM,
	}
	if err := terms.Validate(); err != nil {
		return nil, badConfig("%v", err)
	}
	o := New(chain, terms)
	if o.voter, err = openVoter(ctx, host, req, chain, terms, others); err != nil {
		return nil, err
	}
	return o, nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", pluginName, fmt.Sprintf(format, args...), plugin.ErrBadConfig)
}

// parseConfig reads what is for the rules, and returns the other attributes as they are.
func parseConfig(raw []byte) (cfg config, others map[string]json.RawMessage, err error) {
	cfg = config{Base: defaultBase, PerDay: defaultPerDay, ExpiryFee: defaultExpiryFee, Challenge: defaultWindow, InitiatorWindow: defaultWindow,
		Notice: defaultNotice, CommitWindow: defaultVote, RevealWindow: defaultVote, BurnPPM: defaultBurnPPM}
	if len(raw) == 0 {
		return cfg, nil, nil
	}
	if err := json.Unmarshal(raw, &others); err != nil {
		return cfg, nil, badConfig("%v", err)
	}
	for _, f := range []struct {
		name string
		into any
	}{
		{"base", &cfg.Base}, {"per_day", &cfg.PerDay}, {"expiry_fee", &cfg.ExpiryFee}, {"challenge", &cfg.Challenge},
		{"initiator_window", &cfg.InitiatorWindow}, {"notice", &cfg.Notice}, {"commit_window", &cfg.CommitWindow},
		{"reveal_window", &cfg.RevealWindow}, {"burn_ppm", &cfg.BurnPPM},
	} {
		v, ok := others[f.name]
		if !ok {
			continue
		}
		delete(others, f.name)
		if err := json.Unmarshal(v, f.into); err != nil {
			return cfg, nil, badConfig("%s: %v", f.name, err)
		}
		switch v := f.into.(type) {
		case *amount:
			if *v > largestAmount {
				return cfg, nil, badConfig("%s of %d is above %d", f.name, *v, uint64(largestAmount))
			}
		case *time.Duration:
			if *v < shortestWindow || *v > longestWindow {
				return cfg, nil, badConfig("%s of %s is outside %s to %s", f.name, *v, shortestWindow, longestWindow)
			}
		}
	}
	return cfg, others, nil
}

// clockOf reads from a genesis document how long a tick of the chain's clock is, which is its slot at genesis, and how many slots
// in a row are one producer's: the consensus plugin's "turn", one if it has none. All else in the document is the core's
// business.
func clockOf(genesis []byte) (tick time.Duration, turn uint64, err error) {
	var g struct {
		SlotMs    uint64 `json:"slot_ms"`
		Consensus struct {
			Config map[string]json.RawMessage `json:"config"`
		} `json:"consensus"`
	}
	if len(genesis) == 0 {
		return 0, 0, badConfig("no genesis document, so that the length of a slot is unknown")
	}
	if err := json.Unmarshal(genesis, &g); err != nil {
		return 0, 0, badConfig("genesis document: %v", err)
	}
	if g.SlotMs == 0 || g.SlotMs > uint64(24*time.Hour/time.Millisecond) {
		return 0, 0, badConfig("genesis document: slot_ms is %d or missing; it must be the length of a slot, from 1 ms to 24 h", g.SlotMs)
	}
	turn = 1
	if v, ok := g.Consensus.Config["turn"]; ok {
		if err := json.Unmarshal(v, &turn); err != nil || turn == 0 {
			return 0, 0, badConfig("genesis document: the consensus configuration has a turn of %.40s; it must be a number of slots", v)
		}
	}
	return time.Duration(g.SlotMs) * time.Millisecond, turn, nil
}
