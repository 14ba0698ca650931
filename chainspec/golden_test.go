package chainspec

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// separator stands between a spec and what becomes of it.
const separator = "----------\n"

// TestGolden reads every case of testdata/spec: a spec, a separator, and its diagnostics followed by the resolved chains. A
// first line "# vars: a=1 b=2" gives variables.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/spec/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(raw), separator)
			got := outcome(t, file, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Fatalf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func outcome(t *testing.T, file, input string) string {
	name := "spec.hcl"
	if strings.Contains(file, "json") {
		name = "spec.alto.json"
	}
	path := write(t, name, input)
	dir := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(dir, "data.json"), []byte(`{"supply": 7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	if line, ok := strings.CutPrefix(input, "# vars: "); ok {
		line, _, _ = strings.Cut(line, "\n")
		for _, f := range strings.Fields(line) {
			k, v, _ := strings.Cut(f, "=")
			vars[k] = v
		}
	}
	s, diags := Load(path, Options{Schemas: builtins(), Vars: vars})
	if (s == nil) != diags.HasErrors() {
		t.Fatalf("spec %v with diagnostics %v", s, diags)
	}
	out := diags.Text()
	if s != nil {
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		out += string(b) + "\n"
	}
	return strings.ReplaceAll(out, dir+string(filepath.Separator), "")
}
