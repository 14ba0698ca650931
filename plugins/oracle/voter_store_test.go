package prophecy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func TestTheStoreTakesAnything(t *testing.T) {
	good := fmt.Sprintf(`{"question":"%064x","life":0,"text":"Is it?","value":"YES","offered":"YES","reason":"so","source":"operator","at_ms":5}`, 7)
	for _, c := range []struct {
		name, content string
		want          int // entries that are kept
		warns         int
	}{
		{"nothing", "", 0, 1},
		{"garbage", "\x00\xff{", 0, 1},
		{"half of it", `{"format":1,"ballots":[` + good, 0, 1},
		{"another format", `{"format":2,"ballots":[` + good + `]}`, 0, 1},
		{"an array", `[]`, 0, 1},
		{"null", `null`, 0, 1},
		{"none", `{"format":1}`, 0, 0},
		{"one", `{"format":1,"ballots":[` + good + `]}`, 1, 0},
		{"one that is good among others", `{"format":1,"ballots":[null,7,{"question":"zz"},` + good + `,{"question":"` + strings.Repeat("0", 64) + `","life":2},
			{"question":"` + strings.Repeat("1", 64) + `","value":"MAYBE"},{"question":"` + strings.Repeat("2", 64) + `","attempts":-1},
			{"question":"` + strings.Repeat("3", 64) + `","reason":"` + strings.Repeat("x", 5000) + `"},{"question":"` + strings.Repeat("4", 64) + `","text":"` + strings.Repeat("x", 2000) + `"}]}`, 1, 8},
		{"too many", `{"format":1,"ballots":[` + strings.Repeat(good+",", maxEntries+5) + good + `]}`, maxEntries, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, storeName)
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".123.tmp", []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			warns := 0
			list, err := loadStore(dir, func(string, error) { warns++ })
			if err != nil || len(list) != c.want || warns != c.warns {
				t.Fatalf("%d entries, %d warnings, %v; want %d and %d", len(list), warns, err, c.want, c.warns)
			}
			if _, err := os.Stat(path + ".123.tmp"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what a killed process left is still there: %v", err)
			}
			if _, err := loadStore(dir, func(what string, err error) {
				if c.warns == 1 {
					t.Errorf("a second time: %s: %v", what, err)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheStoreIsNoFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":   func(path string) error { return os.Symlink("/dev/zero", path) },
		"more than enough": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, maxStore+1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, warns := filepath.Join(t.TempDir(), "new"), 0
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := make(filepath.Join(dir, storeName)); err != nil {
				t.Fatal(err)
			}
			if list, err := loadStore(dir, func(string, error) { warns++ }); err != nil || list != nil || warns != 1 {
				t.Fatalf("%v, %v, %d warnings", list, err, warns)
			}
			if err := writeStore(dir, []byte(`{"format":1}`)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func FuzzStore(f *testing.F) {
	v := oracle.Invalid
	b, err := encodeStore([]*entry{{id: [32]byte{1}, life: 1, offered: &v, reason: "r", source: "http", attempts: 3, over: true,
		question: &oracle.Question{Text: "t", Sources: []string{"s"}}, belief: &oracle.Belief{Value: v}}, {id: [32]byte{2}, life: lifeUnknown}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":1,"ballots":[{"question":"00","life":1e9,"value":"NO","at_ms":9223372036854775807}]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeStore(b, func(string, error) {})
		if err != nil {
			return
		}
		again, err := encodeStore(list)
		if err != nil {
			t.Fatal(err)
		}
		second, err := decodeStore(again, func(what string, err error) { t.Fatalf("what it wrote itself: %s: %v", what, err) })
		if err != nil || len(second) != len(list) {
			t.Fatalf("%d entries, then %d: %v", len(list), len(second), err)
		}
		for i := range list {
			if a, b := list[i].stored(), second[i].stored(); !reflect.DeepEqual(a, b) {
				t.Fatalf("%+v, then %+v", a, b)
			}
		}
	})
}

func rawConfig(t testing.TB, text string) map[string]json.RawMessage {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestObserverAttributes(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"nothing", `{}`, ""},
		{"manual", `{"observer":"manual"}`, ""},
		{"command", `{"observer":"command","observer_command":["/bin/true","-x"],"observer_timeout":1000000000,"observer_retry":2000000000,"observer_parallel":1}`, ""},
		{"http", `{"observer":"http","observer_urls":["https://a.example/{id}"],"observer_path":["$.a"],"observer_yes":["1"],"observer_agree":1}`, ""},
		{"unknown", `{"observer":"manual","colour":"red"}`, "colour"},
		{"of another observer", `{"observer":"manual","observer_command":["/bin/true"]}`, "belongs to"},
		{"a kind that there is not", `{"observer":"dice"}`, "dice"},
		{"a command as a string", `{"observer":"command","observer_command":"/bin/true"}`, "observer_command"},
		{"a retry that is too short", `{"observer_retry":1}`, "observer_retry"},
		{"none at a time", `{"observer_parallel":0}`, "observer_parallel"},
		{"a URL that is none", `{"observer":"http","observer_urls":["ftp://a.example"],"observer_path":["$.a"]}`, "must begin with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseObserver(rawConfig(t, c.raw))
			if c.want == "" && err != nil {
				t.Fatal(err)
			}
			if c.want != "" && (!errors.Is(err, plugin.ErrBadConfig) || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("%v, want ErrBadConfig with %q", err, c.want)
			}
		})
	}
}

// TestAttributesAreWhatIsParsed: each attribute of the schema is read, with its default as a host fills it in, and belongs to
// the node alone.
func TestAttributesAreWhatIsParsed(t *testing.T) {
	raw := map[string]json.RawMessage{}
	for _, a := range observerAttributes() {
		if a.ConsensusCritical || a.Governed || a.Required {
			t.Errorf("%s is more than this node's business", a.Name)
		}
		if a.Default != "" {
			raw[a.Name] = json.RawMessage(a.Default)
		}
	}
	cfg, err := parseObserver(raw)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.source.Kind != observe.None || cfg.source.Timeout != observe.DefaultTimeout || cfg.retry != defaultRetry || cfg.parallel != defaultParallel {
		t.Errorf("defaults: %+v", cfg)
	}
	plain, err := parseObserver(nil)
	if err != nil || plain.retry != cfg.retry || plain.parallel != cfg.parallel {
		t.Errorf("without any: %+v, %v", plain, err)
	}
}

func FuzzObserverAttributes(f *testing.F) {
	f.Add(`{"observer":"http","observer_urls":["https://a.example/{id}"],"observer_path":["$..a"],"observer_yes":["1"]}`)
	f.Add(`{"observer":"command","observer_command":["/x"]}`)
	f.Add(`{"observer_timeout":-1}`)
	f.Fuzz(func(t *testing.T, text string) {
		var raw map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &raw) != nil {
			return
		}
		cfg, err := parseObserver(raw)
		if err != nil {
			if !errors.Is(err, plugin.ErrBadConfig) {
				t.Fatal(err)
			}
			return
		}
		if _, err := observe.New(cfg.source); err != nil {
			t.Fatalf("accepted, and then: %v", err)
		}
	})
}
