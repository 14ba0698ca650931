package vmforth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// number is an attribute that has bounds. The table is the schema and the check of what Open is given.
type number struct {
	name          string
	kind          plugin.AttrType
	to            func(*bytecode.Limits) *int64
	def, min, max int64
	description   string
}

func numbers() []number {
	return []number{
		{"gas_limit", plugin.Number, func(l *bytecode.Limits) *int64 { return &l.GasLimit }, 1_000_000, 1_000, 100_000_000,
			"gas that one run may use, whatever the transaction allows"},
		{"code_bytes", plugin.Size, func(l *bytecode.Limits) *int64 { return &l.CodeBytes }, 16 << 10, 256, 64<<10 - 1, "longest code"},
		{"evidence_bytes", plugin.Size, func(l *bytecode.Limits) *int64 { return &l.EvidenceBytes }, 8 << 10, 256, 64<<10 - 1, "longest evidence"},
		{"stack_depth", plugin.Number, func(l *bytecode.Limits) *int64 { return &l.StackDepth }, 1024, 16, 4096, "values on the data stack"},
		{"return_depth", plugin.Number, func(l *bytecode.Limits) *int64 { return &l.ReturnDepth }, 256, 16, 4096, "values on the return stack"},
		{"arena_bytes", plugin.Size, func(l *bytecode.Limits) *int64 { return &l.ArenaBytes }, 256 << 10, 4 << 10, 16 << 20,
			"all byte strings that a run makes, together"},
		{"data_bytes", plugin.Size, func(l *bytecode.Limits) *int64 { return &l.DataBytes }, 64 << 10, 4 << 10, 1 << 20, "the data space of a run"},
		{"definitions", plugin.Number, func(l *bytecode.Limits) *int64 { return &l.Definitions }, 256, 1, 4096, "words that code or evidence may define"},
		{"variables", plugin.Number, func(l *bytecode.Limits) *int64 { return &l.Variables }, 256, 0, 512, "numbered slots that a contract may use, and variables that a source may define"},
	}
}

// choice is an attribute that is one of several words, the default first.
type choice struct {
	name        string
	to          func(*config) *string
	options     []string
	critical    bool
	description string
	other       string // what to do about another word
}

func choices() []choice {
	return []choice{
		{"result", func(c *config) *string { return &c.Result }, []string{"burn-pay-nonce", "delay-nonce-amount"}, true,
			"what contracts leave on the stack whose source does not say so: the amount burned, the amount paid to the first participant, the nonce; or " +
				"the delay, the nonce, the amount paid to the first participant", ""},
		{"gas_schedule", func(c *config) *string { return &c.GasSchedule }, schedules(), true, "SHA-256 of the gas schedule, in hexadecimal digits: what each instruction costs",
			"leave the attribute out in a new chain; for a chain that has another one, use the build that it was made with"},
		{"dialect", func(c *config) *string { return &c.Dialect }, []string{lang.Paloalto, lang.Chalang, lang.Forth2012}, false,
			"the language of sources that do not name theirs", ""},
		{"hot_tier", func(c *config) *string { return &c.HotTier }, []string{hotOff, hotWazero}, false,
			"whether contracts that run long are compiled to machine code, which gives the same results sooner: wazero, or off", ""},
	}
}

const (
	hotOff    = "off"
	hotWazero = "wazero"
)

// schedules are the hashes of the gas schedules that this build has.
func schedules() []string {
	h := bytecode.GasTableHash()
	return []string{hex.EncodeToString(h[:])}
}

// config is what Open is given.
type config struct {
	bytecode.Limits
	GasSchedule string `json:"gas_schedule"`
	HotTier     string `json:"hot_tier"`
}

func schema() plugin.Schema {
	var attrs []plugin.Attribute
	for _, n := range numbers() {
		attrs = append(attrs, plugin.Attribute{Name: n.name, Type: n.kind, Default: fmt.Sprint(n.def), Min: fmt.Sprint(n.min), Max: fmt.Sprint(n.max),
			ConsensusCritical: true, Description: n.description})
	}
	for _, c := range choices() {
		attrs = append(attrs, plugin.Attribute{Name: c.name, Type: plugin.String, Default: `"` + c.options[0] + `"`, ConsensusCritical: c.critical,
			OneOf: c.options, Description: c.description})
	}
	return plugin.Schema{Attributes: attrs}
}

// parseConfig takes the configuration of Open; what is missing has its default. Errors wrap plugin.ErrBadConfig.
func parseConfig(text []byte) (config, error) {
	var c config
	for _, n := range numbers() {
		*n.to(&c.Limits) = n.def
	}
	for _, w := range choices() {
		*w.to(&c) = w.options[0]
	}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return config{}, fmt.Errorf("%w: %v", plugin.ErrBadConfig, err)
		}
		if d.More() {
			return config{}, fmt.Errorf("%w: more than one value", plugin.ErrBadConfig)
		}
	}
	for _, n := range numbers() {
		if v := *n.to(&c.Limits); v < n.min || v > n.max {
			return config{}, fmt.Errorf("%w: %s is %d, allowed is %d to %d", plugin.ErrBadConfig, n.name, v, n.min, n.max)
		}
	}
	for _, w := range choices() {
		if v := *w.to(&c); !slices.Contains(w.options, v) {
			err := fmt.Errorf("%w: %s %.80q is unknown; this build has %s", plugin.ErrBadConfig, w.name, v, strings.Join(w.options, ", "))
			if w.other != "" {
				err = fmt.Errorf("%w; %s", err, w.other)
			}
			return config{}, err
		}
	}
	return c, nil
}
