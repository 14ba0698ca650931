package chainspec

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func seeds(f *testing.F, json bool) {
	f.Helper()
	files, err := filepath.Glob("testdata/spec/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if strings.Contains(name, "json") == json {
			text, _, _ := strings.Cut(string(raw), separator)
			f.Add([]byte(text))
		}
	}
}

// checkLoad says what must hold of any spec: no panic, errors or a spec, what loads resolves to a document with one form.
func checkLoad(t *testing.T, src []byte, name string) {
	if len(src) > MaxSpecBytes {
		return
	}
	s, diags := load(src, name, t.TempDir(), Options{Schemas: builtins()})
	if (s == nil) != diags.HasErrors() {
		t.Fatalf("spec %v, %s", s, diags.Text())
	}
	_ = diags.Text()
	if s == nil {
		return
	}
	for _, c := range s.Chains[:min(len(s.Chains), 5)] {
		g, err := Resolve(c, testInput(c))
		if err != nil {
			t.Fatalf("chain %q does not resolve: %v\n%s", c.Name, err, src)
		}
		if d, err := DecodeGenesis(g.Encode()); err != nil || d.ID() != g.ID() {
			t.Fatalf("%v\n%s", err, g.Encode())
		}
	}
	once, diags := Format(src, name)
	if diags.HasErrors() {
		t.Fatal(diags.Text())
	}
	if ok, _ := Formatted(once, name); !ok {
		twice, _ := Format(once, name)
		t.Fatalf("formatting is not stable:\n%q\n%q", once, twice)
	}
	again, diags := load(once, name, t.TempDir(), Options{Schemas: builtins()})
	if !reflect.DeepEqual(s, again) {
		t.Fatalf("formatting changed the spec: %s\n%s", diags.Text(), once)
	}
}

func FuzzLoad(f *testing.F) {
	seeds(f, false)
	f.Fuzz(func(t *testing.T, src []byte) { checkLoad(t, src, "spec.hcl") })
}

func FuzzLoadJSON(f *testing.F) {
	seeds(f, true)
	f.Fuzz(func(t *testing.T, src []byte) { checkLoad(t, src, "spec.alto.json") })
}

func FuzzDecodeGenesis(f *testing.F) {
	f.Add(sample().Encode())
	if b, err := os.ReadFile("testdata/genesis.json"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := DecodeGenesis(b)
		if err == nil && !bytes.Equal(g.Encode(), b) {
			t.Fatalf("accepted %s", b)
		}
	})
}

func FuzzLoadNode(f *testing.F) {
	f.Add(sampleNode(f).Encode())
	f.Add([]byte("node {\n name = \"n\"\n listen = \":7000\"\n}\ndefaults {}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		n, diags := loadNode(src, "node.hcl", builtins())
		if (n == nil) != diags.HasErrors() {
			t.Fatal(n, diags)
		}
		if n == nil {
			return
		}
		again, diags := loadNode(n.Encode(), "node.hcl", builtins())
		if diags.HasErrors() || !reflect.DeepEqual(n, again) {
			t.Fatalf("%s\n%+v\n%+v\n%s", diags.Text(), n, again, n.Encode())
		}
	})
}

func FuzzReadLock(f *testing.F) {
	b, err := sampleLock().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, src []byte) {
		l, diags := readLock(src, LockFile)
		if (l == nil) != diags.HasErrors() {
			t.Fatal(l, diags)
		}
		if l == nil {
			return
		}
		once, err := l.Encode()
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		again, diags := readLock(once, LockFile)
		if diags.HasErrors() {
			t.Fatal(diags.Text())
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
	})
}
