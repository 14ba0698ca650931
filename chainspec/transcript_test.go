package chainspec

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// specOf is a spec with a chain for each of the phrases "producers N" and "named N" between which "and" stands, and their numbers of
// producers.
func specOf(line string) (spec string, counts []int, err error) {
	var b strings.Builder
	for i, phrase := range strings.Split(line, " and ") {
		if _, err := strconv.Atoi(phrase); err == nil {
			phrase = "producers " + phrase
		}
		how, num, _ := strings.Cut(phrase, " ")
		n, err := strconv.Atoi(num)
		if err != nil || how != "producers" && how != "named" {
			return "", nil, fmt.Errorf("what is %q?", phrase)
		}
		counts = append(counts, n)
		fmt.Fprintf(&b, "chain \"c%d\" {\n  storage \"cometbftdb\" {}\n  transport \"udp\" {}\n", i)
		if how == "producers" {
			fmt.Fprintf(&b, "  consensus \"dpospbft\" { producers = %d }\n}\n", n)
			continue
		}
		b.WriteString("  consensus \"dpospbft\" {}\n  genesis {\n")
		for _, p := range testProducers(n) {
			fmt.Fprintf(&b, "    producer %q { key = %q }\n", p.Name, p.Key)
		}
		b.WriteString("  }\n}\n")
	}
	return b.String(), counts, nil
}

// TestTranscripts plays the files in testdata/transcripts: the pitfall of the design whose rule is kept here. Each line is a spec in
// short; after "=>" stand what a quorum of each chain is and what is said of the spec.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) < 1 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for i, line := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n") {
				body, want, _ := strings.Cut(line, "=>")
				body, want = strings.TrimRight(body, " "), strings.TrimSpace(want)
				if body == "" || body[0] == '#' {
					out = append(out, line)
					continue
				}
				got, err := warned(t, body)
				if err != nil {
					t.Fatalf("line %d: %s: %v", i+1, body, err)
				}
				out = append(out, fmt.Sprintf("%-22s => %s", body, got))
				if !*update && got != want {
					t.Errorf("line %d: %s => %s, want %s", i+1, body, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n")+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// warned loads a spec and tells of it. That there is a warning for each chain that tolerates nothing, and for no other, does not
// depend on what the transcript says.
func warned(t *testing.T, line string) (string, error) {
	text, counts, err := specOf(line)
	if err != nil {
		return "", err
	}
	s, diags := loadText(t, text, nil)
	if s == nil {
		return diags.Text(), nil
	}
	var told []string
	fragile := 0
	for _, n := range counts {
		q := types.QuorumOf(uint64(n))
		if q == uint64(n) {
			fragile++
		}
		told = append(told, fmt.Sprintf("%d of %d", q, n))
	}
	for _, d := range diags {
		told = append(told, fmt.Sprintf("%s: %s", d.Severity, d.Summary))
	}
	if w := len(diags.Warnings()); w != fragile || len(s.Chains) != len(counts) {
		t.Errorf("%s: %d warnings for %d of %d chains", line, w, fragile, len(s.Chains))
	}
	return strings.Join(told, ", "), nil
}
