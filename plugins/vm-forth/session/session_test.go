package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func begin(t testing.TB, v vm.Session) *Session {
	t.Helper()
	l := bytecode.DefaultLimits()
	s, err := New(&l, v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// evaluate gives a session its inputs, a line each, and writes what came of them: what they print, their errors, the
// stack and whether something is open at the end.
func evaluate(t testing.TB, s *Session, inputs ...string) string {
	t.Helper()
	var b strings.Builder
	var out vm.Output
	line := uint32(1)
	passed, failed := 0, 0
	for _, text := range inputs {
		var err error
		if out, err = s.Eval(context.Background(), vm.Input{File: "f", Line: line, Text: text}); err != nil {
			t.Fatal(err)
		}
		line += 1 + uint32(strings.Count(text, "\n"))
		b.WriteString(out.Text)
		if out.Error != "" {
			b.WriteString("error " + out.Error + "\n")
		}
		if out.Bye {
			b.WriteString("bye\n")
		}
		passed, failed = passed+out.Passed, failed+out.Failed
	}
	if passed+failed > 0 {
		fmt.Fprintf(&b, "%d passed, %d failed\n", passed, failed)
	}
	if out.Open {
		b.WriteString("open\n")
	}
	return b.String() + "[" + strings.Join(out.Stack, " ") + "]"
}

var update = flag.Bool("update", false, "write what comes of the scripts")

// TestScripts plays testdata/*.txt. A case begins with "== NAME", and the dialect in parentheses if it is not the default; lines that begin
// with "> " are an input each, those with "| " go on with it; the rest, up to an empty line, is what comes of them.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var now strings.Builder
		for _, c := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
			now.WriteString(play(t, c))
		}
		if *update {
			if err := os.WriteFile(f, []byte(strings.TrimSpace(now.String())+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var heading = regexp.MustCompile(`^== (.*?)(?: \(([a-z0-9]+)\))?$`)

// play plays a case and returns it with what comes of it.
func play(t *testing.T, text string) string {
	lines := strings.Split(text, "\n")
	m := heading.FindStringSubmatch(lines[0])
	if m == nil {
		t.Fatalf("a case begins with == NAME, not with %q", lines[0])
	}
	var inputs, want []string
	said := lines[0] + "\n"
	for _, l := range lines[1:] {
		if in, ok := strings.CutPrefix(l, "> "); ok && len(want) == 0 {
			inputs, said = append(inputs, in), said+l+"\n"
		} else if in, ok := strings.CutPrefix(l, "| "); ok && len(want) == 0 {
			inputs[len(inputs)-1] += "\n" + in
			said += l + "\n"
		} else {
			want = append(want, l)
		}
	}
	got := evaluate(t, begin(t, vm.Session{Dialect: m[2]}), inputs...)
	t.Run(m[1], func(t *testing.T) {
		if w := strings.Join(want, "\n"); got != w && !*update {
			t.Errorf("got\n%s\nwant\n%s", got, w)
		}
	})
	return said + got + "\n\n"
}

func TestNew(t *testing.T) {
	l := bytecode.DefaultLimits()
	for _, d := range []string{"cobol", "asm"} {
		if _, err := New(&l, vm.Session{Dialect: d}); !errors.Is(err, vm.ErrInvalid) && !errors.Is(err, vm.ErrUnsupported) {
			t.Errorf("%s: %v", d, err)
		}
	}
	s := begin(t, vm.Session{Environment: map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 9}}})
	if got := evaluate(t, s, "height"); got != "[9]" {
		t.Error(got)
	}
}
