package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gforthHint is what to do about a missing gforth.
const gforthHint = "install it (Debian, Ubuntu: apt-get install gforth) or name another with -gforth"

// errNoGforth says that there is none.
var errNoGforth = errors.New("gforth is missing")

// gforth runs programs in processes of gforth. Their start-up, which an empty program shows, is taken off.
type gforth struct {
	path    string
	startup time.Duration
}

// newGforth finds gforth and measures its start-up: the least of some empty programs.
func newGforth(ctx context.Context, name string) (*gforth, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; %s", errNoGforth, err, gforthHint)
	}
	g := &gforth{path: path}
	for i := range 10 {
		_, cpu, err := g.execute(ctx, "0 . bye\n")
		if err != nil {
			return nil, err
		}
		if i == 0 || cpu < g.startup {
			g.startup = cpu
		}
	}
	return g, nil
}

// about tells the version, and whether it makes machine code of words, which gforth calls dynamic code generation.
// Debian's build can't; others are faster.
func (g *gforth) about(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, g.path, "--version").CombinedOutput() // on standard error
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(out))
	// With --debug it says that --no-dynamic, its default in such a build, has replaced another setting.
	debug, err := exec.CommandContext(ctx, g.path, "--debug", "-e", "bye").CombinedOutput()
	switch {
	case err != nil:
	case bytes.Contains(debug, []byte("--no-dynamic")) || bytes.Contains(debug, []byte("disabling dynamic")):
		text += " without dynamic code generation"
	default:
		text += " with dynamic code generation"
	}
	return fmt.Sprintf("%s, %s; start-up of %.1f ms taken off", g.path, text, ms(g.startup))
}

// execute runs a source and returns the number that it prints last.
func (g *gforth) execute(ctx context.Context, text string) (int64, time.Duration, error) {
	dir, err := os.MkdirTemp("", "bench-vm")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "program.fs")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, 0, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, g.path, file)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", g.path, err, strings.TrimSpace(stderr.String()))
	}
	words := strings.Fields(stdout.String())
	if len(words) == 0 {
		return 0, 0, fmt.Errorf("%s has printed nothing: %s", g.path, strings.TrimSpace(stderr.String()))
	}
	n, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: its last word is no number: %w", g.path, err)
	}
	return n, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// forGforth makes a program of a source that gforth can run: what the common words lack before it, and the runs behind it.
func (p program) forGforth() (string, error) {
	text, err := p.source()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d constant N  create mem 65536 allot\n%s\n: all 0 %d 0 do drop run loop ; all . bye\n", p.n, text, p.times), nil
}

func (g *gforth) prepare(_ context.Context, p program) (runner, error) {
	text, err := p.forGforth()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (int64, time.Duration, error) {
		n, cpu, err := g.execute(ctx, text)
		return n, max(cpu-g.startup, 0), err
	}, nil
}
