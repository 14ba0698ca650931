package api

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/module"
)

// Named errors. Their texts are the stable names by which clients know them.
var (
	ErrInvalid       = errors.New("ErrInvalid")       // the request makes no sense
	ErrUnknownChain  = errors.New("ErrUnknownChain")  // no such chain on this node
	ErrNotFound      = errors.New("ErrNotFound")      // no such block
	ErrUnknownModule = errors.New("ErrUnknownModule") // no such module on this chain
	ErrUnknownPath   = errors.New("ErrUnknownPath")   // the module does not answer such a question
	ErrUnknownPeer   = errors.New("ErrUnknownPeer")   // this node knows no peer of that name or id
	ErrNotConnected  = errors.New("ErrNotConnected")  // there is no connection with the peer now
	ErrHalted        = errors.New("ErrHalted")        // the chain has halted on this node
	ErrStopped       = errors.New("ErrStopped")       // the chain or the node is stopping; another node may answer
	ErrBusy          = errors.New("ErrBusy")          // too many requests at once; try again
	ErrSlow          = errors.New("ErrSlow")          // the reader of a stream is too slow
	ErrTooLarge      = errors.New("ErrTooLarge")      // above a limit of the node
	ErrForbidden     = errors.New("ErrForbidden")     // host or origin is not one that this node serves
	ErrToken         = errors.New("ErrToken")         // the administration token is missing or wrong
	ErrUnsupported   = errors.New("ErrUnsupported")   // this node does not offer it
	ErrTimeout       = errors.New("ErrTimeout")
	ErrCancelled     = errors.New("ErrCancelled")
	ErrInternal      = errors.New("ErrInternal") // anything without a name
	// What a submitted transaction may be told without having been refused.
	ErrKnown     = errors.New("ErrKnown")     // it waits already
	ErrDuplicate = errors.New("ErrDuplicate") // it is in a block already
	ErrExpired   = errors.New("ErrExpired")
)

// ErrorName returns the stable name of an error: the text before the first colon of the outermost error in its chain whose
// text starts with a name, or "ErrInternal". It returns "" for nil.
func ErrorName(err error) string {
	if err == nil {
		return ""
	}
	if n := nameIn(err); n != "" {
		return n
	}
	switch {
	case errors.Is(err, module.ErrUnknownPath):
		return ErrUnknownPath.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout.Error()
	case errors.Is(err, context.Canceled):
		return ErrCancelled.Error()
	}
	return ErrInternal.Error()
}

// nameIn looks at each error of the chain rather than into one text, so that what a stranger put into a text is no name.
func nameIn(err error) string {
	head, _, _ := strings.Cut(err.Error(), ":")
	if isName(head) {
		return head
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if e := u.Unwrap(); e != nil {
			return nameIn(e)
		}
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if n := nameIn(e); n != "" {
				return n
			}
		}
	}
	return ""
}

func isName(s string) bool {
	if len(s) < 4 || len(s) > 64 || !strings.HasPrefix(s, "Err") || s[3] < 'A' || s[3] > 'Z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// codeOf returns the Connect code under which a named error travels.
func codeOf(name string) connect.Code {
	switch name {
	case "ErrInvalid", "ErrMalformed":
		return connect.CodeInvalidArgument
	case "ErrUnknownChain", "ErrNotFound", "ErrUnknownModule", "ErrUnknownPath", "ErrUnknownPeer":
		return connect.CodeNotFound
	case "ErrHalted", "ErrNotConnected":
		return connect.CodeFailedPrecondition
	case "ErrStopped", "ErrBusy":
		return connect.CodeUnavailable
	case "ErrSlow":
		return connect.CodeAborted
	case "ErrTooLarge":
		return connect.CodeResourceExhausted
	case "ErrForbidden":
		return connect.CodePermissionDenied
	case "ErrToken":
		return connect.CodeUnauthenticated
	case "ErrUnsupported":
		return connect.CodeUnimplemented
	case "ErrTimeout":
		return connect.CodeDeadlineExceeded
	case "ErrCancelled":
		return connect.CodeCanceled
	case "ErrInternal":
		return connect.CodeInternal
	}
	return connect.CodeFailedPrecondition // a rule of the ledger
}

// wireError turns an error into one that carries its name. resume is for WatchFinal.
func wireError(err error, resume uint64) error {
	if err == nil {
		return nil
	}
	if ce := new(connect.Error); errors.As(err, &ce) {
		return err // made by the framework: a body that could not be read, for example
	}
	name := ErrorName(err)
	ce := connect.NewError(codeOf(name), errors.New(message(err)))
	if d, derr := connect.NewErrorDetail(&apiv1.ErrorInfo{Name: name, ResumeHeight: resume}); derr == nil {
		ce.AddDetail(d)
	}
	return ce
}

// maxMessage bounds the text of an error.
const maxMessage = 4096

// message returns the text of an error as it may travel.
func message(err error) string {
	s := err.Error()
	if len(s) > maxMessage {
		s = s[:maxMessage] + " …"
	}
	return clean(s)
}
