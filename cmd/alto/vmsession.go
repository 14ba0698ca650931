package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	mostIncluded = 16     // files within files
	mostInputs   = 10_000 // that one file may become
)

// What a session cannot do itself, since a VM reads no files: lines that name one. They are replaced by what the file holds.
var (
	includeLine  = regexp.MustCompile(`^\s*(?i:(include|load|require))\s+(\S+)\s*(\\.*)?$`)
	includedLine = regexp.MustCompile(`^\s*(?i:s")\s+([^"]+)"\s+(?i:(included|required))\s*(\\.*)?$`)
	contractLine = regexp.MustCompile(`^\s*contract\s+(\S+)\s+from\s+(\S+)\s*(\\.*)?$`)
)

// contractInput is the first line of an input that gives a session a contract's source, which is the rest.
const contractInput = "contract-source "

// files turns files into what a session evaluates: their text, and in their places the files that they name.
type files struct {
	a    *app
	seen map[string]bool // by the last part of the name; what require names is evaluated once
}

func (a *app) files() *files { return &files{a, map[string]bool{}} }

// inputs are those of several files, one after the other.
func (f *files) inputs(paths []string) ([]vm.Input, error) {
	var list []vm.Input
	for _, p := range paths {
		in, err := f.include(p, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, in...)
	}
	return list, nil
}

func (f *files) include(path string, within []string) ([]vm.Input, error) {
	if len(within) >= mostIncluded {
		return nil, coded(exitConfig, fmt.Errorf("%s: files include each other, more than %d deep", within[len(within)-1], mostIncluded))
	}
	b, err := f.a.readLimited(path, vm.MaxSourceBytes)
	if err != nil {
		return nil, err
	}
	f.seen[filepath.Base(path)] = true
	return f.split(path, 1, string(b), append(within, path))
}

// named finds what a line of a file names: the inputs that take its place. It is false if the line names nothing.
func (f *files) named(path, line string, within []string) ([]vm.Input, bool, error) {
	beside := func(file string) string {
		if filepath.IsAbs(file) || path == "" || path == "-" {
			return file
		}
		return filepath.Join(filepath.Dir(path), file)
	}
	if m := contractLine.FindStringSubmatch(line); m != nil {
		in, err := f.contract(m[1], beside(m[2]))
		return in, true, err
	}
	verb, file := "", ""
	if m := includeLine.FindStringSubmatch(line); m != nil {
		verb, file = m[1], m[2]
	} else if m := includedLine.FindStringSubmatch(line); m != nil {
		verb, file = m[2], m[1]
	} else {
		return nil, false, nil
	}
	if strings.HasPrefix(strings.ToLower(verb), "require") && f.seen[filepath.Base(file)] {
		return nil, true, nil
	}
	in, err := f.include(beside(file), within)
	return in, true, err
}

// split replaces the lines that name files. Lines count from first.
func (f *files) split(path string, first uint32, text string, within []string) ([]vm.Input, error) {
	var out []vm.Input
	var part strings.Builder
	begins, line := first, first
	flush := func() {
		if strings.TrimSpace(part.String()) != "" {
			out = append(out, vm.Input{File: path, Line: begins, Text: part.String()})
		}
		part.Reset()
	}
	inside := false // a contract that the text holds itself
	for l := range strings.Lines(text) {
		words := strings.Fields(l)
		var in []vm.Input
		var err error
		found := false
		if inside {
			inside = len(words) == 0 || words[0] != "end-contract"
		} else if in, found, err = f.named(path, strings.TrimRight(l, "\r\n"), within); err != nil {
			if path != "" {
				err = fmt.Errorf("%s:%d: %w", path, line, err)
			}
			return nil, err
		} else if !found {
			inside = len(words) > 0 && words[0] == "contract"
		}
		line++
		if !found {
			part.WriteString(l)
			continue
		}
		flush()
		begins = line
		if out = append(out, in...); len(out) > mostInputs {
			return nil, coded(exitConfig, fmt.Errorf("%s includes more than %d files", path, mostInputs))
		}
	}
	flush()
	return out, nil
}

func (f *files) contract(name, file string) ([]vm.Input, error) {
	b, err := f.a.readLimited(file, vm.MaxSourceBytes-1024)
	if err != nil {
		return nil, err
	}
	return []vm.Input{{File: file, Line: 1, Text: contractInput + name + "\n" + string(b)}}, nil
}

// session makes what a session begins with out of the flags.
func (o *vmOptions) session() (vm.Session, error) {
	env, err := parseEnv(o.env)
	s := vm.Session{Dialect: o.dialect, Environment: env, GasLimit: o.gas}
	if s.GasLimit == 0 {
		s.GasLimit = defaultSession
	}
	return s, err
}

// dialectLine is a pragma, which says for a session too what its first file is written in.
var dialectLine = regexp.MustCompile(`^\\ dialect:\s*(\S+)`)

// begin makes a session out of the flags and its first input.
func (o *vmOptions) begin(list []vm.Input) (vm.Session, error) {
	s, err := o.session()
	if m := dialectLine.FindStringSubmatch(firstText(list)); m != nil && s.Dialect == "" {
		s.Dialect = m[1]
	}
	return s, err
}

func firstText(list []vm.Input) string {
	for _, in := range list {
		if !strings.HasPrefix(in.Text, contractInput) {
			return in.Text
		}
	}
	return ""
}

// errStop ends a session early.
var errStop = errors.New("the session is over")

// evaluate holds a session over inputs, and calls each with what became of one.
func evaluate(ctx context.Context, m vm.VM, s vm.Session, list []vm.Input, each func(vm.Input, vm.Output) error) error {
	at := -1
	err := m.Interact(ctx, s, func(o vm.Output) (vm.Input, error) {
		if at >= 0 {
			if err := each(list[at], o); err != nil {
				return vm.Input{}, err
			}
			if o.Bye {
				return vm.Input{}, io.EOF
			}
		}
		if at++; at == len(list) {
			return vm.Input{}, io.EOF
		}
		return list[at], nil
	})
	if errors.Is(err, errStop) || errors.Is(err, io.EOF) {
		return nil
	}
	if errors.Is(err, vm.ErrUnsupported) || errors.Is(err, vm.ErrInvalid) || errors.Is(err, vm.ErrTooLarge) {
		return coded(exitConfig, err)
	}
	return err
}

// sessionError is an error of a session with the line that it means, if the VM has not shown it.
func sessionError(in vm.Input, text string) string {
	text = strings.TrimRight(printable(text), "\n")
	if strings.Contains(text, "\n") || in.File == "" {
		return text
	}
	m := placeInError.FindStringSubmatch(text)
	if m == nil || !strings.HasPrefix(text, in.File+":") {
		return text
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	p := &vmProgram{path: in.File, text: in.Text}
	x := p.excerpt(line-int(max(in.Line, 1))+1, column)
	if x == "" {
		return text
	}
	return text + "\n" + x
}

// sessionView is what several sources came to.
type sessionView struct {
	Text   string   `json:"text"`
	Error  string   `json:"error,omitempty"`
	Stack  []string `json:"stack"`
	Passed int      `json:"passed"`
	Failed int      `json:"failed"`
	Gas    uint64   `json:"gas"`
}

// add takes up what an input came to. It returns errStop if nothing of the session goes on.
func (v *sessionView) add(in vm.Input, o vm.Output) error {
	v.Text += o.Text
	v.Stack, v.Passed, v.Failed, v.Gas = o.Stack, v.Passed+o.Passed, v.Failed+o.Failed, v.Gas+o.Gas
	if o.Error != "" {
		v.Error = sessionError(in, o.Error)
		return errStop
	}
	return nil
}

// end finds what is wrong when all inputs are through.
func (v *sessionView) end(last vm.Output, path string) {
	if v.Error == "" && last.Open {
		v.Error = path + ": a definition, a structure or a test is open at the end"
	}
	if v.Stack == nil {
		v.Stack = []string{}
	}
}

// runSession evaluates files in one session.
func (a *app) runSession(ctx context.Context, o *vmOptions, paths []string) error {
	list, err := a.files().inputs(paths)
	if err != nil {
		return err
	}
	s, err := o.begin(list)
	if err != nil {
		return err
	}
	return o.with(ctx, a, func(ctx context.Context, m *openVM) error {
		var v sessionView
		var last vm.Output
		err := evaluate(ctx, m, s, list, func(in vm.Input, out vm.Output) error {
			last = out
			if a.output == "table" {
				fmt.Fprint(a.out, out.Text)
			}
			return v.add(in, out)
		})
		if err != nil {
			return err
		}
		v.end(last, paths[len(paths)-1])
		if err := a.print(v, func() { a.printSession(&v) }); err != nil {
			return err
		}
		if v.Error != "" {
			return told(exitDifferent, errors.New(v.Error))
		}
		if v.Failed > 0 {
			return told(exitDifferent, fmt.Errorf("%d tests failed", v.Failed))
		}
		return nil
	})
}

func (a *app) printSession(v *sessionView) {
	if v.Text != "" && !strings.HasSuffix(v.Text, "\n") {
		fmt.Fprintln(a.out)
	}
	if v.Error != "" {
		a.progress("alto: %s", v.Error)
	}
	if len(v.Stack) > 0 {
		fmt.Fprintf(a.out, "stack, top last: %s\n", stackText(v.Stack, 16))
	}
	if v.Passed+v.Failed > 0 {
		fmt.Fprintf(a.out, "tests: %d passed, %d failed\n", v.Passed, v.Failed)
	}
	fmt.Fprintf(a.out, "gas %d\n", v.Gas)
}
