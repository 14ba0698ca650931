package oracle

import (
	"cmp"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Paths of the module's queries.
const (
	PathQuestion  = "question/" // followed by the id in hexadecimal digits: a [View]
	PathHistory   = "history/"  // followed by the id: a list of [HistoryEntry]
	PathDisputes  = "disputes"  // with ?after=<hex id of the item>&limit=<1 to 100>: a [DisputePage] of those that are not over
	PathQuestions = "questions" // with ?state=OPEN&after=<hex id>&limit=<1 to 100>, all optional: a [Page]
	PathTerms     = "terms"     // [Terms]
)

// MaxPage is the most questions that one [Page] has.
const MaxPage = 100

// Names of the events.
const (
	EventAsked         = "asked"          // [AskedEvent]
	EventAnswered      = "answered"       // [AnsweredEvent]
	EventCountered     = "countered"      // [CounteredEvent]
	EventCommitted     = "committed"      // [BallotEvent]
	EventRevealed      = "revealed"       // [BallotEvent]
	EventBallotRefused = "ballot_refused" // [RefusedEvent]: a ballot in a block extension that does not count
	EventDecided       = "decided"        // [DecidedEvent]: a dispute is over
	EventReopened      = "reopened"       // [ClosedEvent]: the answer was TOO_EARLY, by itself or by a dispute
	EventFinal         = "final"          // [ClosedEvent]
	EventExpired       = "expired"        // [ClosedEvent]
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
	DueAt      uint64          `json:"due_at,omitempty"`    // when it leaves its state by itself
	Dispute    *DisputeView    `json:"dispute,omitempty"`   // the latest; only where one question is shown
}

// GivenView is an answer as queries show it.
type GivenView struct {
	Account types.AccountID `json:"account"`
	Value   Value           `json:"value"`
	Clock   uint64          `json:"clock"`
	Bond    uint64          `json:"bond,string"`
	Counter bool            `json:"counter,omitempty"`
}

// DisputeView is a dispute as queries show it. Commits and reveals are in the order of Producers.
type DisputeView struct {
	Countered uint64            `json:"countered_at"`
	CommitAt  uint64            `json:"commit_at"`
	RevealAt  uint64            `json:"reveal_at"`
	EndsAt    uint64            `json:"ends_at"`
	Quorum    int               `json:"quorum"` // equal reveals that decide
	Producers []types.PublicKey `json:"producers"`
	Commits   []CommitView      `json:"commits"`
	Reveals   []RevealView      `json:"reveals"`
	Settled   *Settlement       `json:"settled,omitempty"` // if it is over
}

// CommitView is a commit. Seat counts the dispute's Producers from 0.
type CommitView struct {
	Seat   int        `json:"seat"`
	Commit types.Hash `json:"commit"`
	Clock  uint64     `json:"clock"`
}

// RevealView is a reveal.
type RevealView struct {
	Seat  int    `json:"seat"`
	Value Value  `json:"value"`
	Clock uint64 `json:"clock"`
}

// DisputePage is a list of disputes in the order in which commits begin. Next is as in [Page], but is to be given back as it is.
type DisputePage struct {
	Disputes []View `json:"disputes"`
	Next     string `json:"next,omitempty"`
}

// HistoryEntry is something that happened to a question. Account is who did it, Producer whose ballot it was.
type HistoryEntry struct {
	Clock    uint64           `json:"clock"`
	Event    string           `json:"event"` // the name of an event of this package
	Account  *types.AccountID `json:"account,omitempty"`
	Producer *types.PublicKey `json:"producer,omitempty"`
	Value    *Value           `json:"value,omitempty"`
	Amount   uint64           `json:"amount,string,omitempty"` // the deposit, or a bond
	Commit   *types.Hash      `json:"commit,omitempty"`
	Settled  *Settlement      `json:"settled,omitempty"` // of decided
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

// CounteredEvent is the data of a "countered".
type CounteredEvent struct {
	Question types.Hash      `json:"question"`
	Account  types.AccountID `json:"account"`
	Value    Value           `json:"value"`
	Bond     uint64          `json:"bond,string"`
	CommitAt uint64          `json:"commit_at"`
	RevealAt uint64          `json:"reveal_at"`
	EndsAt   uint64          `json:"ends_at"`
	Seats    int             `json:"seats"` // producers that decide
}

// BallotEvent is the data of a "committed" and a "revealed".
type BallotEvent struct {
	Question types.Hash  `json:"question"`
	Producer types.Hash  `json:"producer"` // hash of its key
	Seat     int         `json:"seat"`
	Commit   *types.Hash `json:"commit,omitempty"` // of committed
	Value    *Value      `json:"value,omitempty"`  // of revealed
}

// RefusedEvent is the data of a "ballot_refused".
type RefusedEvent struct {
	Question types.Hash `json:"question"` // zero if the extension makes no sense
	Producer types.Hash `json:"producer"` // of the block
	Error    RuleError  `json:"error"`
	Detail   string     `json:"detail"`
}

// DecidedEvent is the data of a "decided": how the producers have voted, and what it comes to.
type DecidedEvent struct {
	Question types.Hash     `json:"question"`
	Votes    map[string]int `json:"votes"` // reveals by value
	Seats    int            `json:"seats"`
	Settled  Settlement     `json:"settled"`
}

// ClosedEvent is the data of a "final", an "expired" and a "reopened". Returned and Burned are all that has left the question's
// escrow but for what Settled says besides.
type ClosedEvent struct {
	Question types.Hash  `json:"question"`
	Value    *Value      `json:"value,omitempty"` // of final and reopened
	Returned uint64      `json:"returned,string"`
	Burned   uint64      `json:"burned,string"`
	Settled  *Settlement `json:"settled,omitempty"` // if there was a dispute
}

// NewDisputeView shows a dispute.
func NewDisputeView(d *Dispute) *DisputeView {
	v := &DisputeView{Countered: d.Countered, CommitAt: d.CommitAt, RevealAt: d.RevealAt, EndsAt: d.EndsAt, Quorum: d.Quorum(),
		Producers: append([]types.PublicKey{}, d.Producers...), Commits: make([]CommitView, len(d.Commits)),
		Reveals: make([]RevealView, len(d.Reveals)), Settled: d.Settled}
	for i, c := range d.Commits {
		v.Commits[i] = CommitView{c.Seat, c.Hash, c.Clock}
	}
	for i, r := range d.Reveals {
		v.Reveals[i] = RevealView(r)
	}
	return v
}

// NewHistory lists what happened to a question, the oldest first. disputes are those that it had, by its life; nil for none.
func NewHistory(r *Record, disputes [2]*Dispute) []HistoryEntry {
	out := []HistoryEntry{{Clock: r.Asked, Event: EventAsked, Account: &r.Asker, Amount: r.Deposit}}
	for i := range r.Answers {
		g := &r.Answers[i]
		name := EventAnswered
		if g.Counter {
			name = EventCountered
		}
		out = append(out, HistoryEntry{Clock: g.Clock, Event: name, Account: &g.Account, Value: &g.Value, Amount: g.Bond})
	}
	for _, d := range disputes {
		if d == nil {
			continue
		}
		for i := range d.Commits {
			c := &d.Commits[i]
			out = append(out, HistoryEntry{Clock: c.Clock, Event: EventCommitted, Producer: &d.Producers[c.Seat], Commit: &c.Hash})
		}
		for i := range d.Reveals {
			v := &d.Reveals[i]
			out = append(out, HistoryEntry{Clock: v.Clock, Event: EventRevealed, Producer: &d.Producers[v.Seat], Value: &v.Value})
		}
		if d.Settled != nil {
			out = append(out, HistoryEntry{Clock: d.Over, Event: EventDecided, Value: &d.Settled.Winner, Settled: d.Settled})
		}
	}
	switch r.State {
	case Final:
		out = append(out, HistoryEntry{Clock: r.Closed, Event: EventFinal, Value: &r.Result})
	case Expired:
		out = append(out, HistoryEntry{Clock: r.Closed, Event: EventExpired})
	}
	slices.SortStableFunc(out, func(a, b HistoryEntry) int { return cmp.Compare(a.Clock, b.Clock) })
	return out
}
