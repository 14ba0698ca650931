package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// envelope makes a transfer that expires at a slot.
func envelope(c *apitest.Chain, expires, salt uint64) ([]byte, types.TxID) {
	key := apitest.Key("alice")
	auth := types.SingleKeyAuthority(key.Public())
	t := &types.Transaction{Module: "bank", Account: auth.ID(), Authority: auth.Encode(), Expires: expires, Salt: salt, MaxGas: 1000, MaxFee: 10_000,
		Actions: []types.Action{{Name: "transfer", Body: types.TransferBody{Amount: 5}.Encode(), MaxSpend: 5}}}
	raw := t.Encode()
	sig, _ := key.Sign(types.TxSignBytes(c.ID(), raw))
	env := types.Envelope{Raw: raw, Signatures: []types.Signature{{Key: key.Public(), Sig: sig}}}
	return env.Encode(), types.TxIDOf(c.ID(), raw)
}

func (r *rig) submit(envelopes ...[]byte) []*apiv1.SubmitResult {
	r.t.Helper()
	res, err := r.chains.SubmitTransactions(context.Background(), connect.NewRequest(&apiv1.SubmitTransactionsRequest{Chain: "root", Envelopes: envelopes}))
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Msg.Results
}

func TestSubmitAnswersForEach(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Skip(10)
	good, id := envelope(r.root, 100, 1)
	late, _ := envelope(r.root, 3, 2)
	forged, _ := envelope(r.root, 100, 3)
	forged[len(forged)-1] ^= 1
	got := r.submit(good, late, good, []byte{1, 2}, forged)
	for i, want := range []string{"", "ErrExpired", "ErrKnown", "ErrMalformed", "ErrSignature"} {
		if got[i].Error != want || (want != "") != (got[i].Message != "") {
			t.Errorf("%d: %v, want %q", i, got[i], want)
		}
	}
	if got[0].Id != id.String() || got[3].Id != "" {
		t.Errorf("ids %q and %q", got[0].Id, got[3].Id)
	}
	r.root.Advance(1)
	if again := r.submit(good); again[0].Error != "ErrDuplicate" {
		t.Errorf("after it was included: %v", again)
	}
	r.root.Halt("reason")
	other, _ := envelope(r.root, 100, 4)
	if halted := r.submit(other); halted[0].Error != "ErrHalted" {
		t.Errorf("halted: %v", halted)
	}
}

func TestSubmitRefusesBadBatches(t *testing.T) {
	r := newRig(t, api.Options{Limits: api.Limits{Batch: 2}})
	for _, n := range []int{0, 3} {
		_, err := r.chains.SubmitTransactions(context.Background(), connect.NewRequest(&apiv1.SubmitTransactionsRequest{Envelopes: make([][]byte, n)}))
		if nameOf(err) != "ErrInvalid" {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestChainsAreAddressedByNameAndID(t *testing.T) {
	shard, twin := apitest.NewChain("shard"), apitest.NewChain("shard")
	r := newRig(t, api.Options{}, shard)
	both := newRig(t, api.Options{}, shard, twin)
	single := newRig(t, api.Options{})
	get := func(r *rig, name string) (string, string) {
		res, err := r.chains.GetReference(context.Background(), connect.NewRequest(&apiv1.GetReferenceRequest{Chain: name}))
		if err != nil {
			return "", nameOf(err)
		}
		return res.Msg.ChainId, ""
	}
	for _, c := range []struct {
		what, name, want, err string
		r                     *rig
	}{
		{"name", "shard", shard.ID().String(), "", r},
		{"id", shard.ID().String(), shard.ID().String(), "", r},
		{"id in capitals", strings.ToUpper(shard.ID().String()), shard.ID().String(), "", r},
		{"unknown name", "sard", "", "ErrUnknownChain", r},
		{"unknown id", strings.Repeat("0", 64), "", "ErrUnknownChain", r},
		{"a long name", strings.Repeat("x", 1000), "", "ErrInvalid", r},
		{"none of two", "", "", "ErrInvalid", r},
		{"none of one", "", single.root.ID().String(), "", single},
		{"a name of two", "shard", "", "ErrInvalid", both},
	} {
		if id, err := get(c.r, c.name); id != c.want || err != c.err {
			t.Errorf("%s: %q %q, want %q %q", c.what, id, err, c.want, c.err)
		}
	}
}

func TestGetChain(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(2)
	res, err := r.chains.GetChain(context.Background(), connect.NewRequest(&apiv1.GetChainRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	set, err := api.ParseSet(res.Msg.Set)
	if err != nil || set.Hash() != r.root.Set().Hash() || res.Msg.Set.Seats[0].Key != r.root.Set().Seats[0].Key.String() {
		t.Errorf("set: %v %v", set, err)
	}
	if !bytes.Equal(res.Msg.Genesis, r.root.Genesis()) || mustJSON(t, api.ParseParams(res.Msg.Params)) != mustJSON(t, r.root.Params()) {
		t.Errorf("genesis %q, parameters %v", res.Msg.Genesis, res.Msg.Params)
	}
	if st, err := api.ParseChainStatus(res.Msg.Status); err != nil || st != r.root.Status() {
		t.Errorf("status %v %v", st, err)
	}
}

func TestTransactionStages(t *testing.T) {
	r := newRig(t, api.Options{})
	env, id := envelope(r.root, 100, 1)
	get := func() api.Tx {
		res, err := r.chains.GetTransaction(context.Background(), connect.NewRequest(&apiv1.GetTransactionRequest{Id: id.String()}))
		if err != nil {
			t.Fatal(err)
		}
		tx, err := api.ParseTx(res.Msg.Transaction)
		if err != nil || tx.ID != id {
			t.Fatal(tx, err)
		}
		return tx
	}
	if tx := get(); tx.Stage != api.Unknown {
		t.Errorf("before: %v", tx)
	}
	r.submit(env)
	if tx := get(); tx.Stage != api.Waiting || !bytes.Equal(tx.Envelope, env) {
		t.Errorf("submitted: %v", tx)
	}
	r.root.Include()
	if tx := get(); tx.Stage != api.Included || tx.Height != 1 || tx.Receipt != nil {
		t.Errorf("included: %v", tx)
	}
	r.root.Advance(1)
	b, _ := r.root.Block(context.Background(), 1)
	if tx := get(); tx.Stage != api.Final || tx.Height != 1 || tx.Block != b.ID || mustJSON(t, tx.Receipt) != mustJSON(t, b.Receipts[0]) {
		t.Errorf("final: %v", tx)
	}
	for _, bad := range []string{"", "xyz", strings.Repeat("0", 63), strings.Repeat("0", 70000)} {
		_, err := r.chains.GetTransaction(context.Background(), connect.NewRequest(&apiv1.GetTransactionRequest{Id: bad}))
		if nameOf(err) != "ErrInvalid" {
			t.Errorf("id %.20q: %v", bad, err)
		}
		_, err = r.chains.WaitTransaction(context.Background(), connect.NewRequest(&apiv1.WaitTransactionRequest{Id: bad}))
		if nameOf(err) != "ErrInvalid" {
			t.Errorf("wait for id %.20q: %v", bad, err)
		}
	}
}

func TestGetBlockDetail(t *testing.T) {
	r := newRig(t, api.Options{})
	env, _ := envelope(r.root, 100, 1)
	r.submit(env)
	r.root.Advance(2)
	want, _ := r.root.Block(context.Background(), 1)
	for d := apiv1.BlockDetail_BLOCK_DETAIL_UNSPECIFIED; d <= apiv1.BlockDetail_BLOCK_DETAIL_BODY; d++ {
		one := uint64(1)
		res, err := r.chains.GetBlock(context.Background(), connect.NewRequest(&apiv1.GetBlockRequest{Height: &one, Detail: d}))
		if err != nil {
			t.Fatal(err)
		}
		b, err := api.ParseBlock(res.Msg.Block)
		if err != nil || b.ID != want.ID || b.TxCount != 1 || res.Msg.Block.TimeMs != 1_000_500 {
			t.Errorf("%v: %v %v", d, res.Msg, err)
		}
		level := d
		if d == 0 {
			level = apiv1.BlockDetail_BLOCK_DETAIL_RECEIPTS
		}
		if (b.TxIDs != nil) != (level >= apiv1.BlockDetail_BLOCK_DETAIL_IDS) || (b.Receipts != nil) != (level >= apiv1.BlockDetail_BLOCK_DETAIL_RECEIPTS) ||
			(b.Body != nil) != (level >= apiv1.BlockDetail_BLOCK_DETAIL_BODY) {
			t.Errorf("%v: ids %v, receipts %v, body %d", d, b.TxIDs, b.Receipts, len(b.Body))
		}
		if b.Receipts != nil && types.ReceiptsRoot(b.Receipts) != types.ReceiptsRoot(want.Receipts) {
			t.Errorf("receipts changed on their way: %v", b.Receipts)
		}
	}
	newest, err := r.chains.GetBlock(context.Background(), connect.NewRequest(&apiv1.GetBlockRequest{}))
	if err != nil || newest.Msg.Block.Header.Height != 2 || newest.Msg.Block.Certificate == nil {
		t.Fatalf("newest: %v %v", newest, err)
	}
	if got := fmt.Sprint(newest.Msg.Block.Certificate.Seats); got != "[0 1 3]" {
		t.Errorf("seats %s", got)
	}
	nine := uint64(9)
	if _, err = r.chains.GetBlock(context.Background(), connect.NewRequest(&apiv1.GetBlockRequest{Height: &nine})); nameOf(err) != "ErrNotFound" {
		t.Errorf("above the final height: %v", err)
	}
	if _, err = r.chains.GetBlock(context.Background(), connect.NewRequest(&apiv1.GetBlockRequest{Detail: 9})); nameOf(err) != "ErrInvalid" {
		t.Errorf("unknown detail: %v", err)
	}
}

func TestListBlocks(t *testing.T) {
	r := newRig(t, api.Options{})
	at := func(h uint64) *uint64 { return &h }
	list := func(from *uint64, limit uint32) string {
		res, err := r.chains.ListBlocks(context.Background(), connect.NewRequest(&apiv1.ListBlocksRequest{From: from, Limit: limit}))
		if err != nil {
			return nameOf(err)
		}
		m := res.Msg
		if len(m.Blocks) == 0 {
			return fmt.Sprintf("none next %d final %d", m.Next, m.Final)
		}
		for i, b := range m.Blocks {
			if b.Header.Height != m.Blocks[0].Header.Height+uint64(i) {
				t.Errorf("not in order: %v", m)
			}
		}
		return fmt.Sprintf("%d-%d next %d final %d", m.Blocks[0].Header.Height, m.Blocks[len(m.Blocks)-1].Header.Height, m.Next, m.Final)
	}
	if got := list(nil, 5); got != "none next 1 final 0" {
		t.Errorf("a chain without blocks: %s", got)
	}
	r.root.Advance(150)
	for _, c := range []struct {
		from  *uint64
		limit uint32
		want  string
	}{
		{nil, 0, "131-150 next 151 final 150"}, {nil, 100, "51-150 next 151 final 150"}, {at(0), 3, "1-3 next 4 final 150"}, {at(1), 100, "1-100 next 101 final 150"},
		{at(149), 100, "149-150 next 151 final 150"}, {at(151), 1, "none next 151 final 150"}, {at(^uint64(0)), 1, "none next 18446744073709551615 final 150"},
		{at(1), 101, "ErrInvalid"}, {at(1), ^uint32(0), "ErrInvalid"},
	} {
		if got := list(c.from, c.limit); got != c.want {
			t.Errorf("from %v limit %d: %s, want %s", c.from, c.limit, got, c.want)
		}
	}
	small := newRig(t, api.Options{Limits: api.Limits{PageBytes: 1000}})
	small.root.Advance(50)
	res, err := small.chains.ListBlocks(context.Background(), connect.NewRequest(&apiv1.ListBlocksRequest{From: at(1), Limit: 50}))
	if err != nil || len(res.Msg.Blocks) != 1 || res.Msg.Next != 2 {
		t.Errorf("a page that is full: %v", err)
	}
}

func TestGetEpoch(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(4)
	ctx := context.Background()
	zero, one := uint64(0), uint64(1)
	for _, number := range []*uint64{nil, &zero} {
		res, err := r.chains.GetEpoch(ctx, connect.NewRequest(&apiv1.GetEpochRequest{Chain: "root", Epoch: number}))
		if err != nil {
			t.Fatal(err)
		}
		e, err := api.ParseEpoch(res.Msg)
		if err != nil || e.Set.Hash() != r.root.Set().Hash() || e.Opened.Height != 0 || e.Opened.NextSet != e.Set.Hash() || e.Proof != nil {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if _, err := r.chains.GetEpoch(ctx, connect.NewRequest(&apiv1.GetEpochRequest{Epoch: &one})); nameOf(err) != "ErrNotFound" {
		t.Errorf("an epoch to come: %v", err)
	}
	if _, err := r.chains.GetEpoch(ctx, connect.NewRequest(&apiv1.GetEpochRequest{Chain: "rot"})); nameOf(err) != "ErrUnknownChain" {
		t.Errorf("another chain: %v", err)
	}
	res, err := r.chains.GetEpoch(ctx, connect.NewRequest(&apiv1.GetEpochRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	h := types.Header{Chain: r.root.ID(), NextSet: types.Hash{1}}
	for name, spoil := range map[string]func(*apiv1.GetEpochResponse){
		"no set":      func(m *apiv1.GetEpochResponse) { m.Set = nil },
		"no header":   func(m *apiv1.GetEpochResponse) { m.Opened = nil },
		"no proof":    func(m *apiv1.GetEpochResponse) { m.Finality = []byte{1} },
		"another set": func(m *apiv1.GetEpochResponse) { m.Opened = h.Encode() },
	} {
		m := proto.Clone(res.Msg).(*apiv1.GetEpochResponse)
		spoil(m)
		if _, err := api.ParseEpoch(m); err == nil {
			t.Errorf("%s: an answer that makes no sense is accepted", name)
		}
	}
}

func TestGetAccount(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(4)
	auth := types.SingleKeyAuthority(apitest.Key("alice").Public())
	auth.Links = []types.Link{{Pattern: "bank.*", Permission: "active"}}
	auth.Permissions[0].Accounts = []types.AccountWeight{{Account: types.AccountID{9}, Permission: "active", Weight: 1}}
	id := auth.ID()
	want := api.Account{ID: id, Balance: 100, Locked: 30, Free: 70, Authority: auth, Clock: 3, Proofs: []api.ItemProof{{Module: "m", Key: []byte("k"), Value: []byte("v")}}, ProofHeight: 5}
	r.root.SetAccount(want)
	want.Height = 4
	get := func(s string) (*apiv1.GetAccountResponse, error) {
		res, err := r.chains.GetAccount(context.Background(), connect.NewRequest(&apiv1.GetAccountRequest{Account: s, Prove: true}))
		if err != nil {
			return nil, err
		}
		return res.Msg, nil
	}
	m, err := get(id.String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := api.ParseAccount(m)
	if err != nil || mustJSON(t, got) != mustJSON(t, want) {
		t.Errorf("got %s want %s: %v", mustJSON(t, got), mustJSON(t, want), err)
	}
	if p := m.Authority.Permissions[0]; p.Name != "active" || p.Keys[0].Key != apitest.Key("alice").Public().Hash().String() || p.Accounts[0].Permission != "active" {
		t.Errorf("authority: %v", m.Authority)
	}
	if m, err := get(types.AccountID{7}.String()); err != nil || m.Balance != 0 || m.Authority != nil || m.Height != 4 {
		t.Errorf("an account that does not exist: %v %v", m, err)
	}
	for _, bad := range []string{"", "alto1", id.String()[:30], id.String() + "q", strings.Repeat("a", 1<<16), "bob"} {
		if _, err := get(bad); nameOf(err) != "ErrInvalid" {
			t.Errorf("account %.20q: %v", bad, err)
		}
	}
}

func TestQuery(t *testing.T) {
	r := newRig(t, api.Options{})
	for _, c := range []struct {
		req  *apiv1.QueryRequest
		want string
	}{
		{&apiv1.QueryRequest{Module: "bank", Path: "echo", Argument: []byte("x")}, `{"echo":"x"}`},
		{&apiv1.QueryRequest{Module: "bank", Path: "echo", Text: "y"}, `{"echo":"y"}`},
		{&apiv1.QueryRequest{Module: "bank", Path: "echo", Text: "y", Argument: []byte("x")}, "ErrInvalid"},
		{&apiv1.QueryRequest{Module: "bank", Path: "none"}, "ErrUnknownPath"},
		{&apiv1.QueryRequest{Module: "none"}, "ErrUnknownModule"},
		{&apiv1.QueryRequest{Module: strings.Repeat("m", 300)}, "ErrInvalid"},
		{&apiv1.QueryRequest{Module: "bank", Path: "echo", Argument: make([]byte, 1<<17)}, "ErrInvalid"},
	} {
		res, err := r.chains.Query(context.Background(), connect.NewRequest(c.req))
		got := nameOf(err)
		if err == nil {
			got = res.Msg.Json
		}
		if got != c.want {
			t.Errorf("%.80v: %s, want %s", c.req, got, c.want)
		}
	}
}

func TestGetParams(t *testing.T) {
	r := newRig(t, api.Options{})
	res, err := r.chains.GetParams(context.Background(), connect.NewRequest(&apiv1.GetParamsRequest{Chain: "root"}))
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := api.ParseRegistry(res.Msg)
	if err != nil || !reflect.DeepEqual(got, apitest.Registry()) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, apitest.Registry())
	}
	if _, err := r.chains.GetParams(context.Background(), connect.NewRequest(&apiv1.GetParamsRequest{Chain: "rot"})); nameOf(err) != "ErrUnknownChain" {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*apiv1.GetParamsResponse){
		"value":         func(m *apiv1.GetParamsResponse) { m.Params[1].Value = "x" },
		"no value":      func(m *apiv1.GetParamsResponse) { m.Params[1].Value = "" },
		"bound":         func(m *apiv1.GetParamsResponse) { m.Params[1].Max = "{" },
		"authority":     func(m *apiv1.GetParamsResponse) { m.Authority = "alto1x" },
		"who":           func(m *apiv1.GetParamsResponse) { m.Pending.By = "" },
		"pending value": func(m *apiv1.GetParamsResponse) { m.Pending.Changes[0].To = "}" },
	} {
		m := proto.Clone(res.Msg).(*apiv1.GetParamsResponse)
		spoil(m)
		if _, _, err := api.ParseRegistry(m); err == nil {
			t.Errorf("%s: an answer that makes no sense is accepted", name)
		}
	}
}

func TestErrorName(t *testing.T) {
	insufficient := errors.New("ErrInsufficient")
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"sentinel", insufficient, "ErrInsufficient"},
		{"with text", fmt.Errorf("%w: needs 5", insufficient), "ErrInsufficient"},
		{"wrapped", fmt.Errorf("chain root: %w", fmt.Errorf("%w: needs 5", insufficient)), "ErrInsufficient"},
		{"second of two", fmt.Errorf("%w and %w", errors.New("x"), insufficient), "ErrInsufficient"},
		{"a stranger's text", errors.New("module said: ErrInsufficient: x"), "ErrInternal"},
		{"no name", errors.New("Err: x"), "ErrInternal"},
		{"not a name", errors.New("Errare humanum est"), "ErrInternal"},
		{"module", fmt.Errorf("ask: %w", module.ErrUnknownPath), "ErrUnknownPath"},
		{"deadline", fmt.Errorf("ask: %w", context.DeadlineExceeded), "ErrTimeout"},
		{"cancelled", context.Canceled, "ErrCancelled"},
	} {
		if got := api.ErrorName(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
