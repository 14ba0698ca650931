package vmforth

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// TestDialects compiles and runs a contract in each dialect, named by the source, by the call and by the instance.
func TestDialects(t *testing.T) {
	sources := map[string]string{
		"paloalto":  ": twice 2 * ; 0 swap twice 1",
		"chalang":   ": twice int 2 * ; int 0 swap twice call int 1",
		"forth2012": ": twice 2 * ; : main 0 swap twice 1 ;",
		"asm":       ".word\n int 2\n *\n.main\n int 0\n swap\n word 0\n int 1\n",
	}
	for dialect, source := range sources {
		instances := map[string]vm.Source{"by the source": {Text: `\ dialect: ` + dialect + "\n" + source}, "by the call": {Text: source, Dialect: dialect}}
		config := ""
		if dialect != "asm" {
			config = `{"dialect": "` + dialect + `"}`
			instances["by the instance"] = vm.Source{Text: source}
		}
		v := open(t, config)
		var first []byte
		for how, s := range instances {
			c, err := v.Compile(t.Context(), s)
			if err != nil {
				t.Errorf("%s, %s: %v", dialect, how, err)
				continue
			}
			if first == nil {
				first = c.Code
			}
			got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: c.Code, Evidence: compiled(t, open(t, ""), "21", true), GasLimit: plentyGas}}})
			if err != nil || !slices.Equal(got[0].Stack, []int64{0, 42, 1}) || string(c.Code) != string(first) {
				t.Errorf("%s, %s: %+v, %v", dialect, how, got, err)
			}
			if len(c.Map) == 0 {
				t.Errorf("%s, %s: no source map", dialect, how)
			}
		}
	}
	if _, err := open(t, "").Compile(t.Context(), vm.Source{Text: "1", Dialect: "palaolto"}); !errors.Is(err, vm.ErrSyntax) || !strings.Contains(err.Error(), "paloalto") {
		t.Errorf("a misspelt dialect: %v", err)
	}
}

// TestConvention has what a chain, and a source, say about the meaning of results.
func TestConvention(t *testing.T) {
	delay := open(t, `{"result": "delay-nonce-amount"}`)
	for name, c := range map[string]struct {
		v      *VM
		source string
		want   vm.Convention
	}{
		"the default":               {open(t, ""), "0 1 100", vm.BurnPayNonce},
		"the chain's":               {delay, "0 1 100", vm.DelayNonceAmount},
		"the source's":              {open(t, ""), "\\ result: delay-nonce-amount\n0 1 100", vm.DelayNonceAmount},
		"the source's, not chain's": {delay, "\\ result: burn-pay-nonce\n0 1 100", vm.BurnPayNonce},
		"chalang":                   {delay, "\\ dialect: chalang\nint 0 int 1 int 100", vm.DelayNonceAmount},
		"forth2012":                 {delay, "\\ dialect: forth2012\n: main 0 1 100 ;", vm.DelayNonceAmount},
	} {
		got, err := c.v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: compiled(t, c.v, c.source, false), GasLimit: plentyGas}}})
		if err != nil || got[0].Convention != c.want || !slices.Equal(got[0].Stack, []int64{0, 1, 100}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// A sum above 64 bits is no result where the first two are amounts; a delay and a nonce are not added.
	for source, ok := range map[string]bool{"9223372036854775807 1 1": false, "\\ result: delay-nonce-amount\n9223372036854775807 1 1": true} {
		v := open(t, "")
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: compiled(t, v, source, false), GasLimit: plentyGas}}})
		if err != nil || (got[0].Status == vm.OK) != ok {
			t.Errorf("%q: %+v, %v", source, got, err)
		}
	}
}

// TestSessions holds a session in each dialect, in process and over the wire.
func TestSessions(t *testing.T) {
	for where, f := range map[string]vmtest.Factory{"in process": factory(), "over the wire": vmtest.Remote(factory())} {
		v, done, err := f.Open(t)
		if err != nil {
			t.Fatal(err)
		}
		for dialect, lines := range map[string][]string{
			"paloalto": {": sq dup * ;", "7 sq", "T{ 3 sq -> 9 }T"}, "chalang": {": sq dup * ;", "int 7 sq call", "T{ int 3 sq call -> int 9 }T"},
			"forth2012": {": sq dup * ;", "7 sq", "T{ 3 sq -> 9 }T"},
		} {
			var outs []vm.Output
			err := v.Interact(t.Context(), vm.Session{Dialect: dialect, GasLimit: plentyGas}, func(o vm.Output) (vm.Input, error) {
				if outs = append(outs, o); len(outs) > len(lines) {
					return vm.Input{}, io.EOF
				}
				return vm.Input{Text: lines[len(outs)-1]}, nil
			})
			if err != nil || len(outs) != 4 || !slices.Equal(outs[2].Stack, []string{"49"}) || outs[3].Passed != 1 || outs[3].Failed != 0 {
				t.Errorf("%s, %s: %+v, %v", where, dialect, outs, err)
			}
		}
		if err := done(); err != nil {
			t.Error(err)
		}
	}
}

// TestSessionEndsWithItsInstance closes an instance while a session is held.
func TestSessionEndsWithItsInstance(t *testing.T) {
	v, n := open(t, ""), 0
	err := v.Interact(t.Context(), vm.Session{}, func(vm.Output) (vm.Input, error) {
		if n++; n == 2 {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		}
		return vm.Input{Text: "1"}, nil
	})
	if !errors.Is(err, vm.ErrClosed) || n != 2 {
		t.Errorf("%d inputs, %v", n, err)
	}
}
