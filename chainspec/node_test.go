package chainspec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// sampleNode is a node with everything in it.
func sampleNode(t testing.TB) *Node {
	t.Helper()
	c := mustLoad(t, goldenSpec).Chains[0]
	n := &Node{
		Name: "n0", Listen: "127.0.0.1:7100", API: "[::1]:8100", Transport: c.Transport,
		Peers:   []PeerRef{{"n1", types.Hash{1}, "127.0.0.1:7101"}, {"n2", types.Hash{2}, "host.example:7102"}},
		Follow:  []types.ChainID{{3}, {4}},
		Chains:  []NodeChain{c.NodeChain("genesis/root.json")},
		Plugins: []PluginSource{{"ledger", "./bin/${x} \"ledger\"", "~> 1.2", strings.Repeat("ab", 32)}},
	}
	n.Chains[0].Consensus.HostSettings = HostSettings{Isolation: "chain", MTLS: true, Memory: 100 << 20, OpenFiles: 99,
		StartTimeout: time.Second, CallTimeout: 1500 * time.Millisecond, PingTimeout: 2 * time.Hour}
	n.Chains[0].Paranoid = true
	n.Chains[0].VM.Local = json.RawMessage(`{"cache":8192}`)
	n.Defaults = c.NodeChain("")
	n.Defaults.Name, n.Defaults.Modules, n.Defaults.Paranoid = "", nil, true
	return n
}

func TestNodeRoundTrip(t *testing.T) {
	n := sampleNode(t)
	got, diags := LoadNode(write(t, "node.hcl", string(n.Encode())), builtins())
	if diags.HasErrors() {
		t.Fatalf("%s\n%s", diags.Text(), n.Encode())
	}
	if !reflect.DeepEqual(got, n) {
		t.Fatalf("\n got %+v\nwant %+v\n%s", got, n, n.Encode())
	}
	if string(got.Encode()) != string(n.Encode()) {
		t.Fatal("encoded otherwise the second time")
	}
}

func TestNodeProperty(t *testing.T) {
	base := sampleNode(t)
	rapid.Check(t, func(t *rapid.T) {
		n := *base
		n.Name = rapid.StringMatching(`[a-z][a-z0-9_-]{0,20}`).Draw(t, "name")
		n.Plugins = []PluginSource{{Name: "p", Source: rapid.StringMatching(`[ -~äß\n\t]{1,20}`).Draw(t, "source")}}
		n.Chains = []NodeChain{base.Chains[0]}
		n.Chains[0].Genesis = rapid.StringMatching(`[ -~]{1,20}`).Draw(t, "genesis")
		n.Chains[0].Consensus.HostSettings = HostSettings{
			Memory: rapid.Uint64Range(16<<20, 1<<40).Draw(t, "memory"), OpenFiles: rapid.Uint64Range(16, 1<<20).Draw(t, "files"),
			CallTimeout: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(24*time.Hour)).Draw(t, "timeout"))}
		got, diags := loadNode(n.Encode(), "node.hcl", builtins())
		if diags.HasErrors() || !reflect.DeepEqual(got, &n) {
			t.Fatalf("%s\n got %+v\nwant %+v\n%s", diags.Text(), got, &n, n.Encode())
		}
	})
}

func TestNodeDefaults(t *testing.T) {
	n, diags := loadNode([]byte("node {\n name = \"n\"\n listen = \":7000\"\n}\n"), "node.hcl", builtins())
	if diags.HasErrors() || n.Transport.Plugin != "udp" || string(n.Transport.Config) != `{"buffer":4194304}` || n.API != "" {
		t.Fatalf("%+v\n%s", n, diags.Text())
	}
	n, diags = loadNode([]byte("node {\n name = \"n\"\n listen = \":7000\"\n}\ntransport \"udp\" { buffer = \"1KiB\" }\n"), "node.hcl", builtins())
	if diags.HasErrors() || string(n.Transport.Config) != `{"buffer":1024}` {
		t.Fatalf("%+v\n%s", n, diags.Text())
	}
}

func TestNodeErrors(t *testing.T) {
	head := "node {\n name = \"n\"\n listen = \":7000\"\n}\n"
	cases := []struct{ name, text, want string }{
		{"empty", "", "node block"},
		{"no name", "node { listen = \":1\" }", `"name" is required`},
		{"bad listen", "node {\n name = \"n\"\n listen = \"localhost\"\n}", "host:port"},
		{"bad port", "node {\n name = \"n\"\n listen = \"localhost:70000\"\n}", "0 to 65535"},
		{"unknown attribute", "node {\n name = \"n\"\n lisen = \":1\"\n}", `Did you mean "listen"?`},
		{"bad follow", "node {\n name = \"n\"\n listen = \":1\"\n follow = [\"12\"]\n}", "chain id"},
		{"two nodes", head + head, "node block written twice"},
		{"peer id", head + "peer \"a\" {\n id = \"1\"\n address = \":1\"\n}", "bad id"},
		{"peer twice", head + "peer \"a\" {}\npeer \"a\" {}", "named twice"},
		{"no genesis", head + "chain \"a\" {\n storage \"cometbftdb\" {}\n}", `"genesis" is required`},
		{"no storage", head + "chain \"a\" { genesis = \"g\" }", "storage block"},
		{"critical attribute", head + "chain \"a\" {\n genesis = \"g\"\n storage \"cometbftdb\" {}\n vm \"forth\" { gas_limit = 5000 }\n}", "part of the chain's identity"},
		{"critical default", head + "defaults {\n consensus \"dpospbft\" { slot = \"1s\" }\n}", "part of the chain's identity"},
		{"unknown plugin", head + "transport \"upd\" {}", `Did you mean "udp"?`},
		{"storage twice", head + "chain \"a\" {\n genesis = \"g\"\n storage \"cometbftdb\" {}\n storage \"cometbftdb\" {}\n}", "written twice"},
		{"variables are not known here", "node {\n name = var.x\n listen = \":1\"\n}", "ariable"},
		{"digest", head + "plugin \"a\" {\n source = \"x\"\n sha256 = \"AB\"\n}", "64 hexadecimal digits"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, diags := loadNode([]byte(c.text), "node.hcl", builtins())
			if n != nil || !strings.Contains(diags.Text(), c.want) {
				t.Fatalf("%+v\n%s", n, diags.Text())
			}
			if diags[0].File == "" {
				t.Fatal("no place")
			}
		})
	}
	if _, diags := LoadNode(t.TempDir(), builtins()); !strings.Contains(diags.Text(), "folder") {
		t.Fatal(diags.Text())
	}
}
