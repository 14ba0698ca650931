package chainspec

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func constantRules(v string) func(string, plugin.Kind) (string, error) {
	return func(string, plugin.Kind) (string, error) { return v, nil }
}

func TestResolveErrors(t *testing.T) {
	child := strings.Replace(goldenSpec, "supply = 1000", "token = \"C\"\n    supply = 1000", 1)
	spec := mustLoad(t, goldenSpec+strings.Replace(child, `chain "root" {`, "chain \"child\" {\n  parent = chain.root", 1))
	root, below := spec.Chains[0], spec.Chains[1]
	cases := []struct {
		name   string
		chain  *Chain
		change func(*ResolveInput)
		want   string
	}{
		{"no parent", below, func(in *ResolveInput) { in.Parent = nil }, `the id of its parent "root" is missing`},
		{"too few keys", root, func(in *ResolveInput) { in.Producers = in.Producers[:3] }, "4 producers, keys are there for 3"},
		{"no accounts", root, func(in *ResolveInput) { in.Account = nil }, `allocation "a" has no account`},
		{"account fails", root, func(in *ResolveInput) {
			in.Account = func(string) (types.AccountID, error) { return types.AccountID{}, errors.New("no key") }
		}, "no key"},
		{"nobody knows rules", root, func(in *ResolveInput) { in.Rules = nil }, "rules versions"},
		{"unknown plugin", root, func(in *ResolveInput) { in.Rules = NewestRules(fakes{fake("dpospbtf", plugin.Consensus)}) }, `did you mean "dpospbtf"?`},
		{"rules are no version", root, func(in *ResolveInput) { in.Rules = constantRules("a b") }, "rules version"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := testInput(c.chain)
			c.change(&in)
			if g, err := Resolve(c.chain, in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, %v; want an error about %q", g, err, c.want)
			}
		})
	}
	g := mustResolve(t, below)
	if g.Parent == nil || g.Consensus.Rules != "2" {
		t.Fatalf("parent %v, rules %q", g.Parent, g.Consensus.Rules)
	}
}

func TestResolveWithKeysOfTheSpec(t *testing.T) {
	text := strings.Replace(goldenSpec, "    producers = 4\n", "", 1)
	text = strings.Replace(text, "genesis {", "genesis {\n    producer \"north\" {\n      key = \""+testKey(3).String()+"\"\n      stake = 5\n    }", 1)
	c := mustLoad(t, text).Chains[0]
	in := testInput(c)
	in.Producers = testProducers(9) // not asked for
	g, err := Resolve(c, in)
	if err != nil || len(g.Producers) != 1 || g.Producers[0].Stake != 5*Unit || g.Producers[0].Name != "north" {
		t.Fatalf("%v, %+v", err, g)
	}
}

func TestMergeConfig(t *testing.T) {
	info, _ := builtins().Plugin("forth", plugin.VM)
	ki, _ := info.Find(plugin.VM)
	cases := []struct{ name, critical, local, want, err string }{
		{"both", `{"gas_limit":5000,"dialect":"ans"}`, `{"cache":8192}`, `{"cache":8192,"dialect":"ans","gas_limit":5000}`, ""},
		{"defaults", ``, ``, `{"cache":1048576,"dialect":"paper","gas_limit":1000000}`, ""},
		{"critical is not taken from local", `{"gas_limit":5000}`, `{"gas_limit":6000}`, `{"cache":1048576,"dialect":"paper","gas_limit":5000}`, ""},
		{"unknown in genesis", `{"colour":1}`, ``, "", `sets "colour", which the plugin does not know`},
		{"local in genesis", `{"cache":8192}`, ``, "", "calls local"},
		{"out of range", `{"gas_limit":1}`, ``, "", "gas_limit: 1 is not allowed"},
		{"damaged", `{`, ``, "", "genesis document"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := MergeConfig(ki.Schema, json.RawMessage(c.critical), json.RawMessage(c.local))
			if c.err == "" && (err != nil || string(got) != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("%s, %v", got, err)
			}
		})
	}
}
