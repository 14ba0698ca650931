package forth2012

import (
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// maxName is the longest name, in bytes.
const maxName = 127

// maxLists and maxOrder bound the wordlists and the search order.
const (
	maxLists = 512
	maxOrder = 32
)

// Wordlists of the system.
const (
	forthList = 1
	rootList  = 2
)

// word is an entry of the dictionary.
type word struct {
	name      string
	xt        int // -1: it has none yet
	builtin   *builtin
	immediate bool
	kind      kind
	addr      int64 // of its data
	list      int
	before    *word // of the same name, in the same wordlist
	seq       int   // in System.words
	dead      bool  // a marker removed it
}

// kind is what a word was defined with, where that matters.
type kind uint8

const (
	kindOther kind = iota
	kindCreate
	kindValue
	kind2Value
	kindDefer
	kindStructure
)

// wordlist is a set of names.
type wordlist struct {
	name  string
	names map[string]*word
}

// mark is the place in the source that instructions come from.
type mark struct {
	at        int // in the body
	line, col uint32
}

// body is the code of a word, as the program has it.
type body struct {
	name  string
	code  []byte
	marks []mark
	// contract writes what a contract has instead.
	contract func(*image) []byte
}

func (s *System) addBuiltins() {
	s.lists = []*wordlist{nil, {"FORTH", map[string]*word{}}, {"ROOT", map[string]*word{}}}
	s.order, s.current = []int{forthList}, forthList
	s.builtins = builtins()
	for i, b := range s.builtins {
		b.id = i
		s.hosts = append(s.hosts, host{b.name, b.run, b.contract}, host{b.name, b.comp, nil}, host{b.name, func(s *System) error { return s.either(b) }, nil})
		s.named[b.name] = b
		if b.internal {
			continue
		}
		w := b.word()
		s.link(w)
		if b.root {
			r := *w
			r.list, r.before = rootList, nil
			s.link(&r)
		}
	}
}

// word makes an entry of the dictionary.
func (b *builtin) word() *word {
	return &word{name: b.name, xt: -1, builtin: b, immediate: b.immediate, list: forthList}
}

// either runs a word with semantics of its own for compilation, as the state says.
func (s *System) either(b *builtin) error {
	switch {
	case s.state && b.comp != nil:
		return b.comp(s)
	case b.run != nil:
		return b.run(s)
	}
	return s.fail(throwCompileOnly, b.name)
}

// link makes a word known.
func (s *System) link(w *word) {
	l := s.lists[w.list]
	key := fold(w.name)
	w.before = l.names[key]
	w.seq = len(s.words)
	l.names[key] = w
	s.words = append(s.words, w)
}

func fold(name string) string { return strings.ToUpper(name) }

// find looks a name up in the search order.
func (s *System) find(name string) *word {
	key := fold(name)
	for _, l := range s.order {
		if w := s.lists[l].names[key]; w != nil {
			return w
		}
	}
	return nil
}

// token returns the execution token of a word.
func (s *System) token(w *word) (int, error) {
	if w.xt >= 0 {
		return w.xt, nil
	}
	b := w.builtin
	if b.xt == 0 {
		code, err := s.builtinCode(b)
		if err != nil {
			return 0, err
		}
		xt, err := s.define(b.name, code, b)
		if err != nil {
			return 0, err
		}
		b.xt = xt + 1
		s.byXT[int64(xt)] = w
	}
	w.xt = b.xt - 1
	return w.xt, nil
}

// builtinCode is the body of a word of the language.
func (s *System) builtinCode(b *builtin) ([]byte, error) {
	switch {
	case b.helper != "":
		return s.helper(b)
	case b.comp != nil:
		return hostCode(b.id*3 + 2), nil
	case b.run != nil:
		return hostCode(b.id * 3), nil
	}
	return b.code, nil
}

// tick returns a token that a program may keep.
func (s *System) tick(w *word) (int64, error) {
	xt, err := s.token(w)
	if err != nil {
		return 0, err
	}
	s.ticked[xt] = true
	return int64(xt), nil
}

// definitionGas is what a definition costs besides what depends on its length.
const definitionGas = 200

// define adds a body to the program. b is nil for words that are not of the language.
func (s *System) define(name string, code []byte, b *builtin) (int, error) {
	room, space := maxDefinitions, maxCode
	if b != nil { // these have room of their own
		room, space = room+reserved, space+reservedCode
	}
	if s.live.Words() >= room || s.codeBytes+len(code) > space {
		return 0, s.fail(throwDictionary, "")
	}
	xt, err := s.live.Define(code)
	if err != nil {
		return 0, s.fail(throwDictionary, err.Error())
	}
	s.codeBytes += len(code)
	s.grown += int64(len(code))
	s.bodies[xt] = &body{name: name, code: code}
	if b != nil {
		s.bodies[xt].contract = b.contract
	}
	return xt, s.charge(definitionGas + 4*int64(len(code)))
}

// redefine gives a word another body.
func (s *System) redefine(xt int, code []byte, marks []mark) error {
	b := s.bodies[xt]
	if s.codeBytes+len(code)-len(b.code) > maxCode {
		return s.fail(throwDictionary, "")
	}
	if err := s.live.Redefine(xt, code); err != nil {
		return s.fail(throwDictionary, err.Error())
	}
	s.codeBytes += len(code) - len(b.code)
	s.grown += int64(len(code))
	b.code, b.marks = code, marks
	return s.charge(definitionGas + 4*int64(len(code)) + s.grown/4) // the calls of the old body are looked for
}

// create adds a word with a body to the current wordlist.
func (s *System) create(name string, k kind, addr int64, code []byte) (*word, error) {
	if err := checkName(s, name); err != nil {
		return nil, err
	}
	xt, err := s.define(name, code, nil)
	if err != nil {
		return nil, err
	}
	w := &word{name: name, xt: xt, kind: k, addr: addr, list: s.current}
	s.link(w)
	s.byXT[int64(xt)] = w
	s.latest = w
	return w, nil
}

func checkName(s *System, name string) error {
	switch {
	case name == "":
		return s.fail(throwNoName, "")
	case len(name) > maxName:
		return s.fail(throwNameLong, "")
	}
	return nil
}

// prune removes all words from a place on.
func (s *System) prune(seq int) {
	for i := len(s.words) - 1; i >= seq; i-- {
		w := s.words[i]
		w.dead = true
		l := s.lists[w.list]
		if key := fold(w.name); w.before != nil {
			l.names[key] = w.before
		} else {
			delete(l.names, key)
		}
		if w.xt >= 0 && s.byXT[int64(w.xt)] == w && w.builtin == nil {
			delete(s.byXT, int64(w.xt))
		}
	}
	clear(s.words[seq:])
	s.words = s.words[:seq]
}

// host is a function that the program calls by number: three for each word of the language, namely what it does, what it
// does when it is compiled, and the one or the other by the state.
type host struct {
	name     string
	run      func(*System) error
	contract func(*image) []byte // what a contract has instead, or nil
}

// hostCode calls a host word.
func hostCode(n int) []byte {
	d := definition{}
	d.host(n)
	return d.Code
}

// builtin is a word of the language: instructions, a helper in Forth, or functions of this package.
type builtin struct {
	name      string
	code      []byte // instructions without jumps, copied to where the word is used
	helper    string // a definition in Forth
	run       func(*System) error
	comp      func(*System) error // what it does instead when it is compiled
	immediate bool
	root      bool // it is in the smallest search order too
	returns   bool // it is for definitions only
	internal  bool // it has no name in the dictionary
	contract  func(*image) []byte

	id int
	xt int // and 1, once it has one
}

// constant is the code that pushes integers.
func constant(vs ...int64) []byte {
	e := bytecode.Emitter{}
	for _, v := range vs {
		e.Integer(v)
	}
	return e.Code
}
