package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// core is the language of a session: what compiles and runs.
type core interface {
	// run compiles and runs a part of a text; the whole is for messages.
	run(ctx context.Context, part, whole text) error
	// open tells whether something waits for more that run has taken.
	open() bool
	stack() []string
	// drop takes values off the stack until n are left.
	drop(n int) error
	push(v string) error
	// clear empties the stack and forgets what is open.
	clear()
	see(name string) (string, bool)
	names() []string // that were defined
	words() []string // of the language
}

const (
	sessionWordsMax = 4096       // definitions of a session
	sessionCode     = 64<<10 - 1 // bytes of a piece
)

// sessionLimits are a chain's limits with more room for definitions: a session has those of many contracts.
func sessionLimits(l *bytecode.Limits) *bytecode.Limits {
	out := *l
	out.Definitions = max(out.Definitions, sessionWordsMax)
	out.CodeBytes = max(out.CodeBytes, sessionCode)
	return &out
}

// native is the core of the dialects paloalto and chalang.
type native struct {
	s      *Session
	stream *lang.Stream
	live   *engine.Live
	defs   map[string]int // words by name
	bodies []body         // by number
	main   *body          // what runs at the top level
}

// body is a word, or what stands outside of all, and where it comes from.
type body struct {
	name string
	at   vm.SourceMap
	text text
}

func newCore(s *Session) (core, error) {
	if s.dialect == lang.Forth2012 {
		return newForth(s)
	}
	l := sessionLimits(s.lim)
	st, err := lang.NewStream(l, s.dialect, false)
	if err != nil {
		return nil, fmt.Errorf("session: %w: %w", vm.ErrInvalid, err)
	}
	live, err := engine.NewLive(l, nil)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &native{s: s, stream: st, live: live, defs: map[string]int{}}, nil
}

func (n *native) run(_ context.Context, part, whole text) error {
	p, err := n.stream.Compile(part.file, part.s, part.line)
	if errors.Is(err, lang.ErrIncomplete) {
		return err
	}
	if err != nil {
		return n.s.shown(err, whole)
	}
	for _, w := range p.Warnings {
		if err := n.s.print("%s\n", w); err != nil {
			return err
		}
	}
	for i, w := range p.Words {
		xt, err := n.live.Define(w.Code)
		if err != nil {
			return fmt.Errorf("define %s: %w", w.Name, err)
		}
		if xt != p.First+i {
			return hostError{fmt.Errorf("the word %s has number %d instead of %d", w.Name, xt, p.First+i)}
		}
		n.defs[w.Name] = xt
		n.bodies = append(n.bodies[:xt], body{name: w.Name, at: w.Map, text: whole})
	}
	if p.DataFrom < len(p.Data) {
		m, err := n.live.Memory(int64(p.DataFrom), int64(len(p.Data)-p.DataFrom))
		if err != nil {
			return n.trap(err)
		}
		copy(m, p.Data[p.DataFrom:])
	}
	if len(p.Main) == 0 {
		return nil
	}
	xt, err := n.live.Define(p.Main)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	n.main = &body{at: p.Map, text: whole}
	defer func() {
		n.live.Forget(xt)
		n.live.Collect()
	}()
	n.live.SetEnvironment(n.s.env)
	n.live.SetGas(n.s.left)
	err = n.live.Execute(xt)
	n.s.left = max(n.live.Gas(), 0)
	if err != nil {
		return n.trap(err)
	}
	return nil
}

// trap gives an error of the machine its place.
func (n *native) trap(err error) error {
	var t *engine.Trap
	if !errors.As(err, &t) {
		return err
	}
	b := n.main
	if t.Word >= 0 && t.Word < len(n.bodies) {
		b = &n.bodies[t.Word]
	}
	start := t.PC
	for start > 0 && n.live.WordAt(start-1) == t.Word {
		start--
	}
	text := bytecode.StatusName(t.Status)
	if t.Status == bytecode.Thrown {
		text += fmt.Sprintf(" %d", t.N)
	} else if t.Text != "" {
		text += ": " + t.Text
	}
	if name := bytecode.Opcodes[t.Op].Name; name != "" && t.Status != bytecode.Thrown && t.Op != bytecode.OpEnv {
		text += " at " + name
	}
	if b == nil {
		return errors.New(text)
	}
	if b.name != "" {
		text += " in " + b.name
	}
	if st := n.live.Stack(); len(st) > 0 {
		text += "; stack, top last: " + displayAll(st[max(len(st)-8, 0):])
	}
	e, ok := b.at.Find(uint64(t.PC - start))
	if !ok {
		return errors.New(text)
	}
	return n.s.fail(b.text, int(e.Line), int(e.Column), "%s", text)
}

func (n *native) open() bool      { return false }
func (n *native) stack() []string { return n.live.Stack() }
func (n *native) clear()          { n.live.SetDepth(0); n.live.Collect() }

func (n *native) drop(to int) error {
	n.live.SetDepth(min(to, n.live.Depth()))
	return nil
}

func (n *native) push(v string) error {
	val, err := parse(v)
	if err != nil {
		return err
	}
	if val.bytes != nil {
		err = n.live.PushBytes(val.bytes)
	} else {
		err = n.live.Push(val.integer)
	}
	if err != nil {
		return n.trap(err)
	}
	return nil
}

func (n *native) names() []string { return n.stream.Names() }

func (n *native) words() []string {
	own := n.stream.Names()
	return slices.DeleteFunc(n.stream.Vocabulary(), func(w string) bool { return slices.Contains(own, w) })
}

// see shows the source of a definition, and the instructions of a word.
func (n *native) see(name string) (string, bool) {
	xt, ok := n.defs[name]
	source := n.s.nest.sources[name]
	if !ok && source == "" {
		return "", false
	}
	out := ""
	if source != "" {
		out = source + "\n"
	}
	if !ok {
		return out, true
	}
	list, err := n.listing(xt)
	if err != nil {
		return out, true
	}
	return out + list, true
}

// listing are the instructions of a word, with the names of those that it calls.
func (n *native) listing(xt int) (string, error) {
	parts := bytecode.Parts{Addressable: true}
	for i := range xt + 1 {
		parts.Words = append(parts.Words, n.live.Body(i))
	}
	p := &bytecode.Program{}
	if err := p.Load(parts.Encode(), sessionLimits(n.s.lim), false); err != nil {
		return "", err
	}
	var b strings.Builder
	from := p.Starts[xt]
	for i := from; i < p.Main; i++ {
		in := &p.Ins[i]
		if in.Op == bytecode.OpEnd {
			break
		}
		text := bytecode.Instruction(p, in)
		switch bytecode.Opcodes[in.Op].Operand {
		case bytecode.JumpOperand:
			text = fmt.Sprintf("%s %d", bytecode.Opcodes[in.Op].Name, p.Ins[in.Arg].PC-p.Ins[from].PC)
		case bytecode.WordOperand:
			for w, start := range p.Starts {
				if int64(start) == in.Arg && w < len(n.bodies) {
					text = "word " + n.bodies[w].name
				}
			}
		}
		fmt.Fprintf(&b, "%5d  %s\n", in.PC-p.Ins[from].PC, text)
	}
	fmt.Fprintf(&b, "       %d bytes, hash %x\n", len(n.live.Body(xt)), p.Hashes[xt])
	return b.String(), nil
}
