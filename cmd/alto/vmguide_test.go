package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestContractToolsGuide runs the commands of docs/guide/contract-tools.md over the page's own files and compares what they print with what the
// page says.
func TestContractToolsGuide(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "contract-tools.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script, files strings.Builder
	commands, outputs, last := 0, 0, ""
	for _, m := range guideBlock.FindAllStringSubmatch(string(page), -1) {
		text := m[2]
		switch {
		case m[1] == "forth":
			name, _, _ := strings.Cut(strings.TrimPrefix(text, `\ `), "\n")
			name, _, _ = strings.Cut(name, ":")
			fmt.Fprintf(&files, "-- %s --\n%s", name, text)
		case m[1] == "sh" && !strings.Contains(text, "forth2012"): // whose files are the reader's
			for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
				fmt.Fprintf(&script, "exits 0 %s\n", strings.ReplaceAll(line, `"`, "'"))
				commands++
			}
		case m[1] == "" && last == "sh":
			fmt.Fprintf(&script, "cmp stdout out%d\n", outputs)
			fmt.Fprintf(&files, "-- out%d --\n%s", outputs, text)
			outputs++
		case m[1] == "" && strings.HasPrefix(text, "failed with"):
			fmt.Fprintf(&script, "exits 2 alto vm run lock.fs\ncmp stdout out%d\n", outputs)
			fmt.Fprintf(&files, "-- out%d --\n%s", outputs, text)
			outputs++
		}
		last = m[1]
	}
	if commands < 2 || outputs < 3 {
		t.Fatalf("%d commands and %d outputs were found", commands, outputs)
	}
	file := filepath.Join(t.TempDir(), "guide.txtar")
	if err := os.WriteFile(file, []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scriptParams(t)
	p.Files = []string{file}
	testscript.Run(t, p)
}
