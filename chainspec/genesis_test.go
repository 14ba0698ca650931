package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// goldenSpec uses every part of a genesis document.
const goldenSpec = `
chain "root" {
  consensus "dpospbft" {
    slot      = "500ms"
    producers = 4
  }
  vm "forth" {}
  storage "cometbftdb" { backend = "pebbledb" }
  oracle "prophecy" {}
  transport "udp" {}
  module "names" { owner = "me" }
  genesis {
    supply = 1000
    allocation "a" { share = 60 }
    allocation "b" {
      share = 40
      vesting {
        cliff    = "1d"
        duration = "10d"
        step     = "1h"
      }
    }
  }
}
`

// goldenID is the chain id of goldenSpec. If it changes, every chain that exists changes its name: do not mend the vector, mend the code.
const goldenID = "e449ec0b329b6e7646e3ec5328e2e07fd9b0697af180a97972b335749348af12"

func TestGoldenChainID(t *testing.T) {
	g := mustResolve(t, mustLoad(t, goldenSpec).Chains[0])
	want, err := os.ReadFile("testdata/genesis.json")
	if *update {
		err = os.WriteFile("testdata/genesis.json", g.Encode(), 0o600)
		want = g.Encode()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Encode(); !bytes.Equal(got, want) {
		t.Errorf("document:\n%s\nwant:\n%s", got, want)
	}
	if got := g.ID().String(); got != goldenID {
		t.Errorf("chain id %s, want %s", got, goldenID)
	}
}

// TestWhatChangesTheChainID edits the spec: local settings must not be seen in the id, critical ones must.
func TestWhatChangesTheChainID(t *testing.T) {
	base := mustResolve(t, mustLoad(t, goldenSpec).Chains[0]).ID()
	cases := []struct {
		name, old, new string
		changes        bool
	}{
		{"storage backend", `"pebbledb"`, `"goleveldb"`, false},
		{"storage cache", `backend = "pebbledb"`, `cache = "64MiB"`, false},
		{"isolation", `vm "forth" {}`, `vm "forth" { isolation = "chain" }`, false},
		{"memory", `vm "forth" {}`, `vm "forth" { memory = "1GiB" }`, false},
		{"mtls", `oracle "prophecy" {}`, `oracle "prophecy" { mtls = true }`, false},
		{"call timeout", `oracle "prophecy" {}`, `oracle "prophecy" { call_timeout = "3s" }`, false},
		{"a local attribute of the VM", `vm "forth" {}`, `vm "forth" { cache = "2MiB" }`, false},
		{"transport", `transport "udp" {}`, `transport "tcp" {}`, false},
		{"transport setting", `transport "udp" {}`, `transport "udp" { buffer = "1MiB" }`, false},
		{"a default written out", `vm "forth" {}`, `vm "forth" { gas_limit = 1000000 }`, false},
		{"the same duration otherwise", `"500ms"`, `"0.5s"`, false},
		{"default limits written out", "genesis {", "limits { block_bytes = \"4096KiB\" }\n  genesis {", false},
		{"a comment", "genesis {", "# comment\n  genesis {", false},
		{"a network", "\nchain", "network \"n\" { nodes = 9 }\nchain", false},
		{"name", `chain "root"`, `chain "other"`, true},
		{"slot", `"500ms"`, `"400ms"`, true},
		{"a critical attribute", `vm "forth" {}`, `vm "forth" { gas_limit = 1000001 }`, true},
		{"no VM", `vm "forth" {}`, ``, true},
		{"oracle", `oracle "prophecy" {}`, `oracle "prophecy" { base = 2 }`, true},
		{"module setting", `"me"`, `"you"`, true},
		{"module name", `module "names" { owner`, "module \"nomes\" {\n plugin = \"names\"\n owner", true},
		{"block_bytes", "genesis {", "limits { block_bytes = \"3MiB\" }\n  genesis {", true},
		{"tx_bytes", "genesis {", "limits { tx_bytes = \"65KiB\" }\n  genesis {", true},
		{"block_gas", "genesis {", "limits { block_gas = 1 }\n  genesis {", true},
		{"per_byte", "genesis {", "fees { per_byte = 1 }\n  genesis {", true},
		{"per_gas", "genesis {", "fees { per_gas = 1 }\n  genesis {", true},
		{"floor", "genesis {", "fees { floor = 1 }\n  genesis {", true},
		{"burn", "genesis {", "fees { burn_ppm = 1 }\n  genesis {", true},
		{"supply", "1000", "2000", true},
		{"token", "supply", "token = \"OTHER\"\n    supply", true},
		{"name of an allocation", `"a"`, `"c"`, true},
		{"cliff", `"1d"`, `"2d"`, true},
		{"duration", `"10d"`, `"11d"`, true},
		{"step", `"1h"`, `"2h"`, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goldenSpec, c.old, c.new, 1)
			if c.name == "module name" {
				text = strings.Replace(text, "owner = \"me\" }", "owner = \"me\"\n}", 1)
			}
			if text == goldenSpec {
				t.Fatal("the case changes nothing")
			}
			if got := mustResolve(t, mustLoad(t, text).Chains[0]).ID(); (got != base) != c.changes {
				t.Fatalf("id changed: %v, want %v", got != base, c.changes)
			}
		})
	}
}

// TestInputsChangeTheChainID changes what a spec does not say.
func TestInputsChangeTheChainID(t *testing.T) {
	c := mustLoad(t, goldenSpec).Chains[0]
	base := mustResolve(t, c).ID()
	for name, change := range map[string]func(*ResolveInput){
		"time":     func(in *ResolveInput) { in.TimeMs++ },
		"parent":   func(in *ResolveInput) { in.Parent = &types.ChainID{1} },
		"producer": func(in *ResolveInput) { in.Producers[0].Key = testKey(99) },
		"order":    func(in *ResolveInput) { in.Producers[0], in.Producers[1] = in.Producers[1], in.Producers[0] },
		"stake":    func(in *ResolveInput) { in.Producers[0].Stake = 1 },
		"rules":    func(in *ResolveInput) { in.Rules = constantRules("7") },
		"account": func(in *ResolveInput) {
			in.Account = func(string) (types.AccountID, error) { return types.AccountID{1}, nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := testInput(c)
			change(&in)
			g, err := Resolve(c, in)
			if err != nil || g.ID() == base {
				t.Fatalf("the id is the same; %v", err)
			}
		})
	}
}

func TestPaperSplitIsTheDefault(t *testing.T) {
	g := mustResolve(t, mustLoad(t, "chain \"root\" {\n consensus \"dpospbft\" { producers = 4 }\n storage \"cometbftdb\" {}\n transport \"udp\" {}\n}\n").Chains[0])
	want := map[string]uint64{"contract": 30, "community": 10, "ecology": 22, "cornerstone": 21, "foundation": 10, "development": 6, "consultants": 1}
	got := map[string]uint64{}
	for _, a := range g.Allocations {
		got[a.Name] = a.Amount / (10_000_000 * Unit)
	}
	if !reflect.DeepEqual(got, want) || g.Token != "ALTO" || g.Supply != 1_000_000_000*Unit {
		t.Fatalf("%d %s: %v", g.Supply, g.Token, got)
	}
	if g.Limits != (Limits{4 << 20, 64 << 10, 40_000_000}) || g.Fees != (Fees{1, 0, 100, 0}) || g.SlotMs != 500 {
		t.Fatalf("limits %v, fees %v, slot %d", g.Limits, g.Fees, g.SlotMs)
	}
}

// sample is a valid document without a spec.
func sample() *Genesis {
	return &Genesis{
		Format: 1, Name: "x", Parent: &types.ChainID{7}, Token: "T", Supply: math.MaxUint64, TimeMs: 1, SlotMs: 500,
		Consensus: Rules{"dpospbft", "1", json.RawMessage(`{"a":1,"b":"<&>","c":[true,"x"]}`)},
		VM:        &Rules{"forth", "1", json.RawMessage(`{}`)},
		Modules:   []ModuleRules{{"m", "names", "1", json.RawMessage(`{"n":18446744073709551615}`)}},
		Limits:    Limits{1000, 100, 10}, Fees: Fees{1, 2, 3, 4},
		Allocations: []Allocation{{"a", types.AccountID{1}, math.MaxUint64 - 5, nil}, {"b", types.AccountID{2}, 5, &Vesting{1, 2, 1}}},
		Producers:   []Producer{{"p", testKey(1), 5}},
	}
}

func TestGenesisRoundTrip(t *testing.T) {
	g := sample()
	got, err := DecodeGenesis(g.Encode())
	if err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, g)
	}
}

func TestGenesisValidate(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Genesis)
		want   string
	}{
		{"format", func(g *Genesis) { g.Format = 2 }, "format 2"},
		{"name", func(g *Genesis) { g.Name = "../x" }, "a name is made of"},
		{"long name", func(g *Genesis) { g.Name = strings.Repeat("a", 65) }, "at most 64"},
		{"zero parent", func(g *Genesis) { g.Parent = &types.ChainID{} }, "zero"},
		{"token", func(g *Genesis) { g.Token = "t" }, "symbol"},
		{"time", func(g *Genesis) { g.TimeMs = 1 << 60 }, "time_ms"},
		{"slot", func(g *Genesis) { g.SlotMs = 0 }, "slot_ms"},
		{"plugin", func(g *Genesis) { g.Consensus.Plugin = "" }, "plugin"},
		{"rules", func(g *Genesis) { g.VM.Rules = "" }, "rules version"},
		{"config no object", func(g *Genesis) { g.VM.Config = json.RawMessage(`[]`) }, "object"},
		{"config fraction", func(g *Genesis) { g.VM.Config = json.RawMessage(`{"a":1.0}`) }, "no integer"},
		{"config exponent", func(g *Genesis) { g.VM.Config = json.RawMessage(`{"a":1e3}`) }, "no integer"},
		{"config too large", func(g *Genesis) { g.VM.Config = json.RawMessage(`{"a":18446744073709551616}`) }, "64 bits"},
		{"config null", func(g *Genesis) { g.VM.Config = json.RawMessage(`{"a":null}`) }, "null"},
		{"config twice", func(g *Genesis) { g.VM.Config = json.RawMessage(`{"a":1,"a":1}`) }, "twice"},
		{"config deep", func(g *Genesis) {
			g.VM.Config = json.RawMessage(`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`)
		}, "deep"},
		{"module of the core", func(g *Genesis) { g.Modules[0].Name = "bank" }, "native"},
		{"module twice", func(g *Genesis) { g.Modules = append(g.Modules, g.Modules[0]) }, "twice"},
		{"limits", func(g *Genesis) { g.Limits.TxBytes = 1001 }, "more than block_bytes"},
		{"burn", func(g *Genesis) { g.Fees.BurnPPM = 1_000_001 }, "burn_ppm"},
		{"no supply", func(g *Genesis) { g.Supply = 0 }, "supply"},
		{"sum", func(g *Genesis) { g.Allocations[1].Amount = 4 }, "add up"},
		{"overflow", func(g *Genesis) { g.Allocations[1].Amount = 6 }, "64 bits"},
		{"allocation twice", func(g *Genesis) { g.Allocations[1].Name = "a" }, "twice"},
		{"vesting", func(g *Genesis) { g.Allocations[1].Vesting.Cliff = 3 }, "later"},
		{"no producers", func(g *Genesis) { g.Producers = nil }, "0 producers"},
		{"producer twice", func(g *Genesis) { g.Producers = append(g.Producers, g.Producers[0]) }, "twice"},
		{"same key", func(g *Genesis) { g.Producers = append(g.Producers, Producer{"q", testKey(1), 0}) }, "same key"},
		{"bad key", func(g *Genesis) { g.Producers[0].Key.Scheme = 9 }, "scheme"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := sample()
			c.change(g)
			err := g.Validate()
			if !errors.Is(err, ErrBadGenesis) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one about %q", err, c.want)
			}
			if _, err := DecodeGenesis(g.Encode()); err == nil {
				t.Fatal("its encoding was accepted")
			}
		})
	}
}

// TestGenesisHasOneForm shows the decoder documents that mean the same as a valid one.
func TestGenesisHasOneForm(t *testing.T) {
	good := string(sample().Encode())
	cases := map[string][2]string{
		"white space":        {`{"format"`, `{ "format"`},
		"line feed at end":   {`}]}`, "}]}\n"},
		"unknown field":      {`{"format"`, `{"colour":1,"format"`},
		"other case":         {`"name":"x"`, `"Name":"x"`},
		"repeated field":     {`"name":"x"`, `"name":"y","name":"x"`},
		"amount as number":   {`"5"`, `5`},
		"leading zero":       {`"5"`, `"05"`},
		"escaped character":  {`"x"`, `"\u0078"`},
		"fraction":           {`"slot_ms":500`, `"slot_ms":500.0`},
		"exponent":           {`"slot_ms":500`, `"slot_ms":5e2`},
		"keys not sorted":    {`"a":1,"b":"<&>"`, `"b":"<&>","a":1`},
		"config missing":     {`,"config":{}`, ``},
		"null field":         {`"vm"`, `"oracle":null,"vm"`},
		"HTML escape":        {`<&>`, `\u003c&>`},
		"two documents":      {`}]}`, `}]}{}`},
		"hash in upper case": {`0000"`, `000A"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, c[0], c[1], 1)
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			if g, err := DecodeGenesis([]byte(bad)); err == nil && string(g.Encode()) != bad {
				t.Fatalf("accepted %s", bad)
			} else if err != nil && !errors.Is(err, ErrBadGenesis) {
				t.Fatalf("the error %v wraps nothing known", err)
			} else if err == nil && name != "hash in upper case" {
				t.Fatalf("accepted %s", bad)
			}
		})
	}
	if _, err := DecodeGenesis(make([]byte, MaxGenesisBytes+1)); !errors.Is(err, ErrBadGenesis) {
		t.Fatal(err)
	}
}

func TestGenesisProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := sample()
		g.Name = rapid.StringMatching(`[a-z][a-z0-9_-]{0,20}`).Draw(t, "name")
		g.TimeMs = rapid.Uint64Range(0, maxSafeInteger).Draw(t, "time")
		g.Fees.PerByte = rapid.Uint64().Draw(t, "per byte")
		config, err := json.Marshal(map[string]any{rapid.String().Draw(t, "key"): rapid.String().Draw(t, "value"), "n": rapid.Int64().Draw(t, "n")})
		if err != nil {
			t.Fatal(err)
		}
		g.Consensus.Config = config
		first := rapid.Uint64().Draw(t, "amount")
		g.Allocations[0].Amount, g.Allocations[1].Amount = first, math.MaxUint64-first
		got, err := DecodeGenesis(g.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), g.Encode()) || got.ID() != g.ID() || got.Allocations[0].Amount != first {
			t.Fatal("not the same")
		}
	})
}
