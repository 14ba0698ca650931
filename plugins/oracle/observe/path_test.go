package observe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

func TestPaths(t *testing.T) {
	doc := `{"a":{"b":["x","y"]},"list":[{"id":7,"name":"seven","out":"YES"},{"id":8,"name":"eight","out":false}],"deep":{"er":{"here":1.50}},"n":null}`
	for _, c := range []struct{ path, want string }{
		{`$.a.b[0]`, "x"},
		{`$['a']["b"][-1]`, "y"},
		{`$.list[?@.id == 7].out`, "YES"},
		{`$.list[?@.id == 8 && @.name == 'eight'].out`, "false"},
		{`$.list[?match(@.name, 's.*n')].out`, "YES"},
		{`$.list[?length(@.name) == 5 && @.id < 8].out`, "YES"},
		{`$.list[?search(@.name, '^e, ?(i|x)?')].id`, "nothing"},
		{`$..here`, "1.50"},
		{`$.n`, "null"},
		{`$.a.b[*]`, "2 values"},
		{`$.a.b`, "array"},
		{`$.list[0:1].id`, "7"},
		{`$`, "object"},
		{`$.x`, "nothing"},
	} {
		p, err := parsePath(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		v, err := decodeJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := choose(p, v)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s selects %q, want %q", c.path, got, c.want)
		}
	}
}

// TestCostlyPathsAreRefused: a stranger chooses what they are applied to.
func TestCostlyPathsAreRefused(t *testing.T) {
	for _, path := range []string{
		`$..a..b`, `$..*..*`, `$[*,*]`, `$['a','b']`, `$[?$..a == 1]`, `$[?@..a]`, `$[?@.a[?@.b]]`, `$[?@.*]`, `$[?@.a == $.b]`, `$[?@.a][?@.b]`,
		`$[?match(@.a, @.b)]`, `$[?search(@.a, $.b)]`, `$[?@[0:5]]`, `$..[?@.a]..b`, "", "a", strings.Repeat("$", 300),
		`$[?` + strings.Repeat("(", 100) + `@.a` + strings.Repeat(")", 100) + `]`, `$[?` + strings.Repeat("!", 100) + `@.a]`,
	} {
		if _, err := parsePath(path); !errors.Is(err, ErrConfig) {
			t.Errorf("%.40s: %v, want ErrConfig", path, err)
		}
	}
}

// FuzzPath: whatever is accepted as a path is cheap on whatever is accepted as an answer.
func FuzzPath(f *testing.F) {
	for _, p := range []string{`$.a`, `$..a[*]`, `$[?@.a == 'x' || match(@.b, "y")].c`, `$[1:2]`, `$..[?@.a>1]`, `$["\u00e9"]`, `$[?count(@.a)>1]`, `$[?!@.a]`, `$..*`} {
		f.Add(p, `{"a":[1,{"a":"x","b":"y","c":null}]}`)
		f.Add(p, `[[[[1.5e3,"\ud800"]]],{}]`)
	}
	f.Fuzz(func(t *testing.T, path, doc string) {
		p, err := parsePath(path)
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		v, err := decodeJSON([]byte(doc))
		if err != nil {
			return
		}
		if word, err := choose(p, v); err == nil && word == "" && !strings.Contains(doc, `""`) {
			t.Fatalf("%q selects nothing of %q without an error", path, doc)
		}
	})
}

// FuzzAnswer reads an answer as a service would be read, panics included.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"answer":true}`, `{"answer":"x"}`, `[`, `{"answer":1e999}`, "\xff", `{"answer":null}x`, strings.Repeat(`{"answer":`, 70)} {
		f.Add([]byte(s))
	}
	w, err := newWeb(Config{Kind: HTTP, URLs: []string{"http://a.example"}, Paths: []string{"$..answer"}}.defaults())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if v, err := w.read(w.services[0].path, body); err == nil && !v.Valid() {
			t.Fatalf("%q gives %s", body, v)
		}
	})
}

// FuzzTemplate: a question never decides which machine is asked, and stays in its place.
func FuzzTemplate(f *testing.F) {
	for _, u := range []string{"https://a.example/{id}?q={question}", "http://[::1]:80/x/{question}.json", "HTTPS://A.example", "http://a/%2e%2e/{question}", "https://a.example:9?{question}"} {
		for _, q := range []string{"x", "../..", "@evil.example/", "?&=#", "\r\nHost: evil", "ü"} {
			f.Add(u, q)
		}
	}
	f.Fuzz(func(t *testing.T, text, q string) {
		tmpl, err := parseTemplate(text)
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		plain, err := tmpl.fill(oracle.Question{Text: "x"})
		if err != nil {
			t.Fatalf("%q was accepted, and then: %v", text, err)
		}
		u, err := tmpl.fill(oracle.Question{Text: q})
		if err != nil {
			return
		}
		if u.Host != plain.Host || u.Scheme != plain.Scheme || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q with %q asks %s instead of %s", text, q, u, plain)
		}
		if strings.Count(u.EscapedPath(), "/") != strings.Count(plain.EscapedPath(), "/") || strings.Count(u.RawQuery, "&") != strings.Count(plain.RawQuery, "&") {
			t.Fatalf("%q with %q leaves its place: %s", text, q, u)
		}
		if strings.ContainsAny(u.String(), "\r\n ") {
			t.Fatalf("%q with %q: %q", text, q, u.String())
		}
	})
}

// TestTheLargestAnswerIsCheap counts no time, but would not end if a path cost more than the answer's size.
func TestTheLargestAnswerIsCheap(t *testing.T) {
	doc := `{"a":[` + strings.Repeat(`{"a":"x"},`, maxValues/5) + `{"a":"y"}]}`
	v, err := decodeJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, path := range []string{`$..[?@.a == 'z']`, `$..a`, `$..[?match(@.a, '(a|b|c)*z')]`} {
		p, err := parsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := choose(p, v); err == nil {
			t.Errorf("%s selects one", path)
		}
	}
	t.Log(fmt.Sprint(time.Since(began)))
}
