package lang

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// lintDo warns of a do whose bounds may be equal: its loop would run until the gas ends.
func (c *compiler) lintDo(t token) {
	o := c.out()
	if n := len(o.lits); o.litEnd == len(o.Code) && n >= 2 && o.lits[n-1].v.b == nil && o.lits[n-2].v.b == nil {
		if o.lits[n-1].v.v == o.lits[n-2].v.v {
			c.warn(t, "the bounds of this loop are equal, and do runs it until the gas ends; ?do does not run it at all")
		}
		return
	}
	c.warn(t, "do runs until the gas ends if its bounds are equal; ?do does not run then")
}

// lintWord warns of a word that does not do what its place suggests.
func (c *compiler) lintWord(t token, op bytecode.Opcode) {
	o := c.out()
	switch {
	case op == bytecode.OpExit:
		n := len(o.Code) - 1
		for _, ctl := range c.control {
			if ctl.word == "do" && (n == 0 || bytecode.Opcode(o.Code[n-1]) != bytecode.OpUnloop) {
				c.warn(t, "exit out of a loop fails without unloop before it")
				return
			}
		}
	case op == bytecode.OpEnv && c.evidence:
		c.warn(t, "a word of the evidence reads %s; the list of what the contract reads does not tell", t.text)
	}
}

// unreachable warns of a token behind one that does not go on.
func (c *compiler) unreachable(t token, o *body) {
	if o.ends != len(o.Code) {
		return
	}
	switch t.text {
	case "then", "end", "else", "endof", "endcase", "repeat", "until", "again", "loop", "+loop", ";", ":", "def", "macro", "variable", "create":
		return
	}
	if e, ok := c.names[t.text]; ok && e.kind == isMacro && e.size == 0 {
		return
	}
	c.warn(t, "this is never reached")
	o.ends = -1
}

// lint warns of names that nothing uses.
func (c *compiler) lint() {
	if c.evidence {
		return // its words are for the contract to call
	}
	for _, name := range c.order {
		e := c.names[name]
		if e.used {
			continue
		}
		what := map[entryKind]string{isWord: "word", isMacro: "macro", isConstant: "constant, or variable,", isSlot: "value", isVariable: "variable"}[e.kind]
		c.warn(e.at, "the %s %s is never used", what, show(name))
	}
}

// results is how many integers a contract leaves.
const results = 3

// lintProgram warns of what the compiled program can't do.
func lintProgram(s vm.Source, p *bytecode.Program, l *bytecode.Limits, m vm.SourceMap) []string {
	if s.Evidence {
		return nil
	}
	e, ok := p.Infer(l)
	if !ok || !e.Main.Returns {
		return nil
	}
	for i := range p.Ins {
		if p.Ins[i].Op == bytecode.OpReturn {
			return nil // it may leave more
		}
	}
	text := ""
	switch n := len(e.Main.Leaves); {
	case n > results:
		text = fmt.Sprintf("the contract leaves %d values, whatever the evidence; its results are %d. Drop the others, or end with return", n, results)
	case n < results:
		text = fmt.Sprintf("the contract leaves %d values of its own, its results are %d: whoever brings the evidence chooses the others", n, results)
	default:
		return nil
	}
	at, _ := m.Find(uint64(len(p.Code)))
	return []string{warning(s.File, max(int(at.Line), 1), max(int(at.Column), 1), text)}
}
