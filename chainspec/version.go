package chainspec

import (
	"fmt"
	"strconv"
	"strings"
)

// version is a semantic version; a part that a constraint leaves out is counted in parts.
type version struct {
	n     [3]uint64
	parts int
	pre   string // what follows "-"
}

// parseVersion reads "1", "1.2", "1.2.3" or "1.2.3-rc.1"; a "v" in front and build metadata are ignored.
func parseVersion(s string) (v version, err error) {
	bad := fmt.Errorf("%q is no version; write it like \"1.2.3\"", clip(s))
	rest, _, _ := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	rest, v.pre, _ = strings.Cut(rest, "-")
	parts := strings.Split(rest, ".")
	if len(parts) > 3 || len(s) > 64 {
		return v, bad
	}
	v.parts = len(parts)
	for i, p := range parts {
		if p == "" || p[0] < '0' || p[0] > '9' {
			return v, bad
		}
		if v.n[i], err = strconv.ParseUint(p, 10, 32); err != nil {
			return v, bad
		}
	}
	return v, nil
}

// compare orders versions; a pre-release comes before its release, pre-releases by their identifiers.
func (v version) compare(o version) int {
	for i := range v.n {
		switch {
		case v.n[i] < o.n[i]:
			return -1
		case v.n[i] > o.n[i]:
			return 1
		}
	}
	switch {
	case v.pre == o.pre:
		return 0
	case v.pre == "":
		return 1
	case o.pre == "":
		return -1
	}
	return comparePre(strings.Split(v.pre, "."), strings.Split(o.pre, "."))
}

func comparePre(a, b []string) int {
	for i := range a {
		if i == len(b) {
			return 1
		}
		if a[i] == b[i] {
			continue
		}
		x, errX := strconv.ParseUint(a[i], 10, 64)
		y, errY := strconv.ParseUint(b[i], 10, 64)
		switch {
		case errX == nil && errY == nil && x < y, errX == nil && errY != nil:
			return -1
		case errX == nil && errY == nil, errY == nil:
			return 1
		}
		return strings.Compare(a[i], b[i])
	}
	if len(a) < len(b) {
		return -1
	}
	return 0
}

// CheckVersion tells whether a version satisfies a constraint: comma-separated conditions, all of which must hold, each an
// operator (=, !=, >, >=, <, <=, ~>; none means =) and a version. "~> 1.2" means at least 1.2 and below 2.0, "~> 1.2.3" at
// least 1.2.3 and below 1.3.0. The error says what is malformed.
func CheckVersion(constraint, actual string) (bool, error) {
	have, err := parseVersion(actual)
	if err != nil {
		return false, err
	}
	if len(constraint) > 256 {
		return false, fmt.Errorf("the constraint is too long: %q", clip(constraint))
	}
	all := true
	for _, c := range strings.Split(constraint, ",") {
		c = strings.TrimSpace(c)
		op := strings.TrimRight(c[:len(c)-len(strings.TrimLeft(c, "=!<>~"))], " ")
		want, err := parseVersion(strings.TrimSpace(c[len(op):]))
		if err != nil {
			return false, fmt.Errorf("constraint %q: %w", clip(constraint), err)
		}
		ok, known := holds(have, op, want)
		if !known {
			return false, fmt.Errorf("constraint %q: the operator %q is unknown; there is =, !=, >, >=, <, <=, ~>", clip(constraint), op)
		}
		all = all && ok
	}
	return all, nil
}

func holds(have version, op string, want version) (ok, known bool) {
	c := have.compare(want)
	switch op {
	case "", "=":
		return c == 0, true
	case "!=":
		return c != 0, true
	case ">":
		return c > 0, true
	case ">=":
		return c >= 0, true
	case "<":
		return c < 0, true
	case "<=":
		return c <= 0, true
	case "~>":
		// The last part that is named may grow; of a single part there is nothing to its left to keep.
		for i := 0; i < want.parts-1; i++ {
			if have.n[i] != want.n[i] {
				return false, true
			}
		}
		return c >= 0, true
	}
	return false, false
}
