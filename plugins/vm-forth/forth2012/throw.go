package forth2012

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
)

// Exceptions of the standard, table 9.1.
const (
	throwAbort        = -1
	throwAbortText    = -2
	throwStackFull    = -3
	throwUnderflow    = -4
	throwReturnFull   = -5
	throwDictionary   = -8
	throwAddress      = -9
	throwUndefined    = -13
	throwCompileOnly  = -14
	throwNoName       = -16
	throwPicture      = -17
	throwStringLong   = -18
	throwNameLong     = -19
	throwUnsupported  = -21
	throwControl      = -22
	throwNumber       = -24
	throwNesting      = -29
	throwNoBody       = -31
	throwNotVariable  = -32
	throwNoFile       = -38
	throwUnexpectedEO = -39
	throwOrderFull    = -49
	throwOrderEmpty   = -50
	throwControlFull  = -52
)

// message is the standard's text for an exception.
func message(n int64) string {
	switch n {
	case -1:
		return "aborted"
	case -3:
		return "stack overflow"
	case -4:
		return "stack underflow"
	case -5:
		return "return stack overflow"
	case -6:
		return "return stack underflow"
	case -7:
		return "do-loops nested too deeply during execution"
	case -8:
		return "dictionary overflow"
	case -9:
		return "invalid memory address"
	case -10:
		return "division by zero"
	case -11:
		return "result out of range"
	case -12:
		return "argument type mismatch"
	case -13:
		return "undefined word"
	case -14:
		return "interpreting a compile-only word"
	case -15:
		return "invalid FORGET"
	case -16:
		return "attempt to use zero-length string as a name"
	case -17:
		return "pictured numeric output string overflow"
	case -18:
		return "parsed string overflow"
	case -19:
		return "definition name too long"
	case -20:
		return "write to a read-only location"
	case -21:
		return "unsupported operation"
	case -22:
		return "control structure mismatch"
	case -23:
		return "address alignment exception"
	case -24:
		return "invalid numeric argument"
	case -25:
		return "return stack imbalance"
	case -26:
		return "loop parameters unavailable"
	case -27:
		return "invalid recursion"
	case -28:
		return "user interrupt"
	case -29:
		return "compiler nesting"
	case -30:
		return "obsolescent feature"
	case -31:
		return ">BODY used on non-CREATEd definition"
	case -32:
		return "invalid name argument"
	case -38:
		return "non-existent file"
	case -39:
		return "unexpected end of file"
	case -47:
		return "compilation word list deleted"
	case -48:
		return "invalid POSTPONE"
	case -49:
		return "search-order overflow"
	case -50:
		return "search-order underflow"
	case -51:
		return "compilation word list changed"
	case -52:
		return "control-flow stack overflow"
	case -56:
		return "QUIT"
	case -78:
		return "SUBSTITUTE failed"
	case -79:
		return "REPLACES failed"
	}
	return "exception"
}

// explain makes a message of an error that nobody caught, with its place.
func (s *System) explain(err error) string {
	place := s.origin
	if place == "" {
		place = s.position()
	}
	var trap *engine.Trap
	if !errors.As(err, &trap) {
		return place + ": " + err.Error()
	}
	where := ""
	if w := s.wordWith(trap.Word); w != "" {
		where = ", in " + w
	}
	n := trap.N
	switch {
	case n == 0:
		text := bytecode.StatusName(trap.Status)
		if trap.Status == bytecode.OutOfGas {
			text = fmt.Sprintf("out of gas; an input has %d", s.gas)
		}
		if trap.Text != "" {
			text += ": " + trap.Text
		}
		return place + ": " + text + where
	case n == throwAbortText:
		return place + ": " + s.aborted
	}
	text := message(n)
	if s.detail != "" {
		text += ": " + s.detail
	}
	return fmt.Sprintf("%s: %s (throw %d)%s", place, text, n, where)
}

// wordWith names the word with an execution token.
func (s *System) wordWith(xt int) string {
	if xt < 0 {
		return ""
	}
	if b := s.bodies[xt]; b != nil {
		return b.name
	}
	return ""
}
