package chainspec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Severity of a diagnostic.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Diagnostic is something that is wrong, or doubtful, at a place of a file. Lines and columns count from 1; columns count
// characters as people see them. A diagnostic about a whole file or about a command line has line 0.
type Diagnostic struct {
	Severity  Severity `json:"severity"`
	Summary   string   `json:"summary"`
	Detail    string   `json:"detail,omitempty"`
	File      string   `json:"file,omitempty"`
	Line      int      `json:"line,omitempty"`
	Column    int      `json:"column,omitempty"`
	EndLine   int      `json:"end_line,omitempty"`
	EndColumn int      `json:"end_column,omitempty"`
	Source    string   `json:"source,omitempty"` // the line, without its end
}

// Diagnostics is all that was found, in the order of files and lines.
type Diagnostics []Diagnostic

// HasErrors tells whether there is more than warnings.
func (d Diagnostics) HasErrors() bool {
	for _, x := range d {
		if x.Severity == SeverityError {
			return true
		}
	}
	return false
}

// Errors returns the errors alone.
func (d Diagnostics) Errors() Diagnostics { return d.only(SeverityError) }

// Warnings returns the warnings alone.
func (d Diagnostics) Warnings() Diagnostics { return d.only(SeverityWarning) }

func (d Diagnostics) only(s Severity) (out Diagnostics) {
	for _, x := range d {
		if x.Severity == s {
			out = append(out, x)
		}
	}
	return out
}

// Err returns nil if there are only warnings, otherwise an error whose text is one line an error.
func (d Diagnostics) Err() error {
	var lines []error
	for _, x := range d.Errors() {
		lines = append(lines, errors.New(x.String()))
	}
	return errors.Join(lines...)
}

// String returns one line: file:line:column: summary: detail.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.File)
		if d.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
		}
		b.WriteString(": ")
	}
	if d.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Summary)
	if d.Detail != "" {
		b.WriteString(": " + strings.ReplaceAll(d.Detail, "\n", " "))
	}
	return b.String()
}

// Text returns what [Diagnostics.WriteText] writes.
func (d Diagnostics) Text() string {
	var b strings.Builder
	_ = d.WriteText(&b) // a builder does not fail
	return b.String()
}

// WriteText writes the diagnostics for people: summary, place, the source line with the place marked, detail.
func (d Diagnostics) WriteText(w io.Writer) error {
	for i, x := range d {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(w, x.text()); err != nil {
			return err
		}
	}
	return nil
}

func (d Diagnostic) text() string {
	var b strings.Builder
	label := "Error"
	if d.Severity == SeverityWarning {
		label = "Warning"
	}
	fmt.Fprintf(&b, "%s: %s\n", label, d.Summary)
	if d.File != "" {
		fmt.Fprintf(&b, "  at %s", d.File)
		if d.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
		}
		b.WriteByte('\n')
	}
	if d.Source != "" {
		prefix := fmt.Sprintf("  %4d | ", d.Line)
		b.WriteString(prefix + d.Source + "\n")
		width := 1
		if d.EndLine == d.Line {
			width = max(1, d.EndColumn-d.Column)
		} else if d.EndLine > d.Line {
			width = max(1, utf8.RuneCountInString(d.Source)-d.Column+1)
		}
		width = min(width, max(1, utf8.RuneCountInString(d.Source)-d.Column+1))
		b.WriteString(strings.Repeat(" ", len(prefix)-2) + "| " + indentLike(d.Source, d.Column-1) + strings.Repeat("^", width) + "\n")
	}
	if d.Detail != "" {
		b.WriteString("  " + strings.ReplaceAll(d.Detail, "\n", "\n  ") + "\n")
	}
	return b.String()
}

// indentLike returns n columns of white space, with a tab wherever the line has one, so that marks stand below what they mark.
func indentLike(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n <= 0 {
			break
		}
		n--
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String() + strings.Repeat(" ", max(0, min(n, maxSourceLine)))
}

// maxSourceLine bounds the quoted line, and what people are shown of a generated file, in bytes.
const maxSourceLine = 240

// MaxDiagnostics bounds what is reported of one file.
const MaxDiagnostics = 100

// export turns what was collected into diagnostics: in order, each once, with source lines.
func export(in hcl.Diagnostics, sources map[string][]byte) Diagnostics {
	var out Diagnostics
	seen := map[Diagnostic]bool{}
	for _, x := range in {
		d := Diagnostic{Severity: SeverityError, Summary: lowerFirst(x.Summary), Detail: x.Detail}
		if x.Severity == hcl.DiagWarning {
			d.Severity = SeverityWarning
		}
		if r := x.Subject; r != nil {
			d.File = r.Filename
			d.Line, d.Column, d.EndLine, d.EndColumn = r.Start.Line, r.Start.Column, r.End.Line, r.End.Column
			if d.Line > 0 {
				d.Source = sourceLine(sources[r.Filename], d.Line)
			}
		}
		if !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	if n := len(out); n > MaxDiagnostics {
		out = append(out[:MaxDiagnostics:MaxDiagnostics], Diagnostic{Severity: SeverityError, Summary: "too many problems",
			Detail: fmt.Sprintf("%d more are not shown; mend these first.", n-MaxDiagnostics), File: out[0].File})
	}
	return out
}

// lowerFirst makes HCL's summaries look like ours, except where the first word is an abbreviation.
func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func sourceLine(src []byte, line int) string {
	for n := 1; n < line; n++ {
		_, rest, found := bytes.Cut(src, []byte("\n"))
		if !found {
			return ""
		}
		src = rest
	}
	l, _, _ := bytes.Cut(src, []byte("\n"))
	text := strings.TrimSuffix(string(l[:min(len(l), maxSourceLine)]), "\r")
	if len(l) > maxSourceLine {
		return strings.ToValidUTF8(text, "") + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// fault makes an error at a place.
func fault(r hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: sentence(format, args...), Subject: &r}
}

// doubt makes a warning at a place.
func doubt(r hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: sentence(format, args...), Subject: &r}
}

func sentence(format string, args ...any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}

// fileFault is an error about a file as a whole.
func fileFault(path, summary string, err error) Diagnostics {
	return Diagnostics{{Severity: SeverityError, Summary: summary, Detail: err.Error(), File: path}}
}
