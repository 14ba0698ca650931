package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// give puts an authority into the state for an account that has money.
func (k *kit) give(owner key, change func(a *types.Authority)) {
	k.t.Helper()
	a := owner.authority()
	change(a)
	a.Sort()
	if err := a.Validate(); err != nil {
		k.t.Fatal(err)
	}
	k.put(authorityItem(owner.id()), a.Encode())
}

func TestAuthorisePermissions(t *testing.T) {
	k := newKit(t, nil)
	alice, bob, carol, dave, eve := newKey("alice"), newKey("bob"), newKey("carol"), newKey("dave"), newKey("eve")
	k.give(alice, func(a *types.Authority) {
		a.Permissions = append(a.Permissions,
			types.Permission{Name: "pay", Parent: "active", Threshold: 3, Keys: []types.KeyWeight{bob.weight(2), carol.weight(1), dave.weight(1)}},
			types.Permission{Name: "petty", Parent: "pay", Threshold: 1, Keys: []types.KeyWeight{eve.weight(1)}},
			types.Permission{Name: "cold", Parent: "owner", Threshold: 1, Keys: []types.KeyWeight{dave.weight(1)}})
		a.Find("active").Keys = []types.KeyWeight{carol.weight(1)}
		a.Links = []types.Link{{Pattern: "bank.*", Permission: "pay"}, {Pattern: "bank.burn", Permission: "cold"}, {Pattern: "chains.*", Permission: "petty"}}
		a.Guard = "cold"
	})
	pay, burnt := transfer(bob.id(), 5), burn(5)
	link := types.Action{Name: "link", Body: types.LinkBody{Link: types.Link{Pattern: "*", Permission: "active"}}.Encode()}
	claim := types.Action{Name: "claim_fees"}
	spawn := types.Action{Name: "spawn"}
	for _, c := range []struct {
		name       string
		module     string
		permission string
		actions    []types.Action
		keys       []key
		want       string // part of the error; "" if it may stand
	}{
		{"threshold by two keys", "bank", "", []types.Action{pay}, []key{bob, carol}, ""},
		{"threshold by the other two keys", "bank", "pay", []types.Action{pay}, []key{dave, bob}, ""},
		{"all three keys", "bank", "", []types.Action{pay}, []key{dave, bob, carol}, ""},
		{"below the threshold", "bank", "", []types.Action{pay}, []key{bob}, "not satisfied"},
		{"light keys", "bank", "", []types.Action{pay}, []key{eve}, "not satisfied"},
		{"parent's key satisfies the child", "bank", "", []types.Action{pay}, []key{carol}, ""},
		{"owner's key satisfies the grandchild", "bank", "", []types.Action{pay}, []key{alice}, ""},
		{"a stranger's key", "bank", "", []types.Action{pay}, []key{newKey("mallory")}, "not satisfied"},
		{"a stranger's key besides", "bank", "", []types.Action{pay}, []key{bob, carol, newKey("mallory")}, "signature 2"},
		{"a stranger's key besides the owner's", "bank", "", []types.Action{pay}, []key{newKey("mallory"), alice}, "signature 0"},
		{"a key of another permission besides", "bank", "", []types.Action{pay}, []key{bob, carol, eve}, "leave it out"},
		{"parent named", "bank", "active", []types.Action{pay}, []key{carol}, ""},
		{"parent named, child's keys", "bank", "active", []types.Action{pay}, []key{bob, dave}, "not satisfied"},
		{"child named", "bank", "petty", []types.Action{pay}, []key{eve}, `needs permission "pay"`},
		{"sibling named", "bank", "cold", []types.Action{pay}, []key{dave}, `needs permission "pay"`},
		{"unknown permission named", "bank", "nobody", []types.Action{pay}, []key{alice}, "needs permission"},
		{"exact link before the pattern", "bank", "", []types.Action{burnt}, []key{dave}, ""},
		{"exact link, keys of the pattern's", "bank", "", []types.Action{burnt}, []key{bob, carol}, "not satisfied"},
		{"two actions, one permission covers both", "bank", "owner", []types.Action{pay, burnt}, []key{alice}, ""},
		{"two actions, the first's permission", "bank", "", []types.Action{pay, burnt}, []key{bob, carol}, "action 1 (bank.burn)"},
		{"link of another module", "chains", "", []types.Action{spawn}, []key{eve}, ""},
		{"no link: active", "account", "", []types.Action{claim}, []key{carol}, ""},
		{"no link: not another", "account", "", []types.Action{claim}, []key{dave}, "not satisfied"},
		{"authority needs the guard", "account", "", []types.Action{link}, []key{dave}, ""},
		{"active is no guard", "account", "", []types.Action{link}, []key{carol}, "not satisfied"},
		{"active named is no guard", "account", "active", []types.Action{link}, []key{carol}, `needs permission "cold"`},
		{"owner is above the guard", "account", "owner", []types.Action{link}, []key{alice}, ""},
		{"guarded action behind a free one", "account", "active", []types.Action{claim, link}, []key{carol}, "action 1 (account.link)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := k.tx(alice, c.module, c.actions...)
			x.Permission, x.Authority = c.permission, nil
			err := k.authorise(k.signed(x, c.keys...))[0]
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrUnauthorised) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want ErrUnauthorised that says %q", err, c.want)
			}
		})
	}
}

func TestReveal(t *testing.T) {
	k := newKit(t, nil)
	alice, bob := newKey("alice"), newKey("bob")
	hidden := k.tx(alice, "bank", transfer(bob.id(), 1))
	hidden.Authority = nil
	wantErr(t, "first transaction without authority", k.authorise(k.signed(hidden, alice))[0], ErrUnauthorised)

	wrong := k.tx(alice, "bank", transfer(bob.id(), 1))
	wrong.Authority = bob.authority().Encode()
	_, err := k.l.ParseTx(k.seal(wrong, bob))
	wantErr(t, "another's authority", err, ErrUnauthorised)

	salted := alice.authority()
	salted.Salt = 7
	wrong.Authority = salted.Encode()
	_, err = k.l.ParseTx(k.seal(wrong, alice))
	wantErr(t, "authority with another salt", err, ErrUnauthorised)

	wrong.Authority = append(alice.authority().Encode(), 0)
	wrong.Account = types.AccountIDOf(wrong.Authority)
	_, err = k.l.ParseTx(k.seal(wrong, alice))
	wantErr(t, "authority that is none", err, ErrMalformed)

	forged := k.tx(alice, "bank", transfer(bob.id(), 1))
	wantErr(t, "revealed by a stranger", k.authorise(k.signed(forged, bob))[0], ErrUnauthorised)

	// Two transactions of one block reveal the same; a third relies on them and may not: it is judged by the parent's state.
	a, b := k.signed(k.tx(alice, "bank", transfer(bob.id(), 1)), alice), k.signed(k.tx(alice, "bank", transfer(bob.id(), 2)), alice)
	c := k.signed(hidden, alice)
	errs := k.authorise(a, b, c)
	if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], ErrUnauthorised) {
		t.Fatalf("%v", errs)
	}
	k.block(a, b)
	if got := k.authority(alice.id()); got == nil || got.ID() != alice.id() {
		t.Fatalf("authority after the block: %v", got)
	}
	if k.authority(bob.id()) != nil {
		t.Fatal("one who has only been paid has an authority")
	}
	k.block(c)
	// What is revealed again counts for nothing once there is an authority.
	k.give(alice, func(x *types.Authority) {
		x.Find("owner").Keys, x.Find("active").Keys = []types.KeyWeight{bob.weight(1)}, []types.KeyWeight{bob.weight(1)}
	})
	again := k.tx(alice, "bank", transfer(bob.id(), 3))
	wantErr(t, "the first key after it was replaced", k.authorise(k.signed(again, alice))[0], ErrUnauthorised)
	k.block(k.signed(again, bob))
	if got := k.authority(alice.id()); got.Find("owner").Keys[0].Key != bob.pub.Hash() {
		t.Fatal("a revelation has replaced a later authority")
	}
}

func TestAccountsInAccounts(t *testing.T) {
	const n = 7
	k := newKit(t, nil)
	keys := make([]key, n)
	for i := range keys {
		keys[i] = newKey(fmt.Sprint("chain", i))
	}
	keys[0] = newKey("alice")
	// Each account's active is satisfied by the next one's, and by a key of its own with too little weight.
	for i := range n {
		k.give(keys[i], func(a *types.Authority) {
			p := a.Find("active")
			if i+1 < n {
				p.Threshold, p.Keys = 2, []types.KeyWeight{keys[i].weight(1)}
				p.Accounts = []types.AccountWeight{{Account: keys[i+1].id(), Permission: "active", Weight: 2}}
			}
		})
	}
	pay := func(keys ...key) error {
		x := k.tx(newKey("alice"), "bank", transfer(newKey("bob").id(), 1))
		x.Authority, x.Permission = nil, "active"
		return k.authorise(k.signed(x, keys...))[0]
	}
	// The chain ends, at depth 6, in a key: too deep.
	wantErr(t, "six accounts deep", pay(keys[6]), ErrUnauthorised)
	for depth := 1; depth <= 5; depth++ {
		k.give(keys[depth], func(*types.Authority) {}) // its own key suffices from here on
		err := pay(keys[depth])
		if depth <= types.MaxAccountDepth {
			wantErr(t, fmt.Sprintf("%d accounts deep", depth), err, nil)
		} else {
			wantErr(t, fmt.Sprintf("%d accounts deep", depth), err, ErrUnauthorised)
		}
		k.give(keys[depth], func(a *types.Authority) {
			p := a.Find("active")
			p.Threshold, p.Keys = 2, []types.KeyWeight{keys[depth].weight(1)}
			p.Accounts = []types.AccountWeight{{Account: keys[depth+1].id(), Permission: "active", Weight: 2}}
		})
	}
}

func TestSharesOfAccounts(t *testing.T) {
	k := newKit(t, nil)
	alice, bob, carol, dave := newKey("alice"), newKey("bob"), newKey("carol"), newKey("dave")
	k.give(alice, func(a *types.Authority) {
		p := a.Find("active")
		p.Threshold, p.Keys = 4, []types.KeyWeight{alice.weight(1)}
		p.Accounts = []types.AccountWeight{
			{Account: bob.id(), Permission: "active", Weight: 2}, {Account: carol.id(), Permission: "vote", Weight: 2},
			{Account: dave.id(), Permission: "nothing", Weight: 4}, {Account: newKey("unborn").id(), Permission: "active", Weight: 4},
		}
		a.Find("owner").Keys = []types.KeyWeight{newKey("cold").weight(1)}
	})
	for _, x := range []key{bob, dave} {
		k.give(x, func(*types.Authority) {})
	}
	k.give(carol, func(a *types.Authority) {
		a.Permissions = append(a.Permissions, types.Permission{Name: "vote", Parent: "active", Threshold: 1, Keys: []types.KeyWeight{dave.weight(1)}})
	})
	for _, c := range []struct {
		name string
		keys []key
		ok   bool
	}{
		{"two accounts", []key{bob, dave}, true},
		{"two accounts and the key", []key{bob, alice, dave}, true},
		{"one account and the key", []key{bob, alice}, false},
		{"an account's other permission", []key{bob, carol}, false},
		{"a permission that is not there", []key{dave, alice}, false},
		{"an account without authority", []key{newKey("unborn")}, false},
		{"owner alone", []key{newKey("cold")}, true},
	} {
		x := k.tx(alice, "bank", transfer(bob.id(), 1))
		x.Authority = nil
		if err := k.authorise(k.signed(x, c.keys...))[0]; (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// counting counts the items that are read.
type counting struct {
	View
	calls, items int
}

func (c *counting) Get(ctx context.Context, items []state.Item) ([][]byte, error) {
	c.calls, c.items = c.calls+1, c.items+len(items)
	return c.View.Get(ctx, items)
}

// TestThicket makes accounts that name each other over and over: without a bound, 32⁴ permissions would be looked at for
// each transaction.
func TestThicket(t *testing.T) {
	k := newKit(t, nil)
	alice := newKey("alice")
	const n = 32
	ids := make([]key, 4*n)
	for i := range ids {
		ids[i] = newKey(fmt.Sprint("thicket", i))
	}
	for i := range ids {
		k.give(ids[i], func(a *types.Authority) {
			p := a.Find("active")
			p.Keys, p.Threshold = nil, 1
			for j := range n {
				p.Accounts = append(p.Accounts, types.AccountWeight{Account: ids[(i/n+1)%4*n+j].id(), Permission: "active", Weight: 1})
			}
		})
	}
	k.give(alice, func(a *types.Authority) {
		p := a.Find("active")
		p.Keys = nil
		for j := range n {
			p.Accounts = append(p.Accounts, types.AccountWeight{Account: ids[j].id(), Permission: "active", Weight: 1})
		}
		a.Find("owner").Keys = []types.KeyWeight{newKey("cold").weight(1)}
	})
	x := k.tx(alice, "bank", transfer(alice.id(), 1))
	x.Authority = nil
	view := &counting{View: k.layer}
	tx := k.signed(x, newKey("mallory"))
	errs, err := k.l.Authorise(t.Context(), view, k.clock, []*Tx{tx, tx})
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a thicket", errs[0], ErrUnauthorised)
	if view.items > 2+maxSteps+n || view.calls > 1+maxSteps {
		t.Fatalf("%d reads of %d items", view.calls, view.items)
	}
	t.Logf("%d reads of %d items", view.calls, view.items)
	w := &walker{ctx: t.Context(), view: k.layer, known: map[types.AccountID]*types.Authority{}, keys: map[types.Hash]bool{}}
	if w.satisfied(k.authority(alice.id()).Find("active"), 0, false) || w.steps > 2*maxSteps {
		t.Fatalf("%d steps", w.steps)
	}
}

func TestExplain(t *testing.T) {
	k := newKit(t, nil)
	alice, bob := newKey("alice"), newKey("bob")
	got, err := k.l.Explain(t.Context(), k.layer, alice.id(), "bank", "transfer")
	if err != nil || len(got) != 1 || !strings.Contains(got[0], "the key that "+alice.id().String()) {
		t.Fatalf("unrevealed: %q, %v", got, err)
	}
	k.give(alice, func(a *types.Authority) {
		p := a.Find("active")
		p.Threshold, p.Keys = 2, []types.KeyWeight{alice.weight(1)}
		p.Accounts = []types.AccountWeight{{Account: bob.id(), Permission: "active", Weight: 1}}
	})
	key := "key " + alice.pub.Hash().Short() + " (weight 1)"
	active := fmt.Sprintf(`"active" with weight 2 of %s@active (weight 1), %s`, bob.id(), key)
	owner := `"owner" with weight 1 of ` + key
	got, err = k.l.Explain(t.Context(), k.layer, alice.id(), "bank", "transfer")
	if want := []string{active, owner}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("%q, want %q, %v", got, want, err)
	}
	got, err = k.l.Explain(t.Context(), k.layer, alice.id(), "account", "unlink")
	if want := []string{owner}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("guarded: %q, want %q, %v", got, want, err)
	}
	x := k.tx(alice, "bank", transfer(bob.id(), 1))
	x.Authority = nil
	err = k.authorise(k.signed(x, newKey("mallory")))[0]
	if err == nil || !strings.Contains(err.Error(), active+" or "+owner+" would do") {
		t.Fatalf("the error does not explain: %v", err)
	}
}
