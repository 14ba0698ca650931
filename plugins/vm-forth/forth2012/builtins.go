package forth2012

import (
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// builtins are the words of the language.
func builtins() []*builtin {
	out := instructionWords()
	for _, l := range [][]*builtin{helperWords(), controlWords(), definingWords(), compilingWords(), dataWords(), inputWords(), numberWords(),
		outputWords(), stringWords(), replaceWords(), exceptionWords(), localWords(), searchWords(), conditionWords(), toolWords(), testWords()} {
		out = append(out, l...)
	}
	return out
}

// instructionWords are words that are a few instructions. A word of the instruction set that traps on overflow has one here
// that wraps.
func instructionWords() []*builtin {
	names := map[string][]byte{}
	for op, i := range bytecode.Opcodes {
		if i.Name != "" && i.Operand == bytecode.NoOperand && bytecode.Opcode(op) != bytecode.OpVerifyZK {
			names[i.Name] = []byte{byte(op)}
		}
	}
	code := func(text string) []byte {
		out := bytecode.Emitter{Code: []byte{}}
		for _, t := range strings.Fields(text) {
			if c, ok := names[t]; ok {
				out.Code = append(out.Code, c...)
				continue
			}
			n, err := strconv.ParseInt(t, 10, 64)
			if err != nil {
				continue // the test of this table finds it
			}
			out.Integer(n)
		}
		return out.Code
	}
	var list []*builtin
	for _, line := range strings.Split(instructionTable, "\n") {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if text == "" {
			text = strings.ToLower(name)
		}
		if text == "(nothing)" {
			text = ""
		}
		list = append(list, &builtin{name: name, code: code(text), returns: strings.Contains(returnWords, " "+name+" ")})
	}
	for i, e := range bytecode.Environment {
		list = append(list, &builtin{name: strings.ToUpper(e.Name), code: []byte{byte(bytecode.OpEnv), byte(i)}})
	}
	return list
}

// returnWords reach what a definition put on the return stack. That is not there for the text interpreter.
const returnWords = " >R R> R@ 2>R 2R> 2R@ I J UNLOOP "

// instructionTable has a word a line, and behind it what it is made of if that has another name.
const instructionTable = `
DUP
DROP
SWAP
OVER
ROT
-ROT
NIP
TUCK
?DUP
2DUP
2DROP
2SWAP
2OVER
PICK
ROLL
DEPTH
>R
R>
R@
2>R swap >r >r
2R> r> r> swap
2R@ r> r@ over >r swap
2ROT >r >r 2swap r> r> 2swap
I
J
UNLOOP
EXECUTE
THROW
ABORT -1 throw
RETURN
FAIL
GAS

+ +w
- -w
* *w
/
MOD
/MOD
*/
*/MOD
NEGATE 0 swap -w
ABS dup 0< tuck xor swap -w
MIN
MAX
1+ 1 +w
1- 1 -w
2* 1 lshift
2/
AND
OR
XOR
INVERT
LSHIFT
RSHIFT
M*
UM*
UM/MOD
SM/REM
FM/MOD
S>D dup 0<
D>S drop
M+ dup 0< d+
D+
D-
DNEGATE
D2* 2dup d+
D2/ dup 1 and 63 lshift rot 1 rshift or swap 2/
D0< nip 0<
D0= or 0=
D= rot = >r = r> and
D<> rot = >r = r> and 0=
D<
D> 2swap d<
D<= 2swap d< 0=
D>= d< 0=
DU<

=
<>
<
>
<=
>=
U<
U> swap u<
0=
0<>
0<
0>
WITHIN over -w >r -w r> u<
TRUE -1
FALSE 0
BL 32

@
!
C@
C!
+! tuck @ +w swap !
2@ dup 8 +w @ swap @
2! tuck ! 8 +w !
CELL+ 8 +w
CELLS 3 lshift
CHAR+ 1 +w
CHARS (nothing)
ALIGNED 7 +w -8 and
COUNT dup 1 +w swap c@
MOVE
FILL
ERASE 0 fill
BLANK 32 fill
/STRING tuck -w >r +w r>

==
LEN
SLICE
CAT
>B
B>
HASH
SHA256 hash
BLAKE2B
KECCAK256
VERIFY-SIG
MERKLE-PROOF
MEM>B
B>MEM
`

// helperWords are words in Forth.
func helperWords() []*builtin {
	var list []*builtin
	for _, line := range strings.Split(helperTable, "\n\n") {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, &builtin{name: name, helper: text})
	}
	return list
}

// helperTable has the words one after the other, with an empty line between: the name and what is between : and ;. They use
// the words of the language, if else then, begin until while repeat, and exit.
const helperTable = `
DABS dup 0< if dnegate then

DMIN 2over 2over d< if 2drop exit then 2swap 2drop

DMAX 2over 2over d< if 2swap then 2drop

M*/ dup 0< >r abs >r 2dup xor r> r> rot xor >r >r
  abs >r dabs r>
  dup rot um* 2>r um* 0 2r> d+
  r@ um/mod -rot r> um/mod nip swap
  r> 0< if dnegate then

CMOVE begin dup while >r over c@ over c! 1+ swap 1+ swap r> 1- repeat drop 2drop

CMOVE> begin dup while 1- >r over r@ + c@ over r@ + c! r> repeat drop 2drop

-TRAILING begin dup if 2dup + 1- c@ 32 = else 0 then while 1- repeat

COMPARE rot 2dup - >r min
  begin dup while
    >r over c@ over c@ - ?dup if
      r> drop nip nip 0< if -1 else 1 then r> drop exit
    then
    1+ swap 1+ swap r> 1-
  repeat
  drop 2drop r> dup if 0< if 1 else -1 then then

SEARCH 2>r 2dup
  begin dup r@ < 0= while
    over r@ 2r@ compare 0= if 2swap 2drop 2r> 2drop -1 exit then
    1 /string
  repeat
  2drop 2r> 2drop 0

STR= compare 0=
`

// helper compiles a word in Forth.
func (s *System) helper(b *builtin) ([]byte, error) {
	d := &definition{name: b.name}
	for _, t := range strings.Fields(b.helper) {
		if err := s.helperToken(d, t); err != nil {
			return nil, err
		}
	}
	return d.Code, nil
}

func (s *System) helperToken(d *definition, t string) error {
	switch t {
	case "if":
		return d.ahead(s, bytecode.OpJumpZero)
	case "else":
		return d.orElse(s)
	case "then":
		return d.then(s)
	case "begin":
		return d.begin(s)
	case "until":
		return d.back(s, bytecode.OpJumpZero)
	case "while":
		return d.while(s)
	case "repeat":
		return d.repeat(s)
	case "exit":
		d.Op(bytecode.OpExit)
		return nil
	}
	b := s.named[t] // internal ones have small letters
	if b == nil {
		b = s.named[strings.ToUpper(t)]
	}
	if b != nil {
		switch {
		case b.code != nil:
			d.Code = append(d.Code, b.code...)
		case b.helper == "":
			d.host(b.id * 3)
		default:
			xt, err := s.token(b.word())
			if err != nil {
				return err
			}
			d.Word(xt)
		}
		return nil
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return s.fail(throwUndefined, t)
	}
	d.Integer(n)
	return nil
}
