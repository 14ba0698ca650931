package host

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// manner is how a call is made, and what its loss means.
type manner int

const (
	needed manner = iota // the chain can't go on without: again and again, and counted
	asking               // a question: at most once more
	once                 // a try
	manners
)

type mannerKey struct{}

// Asking returns a context whose calls are questions: somebody would like to know, but the chain goes on without. A question
// that loses its plugin, by ending or blocking its process or by panicking, is asked once more and then fails with an error
// that wraps [ErrPluginLost], [ErrHung] or plugin.ErrPanicked. It is not counted towards [ErrFailed]; instead, questions to
// the instance have to wait afterwards, 0.1 s doubling to 5 s. The answer of a module that is a plain error is handed on, and nothing
// comes of it.
func Asking(ctx context.Context) context.Context {
	return context.WithValue(ctx, mannerKey{}, asking)
}

// Once returns a context whose calls are made once and not again: a loss is an error that wraps [ErrPluginLost], [ErrHung]
// or plugin.ErrPanicked, and is not counted towards [ErrFailed]. The plain error of a module's Check, Execute, ValidateParams or
// Migrate, which is no answer, is such a loss too, so that what comes next finds the module opened anew. A call that its
// context ends is no loss; a plugin that heeds no contexts is still busy with it then. A store knows no Once, since what it
// keeps is needed for other things too: its calls are made again as ever.
func Once(ctx context.Context) context.Context {
	return context.WithValue(ctx, mannerKey{}, once)
}

// manner tells how a call on the instance is to be made.
func (i *Instance) manner(ctx context.Context) manner {
	m, _ := ctx.Value(mannerKey{}).(manner)
	if m == once && i.req.Kind == plugin.Storage {
		return needed
	}
	return m
}

// attempts is how often a call is made that loses its plugin; 0: until the instance has failed.
func (m manner) attempts() int {
	switch m {
	case asking:
		return 2
	case once:
		return 1
	}
	return 0
}
