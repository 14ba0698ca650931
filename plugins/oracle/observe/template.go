package observe

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// template is a URL with placeholders in its path and query.
type template struct {
	base  url.URL // without path and query
	path  string  // escaped, with placeholders
	query string  // the same
}

const (
	placeID       = "{id}"
	placeQuestion = "{question}"
)

// parseTemplate reads a URL of the configuration. What a question says may fill a part of the path or of the query, and never
// decides which machine is asked.
func parseTemplate(text string) (*template, error) {
	if text == "" || len(text) > MaxURLBytes {
		return nil, wrong("a URL of %d bytes, 1 to %d are allowed", len(text), MaxURLBytes)
	}
	if strings.ContainsAny(text, "#") {
		return nil, wrong("URL %.80q: what follows # is never sent", text)
	}
	left, query, _ := strings.Cut(text, "?")
	scheme, rest, ok := strings.Cut(left, "://")
	if !ok || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return nil, wrong("URL %.80q: it must begin with https:// or http://", text)
	}
	host, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if strings.ContainsAny(host, "{}@\\") || host == "" {
		return nil, wrong("URL %.80q: its host must be a plain name or address, without placeholders and user", text)
	}
	for _, part := range []string{path, query} {
		if err := checkPlaces(part); err != nil {
			return nil, wrong("URL %.80q: %v", text, err)
		}
	}
	t := &template{path: path, query: query}
	u, err := t.fill(oracle.Question{Text: "x"})
	if err != nil {
		return nil, wrong("URL %.80q: %v", text, err)
	}
	_ = u
	b, err := url.Parse(scheme + "://" + host + "/")
	if err != nil {
		return nil, wrong("URL %.80q: %v", text, err)
	}
	if b.Hostname() == "" {
		return nil, wrong("URL %.80q: it has no host", text)
	}
	t.base = url.URL{Scheme: strings.ToLower(b.Scheme), Host: b.Host}
	return t, nil
}

// checkPlaces refuses braces that are no placeholder, which would be a mistake in its name.
func checkPlaces(part string) error {
	left := strings.NewReplacer(placeID, "", placeQuestion, "").Replace(part)
	if strings.ContainsAny(left, "{}") {
		return fmt.Errorf("there are the placeholders %s and %s and no others", placeID, placeQuestion)
	}
	return nil
}

// fill puts a question in and returns the URL.
func (t *template) fill(q oracle.Question) (*url.URL, error) {
	id := fmt.Sprintf("%x", q.ID)
	escaped := strings.NewReplacer(placeID, id, placeQuestion, url.PathEscape(q.Text)).Replace(t.path)
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	for _, step := range strings.Split(path, "/") {
		if (step == "." || step == "..") && !dotted(t.path) {
			return nil, fmt.Errorf("the question's text %q would lead to another folder", clean(q.Text, 40))
		}
	}
	u := t.base
	u.Path, u.RawPath = path, escaped
	u.RawQuery = strings.NewReplacer(placeID, id, placeQuestion, url.QueryEscape(q.Text)).Replace(t.query)
	return &u, nil
}

// dotted tells whether the configured path itself has such steps.
func dotted(path string) bool {
	for _, step := range strings.Split(path, "/") {
		if step == "." || step == ".." {
			return true
		}
	}
	return false
}
