//go:build unix

package observe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

func shell(t *testing.T, script string) *Source {
	t.Helper()
	return source(t, Config{Kind: Command, Argv: []string{"/bin/sh", "-c", script}, Timeout: 20 * time.Second})
}

func TestCommandAnswers(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         oracle.Belief
	}{
		{"a value alone", "echo YES", oracle.Belief{Value: oracle.Yes}},
		{"a value without a line's end", "printf NO", oracle.Belief{Value: oracle.No}},
		{"a reason on the same line", "echo 'INVALID: nobody can know'", oracle.Belief{Value: oracle.Invalid, Reason: "nobody can know"}},
		{"a reason on the next line", `printf 'TOO_EARLY\n\n  wait for it \nmore\n'`, oracle.Belief{Value: oracle.TooEarly, Reason: "wait for it"}},
		{"lines of another system", `printf 'YES\r\nso it is\r\n'`, oracle.Belief{Value: oracle.Yes, Reason: "so it is"}},
		{"control characters in the reason", `printf 'YES\n\033[31mred\n'`, oracle.Belief{Value: oracle.Yes, Reason: "[31mred"}},
		{"the question in the environment", `test "$ALTO_QUESTION" = "Is it so?" && echo "YES $ALTO_QUESTION_ID"`,
			oracle.Belief{Value: oracle.Yes, Reason: fmt.Sprintf("%x", question.ID)}},
		{"the question on standard input", `read -r q; echo "YES $q"`, oracle.Belief{Value: oracle.Yes,
			Reason: fmt.Sprintf(`{"id":"%x","text":"Is it so?","sources":["https://example.org/a"]}`, question.ID)}},
		{"the question is not read", "exec <&-; echo YES", oracle.Belief{Value: oracle.Yes}},
		{"something is left behind", "sleep 1000 & echo YES", oracle.Belief{Value: oracle.Yes}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := shell(t, c.script).Observe(t.Context(), question)
			if err != nil || got != c.want {
				t.Fatalf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestCommandFails(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"it does not know", "echo YES; exit 3", []string{"code 3"}},
		{"it says why", "echo 'the tide was out' >&2; exit 1", []string{"code 1", "the tide was out"}},
		{"it crashes", "kill -SEGV $$", []string{"segmentation"}},
		{"nothing", "true", []string{"wrote nothing"}},
		{"garbage", `printf '\001\002maybe\n'`, []string{"begins with", "maybe", "YES, NO, INVALID or TOO_EARLY"}},
		{"another case", "echo yes", []string{`"yes"`}},
		{"a longer word", "echo YESNO", []string{`"YESNO"`}},
		{"too much", "yes YES", []string{"more than", "killed"}},
		{"too much on standard error", "yes oops | head -c 3000000 >&2; exit 2", []string{"code 2", "oops"}},
		{"something that is not there", "/no/such/program", []string{"code 127", "sandbox"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			noAnswer(t, shell(t, c.script), c.want...)
		})
	}
}

func TestCommandCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	plain, script := filepath.Join(dir, "plain"), filepath.Join(dir, "script")
	for p, mode := range map[string]os.FileMode{plain: 0o600, script: 0o700} {
		if err := os.WriteFile(p, []byte("#!/no/such/interpreter\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing":                {filepath.Join(dir, "missing"), "no such file"},
		"not executable":         {plain, "not executable"},
		"a folder":               {dir, "can't be run"},
		"a missing interpreter":  {script, "no such file"},
		"a file beneath a file":  {filepath.Join(plain, "x"), "can't be run"},
		"a name that is no path": {"/" + strings.Repeat("x", 300), "can't be run"},
	} {
		t.Run(name, func(t *testing.T) {
			noAnswer(t, source(t, Config{Kind: Command, Argv: []string{c.path}}), c.want)
		})
	}
}

// TestCommandThatHangsIsKilledWithItsChildren knows that they are gone from the lock that they hold on a file.
func TestCommandThatHangsIsKilledWithItsChildren(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *Source, started string){
		"by the time-out": func(t *testing.T, s *Source, _ string) {
			noAnswer(t, s, "did not end in time", "observer_timeout", "still thinking")
		},
		"by the caller": func(t *testing.T, s *Source, started string) {
			s.cfg.Timeout = MaxTimeout
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				awaitFile(started)
				cancel()
			}()
			if _, err := s.Observe(ctx, question); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pids := filepath.Join(dir, "pids")
			s := source(t, Config{Kind: Command, Timeout: 300 * time.Millisecond, Argv: []string{"/bin/sh", "-c",
				"trap '' TERM INT HUP; echo still thinking >&2; sleep 1000 & echo $$ $! >" + pids + ".new; mv " + pids + ".new " + pids + "; wait; sleep 1000"}})
			end(t, s, pids)
			b, err := os.ReadFile(pids)
			if err != nil {
				t.Skipf("it was killed before it had started anything: %v", err)
			}
			for _, f := range strings.Fields(string(b)) {
				pid, err := strconv.Atoi(f)
				if err != nil {
					t.Fatal(err)
				}
				awaitEnd(t, pid)
			}
		})
	}
}

func awaitFile(path string) {
	for range 2000 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitEnd waits until a process that was killed has ended; one that is orphaned is reaped by another.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for range 2000 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(b), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestCommandGetsNoSecrets(t *testing.T) {
	t.Setenv("ALTO_PLUGIN_TOKEN_OF_A_TEST", "secret")
	b, err := shell(t, `echo "YES $(env | cut -d= -f1 | sort | tr '\n' ' ')"`).Observe(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(b.Reason) {
		switch name {
		case "ALTO_QUESTION", "ALTO_QUESTION_ID", "PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "PWD", "SHLVL", "_", "OLDPWD":
		default:
			t.Errorf("the command gets %s", name)
		}
	}
}

func TestCommandGetsAnyText(t *testing.T) {
	q := oracle.Question{Text: "a\x00b'\"$(touch /tmp/x)\n\\"}
	b, err := shell(t, `printf 'YES '; head -c 1000`).Observe(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"text":"a\u0000b'\"$(touch /tmp/x)\n\\"`; !strings.Contains(b.Reason, want) {
		t.Errorf("it reads %s, want %s in it", b.Reason, want)
	}
}

func FuzzParseOutput(f *testing.F) {
	for _, s := range []string{"", "YES", "NO because\nx", "TOO_EARLY:\r\n\r\nwhy", " \n\tINVALID,", "yes", "\xff\xfe", "YES\x00", strings.Repeat("x", 5000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		b, err := parseOutput(out)
		if err != nil {
			return
		}
		if !b.Value.Valid() || len(b.Reason) > oracle.MaxReasonBytes || strings.ContainsAny(b.Reason, "\n\r\x00\x1b") {
			t.Fatalf("%q gives %+v", out, b)
		}
		if !strings.Contains(string(out), b.Value.String()) {
			t.Fatalf("%q gives %s", out, b.Value)
		}
	})
}
