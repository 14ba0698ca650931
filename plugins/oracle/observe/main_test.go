package observe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var question = oracle.Question{ID: [32]byte{0xab, 1}, Text: "Is it so?", Sources: []string{"https://example.org/a"}}

func source(t *testing.T, c Config) *Source {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// noAnswer checks that a source has no answer, and that what it says of it has all of some words.
func noAnswer(t *testing.T, s *Source, words ...string) {
	t.Helper()
	b, err := s.Observe(t.Context(), question)
	if !errors.Is(err, oracle.ErrNoBelief) {
		t.Fatalf("observe: %v, %v; want ErrNoBelief", b, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
	if len(err.Error()) > oracle.MaxReasonBytes+200 || strings.ContainsAny(err.Error(), "\x00\x07\x1b") {
		t.Errorf("the error is not fit to be shown: %.200q", err.Error())
	}
}

func TestConfigs(t *testing.T) {
	url := []string{"https://a.example/{id}"}
	path := []string{"$.answer"}
	three := []string{"https://a.example/{id}", "https://b.example/", "http://c.example:8080/q?text={question}"}
	for _, c := range []struct {
		name string
		cfg  Config
		want string // of the error; empty: none
	}{
		{"nothing", Config{}, ""},
		{"none", Config{Kind: None}, ""},
		{"manual", Config{Kind: Manual}, ""},
		{"unknown kind", Config{Kind: "guess"}, "no observer"},
		{"command", Config{Kind: Command, Argv: []string{"/bin/true", "x"}}, ""},
		{"command without a program", Config{Kind: Command}, "no command"},
		{"command by a relative path", Config{Kind: Command, Argv: []string{"true"}}, "absolute"},
		{"command with a zero byte", Config{Kind: Command, Argv: []string{"/bin/true", "a\x00b"}}, "zero byte"},
		{"command of too many words", Config{Kind: Command, Argv: append([]string{"/bin/true"}, make([]string, MaxArguments)...)}, "words"},
		{"a command that is not asked for", Config{Kind: Manual, Argv: []string{"/bin/true"}}, "belongs to"},
		{"urls that are not asked for", Config{Kind: Command, Argv: []string{"/bin/true"}, URLs: url}, "belong to"},
		{"http", Config{Kind: HTTP, URLs: url, Paths: path}, ""},
		{"http with three", Config{Kind: HTTP, URLs: three, Paths: path, Agree: 3}, ""},
		{"http with a path each", Config{Kind: HTTP, URLs: three, Paths: []string{"$.a", "$.b", "$.c"}}, ""},
		{"http with two paths for three", Config{Kind: HTTP, URLs: three, Paths: []string{"$.a", "$.b"}}, "one for all, or one for each"},
		{"http without urls", Config{Kind: HTTP, Paths: path}, "urls"},
		{"http without a path", Config{Kind: HTTP, URLs: url}, "JSON paths"},
		{"too much agreement", Config{Kind: HTTP, URLs: url, Paths: path, Agree: 2}, "have to agree"},
		{"negative agreement", Config{Kind: HTTP, URLs: url, Paths: path, Agree: -1}, "have to agree"},
		{"a word with two meanings", Config{Kind: HTTP, URLs: url, Paths: path, Words: map[oracle.Value][]string{oracle.No: {"true"}}}, "means both"},
		{"words for no value", Config{Kind: HTTP, URLs: url, Paths: path, Words: map[oracle.Value][]string{9: {"x"}}}, "no value"},
		{"a time-out that is too short", Config{Timeout: 1}, "time-out"},
		{"a time-out that is too long", Config{Timeout: time.Hour}, "time-out"},
		{"another scheme", Config{Kind: HTTP, URLs: []string{"file:///etc/passwd"}, Paths: path}, "must begin with"},
		{"no scheme", Config{Kind: HTTP, URLs: []string{"a.example"}, Paths: path}, "must begin with"},
		{"a placeholder for the host", Config{Kind: HTTP, URLs: []string{"https://{question}/"}, Paths: path}, "plain name"},
		{"a placeholder in the host", Config{Kind: HTTP, URLs: []string{"https://{id}.example/"}, Paths: path}, "plain name"},
		{"a user", Config{Kind: HTTP, URLs: []string{"https://me:secret@a.example/"}, Paths: path}, "plain name"},
		{"no host", Config{Kind: HTTP, URLs: []string{"https:///x"}, Paths: path}, "plain name"},
		{"only a port", Config{Kind: HTTP, URLs: []string{"https://:80/x"}, Paths: path}, "host"},
		{"a misspelt placeholder", Config{Kind: HTTP, URLs: []string{"https://a.example/{Id}"}, Paths: path}, "placeholders"},
		{"a fragment", Config{Kind: HTTP, URLs: []string{"https://a.example/#{id}"}, Paths: path}, "never sent"},
		{"a path that is none", Config{Kind: HTTP, URLs: url, Paths: []string{"answer"}}, "JSON path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.cfg.Validate()
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("%v, want ErrConfig with %q", err, c.want)
			}
		})
	}
}

func TestNoneAndManualSayWhatToDo(t *testing.T) {
	noAnswer(t, source(t, Config{}), "observer", "none")
	noAnswer(t, source(t, Config{Kind: Manual}), "alto oracle ballot ab01")
	if source(t, Config{Kind: Manual}).Asks() || !source(t, Config{Kind: Command, Argv: []string{"/bin/true"}}).Asks() {
		t.Error("it is of use to ask a command, and nobody else")
	}
}

func TestAnEndedContextIsNoMissingBelief(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []Config{{}, {Kind: Command, Argv: []string{"/bin/sh", "-c", "echo YES"}}} {
		if _, err := source(t, c).Observe(ctx, question); !errors.Is(err, context.Canceled) || errors.Is(err, oracle.ErrNoBelief) {
			t.Errorf("%s: %v", c.Kind, err)
		}
	}
}
