// Package docs_test checks the documentation: that links lead somewhere, that whole specs are specs, and that command lines
// name verbs and flags which exist.
package docs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	dpospbft "github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft"
	prophecy "github.com/paloalto-chain/paloalto/plugins/oracle"
	cometbftdb "github.com/paloalto-chain/paloalto/plugins/storage-cometbftdb"
	udp "github.com/paloalto-chain/paloalto/plugins/transport-udp"
	forth "github.com/paloalto-chain/paloalto/plugins/vm-forth"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

const root = "../.."

// pages returns the documentation: the README, and everything below docs.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = string(b)
	}
	read(filepath.Join(root, "README.md"))
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			read(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d pages were found", len(out))
	}
	return out
}

// block is a fenced piece of a page.
type block struct{ lang, text string }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func blocks(page string) (out []block) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		out = append(out, block{m[1], m[2]})
	}
	return out
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)\s]*)?\)`)

func TestLinksResolve(t *testing.T) {
	n := 0
	for path, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: the link %q leads nowhere", path, m[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links were found", n)
	}
}

// builtins are the built-in plugins as a spec sees them.
type builtins []plugin.Info

func schemas() builtins {
	var out builtins
	for _, p := range []plugin.Plugin{dpospbft.Plugin(), forth.Plugin(), cometbftdb.Plugin(), prophecy.Plugin(), udp.Plugin()} {
		out = append(out, p.Describe())
	}
	return out
}

// Plugin implements chainspec.Schemas.
func (b builtins) Plugin(name string, kind plugin.Kind) (plugin.Info, bool) {
	for _, i := range b {
		if _, ok := i.Find(kind); ok && i.Name == name {
			return i, true
		}
	}
	return plugin.Info{}, false
}

// Names implements chainspec.Schemas.
func (b builtins) Names(kind plugin.Kind) (out []string) {
	for _, i := range b {
		if _, ok := i.Find(kind); ok {
			out = append(out, i.Name)
		}
	}
	return out
}

// TestSpecs loads every whole spec: those in HCL and JSON of the language's page and of pages that use it, but for specs with
// plugins that a reader has to build first.
func TestSpecs(t *testing.T) {
	n := 0
	for path, text := range pages(t) {
		for i, b := range blocks(text) {
			name := "spec.hcl"
			switch {
			case b.lang == "json" && strings.HasSuffix(path, "spec.md"):
				name = "spec.json"
			case b.lang != "hcl", strings.Contains(b.text, "\nplugin \"") || strings.HasPrefix(b.text, "plugin \""):
				continue
			}
			n++
			file := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, diags := chainspec.Load(file, chainspec.Options{Schemas: schemas()}); diags.HasErrors() {
				t.Errorf("%s: block %d is no spec:\n%s", path, i, diags.Text())
			}
			if name == "spec.hcl" {
				if out, diags := chainspec.Format([]byte(b.text), file); diags.HasErrors() || string(out) != b.text {
					t.Errorf("%s: block %d is not as `alto fmt` writes it:\n%s", path, i, out)
				}
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d specs were found", n)
	}
}

// commandLines returns the lines of shell blocks that begin with alto, and the verbs that pages name in `alto …`.
func commandLines(text string) (out []string) {
	for _, b := range blocks(text) {
		if b.lang != "sh" {
			continue
		}
		for _, line := range strings.Split(b.text, "\n") {
			line = strings.TrimPrefix(line, "go run ./cmd/")
			if strings.HasPrefix(line, "alto ") {
				out = append(out, line)
			}
		}
	}
	for _, m := range regexp.MustCompile("`(alto [a-z][^`\n]*)`").FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		out = append(out, m[1])
	}
	return out
}

// command is what --help says of a command.
type command struct {
	flags map[string]bool
	subs  map[string]bool
}

var (
	flagLine = regexp.MustCompile(`(?m)^ +(?:-([a-zA-Z]), )?--([a-z-]+)`)
	subLine  = regexp.MustCompile(`(?m)^  ([a-z-]+) `)
)

func parseHelp(text string) command {
	c := command{map[string]bool{}, map[string]bool{}}
	if _, rest, ok := strings.Cut(text, "\nAvailable Commands:\n"); ok {
		list, _, _ := strings.Cut(rest, "\n\n")
		for _, m := range subLine.FindAllStringSubmatch(list, -1) {
			c.subs[m[1]] = true
		}
	}
	for _, title := range []string{"\nFlags:\n", "\nGlobal Flags:\n"} {
		_, rest, _ := strings.Cut(text, title)
		list, _, _ := strings.Cut(rest, "\n\n")
		for _, m := range flagLine.FindAllStringSubmatch(list, -1) {
			c.flags["--"+m[2]] = true
			if m[1] != "" {
				c.flags["-"+m[1]] = true
			}
		}
	}
	return c
}

// hidden are commands that do not show in help, because only nodes use them.
func hidden(line string) bool {
	return strings.HasPrefix(line, "alto plugin serve") || strings.HasPrefix(line, "alto plugin exec-shim")
}

func TestCommandLines(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	bin := filepath.Join(t.TempDir(), "alto")
	if out, err := exec.Command("go", "build", "-o", bin, root+"/cmd/alto").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	known := map[string]command{}
	help := func(verbs ...string) command {
		key := strings.Join(verbs, " ")
		c, ok := known[key]
		if !ok {
			cmd := exec.Command(bin, append(verbs, "--help")...)
			cmd.Env = append(os.Environ(), "ALTO_HOME="+t.TempDir())
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("alto %s --help: %v\n%s", key, err, errs.Bytes())
			}
			c = parseHelp(string(out))
			known[key] = c
		}
		return c
	}
	n := 0
	for path, text := range pages(t) {
		for _, line := range commandLines(text) {
			if hidden(line) {
				continue
			}
			n++
			var verbs []string
			at := help()
			words := strings.Fields(line)[1:]
			for len(words) > 0 && len(at.subs) > 0 {
				if !at.subs[words[0]] {
					if strings.HasPrefix(words[0], "-") {
						break
					}
					t.Errorf("%s: `%s`: there is no verb %q", path, line, words[0])
					words = nil
					break
				}
				verbs, words = append(verbs, words[0]), words[1:]
				at = help(verbs...)
			}
			for _, w := range words {
				w, _, _ = strings.Cut(w, "=")
				if strings.HasPrefix(w, "-") && len(w) > 1 && !at.flags[w] {
					t.Errorf("%s: `%s`: there is no flag %s", path, line, w)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d command lines were found", n)
	}
}

var attributeRow = regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\| ([a-z()]+) \\| [^|]*\\| [^|]*\\| *(yes)? *\\| (.*) \\|$")

// TestAttributes checks the tables of the language's page: they have the attributes of the built-in plugins, and no others.
func TestAttributes(t *testing.T) {
	page := pages(t)[filepath.Join(root, "docs", "guide", "spec.md")]
	for _, info := range schemas() {
		for _, k := range info.Kinds {
			title := "### `" + string(k.Kind) + " \"" + info.Name + "\"`\n"
			_, section, found := strings.Cut(page, title)
			if !found {
				t.Errorf("there is no section %q", strings.TrimSpace(title))
				continue
			}
			section, _, _ = strings.Cut(section, "\n#")
			rows := map[string][]string{}
			for _, m := range attributeRow.FindAllStringSubmatch(section, -1) {
				rows[m[1]] = m
			}
			for _, a := range k.Schema.Attributes {
				if a.Governed {
					a.Description += "; a parameter"
				}
				switch r := rows[a.Name]; {
				case r == nil:
					t.Errorf("%s has no row for %s", strings.TrimSpace(title), a.Name)
				case r[2] != string(a.Type) || (r[3] == "yes") != a.ConsensusCritical || r[4] != a.Description:
					t.Errorf("%s, %s: the row says %q, %q, %q; the plugin says %q, critical %v, %q", strings.TrimSpace(title), a.Name, r[2], r[3], r[4], a.Type,
						a.ConsensusCritical, a.Description)
				}
				delete(rows, a.Name)
			}
			for name := range rows {
				t.Errorf("%s has a row for %s, which is no attribute", strings.TrimSpace(title), name)
			}
		}
	}
}
