package prophecy

import (
	"bytes"
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
	rulesVersion  = "1"
	coin          = 1_000_000 // smallest units of a token
	observerNone  = "none"
)

// Defaults of the attributes.
const (
	defaultBase      = 100 * coin
	defaultPerDay    = 1 * coin
	defaultExpiryFee = 1 * coin
	defaultWindow    = 24 * time.Hour
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
	window := func(name, text string) plugin.Attribute {
		return plugin.Attribute{Name: name, Type: plugin.Duration, Default: fmt.Sprint(int64(defaultWindow)), Min: fmt.Sprint(int64(shortestWindow)),
			Max: fmt.Sprint(int64(longestWindow)), ConsensusCritical: true, Description: text}
	}
	return plugin.Info{Name: pluginName, Version: pluginVersion, API: plugin.API, Kinds: []plugin.KindInfo{{
		Kind: plugin.Oracle, Rules: []string{rulesVersion}, HasModule: true,
		Schema: plugin.Schema{Attributes: []plugin.Attribute{
			amount("base", defaultBase, "part of every question's deposit"),
			amount("per_day", defaultPerDay, "part of the deposit for each day until answer_by, begun days included"),
			amount("expiry_fee", defaultExpiryFee, "burned of the deposit of a question that nobody answers"),
			window("challenge", "how long an answer can be contradicted before it is final"),
			window("initiator_window", "how long, from open on, only the asker may answer"),
			{Name: "observer", Type: plugin.String, Default: `"` + observerNone + `"`, OneOf: []string{observerNone},
				Description: "where this node's own answers come from; none: it has none, and never votes"},
		}},
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

// config is what a chain spec says; see the schema.
type config struct {
	Base            amount        `json:"base"`
	PerDay          amount        `json:"per_day"`
	ExpiryFee       amount        `json:"expiry_fee"`
	Challenge       time.Duration `json:"challenge"`
	InitiatorWindow time.Duration `json:"initiator_window"`
	Observer        string        `json:"observer"`
}

// Open implements plugin.Plugin. The instance is an [*Oracle].
func (oraclePlugin) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
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
	cfg, err := parseConfig(req.Config)
	if err != nil {
		return nil, err
	}
	tick, err := tickOf(req.Genesis)
	if err != nil {
		return nil, err
	}
	terms := oracle.Terms{
		TickNs: uint64(tick), Base: uint64(cfg.Base), PerDay: uint64(cfg.PerDay), ExpiryFee: uint64(cfg.ExpiryFee),
		Challenge: oracle.Ticks(cfg.Challenge, tick), InitiatorWindow: oracle.Ticks(cfg.InitiatorWindow, tick),
	}
	if err := terms.Validate(); err != nil {
		return nil, badConfig("%v", err)
	}
	return New(chain, terms), nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", pluginName, fmt.Sprintf(format, args...), plugin.ErrBadConfig)
}

func parseConfig(raw []byte) (config, error) {
	cfg := config{Base: defaultBase, PerDay: defaultPerDay, ExpiryFee: defaultExpiryFee, Challenge: defaultWindow,
		InitiatorWindow: defaultWindow, Observer: observerNone}
	if len(raw) > 0 {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&cfg); err != nil {
			return cfg, badConfig("%v", err)
		}
		if dec.More() {
			return cfg, badConfig("more than one value")
		}
	}
	for name, v := range map[string]amount{"base": cfg.Base, "per_day": cfg.PerDay, "expiry_fee": cfg.ExpiryFee} {
		if v > largestAmount {
			return cfg, badConfig("%s of %d is above %d", name, v, uint64(largestAmount))
		}
	}
	for name, v := range map[string]time.Duration{"challenge": cfg.Challenge, "initiator_window": cfg.InitiatorWindow} {
		if v < shortestWindow || v > longestWindow {
			return cfg, badConfig("%s of %s is outside %s to %s", name, v, shortestWindow, longestWindow)
		}
	}
	if cfg.Observer != observerNone {
		return cfg, badConfig("observer %q is unknown; this build has %q", cfg.Observer, observerNone)
	}
	return cfg, nil
}

// tickOf reads from a genesis document how long a tick of the chain's clock is: its slot at genesis. All else in the
// document is the core's business.
func tickOf(genesis []byte) (time.Duration, error) {
	var g struct {
		SlotMs uint64 `json:"slot_ms"`
	}
	if len(genesis) == 0 {
		return 0, badConfig("no genesis document, so that the length of a slot is unknown")
	}
	if err := json.Unmarshal(genesis, &g); err != nil {
		return 0, badConfig("genesis document: %v", err)
	}
	if g.SlotMs == 0 || g.SlotMs > uint64(24*time.Hour/time.Millisecond) {
		return 0, badConfig("genesis document: slot_ms is %d or missing; it must be the length of a slot, from 1 ms to 24 h", g.SlotMs)
	}
	return time.Duration(g.SlotMs) * time.Millisecond, nil
}
