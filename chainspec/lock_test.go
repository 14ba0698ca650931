package chainspec

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func sampleLock() *Lock {
	var l Lock
	for _, i := range builtins() {
		l.Plugins = append(l.Plugins, LockedPlugin{Info: i, Source: "./bin/" + i.Name,
			SHA256: map[string]string{"linux/amd64": strings.Repeat("ab", 32), "darwin/arm64": strings.Repeat("cd", 32)}})
	}
	return &l
}

func TestLockRoundTrip(t *testing.T) {
	l := sampleLock()
	path := filepath.Join(t.TempDir(), LockFile)
	if err := WriteLock(path, l); err != nil {
		t.Fatal(err)
	}
	got, diags := ReadLock(path)
	if diags.HasErrors() {
		t.Fatal(diags.Text())
	}
	for _, p := range l.Plugins {
		if q := got.Find(p.Info.Name); q == nil || !reflect.DeepEqual(*q, p) {
			t.Fatalf("\n got %+v\nwant %+v", q, p)
		}
	}
	first, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.Plugins[0], l.Plugins[3] = l.Plugins[3], l.Plugins[0]
	if second, err := l.Encode(); err != nil || string(second) != string(first) {
		t.Fatalf("the order of plugins shows in the file: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v: a temporary file was left", entries, err)
	}
	want, err := os.ReadFile("testdata/alto.lock.hcl")
	if *update {
		want, err = first, os.WriteFile("testdata/alto.lock.hcl", first, 0o600)
	}
	if err != nil || string(want) != string(first) {
		t.Fatalf("%v\n%s", err, first)
	}
}

func TestLockCheck(t *testing.T) {
	l := sampleLock()
	if err := l.Check("forth", "linux", "amd64", "/bin/x", strings.Repeat("ab", 32)); err != nil {
		t.Fatal(err)
	}
	err := l.Check("forth", "linux", "amd64", "/bin/x", strings.Repeat("00", 32))
	var d *DigestError
	if !errors.As(err, &d) || !errors.Is(err, ErrDigestMismatch) {
		t.Fatal(err)
	}
	for _, part := range []string{"forth", "/bin/x", strings.Repeat("00", 32), strings.Repeat("ab", 32), "linux/amd64", "alto plugin lock"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	if err := l.Check("forth", "plan9", "amd64", "/bin/x", ""); !errors.Is(err, ErrNotLocked) || !strings.Contains(err.Error(), "darwin/arm64, linux/amd64") {
		t.Fatal(err)
	}
	if err := (&Lock{}).Check("forth", "linux", "amd64", "/bin/x", ""); !errors.Is(err, ErrNotLocked) || !strings.Contains(err.Error(), "alto plugin lock") {
		t.Fatal(err)
	}
}

// TestLockedSchemas validates a spec with an external plugin from the lock file alone.
func TestLockedSchemas(t *testing.T) {
	ledger := fake("ledger", plugin.VM, plugin.Attribute{Name: "max_code", Type: plugin.Size, ConsensusCritical: true, Default: "1024"})
	ledger.Version = "1.2.5"
	l := &Lock{Plugins: []LockedPlugin{{Info: ledger, Source: "./bin/ledger", SHA256: map[string]string{"linux/amd64": strings.Repeat("ab", 32)}},
		{Info: fake("forth", plugin.VM), Source: "evil", SHA256: map[string]string{}}}}
	text := "plugin \"ledger\" {\n source = \"./bin/ledger\"\n version = \"~> 1.2\"\n}\nchain \"root\" {\n consensus \"dpospbft\" { producers = 4 }\n vm \"ledger\" { max_code = \"64KiB\" }\n storage \"cometbftdb\" {}\n transport \"udp\" {}\n}\n"
	opts := Options{Schemas: l.With(builtins())}
	s, diags := load([]byte(text), "spec.hcl", "", opts)
	if diags.HasErrors() || string(s.Chains[0].VM.Critical) != `{"max_code":65536}` {
		t.Fatal(diags.Text())
	}
	_, diags = load([]byte(strings.Replace(text, "~> 1.2", "~> 2.0", 1)), "spec.hcl", "", opts)
	if !strings.Contains(diags.Text(), `asks for version "~> 2.0", the lock file has 1.2.5`) {
		t.Fatal(diags.Text())
	}
	if i, _ := opts.Schemas.Plugin("forth", plugin.VM); len(i.Kinds[0].Schema.Attributes) == 0 {
		t.Fatal("the lock file replaced a built-in plugin")
	}
	if names := opts.Schemas.Names(plugin.VM); !reflect.DeepEqual(names, []string{"forth", "ledger"}) {
		t.Fatal(names)
	}
	if _, ok := opts.Schemas.Plugin("ledger", plugin.Oracle); ok {
		t.Fatal("it is no oracle")
	}
}

// TestFaultySchemas decodes blocks against schemas that a plugin should not have.
func TestFaultySchemas(t *testing.T) {
	cases := []struct {
		name string
		attr plugin.Attribute
		want string
	}{
		{"bad default", plugin.Attribute{Name: "x", Type: plugin.Number, Default: "1.5"}, "bad default"},
		{"default is no JSON", plugin.Attribute{Name: "x", Type: plugin.String, Default: "abc"}, "bad default"},
		{"default out of bounds", plugin.Attribute{Name: "x", Type: plugin.Duration, Default: "5", Min: "6"}, "bad default"},
		{"bad bound", plugin.Attribute{Name: "x", Type: plugin.Size, Default: "5", Max: "much"}, "bad bound"},
		{"huge bound", plugin.Attribute{Name: "x", Type: plugin.Size, Default: "5", Max: strings.Repeat("9", 1000)}, "bad bound"},
		{"unknown type", plugin.Attribute{Name: "x", Type: "map", Default: "{}"}, "unknown type"},
		{"reserved name", plugin.Attribute{Name: "memory", Type: plugin.Size}, "belongs to the host"},
	}
	text := "chain \"root\" {\n consensus \"dpospbft\" { producers = 4 }\n vm \"bad\" {}\n storage \"cometbftdb\" {}\n transport \"udp\" {}\n}\n"
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, diags := load([]byte(text), "spec.hcl", "", Options{Schemas: append(builtins(), fake("bad", plugin.VM, c.attr))})
			if !diags.HasErrors() || !strings.Contains(diags.Text(), c.want) {
				t.Fatal(diags.Text())
			}
		})
	}
}

func TestReadLockErrors(t *testing.T) {
	if l, diags := ReadLock(filepath.Join(t.TempDir(), LockFile)); diags != nil || len(l.Plugins) != 0 {
		t.Fatalf("%v, %v", l, diags)
	}
	good, err := sampleLock().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"digest":         {strings.Repeat("ab", 32), "abab"},
		"kind":           {`kind "vm"`, `kind "colour"`},
		"api":            {`[1, 1]`, `[1, -1]`},
		"no api":         {`api `, `# api `},
		"type":           {`type `, `typ `},
		"plugin twice":   {`plugin "forth"`, `plugin "udp"`},
		"function":       {`"./bin/forth"`, `file("x")`},
		"attribute name": {`attribute "dialect"`, `attribute "Dia lect"`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(string(good), edit[0], edit[1], 1)
			if bad == string(good) {
				t.Fatal("the case changes nothing")
			}
			l, diags := readLock([]byte(bad), LockFile)
			if l != nil || !strings.Contains(diags.Text(), "alto plugin lock") {
				t.Fatalf("%+v\n%s", l, diags.Text())
			}
		})
	}
	if _, err := (&Lock{Plugins: []LockedPlugin{{Info: plugin.Info{Name: "../x"}}}}).Encode(); err == nil {
		t.Fatal("a lock that cannot be read was written")
	}
}
