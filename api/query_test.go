package api_test

import (
	"bytes"
	"context"
	"testing"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// holding is a chain whose answer is given.
type holding struct {
	*apitest.Chain
	asked  api.QueryRequest
	answer api.QueryAnswer
}

func (h *holding) Query(_ context.Context, q api.QueryRequest) (api.QueryAnswer, error) {
	h.asked = q
	return h.answer, nil
}

// TestQueryCarriesEverything: what a chain is asked and what it answers goes both ways unchanged; an empty value stays one, and
// is not taken for none.
func TestQueryCarriesEverything(t *testing.T) {
	r := newRig(t, api.Options{})
	h := &holding{Chain: apitest.NewChain("held")}
	r.node.Add(h)
	who := types.AccountID{4}
	other := &types.StateProof{Other: &types.StateLeaf{Path: types.StatePathOf("m", types.Place{}, "x"), Value: types.Hash{3}}}
	h.answer = api.QueryAnswer{JSON: []byte(`{"a":1}`), Height: 7, Clock: 9, Caller: &who, ProofHeight: 8, Proofs: []api.ItemProof{
		{Module: "names", Place: types.Place{1}, Key: []byte("k"), Value: []byte("v"), Proof: &types.StateProof{}},
		{Module: "names", Place: types.Place{2}, Value: []byte{}, Proof: other},
		{Module: "names", Key: []byte("none")}}}
	want := api.QueryRequest{Module: "names", Path: "p", Argument: []byte{1, 2}, Prove: true, Auth: []byte{3}}
	res, err := r.chains.Query(context.Background(), connect.NewRequest(&apiv1.QueryRequest{Chain: "held", Module: want.Module, Path: want.Path, Argument: want.Argument,
		Prove: true, Auth: want.Auth}))
	if err != nil {
		t.Fatal(err)
	}
	if mustJSON(t, h.asked) != mustJSON(t, want) {
		t.Errorf("asked %s, want %s", mustJSON(t, h.asked), mustJSON(t, want))
	}
	got, err := api.ParseQuery(res.Msg)
	if err != nil || mustJSON(t, got) != mustJSON(t, h.answer) {
		t.Errorf("got %s, %v\nwant %s", mustJSON(t, got), err, mustJSON(t, h.answer))
	}
	for i, p := range got.Proofs {
		if (p.Value == nil) != (h.answer.Proofs[i].Value == nil) {
			t.Errorf("proof %d: value %v, was %v", i, p.Value, h.answer.Proofs[i].Value)
		}
	}
	h.answer = api.QueryAnswer{JSON: []byte("1")}
	if res, err = r.chains.Query(context.Background(), connect.NewRequest(&apiv1.QueryRequest{Chain: "held"})); err != nil || res.Msg.Caller != "" || h.asked.Auth != nil || h.asked.Prove {
		t.Errorf("%v, asked %+v, %v", res, h.asked, err)
	}
	_, err = r.chains.Query(context.Background(), connect.NewRequest(&apiv1.QueryRequest{Chain: "held", Auth: bytes.Repeat([]byte{1}, types.MaxSignedQueryBytes+1)}))
	if nameOf(err) != "ErrInvalid" {
		t.Errorf("a right to ask that is too long: %v", err)
	}
}

func TestParseQueryRefuses(t *testing.T) {
	for name, m := range map[string]*apiv1.QueryResponse{
		"a caller that is none": {Caller: "alto1x"},
		"a short place":         {Proofs: []*apiv1.ItemProof{{Place: make([]byte, 7)}}},
		"a long place":          {Proofs: []*apiv1.ItemProof{{Place: make([]byte, 9)}}},
		"a proof that is none":  {Proofs: []*apiv1.ItemProof{{Place: make([]byte, 8), Proof: []byte{9}}}},
		"a missing message":     {Proofs: []*apiv1.ItemProof{nil}},
	} {
		if a, err := api.ParseQuery(m); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
