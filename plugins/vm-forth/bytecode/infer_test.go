package bytecode

import (
	"fmt"
	"strings"
	"testing"
)

// lines writes instructions as asm: they are separated by |, words are between : and ;.
func lines(text string) string {
	var b strings.Builder
	for _, f := range strings.Fields(text) {
		switch f {
		case ":":
			b.WriteString("\n.word\n")
		case ";", "|":
			b.WriteString("\n")
		case ".main":
			b.WriteString(".main\n")
		default:
			b.WriteString(f + " ")
		}
	}
	return b.String()
}

// TestInfer has bodies and what they do: the words that are separated by ";", then the main body.
func TestInfer(t *testing.T) {
	for name, c := range map[string]struct {
		text, main string
		words      []string
		max, ret   int
		gas        int64
	}{
		"literals": {"int 0 | int 100 | int 1", "( -- integer integer integer )", nil, 3, 0, 3},
		"hash lock": {": swap | hash | == ; .main | bytes x\"aa\" | word 0 | jump-zero E | int 0 | int 100 | jump F | E: | int 0 | int 50 | F: | int 1",
			"( bytes -- integer integer integer )", []string{"( bytes #1 -- integer )"}, 3, 1, 3 + 5 + 1 + 3 + HashGas(OpHash, MaxBytes) + 1 + Blocks(MaxBytes) + 1 + 3 + 1},
		"a word that only moves":          {": swap | over ; .main | int 1 | bytes x\"\" | word 0", "( -- bytes integer bytes )", []string{"( #0 #1 -- #1 #0 #1 )"}, 3, 1, 10},
		"what is known later":             {": dup | int 5 | + | drop | hash ; .main", "( -- )", []string{"unknown: offset 10: hash: it takes bytes, there may be integer"}, 0, 0, 0},
		"one of two":                      {": jump-zero A | drop | jump B | A: | nip | B: ; .main", "( -- )", []string{"( #0 #0 integer -- #0 )"}, 0, 0, 0},
		"one of two, used":                {": jump-zero A | drop | jump B | A: | nip | B: | hash ; .main", "( -- )", []string{"( bytes bytes integer -- bytes )"}, 0, 0, 0},
		"either kind":                     {"height | jump-zero A | int 1 | jump B | A: | bytes x\"\" | B: | drop", "( -- )", nil, 1, 0, 3 + 1 + 2 + 1},
		"either kind, used":               {"height | jump-zero A | int 1 | jump B | A: | bytes x\"\" | B: | len", "unknown: offset 16: len: it takes bytes, there may be any", nil, 0, 0, 0},
		"depth differs":                   {"height | jump-zero A | int 1 | A: | int 1", "unknown: offset 10: int: 1 values here, 0 there, where two ways meet", nil, 0, 0, 0},
		"?dup if":                         {"height | ?dup | jump-zero A | drop | A: | int 1", "( -- integer )", nil, 2, 0, 3 + 1 + 1 + 1 + 1},
		"?dup":                            {"height | ?dup", "unknown: offset 7: ?dup: it leaves one value or two, and no if is behind it", nil, 0, 0, 0},
		"?dup of a constant":              {"int 3 | ?dup | int 0 | ?dup | jump X | X: | int 5 | ?dup | drop", "( -- integer integer integer integer )", nil, 5, 0, 8},
		"?dup, and the if from elsewhere": {"int 1 | jump A | height | ?dup | A: | jump-zero B | B:", "( -- )", nil, 1, 0, 3},
		"a loop":                          {"int 5 | int 0 | do | L: | i | drop | loop L", "( -- )", nil, 2, 2, -1},
		"?do":                             {"int 5 | int 0 | ?do X | L: | i | drop | loop L | X: | int 1", "( -- integer )", nil, 2, 2, -1},
		"a loop that grows":               {"int 5 | int 0 | do | L: | i | loop L", "unknown: offset 9: loop: 1 values here, 0 there, where two ways meet", nil, 0, 0, 0},
		"two loops":                       {"int 5 | int 0 | do | L: | int 5 | int 0 | do | M: | j | i | 2drop | loop M | loop L", "( -- )", nil, 2, 4, -1},
		"j with a value between":          {"int 5 | int 0 | do | L: | int 7 | >r | int 5 | int 0 | do | M: | j | drop | loop M | r> | drop | loop L", "unknown: offset 13: j: no loop is open", nil, 0, 0, 0},
		"a kind that changes":             {"int 5 | L: | len | jump L", "unknown: offset 6: len: it takes bytes, there may be integer", nil, 0, 0, 0},
		"a kind that a loop changes": {"int 0 | L: | height | jump-zero E | drop | bytes x\"\" | jump L | E: | int 1 | +",
			"unknown: offset 18: +: it takes integer, there may be any", nil, 0, 0, 0},
		"the return stack":         {"int 1 | bytes x\"01\" | >r | int 2 | r@ | r> | == | drop | +", "( -- integer )", nil, 4, 1, 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 32 + 1 + 1},
		"left on the return stack": {": >r ; .main | int 1 | int 7 | >r", "( -- integer )", []string{"unknown: offset 7: end: the word leaves something on the return stack"}, 2, 1, 3},
		"r> of the caller":         {": r> ; .main", "( -- )", []string{"unknown: offset 6: r>: there is no value on the return stack"}, 0, 0, 0},
		"r> of a loop":             {"int 1 | int 0 | do | r>", "unknown: offset 8: r>: there is no value on the return stack", nil, 0, 0, 0},
		"unloop and exit":          {": int 5 | int 0 | do | L: | unloop | exit | loop L ; .main | word 0", "( -- )", []string{"( -- )"}, 2, 3, 10},
		"fib": {": dup | int 2 | < | jump-zero A | exit | A: | dup | 1- | recurse | swap | int 2 | - | recurse | + ; .main | int 20 | word 0", "( -- integer )",
			[]string{"( integer -- integer )"}, -1, -1, -1},
		"for ever in a word":                       {": L: | jump L ; .main | word 0 | hash", "( -- ends )", []string{"( -- ends )"}, 0, 1, -1},
		"only recursion":                           {": recurse | hash ; .main | word 0", "( -- ends )", []string{"( -- ends )"}, -1, -1, -1},
		"recursion that grows":                     {": jump-zero A | int 1 | recurse | A: | int 1 ; .main", "( -- )", []string{"unknown: offset 10: recurse: 0 values here, -1 there, where two ways meet"}, 0, 0, 0},
		"recursion that takes more":                {": dup | jump-zero A | nip | int 0 | swap | 1- | recurse | A: ; .main", "( -- )", []string{"( integer integer -- integer integer )"}, 0, 0, 0},
		"return":                                   {"height | jump-zero A | int 1 | int 2 | return | A: | fail", "( -- ends )", nil, 2, 0, 3 + 1 + 3},
		"throw":                                    {"height | throw | int 3 | throw", "( -- ends )", nil, 1, 0, 6},
		"pick and roll":                            {"bytes x\"\" | int 1 | int 2 | int 2 | pick | hash | int 1 | roll", "( -- bytes integer bytes integer )", nil, 5, 0, 1000},
		"pick of what is taken":                    {": int 1 | pick | len ; .main", "( -- )", []string{"( bytes #1 -- bytes #1 integer )"}, 0, 0, 0},
		"pick of anything":                         {"height | pick", "unknown: offset 7: pick: how deep it looks is not known", nil, 0, 0, 0},
		"pick, changed":                            {"int 1 | int 2 | height | jump-zero A | 1+ | A: | pick", "unknown: offset 13: pick: how deep it looks is not known", nil, 0, 0, 0},
		"execute":                                  {": len ; .main | int 0 | execute", "( bytes -- integer )", []string{"( bytes -- integer )"}, 2, 1, 7},
		"execute of anything":                      {": len ; .main | height | execute", "unknown: offset 9: execute: which word it runs is not known", []string{"( bytes -- integer )"}, 0, 0, 0},
		"execute of a later word":                  {": int 1 | execute ; : ; .main", "( -- )", []string{"unknown: offset 7: execute: it runs a word that is not before its own", "( -- )"}, 0, 0, 0},
		"catch":                                    {": height | throw ; .main | int 0 | catch", "( -- integer )", []string{"( -- )"}, 1, 4, 13},
		"catch, with values":                       {": len ; .main | int 0 | catch", "( bytes -- any integer )", []string{"( bytes -- integer )"}, 2, 4, 10},
		"catch, unbalanced":                        {": drop ; .main | int 0 | catch", "unknown: offset 8: catch: the word takes 1 values and leaves 0, so how many there are depends on whether it throws", []string{"( #0 -- )"}, 0, 0, 0},
		"catch of what ends":                       {": drop | fail ; .main | int 0 | catch", "( #0 -- any integer )", []string{"( #0 -- ends )"}, 2, 4, 11},
		"slots":                                    {"slot@ 3 | 1+ | slot! 3", "( -- )", nil, 1, 0, 3},
		"a slot with bytes":                        {"bytes x\"\" | slot! 3 | slot@ 3 | drop", "( -- )", nil, 1, 0, 5},
		"a slot with bytes, used":                  {"slot@ 3 | 1+ | drop | bytes x\"\" | slot! 3", "unknown: offset 7: 1+: it takes integer, there may be any", nil, 0, 0, 0},
		"a slot that gets bytes first":             {"bytes x\"\" | slot! 3 | slot@ 3 | hash", "( -- bytes )", nil, 1, 0, 1000},
		"a slot that gets bytes maybe":             {"height | jump-zero A | bytes x\"\" | slot! 3 | A: | slot@ 3 | hash", "unknown: offset 16: hash: it takes bytes, there may be any", nil, 0, 0, 0},
		"a slot that gets bytes either way":        {"height | jump-zero A | bytes x\"\" | slot! 3 | jump B | A: | bytes x\"\" | slot! 3 | B: | slot@ 3 | len", "( -- integer )", nil, 1, 0, 1000},
		"a slot that a word fills":                 {": slot! 0 ; : slot@ 0 | len ; .main | hash | word 0 | word 1", "( bytes -- integer )", []string{"( bytes -- )", "( -- integer )"}, 1, 1, 1000},
		"a slot that a word fills too late":        {": slot! 0 ; : slot@ 0 | len ; .main | word 1 | drop | hash | word 0 | word 1", "unknown: offset 12: word: the word is not understood: offset 11: len: it takes bytes, there may be any", []string{"( #0 -- )", "unknown: offset 11: len: it takes bytes, there may be any"}, 0, 0, 0},
		"a slot that a word fills maybe":           {": jump-zero A | bytes x\"\" | slot! 0 | A: ; .main | height | word 0 | slot@ 0 | len", "unknown: offset 19: len: it takes bytes, there may be any", []string{"( integer -- )"}, 0, 0, 0},
		"a slot that what is executed reads first": {": slot@ 0 | drop ; .main | int 0 | execute | bytes x\"\" | slot! 0 | slot@ 0 | len", "unknown: offset 17: len: it takes bytes, there may be any", []string{"( -- )"}, 0, 0, 0},
		"a slot that a loop fills":                 {"int 5 | int 0 | ?do X | L: | bytes x\"\" | slot! 0 | loop L | X: | slot@ 0 | len", "unknown: offset 19: len: it takes bytes, there may be any", nil, 0, 0, 0},
		"a slot with what is taken":                {"slot! 1 | slot@ 1", "( integer -- integer )", nil, 1, 0, 2},
		"a slot in two words":                      {": slot! 0 ; : slot@ 0 ; .main | bytes x\"\" | word 0 | word 1", "( -- bytes )", []string{"( bytes -- )", "( -- bytes )"}, 1, 1, 14},
		"environment":                              {"int 0 | participant | bytes x\"00\" | param | int 5 | int 10 | int 0 | oracle", "( -- bytes integer integer integer )", nil, 5, 0, 1000},
		"environment of the wrong kind":            {"bytes x\"00\" | participant", "unknown: offset 9: participant: it takes integer, there may be bytes", nil, 0, 0, 0},
		"a call by any hash":                       {"call", "unknown: offset 5: call: which word it runs is not known", nil, 0, 0, 0},
		"two words, one unknown":                   {": call ; : int 1 ; .main | word 1", "( -- integer )", []string{"unknown: offset 6: call: which word it runs is not known", "( -- integer )"}, 1, 1, 6},
		"an unknown word":                          {": call ; .main | word 0", "unknown: offset 7: word: the word is not understood: offset 6: call: which word it runs is not known", []string{"unknown: offset 6: call: which word it runs is not known"}, 0, 0, 0},
		"what is not reached":                      {"int 1 | jump E | hash | call | E:", "( -- integer )", nil, 1, 0, 2},
	} {
		l, p := DefaultLimits(), &Program{}
		text := lines(c.text)
		code, err := Assemble(text, &l)
		if err == nil {
			err = p.Load(code.Code, &l, false)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e, ok := p.Infer(&l)
		if e.Main.String() != c.main || ok != (e.Main.Unknown == "") {
			t.Errorf("%s: main is %s, want %s", name, &e.Main, c.main)
		}
		for i := range e.Words {
			if i < len(c.words) && e.Words[i].String() != c.words[i] || i >= len(c.words) {
				t.Errorf("%s: word %d is %s, want %q", name, i, &e.Words[i], c.words)
			}
		}
		if ok && (e.Main.MaxStack != c.max || e.Main.MaxReturn != c.ret || (e.Main.Gas != c.gas && c.gas != 1000)) {
			t.Errorf("%s: stack %d, return stack %d, gas %d; want %d, %d, %d", name, e.Main.MaxStack, e.Main.MaxReturn, e.Main.Gas, c.max, c.ret, c.gas)
		}
	}
}

// TestInferByHash has calls of words of the same code by their hash.
func TestInferByHash(t *testing.T) {
	l := DefaultLimits()
	word := ".addressable\n.word\n len\n"
	p := loaded(t, word+".main\n")
	p = loaded(t, fmt.Sprintf("%s.main\n bytes x\"%x\"\n call\n", word, p.Hashes[0]))
	if e, ok := p.Infer(&l); !ok || e.Main.String() != "( bytes -- integer )" || e.At[p.Main+1].Word != 0 {
		t.Errorf("%+v", e.Main)
	}
	p = loaded(t, fmt.Sprintf("%s.main\n bytes x\"%064x\"\n call\n", word, 1))
	if e, ok := p.Infer(&l); ok {
		t.Errorf("a call of a word of the evidence: %+v", e.Main)
	}
}

// TestInferIsBounded has programs that are made to be a lot of work.
func TestInferIsBounded(t *testing.T) {
	l := DefaultLimits()
	var nested strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&nested, "L%d:\n height\n", i)
	}
	for i := range 1000 {
		fmt.Fprintf(&nested, " drop\n height\n jump-zero L%d\n", 999-i)
	}
	for name, text := range map[string]string{
		"a tall stack":    strings.Repeat(" int 1\n", 1000) + strings.Repeat(" swap\n", 15000),
		"many inputs":     strings.Repeat(" >r\n", 8000) + strings.Repeat(" r>\n", 8000),
		"loops in loops":  nested.String(),
		"long jumps back": "L:\n" + strings.Repeat(" height\n drop\n height\n jump-zero L\n", 1500),
		"kinds that rise": " int 0\n" + strings.Repeat(" dup\n", 500) + "L:\n" + strings.Repeat(" >r\n bytes x\"\"\n r>\n nip\n", 100) + " jump L\n",
		"many words":      strings.Repeat(".word\n height\n jump-zero L\n recurse\nL:\n", 256) + ".main\n",
	} {
		p := loaded(t, text)
		x := &inference{p: p, lim: &l, budget: inferBudget}
		x.program()
		if x.budget < -4*int(l.CodeBytes) {
			t.Errorf("%s: %d over the budget", name, -x.budget)
		}
		p.Infer(&l)
	}
}
