// Package house_test checks who may import whom (docs/architecture.md, "Rooms").
package house_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/paloalto-chain/paloalto/"

// allowed says for each room which rooms of ours it may import, besides itself. The longest matching prefix counts.
var allowed = map[string][]string{
	"sdk":       {"sdk"},
	"plugins":   {"sdk"},
	"chainspec": {"sdk"},
	"core":      {"sdk", "chainspec", "core"},
	"api":       {"sdk", "chainspec", "api"},
	"client":    {"sdk", "chainspec", "api"},
	"internal":  {"sdk", "chainspec", "core", "api", "client", "internal"},
	"cmd":       {"sdk", "plugins", "chainspec", "core", "api", "client", "internal", "cmd"},
	"bench":     {"sdk", "plugins", "chainspec", "core", "api", "client", "internal", "cmd"},
	"test":      {"sdk", "plugins", "chainspec", "core", "api", "client", "internal", "cmd"},
}

func TestImportRules(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 3 {
		t.Fatalf("go list found only %d packages", len(lines))
	}
	for _, line := range lines {
		if v := violation(strings.Fields(line)); v != "" {
			t.Error(v)
		}
	}
}

// violation returns what is wrong with a package and its imports, or "".
func violation(fields []string) string {
	pkg := strings.TrimPrefix(fields[0], module)
	room, _, _ := strings.Cut(pkg, "/")
	rooms, known := allowed[room]
	if !known {
		return pkg + ": the room " + room + " is not on the map; add it here and to docs/architecture.md"
	}
	for _, imp := range fields[1:] {
		imp, ours := strings.CutPrefix(imp, module)
		if !ours || imp == pkg {
			continue
		}
		other, _, _ := strings.Cut(imp, "/")
		ok := false
		for _, r := range rooms {
			ok = ok || r == other
		}
		if room == "plugins" && other == "plugins" && plugin(pkg) == plugin(imp) {
			ok = true
		}
		if room == "chainspec" && other == "chainspec" {
			ok = true
		}
		if room == "client" && other == "client" {
			ok = true
		}
		if !ok {
			return pkg + " must not import " + imp
		}
	}
	return ""
}

// plugin returns the plugin that a package below plugins/ belongs to.
func plugin(pkg string) string {
	_, rest, _ := strings.Cut(pkg, "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func TestViolationsAreFound(t *testing.T) {
	for _, c := range []struct {
		pkg, imp string
		bad      bool
	}{
		{"sdk/types", "core/chain", true},
		{"plugins/vm-forth", "core/host", true},
		{"plugins/vm-forth", "plugins/oracle", true},
		{"plugins/vm-forth", "plugins/vm-forth/engine", false},
		{"plugins/vm-forth", "sdk/vm", false},
		{"core/chain", "plugins/oracle", true},
		{"core/chain", "chainspec", false},
		{"api", "core/chain", true},
		{"cmd/alto", "plugins/oracle", false},
		{"nowhere", "sdk/types", true},
	} {
		if got := violation([]string{module + c.pkg, module + c.imp}) != ""; got != c.bad {
			t.Errorf("%s imports %s: violation %v, want %v", c.pkg, c.imp, got, c.bad)
		}
	}
}
