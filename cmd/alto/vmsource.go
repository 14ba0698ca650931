package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// asmDialect is what Disassemble writes.
const asmDialect = "asm"

// vmProgram is code, and the text that it comes from. Of code that came without a source, that is its disassembly.
type vmProgram struct {
	path     string
	text     string
	code     []byte
	at       vm.SourceMap
	warnings []string
	isCode   bool // the file was bytecode
	lines    []string
}

// readLimited reads a file, or standard input for -, up to a limit.
func (a *app) readLimited(path string, limit int64) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, coded(exitConfig, err)
		}
		defer f.Close() //nolint:errcheck // it is only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, coded(exitConfig, err)
	}
	if int64(len(b)) > limit {
		return nil, coded(exitConfig, fmt.Errorf("%s has more than %d bytes, which is more than any VM takes", path, limit))
	}
	return b, nil
}

// bytecodeOf tells whether a file is bytecode: by its name, .bin or .hex, or by bytes that no source has.
func bytecodeOf(path string, b []byte) ([]byte, bool, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".bin":
		return b, true, nil
	case ".hex":
		text := strings.Join(strings.Fields(string(b)), "")
		code, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err != nil {
			return nil, true, coded(exitConfig, fmt.Errorf("%s: hexadecimal digits are wanted in a .hex file: %w", path, err))
		}
		return code, true, nil
	}
	if len(b) > 0 && (b[0] < '\t' || bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b)) {
		return b, true, nil
	}
	return nil, false, nil
}

// program reads a source and compiles it, or reads bytecode.
func (a *app) program(ctx context.Context, m vm.VM, path, dialect string, evidence bool) (*vmProgram, error) {
	b, err := a.readLimited(path, 2*vm.MaxCodeBytes+64)
	if err != nil {
		return nil, err
	}
	p := &vmProgram{path: path}
	if p.code, p.isCode, err = bytecodeOf(path, b); err != nil {
		return nil, err
	}
	if p.isCode {
		p.describe(ctx, m, evidence)
		return p, nil
	}
	p.text = string(b)
	return p, p.compile(ctx, m, dialect, evidence)
}

func (p *vmProgram) compile(ctx context.Context, m vm.VM, dialect string, evidence bool) error {
	out, err := m.Compile(ctx, vm.Source{Text: p.text, Dialect: dialect, File: p.path, Evidence: evidence})
	if errors.Is(err, vm.ErrSyntax) || errors.Is(err, vm.ErrInvalid) || errors.Is(err, vm.ErrTooLarge) {
		err = coded(exitConfig, p.explain(err))
	}
	if err != nil {
		return err
	}
	p.code, p.warnings, p.at = out.Code, out.Warnings, out.Map
	return nil
}

// describe gives bytecode a text: its disassembly, if the VM can read it at all.
func (p *vmProgram) describe(ctx context.Context, m vm.VM, evidence bool) {
	text, err := m.Disassemble(ctx, p.code)
	if err != nil {
		return
	}
	p.text = text
	if out, err := m.Compile(ctx, vm.Source{Text: text, Dialect: asmDialect, File: p.path, Evidence: evidence}); err == nil && bytes.Equal(out.Code, p.code) {
		p.at = out.Map
	}
	if len(p.at) == 0 {
		p.at = listingMap(text, len(p.code))
	}
}

var (
	listedPC   = regexp.MustCompile(`\\\s([0-9]{1,7})$`)
	listedWord = regexp.MustCompile(`^\.(word\s+\S+|main)`)
)

// listingMap makes a source map of a disassembly whose lines end with the place of their instruction, as a comment.
func listingMap(text string, code int) vm.SourceMap {
	var out vm.SourceMap
	word := ""
	for i, line := range strings.Split(text, "\n") {
		if m := listedWord.FindStringSubmatch(line); m != nil {
			if word = m[1]; word == "main" {
				word = ""
			}
		}
		m := listedPC.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(line, ".") {
			continue
		}
		pc, _ := strconv.Atoi(m[1])
		if pc > code || (len(out) > 0 && uint32(pc) <= out[len(out)-1].PC) {
			return nil
		}
		column := len(line) - len(strings.TrimLeft(line, " ")) + 1
		out = append(out, vm.MapEntry{PC: uint32(pc), Line: uint32(i + 1), Column: uint32(column), Word: word})
	}
	return out
}

// line returns a line of the text, from 1.
func (p *vmProgram) line(n int) (string, bool) {
	if p.lines == nil {
		p.lines = strings.Split(p.text, "\n")
	}
	if n < 1 || n > len(p.lines) {
		return "", false
	}
	return strings.TrimSuffix(p.lines[n-1], "\r"), true
}

// excerpt is a line with a caret below a column, from 1; empty if there is no such line. Long lines are cut around it.
func (p *vmProgram) excerpt(line, column int) string {
	text, ok := p.line(line)
	if !ok {
		return ""
	}
	runes := []rune(printable(text))
	column = min(max(column, 1), len(runes)+1)
	const before, after = 60, 80
	if from := column - 1 - before; from > 0 {
		runes, column = append([]rune("…"), runes[from:]...), before+2
	}
	if to := column - 1 + after; to < len(runes) {
		runes = append(runes[:to:to], '…')
	}
	pad := make([]rune, column-1)
	for i := range pad {
		if pad[i] = ' '; i < len(runes) && runes[i] == '\t' {
			pad[i] = '\t'
		}
	}
	n := strconv.Itoa(line)
	return fmt.Sprintf("  %s | %s\n  %s | %s^", n, string(runes), strings.Repeat(" ", len(n)), string(pad))
}

// printable takes from a text what would steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && r != '\n' && (r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0)) {
			return utf8.RuneError
		}
		return r
	}, s)
}

var placeInError = regexp.MustCompile(`:([0-9]{1,9}):([0-9]{1,9}): `)

// explain makes of what a VM says of a source what people read: with the line, unless the VM shows that itself.
func (p *vmProgram) explain(err error) error {
	text := strings.Replace(err.Error(), ": "+vm.ErrSyntax.Error(), "", 1)
	at := strings.Index(text, p.path+":")
	if at < 0 || strings.Contains(text, "\n") {
		return errors.New(text)
	}
	m := placeInError.FindStringSubmatch(text[at+len(p.path):])
	if m == nil {
		return errors.New(text)
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	if e := p.excerpt(line, column); e != "" {
		return errors.New(text + "\n" + e)
	}
	return errors.New(text)
}

// place names an instruction's place in the source: file:line:column, in WORD.
func (p *vmProgram) place(pc uint64) (string, vm.MapEntry, bool) {
	e, ok := p.at.Find(pc)
	if !ok || p.isCode {
		return "", e, ok
	}
	text := fmt.Sprintf("%s:%d:%d", p.path, e.Line, e.Column)
	if e.Word != "" {
		text += ", in " + e.Word
	}
	return text, e, true
}
