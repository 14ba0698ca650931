package oracle

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ModuleName is the module that transactions to a chain's oracle name.
const ModuleName = "oracle"

// Names of the actions.
const (
	ActionAsk     = "ask"
	ActionAnswer  = "answer"
	ActionCounter = "counter"
	ActionClose   = "close"
	ActionBallot  = "ballot"
)

// Limits of a question.
const (
	MaxTextBytes   = 1 << 10
	MaxSources     = 4
	MaxSourceBytes = 256
	MaxDaysAhead   = 365
)

// Gas of an action, besides one for each byte of its body.
const (
	GasAsk     = 4_000
	GasAnswer  = 3_000
	GasClose   = 3_000
	GasCounter = 20_000 // a snapshot of the producers is written
	GasBallot  = 10_000 // a signature is verified, and all ballots of the phase are written again
)

// ActionGas returns the gas of an action of this module. A transaction's max_gas must cover the sum of its actions, and the
// floor that its size sets.
func ActionGas(a types.Action) uint64 {
	n := uint64(len(a.Body))
	switch a.Name {
	case ActionAsk:
		return n + GasAsk
	case ActionAnswer:
		return n + GasAnswer
	case ActionCounter:
		return n + GasCounter
	case ActionBallot:
		return n + GasBallot
	}
	return n + GasClose
}

const domainQuestion = "paloalto/question/1\x00"

// QuestionID returns the id of the question that action number action of transaction tx asks.
func QuestionID(chain types.ChainID, asker types.AccountID, text string, tx types.TxID, action int) [32]byte {
	th := types.Sum(domainQuestion, []byte(text))
	ref := binary.BigEndian.AppendUint32(append([]byte(nil), tx[:]...), uint32(action))
	return types.Sum(domainQuestion, chain[:], asker[:], th[:], ref)
}

// Ask is the body of an ask. Its max_spend must cover the deposit, see [Terms.Deposit].
type Ask struct {
	Text     string   // UTF-8, 1 to [MaxTextBytes] bytes, a question that YES or NO answers
	Sources  []string // where the truth can be read: up to [MaxSources] of up to [MaxSourceBytes] bytes
	Open     uint64   // clock from which on it may be answered; what is past stands for now
	AnswerBy uint64   // clock by which an answer is expected
	First    *Value   // the asker's own answer at once; only where Open is not in the future
}

// Encode returns the canonical bytes.
func (a Ask) Encode() []byte {
	e := types.NewEncoder(32 + len(a.Text))
	e.Byte(1) // format
	e.String(a.Text)
	e.Uint(uint64(len(a.Sources)))
	for _, s := range a.Sources {
		e.String(s)
	}
	e.Uint(a.Open)
	e.Uint(a.AnswerBy)
	if a.First == nil {
		e.Byte(0)
	} else {
		e.Byte(1 + byte(*a.First))
	}
	return e.Bytes()
}

// DecodeAsk is the inverse of [Ask.Encode]. It checks all that can be checked without a chain.
func DecodeAsk(b []byte) (Ask, error) {
	d := types.NewDecoder(b)
	format(d, "ask")
	a := Ask{Text: text(d, "the question", MaxTextBytes)}
	for range d.Count(MaxSources, 2) {
		a.Sources = append(a.Sources, text(d, "a source", MaxSourceBytes))
	}
	a.Open, a.AnswerBy = d.Uint(), d.Uint()
	if d.Err() == nil && a.AnswerBy <= a.Open {
		d.Fail("answer_by %d is not after open %d", a.AnswerBy, a.Open)
	}
	if f := d.Byte(); f > 0 {
		v := Value(f - 1)
		if !v.Valid() {
			d.Fail("value %d", v)
		}
		a.First = &v
	}
	if err := d.Finish(); err != nil {
		return Ask{}, fmt.Errorf("oracle.ask: %w", err)
	}
	return a, nil
}

// Answer is the body of an answer. Its max_spend must cover the bond, unless the asker answers in its own window.
type Answer struct {
	ID    [32]byte
	Value Value
}

// Encode returns the canonical bytes.
func (a Answer) Encode() []byte { return encodeAnswer(a.ID, a.Value) }

// DecodeAnswer is the inverse of [Answer.Encode].
func DecodeAnswer(b []byte) (Answer, error) {
	id, v, err := decodeAnswer("answer", b)
	return Answer{id, v}, err
}

// Counter is the body of a counter, which contradicts an answer. Its max_spend must cover the bond.
type Counter struct {
	ID    [32]byte
	Value Value
}

// Encode returns the canonical bytes.
func (c Counter) Encode() []byte { return encodeAnswer(c.ID, c.Value) }

// DecodeCounter is the inverse of [Counter.Encode].
func DecodeCounter(b []byte) (Counter, error) {
	id, v, err := decodeAnswer("counter", b)
	return Counter{id, v}, err
}

func encodeAnswer(id [32]byte, v Value) []byte {
	e := types.NewEncoder(34)
	e.Byte(1) // format
	e.Hash(id)
	e.Byte(byte(v))
	return e.Bytes()
}

func decodeAnswer(what string, b []byte) (id [32]byte, v Value, err error) {
	d := types.NewDecoder(b)
	format(d, what)
	id, v = d.Hash(), Value(d.Byte())
	if !v.Valid() {
		d.Fail("value %d", v)
	}
	if err := d.Finish(); err != nil {
		return [32]byte{}, 0, fmt.Errorf("oracle.%s: %w", what, err)
	}
	return id, v, nil
}

// Close is the body of a close. It is for anybody; a question closes without it, too.
type Close struct{ ID [32]byte }

// Encode returns the canonical bytes.
func (c Close) Encode() []byte {
	e := types.NewEncoder(33)
	e.Byte(1) // format
	e.Hash(c.ID)
	return e.Bytes()
}

// DecodeClose is the inverse of [Close.Encode].
func DecodeClose(b []byte) (Close, error) {
	d := types.NewDecoder(b)
	format(d, "close")
	c := Close{d.Hash()}
	if err := d.Finish(); err != nil {
		return Close{}, fmt.Errorf("oracle.close: %w", err)
	}
	return c, nil
}

func format(d *types.Decoder, what string) {
	if f := d.Byte(); f != 1 {
		d.Fail("%s format %d is unknown", what, f)
	}
}

// text reads a non-empty string of UTF-8 without control characters, so that it can be shown as it is.
func text(d *types.Decoder, what string, limit int) string {
	s := d.String(limit)
	if d.Err() != nil {
		return ""
	}
	if s == "" || !utf8.ValidString(s) {
		d.Fail("%s is empty or not UTF-8", what)
		return ""
	}
	for _, r := range s {
		if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			d.Fail("%s has control characters", what)
			return ""
		}
	}
	return s
}
