package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// Bounds of a command's output, in bytes.
const (
	maxStdout = 16 << 10
	maxStderr = 4 << 10 // of the end, which is shown
)

// afterwards is how long what a command leaves behind may keep its output open, once it has ended or was killed.
const afterwards = 500 * time.Millisecond

// passedOn are the variables that a command gets from the plugin's environment. The others are not its business: among them is
// the token with which the host knows its plugin.
var passedOn = []string{"PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// command runs a program for each question: argv as it is configured, without a shell, the question as one line of JSON on
// standard input.
type command struct{ argv []string }

// asked is what the program reads.
type asked struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	Sources []string `json:"sources"`
}

func (c *command) observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	in, err := encodeQuestion(q)
	if err != nil {
		return oracle.Belief{}, noBelief("the question can't be written as JSON: %v", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, errs := &bounded{limit: maxStdout, over: func() { cancel(errTooMuch) }}, &tail{limit: maxStderr}
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Args[0] = c.argv[0]
	cmd.Env, cmd.Dir = c.environment(q), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), out, errs
	cmd.WaitDelay = afterwards
	group(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	err = runTied(cmd)
	if cmd.Process != nil {
		_ = killGroup(cmd) // what it has left in its group ends with it
		reapGroup(cmd)
	}
	return c.answer(ctx, err, out, errs)
}

var errTooMuch = errors.New("too much output")

// answer says what came of it.
func (c *command) answer(ctx context.Context, err error, out *bounded, errs *tail) (oracle.Belief, error) {
	name := c.argv[0]
	var exit *exec.ExitError
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTooMuch):
		return oracle.Belief{}, noBelief("%s wrote more than %d bytes and was killed; it must write YES, NO, INVALID or TOO_EARLY and a line of reason", name, maxStdout)
	case errors.Is(cause, context.DeadlineExceeded):
		return oracle.Belief{}, noBelief("%s did not end in time and was killed; make it quicker, or observer_timeout longer%s", name, errs.said())
	case cause != nil:
		return oracle.Belief{}, cause
	case errors.As(err, &exit):
		return oracle.Belief{}, noBelief("%s ended with %s%s", name, exitText(exit), errs.said())
	case errors.Is(err, exec.ErrWaitDelay): // it has ended well, and something that it started has not
	case errors.Is(err, fs.ErrNotExist):
		return oracle.Belief{}, noBelief("%s can't be run: there is no such file, or the plugin's sandbox does not show it: %v", name, err)
	case errors.Is(err, fs.ErrPermission):
		return oracle.Belief{}, noBelief("%s can't be run: it is not executable, or lies where the plugin's sandbox lets nothing be executed: %v", name, err)
	case errors.Is(err, os.ErrProcessDone), errors.Is(err, io.ErrClosedPipe):
	case err != nil && !brokenPipe(err): // it need not read the question
		return oracle.Belief{}, noBelief("%s can't be run: %v", name, err)
	}
	b, err := parseOutput(out.b)
	if err != nil {
		return oracle.Belief{}, noBelief("%s: %v%s", name, err, errs.said())
	}
	return b, nil
}

// environment is small, and has the question too, for programs that would rather not parse JSON.
func (c *command) environment(q oracle.Question) []string {
	env := []string{"ALTO_QUESTION_ID=" + fmt.Sprintf("%x", q.ID), "ALTO_QUESTION=" + strings.ReplaceAll(q.Text, "\x00", "")}
	for _, name := range passedOn {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func encodeQuestion(q oracle.Question) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(asked{fmt.Sprintf("%x", q.ID), q.Text, append([]string{}, q.Sources...)})
	return b.Bytes(), err
}

// parseOutput reads a value and, from the rest of its line or from the next that is not empty, the reason.
func parseOutput(out []byte) (oracle.Belief, error) {
	text := strings.TrimLeft(string(out), " \t\r\n")
	if text == "" {
		return oracle.Belief{}, errors.New("it ended well and wrote nothing; it must write YES, NO, INVALID or TOO_EARLY, or end with another code than 0 if it does not know")
	}
	line, rest, _ := strings.Cut(text, "\n")
	word, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
	v, err := oracle.ParseValue(strings.TrimRight(word, ":,.;\t"))
	if err != nil {
		return oracle.Belief{}, fmt.Errorf("its output begins with %q; it must begin with YES, NO, INVALID or TOO_EARLY", clean(line, 80))
	}
	if reason = clean(reason, oracle.MaxReasonBytes); reason == "" {
		next, _, _ := strings.Cut(strings.TrimLeft(rest, " \t\r\n"), "\n")
		reason = clean(next, oracle.MaxReasonBytes)
	}
	return oracle.Belief{Value: v, Reason: reason}, nil
}

// exitText explains how a program ended.
func exitText(e *exec.ExitError) string {
	switch code := e.ExitCode(); code {
	case -1:
		return e.ProcessState.String()
	case 126:
		return "code 126: what it should run is not executable, or the plugin's sandbox does not let it"
	case 127:
		return "code 127: what it should run is not found, or the plugin's sandbox does not show it"
	default:
		return fmt.Sprintf("code %d: it does not know the answer, or failed", code)
	}
}

// bounded keeps what is written up to a limit, and tells when there is more.
type bounded struct {
	b     []byte
	limit int
	over  func()
}

// Write implements io.Writer.
func (w *bounded) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > w.limit {
		w.over()
		return 0, errTooMuch
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// tail keeps the end of what is written.
type tail struct {
	b     []byte
	limit int
}

// Write implements io.Writer.
func (w *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > w.limit {
		p = p[n-w.limit:]
	}
	if over := len(w.b) + len(p) - w.limit; over > 0 {
		w.b = append(w.b[:0], w.b[over:]...)
	}
	w.b = append(w.b, p...)
	return n, nil
}

// said is the last line that is not empty, for the end of a message.
func (w *tail) said() string {
	lines := strings.Split(strings.TrimSpace(string(w.b)), "\n")
	if line := clean(lines[len(lines)-1], 400); line != "" {
		return fmt.Sprintf("; it says: %s", line)
	}
	return ""
}
