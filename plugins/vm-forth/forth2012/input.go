package forth2012

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Identifiers of sources, as SOURCE-ID tells them; files have larger ones.
const (
	terminalID = 0
	stringID   = -1
)

// source is where text comes from: lines of an input or of a file, or a string in the data space.
type source struct {
	id     int64
	serial int64 // tells sources apart, for SAVE-INPUT
	file   string
	line   uint32 // of the current line
	text   string // of which the lines are taken
	start  int    // of the current line in text
	next   int    // of the line after it
	buffer int64  // where lines are put
	at, n  int64  // of the current line in the data space
	outer  int64  // >IN of the source around it
	token  int64  // where the last name that was parsed starts in the line
}

// savedInput is where the input was when CATCH was called.
type savedInput struct {
	depth  int // sources
	serial int64
	start  int
	line   uint32
	in     int64
	locals []savedLocal
}

func (s *System) source() *source {
	if len(s.sources) == 0 {
		return nil
	}
	return s.sources[len(s.sources)-1]
}

// in returns >IN, within the line.
func (s *System) in() (int64, error) {
	v, err := s.fetch(s.sys(atIn))
	if err != nil {
		return 0, err
	}
	src := s.source()
	switch {
	case src == nil:
		return 0, nil
	case v < 0: // it has no sign
		return src.n, nil
	}
	return min(v, src.n), nil
}

func (s *System) setIn(v int64) error { return s.store(s.sys(atIn), v) }

// enter makes a source the current one.
func (s *System) enter(src *source) error {
	if len(s.sources) >= maxNesting {
		return s.fail(throwReturnFull, "sources within sources")
	}
	in, err := s.fetch(s.sys(atIn))
	if err != nil {
		return err
	}
	s.nextID++
	src.serial, src.outer = s.nextID, in
	s.sources = append(s.sources, src)
	return s.setIn(0)
}

// exit goes back to a number of sources, and to where the input was.
func (s *System) exit(depth int) error {
	if depth >= len(s.sources) {
		return nil
	}
	in := s.sources[depth].outer
	s.sources = s.sources[:depth]
	return s.setIn(in)
}

// pushText makes a text of lines the source; none is current yet.
func (s *System) pushText(id int64, file string, line uint32, text string) error {
	level := 0
	for _, o := range s.sources {
		if o.id != stringID {
			level++
		}
	}
	if level >= lineBuffers {
		return s.fail(throwReturnFull, "files within files")
	}
	return s.enter(&source{id: id, file: file, line: line - 1, text: text, buffer: s.sys(atLines) + int64(level)*maxLine})
}

// refill makes the next line the current one. It reports false at the end, and for strings.
func (s *System) refill() (bool, error) {
	src := s.source()
	if src == nil || src.id == stringID || src.next >= len(src.text) {
		return false, nil
	}
	return true, s.load(src, src.next, src.line+1)
}

// load makes the line that starts at an offset the current one.
func (s *System) load(src *source, start int, number uint32) error {
	line, _, _ := strings.Cut(src.text[start:], "\n")
	src.start, src.next, src.line = start, start+len(line)+1, number
	line = strings.TrimSuffix(line, "\r")
	src.at, src.n, src.token = src.buffer, 0, 0
	if err := s.setIn(0); err != nil {
		return err
	}
	if len(line) > maxLine {
		return s.fail(throwStringLong, fmt.Sprintf("a line of %d bytes, at most %d", len(line), maxLine))
	}
	src.n = int64(len(line))
	if err := s.charge(2); err != nil {
		return err
	}
	return s.write(src.at, line)
}

// rest returns what is not parsed yet of the current line, and >IN. It is the data space itself.
func (s *System) rest() ([]byte, int64, error) {
	src := s.source()
	if src == nil || src.n == 0 {
		return nil, 0, nil
	}
	in, err := s.in()
	if err != nil {
		return nil, 0, err
	}
	b, err := s.live.Memory(src.at, src.n)
	if err != nil {
		return nil, 0, err
	}
	return b[in:], in, nil
}

// tokenGas is what looking for a name costs besides what depends on the length.
const tokenGas = 20

func isBlank(c byte) bool { return c <= ' ' }

// parseName takes the next word. It is empty at the end of the line.
func (s *System) parseName() (string, error) {
	_, text, err := s.parseNameAt()
	return text, err
}

// parseNameAt tells too where the word is in the data space.
func (s *System) parseNameAt() (int64, string, error) {
	rest, in, err := s.rest()
	if err != nil {
		return 0, "", err
	}
	from := 0
	for from < len(rest) && isBlank(rest[from]) {
		from++
	}
	to := from
	for to < len(rest) && !isBlank(rest[to]) {
		to++
	}
	next := to
	if next < len(rest) {
		next++
	}
	if err := s.charge(int64(next)/4 + tokenGas); err != nil {
		return 0, "", err
	}
	at := int64(0)
	if src := s.source(); src != nil {
		at, src.token = src.at, in+int64(from)
	}
	return at + in + int64(from), string(rest[from:to]), s.setIn(in + int64(next))
}

// parse takes text up to a delimiter, which it skips, or to the end of the line.
func (s *System) parse(delimiter byte) (at int64, text string, found bool, err error) {
	rest, in, err := s.rest()
	if err != nil {
		return 0, "", false, err
	}
	n := bytes.IndexByte(rest, delimiter)
	if delimiter == ' ' { // white space counts as a space
		n = slices.IndexFunc(rest, isBlank)
	}
	found = n >= 0
	next := in + int64(n) + 1
	if !found {
		n = len(rest)
		next = in + int64(n)
	}
	if err := s.charge(int64(n)/4 + 1); err != nil {
		return 0, "", false, err
	}
	if src := s.source(); src != nil {
		at = src.at + in
	}
	return at, string(rest[:n]), found, s.setIn(next)
}

// name takes the name that a defining word needs.
func (s *System) name() (string, error) {
	n, err := s.parseName()
	if err != nil {
		return "", err
	}
	return n, checkName(s, n)
}

// nameOf takes the name of a word that exists.
func (s *System) nameOf() (*word, error) {
	n, err := s.name()
	if err != nil {
		return nil, err
	}
	if w := s.find(n); w != nil {
		return w, nil
	}
	return nil, s.fail(throwUndefined, show(n))
}

// nextName takes a name from this line or one that follows. It is empty at the end of the source.
func (s *System) nextName() (string, error) {
	for {
		n, err := s.parseName()
		if err != nil || n != "" {
			return n, err
		}
		more, err := s.refill()
		if err != nil || !more {
			return "", err
		}
	}
}

// position names the place of the last name in the innermost text of lines.
func (s *System) position() string {
	file, line, col := s.where()
	if file == "" {
		file = "input"
	}
	return fmt.Sprintf("%s:%d:%d", file, line, col)
}

// where returns that place: column in characters, from 1.
func (s *System) where() (file string, line, col uint32) {
	for i := len(s.sources) - 1; i >= 0; i-- {
		src := s.sources[i]
		if src.id == stringID {
			continue
		}
		in := max(0, min(src.token, src.n))
		col = 1
		if b, err := s.live.Memory(src.at, src.n); err == nil && src.n > 0 {
			col = uint32(utf8.RuneCount(b[:in])) + 1
		}
		return src.file, src.line, col
	}
	return "", 1, 1
}

// evaluate interprets a string.
func (s *System) evaluate(at, n int64) error {
	if n < 0 {
		return s.fail(throwAddress, "")
	}
	if n > 0 {
		if _, err := s.live.Memory(at, n); err != nil {
			return err
		}
	}
	return s.nested(func() error { return s.enter(&source{id: stringID, at: at, n: n}) })
}

// nested interprets a source to its end, and goes back to the one before however that ends.
func (s *System) nested(enter func() error) error {
	depth := len(s.sources)
	err := enter()
	if err == nil {
		err = s.interpret()
	}
	if e := s.exit(depth); err == nil {
		err = e
	}
	return err
}

// keep remembers the text of a file, for those that include it.
func (s *System) keep(in vm.Input) {
	if in.File == "" || s.kept+len(in.Text) > MaxInput {
		return
	}
	name := path.Base(in.File)
	s.kept += len(in.Text) - len(s.seen[name])
	s.seen[name], s.files[name] = in.Text, true
}

// include interprets a file; once says that one that was interpreted before is not again.
func (s *System) include(name string, once bool) error {
	base := path.Base(name)
	if once && s.files[base] {
		return nil
	}
	text, ok := s.seen[base]
	if s.Include != nil {
		t, err := s.Include(name)
		if err != nil {
			return s.fail(throwNoFile, err.Error())
		}
		text, ok = t, true
	}
	if !ok || len(text) > MaxInput {
		return s.fail(throwNoFile, show(name)+"; files are given as inputs")
	}
	s.files[base] = true
	return s.nested(func() error { return s.pushText(int64(len(s.sources))+1, name, 1, text) })
}

// show makes a text fit a message.
func show(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > 64 {
		return strings.ToValidUTF8(text[:64], "") + "…"
	}
	return text
}
