package lang

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	sourceName   = "source" // what diagnostics call a source without a file
	longestFile  = 200      // bytes of a file's name in a message
	longestShown = 40       // bytes of a token in a message
	excerptWidth = 100      // characters of the line that is shown below a message
)

// position names a place in a source.
func position(file string, line, col int) string {
	if file == "" {
		file = sourceName
	}
	if len(file) > longestFile {
		file = "…" + strings.ToValidUTF8(file[len(file)-longestFile:], "")
	}
	return fmt.Sprintf("%s:%d:%d", file, line, col)
}

// placed is an error with its place. It wraps vm.ErrSyntax. Its first line is "file:line:col: message: vm: syntax error";
// below may be the line of the source and a mark.
type placed struct {
	file      string
	line, col int
	message   string
	excerpt   string

	incomplete bool // see ErrIncomplete
}

func (e *placed) Error() string {
	s := fmt.Sprintf("%s: %s: %v", position(e.file, e.line, e.col), e.message, vm.ErrSyntax)
	if e.excerpt != "" {
		s += "\n" + e.excerpt
	}
	return s
}

func (e *placed) Unwrap() error { return vm.ErrSyntax }

// Is implements what errors.Is asks for.
func (e *placed) Is(target error) bool { return e.incomplete && target == ErrIncomplete }

// syntaxError makes an error that wraps vm.ErrSyntax and starts with the place.
func syntaxError(file string, line, col int, format string, args ...any) error {
	return &placed{file: file, line: line, col: col, message: fmt.Sprintf(format, args...)}
}

// SyntaxError makes an error that wraps vm.ErrSyntax, starts with the place, and shows the line of the source. Lines and
// columns count from 1, columns in characters.
func SyntaxError(s vm.Source, line, col int, format string, args ...any) error {
	return Excerpt(syntaxError(s.File, line, col, format, args...), s.Text, 1)
}

// Excerpt adds the line of the source to an error of this package, and a mark below the place. first is the number of the
// text's first line. Other errors stay as they are.
func Excerpt(err error, text string, first int) error {
	var e *placed
	if !errors.As(err, &e) || e.excerpt != "" || e.line < first {
		return err
	}
	for range e.line - first {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return err
		}
		text = rest
	}
	text, _, _ = strings.Cut(text, "\n")
	if strings.TrimSpace(text) == "" {
		return err
	}
	out := *e
	out.excerpt = excerpt(text, e.col)
	return &out
}

// excerpt shows a line, or the part of it around a column, and a mark below it.
func excerpt(line string, col int) string {
	runes := make([]rune, 0, 2*excerptWidth)
	from, n, before := max(0, col-1-excerptWidth/2), 0, ""
	if from > 0 {
		before = "…"
	}
	after := ""
	for _, r := range line {
		if n++; n <= from {
			continue
		}
		if len(runes) == excerptWidth {
			after = "…"
			break
		}
		if !strconv.IsPrint(r) {
			r = ' '
		}
		runes = append(runes, r)
	}
	shown := strings.TrimRight(string(runes), " ")
	blank := 2 + utf8.RuneCountInString(before) + max(0, col-1-from)
	return "  " + before + shown + after + "\n" + strings.Repeat(" ", blank) + "^"
}

// show makes a token of any length fit a message.
func show(text string) string {
	if len(text) <= longestShown {
		return strconv.Quote(text)
	}
	n := longestShown
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strconv.Quote(text[:n]) + "…"
}

// Nearest returns up to three names that look like a text, the likeliest first.
func Nearest(text string, names []string) []string {
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
