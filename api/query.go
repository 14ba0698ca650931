package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// QueryRequest is a question to a module of a chain.
type QueryRequest struct {
	Module, Path string
	Argument     []byte
	// Prove wants the items that the answer rests on, with proofs. The answer is then as of the newest block whose state root is in
	// a final header, which is the one before the newest. Those items are shown as they are, whatever the module leaves out of its
	// answer.
	Prove bool
	// Auth is an encoded [types.SignedQuery]: the module is asked in the name of its account and may show what only that account
	// may see. Nil: in nobody's name.
	Auth []byte
}

// QueryAnswer is what a module answers.
type QueryAnswer struct {
	JSON          []byte           // the module's word
	Height, Clock uint64           // of the final block after which it is so
	Caller        *types.AccountID // in whose name the module was asked; nil: in nobody's
	// Proofs are of the items that the answer rests on, by the word of the module.
	Proofs []ItemProof
	// ProofHeight is the height of the final block whose state root the proofs lead to, the one after Height; 0 without proofs.
	ProofHeight uint64
}

// Query implements apiv1connect.ChainServiceHandler.
func (c *chainService) Query(ctx context.Context, r *connect.Request[apiv1.QueryRequest]) (*connect.Response[apiv1.QueryResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	q, err := queryOf(r.Msg)
	if err != nil {
		return nil, wireError(err, 0)
	}
	a, err := ch.Query(ctx, q)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(queryMessage(&a)), nil
}

func queryOf(m *apiv1.QueryRequest) (QueryRequest, error) {
	q := QueryRequest{Module: m.Module, Path: m.Path, Argument: m.Argument, Prove: m.Prove}
	if m.Text != "" {
		if len(q.Argument) > 0 {
			return q, fmt.Errorf("%w: argument and text are both set", ErrInvalid)
		}
		q.Argument = []byte(m.Text)
	}
	if len(m.Auth) > 0 {
		q.Auth = m.Auth
	}
	if len(q.Module) > maxName || len(q.Path) > maxName || len(q.Argument) > maxArgument || len(q.Auth) > types.MaxSignedQueryBytes {
		return q, fmt.Errorf("%w: module and path have at most %d bytes, an argument %d, a signed right to ask %d", ErrInvalid, maxName, maxArgument,
			types.MaxSignedQueryBytes)
	}
	return q, nil
}

func queryMessage(a *QueryAnswer) *apiv1.QueryResponse {
	m := &apiv1.QueryResponse{Json: clean(string(a.JSON)), Height: a.Height, Clock: a.Clock, Proofs: proofMessages(a.Proofs), ProofHeight: a.ProofHeight}
	if a.Caller != nil {
		m.Caller = a.Caller.String()
	}
	return m
}

func proofMessages(proofs []ItemProof) (out []*apiv1.ItemProof) {
	for _, p := range proofs {
		m := &apiv1.ItemProof{Module: p.Module, Place: p.Place[:], Key: p.Key, Value: p.Value}
		if p.Proof != nil {
			m.Proof = p.Proof.Encode()
		}
		out = append(out, m)
	}
	return out
}

// ParseQuery reads a QueryResponse. That the proofs prove anything is for the caller to verify.
func ParseQuery(m *apiv1.QueryResponse) (QueryAnswer, error) {
	var p parser
	a := QueryAnswer{JSON: []byte(m.GetJson()), Height: m.GetHeight(), Clock: m.GetClock(), Proofs: p.proofs(m.GetProofs()), ProofHeight: m.GetProofHeight()}
	if m.GetCaller() != "" {
		id := p.account("caller", m.GetCaller())
		a.Caller = &id
	}
	return a, p.err
}

func (p *parser) proofs(list []*apiv1.ItemProof) (out []ItemProof) {
	for _, q := range list {
		v := ItemProof{Module: q.GetModule(), Key: q.GetKey()}
		if q != nil {
			v.Value = q.Value // nil where there is none, which an empty one is not
		}
		if copy(v.Place[:], q.GetPlace()) != len(v.Place) || len(q.GetPlace()) != len(v.Place) {
			p.fail("proof", fmt.Errorf("a place of %d bytes", len(q.GetPlace())))
		}
		if len(q.GetProof()) > 0 {
			var err error
			v.Proof, err = types.DecodeStateProof(q.GetProof())
			p.fail("proof", err)
		}
		out = append(out, v)
	}
	return out
}
