package lang

import (
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// dictionary is what the compiler knows before it reads a source.
type dictionary struct {
	builtins   map[string][]byte                                // the instructions of a word
	structures map[string]func(*compiler, token) error          // control structures
	defining   map[string]func(*compiler, token) error          // words that read on in the source, or work while compiling
	hint       func(c *compiler, t token) (why string, ok bool) // what to say of a word that is not there
}

// ops writes instructions without operands, and small integers, by name.
func ops(names string) []byte {
	var e bytecode.Emitter
	for _, n := range strings.Fields(names) {
		if v, ok, _ := integer(n); ok {
			e.Integer(v)
			continue
		}
		for op, i := range bytecode.Opcodes {
			if i.Name == n && i.Operand == bytecode.NoOperand {
				e.Op(bytecode.Opcode(op))
				break
			}
		}
	}
	return e.Code
}

// compounds are words of paloalto that stand for several instructions.
const compounds = `
execute call
sha256 hash
false 0
true -1
u> swap u<
within over -w >r -w r> u<
s>d dup 0<
2>r swap >r >r
2r> r> r> swap
2r@ r> r> 2dup >r >r swap
2@ dup 8 + @ swap @
2! swap over ! 8 + !
erase 0 fill
cmove move
d0= or 0=
d= rot = -rot = and
not 0=`

func paloaltoWords() *dictionary {
	d := &dictionary{builtins: map[string][]byte{}, structures: structureWords(), defining: definingWords()}
	for op, i := range bytecode.Opcodes {
		switch bytecode.Opcode(op) {
		case bytecode.OpCatch, bytecode.OpExecute, bytecode.OpVerifyZK:
			continue
		}
		if i.Name != "" && i.Operand == bytecode.NoOperand {
			d.builtins[i.Name] = []byte{byte(op)}
		}
	}
	for n, e := range bytecode.Environment {
		d.builtins[e.Name] = []byte{byte(bytecode.OpEnv), byte(n)}
	}
	for _, line := range strings.Split(strings.TrimSpace(compounds), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		d.builtins[name] = ops(rest)
	}
	delete(d.builtins, "not") // it is not clear whether it works on bits or on flags, so it gets a hint instead
	missing := hints(elsewhere)
	d.hint = func(_ *compiler, t token) (string, bool) {
		why, ok := missing[t.text]
		return t.text + " is not available in this version" + why, ok
	}
	return d
}

// hints reads lines of words, a bar, and what their error says besides.
func hints(text string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		words, hint, _ := strings.Cut(line, "|")
		for _, w := range strings.Fields(words) {
			out[w] = hint
		}
	}
	return out
}

// elsewhere are words that a Forth programmer may miss, and after the bar what their error says besides.
const elsewhere = `does>|; use a macro, or a word that takes the address
aligned chars|; a character is a byte
2constant|; use constant twice, or macro NAME … ;
?of next-case contof|; use of … endof
catch|: a contract that fails, fails as a whole
immediate postpone literal compile, [compile] evaluate state ]|; a contract is compiled as it is; use macro NAME … ;
[|; while compiling, only literals before , c, s, allot constant are looked at
:noname|; give it a name
verify-zk|; no check of zero-knowledge proofs is built in, and code with it does not load
count|; bytes know their length: len
key emit type . .s cr ." accept space spaces page bl|: a contract has neither terminal nor output
cmove>|; use move
not|; use 0= for flags, invert for bits
int binary print band bor bxor|: that is Chalang; the first line of its sources is \ dialect: chalang
include require load included|; a source is one file; words of other sources are called by hash: x"…" call
f+ f- f* f/ float|: there are no floating point numbers; count in the smallest unit
allocate free resize|; use create and allot
rand random time time&date ms|: a contract is a pure function; see height, slot and clock
for next|; use n 0 ?do … loop
mod! -! *!|; use @ and !
locals| {| (local) {: :}|; use value NAME, or >r and r>
0<= 0>=|; use 0> 0= or 0< 0=
0max|; use 0 max
defer is action-of|; use ' NAME and call
u/mod u.|; use um/mod
dabs dmax dmin d2* d2/ m+ m*/ d>s|; use d+ d- dnegate d< um* um/mod`
