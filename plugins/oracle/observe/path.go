package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/theory/jsonpath"
	"github.com/theory/jsonpath/spec"
)

// Bounds of an answer that a path is applied to.
const (
	maxDepth  = 64     // of nesting
	maxValues = 50_000 // strings, numbers, objects and so on
)

// parsePath reads a JSONPath query. What a query costs must grow no faster than the answer that it is applied to, which a
// stranger writes; so each step has one selector, at most one goes down at any depth and at most one is a filter, and a filter
// looks only at fixed places beneath the value that it is about.
func parsePath(text string) (*jsonpath.Path, error) {
	if text == "" || len(text) > MaxPathBytes {
		return nil, wrong("a JSON path of %d bytes, 1 to %d are allowed", len(text), MaxPathBytes)
	}
	if deep(text) {
		return nil, wrong("JSON path %.80q: it is nested too deep", text)
	}
	p, err := jsonpath.Parse(text)
	if err != nil {
		return nil, wrong("JSON path %.80q: %v", text, err)
	}
	down, filters := 0, 0
	for _, s := range p.Query().Segments() {
		sel := s.Selectors()
		if len(sel) != 1 {
			return nil, wrong("JSON path %.80q: more than one selector in a pair of brackets", text)
		}
		if s.IsDescendant() {
			down++
		}
		if f, ok := sel[0].(*spec.FilterSelector); ok {
			filters++
			if err := checkFilter(f.String()); err != nil {
				return nil, wrong("JSON path %.80q: %v", text, err)
			}
		}
	}
	if down > 1 || filters > 1 {
		return nil, wrong("JSON path %.80q: at most one .. and one filter are allowed", text)
	}
	return p, nil
}

var (
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	pattern = regexp.MustCompile(`\b(match|search)\(`)
	literal = regexp.MustCompile(`\b(?:match|search)\([^(),]*,\s*""\s*\)`)
)

// checkFilter is about a filter as the library writes it.
func checkFilter(text string) error {
	bare := quoted.ReplaceAllString(text, `""`)
	if strings.Count(bare, "?") > 1 || strings.ContainsAny(bare, "$*:") || strings.Contains(bare, "..") {
		return errors.New("a filter may look only at fixed places beneath @")
	}
	if len(pattern.FindAllString(bare, -1)) != len(literal.FindAllString(bare, -1)) {
		return errors.New("the pattern of match and search must be written out in the path")
	}
	return nil
}

// deep tells whether brackets of a path are nested deeper than any sensible one.
func deep(path string) bool {
	n := 0
	for _, r := range path {
		switch r {
		case '(', '[', '!':
			if n++; n > maxDepth {
				return true
			}
		case ')', ']':
			n--
		}
	}
	return false
}

// decodeJSON reads one JSON value, within the bounds. Numbers stay as they are written.
func decodeJSON(b []byte) (any, error) {
	if err := measure(b); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}

// measure checks the form of one JSON value, and that nothing follows.
func measure(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	depth, values, whole := 0, 0, false
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) && whole {
			return nil
		}
		if err != nil {
			return err
		}
		if whole {
			return errors.New("something follows the JSON value")
		}
		if values++; values > maxValues {
			return fmt.Errorf("more than %d values", maxValues)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested deeper than %d", maxDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		whole = depth == 0
	}
}

// choose returns the one value that a path selects, as the tables have it.
func choose(p *jsonpath.Path, v any) (string, error) {
	nodes := p.Select(v)
	switch len(nodes) {
	case 0:
		return "", errors.New("its answer has nothing at the JSON path")
	case 1:
	default:
		return "", fmt.Errorf("the JSON path selects %d values, and it must be one", len(nodes))
	}
	switch n := nodes[0].(type) {
	case string:
		return n, nil
	case json.Number:
		return n.String(), nil
	case bool:
		return fmt.Sprint(n), nil
	case nil:
		return "null", nil
	}
	return "", errors.New("the JSON path selects an object or an array, and it must be a string, a number, true, false or null")
}
