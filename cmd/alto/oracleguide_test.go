package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var guideAssign = regexp.MustCompile(`^([A-Z]+)=\$\((.*)\)$`)

// TestOracleGuide runs the commands of docs/guide/oracle.md, one after the other, as its reader would; the spec is the page's own,
// with windows for one who does not have to read in between.
func TestOracleGuide(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("brings a network up")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "oracle.md"))
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(filepath.Join("..", "..", "examples", "oracle.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	var script, spec strings.Builder
	n := 0
	for _, m := range guideBlock.FindAllStringSubmatch(string(page), -1) {
		switch m[1] {
		case "hcl":
			spec.WriteString(m[2])
		case "sh":
			for _, line := range strings.Split(strings.TrimSpace(m[2]), "\n") {
				n++
				if a := guideAssign.FindStringSubmatch(line); a != nil {
					fmt.Fprintf(&script, "exits 0 %s\ncapture %s '^([0-9a-f]{64})$'\n", a[2], a[1])
					continue
				}
				fmt.Fprintf(&script, "exits 0 %s\n", line)
				if strings.HasPrefix(line, "alto oracle watch ") {
					script.WriteString("exits 0 alto oracle show $Q\nstdout '^  settled  decided: YES; '\nstdout '^  result   YES, since '\n")
				}
			}
		}
	}
	if n < 15 || spec.Len() == 0 {
		t.Fatalf("%d commands were found, and a spec of %d bytes", n, spec.Len())
	}
	if !strings.HasSuffix(string(example), spec.String()) {
		t.Errorf("examples/oracle.hcl is not the page's spec:\n%s", example)
	}
	short := strings.NewReplacer(`"1m"`, `"8s"`, `"20s"`, `"3s"`, `"10s"`, `"8s"`).Replace(spec.String())
	file := filepath.Join(t.TempDir(), "guide.txtar")
	if err := os.WriteFile(file, []byte(script.String()+"-- oracle.hcl --\n"+short), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scriptParams(t)
	p.Files = []string{file}
	testscript.Run(t, p)
}
