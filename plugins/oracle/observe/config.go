package observe

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// The kinds of sources.
const (
	None    = "none"    // no answers: the node never votes
	Manual  = "manual"  // the operator's own answers and no other
	Command = "command" // a program is run for each question
	HTTP    = "http"    // web services are asked
)

// Kinds are all kinds of sources.
var kinds = []string{None, Manual, Command, HTTP}

// Kinds returns the names of all kinds.
func Kinds() []string { return slices.Clone(kinds) }

// Limits and defaults of a configuration.
const (
	MaxURLs         = 16
	MaxURLBytes     = 2048
	MaxPathBytes    = 256
	MaxArguments    = 64
	MaxArgumentSize = 4096
	MaxWords        = 32 // of the table for one value
	MaxWordBytes    = 256
	MinTimeout      = 50 * time.Millisecond
	MaxTimeout      = 5 * time.Minute
	DefaultTimeout  = 10 * time.Second
)

// ErrConfig says that a configuration is wrong.
var ErrConfig = errors.New("observer's configuration")

// Config says where answers come from. Only what belongs to the Kind may be set.
type Config struct {
	Kind    string        // one of the kinds; empty is None
	Timeout time.Duration // of one attempt, of all services together; 0: DefaultTimeout
	// Argv is the program of a Command, by its absolute path, and its arguments.
	Argv []string
	// URLs are what is asked, by GET. {id} in them stands for the question's id in hexadecimal digits and {question} for its
	// text, escaped; both only in the path and in the query.
	URLs []string
	// Paths are RFC 9535 JSONPath queries, one for all URLs or one for each, that select the one value in the answer that
	// matters.
	Paths []string
	// Words say which selected value means what. A string stands for itself, true, false, null and numbers for how JSON writes
	// them. A value without any words has the defaults of [DefaultWords].
	Words map[oracle.Value][]string
	// Agree is how many services have to say the same; 0: more than half. Besides, fewer must contradict.
	Agree int
}

// DefaultWords returns what means a value where the configuration has no words for it.
func DefaultWords(v oracle.Value) []string {
	switch v {
	case oracle.Yes:
		return []string{"YES", "yes", "true"}
	case oracle.No:
		return []string{"NO", "no", "false"}
	case oracle.Invalid:
		return []string{"INVALID", "invalid"}
	case oracle.TooEarly:
		return []string{"TOO_EARLY", "too_early"}
	}
	return nil
}

// Values are all values, in the order in which tables and messages have them.
func values() []oracle.Value {
	return []oracle.Value{oracle.Yes, oracle.No, oracle.Invalid, oracle.TooEarly}
}

// defaults fills in what is not set.
func (c Config) defaults() Config {
	if c.Kind == "" {
		c.Kind = None
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Agree == 0 {
		c.Agree = len(c.URLs)/2 + 1
	}
	return c
}

// Validate tells what is wrong; the error wraps [ErrConfig].
func (c Config) Validate() error {
	_, err := New(c)
	return err
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// check is for what needs no parsing.
func (c Config) check() error {
	if !slices.Contains(kinds, c.Kind) {
		return wrong("there is no observer %.40q; there are %s", c.Kind, strings.Join(kinds, ", "))
	}
	if c.Timeout < MinTimeout || c.Timeout > MaxTimeout {
		return wrong("a time-out of %s is not %s to %s", c.Timeout, MinTimeout, MaxTimeout)
	}
	if c.Kind != Command && len(c.Argv) > 0 {
		return wrong("a command belongs to the observer %q, and this is %q", Command, c.Kind)
	}
	if c.Kind != HTTP && len(c.URLs)+len(c.Paths)+len(c.Words) > 0 {
		return wrong("urls, paths and words belong to the observer %q, and this is %q", HTTP, c.Kind)
	}
	switch c.Kind {
	case Command:
		return c.checkCommand()
	case HTTP:
		return c.checkHTTP()
	}
	return nil
}

func (c Config) checkCommand() error {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return wrong("no command: it must be a list, the program's absolute path first")
	}
	if !filepath.IsAbs(c.Argv[0]) {
		return wrong("the command %.80q is not an absolute path, so which program it is would depend on where the node runs", c.Argv[0])
	}
	if len(c.Argv) > MaxArguments {
		return wrong("a command of %d words, at most %d are allowed", len(c.Argv), MaxArguments)
	}
	for _, a := range c.Argv {
		if len(a) > MaxArgumentSize || strings.IndexByte(a, 0) >= 0 {
			return wrong("an argument of the command is longer than %d bytes or has a zero byte", MaxArgumentSize)
		}
	}
	return nil
}

func (c Config) checkHTTP() error {
	n := len(c.URLs)
	if n == 0 || n > MaxURLs {
		return wrong("%d urls, there must be 1 to %d", n, MaxURLs)
	}
	if len(c.Paths) != 1 && len(c.Paths) != n {
		return wrong("%d JSON paths for %d urls: there must be one for all, or one for each", len(c.Paths), n)
	}
	if c.Agree < 1 || c.Agree > n {
		return wrong("%d of %d urls have to agree: it must be 1 to %d", c.Agree, n, n)
	}
	for v, words := range c.Words {
		if !v.Valid() {
			return wrong("words for %s, which is no value", v)
		}
		if len(words) > MaxWords {
			return wrong("%d words for %s, at most %d are allowed", len(words), v, MaxWords)
		}
		for _, w := range words {
			if len(w) > MaxWordBytes || !utf8.ValidString(w) {
				return wrong("a word for %s is longer than %d bytes or not UTF-8", v, MaxWordBytes)
			}
		}
	}
	return nil
}

// table is Words turned round, with the defaults.
func (c Config) table() (map[string]oracle.Value, error) {
	t := map[string]oracle.Value{}
	for _, v := range values() {
		words := c.Words[v]
		if len(words) == 0 {
			words = DefaultWords(v)
		}
		for _, w := range words {
			if other, ok := t[w]; ok && other != v {
				return nil, wrong("%.40q means both %s and %s", w, other, v)
			}
			t[w] = v
		}
	}
	return t, nil
}
