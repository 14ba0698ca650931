package lang

import (
	"encoding/base64"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// The dialect chalang is the language of Amoveo's contracts, over this machine's values: integers have 64 bits and a sign,
// and overflow is an error. Where it can't be followed, a word is an error that says what to do.
//
//   - A name of a word is its hash; call runs what has the hash. recurse is only there as recurse call.
//   - A call before the end of a word takes room on the return stack like any other, so recursion is as deep as the chain allows.
//   - An unknown word is no variable: variable NAME comes first. NAME @ and NAME ! hold any value.
//   - There are no lists. hash, band, bor and bxor take what those of paloalto take.

// chalangWord is a word and what it stands for, in words of the machine.
const chalangWord = `
drop drop
dup dup
swap swap
tuck -rot
rot rot
2dup 2dup
ddup 2dup
pickn roll
>r >r
r> r>
r@ r@
hash hash
verify_sig verify-sig
+ +
- -
* *
/ /
rem mod
> > negate
< < negate
== 2dup ==
=2 ==
not 0= negate
and 0<> swap 0<> and negate
or 0<> swap 0<> or negate
xor 0<> swap 0<> xor negate
band and
bor or
bxor xor
stack_size depth
gas gas
return return
crash return
fail fail
call call
++ cat
split 2dup 0 swap slice -rot over len over - slice swap
len len
slice slice
>b >b
b> b>
sha256 hash
blake2b blake2b
keccak256 keccak256
merkle-proof merkle-proof
throw throw`

func chalangWords() *dictionary {
	d := &dictionary{builtins: map[string][]byte{}, structures: map[string]func(*compiler, token) error{"if": openIf, "else": openElse},
		defining: map[string]func(*compiler, token) error{":": colon, ";": semicolon, "macro": macro}}
	for _, line := range strings.Split(strings.TrimSpace(chalangWord), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		d.builtins[name] = ops(rest)
	}
	for n, e := range bytecode.Environment {
		d.builtins[e.Name] = []byte{byte(bytecode.OpEnv), byte(n)}
	}
	d.structures["then"] = func(c *compiler, t token) error {
		if n := len(c.control); n > 0 && c.control[n-1].word == "if" {
			return c.fail(t, "the if in line %d has no else; Chalang wants one: if … else … then", c.control[n-1].token.line)
		}
		ctl, err := c.shut(t, "else", "else")
		if err != nil {
			return err
		}
		return c.set(ctl.at)
	}
	d.defining["def"] = func(c *compiler, t token) error {
		err := colon(c, t)
		c.defPush = true
		return err
	}
	d.defining["int"] = chalangInt
	d.defining["binary"] = chalangBinary
	d.defining["variable"] = func(c *compiler, t token) error {
		if err := c.outside(t, false); err != nil {
			return err
		}
		n, err := c.newName(t)
		if err != nil {
			return err
		}
		_, err = c.slot(n, isVariable)
		return err
	}
	d.defining["recurse"] = func(c *compiler, t token) error {
		if c.def == nil {
			return c.fail(t, "recurse belongs into a definition")
		}
		ok, err := c.isNext("call")
		if err != nil {
			return err
		}
		if !ok {
			return c.fail(t, "recurse is followed by call here; a word can't have its own hash on the stack")
		}
		c.out().Op(bytecode.OpRecurse)
		return nil
	}
	nothing := func(text string) func(*compiler, token) error {
		return func(c *compiler, t token) error {
			if text != "" {
				c.warn(t, "%s", text)
			}
			return nil
		}
	}
	d.defining["print"], d.defining["nop"] = nothing("print does nothing: a contract has no output; see alto vm trace"), nothing("")
	missing := hints(notInChalang)
	d.hint = func(c *compiler, t token) (string, bool) { return chalangHint(c, t, missing) }
	return d
}

// notInChalang are words that a source may have, of Chalang or not, and after the bar what to do.
const notInChalang = `tuckn|; use swap, tuck and rot
^|; multiply
ram many_vars many_funs|; the limits are part of the chain's spec
cons car nil is_list reverse|: there are no lists; leave the values on the stack, or join bytes with ++
slash|; see closing?
total_coins id2balance|; see balance and deposit
pub2addr id2pub id2addr|; see participant
verify_account_sig|; use verify_sig, and participant for the key
=|; use =2, which takes both operands, or ==, which keeps them
begin while repeat until again do ?do loop +loop leave i j exit unloop|: Chalang has no loops; use recurse call
over nip -rot pick roll 2drop 2swap 2over depth ?dup|; Chalang has drop dup swap tuck rot 2dup pickn stack_size
' execute [']|; a name alone is the hash of its word
value to constant create allot|; use variable NAME or macro NAME … ;
1+ 1- negate abs min max mod /mod */ 2* 2/ lshift rshift invert|; Chalang has + - * / rem
<> <= >= 0= 0< 0> 0<> u<|; Chalang has == =2 > < not
end|; use then
cat|; use ++
verify-sig|; use verify_sig
verify-zk|; no check of zero-knowledge proofs is built in
[ ] ,|
true false|; use int 1 and int 0
\|; a comment is ( … ) or % …`

func chalangHint(c *compiler, t token, missing map[string]string) (string, bool) {
	if why, ok := missing[t.text]; ok {
		return t.text + " is not available in the dialect chalang" + why, true
	}
	if _, ok, err := integer(t.text); ok || err != nil {
		return "an integer is written int " + strings.TrimPrefix(show(t.text), `"`)[:min(len(t.text), longestShown)] + " in the dialect chalang", true
	}
	if strings.HasPrefix(t.text, `x"`) || strings.HasPrefix(t.text, `s"`) {
		return "bytes are written binary LENGTH BASE64 in the dialect chalang", true
	}
	if n, ok, err := c.peek(); err == nil && ok && (n.text == "@" || n.text == "!") {
		return "unknown word " + show(t.text) + "; to have a variable of that name, write variable " + show(t.text) + " before", true
	}
	if t.text == "@" || t.text == "!" {
		return t.text + " comes right behind the name of a variable", true
	}
	return "", false
}

// chalangInt is int N.
func chalangInt(c *compiler, t token) error {
	n, err := c.name(t)
	if err != nil {
		return err
	}
	v, ok, err := integer(n.text)
	if err != nil {
		return c.fail(n, "%v", err)
	}
	if !ok || strings.Contains(n.text, "$") {
		return c.fail(n, "int takes decimal digits, not %s", show(n.text))
	}
	return c.push(t, value{v: v})
}

// chalangBinary is binary LENGTH BASE64.
func chalangBinary(c *compiler, t token) error {
	n, err := c.name(t)
	if err != nil {
		return err
	}
	length, ok, err := integer(n.text)
	if err != nil || !ok || length < 0 || length > bytecode.MaxBytes {
		return c.fail(n, "binary takes a length of 0 to %d and as many bytes in base64, not %s", bytecode.MaxBytes, show(n.text))
	}
	text := token{}
	if length > 0 {
		if text, err = c.name(n); err != nil {
			return err
		}
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text.text)
	if err != nil {
		return c.fail(text, "%s is not base64", show(text.text))
	}
	if int64(len(b)) != length {
		return c.fail(text, "binary %d has %d bytes", length, len(b))
	}
	return c.push(t, value{b: append([]byte{}, b...)})
}

// chalangVariable compiles NAME @ and NAME !.
func (c *compiler) chalangVariable(t token, e *entry) error {
	if c.evidence {
		return c.literalsOnly(t)
	}
	for word, op := range map[string]bytecode.Opcode{"@": bytecode.OpSlot, "!": bytecode.OpSetSlot} {
		ok, err := c.isNext(word)
		if err != nil {
			return err
		}
		if ok {
			c.out().Slot(op, e.n)
			return nil
		}
	}
	return c.fail(t, "the variable %s is followed by @ or !", show(t.text))
}
