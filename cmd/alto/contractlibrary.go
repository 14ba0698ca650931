package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/library"
)

// libraryEntry is a contract of the library, as it is listed.
type libraryEntry struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

func (a *app) contractLibraryCmd() *cobra.Command {
	var set []string
	var out string
	c := &cobra.Command{
		Use: "library [NAME]", Short: "Contracts that are ready to be used",
		Long: "Without a name, lists the contracts that come with the VM \"forth\". With one, prints its source, whose head says what it is for, who its\n" +
			"participants are, what evidence it wants and what it pays. --set replaces what one of its macros stands for.",
		Example: "  alto contract library\n  alto contract library htlc\n  alto contract library htlc --set 'commitment=x\"a9d7…\"' --set expires-ms=1767229200000 --out htlc.fs",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				if len(set) > 0 || out != "" {
					return coded(exitUsage, errors.New("--set and --out need the name of a contract; `alto contract library` lists them"))
				}
				return a.printLibrary()
			}
			text, err := filledContract(args[0], set)
			if err != nil {
				return err
			}
			if out == "" {
				fmt.Fprint(a.out, text)
				return nil
			}
			return newFile(out, text)
		},
	}
	c.Flags().StringArrayVar(&set, "set", nil, "what a macro of the contract stands for, MACRO=TEXT; may be repeated")
	c.Flags().StringVar(&out, "out", "", "write the source to a new file")
	return c
}

// filledContract returns a contract's source with its macros set.
func filledContract(name string, set []string) (string, error) {
	if !slices.Contains(library.Names(), name) {
		return "", coded(exitConfig, fmt.Errorf("the library has no contract %q; it has %s", name, strings.Join(library.Names(), ", ")))
	}
	macros := map[string]string{}
	for _, s := range set {
		macro, text, ok := strings.Cut(s, "=")
		if !ok || macro == "" || text == "" || strings.ContainsAny(text, "\r\n") {
			return "", coded(exitUsage, fmt.Errorf("--set %q: write MACRO=TEXT, in one line", s))
		}
		macros[macro] = text
	}
	text, err := library.Fill(name, macros)
	if err != nil {
		err = coded(exitUsage, fmt.Errorf("--set: %w; `alto contract library %s` shows its macros", err, name))
	}
	return text, err
}

func (a *app) printLibrary() error {
	list := []libraryEntry{}
	for _, n := range library.Names() {
		title, err := library.Title(n)
		if err != nil {
			return err
		}
		list = append(list, libraryEntry{n, title})
	}
	return a.print(list, func() {
		for _, e := range list {
			fmt.Fprintf(a.out, "%-14s %s\n", e.Name, e.Title)
		}
	})
}
