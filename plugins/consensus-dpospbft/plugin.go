// Package dpospbft is the consensus plugin of delegated producers with two-phase finality: producers take turns in slots,
// and every block is voted on twice, so that it is irreversible three message delays after it was sent. The protocol is in
// package pbft, a pure state machine; here is what connects it with the core.
//
// The set of producers is fixed: by the rules of this version there is one epoch.
package dpospbft

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

const (
	pluginName    = "dpospbft"
	pluginVersion = "0.1.0"
	rulesVersion  = "1"

	defaultSlot       = 500 * time.Millisecond
	smallestSlot      = 50 * time.Millisecond
	largestSlot       = time.Hour
	defaultTurn       = 1
	largestTurn       = 1000
	defaultMaxUnfinal = 1800
	largestMaxUnfinal = 10_000

	slotHelp       = "length of a slot, in whole milliseconds; blocks become final at once only if messages need less than a slot"
	turnHelp       = "consecutive slots of one producer; 4 suits networks whose delay comes near a slot"
	maxUnfinalHelp = "with so many blocks above the last final one, producers make empty blocks until finality is back"
)

// Plugin returns the plugin.
func Plugin() plugin.Plugin { return consensusPlugin{} }

type consensusPlugin struct{}

// Describe implements plugin.Plugin.
func (consensusPlugin) Describe() plugin.Info {
	return plugin.Info{Name: pluginName, Version: pluginVersion, API: plugin.API, Kinds: []plugin.KindInfo{{
		Kind:  plugin.Consensus,
		Rules: []string{rulesVersion},
		Schema: plugin.Schema{Attributes: []plugin.Attribute{
			{Name: "slot", Type: plugin.Duration, Default: fmt.Sprint(int64(defaultSlot)), ConsensusCritical: true, Description: slotHelp,
				Min: fmt.Sprint(int64(smallestSlot)), Max: fmt.Sprint(int64(largestSlot))},
			{Name: "turn", Type: plugin.Number, Default: fmt.Sprint(defaultTurn), ConsensusCritical: true, Description: turnHelp,
				Min: "1", Max: fmt.Sprint(largestTurn)},
			{Name: "max_unfinal", Type: plugin.Number, Default: fmt.Sprint(defaultMaxUnfinal), ConsensusCritical: true,
				Description: maxUnfinalHelp, Min: "1", Max: fmt.Sprint(largestMaxUnfinal)},
		}},
	}}}
}

// config is what a chain spec says; see the schema.
type config struct {
	Slot       int64 `json:"slot"` // nanoseconds
	Turn       int64 `json:"turn"`
	MaxUnfinal int64 `json:"max_unfinal"`
}

// Open implements plugin.Plugin. The instance is an [*Engine].
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
	return newEngine(cfg), nil
}

func parseConfig(raw []byte) (pbft.Config, error) {
	cfg := config{Slot: int64(defaultSlot), Turn: defaultTurn, MaxUnfinal: defaultMaxUnfinal}
	if len(raw) > 0 {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&cfg); err != nil {
			return pbft.Config{}, fmt.Errorf("%s: %v: %w", pluginName, err, plugin.ErrBadConfig)
		}
		if dec.More() {
			return pbft.Config{}, fmt.Errorf("%s: more than one value: %w", pluginName, plugin.ErrBadConfig)
		}
	}
	for _, a := range []struct {
		name            string
		value, min, max int64
	}{
		{"slot", cfg.Slot, int64(smallestSlot), int64(largestSlot)},
		{"turn", cfg.Turn, 1, largestTurn},
		{"max_unfinal", cfg.MaxUnfinal, 1, largestMaxUnfinal},
	} {
		if a.value < a.min || a.value > a.max {
			return pbft.Config{}, fmt.Errorf("%s: %s = %d is outside %d to %d: %w", pluginName, a.name, a.value, a.min, a.max, plugin.ErrBadConfig)
		}
	}
	if cfg.Slot%int64(time.Millisecond) != 0 {
		return pbft.Config{}, fmt.Errorf("%s: slot = %s is not a whole number of milliseconds: %w", pluginName, time.Duration(cfg.Slot),
			plugin.ErrBadConfig)
	}
	return pbft.Config{SlotMs: uint64(cfg.Slot / int64(time.Millisecond)), Turn: uint64(cfg.Turn), MaxUnfinal: uint64(cfg.MaxUnfinal)}, nil
}
