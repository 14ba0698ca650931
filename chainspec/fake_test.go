package chainspec

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// fakes are plugins that only describe themselves.
type fakes []plugin.Info

func (f fakes) Plugin(name string, kind plugin.Kind) (plugin.Info, bool) {
	for _, i := range f {
		if _, ok := i.Find(kind); ok && i.Name == name {
			return i, true
		}
	}
	return plugin.Info{}, false
}

func (f fakes) Names(kind plugin.Kind) (out []string) {
	for _, i := range f {
		if _, ok := i.Find(kind); ok {
			out = append(out, i.Name)
		}
	}
	sort.Strings(out)
	return out
}

func fake(name string, kind plugin.Kind, attrs ...plugin.Attribute) plugin.Info {
	return plugin.Info{Name: name, Version: "0.1.0", API: plugin.API,
		Kinds: []plugin.KindInfo{{Kind: kind, Rules: []string{"2", "1"}, Schema: plugin.Schema{Attributes: attrs}}}}
}

// builtins look like the built-in plugins, with one attribute of every type somewhere.
func builtins() fakes {
	return fakes{
		fake("dpospbft", plugin.Consensus,
			plugin.Attribute{Name: "slot", Type: plugin.Duration, Default: "500000000", ConsensusCritical: true, Min: "1000000"},
			plugin.Attribute{Name: "turn", Type: plugin.Number, Default: "6", ConsensusCritical: true, Min: "1", Max: "100"},
			plugin.Attribute{Name: "max_unfinal", Type: plugin.Number, Default: "64", ConsensusCritical: true},
			plugin.Attribute{Name: "verbose", Type: plugin.Bool, Default: "false"}),
		fake("solo", plugin.Consensus),
		fake("forth", plugin.VM,
			plugin.Attribute{Name: "gas_limit", Type: plugin.Number, Default: "1000000", ConsensusCritical: true, Min: "1000"},
			plugin.Attribute{Name: "dialect", Type: plugin.String, Default: `"paper"`, ConsensusCritical: true, OneOf: []string{"paper", "ans"}},
			plugin.Attribute{Name: "words", Type: plugin.StringList, ConsensusCritical: true},
			plugin.Attribute{Name: "cache", Type: plugin.Size, Default: "1048576", Min: "4096"}),
		fake("cometbftdb", plugin.Storage,
			plugin.Attribute{Name: "backend", Type: plugin.String, Default: `"pebbledb"`, OneOf: []string{"pebbledb", "goleveldb", "memdb"}},
			plugin.Attribute{Name: "cache", Type: plugin.Size, Default: "16777216", Min: "1048576", Max: "68719476736"}),
		fake("prophecy", plugin.Oracle,
			plugin.Attribute{Name: "base", Type: plugin.Amount, Default: "1000000", ConsensusCritical: true},
			plugin.Attribute{Name: "challenge", Type: plugin.Duration, Default: "86400000000000", ConsensusCritical: true, Min: "1000000000", Max: "2592000000000000"}),
		fake("udp", plugin.Transport, plugin.Attribute{Name: "buffer", Type: plugin.Size, Default: "4194304"}),
		fake("tcp", plugin.Transport),
		fake("names", plugin.Module, plugin.Attribute{Name: "owner", Type: plugin.String, Required: true, ConsensusCritical: true, Description: "who may add names"}),
	}
}

// write puts a file into a temporary folder.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadText(t testing.TB, text string, vars map[string]string) (*Spec, Diagnostics) {
	t.Helper()
	return Load(write(t, "spec.hcl", text), Options{Schemas: builtins(), Vars: vars})
}

func mustLoad(t testing.TB, text string) *Spec {
	t.Helper()
	s, diags := loadText(t, text, nil)
	if diags.HasErrors() {
		t.Fatalf("the spec has errors:\n%s", diags.Text())
	}
	return s
}

func testKey(n byte) types.PublicKey {
	k := make([]byte, 32)
	for i := range k {
		k[i] = n
	}
	return types.PublicKey{Scheme: types.SchemeEd25519, Key: k}
}

func testProducers(n int) (out []Producer) {
	for i := range n {
		out = append(out, Producer{Name: fmt.Sprintf("n%d", i), Key: testKey(byte(i + 1))})
	}
	return out
}

func testInput(c *Chain) ResolveInput {
	in := ResolveInput{TimeMs: 1_700_000_000_000, Producers: testProducers(c.Producers), Rules: NewestRules(builtins()),
		Account: func(name string) (types.AccountID, error) {
			return types.AccountID(types.Sum("test\x00", []byte(name))), nil
		}}
	if c.Parent != "" {
		id := types.Sum("test\x00", []byte(c.Parent))
		in.Parent = &id
	}
	return in
}

func mustResolve(t testing.TB, c *Chain) *Genesis {
	t.Helper()
	g, err := Resolve(c, testInput(c))
	if err != nil {
		t.Fatal(err)
	}
	return g
}
