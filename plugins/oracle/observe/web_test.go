package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// says serves one answer.
func says(t *testing.T, body string) string {
	return serves(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
}

func serves(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// hangs serves nothing until the test is over.
func hangs(t *testing.T) string {
	stop := make(chan struct{})
	url := serves(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(stop) })
	return url
}

// refuses is an address where nobody listens.
func refuses(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func http3(urls ...string) Config {
	return Config{Kind: HTTP, URLs: urls, Paths: []string{"$.answer"}, Timeout: 10 * time.Second}
}

func TestServicesAgree(t *testing.T) {
	yes, no := says(t, `{"answer": true}`), says(t, `{"answer": "no"}`)
	maybe, early := says(t, `{"answer": "maybe"}`), says(t, `{"answer":"TOO_EARLY"}`)
	for _, c := range []struct {
		name  string
		urls  []string
		agree int
		want  string // the value, or what the error says
	}{
		{"one", []string{yes}, 0, "YES"},
		{"two of two", []string{no, no}, 0, "NO"},
		{"one of two", []string{yes, no}, 0, "2 have to agree"},
		{"a tie", []string{yes, no}, 1, "disagree, 1 for"},
		{"one against nothing", []string{yes, maybe}, 1, "YES"},
		{"one against nothing is not enough", []string{yes, maybe}, 2, "1 of 2 sources say YES"},
		{"two of three", []string{yes, no, yes}, 0, "YES"},
		{"two of three where three must", []string{yes, no, yes}, 3, "3 have to agree"},
		{"two of five against two", []string{yes, no, no, yes, maybe}, 2, "disagree, 2 for"},
		{"two of five against two different", []string{yes, yes, no, early, maybe}, 2, "disagree, 2 for YES and 2 against"},
		{"two of four against one", []string{early, early, no, maybe}, 2, "TOO_EARLY"},
		{"none", []string{maybe, maybe}, 1, "none of 2 sources"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := http3(c.urls...)
			cfg.Agree = c.agree
			s := source(t, cfg)
			v, err := oracle.ParseValue(c.want)
			if err != nil {
				noAnswer(t, s, c.want)
				return
			}
			if b, err := s.Observe(t.Context(), question); err != nil || b.Value != v || !strings.Contains(b.Reason, "source 1 (127.0.0.1:") {
				t.Fatalf("%+v, %v; want %s", b, err, v)
			}
		})
	}
}

// TestEachFailureIsVisible names what every one of many services did wrong, beside two that are right.
func TestEachFailureIsVisible(t *testing.T) {
	status := func(code int) string {
		return serves(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	other := says(t, `{"answer": true}`)
	bad := []struct{ url, want string }{
		{status(500), "status 500"},
		{status(204), "status 204"},
		{says(t, `{"answer": tru`), "no JSON"},
		{says(t, `{"answer": true} {"answer": false}`), "no JSON"},
		{says(t, ``), "no JSON"},
		{says(t, `{"answers": true}`), "nothing at the JSON path"},
		{says(t, `{"answer": {"is": true}}`), "object or an array"},
		{says(t, `{"answer": "perhaps\u0007"}`), `"perhaps"`},
		{says(t, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)), "nested deeper"},
		{says(t, `{"answer":[`+strings.Repeat("1,", 100_000)+`1]}`), "more than"},
		{serves(t, func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}), "more than 1048576 bytes"},
		{serves(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) }), "another port"},
		{serves(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost/", http.StatusFound)
		}), "another host, localhost"},
		{serves(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}), "another host"},
		{serves(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }), "redirects"},
		{refuses(t), "refused"},
	}
	for _, b := range bad {
		noAnswer(t, source(t, http3(b.url)), "source 1 (127.0.0.1:", b.want)
	}
	b, err := source(t, Config{Kind: HTTP, URLs: []string{other, bad[0].url, other, hangs(t)}, Paths: []string{"$.answer"}, Agree: 2, Timeout: time.Second}).Observe(t.Context(), question)
	if err != nil || b.Value != oracle.Yes {
		t.Fatalf("%+v, %v", b, err)
	}
	for _, want := range []string{"2 of 4", "source 2 (", "status 500", "source 4 (", "no answer in time"} {
		if !strings.Contains(b.Reason, want) {
			t.Errorf("the reason does not say %q: %s", want, b.Reason)
		}
	}
}

func TestAServiceThatStopsInTheMiddle(t *testing.T) {
	slow := serves(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"answer":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	cfg := http3(slow)
	cfg.Timeout = 200 * time.Millisecond
	noAnswer(t, source(t, cfg), "no answer in time")
	cut := serves(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"answer":true}`)
	})
	noAnswer(t, source(t, http3(cut)), "unexpected EOF")
}

func TestTheCallerEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	url := serves(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	go func() {
		<-asked
		cancel()
	}()
	if _, err := source(t, http3(url)).Observe(ctx, question); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want context.Canceled", err)
	}
}

func TestRedirectsWithinAService(t *testing.T) {
	var hops atomic.Int32
	url := serves(t, func(w http.ResponseWriter, r *http.Request) {
		if hops.Add(1) <= maxRedirects {
			http.Redirect(w, r, fmt.Sprintf("/hop/%d", hops.Load()), http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, `{"answer":true}`)
	})
	if b, err := source(t, http3(url)).Observe(t.Context(), question); err != nil || b.Value != oracle.Yes {
		t.Fatalf("%+v, %v", b, err)
	}
	hops.Store(-1) // one more than allowed
	noAnswer(t, source(t, http3(url)), "more than 3 redirects")
}

// TestWhatIsSent is about placeholders: nothing of a question may leave its place in the URL.
func TestWhatIsSent(t *testing.T) {
	got := make(chan *http.Request, 1)
	url := serves(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r
		_, _ = io.WriteString(w, `{"answer":true}`)
	})
	text := "a/b?c=d&e#f g%2e+ü{id}\n\"../x"
	s := source(t, http3(url+"/v1/{question}/{id}?q={question}&id={id}&k=1"))
	q := oracle.Question{ID: question.ID, Text: text, Sources: []string{url + "/never"}}
	if _, err := s.Observe(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	r := <-got
	id := fmt.Sprintf("%x", question.ID)
	if r.Method != http.MethodGet || r.Header.Get("Accept") != "application/json" || r.Header.Get("Cookie") != "" {
		t.Errorf("%s with %v", r.Method, r.Header)
	}
	if steps := strings.Split(r.URL.EscapedPath(), "/"); len(steps) != 4 || steps[1] != "v1" || steps[3] != id {
		t.Errorf("the path is %s", r.URL.EscapedPath())
	}
	if want := "/v1/" + text + "/" + id; r.URL.Path != want {
		t.Errorf("the path means %q, want %q", r.URL.Path, want)
	}
	if v := r.URL.Query(); len(v) != 3 || v.Get("q") != text || v.Get("id") != id || v.Get("k") != "1" {
		t.Errorf("the query is %s", r.URL.RawQuery)
	}
}

func TestATextThatIsAFolder(t *testing.T) {
	url := says(t, `{"answer":true}`)
	s := source(t, http3(url+"/v1/{question}/x"))
	for _, text := range []string{"..", ".", "a/../../b", "../secret"} {
		if _, err := s.Observe(t.Context(), oracle.Question{Text: text}); !errors.Is(err, oracle.ErrNoBelief) || !strings.Contains(err.Error(), "another folder") {
			t.Errorf("text %q: %v", text, err)
		}
	}
}

func TestWords(t *testing.T) {
	words := map[oracle.Value][]string{oracle.Yes: {"1", "home"}, oracle.No: {"0", "away"}, oracle.Invalid: {"cancelled"}, oracle.TooEarly: {"null", "2.50"}}
	for answer, want := range map[string]string{`1`: "YES", `"home"`: "YES", `0`: "NO", `"cancelled"`: "INVALID", `null`: "TOO_EARLY", `2.50`: "TOO_EARLY",
		`true`: `"true"`, `1.0`: `"1.0"`, `"Home"`: `"Home"`, `2.5`: `"2.5"`} {
		cfg := http3(says(t, `{"answer":`+answer+`}`))
		cfg.Words = words
		if _, err := oracle.ParseValue(want); err != nil {
			noAnswer(t, source(t, cfg), want)
		} else if b, err := source(t, cfg).Observe(t.Context(), question); err != nil || b.Value.String() != want {
			t.Errorf("%s: %+v, %v; want %s", answer, b, err, want)
		}
	}
}
