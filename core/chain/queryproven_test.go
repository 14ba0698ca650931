package chain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// diary is a module that shows an account's private page to that account alone: an item is in RestsOn only if its value may be
// seen, since who asks for proofs is shown it.
type diary struct{ native.Base }

func page(kind string, of types.AccountID) module.Item {
	return module.Item{Place: of.Place(), Key: kind + string(of[:])}
}

func (diary) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	return make([]module.TxCheck, len(txs)), nil
}

func (diary) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i, t := range b.Txs {
		for _, a := range t.Actions {
			out.Txs[i].Writes = append(out.Txs[i].Writes, module.Write{Item: page(a.Name, t.Account), Data: a.Body})
		}
	}
	return out, nil
}

func (diary) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	switch path, rest, _ := strings.Cut(q.Path, "/"); path {
	case "of":
		of, err := types.ParseAccountID(rest)
		if err != nil {
			return module.Answer{}, fmt.Errorf("%w: %w", module.ErrUnknownPath, err)
		}
		items := []module.Item{page("open", of)}
		if q.Caller != nil && *q.Caller == of {
			items = append(items, page("private", of))
		}
		v, err := r.Read(ctx, module.BlockTx, items)
		if err != nil {
			return module.Answer{}, err
		}
		view := map[string]any{"open": string(v[0]), "height": q.Height, "clock": q.Clock}
		if len(v) > 1 {
			view["private"] = string(v[1])
		}
		b, err := json.Marshal(view)
		return module.Answer{JSON: b, RestsOn: append(items, items[0])}, err // the first one twice
	case "many":
		a := module.Answer{JSON: []byte("1")}
		for i := range MaxProvenItems + 1 {
			a.RestsOn = append(a.RestsOn, module.Item{Key: fmt.Sprint(i)})
		}
		a.RestsOn = a.RestsOn[:MaxProvenItems+len(q.Argument)]
		return a, nil
	case "none":
		return module.Answer{JSON: []byte(`"nothing"`)}, nil
	}
	return module.Answer{}, module.ErrUnknownPath
}

// diaryKit is a chain with a diary, whose alice has written a page of each kind and whose bob has written an empty one.
func diaryKit(t *testing.T) *kit {
	k := newKit(t, &solo{target: 12}, true, func(cfg *Config) {
		l, err := ledger.New(ledger.Config{Genesis: cfg.Genesis, Modules: []ledger.Named{{Name: types.ModuleAccount, Module: account.New(ledger.TillItem, ledger.AuthorityItem)},
			{Name: types.ModuleBank, Module: bank.New()}, {Name: "diary", Module: diary{}}}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Ledger, cfg.Pool = l, mempool.New(l, mempool.Options{})
	})
	k.submit(k.write(alice, "open", "for all", "private", "for me"), k.write(bob, "open", ""))
	k.run()
	k.final(12)
	return k
}

func (k *kit) write(by key, pages ...string) []byte {
	height, id, _, _ := k.Reference()
	t := &types.Transaction{Module: "diary", Account: by.id(), Authority: types.SingleKeyAuthority(by.pub).Encode(), Expires: 120, RefHeight: height,
		RefHash: [16]byte(id[:16]), MaxGas: 100_000, MaxFee: 200_000}
	for i := 0; i < len(pages); i += 2 {
		t.Actions = append(t.Actions, types.Action{Name: pages[i], Body: []byte(pages[i+1])})
	}
	env := types.Envelope{Raw: t.Encode()}
	env.Signatures = []types.Signature{{Key: by.pub, Sig: ed25519.Sign(by.priv, types.TxSignBytes(k.g.ID(), env.Raw))}}
	return env.Encode()
}

// rightToAsk is what by signs to ask a question in the name of an account.
func (k *kit) rightToAsk(by key, of types.AccountID, q Question) []byte {
	s := types.SignedQuery{Raw: (&types.QueryAuth{Account: of, Module: q.Module, Path: q.Path, Argument: types.QueryArgumentHash(q.Argument), Expires: k.Slot() + 10}).Encode()}
	s.Signatures = []types.Signature{{Key: by.pub, Sig: ed25519.Sign(by.priv, types.QuerySignBytes(k.g.ID(), s.Raw))}}
	return s.Encode()
}

// TestAskInAName: a module shows the private page to the account whose it is, by the account's signature, and to nobody else.
func TestAskInAName(t *testing.T) {
	k := diaryKit(t)
	q := Question{Module: "diary", Path: "of/" + alice.id().String()}
	other := Question{Module: "diary", Path: "of/" + bob.id().String()}
	for _, c := range []struct {
		name    string
		auth    []byte
		err     error
		private bool
	}{
		{"nobody", nil, nil, false},
		{"alice", k.rightToAsk(alice, alice.id(), q), nil, true},
		{"bob", k.rightToAsk(bob, bob.id(), q), nil, false},
		{"bob in the name of alice", k.rightToAsk(bob, alice.id(), q), ledger.ErrUnauthorised, false},
		{"what alice has signed for another question", k.rightToAsk(alice, alice.id(), other), ledger.ErrUnauthorised, false},
		{"a transaction of alice", k.write(alice, "open", "x"), ledger.ErrMalformed, false},
		{"no bytes", []byte{}, ledger.ErrMalformed, false},
	} {
		for _, prove := range []bool{false, true} {
			q := q
			q.Auth, q.Prove = c.auth, prove
			a, err := k.Ask(context.Background(), q)
			if !errors.Is(err, c.err) || err != nil && (a.JSON != nil || a.Proven != nil) {
				t.Errorf("%s: %s, %v; want %v", c.name, a.JSON, err, c.err)
				continue
			}
			if got := strings.Contains(string(a.JSON), "for me"); got != c.private || (a.Caller != nil) != (c.auth != nil && err == nil) {
				t.Errorf("%s: %s, asked by %v", c.name, a.JSON, a.Caller)
			}
			if err == nil && !strings.Contains(string(a.JSON), "for all") {
				t.Errorf("%s: %s", c.name, a.JSON)
			}
			if a.Proven != nil {
				for _, v := range a.Proven.Values {
					if !c.private && bytes.Contains(v, []byte("for me")) {
						t.Errorf("%s: the proofs show what the answer leaves out", c.name)
					}
				}
			}
		}
	}
}

// TestAskWithProofs: an answer and its proofs are of one state, which the header at the height says; every item is proven, each
// once, values, an empty value and absence alike.
func TestAskWithProofs(t *testing.T) {
	k := diaryKit(t)
	ctx := context.Background()
	for _, c := range []struct {
		of    types.AccountID
		value []byte
	}{{alice.id(), []byte("for all")}, {bob.id(), []byte{}}, {types.AccountID{7}, nil}} {
		a, err := k.Ask(ctx, Question{Module: "diary", Path: "of/" + c.of.String(), Prove: true})
		if err != nil {
			t.Fatal(err)
		}
		p := a.Proven
		if len(p.Items) != 1 || len(p.Values) != 1 || len(p.Proofs) != 1 || p.Items[0].Module != "diary" {
			t.Fatalf("%d items, %d values, %d proofs: %+v", len(p.Items), len(p.Values), len(p.Proofs), p.Items)
		}
		if !bytes.Equal(p.Values[0], c.value) || (p.Values[0] == nil) != (c.value == nil) {
			t.Errorf("%s: %q (%v), want %q (%v)", c.of, p.Values[0], p.Values[0] == nil, c.value, c.value == nil)
		}
		parent, err := k.finalAt(ctx, a.Height)
		if err != nil || p.Root.Parent != parent.ID || a.Clock != parent.Header.Clock || !strings.Contains(string(a.JSON), fmt.Sprintf(`"height":%d`, a.Height)) {
			t.Errorf("as of block %d with clock %d: %s, %v", a.Height, a.Clock, a.JSON, err)
		}
		held := []light.Held{{Item: light.Item{Module: "diary", Place: p.Items[0].Place, Key: p.Items[0].Key}, Value: p.Values[0], Proof: &p.Proofs[0]}}
		if err := light.AnswerIn(p.Root, "diary", held); err != nil {
			t.Errorf("%s: %v", c.of, err)
		}
		stale, err := k.finalAt(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := light.AnswerIn(stale.Header, "diary", held); !errors.Is(err, types.ErrBadProof) {
			t.Errorf("%s: under an old root: %v", c.of, err)
		}
	}
	if a, err := k.Ask(ctx, Question{Module: "diary", Path: "none", Prove: true}); err != nil || len(a.Proven.Items) != 0 || a.Proven.Root == nil {
		t.Errorf("an answer that rests on nothing: %+v, %v", a, err)
	}
	if a, err := k.Ask(ctx, Question{Module: "diary", Path: "many", Prove: true}); err != nil || len(a.Proven.Proofs) != MaxProvenItems {
		t.Errorf("as many items as are proven at once: %v", err)
	}
	many := Question{Module: "diary", Path: "many", Argument: []byte{1}}
	if a, err := k.Ask(ctx, many); err != nil || a.Proven != nil {
		t.Errorf("many items without proofs: %v", err)
	}
	many.Prove = true
	if _, err := k.Ask(ctx, many); !errors.Is(err, ledger.ErrTooLarge) {
		t.Errorf("one item too many: %v", err)
	}
	if _, err := k.Ask(ctx, Question{Module: "nobody", Path: "none"}); !errors.Is(err, ledger.ErrUnknownModule) {
		t.Errorf("no such module: %v", err)
	}
	if _, err := k.Ask(ctx, Question{Module: "diary", Path: "else", Prove: true}); !errors.Is(err, module.ErrUnknownPath) {
		t.Errorf("no such path: %v", err)
	}
	empty := newKit(t, &solo{}, true)
	t.Cleanup(func() { _ = empty.journal.Close() })
	if _, err := empty.Ask(ctx, Question{Module: types.ModuleChains, Path: "list", Prove: true}); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the first block: %v", err)
	}
}
