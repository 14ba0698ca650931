package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-isatty"
)

// print writes data: as JSON, as one line of JSON, or by the function table.
func (a *app) print(v any, table func()) error {
	if a.output == "table" && table != nil {
		table()
		return nil
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	if a.output != "jsonl" {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// printList writes a list: one JSON array, a line of JSON for each item, or a table.
func printList[T any](a *app, list []T, header []string, row func(T) []any) error {
	switch a.output {
	case "json":
		if list == nil {
			list = []T{}
		}
		return a.print(list, nil)
	case "jsonl":
		for _, v := range list {
			if err := a.print(v, nil); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, v := range list {
		cells := row(v)
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, c)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// onTerminal tells whether data goes to a terminal.
func (a *app) onTerminal() bool {
	f, ok := a.out.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// unit is how many of the smallest unit a token has.
const unit = 1_000_000

// amountText writes an amount in tokens: 1500000 is "1.5".
func amountText(v uint64) string {
	s := strconv.FormatUint(v/unit, 10)
	if r := v % unit; r != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%06d", r), "0")
	}
	return s
}

// parseAmount reads an amount in tokens, with or without the token's name behind it.
func parseAmount(text, token string) (uint64, error) {
	s := strings.TrimSpace(text)
	if rest, ok := strings.CutSuffix(s, token); ok && token != "" {
		s = strings.TrimSpace(rest)
	}
	whole, frac, _ := strings.Cut(s, ".")
	bad := func(why string) (uint64, error) {
		return 0, fmt.Errorf("amount %q: %s; write a number of tokens with at most six decimals, such as 1.5", text, why)
	}
	if whole == "" && frac == "" {
		return bad("there is no number")
	}
	if len(frac) > 6 {
		return bad("more than six decimals")
	}
	for _, c := range whole + frac {
		if c < '0' || c > '9' {
			return bad("it is not a number")
		}
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 6-len(frac)), 10, 64)
	if err != nil {
		return bad("it is larger than any amount can be")
	}
	return n, nil
}
