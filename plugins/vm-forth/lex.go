package vmforth

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// token is a word of the source and where it stands. Lines and columns count from 1, columns in characters.
type token struct {
	text      string
	line, col int
	str       bool   // a string: text is x" or s", data what is between the quotes
	data      string // of a string
}

// sourceName is what diagnostics call a source without a file.
const sourceName = "source"

// position names a place in a source.
func position(file string, line, col int) string {
	if file == "" {
		file = sourceName
	}
	return fmt.Sprintf("%s:%d:%d", file, line, col)
}

// syntaxError makes an error that wraps vm.ErrSyntax and starts with the place.
func syntaxError(file string, line, col int, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", position(file, line, col), fmt.Sprintf(format, args...), vm.ErrSyntax)
}

// show makes a token of any length fit a message.
func show(text string) string {
	if len(text) <= 40 {
		return strconv.Quote(text)
	}
	n := 40
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return strconv.Quote(text[:n]) + "…"
}

// lex splits a source into tokens, without its comments: ( to ), \ and % to the end of the line.
func lex(file, text string) ([]token, error) {
	var out []token
	line, seen, col := 1, 0, 1 // col is the column of the byte at seen, which is in the line
	column := func(at int) int {
		col += utf8.RuneCountInString(text[seen:at])
		seen = at
		return col
	}
	newLine := func(at int) { line, seen, col = line+1, at, 1 }
	for at := 0; at < len(text); {
		c := text[at]
		if c == '\n' {
			at++
			newLine(at)
			continue
		}
		if isSpace(c) {
			at++
			continue
		}
		start := at
		for at < len(text) && !isSpace(text[at]) && text[at] != '\n' {
			at++
		}
		word := text[start:at]
		switch {
		case word == `\` || word[0] == '%':
			for at < len(text) && text[at] != '\n' {
				at++
			}
		case word == "(":
			n := strings.IndexByte(text[at:], ')')
			if n < 0 {
				return nil, syntaxError(file, line, column(start), "a comment starts here and has no )")
			}
			for end := at + n; at < end; at++ {
				if text[at] == '\n' {
					newLine(at + 1)
				}
			}
			at++
		case strings.HasPrefix(word, `x"`) || word == `s"`:
			from := start + 2
			if word[0] == 's' {
				from = min(at+1, len(text)) // one space belongs to the word
			}
			rest := text[from:]
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				rest = rest[:end]
			}
			n := strings.IndexByte(rest, '"')
			if n < 0 || (at < len(text) && text[at] == '\n' && from > at) {
				return nil, syntaxError(file, line, column(start), `%s needs a closing " on its line`, word[:2])
			}
			at = from + n + 1
			if at < len(text) && !isSpace(text[at]) && text[at] != '\n' {
				return nil, syntaxError(file, line, column(at), `a space is missing after "`)
			}
			out = append(out, token{text: word[:2], line: line, col: column(start), str: true, data: rest[:n]})
		default:
			out = append(out, token{text: word, line: line, col: column(start)})
		}
	}
	return out, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' }

// shortestBareHex is the number of hexadecimal digits from which on they are bytes without being marked as such.
const shortestBareHex = 20

// literal tells what a token is if it is a number or bytes. A number that does not fit is an error.
func literal(t token) (v int64, b []byte, warning string, ok bool, err error) {
	if t.str {
		if t.text == `s"` {
			return 0, []byte(t.data), "", true, nil
		}
		b, err := hex.DecodeString(t.data)
		if err != nil {
			return 0, nil, "", false, fmt.Errorf(`x" takes an even number of hexadecimal digits, not %s`, show(t.data))
		}
		return 0, b, "", true, nil
	}
	s := t.text
	if len(s) >= shortestBareHex && allDigits(s, true) {
		warning = fmt.Sprintf("%d hexadecimal digits without x\"…\" are taken for bytes", len(s))
		if len(s)%2 == 1 {
			warning, s = warning+"; their number is odd, so a 0 is put before them", "0"+s
		}
		b, err := hex.DecodeString(s)
		return 0, b, warning, err == nil, err
	}
	digits, base := strings.TrimPrefix(s, "-"), 10
	if strings.HasPrefix(digits, "$") {
		digits, base = digits[1:], 16
	}
	if digits == "" || !allDigits(digits, base == 16) {
		return 0, nil, "", false, nil
	}
	if s[0] == '-' {
		digits = "-" + digits
	}
	v, err = strconv.ParseInt(digits, base, 64)
	if err != nil {
		return 0, nil, "", false, fmt.Errorf("the number %s does not fit 64 bits, signed", show(t.text))
	}
	return v, nil, "", true, nil
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

// nearest returns up to three names that look like a text, the likeliest first.
func nearest(text string, names []string) []string {
	const longest = 32
	type candidate struct {
		name string
		d    int
	}
	if len(text) > longest {
		return nil
	}
	var best []candidate
	for _, n := range names {
		if len(n) > longest || len(n)-len(text) > 2 || len(text)-len(n) > 2 {
			continue
		}
		d := distance(strings.ToLower(text), strings.ToLower(n))
		if d > 2 || d*2 > max(len(text), 2) {
			continue
		}
		at := len(best)
		for at > 0 && (best[at-1].d > d || (best[at-1].d == d && best[at-1].name > n)) {
			at--
		}
		best = append(best[:at], append([]candidate{{n, d}}, best[at:]...)...)
		best = best[:min(len(best), 3)]
	}
	out := make([]string, len(best))
	for i, c := range best {
		out[i] = c.name
	}
	return out
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
