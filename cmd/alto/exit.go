package main

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/core/host"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitDifferent   = 2 // differences, or a false assertion
	exitConfig      = 3
	exitPlugin      = 4
	exitTimeout     = 5
	exitUnhealthy   = 6
	exitUsage       = 64
	exitInterrupted = 130
)

// codedError is an error that knows its exit code. A silent one has told the user already.
type codedError struct {
	code   int
	err    error
	silent bool
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// coded gives an error an exit code, unless it has one.
func coded(code int, err error) error {
	var c *codedError
	if err == nil || errors.As(err, &c) {
		return err
	}
	return &codedError{code: code, err: err}
}

// told is an error that has been shown already.
func told(code int, err error) error { return &codedError{code: code, err: err, silent: true} }

// timedOut tells whether the time was over, whether this process or the node has noticed it first.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || connect.CodeOf(err) == connect.CodeDeadlineExceeded
}

// exitCode is what a command ends with.
func exitCode(ctx context.Context, err error) int {
	var c *codedError
	var start *host.StartError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &c):
		return c.code
	case ctx.Err() != nil:
		return exitInterrupted
	case timedOut(err):
		return exitTimeout
	case errors.As(err, &start), errors.Is(err, host.ErrFailed):
		return exitPlugin
	case connect.CodeOf(err) == connect.CodeUnavailable: // the node is not there, or its chain has no news
		return exitUnhealthy
	}
	return exitFailed
}
