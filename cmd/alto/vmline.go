package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/term"
)

// errInterrupted is Ctrl-C on a line that is being written.
var errInterrupted = errors.New("interrupted")

// lineReader reads lines that a person writes: on a terminal with editing and history, elsewhere as they are.
type lineReader struct {
	in       *bufio.Reader
	out      io.Writer
	terminal *os.File // nil: plain lines
	edit     *term.Terminal
	keys     *keyReader
	asked    chan string
	answers  chan lineAnswer
}

type lineAnswer struct {
	line string
	err  error
}

// newLineReader returns a reader of the app's input. It reads in a goroutine of its own that ends with the process, since
// there is no way to end reading from a terminal.
func (a *app) newLineReader() *lineReader {
	r := &lineReader{out: a.out, asked: make(chan string), answers: make(chan lineAnswer)}
	f, ok := a.in.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && a.onTerminal() {
		r.terminal, r.keys = f, &keyReader{from: f}
		r.edit = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{r.keys, a.out}, "")
	} else {
		r.in = bufio.NewReader(a.in)
	}
	go func() {
		for prompt := range r.asked {
			var ans lineAnswer
			ans.line, ans.err = r.read(prompt)
			r.answers <- ans
		}
	}()
	return r
}

// interactive tells whether a person sits at a terminal.
func (r *lineReader) interactive() bool { return r.terminal != nil }

// line reads a line. It fails with io.EOF at the end, with errInterrupted for Ctrl-C, or if the context ends, with which the
// reader is of no use any more.
func (r *lineReader) line(ctx context.Context, prompt string) (string, error) {
	restore := func() {}
	if r.terminal != nil {
		old, err := term.MakeRaw(int(r.terminal.Fd()))
		if err != nil {
			return "", fmt.Errorf("terminal: %w", err)
		}
		restore = func() { _ = term.Restore(int(r.terminal.Fd()), old) }
		if w, h, err := term.GetSize(int(r.terminal.Fd())); err == nil && w > 0 {
			_ = r.edit.SetSize(w, h)
		}
	}
	defer restore()
	select {
	case r.asked <- prompt:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case ans := <-r.answers:
		return ans.line, ans.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (r *lineReader) read(prompt string) (string, error) {
	if r.terminal == nil {
		line, err := r.in.ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return strings.TrimRight(line, "\r\n"), err
	}
	r.edit.SetPrompt(prompt)
	line, err := r.edit.ReadLine()
	if r.keys.interrupted.Swap(false) {
		return "", errInterrupted
	}
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return line, err
}

// keyReader passes on what is typed. Ctrl-C becomes the keys that empty the line and end it, and is noted, since the editor
// takes it for the end of all input.
type keyReader struct {
	from        io.Reader
	pending     []byte
	interrupted atomic.Bool
}

const (
	ctrlC = 0x03
	ctrlE = 0x05 // to the end of the line
	ctrlU = 0x15 // deletes up to the cursor
)

// Read implements io.Reader.
func (k *keyReader) Read(b []byte) (int, error) {
	if len(k.pending) == 0 {
		buf := make([]byte, max(len(b)/3, 1))
		n, err := k.from.Read(buf)
		for _, c := range buf[:n] {
			if c == ctrlC {
				k.interrupted.Store(true)
				k.pending = append(k.pending, ctrlE, ctrlU, '\r')
				continue
			}
			k.pending = append(k.pending, c)
		}
		if err != nil && len(k.pending) == 0 {
			return 0, err
		}
	}
	n := copy(b, k.pending)
	k.pending = k.pending[n:]
	return n, nil
}
