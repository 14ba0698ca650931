package chainspec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestHostileSpecs shows the loader files that are meant to exhaust it. Each must come back with a diagnostic.
func TestHostileSpecs(t *testing.T) {
	chain := "chain \"root\" {\n count = length(local.z) > 0 ? 1 : 1\n consensus \"dpospbft\" { producers = 4 }\n storage \"cometbftdb\" {}\n transport \"udp\" {}\n}\n"
	doubling := func(first, next string) string {
		s := "locals {\n a0 = " + first + "\n"
		for i := range 40 {
			s += "a" + itoa(i+1) + " = " + strings.ReplaceAll(next, "X", "local.a"+itoa(i)) + "\n"
		}
		return s + "z = [local.a40]\n}\n" + chain
	}
	cases := []struct{ name, file, text string }{
		{"brackets", "spec.hcl", "locals { a = " + strings.Repeat("[", 10_000) + " }"},
		{"parentheses", "spec.hcl", "locals { a = " + strings.Repeat("(", 100_000) + " }"},
		{"blocks", "spec.hcl", strings.Repeat("a {\n", 6_000)},
		{"templates", "spec.hcl", "locals { a = " + strings.Repeat(`"${`, 5_000) + " }"},
		{"nots", "spec.hcl", "locals { a = " + strings.Repeat("!", 20_000) + "true }"},
		{"minuses", "spec.hcl", "locals { a = " + strings.Repeat("-", 20_000) + "1 }"},
		{"sum", "spec.hcl", "locals { a = 1" + strings.Repeat("+1", 20_000) + " }"},
		{"conditions", "spec.hcl", "locals { a = " + strings.Repeat("true?1:", 12_000) + "1 }"},
		{"strings that double", "spec.hcl", doubling(`"0123456789"`, `"${X}${X}"`)},
		{"lists that double", "spec.hcl", doubling(`["x"]`, `[X, X]`)},
		{"flat lists that double", "spec.hcl", doubling(`["x"]`, `concat(X, X)`)},
		{"loops in loops", "spec.hcl", "locals { z = [for a in range(1000): [for b in range(1000): [for c in range(1000): a]]] }\n" + chain},
		{"a template in loops", "spec.hcl", "locals { z = join(\"\", [for a in range(1000): join(\"\", [for b in range(1000): \"0123456789${a}\"])]) }\n" + chain},
		{"doubling in one expression", "spec.hcl", "locals { z = " + strings.Repeat("[for x in [", 16) + "1" + strings.Repeat("]: [x, x, x, x]]", 16) + " }\n" + chain},
		{"loops that yield nothing", "spec.hcl", "locals { z = [for a in range(1000): [for b in range(1000): [for c in range(1000): a if false]]] }\n" + chain},
		{"loops in node.hcl's manner", "spec.hcl", "chain \"a\" { count = [for a in [" + strings.Repeat("1,", 300) + "]: [for b in [" + strings.Repeat("1,", 300) + "]: [for c in [" + strings.Repeat("1,", 300) + "]: 1 if false] if false]] }"},
		{"number", "spec.hcl", "locals { z = \"a${1e999999999}\" }\n" + chain},
		{"number from text", "spec.hcl", "locals { z = \"a${tonumber(\"1e999999999\")}\" }\n" + chain},
		{"number as count", "spec.hcl", "chain \"a\" { count = 1e999 }"},
		{"many locals", "spec.hcl", "locals {\n" + manyLines(1500) + "}\n" + chain},
		{"local chain", "spec.hcl", "locals {\n" + localChain(990) + "z = local.missing\n}\n" + chain},
		{"brackets in JSON", "spec.alto.json", `{"a":` + strings.Repeat("[", 100_000)},
		{"template in JSON", "spec.alto.json", `{"locals": {"z": "` + strings.Repeat("${(", 600) + `"}}`},
		{"loops in JSON", "spec.alto.json", `{"locals": {"z": "${[for a in range(1000): [for b in range(1000): a]]}"}}`},
		{"number in JSON", "spec.alto.json", `{"locals": {"z": ` + strings.Repeat("9", 200_000) + `}}`},
		{"too large", "spec.hcl", strings.Repeat("# comment\n", 30_000)},
		{"no text", "spec.hcl", "\xff\xfe\x00"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.file, c.text)
			s, diags := Load(path, Options{Schemas: builtins()})
			if s != nil || !diags.HasErrors() {
				t.Fatal("accepted")
			}
			if text := diags.Text(); len(text) > 100_000 {
				t.Fatalf("%d bytes of diagnostics", len(text))
			}
		})
	}
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("v" + itoa(i) + " = 1\n")
	}
	return b.String()
}

func localChain(n int) string {
	var b strings.Builder
	b.WriteString("v0 = 1\n")
	for i := 1; i < n; i++ {
		b.WriteString("v" + itoa(i) + " = local.v" + itoa(i-1) + "\n")
	}
	return b.String()
}

// TestFileStaysInTheFolder tries to read a secret beside the spec's folder.
func TestFileStaysInTheFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege there")
	}
	top := t.TempDir()
	dir := filepath.Join(top, "spec")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	must(os.WriteFile(filepath.Join(top, "secret"), []byte("SECRET"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "sub", "open"), []byte("open"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "binary"), []byte{0xff}, 0o600))
	must(os.WriteFile(filepath.Join(dir, "large"), make([]byte, maxBytes+1), 0o600))
	must(os.Symlink(filepath.Join(top, "secret"), filepath.Join(dir, "absolute")))
	must(os.Symlink("../secret", filepath.Join(dir, "relative")))
	must(os.Symlink("..", filepath.Join(dir, "up")))
	must(os.Symlink("sub/open", filepath.Join(dir, "inside")))
	for name, want := range map[string]string{
		"sub/open": "open", "sub/../sub/open": "open", "inside": "open",
		"../secret": "", "sub/../../secret": "", "/etc/hostname": "", "absolute": "", "relative": "", "up/secret": "", "sub": "", "": "",
		"binary": "", "large": "", "nothing": "", "sub/open\x00": "",
	} {
		t.Run(strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
			got, err := readInside(dir, name)
			if got != want || (err == nil) != (want != "") {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
}

// TestHostileNodeAndLock shows loops to the two files that have no use for them.
func TestHostileNodeAndLock(t *testing.T) {
	list := "[" + strings.Repeat("1,", 300) + "]"
	loop := "[for a in " + list + ": [for b in " + list + ": [for c in " + list + ": 1 if false]]]"
	if n, diags := loadNode([]byte("node { name = "+loop+" }"), "node.hcl", builtins()); n != nil || !strings.Contains(diags.Text(), "too much to evaluate") {
		t.Fatal(diags.Text())
	}
	if l, diags := readLock([]byte("plugin \"a\" { version = "+loop+" }"), LockFile); l != nil || !strings.Contains(diags.Text(), "too much to evaluate") {
		t.Fatal(diags.Text())
	}
}
