package vm

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits that every VM takes calls up to, and that a client enforces on both call and answer. A VM's own limits on what it
// runs are lower, and part of the rules of its chain: code that is too long for them is a contract that fails, not a call
// that does. A code limit as large as the largest transaction makes sure of that.
const (
	MaxCodeBytes        = 1 << 20   // of one piece of code or evidence; no less than types.MaxTxBytes
	MaxSourceBytes      = 1 << 20   // of Source.Text
	MaxTextBytes        = 12 << 20  // of what Disassemble returns
	MaxEnvironment      = 256       // values of one environment
	MaxEnvironmentName  = 128       // bytes of a name
	MaxEnvironmentBytes = 256 << 10 // names and values of one environment
	MaxResults          = 16        // integers that a run may return
	MaxErrorBytes       = 1024      // of Result.Error and Loaded.Error; a longer text is cut
	MaxWordBytes        = 128       // of Result.Word; a longer text is cut
	MaxWarnings         = 1000      // of one Compile; further ones are dropped
	MaxTraceStack       = 4096      // items of a Step's stack
	MaxTop              = 8         // values of Result.Top
	HashBytes           = 32        // of Run.Code with ByHash
)

const (
	maxSourceName = 4096       // bytes of Source.File and Source.Dialect
	maxValueBytes = 2*1024 + 4 // of a value of a stack as text; it is cut above
	maxNames      = 256        // entries of a list of names
)

// Check checks what every VM may rely on. The error wraps ErrInvalid or ErrTooLarge.
func (b Batch) Check() error {
	if err := checkEnvironment(b.Environment); err != nil {
		return fmt.Errorf("common environment: %w", err)
	}
	for i := range b.Runs {
		if err := b.Runs[i].Check(); err != nil {
			return fmt.Errorf("run %d of %d: %w", i, len(b.Runs), err)
		}
	}
	return nil
}

// Check checks one run, like [Batch.Check].
func (r *Run) Check() error {
	switch {
	case r.ByHash && len(r.Code) != HashBytes:
		return fmt.Errorf("a code hash of %d bytes, it has %d: %w", len(r.Code), HashBytes, ErrInvalid)
	case len(r.Code) > MaxCodeBytes:
		return fmt.Errorf("code of %d bytes, at most %d: %w", len(r.Code), MaxCodeBytes, ErrTooLarge)
	case len(r.Evidence) > MaxCodeBytes:
		return fmt.Errorf("evidence of %d bytes, at most %d: %w", len(r.Evidence), MaxCodeBytes, ErrTooLarge)
	}
	if err := checkEnvironment(r.Environment); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	return nil
}

func checkEnvironment(env map[string][]byte) error {
	if len(env) > MaxEnvironment {
		return fmt.Errorf("%d values, at most %d: %w", len(env), MaxEnvironment, ErrTooLarge)
	}
	size := 0
	for name, v := range env {
		if name == "" || len(name) > MaxEnvironmentName || !utf8.ValidString(name) {
			return fmt.Errorf("a name of %d bytes, or no UTF-8; it has 1 to %d: %w", len(name), MaxEnvironmentName, ErrInvalid)
		}
		if size += len(name) + len(v); size > MaxEnvironmentBytes {
			return fmt.Errorf("more than %d bytes: %w", MaxEnvironmentBytes, ErrTooLarge)
		}
	}
	return nil
}

// CheckCode checks the argument of Load.
func CheckCode(code [][]byte) error {
	for i, c := range code {
		if len(c) > MaxCodeBytes {
			return fmt.Errorf("code %d of %d has %d bytes, at most %d: %w", i, len(code), len(c), MaxCodeBytes, ErrTooLarge)
		}
	}
	return nil
}

// Check checks a source. The error wraps ErrInvalid or ErrTooLarge.
func (s Source) Check() error {
	switch {
	case len(s.Text) > MaxSourceBytes:
		return fmt.Errorf("a source of %d bytes, at most %d: %w", len(s.Text), MaxSourceBytes, ErrTooLarge)
	case len(s.File) > maxSourceName || len(s.Dialect) > maxSourceName:
		return fmt.Errorf("a file name or dialect above %d bytes: %w", maxSourceName, ErrTooLarge)
	case !utf8.ValidString(s.Text) || !utf8.ValidString(s.File) || !utf8.ValidString(s.Dialect):
		return fmt.Errorf("a source that is no UTF-8: %w", ErrInvalid)
	}
	return nil
}

// CheckResult says whether a VM may answer a run with a result. The error has no sentinel.
func CheckResult(r *Run, res *Result) error {
	switch {
	case res.Gas > r.GasLimit:
		return fmt.Errorf("%d gas, the limit is %d", res.Gas, r.GasLimit)
	case res.Status != OK && res.Gas != r.GasLimit:
		return fmt.Errorf("failed with status %d for %d gas; a failed run costs its whole limit, %d", res.Status, res.Gas, r.GasLimit)
	case res.Status != OK && len(res.Stack) > 0:
		return fmt.Errorf("failed with status %d and has %d results", res.Status, len(res.Stack))
	case len(res.Stack) > MaxResults:
		return fmt.Errorf("%d results, at most %d", len(res.Stack), MaxResults)
	case res.Convention > DelayNonceAmount:
		return fmt.Errorf("result convention %d is unknown", res.Convention)
	}
	return nil
}

// cut makes a text for people fit a message.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
