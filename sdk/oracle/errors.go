package oracle

import (
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	oraclev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/oracle/v1"
)

// wire maps the sentinels of observers.
var wire = plugin.ErrorMap{Kind: plugin.Oracle, Codes: map[int32]error{
	int32(oraclev1.Error_ERROR_CLOSED):      ErrClosed,
	int32(oraclev1.Error_ERROR_NO_BELIEF):   ErrNoBelief,
	int32(oraclev1.Error_ERROR_INVALID):     ErrInvalid,
	int32(oraclev1.Error_ERROR_COMMITTED):   ErrCommitted,
	int32(oraclev1.Error_ERROR_NOTHING_DUE): ErrNothingDue,
}}

// RuleError is the stable name of why an action failed, as it stands in receipts.
type RuleError string

// Error returns the name.
func (e RuleError) Error() string { return string(e) }

// The names. They are part of consensus and never change their meaning.
const (
	ErrWindow          RuleError = "ErrWindow"          // not now: the window for it is not open yet, or over
	ErrBondTooSmall    RuleError = "ErrBondTooSmall"    // max_spend does not cover the deposit or bond
	ErrSameAnswer      RuleError = "ErrSameAnswer"      // a counter must differ from the answer
	ErrNotInSnapshot   RuleError = "ErrNotInSnapshot"   // the ballot's producer is not among those who decide
	ErrDoubleCommit    RuleError = "ErrDoubleCommit"    // a second, different ballot
	ErrRevealMismatch  RuleError = "ErrRevealMismatch"  // what is revealed was not committed to
	ErrFinal           RuleError = "ErrFinal"           // the question is over
	ErrAnswered        RuleError = "ErrAnswered"        // the question has an answer; only a counter can contradict it
	ErrUnknownQuestion RuleError = "ErrUnknownQuestion" // no question has this id
	ErrTimetable       RuleError = "ErrTimetable"       // answer_by is not after open, in the past, or too far ahead
	ErrMalformed       RuleError = "ErrMalformed"       // the action's body is not what its name asks for
	ErrUnknownAction   RuleError = "ErrUnknownAction"   // there is no such action
	ErrBadSignature    RuleError = "ErrBadSignature"    // a ballot that is carried is not signed by the producer that it names
	ErrCountered       RuleError = "ErrCountered"       // the answer is contradicted already
	ErrExists          RuleError = "ErrExists"          // a question has this id already
	ErrOutOfGas        RuleError = "ErrOutOfGas"        // max_gas does not cover the actions
)
