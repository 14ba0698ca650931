package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Errors.
var (
	// ErrPluginLost is wrapped by the end of a conversation whose process was lost. Begin it again.
	ErrPluginLost = errors.New("the plugin was lost")
	// ErrFailed is wrapped by every call on an instance that has failed for good.
	ErrFailed = errors.New("the plugin has failed")
	// ErrHung is wrapped by the reason why a plugin was replaced that did not answer in time.
	ErrHung = errors.New("the plugin does not answer")
	// ErrClosed is wrapped by calls on what was closed.
	ErrClosed = errors.New("host: closed")
	// ErrDigest is wrapped when a binary is not the one that was pinned.
	ErrDigest = errors.New("the plugin's file is not the one that was locked")
	// ErrMemory is wrapped by the reason why a plugin was replaced that used more than it may.
	ErrMemory = errors.New("the plugin is over its memory limit")
)

// StartError says why a plugin did not start.
type StartError struct {
	Name   string
	Path   string   // of the binary, or "built in"
	Cause  error    //
	Stderr []string // its last lines
}

func (e *StartError) Error() string {
	return fmt.Sprintf("start plugin %q (%s): %v%s", e.Name, e.Path, e.Cause, quoteLines(e.Stderr))
}

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Cause }

// CrashError says how a process was lost.
type CrashError struct {
	Name   string
	PID    int
	Cause  error
	Stderr []string
}

func (e *CrashError) Error() string {
	return fmt.Sprintf("plugin %q (pid %d): %v%s", e.Name, e.PID, e.Cause, quoteLines(e.Stderr))
}

// Unwrap returns the cause, and that the plugin was lost.
func (e *CrashError) Unwrap() []error { return []error{ErrPluginLost, e.Cause} }

func quoteLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\nlast lines of its standard error:\n  | " + strings.Join(lines, "\n  | ")
}

// versionError names both ranges and what mends it.
func versionError(s Spec, theirs plugin.Range) error {
	mend := "build the plugin with a newer SDK, then run `alto plugin lock`"
	if theirs.Min > plugin.API.Max {
		mend = "install a newer alto, or an older build of the plugin and run `alto plugin lock`"
	}
	if s.Builtin {
		mend = "install alto anew: its binary does not fit itself"
	}
	return fmt.Errorf("%w: the plugin speaks API %s, this alto speaks %s; to mend it, %s",
		plugin.ErrAPIMismatch, rangeText(theirs), rangeText(plugin.API), mend)
}

func rangeText(r plugin.Range) string {
	if r.Min == r.Max {
		return fmt.Sprintf("%d", r.Min)
	}
	return fmt.Sprintf("%d to %d", r.Min, r.Max)
}
