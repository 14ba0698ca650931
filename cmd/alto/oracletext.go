package main

import "strings"

// textWidth is how many columns of a strange text are in a line: so few that a terminal of 80 columns does not break it.
const textWidth = 72

// quoted is a text that anybody may have written, in lines that a terminal does not break. Whoever prints them puts the same before
// each, so that none of them looks like a line of the command's own.
func quoted(s string) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		out = append(out, folded(strings.TrimRight(visible(l), " "))...)
	}
	return out
}

// folded breaks a line into pieces of at most textWidth columns, between words where it can.
func folded(s string) []string {
	var out []string
	r := []rune(s)
	for {
		n, columns, space := 0, 0, 0
		for ; n < len(r); n++ {
			columns++
			if r[n] >= 0x1100 { // as wide as two, as most that lie there are
				columns++
			}
			if columns > textWidth {
				break
			}
			if r[n] == ' ' {
				space = n
			}
		}
		if n == len(r) {
			return append(out, string(r))
		}
		if space == 0 {
			out, r = append(out, string(r[:n])), r[n:]
			continue
		}
		out, r = append(out, string(r[:space])), r[space+1:]
	}
}
