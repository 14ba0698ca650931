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

var guideBlock = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// TestStakingGuide runs the commands of docs/guide/staking.md, one after the other, as its reader would; the spec is the page's
// own. What has to wait for the end of an epoch is tried again.
func TestStakingGuide(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("brings a network up")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "staking.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script, spec strings.Builder
	n, elected := 0, false
	for _, m := range guideBlock.FindAllStringSubmatch(string(page), -1) {
		switch m[1] {
		case "hcl":
			spec.WriteString(m[2])
		case "sh":
			for _, line := range strings.Split(strings.TrimSpace(m[2]), "\n") {
				n++
				switch {
				case strings.HasPrefix(line, "alto stake vote "):
					elected = true
				case elected && line == "alto stake producers":
					script.WriteString("eventually alto chain certificate export --epoch 1 --out elected.json\n")
					fmt.Fprintf(&script, "exits 0 %s\nstdout -count=2 '^[01] +(north|node-0) .* active$'\n", line)
					continue
				}
				fmt.Fprintf(&script, "exits 0 %s\n", line)
			}
		}
	}
	if n < 20 || !elected || spec.Len() == 0 {
		t.Fatalf("%d commands were found, and a spec of %d bytes", n, spec.Len())
	}
	file := filepath.Join(t.TempDir(), "guide.txtar")
	if err := os.WriteFile(file, []byte(script.String()+"-- stake.hcl --\n"+spec.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scriptParams(t)
	p.Files = []string{file}
	testscript.Run(t, p)
}
