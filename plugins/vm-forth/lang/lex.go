package lang

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is a word of the source and where it stands. Lines and columns count from 1, columns in characters.
type token struct {
	text      string
	line, col int32
	str       bool   // a string: text is x" or s", data what is between the quotes
	data      string // of a string
}

// lexer splits a source into tokens, without its comments: ( to ), \ and % to the end of the line. In Chalang, \ starts no
// comment, there are no strings, and the characters ( ) [ ] : ; and the comma stand for themselves wherever they are.
type lexer struct {
	file, text string
	chalang    bool
	at         int
	line       int
	seen, col  int // col is the column of the byte at seen, which is in the line
}

func newLexer(file, text string, line int, chalang bool) *lexer {
	return &lexer{file: file, text: text, line: line, col: 1, chalang: chalang}
}

func (l *lexer) column(at int) int {
	l.col += utf8.RuneCountInString(l.text[l.seen:at])
	l.seen = at
	return l.col
}

func (l *lexer) newLine(at int) { l.line, l.seen, l.col = l.line+1, at, 1 }

// alone tells whether a character is a word of its own.
func (l *lexer) alone(c byte) bool { return l.chalang && strings.IndexByte("()[]:;,", c) >= 0 }

// next returns the next token; false at the end.
func (l *lexer) next() (token, bool, error) {
	for l.at < len(l.text) {
		c := l.text[l.at]
		if c == '\n' {
			l.at++
			l.newLine(l.at)
			continue
		}
		if isSpace(c) {
			l.at++
			continue
		}
		start := l.at
		if l.at++; !l.alone(c) {
			for l.at < len(l.text) && !isSpace(l.text[l.at]) && l.text[l.at] != '\n' && !l.alone(l.text[l.at]) &&
				(!l.chalang || l.text[l.at] != '%') {
				l.at++
			}
		}
		word := l.text[start:l.at]
		switch {
		case (word == `\` && !l.chalang) || word[0] == '%':
			l.restOfLine()
		case word == "(":
			if err := l.comment(start); err != nil {
				return token{}, false, err
			}
		case !l.chalang && (strings.HasPrefix(word, `x"`) || word == `s"`):
			t, err := l.quoted(start, word)
			return t, err == nil, err
		default:
			return token{text: word, line: int32(l.line), col: int32(l.column(start))}, true, nil
		}
	}
	return token{}, false, nil
}

func (l *lexer) restOfLine() {
	if n := strings.IndexByte(l.text[l.at:], '\n'); n >= 0 {
		l.at += n
	} else {
		l.at = len(l.text)
	}
}

func (l *lexer) comment(start int) error {
	n := strings.IndexByte(l.text[l.at:], ')')
	if n < 0 {
		return incomplete(syntaxError(l.file, l.line, l.column(start), "a comment starts here and has no )"))
	}
	for end := l.at + n; l.at < end; l.at++ {
		if l.text[l.at] == '\n' {
			l.newLine(l.at + 1)
		}
	}
	l.at++
	return nil
}

// quoted reads x"…" or s" …", of which word is the start.
func (l *lexer) quoted(start int, word string) (token, error) {
	from := start + 2
	if word[0] == 's' {
		from = min(l.at+1, len(l.text)) // one space belongs to the word
	}
	rest, _, _ := strings.Cut(l.text[from:], "\n")
	n := strings.IndexByte(rest, '"')
	if n < 0 || (l.at < len(l.text) && l.text[l.at] == '\n' && from > l.at) {
		return token{}, syntaxError(l.file, l.line, l.column(start), `%s needs a closing " on its line`, word[:2])
	}
	l.at = from + n + 1
	if l.at < len(l.text) && !isSpace(l.text[l.at]) && l.text[l.at] != '\n' {
		return token{}, syntaxError(l.file, l.line, l.column(l.at), `a space is missing after "`)
	}
	return token{text: word[:2], line: int32(l.line), col: int32(l.column(start)), str: true, data: rest[:n]}, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' }

// shortestBareHex is the number of hexadecimal digits from which on they are bytes without being marked as such.
const shortestBareHex = 20

// value is a literal: bytes if b is not nil, else an integer.
type value struct {
	v int64
	b []byte
}

// literal tells what a token of paloalto is if it is a number or bytes. A number that does not fit is an error.
func literal(t token) (v value, warning string, ok bool, err error) {
	if t.str {
		if t.text == `s"` {
			return value{b: append([]byte{}, t.data...)}, "", true, nil
		}
		b, err := hex.DecodeString(t.data)
		if err != nil {
			return value{}, "", false, fmt.Errorf(`x" takes an even number of hexadecimal digits, not %s`, show(t.data))
		}
		return value{b: b}, "", true, nil
	}
	s := t.text
	if len(s) >= shortestBareHex && allDigits(s, true) {
		warning = fmt.Sprintf("%d hexadecimal digits without x\"…\" are taken for bytes", len(s))
		if len(s)%2 == 1 {
			warning, s = warning+"; their number is odd, so a 0 is put before them", "0"+s
		}
		b, err := hex.DecodeString(s)
		return value{b: b}, warning, err == nil, err
	}
	i, ok, err := integer(s)
	return value{v: i}, "", ok, err
}

// integer reads decimal digits, or hexadecimal ones behind a $, with a sign or not.
func integer(s string) (int64, bool, error) {
	digits, base := strings.TrimPrefix(s, "-"), 10
	if strings.HasPrefix(digits, "$") {
		digits, base = digits[1:], 16
	}
	if digits == "" || !allDigits(digits, base == 16) {
		return 0, false, nil
	}
	if s[0] == '-' {
		digits = "-" + digits
	}
	v, err := strconv.ParseInt(digits, base, 64)
	if err != nil {
		return 0, false, fmt.Errorf("the number %s does not fit 64 bits, signed", show(s))
	}
	return v, true, nil
}

func allDigits(s string, hexadecimal bool) bool {
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' {
			continue
		}
		if !hexadecimal || !((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
			return false
		}
	}
	return true
}
