// Package library has contracts that are ready to be used: each a source of the dialect paloalto whose head says what it is
// for, who its participants are, what its evidence looks like, and what it pays. What a contract is about, such as a
// commitment or a time, are macros at its head, to be edited, or to be set by [Fill].
package library

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ErrUnknown is wrapped by the errors about contracts and macros that are not there.
var ErrUnknown = errors.New("library: unknown")

//go:embed contracts/*.fs
var files embed.FS

const (
	folder = "contracts/"
	suffix = ".fs"
)

// FS returns the sources, each as NAME.fs.
func FS() fs.FS {
	sub, err := fs.Sub(files, strings.TrimSuffix(folder, "/"))
	if err != nil { // the folder is built in
		return files
	}
	return sub
}

// Names returns the names of the contracts, sorted.
func Names() []string {
	entries, err := files.ReadDir(strings.TrimSuffix(folder, "/"))
	if err != nil { // the folder is built in
		return nil
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = strings.TrimSuffix(e.Name(), suffix)
	}
	return out
}

// Source returns the source of a contract. It fails with ErrUnknown.
func Source(name string) (string, error) {
	b, err := files.ReadFile(folder + name + suffix)
	if err != nil {
		return "", fmt.Errorf("contract %q, there are %s: %w", name, strings.Join(Names(), ", "), ErrUnknown)
	}
	return string(b), nil
}

// Title returns the first sentence of a contract's head: its name for people, and what it is for. It fails with ErrUnknown.
func Title(name string) (string, error) {
	text, err := Source(name)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimPrefix(line, `\ `)
		if !strings.HasPrefix(line, "dialect:") && !strings.HasPrefix(line, "result:") {
			return line, nil
		}
	}
	return "", nil
}

// Fill returns the source of a contract with other texts for macros, such as "commitment": `x"…"`. It fails with ErrUnknown
// if there is no such contract, or no such macro in it. The texts are not checked: compiling does.
func Fill(name string, macros map[string]string) (string, error) {
	text, err := Source(name)
	if err != nil {
		return "", err
	}
	lines, filled := strings.Split(text, "\n"), 0
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "macro" {
			continue
		}
		if v, ok := macros[f[1]]; ok {
			lines[i] = fmt.Sprintf("macro %s %s ;", f[1], v)
			filled++
		}
	}
	if filled < len(macros) {
		return "", fmt.Errorf("contract %q does not have all of these macros: %w", name, ErrUnknown)
	}
	return strings.Join(lines, "\n"), nil
}
