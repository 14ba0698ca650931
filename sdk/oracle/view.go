package oracle

import "github.com/paloalto-chain/paloalto/sdk/types"

// Paths of the module's queries.
const (
	PathQuestion  = "question/" // followed by the id in hexadecimal digits: a [View]
	PathQuestions = "questions" // with ?state=OPEN&after=<hex id>&limit=<1 to 100>, all optional: a [Page]
	PathTerms     = "terms"     // [Terms]
)

// MaxPage is the most questions that one [Page] has.
const MaxPage = 100

// Names of the events.
const (
	EventAsked    = "asked"    // [AskedEvent]
	EventAnswered = "answered" // [AnsweredEvent]
	EventReopened = "reopened" // [ClosedEvent]: the answer was TOO_EARLY
	EventFinal    = "final"    // [ClosedEvent]
	EventExpired  = "expired"  // [ClosedEvent]
)

// View is a question as queries show it. Amounts are decimal strings in the smallest unit, clocks are numbers.
type View struct {
	ID         types.Hash      `json:"id"`
	State      State           `json:"state"`
	Asker      types.AccountID `json:"asker"`
	Text       string          `json:"text"`
	Sources    []string        `json:"sources"`
	Asked      uint64          `json:"asked"`
	Open       uint64          `json:"open"`
	AskerUntil uint64          `json:"asker_until"` // only the asker may answer before
	AnswerBy   uint64          `json:"answer_by"`
	Deposit    uint64          `json:"deposit,string"`
	Escrow     uint64          `json:"escrow,string"`
	Reopened   bool            `json:"reopened,omitempty"`
	Answers    []GivenView     `json:"answers"`
	Result     *Value          `json:"result,omitempty"`    // if FINAL
	ClosedAt   uint64          `json:"closed_at,omitempty"` // if FINAL or EXPIRED
	DueAt      uint64          `json:"due_at,omitempty"`    // when it closes by itself as it stands
}

// GivenView is an answer as queries show it.
type GivenView struct {
	Account types.AccountID `json:"account"`
	Value   Value           `json:"value"`
	Clock   uint64          `json:"clock"`
	Bond    uint64          `json:"bond,string"`
}

// Page is a list of questions in the order of their ids. Next is where to go on, as `after`; nil at the end. A page may have
// fewer questions than asked for, or none, and still have a Next.
type Page struct {
	Questions []View      `json:"questions"`
	Next      *types.Hash `json:"next,omitempty"`
}

// NewView shows a record.
func NewView(t Terms, r *Record) View {
	v := View{
		ID: r.ID, State: r.State, Asker: r.Asker, Text: r.Text, Sources: append([]string{}, r.Sources...), Asked: r.Asked, Open: r.Open,
		AskerUntil: t.AskerUntil(r), AnswerBy: r.AnswerBy, Deposit: r.Deposit, Escrow: r.Escrow(), Reopened: r.Reopened,
		Answers: make([]GivenView, len(r.Answers)), ClosedAt: r.Closed,
	}
	for i, g := range r.Answers {
		v.Answers[i] = GivenView(g)
	}
	if r.State == Final {
		v.Result = &r.Result
	}
	v.DueAt, _ = t.Due(r)
	return v
}

// AskedEvent is the data of an "asked".
type AskedEvent struct {
	Question types.Hash      `json:"question"`
	Asker    types.AccountID `json:"asker"`
	Text     string          `json:"text"`
	Open     uint64          `json:"open"`
	AnswerBy uint64          `json:"answer_by"`
	Deposit  uint64          `json:"deposit,string"`
}

// AnsweredEvent is the data of an "answered".
type AnsweredEvent struct {
	Question types.Hash      `json:"question"`
	Account  types.AccountID `json:"account"`
	Value    Value           `json:"value"`
	Bond     uint64          `json:"bond,string"`
	FinalAt  uint64          `json:"final_at"` // unless it is contradicted before
}

// ClosedEvent is the data of a "final", an "expired" and a "reopened".
type ClosedEvent struct {
	Question types.Hash `json:"question"`
	Value    *Value     `json:"value,omitempty"` // of final and reopened
	Returned uint64     `json:"returned,string"`
	Burned   uint64     `json:"burned,string"`
}
