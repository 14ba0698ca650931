package chainspec

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns the canonical form of a spec, lock file or node.hcl: HCL's own layout, no white space at the ends of
// lines, no blank lines at the start or the end, one line feed at the end. A JSON spec is indented by two spaces. Formatting
// never changes what a file means, and formatting twice is formatting once. The source must parse; name is its path.
func Format(src []byte, name string) ([]byte, Diagnostics) {
	if len(src) > MaxSpecBytes {
		return nil, Diagnostics{{Severity: SeverityError, Summary: "file too large", Detail: "A spec has at most 256 KiB.", File: name}}
	}
	f, diags := parse(src, name)
	if f == nil {
		return nil, export(diags, map[string][]byte{name: src})
	}
	if strings.HasSuffix(name, JSONSuffix) {
		var b bytes.Buffer
		if err := json.Indent(&b, bytes.TrimSpace(src), "", "  "); err != nil {
			return nil, fileFault(name, "the spec is no JSON", err)
		}
		b.WriteByte('\n')
		return b.Bytes(), nil
	}
	out := tidy(src)
	// Aligning one line can move another's comment; a few rounds settle it.
	for range 8 {
		next := tidy(out)
		if bytes.Equal(next, out) {
			return out, nil
		}
		out = next
	}
	return out, nil
}

// Formatted tells whether a file is in canonical form already.
func Formatted(src []byte, name string) (bool, Diagnostics) {
	out, diags := Format(src, name)
	return !diags.HasErrors() && bytes.Equal(out, src), diags
}

func tidy(src []byte) []byte {
	out := hclwrite.Format(src)
	out = bytes.TrimLeft(out, "\n")
	out = bytes.TrimRight(out, " \t\r\n")
	if len(out) == 0 {
		return nil
	}
	return append(out, '\n')
}
