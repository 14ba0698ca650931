package chainspec

import (
	"sort"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// nearest returns the candidate that a misspelt name probably means, or "".
func nearest(name string, candidates []string) string {
	best, distance := "", 1+max(2, len(name)/3)
	sorted := append([]string(nil), candidates...)
	sort.Strings(sorted)
	for _, c := range sorted {
		if len(name) > 64 || len(c) > 64 {
			continue
		}
		if d := levenshtein.Distance(name, c, nil); d < distance && d < max(len(c), len(name)) {
			best, distance = c, d
		}
	}
	return best
}

// didYouMean returns a sentence, or "".
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return "Did you mean " + strconv.Quote(n) + "? "
	}
	return ""
}

// hint is didYouMean for errors of one line.
func hint(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return "; did you mean " + strconv.Quote(n) + "?"
	}
	if len(candidates) == 0 {
		return ""
	}
	return "; there is " + quotedList(candidates)
}

// quotedList returns `"a", "b"`, sorted.
func quotedList(names []string) string {
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	for i := range sorted {
		sorted[i] = strconv.Quote(sorted[i])
	}
	return strings.Join(sorted, ", ")
}
