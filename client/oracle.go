package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"strconv"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// AskQuestion is the action oracle.ask. The signer pays the deposit, see [oracle.Terms.Deposit]. The question's id is
// [oracle.QuestionID] of the transaction, and in its event "asked".
func AskQuestion(q oracle.Ask, deposit uint64) types.Action {
	return types.Action{Name: oracle.ActionAsk, Body: q.Encode(), MaxSpend: deposit}
}

// AnswerQuestion is the action oracle.answer. The bond is as large as the question's deposit, and 0 for the asker in its own
// window.
func AnswerQuestion(id types.Hash, v oracle.Value, bond uint64) types.Action {
	return types.Action{Name: oracle.ActionAnswer, Body: oracle.Answer{ID: id, Value: v}.Encode(), MaxSpend: bond}
}

// CounterAnswer is the action oracle.counter: the answer that stands is contradicted, and the producers decide. The bond is as
// large as the question's deposit.
func CounterAnswer(id types.Hash, v oracle.Value, bond uint64) types.Action {
	return types.Action{Name: oracle.ActionCounter, Body: oracle.Counter{ID: id, Value: v}.Encode(), MaxSpend: bond}
}

// CloseQuestion is the action oracle.close: what is due is done now.
func CloseQuestion(id types.Hash) types.Action {
	return types.Action{Name: oracle.ActionClose, Body: oracle.Close{ID: id}.Encode()}
}

// CarryBallot is the action oracle.ballot: a ballot that its producer has signed, see [Client.OracleSignBallot], is brought to the
// chain by somebody else.
func CarryBallot(carried []byte) types.Action {
	return types.Action{Name: oracle.ActionBallot, Body: carried}
}

// OracleTerms returns the conditions on which a chain's questions are asked. A chain without an oracle is an error of the name
// "ErrUnknownModule".
func (c *Client) OracleTerms(ctx context.Context, chain string) (oracle.Terms, error) {
	t, _, err := queryOracle[oracle.Terms](ctx, c, chain, oracle.PathTerms)
	if err == nil {
		if err = t.Validate(); err != nil {
			err = fmt.Errorf("terms of the oracle: answer of the node: %w", err)
		}
	}
	return t, err
}

// Question returns a question as of the final block at height. One that does not exist is an error whose text has the name
// "ErrUnknownQuestion".
func (c *Client) Question(ctx context.Context, chain string, id types.Hash) (v oracle.View, height uint64, err error) {
	v, height, err = queryOracle[oracle.View](ctx, c, chain, oracle.PathQuestion+id.String())
	if err == nil && v.ID != id {
		err = fmt.Errorf("question %s: the node answered about %s", id, v.ID)
	}
	return v, height, err
}

// QuestionFilter says which questions are listed.
type QuestionFilter struct {
	State oracle.State // 0: all
	After *types.Hash  // those after this id; nil: from the first on
	Limit int          // at most [oracle.MaxPage]; 0 leaves it to the node
}

// Questions returns a page of questions in the order of their ids, as of the newest final block. A page may have fewer than
// asked for, or none, and still a Next.
func (c *Client) Questions(ctx context.Context, chain string, f QuestionFilter) (oracle.Page, error) {
	args := url.Values{}
	if f.State != 0 {
		args.Set("state", f.State.String())
	}
	if f.After != nil {
		args.Set("after", f.After.String())
	}
	if f.Limit > 0 {
		args.Set("limit", strconv.Itoa(f.Limit))
	}
	path := oracle.PathQuestions
	if len(args) > 0 {
		path += "?" + args.Encode()
	}
	p, _, err := queryOracle[oracle.Page](ctx, c, chain, path)
	if err == nil && p.Next != nil && f.After != nil && string(p.Next[:]) <= string(f.After[:]) {
		err = fmt.Errorf("questions: the page after %s ends with %s", f.After, p.Next)
	}
	return p, err
}

// QuestionHistory returns what happened to a question, the oldest first, as of the newest final block.
func (c *Client) QuestionHistory(ctx context.Context, chain string, id types.Hash) ([]oracle.HistoryEntry, error) {
	h, _, err := queryOracle[[]oracle.HistoryEntry](ctx, c, chain, oracle.PathHistory+id.String())
	return h, err
}

// Disputes returns a page of the questions about which the producers decide, the first that is due coming first. after is the Next
// of the page before, or "". A limit of 0 leaves it to the node.
func (c *Client) Disputes(ctx context.Context, chain, after string, limit int) (oracle.DisputePage, error) {
	args := url.Values{}
	if after != "" {
		args.Set("after", after)
	}
	if limit > 0 {
		args.Set("limit", strconv.Itoa(limit))
	}
	path := oracle.PathDisputes
	if len(args) > 0 {
		path += "?" + args.Encode()
	}
	p, _, err := queryOracle[oracle.DisputePage](ctx, c, chain, path)
	if err == nil && p.Next != "" && p.Next == after {
		err = fmt.Errorf("disputes: the page after %.80q ends with the same", after)
	}
	return p, err
}

func queryOracle[T any](ctx context.Context, c *Client, chain, path string) (v T, height uint64, err error) {
	b, height, err := c.Query(ctx, chain, oracle.ModuleName, path, nil)
	if err == nil {
		if err = json.Unmarshal(b, &v); err != nil {
			err = fmt.Errorf("query %s %s: answer of the node: %w", oracle.ModuleName, path, err)
		}
	}
	return v, height, err
}

// OracleEvent is something that a chain's oracle has told.
type OracleEvent struct {
	Height      uint64          `json:"height"`
	Clock       uint64          `json:"clock"`
	Slot        uint64          `json:"slot"`
	Transaction *types.TxID     `json:"transaction,omitempty"` // nil for what came by itself, or in a block extension
	Name        string          `json:"event"`                 // oracle.EventAsked and the like
	Question    types.Hash      `json:"question"`
	Data        json.RawMessage `json:"data"` // as package oracle has it under that name
}

// WatchOracle returns the events of a chain's oracle in final blocks, in their order, from a height on; from 0 begins with the
// next block. It goes on and ends as [Client.WatchFinal] does.
func (c *Client) WatchOracle(ctx context.Context, chain string, from uint64) iter.Seq2[OracleEvent, error] {
	return func(yield func(OracleEvent, error) bool) {
		for b, err := range c.WatchFinal(ctx, chain, from, DetailReceipts) {
			if err != nil {
				yield(OracleEvent{}, err)
				return
			}
			for _, e := range OracleEvents(b) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// OracleEvents returns what the oracle has told in a block, which must have been asked for with its receipts.
func OracleEvents(b *api.Block) []OracleEvent {
	var out []OracleEvent
	for i, r := range b.Receipts {
		for _, e := range r.Events {
			if e.Module != oracle.ModuleName {
				continue
			}
			ev := OracleEvent{Height: b.Header.Height, Clock: b.Header.Clock, Slot: b.Header.Slot, Name: e.Name, Data: json.RawMessage(e.Data)}
			if i < len(b.TxIDs) {
				ev.Transaction = &b.TxIDs[i]
			}
			var about struct {
				Question types.Hash `json:"question"`
			}
			switch {
			case !json.Valid(e.Data):
				ev.Data = nil // not what the oracle promises; the name is all that is known
			case json.Unmarshal(e.Data, &about) == nil:
				ev.Question = about.Question
			}
			out = append(out, ev)
		}
	}
	return out
}
