package lang

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// ErrIncomplete is wrapped, besides vm.ErrSyntax, by the error of a source that is not wrong as far as it goes: a definition,
// a structure, a macro or a comment waits for its end.
var ErrIncomplete = errors.New("the source ends too early")

// incomplete marks an error with ErrIncomplete.
func incomplete(err error) error {
	if e, ok := err.(*placed); ok {
		e.incomplete = true
	}
	return err
}

// Stream compiles a source that comes piece by piece, for sessions. What a piece names, the later ones know. It has the dialects
// paloalto and chalang.
type Stream struct{ c *compiler }

// NewStream begins a source. It fails with vm.ErrUnsupported if the dialect is neither of the two.
func NewStream(l *bytecode.Limits, dialect string, evidence bool) (*Stream, error) {
	if dialect != Paloalto && dialect != Chalang {
		return nil, fmt.Errorf("a source in pieces, dialect %s: %w", show(dialect), vm.ErrUnsupported)
	}
	return &Stream{newCompiler(l, dialect, evidence)}, nil
}

// Word is a word of a source that comes in pieces.
type Word struct {
	Name string
	Code []byte       // its body
	Hash [32]byte     // by which it can be called
	Map  vm.SourceMap // PC counts from the start of the body
}

// Piece is what a piece of a source adds to the program.
type Piece struct {
	First    int          // number of the first of Words; the others follow
	Words    []Word       // that it defines
	Main     []byte       // body of what is outside of definitions
	Map      vm.SourceMap // of Main; PC counts from its start
	Data     []byte       // what the data space holds when a run begins, with what the pieces before put there
	DataFrom int          // where what this piece put there begins
	Warnings []string
}

// Compile compiles the next piece; line is the number of its first line, from 1. If it fails, nothing of the piece is kept. It wraps
// ErrIncomplete if more text may make it right: then compile it again, with the text that follows.
func (s *Stream) Compile(file, text string, line int) (Piece, error) {
	c := s.c
	before, names, bodies := *c, len(c.order), len(c.bodies)
	before.data = append([]byte{}, c.data...)
	c.warnings, c.main = nil, newBody("")
	c.read(file, text, line, c.dialect == Chalang)
	err := c.all()
	if err == nil {
		err = c.finished()
	}
	if err != nil {
		for _, n := range c.order[names:] {
			delete(c.names, n)
		}
		*c = before
		return Piece{}, Excerpt(err, text, line)
	}
	out := Piece{First: bodies, Main: c.main.Code, Map: mapBody(c.main), Data: append([]byte{}, c.data...), DataFrom: len(before.data), Warnings: c.warnings}
	for i, b := range c.bodies[bodies:] {
		out.Words = append(out.Words, Word{b.name, b.Code, c.hashes[bodies+i], mapBody(b)})
	}
	return out, nil
}

// Names returns the names that the pieces so far have defined, in their order.
func (s *Stream) Names() []string { return append([]string{}, s.c.order...) }

// Vocabulary returns the words of the language, and the names that were defined, sorted.
func (s *Stream) Vocabulary() []string { return s.c.allNames() }

// mapBody is a body's map, whose PC count from its start.
func mapBody(b *body) vm.SourceMap { return mapOf(b.Code, nil, b) }
