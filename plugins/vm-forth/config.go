package vmforth

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// limits are what a chain allows its contracts; see the schema.
type limits struct {
	GasLimit      int64  `json:"gas_limit"`
	CodeBytes     int64  `json:"code_bytes"`
	EvidenceBytes int64  `json:"evidence_bytes"`
	StackDepth    int64  `json:"stack_depth"`
	ReturnDepth   int64  `json:"return_depth"`
	ArenaBytes    int64  `json:"arena_bytes"`
	DataBytes     int64  `json:"data_bytes"`
	Definitions   int64  `json:"definitions"`
	Variables     int64  `json:"variables"`
	Result        string `json:"result"`
	Dialect       string `json:"dialect"`
}

const (
	dialectPaloalto = "paloalto"
	resultDefault   = "burn-pay-nonce"
	// maxBytes is the longest byte string. It is no setting, since a cell's layout rests on it.
	maxBytes = 1024
	// maxExpansion bounds what the macros of one source may expand to, in bytes of text.
	maxExpansion = 64 << 10
)

// number is an attribute that has bounds. The table is the schema and the check of what Open is given.
type number struct {
	name          string
	kind          plugin.AttrType
	to            func(*limits) *int64
	def, min, max int64
	description   string
}

func numbers() []number {
	return []number{
		{"gas_limit", plugin.Number, func(l *limits) *int64 { return &l.GasLimit }, 1_000_000, 1_000, 100_000_000,
			"gas that one run may use, whatever the transaction allows"},
		{"code_bytes", plugin.Size, func(l *limits) *int64 { return &l.CodeBytes }, 16 << 10, 256, 64<<10 - 1, "longest code"},
		{"evidence_bytes", plugin.Size, func(l *limits) *int64 { return &l.EvidenceBytes }, 8 << 10, 256, 64<<10 - 1, "longest evidence"},
		{"stack_depth", plugin.Number, func(l *limits) *int64 { return &l.StackDepth }, 1024, 16, 4096, "values on the data stack"},
		{"return_depth", plugin.Number, func(l *limits) *int64 { return &l.ReturnDepth }, 256, 16, 4096, "values on the return stack"},
		{"arena_bytes", plugin.Size, func(l *limits) *int64 { return &l.ArenaBytes }, 256 << 10, 4 << 10, 16 << 20,
			"all byte strings that a run makes, together"},
		{"data_bytes", plugin.Size, func(l *limits) *int64 { return &l.DataBytes }, 64 << 10, 4 << 10, 1 << 20, "the data space of a run"},
		{"definitions", plugin.Number, func(l *limits) *int64 { return &l.Definitions }, 256, 1, 4096, "words that code or evidence may define"},
		{"variables", plugin.Number, func(l *limits) *int64 { return &l.Variables }, 256, 0, 512, "variables that a source may define"},
	}
}

func schema() plugin.Schema {
	var attrs []plugin.Attribute
	for _, n := range numbers() {
		attrs = append(attrs, plugin.Attribute{Name: n.name, Type: n.kind, Default: fmt.Sprint(n.def), Min: fmt.Sprint(n.min), Max: fmt.Sprint(n.max),
			ConsensusCritical: true, Description: n.description})
	}
	return plugin.Schema{Attributes: append(attrs,
		plugin.Attribute{Name: "result", Type: plugin.String, Default: `"` + resultDefault + `"`, ConsensusCritical: true, OneOf: []string{resultDefault},
			Description: "what a contract leaves on the stack: the amount burned, the amount paid to the first participant, the nonce"},
		plugin.Attribute{Name: "dialect", Type: plugin.String, Default: `"` + dialectPaloalto + `"`, OneOf: []string{dialectPaloalto},
			Description: "the language of sources that do not name theirs"})}
}

// parseLimits takes the configuration of Open; what is missing has its default. Errors wrap plugin.ErrBadConfig.
func parseLimits(config []byte) (limits, error) {
	l := limits{Result: resultDefault, Dialect: dialectPaloalto}
	for _, n := range numbers() {
		*n.to(&l) = n.def
	}
	if len(config) > 0 {
		d := json.NewDecoder(bytes.NewReader(config))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			return limits{}, fmt.Errorf("%w: %v", plugin.ErrBadConfig, err)
		}
		if d.More() {
			return limits{}, fmt.Errorf("%w: more than one value", plugin.ErrBadConfig)
		}
	}
	for _, n := range numbers() {
		if v := *n.to(&l); v < n.min || v > n.max {
			return limits{}, fmt.Errorf("%w: %s is %d, allowed is %d to %d", plugin.ErrBadConfig, n.name, v, n.min, n.max)
		}
	}
	if l.Result != resultDefault {
		return limits{}, fmt.Errorf("%w: result %q is not available in this version; it has %q", plugin.ErrBadConfig, l.Result, resultDefault)
	}
	if l.Dialect != dialectPaloalto {
		return limits{}, fmt.Errorf("%w: dialect %q is not available in this version; it has %q", plugin.ErrBadConfig, l.Dialect, dialectPaloalto)
	}
	return l, nil
}
