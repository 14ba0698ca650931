package chainspec

import "testing"

// The attribute paranoid goes from the spec to the nodes of a network, and not into the genesis document: it changes no result.
func TestParanoid(t *testing.T) {
	for text, want := range map[string]bool{"": false, "paranoid = true": true, "paranoid = 1 > 2": false} {
		s, diags := Load(write(t, "spec.hcl", `chain "root" {
  `+text+`
  consensus "dpospbft" { producers = 4 }
  storage "cometbftdb" {}
  transport "udp" {}
}`), Options{Schemas: builtins()})
		if diags.HasErrors() {
			t.Fatal(diags.Text())
		}
		if got := s.Chains[0].NodeChain("g.json").Paranoid; got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
