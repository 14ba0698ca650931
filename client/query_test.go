package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (l *liar) Query(ctx context.Context, q api.QueryRequest) (api.QueryAnswer, error) {
	a, err := l.Chain.Query(ctx, q)
	if err == nil && l.query != nil {
		l.query(&a)
	}
	return a, err
}

// TestQueryInAName: the right to ask is made for the account and the question, and what a node says of who has asked is compared.
func TestQueryInAName(t *testing.T) {
	l, c := lightRig(t)
	key, account := alice()
	ctx := within(t)
	q := api.QueryRequest{Module: "bank", Path: "whoami", Argument: []byte("a")}
	auth, err := c.QueryAuth(ctx, "root", account, q, key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := types.DecodeSignedQuery(auth)
	if err != nil {
		t.Fatal(err)
	}
	x, err := types.DecodeQueryAuth(s.Raw)
	if err != nil || x.Account != account || x.Expires != 100 || types.AccountIDOf(x.Authority) != account || x.Argument != types.QueryArgumentHash(q.Argument) {
		t.Errorf("%+v, %v", x, err)
	}
	mine := q
	mine.Auth = auth
	if a, err := c.Ask(ctx, "root", mine); err != nil || a.Caller == nil || *a.Caller != account || !strings.Contains(string(a.JSON), account.String()) {
		t.Errorf("%s, %v", a.JSON, err)
	}
	if a, err := c.Ask(ctx, "root", q); err != nil || a.Caller != nil || string(a.JSON) != "{}" {
		t.Errorf("in nobody's name: %s, %v", a.JSON, err)
	}
	for name, change := range map[string]func(q *api.QueryRequest){
		"another path":     func(q *api.QueryRequest) { q.Path = "echo" },
		"another argument": func(q *api.QueryRequest) { q.Argument = []byte("b") },
	} {
		y := mine
		change(&y)
		if a, err := c.Ask(ctx, "root", y); client.Name(err) != "ErrUnauthorised" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	l.SetAccount(api.Account{ID: account, Authority: types.SingleKeyAuthority(key.Public())})
	if auth, err = c.QueryAuth(ctx, "root", account, q, key); err != nil || len(auth) >= len(mine.Auth) {
		t.Errorf("an authority that is known already is shown: %d bytes, %v", len(auth), err)
	}
	for name, lie := range map[string]func(a *api.QueryAnswer){
		"nobody":  func(a *api.QueryAnswer) { a.Caller = nil },
		"another": func(a *api.QueryAnswer) { a.Caller = &types.AccountID{1} },
	} {
		l.query = lie
		if a, err := c.Ask(ctx, "root", mine); err == nil || !strings.Contains(err.Error(), "in whose name") {
			t.Errorf("asked by %s: %+v, %v", name, a, err)
		}
	}
	l.query = func(a *api.QueryAnswer) { a.Caller = &account }
	if a, err := c.Ask(ctx, "root", q); err == nil {
		t.Errorf("asked by somebody all the same: %+v", a)
	}
	l.query = nil
	l.Skip(200)
	if a, err := c.Ask(ctx, "root", mine); client.Name(err) != "ErrExpired" {
		t.Errorf("too late: %+v, %v", a, err)
	}
	if _, err := c.QueryAuth(ctx, "root", account, q); err == nil {
		t.Error("signed by nobody")
	}
}

func balanceItem(id types.AccountID) module.Item {
	return module.Item{Place: id.Place(), Key: string(id[:])}
}

func TestLightQuery(t *testing.T) {
	_, id := alice()
	q := api.QueryRequest{Module: apitest.BalanceModule, Path: "balance"}
	var of api.QueryAnswer // an older one
	for _, r := range []struct {
		name  string
		lie   func(*api.QueryAnswer)
		block func(*api.Block)
		want  error // besides ErrUnproven; nil: any
		says  string
	}{
		{name: "the truth"},
		{name: "the truth about the items, not the answer", lie: func(a *api.QueryAnswer) { a.JSON = []byte(`{"balance":1}`) }},
		{name: "another value", lie: func(a *api.QueryAnswer) { a.Proofs[0].Value = []byte{9, 0} }, want: types.ErrBadProof},
		{name: "no value", lie: func(a *api.QueryAnswer) { a.Proofs[0].Value = nil }, want: types.ErrBadProof},
		{name: "no proof", lie: func(a *api.QueryAnswer) { a.Proofs[0].Proof = nil }, want: types.ErrBadProof},
		{name: "another key", lie: func(a *api.QueryAnswer) { a.Proofs[0].Key = []byte("k") }, want: types.ErrBadProof},
		{name: "another place", lie: func(a *api.QueryAnswer) { a.Proofs[0].Place[0]++ }, want: types.ErrBadProof},
		{name: "another module", lie: func(a *api.QueryAnswer) { a.Proofs[0].Module = "bank" }, want: light.ErrForeignItem},
		{name: "an item twice", lie: func(a *api.QueryAnswer) { a.Proofs = append(a.Proofs, a.Proofs[0]) }, want: light.ErrRepeatedItem},
		{name: "the item left out", lie: func(a *api.QueryAnswer) { a.Proofs = nil }, says: "no proof of item"},
		{name: "another item in its place", lie: func(a *api.QueryAnswer) { a.Proofs[0].Key, a.Proofs[0].Value = []byte("k"), nil }, want: types.ErrBadProof},
		{name: "an older state as if it were new", lie: func(a *api.QueryAnswer) { a.Proofs = of.Proofs }, want: types.ErrBadProof},
		{name: "another height", lie: func(a *api.QueryAnswer) { a.ProofHeight--; a.Height-- }, want: types.ErrBadProof},
		{name: "another state", block: func(b *api.Block) { b.Header.StateRoot[0]++ }},
		{name: "a state of the node's own, well proven by a header that nobody has signed", lie: func(a *api.QueryAnswer) {
			a.Proofs[0].Value, a.Proofs[0].Proof = []byte{99, 0}, &types.StateProof{}
		}, block: func(b *api.Block) {
			path := types.StatePathOf(apitest.BalanceModule, id.Place(), string(id[:]))
			b.Header.StateRoot = types.StateLeafHash(&path, types.StateValueHash([]byte{99, 0}))
		}},
	} {
		for _, suffix := range []int{0, 2} {
			l, c := lightRig(t)
			l.SetAccount(api.Account{ID: id, Balance: 70})
			l.Track(id)
			x := follow(t, l, c)
			l.Advance(2)
			of, _ = l.Chain.Query(within(t), api.QueryRequest{Module: q.Module, Path: q.Path, Prove: true})
			l.Close(suffix)
			l.SetAccount(api.Account{ID: id, Balance: 80})
			l.Advance(2)
			l.query, l.block = r.lie, r.block
			a, err := x.Query(within(t), q, balanceItem(id))
			if strings.HasPrefix(r.name, "the truth") {
				if err != nil || a.At.Height != 5 || len(a.Items) != 1 {
					t.Fatalf("%s: %+v %v", r.name, a, err)
				}
				if v, ok := a.Value(balanceItem(id)); !ok || v[0] != 80 {
					t.Errorf("%s: value %v %v", r.name, v, ok)
				}
				if _, ok := a.Value(balanceItem(types.AccountID{9})); ok {
					t.Errorf("%s: an item is proven that nobody has asked for", r.name)
				}
			} else if !errors.Is(err, client.ErrUnproven) || r.want != nil && !errors.Is(err, r.want) || !strings.Contains(err.Error(), r.says) {
				t.Errorf("%s: %+v %v", r.name, a, err)
			}
		}
	}
	l, c := lightRig(t)
	x := follow(t, l, c)
	l.Track(id)
	if _, err := x.Query(within(t), q); client.Name(err) != "ErrNotFound" {
		t.Errorf("before there is a proof: %v", err)
	}
	l.Advance(3)
	if a, err := x.Query(within(t), q, balanceItem(id)); err != nil {
		t.Errorf("an account that has nothing: %v", err)
	} else if v, ok := a.Value(balanceItem(id)); v != nil || !ok {
		t.Errorf("an account that has nothing: %v %v", v, ok)
	}
	for name, lie := range map[string]func(a *api.QueryAnswer){
		"no proofs at all":     func(a *api.QueryAnswer) { a.ProofHeight, a.Proofs = 0, nil },
		"proofs of another":    func(a *api.QueryAnswer) { a.ProofHeight-- },
		"about another":        func(a *api.QueryAnswer) { a.Height-- },
		"a block that is none": func(a *api.QueryAnswer) { a.ProofHeight, a.Height = 1<<40, 1<<40-1 },
	} {
		l.query = lie
		if a, err := x.Query(within(t), q); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// counting is a module that answers from items that it reads, in the name of a caller.
type counting struct {
	module.Module
	read []module.Item
	scan bool
}

func (m counting) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	if m.scan {
		_, _, err := r.Scan(ctx, module.BlockTx, module.Item{}, module.Item{Key: "z"}, 5)
		return module.Answer{JSON: []byte("1")}, err
	}
	v, _ := r.Read(ctx, module.BlockTx, m.read) // that it failed is not for the module to hide
	return module.Answer{JSON: fmt.Appendf(nil, "%v %d %d %s", v, q.Height, q.Clock, q.Path)}, nil
}

// TestCompute: an answer is made anew from what is proven, as of the height and clock that the chain had, and from nothing else.
func TestCompute(t *testing.T) {
	_, id := alice()
	for _, blocks := range []int{2, 4} {
		l, c := lightRig(t)
		l.SetAccount(api.Account{ID: id, Balance: 70})
		l.Track(id)
		l.Skip(5)
		l.Advance(blocks)
		x := follow(t, l, c)
		a, err := x.Query(within(t), api.QueryRequest{Module: apitest.BalanceModule, Path: "balance"})
		if err != nil {
			t.Fatal(err)
		}
		parent, err := l.Chain.Block(within(t), uint64(blocks-1))
		if err != nil || parent.Header.Clock == 0 {
			t.Fatal(parent, err)
		}
		want := fmt.Sprintf("[[70 0]] %d %d balance", blocks-1, parent.Header.Clock)
		if got, err := x.Compute(within(t), a, counting{read: []module.Item{balanceItem(id)}}); err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
		if got, err := x.Compute(within(t), a, counting{read: []module.Item{balanceItem(types.AccountID{1})}}); !errors.Is(err, client.ErrUnproven) {
			t.Errorf("an item that is not proven: %s, %v", got, err)
		}
		if got, err := x.Compute(within(t), a, counting{scan: true}); !errors.Is(err, client.ErrUnproven) {
			t.Errorf("a range: %s, %v", got, err)
		}
		l.block = func(b *api.Block) { b.Header.Clock++ }
		if got, err := x.Compute(within(t), a, counting{read: []module.Item{balanceItem(id)}}); !errors.Is(err, client.ErrUnproven) {
			t.Errorf("another clock: %s, %v", got, err)
		}
	}
}
