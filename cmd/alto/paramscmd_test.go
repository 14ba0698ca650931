package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/params"
)

func testRegistry() *params.Registry {
	entry := func(name, kind string) params.Entry { return params.Entry{Name: name, Type: kind} }
	fixed := entry("limits.tx_bytes", "size")
	fixed.Fixed = true
	choice := entry("m.rule", "string")
	choice.OneOf = []string{"fast", "slow"}
	return &params.Registry{Params: []params.Entry{entry("fees.floor", "amount"), fixed, entry("m.count", "number"), entry("m.open", "bool"), choice,
		entry("m.size", "size"), entry("m.window", "duration"), entry("m.odd", "colour")}}
}

// TestParseChanges: what people write becomes what the chain reads, and what is shown can be written again.
func TestParseChanges(t *testing.T) {
	r := testRegistry()
	for _, c := range []struct{ arg, want, shown string }{
		{"fees.floor=0.5", "500000", "0.5 ALTO"}, {"fees.floor=2 ALTO", "2000000", "2 ALTO"}, {"m.count=-7", "-7", "-7"}, {"m.open=true", "true", "true"},
		{"m.rule=slow", `"slow"`, "slow"}, {"m.size=64KiB", "65536", "64KiB"}, {"m.window=1h30m", "5400000000000", "90m"},
	} {
		got, err := parseChanges(r, []string{c.arg}, "ALTO")
		if err != nil || len(got) != 1 || string(got[0].Value) != c.want {
			t.Errorf("%s: %s, %v", c.arg, got, err)
			continue
		}
		shown := valueText(r.Find(got[0].Name).Type, got[0].Value, "ALTO")
		if shown != c.shown {
			t.Errorf("%s is shown as %q, want %q", c.arg, shown, c.shown)
		}
		again, err := parseChanges(r, []string{got[0].Name + "=" + shown}, "ALTO")
		if err != nil || string(again[0].Value) != c.want {
			t.Errorf("%q is not read again: %s, %v", shown, again, err)
		}
	}
	sorted, err := parseChanges(r, []string{"m.open=false", "fees.floor=1"}, "ALTO")
	if err != nil || sorted[0].Name != "fees.floor" {
		t.Error(sorted, err)
	}
	many := strings.Fields(strings.Repeat("m.count=1 ", params.MaxChanges+1))
	for want, args := range map[string][]string{
		"write NAME=VALUE":          {"fees.floor"},
		`did you mean "fees.floor"`: {"fees.flor=1"},
		"fixed for the life":        {"limits.tx_bytes=1KiB"},
		"is there twice":            many,
		"not a number":              {"fees.floor=lots"},
		"no whole number":           {"m.count=1.5"},
		"it must be true or false":  {"m.open=1"},
		`did you mean "fast"`:       {"m.rule=fats"},
		"the unit is missing":       {"m.window=5"},
		"does not know":             {"m.odd=red"},
	} {
		if _, err := parseChanges(r, args, "ALTO"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if got := valueText("amount", nil, "ALTO"); got != "-" {
		t.Error(got)
	}
	if got := valueText("colour", json.RawMessage(`{"a":1}`), "ALTO"); got != `{"a":1}` {
		t.Error(got)
	}
}
