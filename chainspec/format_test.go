package chainspec

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func TestFormat(t *testing.T) {
	cases := []struct{ name, file, in, want string }{
		{"layout", "a.hcl", "\n\nchain   \"root\" {\nslot=1\n  producers   = 2 # four\n}\n\n\n", "chain \"root\" {\n  slot      = 1\n  producers = 2 # four\n}\n"},
		{"no end of line", "a.hcl", "a = 1", "a = 1\n"},
		{"empty", "a.hcl", "\n \n", ""},
		{"heredoc is kept", "a.hcl", "a = <<EOT\n   x  \nEOT\n", "a = <<EOT\n   x  \nEOT\n"},
		{"json", "a.alto.json", `{"a":[1,{"b":"<"}]}`, "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"<\"\n    }\n  ]\n}\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, diags := Format([]byte(c.in), c.file)
			if diags.HasErrors() || string(got) != c.want {
				t.Fatalf("%q\n%s", got, diags.Text())
			}
			if ok, _ := Formatted([]byte(c.in), c.file); ok && c.in != c.want {
				t.Fatal("taken for formatted")
			}
			if ok, _ := Formatted(got, c.file); !ok {
				t.Fatal("not stable")
			}
		})
	}
	if out, diags := Format([]byte("a = "), "a.hcl"); out != nil || !diags.HasErrors() || diags[0].Line != 1 {
		t.Fatalf("%q, %v", out, diags)
	}
}

func TestExamplesAreFormatted(t *testing.T) {
	files, err := filepath.Glob("../examples/*.hcl")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	plugins := builtins()
	for i := range plugins { // what the examples set besides
		if k := &plugins[i].Kinds[0]; k.Kind == plugin.Oracle {
			k.Schema.Attributes = append(k.Schema.Attributes, plugin.Attribute{Name: "per_day", Type: plugin.Amount, ConsensusCritical: true},
				plugin.Attribute{Name: "observer", Type: plugin.String})
			for _, name := range []string{"initiator_window", "notice", "commit_window", "reveal_window"} {
				k.Schema.Attributes = append(k.Schema.Attributes, plugin.Attribute{Name: name, Type: plugin.Duration, ConsensusCritical: true})
			}
		}
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if want, diags := Format(src, f); diags.HasErrors() || !bytes.Equal(want, src) {
			t.Errorf("%s: should be\n%s%s", f, want, diags.Text())
		}
		s, diags := Load(f, Options{Schemas: plugins})
		if len(diags) != 0 {
			t.Fatal(diags.Text())
		}
		for _, c := range s.Chains {
			mustResolve(t, c)
		}
	}
	if src, _ := os.ReadFile("../examples/quickstart.hcl"); bytes.Count(src, []byte("\n")) > 30 {
		t.Error("the quickstart has more than 30 lines")
	}
}

func TestDiagnosticsAsJSON(t *testing.T) {
	_, diags := loadText(t, "chain \"root\" {\n\tconsensus \"dpospbft\" { slto = 1 }\n}\n", nil)
	b, err := json.Marshal(diags)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(b, &got); err != nil || len(got) != 4 {
		t.Fatalf("%v: %s", err, b)
	}
	last := got[3]
	if last["line"] != 2.0 || last["column"] != 25.0 || last["end_column"] != 29.0 || last["severity"] != "error" || !strings.Contains(last["source"].(string), "slto") {
		t.Fatalf("%s", b)
	}
	if text := diags.Text(); !strings.Contains(text, "       | \t                       ^^^^\n") {
		t.Fatalf("the mark is not below the name:\n%s", text)
	}
	if err := diags.Err(); err == nil || strings.Count(err.Error(), "\n") != 3 || !strings.Contains(err.Error(), "spec.hcl:2:25: unknown attribute") {
		t.Fatal(err)
	}
}

func TestDiagnosticsAreBounded(t *testing.T) {
	var b strings.Builder
	for range 500 {
		b.WriteString("x" + itoa(b.Len()) + " = 1\n")
	}
	_, diags := loadText(t, b.String(), nil)
	if len(diags) != MaxDiagnostics+1 || diags[MaxDiagnostics].Summary != "too many problems" {
		t.Fatal(len(diags))
	}
	_, diags = loadText(t, "a = \""+strings.Repeat("x", 5000)+"\"", nil)
	if len(diags.Text()) > 1500 {
		t.Fatal(diags.Text())
	}
}

func TestNetworkOf(t *testing.T) {
	s := mustLoad(t, goldenSpec)
	if n, err := s.Network(""); err != nil || n.Name != "local" || n.Nodes != 4 {
		t.Fatal(n, err)
	}
	s = mustLoad(t, goldenSpec+"network \"one\" {}\nnetwork \"two\" { nodes = 5 }\n")
	if _, err := s.Network(""); err == nil || !strings.Contains(err.Error(), `"one", "two" with --network`) {
		t.Fatal(err)
	}
	if n, err := s.Network("two"); err != nil || n.Nodes != 5 {
		t.Fatal(n, err)
	}
	if _, err := s.Network("tow"); err == nil || !strings.Contains(err.Error(), `did you mean "two"?`) {
		t.Fatal(err)
	}
	if s.Chain("root") == nil || s.Chain("x") != nil {
		t.Fatal("Chain finds the wrong ones")
	}
}
