package session

import (
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
)

// word is a word of a text and where it stands. Lines and columns count from 1, columns in characters.
type word struct {
	text       string // of x"…" and s" …" the start alone
	start, end int    // in the text
	line, col  int
	quoted     string // of x"…" and s" …", what is between the quotes
	str        bool
}

// scanner splits a text into words, as the dialects' own readers do, but forgives everything: what is wrong with a text is
// for the compiler to say.
type scanner struct {
	text    string
	chalang bool
	at      int
	line    int
	seen    int // up to where col counts
	col     int
	open    bool // a comment has no end
}

func newScanner(text string, line int, chalang bool) *scanner {
	return &scanner{text: text, chalang: chalang, line: line, col: 1}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'
}

// alone tells whether a character is a word of its own.
func (s *scanner) alone(c byte) bool { return s.chalang && strings.IndexByte("()[]:;,", c) >= 0 }

// to moves on in the text and counts lines.
func (s *scanner) to(at int) {
	for s.at < at {
		if s.text[s.at] == '\n' {
			s.line, s.col, s.seen = s.line+1, 1, s.at+1
		}
		s.at++
	}
}

func (s *scanner) column(at int) int {
	s.col += utf8.RuneCountInString(s.text[s.seen:at])
	s.seen = at
	return s.col
}

// endOfLine is where the line ends that an offset is in.
func (s *scanner) endOfLine(at int) int {
	if n := strings.IndexByte(s.text[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(s.text)
}

// next returns the next word; false at the end.
func (s *scanner) next() (word, bool) {
	for {
		for s.at < len(s.text) && isSpace(s.text[s.at]) {
			s.to(s.at + 1)
		}
		if s.at == len(s.text) {
			return word{}, false
		}
		start := s.at
		end := start + 1
		if !s.alone(s.text[start]) {
			for end < len(s.text) && !isSpace(s.text[end]) && !s.alone(s.text[end]) && (!s.chalang || s.text[end] != '%') {
				end++
			}
		}
		w := word{text: s.text[start:end], start: start, end: end, line: s.line, col: s.column(start)}
		switch {
		case (w.text == `\` && !s.chalang) || w.text[0] == '%':
			s.to(s.endOfLine(end))
			continue
		case w.text == "(":
			n := strings.IndexByte(s.text[end:], ')')
			if n < 0 {
				s.open = true
				s.to(len(s.text))
				return word{}, false
			}
			s.to(end + n + 1)
			continue
		case !s.chalang && strings.HasPrefix(w.text, `x"`):
			s.quoted(&w, start+2)
		case !s.chalang && (w.text == `s"` || w.text == `."`):
			s.quoted(&w, min(end+1, len(s.text)))
		}
		s.to(w.end)
		return w, true
	}
}

// quoted reads what begins at from, up to a quote in the same line.
func (s *scanner) quoted(w *word, from int) {
	line := s.text[min(from, s.endOfLine(w.start)):s.endOfLine(w.start)]
	n := strings.IndexByte(line, '"')
	if n < 0 {
		w.end = s.endOfLine(w.start)
		return
	}
	w.str, w.text, w.quoted, w.end = true, s.text[w.start:w.start+2], line[:n], from+n+1
}

// structures are the words that open (1) and close (-1) a structure, or do neither.
func structures(dialect string) map[string]int {
	if dialect == lang.Chalang {
		return map[string]int{"if": 1, "then": -1}
	}
	return map[string]int{"if": 1, "then": -1, "end": -1, "begin": 1, "until": -1, "again": -1, "repeat": -1, "do": 1, "?do": 1, "loop": -1, "+loop": -1,
		"case": 1, "endcase": -1}
}

// definers are the words whose definitions go on until ;.
func definers(dialect string) map[string]bool {
	if dialect == lang.Chalang {
		return map[string]bool{":": true, "macro": true, "def": true}
	}
	return map[string]bool{":": true, "macro": true}
}

// nesting follows a text, to know what is open at a place in it.
type nesting struct {
	structures map[string]int
	definers   map[string]bool
	macros     map[string]int // what the macros that were defined open, all in all
	names      map[string]bool
	sources    map[string]string // of the definitions, by name
	depth      int
	definition string // : or macro or def, or nothing
	from       int    // where it begins in the text
	name       string
	hasName    bool
	inner      int // what the definition opens
}

func newNesting(dialect string) *nesting {
	return &nesting{structures: structures(dialect), definers: definers(dialect), macros: map[string]int{}, names: map[string]bool{}, sources: map[string]string{}}
}

// top tells whether nothing is open.
func (n *nesting) top() bool { return n.depth == 0 && n.definition == "" }

// forget closes what is open.
func (n *nesting) forget() { n.depth, n.definition, n.inner = 0, "", 0 }

// keep forgets the definitions that are not among some names: they came to nothing.
func (n *nesting) keep(names []string) {
	n.names = map[string]bool{}
	for _, name := range names {
		n.names[name] = true
	}
	for name := range n.sources {
		if !n.names[name] {
			delete(n.sources, name)
			delete(n.macros, name)
		}
	}
}

// word takes up a word of a text.
func (n *nesting) word(w word, text string) {
	if w.str {
		return
	}
	if n.definition != "" {
		switch {
		case !n.hasName:
			n.name, n.hasName = w.text, true
		case w.text == ";":
			if n.names[n.name] = true; n.definition == "macro" {
				n.macros[n.name] = n.inner
			}
			n.sources[n.name] = text[n.from:w.end]
			n.definition = ""
		default:
			n.inner += n.structures[w.text] + n.macros[w.text]
		}
		return
	}
	if n.definers[w.text] {
		n.definition, n.from, n.name, n.hasName, n.inner = w.text, w.start, "", w.text == "def", 0
		return
	}
	n.depth = max(n.depth+n.structures[w.text]+n.macros[w.text], 0)
}

// header passes the comments at the head of a source whose dialect has no such comments: lines that start with \.
func (s *scanner) header() {
	for s.at < len(s.text) {
		end := s.endOfLine(s.at)
		l := strings.TrimSpace(s.text[s.at:end])
		if l != "" && l[0] != '\\' {
			return
		}
		s.to(min(end+1, len(s.text)))
	}
}
