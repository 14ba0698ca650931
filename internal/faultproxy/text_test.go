package faultproxy

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const scenarioText = `# a bad minute
0s   link * > * loss=1% delay=50ms jitter=10ms
5s   link n1 > n2 rate=100k,queue=64k normal   # one direction only
10s  partition n1 n2 | n3 n4
20s  heal
30s  reset
`

func TestParseScenario(t *testing.T) {
	got, err := ParseScenario(scenarioText)
	want := []Step{
		{Do: SetLink, From: "*", To: "*", Faults: Faults{Loss: 0.01, Delay: 50 * ms, Jitter: 10 * ms}},
		{At: 5 * time.Second, Do: SetLink, From: "n1", To: "n2", Faults: Faults{Rate: 100_000, Queue: 64_000, Normal: true}},
		{At: 10 * time.Second, Do: SplitGroups, Groups: [][]string{{"n1", "n2"}, {"n3", "n4"}}},
		{At: 20 * time.Second, Do: HealGroups},
		{At: 30 * time.Second, Do: ResetAll},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestBadScenarios(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no time":              {"heal", "no time"},
		"below zero":           {"-1s heal", "no time"},
		"no action":            {"1s", "no action"},
		"another action":       {"1s explode", "not one of"},
		"words after":          {"1s heal n1", "no words"},
		"out of order":         {"2s heal\n1s heal", "line 2"},
		"no arrow":             {"1s link a b loss=1%", "FROM > TO"},
		"no faults":            {"1s link a > b", "FROM > TO"},
		"name":                 {"1s link a! > b none", "character"},
		"long name":            {"1s link " + strings.Repeat("a", 65) + " > b none", "64 bytes"},
		"star in a group":      {"1s partition *", "character"},
		"empty group":          {"1s partition a | | b", "empty"},
		"no group":             {"1s partition", "empty"},
		"too many groups":      {"1s partition " + strings.Repeat("a|", 64) + "a", "groups"},
		"too long":             {strings.Repeat("#", MaxScenario+1), "bytes"},
		"too many steps":       {strings.Repeat("1s heal\n", MaxSteps+1), "steps"},
		"twice":                {"0s link a > b loss=1% loss=2%", "twice"},
		"probability":          {"0s link a > b loss=101%", "probability"},
		"not a number":         {"0s link a > b loss=NaN", "probability"},
		"below zero share":     {"0s link a > b corrupt=-0.1", "probability"},
		"no value":             {"0s link a > b delay", "invalid"},
		"delay too long":       {"0s link a > b delay=61s", "delay"},
		"gap":                  {"0s link a > b gap=-1s", "gap"},
		"rate":                 {"0s link a > b rate=-1", "rate"},
		"rate over the limit":  {"0s link a > b rate=9223372036854775807M", "too large"},
		"queue":                {"0s link a > b queue=68M", "queue"},
		"mtu":                  {"0s link a > b mtu=-1", "mtu"},
		"another fault":        {"0s link a > b gravity=1", "not one of"},
		"flag with a value":    {"0s link a > b normal=1", "with a value"},
		"none and another one": {"0s link a > b none loss=1%", "not one of"},
		"only commas":          {"0s link a > b ,,", "no word"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseScenario(c.text)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add(scenarioText)
	f.Add("0s link a > * loss=1e-3 duplicate=1 corrupt=.5 reorder=2% gap=1us keep-order mtu=1200")
	f.Add("1h partition a/b:1 | c | a")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := ParseScenario(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		var b strings.Builder
		for _, s := range steps {
			b.WriteString(s.String() + "\n")
		}
		if b.Len() > MaxScenario {
			return
		}
		again, err := ParseScenario(b.String())
		if err != nil || !reflect.DeepEqual(again, steps) {
			t.Fatalf("%q is read as %v, %v", b.String(), again, err)
		}
	})
}
