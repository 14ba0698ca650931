package chainspec

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// market is a module's plugin with parameters of every sort.
func market(change ...func(*plugin.KindInfo)) fakes {
	i := fake("market", plugin.Module,
		plugin.Attribute{Name: "bond", Type: plugin.Amount, Default: "1000000", ConsensusCritical: true, Governed: true, Min: "1", Step: "500000"},
		plugin.Attribute{Name: "window", Type: plugin.Duration, Default: "3600000000000", ConsensusCritical: true, Governed: true, Min: "1000000000", Max: "86400000000000"},
		plugin.Attribute{Name: "text", Type: plugin.Size, Default: "1024", ConsensusCritical: true, Governed: true},
		plugin.Attribute{Name: "seats", Type: plugin.Number, Required: true, ConsensusCritical: true, Governed: true, Description: "how many"},
		plugin.Attribute{Name: "open", Type: plugin.Bool, Default: "true", ConsensusCritical: true, Governed: true},
		plugin.Attribute{Name: "rule", Type: plugin.String, Default: `"fast"`, ConsensusCritical: true, Governed: true, OneOf: []string{"fast", "slow"}},
		plugin.Attribute{Name: "words", Type: plugin.StringList, ConsensusCritical: true})
	for _, f := range change {
		f(&i.Kinds[0])
	}
	return append(builtins(), i)
}

func marketSpec(settings, rest string) string {
	return "chain \"root\" {\n consensus \"dpospbft\" { producers = 4 }\n storage \"cometbftdb\" {}\n transport \"udp\" {}\n module \"market\" { " + settings + " }\n" + rest + "}\n"
}

func loadMarket(t *testing.T, schemas fakes, text string) (*Spec, Diagnostics) {
	t.Helper()
	return Load(write(t, "spec.hcl", text), Options{Schemas: schemas})
}

// goldenParams is what the spec below declares. It is part of what a chain's id is the hash of; see goldenID.
const goldenParams = `{"authority":"AUTHORITY","list":[` +
	`{"name":"fees.burn_ppm","type":"number","value":0,"min":0,"max":1000000},` +
	`{"name":"fees.floor","type":"amount","value":100,"min":0,"max":1000000000},` +
	`{"name":"fees.per_byte","type":"amount","value":1,"min":0,"max":1000000},` +
	`{"name":"fees.per_gas","type":"amount","value":0,"min":0,"max":1000000},` +
	`{"name":"market.bond","type":"amount","value":2000000,"min":1500000,"max":18446744073709551615,"step":100000},` +
	`{"name":"market.open","type":"bool","value":true},` +
	`{"name":"market.rule","type":"string","value":"slow","one_of":["fast","slow"]},` +
	`{"name":"market.seats","type":"number","value":9,"min":-9223372036854775808,"max":9223372036854775807},` +
	`{"name":"market.text","type":"size","value":1024,"min":0,"max":9223372036854775807},` +
	`{"name":"market.window","type":"duration","value":7200000000000,"min":1000000000,"max":86400000000000}]}`

func TestParametersOfASpec(t *testing.T) {
	s, diags := loadMarket(t, market(), marketSpec(`
    seats  = 9
    bond   = 2
    window = "2h"
    rule   = "slow"
`, "params {\n authority = \"community\"\n param \"market.bond\" {\n min = \"1.5 ALTO\"\n step = \"0.1 ALTO\"\n }\n}\n"))
	if diags.HasErrors() {
		t.Fatal(diags.Text())
	}
	in := testInput(s.Chains[0])
	in.Rules = NewestRules(market())
	g, err := Resolve(s.Chains[0], in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(g.Params)
	if err != nil {
		t.Fatal(err)
	}
	id, err := in.Account("community")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(goldenParams, "AUTHORITY", id.String(), 1)
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if !strings.HasSuffix(string(g.Encode()), `,"params":`+want+`}`) {
		t.Fatalf("the document does not end with the parameters: %s", g.Encode())
	}
	back, err := DecodeGenesis(g.Encode())
	if err != nil || !reflect.DeepEqual(back, g) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, back, g)
	}
}

// TestParametersAreOnlyThereIfNeeded: a chain that says nothing of them, with plugins that have none, keeps the document that
// it always had.
func TestParametersAreOnlyThereIfNeeded(t *testing.T) {
	if g := mustResolve(t, mustLoad(t, goldenSpec).Chains[0]); g.Params != nil {
		t.Fatalf("%+v", g.Params)
	}
	bare := strings.Replace(goldenSpec, "genesis {", "params {}\n  genesis {", 1)
	g := mustResolve(t, mustLoad(t, bare).Chains[0])
	if g.Params == nil || g.Params.Authority != nil || len(g.Params.List) != 4 {
		t.Fatalf("%+v", g.Params)
	}
	ids := map[types.ChainID]string{}
	for _, block := range []string{"", "params {}", `params { authority = "a" }`, `params { authority = "b" }`,
		"params {\n authority = \"a\"\n param \"fees.floor\" { step = 1 }\n}"} {
		id := mustResolve(t, mustLoad(t, strings.Replace(goldenSpec, "genesis {", block+"\n  genesis {", 1)).Chains[0]).ID()
		if other, ok := ids[id]; ok {
			t.Fatalf("%q and %q give the same chain", block, other)
		}
		ids[id] = block
	}
}

func TestGovernedValuesAreCheckedWhereTheyStand(t *testing.T) {
	for name, c := range map[string]struct{ settings, want string }{
		"out of range": {`seats = 9, window = "2d"`, "window: 2d is not allowed; it must be 1s to 1d"},
		"no choice":    {`seats = 9, rule = "fats"`, `"fats" is not allowed. Did you mean "fast"?`},
		"missing":      {``, `"seats" is required: how many`},
		"wrong type":   {`seats = "9"`, "seats: it must be a whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := loadMarket(t, market(), marketSpec("\n"+strings.ReplaceAll(c.settings, ", ", "\n")+"\n", ""))
			if !diags.HasErrors() || !strings.Contains(diags.Text(), c.want) || !strings.Contains(diags.Text(), "spec.hcl:") {
				t.Fatalf("want %q, got\n%s", c.want, diags.Text())
			}
		})
	}
}

func TestFaultyGovernedSchemas(t *testing.T) {
	set := func(name string, f func(*plugin.Attribute)) func(*plugin.KindInfo) {
		return func(k *plugin.KindInfo) {
			for i := range k.Schema.Attributes {
				if a := &k.Schema.Attributes[i]; a.Name == name {
					f(a)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*plugin.KindInfo)
		want   string
	}{
		"local":                  {set("bond", func(a *plugin.Attribute) { a.ConsensusCritical = false }), "must be critical to consensus"},
		"neither set nor not":    {set("bond", func(a *plugin.Attribute) { a.Default = "" }), "required or with a default"},
		"a list":                 {set("words", func(a *plugin.Attribute) { a.Governed, a.Default = true, `["a"]` }), "no parameter can be of type"},
		"any string":             {set("rule", func(a *plugin.Attribute) { a.OneOf = nil }), "a string has one_of"},
		"step of nothing":        {set("bond", func(a *plugin.Attribute) { a.Step = "0" }), "step 0: it must be more than 0"},
		"bad step":               {set("bond", func(a *plugin.Attribute) { a.Step = "x" }), "step: x is no whole number"},
		"bounds of a bool":       {set("open", func(a *plugin.Attribute) { a.OneOf = []string{"true"} }), "a string has one_of"},
		"no name of a parameter": {set("bond", func(a *plugin.Attribute) { a.Name = "Bond" }), "a name is made of"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := loadMarket(t, market(c.change), marketSpec("seats = 9", ""))
			if !diags.HasErrors() || !strings.Contains(diags.Text(), "faulty plugin") || !strings.Contains(diags.Text(), c.want) {
				t.Fatalf("want %q, got\n%s", c.want, diags.Text())
			}
		})
	}
	vm := append(builtins(), fake("stack", plugin.VM, plugin.Attribute{Name: "gas", Type: plugin.Number, Default: "1", ConsensusCritical: true, Governed: true}))
	_, diags := loadMarket(t, vm, strings.Replace(marketSpec("", ""), `module "market"`, `vm "stack"`, 1))
	if !strings.Contains(diags.Text(), "the plugin has no module face") {
		t.Fatal(diags.Text())
	}
}

func TestParamChecks(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	number := Param{Name: "m.n", Type: plugin.Number, Min: raw("-5"), Max: raw("10"), Step: raw("3")}
	text := Param{Name: "m.t", Type: plugin.String, OneOf: []string{"a", "<"}}
	for _, c := range []struct {
		name  string
		p     Param
		value string
		want  error
	}{
		{"within", number, "0", nil}, {"least", number, "-5", nil}, {"most", number, "10", nil},
		{"below", number, "-6", ErrParamRange}, {"above", number, "11", ErrParamRange}, {"far above", number, "18446744073709551615", ErrParamRange},
		{"65 bits", number, "18446744073709551616", ErrParamType}, {"minus nothing", number, "-0", ErrParamType}, {"plus", number, "+1", ErrParamType},
		{"fraction", number, "1.0", ErrParamType}, {"text", number, `"1"`, ErrParamType}, {"blank", number, "1 ", ErrParamType}, {"nothing", number, "", ErrParamType},
		{"choice", text, `"a"`, nil}, {"choice that HTML would escape", text, `"<"`, nil}, {"escaped", text, `"\u003c"`, ErrParamType},
		{"no choice", text, `"b"`, ErrParamRange}, {"no text", text, "1", ErrParamType}, {"long", text, `"` + strings.Repeat("a", 70) + `"`, ErrParamType},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.p.Check(raw(c.value)); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("%v, want %v", err, c.want)
			}
		})
	}
	for _, c := range []struct {
		from, to string
		want     error
	}{{"0", "3", nil}, {"3", "0", nil}, {"0", "4", ErrParamStep}, {"4", "0", ErrParamStep}, {"-5", "-1", ErrParamStep}, {"-2", "1", nil}} {
		if err := number.CheckStep(raw(c.from), raw(c.to)); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("from %s to %s: %v, want %v", c.from, c.to, err, c.want)
		}
	}
	whole := Param{Name: "m.w", Type: plugin.Amount, Min: raw("0"), Max: raw("18446744073709551615"), Step: raw("18446744073709551615")}
	if err := whole.CheckStep(raw("0"), raw("18446744073709551615")); err != nil {
		t.Error(err)
	}
}

func TestGenesisParamsValidate(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	good := func() *Genesis {
		g := sample()
		g.Params = &Params{Authority: &types.AccountID{1}, List: []Param{
			{Name: "fees.floor", Type: plugin.Amount, Value: raw("3"), Min: raw("0"), Max: raw("9"), Step: raw("1")},
			{Name: "m.n", Type: plugin.Amount, Value: raw("18446744073709551615"), Min: raw("0"), Max: raw("18446744073709551615")},
		}}
		return g
	}
	if back, err := DecodeGenesis(good().Encode()); err != nil || !reflect.DeepEqual(back, good()) {
		t.Fatalf("%v, %+v", err, back)
	}
	for _, c := range []struct {
		name   string
		change func(*Params)
		want   string
	}{
		{"zero authority", func(p *Params) { p.Authority = &types.AccountID{} }, "authority is zero"},
		{"not in order", func(p *Params) { p.List[0], p.List[1] = p.List[1], p.List[0] }, "ordered by name"},
		{"twice", func(p *Params) { p.List[1] = p.List[0] }, "ordered by name"},
		{"another value than the fees", func(p *Params) { p.List[0].Value = raw("4") }, "the setting of its module is 3"},
		{"another value than the module", func(p *Params) { p.List[1].Value = raw("7") }, "the setting of its module is 18446744073709551615"},
		{"no such module", func(p *Params) { p.List[1].Name = "n.n" }, `no module "n"`},
		{"no such setting", func(p *Params) { p.List[1].Name = "m.o" }, "the setting of its module is "},
		{"no module", func(p *Params) { p.List[1].Name = "n" }, "the name is empty"},
		{"three names", func(p *Params) { p.List[1].Name = "m.n.o" }, "a name is made of"},
		{"out of bounds", func(p *Params) { p.List[0].Max = raw("2") }, "out of the parameter's bounds"},
		{"no bounds", func(p *Params) { p.List[0].Min = nil }, "min"},
		{"bounds the wrong way", func(p *Params) { p.List[0].Min, p.List[0].Max = raw("5"), raw("1") }, "is more than max"},
		{"no step", func(p *Params) { p.List[0].Step = raw("0") }, "more than 0"},
		{"type", func(p *Params) { p.List[0].Type = "colour" }, "no parameter can be of type"},
		{"fraction", func(p *Params) { p.List[0].Value = raw("3.0") }, "canonical"},
		{"object", func(p *Params) { p.List[0].Value = raw(`{"a":1}`) }, "canonical"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := good()
			c.change(g.Params)
			if err := g.Validate(); !errors.Is(err, ErrBadGenesis) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one about %q", err, c.want)
			}
			if _, err := DecodeGenesis(g.Encode()); err == nil {
				t.Fatal("its encoding was accepted")
			}
		})
	}
	for name, x := range map[string][2]string{
		"a value with white space": {`"value":3`, `"value": 3`}, "a value with an exponent": {`"value":3`, `"value":3e0`},
		"null for no step": {`"max":9,"step":1`, `"max":9,"step":null`}, "no list": {`"list":[`, `"lists":[`},
	} {
		doc := string(good().Encode())
		bad := strings.Replace(doc, x[0], x[1], 1)
		if bad == doc {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, err := DecodeGenesis([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestLockKeepsWhatIsGoverned(t *testing.T) {
	info, _ := market().Plugin("market", plugin.Module)
	l := &Lock{Plugins: []LockedPlugin{{Info: info, Source: "./market", SHA256: map[string]string{"linux/amd64": strings.Repeat("ab", 32)}}}}
	path := filepath.Join(t.TempDir(), LockFile)
	if err := WriteLock(path, l); err != nil {
		t.Fatal(err)
	}
	got, diags := ReadLock(path)
	if diags.HasErrors() {
		t.Fatal(diags.Text())
	}
	if q := got.Find("market"); q == nil || !reflect.DeepEqual(q.Info, info) {
		t.Fatalf("\n got %+v\nwant %+v", q, info)
	}
}

func TestFeesWith(t *testing.T) {
	f := Fees{PerByte: 1, PerGas: 2, Floor: 3, BurnPPM: 4}
	got, err := f.With(map[string][]byte{"floor": []byte("30"), "burn_ppm": []byte("40")})
	if err != nil || got != (Fees{1, 2, 30, 40}) || f.Floor != 3 {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"-1", "x", "1.5", "18446744073709551616"} {
		if _, err := f.With(map[string][]byte{"floor": []byte(bad)}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
