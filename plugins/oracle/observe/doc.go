// Package observe is where a node's own answers to questions come from, as its operator configures it: from nobody, from the
// operator alone, from a command, or from web services that are asked over HTTP and have to agree.
//
// A source is asked once a call and remembers nothing; to ask again, and when, is its caller's business. It may be slow, up to
// [Config].Timeout, and it may fail: then the error wraps oracle.ErrNoBelief and says which part failed, of what, and what its
// operator can do.
//
// Questions are anybody's, and so are the answers of commands and services: everything that comes in is bounded and checked,
// and nothing of a question decides which program is run or which machine is asked.
package observe
