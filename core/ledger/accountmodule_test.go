package ledger

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func named(action, name string) types.Action {
	return types.Action{Name: action, Body: types.NameBody{Name: name}.Encode()}
}

func linkTo(pattern, permission string) types.Action {
	return types.Action{Name: "link", Body: types.LinkBody{Link: types.Link{Pattern: pattern, Permission: permission}}.Encode()}
}

func TestAccountActions(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	pay := types.Permission{Name: "pay", Parent: "active", Threshold: 1, Keys: []types.KeyWeight{bob.weight(1)}}
	change := func(f func(p *types.Permission)) types.Action {
		p := pay
		p.Keys = slices.Clone(pay.Keys)
		f(&p)
		return setPermission(p)
	}
	var links, permissions, deep []types.Action
	for i := range types.MaxLinks {
		links = append(links, linkTo(fmt.Sprintf("m%d.*", i), "active"))
	}
	parent := "owner"
	for i := range types.MaxPermissions {
		name := fmt.Sprint("p", i)
		permissions = append(permissions, change(func(p *types.Permission) { p.Name = name }))
		deep = append(deep, change(func(p *types.Permission) { p.Name, p.Parent = name, parent }))
		parent = name
	}
	for _, c := range []struct {
		name    string
		actions []types.Action
		want    string
	}{
		{"add a permission", []types.Action{setPermission(pay)}, types.StatusOK},
		{"replace a permission", []types.Action{setPermission(pay), change(func(p *types.Permission) { p.Threshold, p.Keys[0].Weight = 2, 2 })}, types.StatusOK},
		{"add and delete", []types.Action{setPermission(pay), named("delete_permission", "pay")}, types.StatusOK},
		{"a child before its parent, in one transaction", []types.Action{change(func(p *types.Permission) { p.Name, p.Parent = "a", "pay" }), setPermission(pay)}, types.StatusOK},
		{"add and link", []types.Action{setPermission(pay), linkTo("bank.*", "pay")}, types.StatusOK},
		{"link twice: the later counts", []types.Action{setPermission(pay), linkTo("bank.*", "pay"), linkTo("bank.*", "active")}, types.StatusOK},
		{"link and unlink", []types.Action{linkTo("*", "active"), named("unlink", "*")}, types.StatusOK},
		{"all links", links, types.StatusOK},
		{"delete active", []types.Action{named("delete_permission", "active")}, types.StatusOK},
		{"one link too many", append(links[:len(links):len(links)], linkTo("x.*", "active")), account.ErrPermission},
		{"too many permissions", permissions, account.ErrPermission},
		{"as deep as allowed", deep[:types.MaxPermissionDepth], types.StatusOK},
		{"too deep", deep[:types.MaxPermissionDepth+1], account.ErrCycle},
		{"a cycle of parents", []types.Action{change(func(p *types.Permission) { p.Parent = "b" }), change(func(p *types.Permission) { p.Name, p.Parent = "b", "pay" })}, account.ErrCycle},
		{"threshold zero", []types.Action{change(func(p *types.Permission) { p.Threshold = 0 })}, account.ErrThreshold},
		{"threshold out of reach", []types.Action{change(func(p *types.Permission) { p.Threshold = 2 })}, account.ErrThreshold},
		{"delay", []types.Action{change(func(p *types.Permission) { p.Delay = 1 })}, account.ErrPermission},
		{"bad name", []types.Action{change(func(p *types.Permission) { p.Name = "a.b" })}, account.ErrPermission},
		{"no parent", []types.Action{change(func(p *types.Permission) { p.Parent = "" })}, account.ErrPermission},
		{"unknown parent", []types.Action{change(func(p *types.Permission) { p.Parent = "nobody" })}, account.ErrPermission},
		{"delete what is not there", []types.Action{named("delete_permission", "pay")}, account.ErrPermission},
		{"delete the owner", []types.Action{named("delete_permission", "owner")}, account.ErrPermission},
		{"delete a parent", []types.Action{setPermission(pay), named("delete_permission", "active")}, account.ErrPermission},
		{"delete what a link names", []types.Action{setPermission(pay), linkTo("bank.*", "pay"), named("delete_permission", "pay")}, account.ErrPermission},
		{"link to what is not there", []types.Action{linkTo("bank.*", "pay")}, account.ErrPermission},
		{"bad pattern", []types.Action{linkTo("a b", "active")}, account.ErrPermission},
		{"unlink what is not there", []types.Action{named("unlink", "bank.*")}, account.ErrPermission},
		{"all or nothing", []types.Action{setPermission(pay), named("unlink", "bank.*")}, account.ErrPermission},
		{"malformed", []types.Action{{Name: "link", Body: []byte{1}}}, "ErrMalformed"},
		{"unknown action", []types.Action{{Name: "mint"}}, "ErrUnknownAction"},
		{"claim and link", []types.Action{{Name: "claim_fees"}, linkTo("*", "active")}, types.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, nil)
			x := k.tx(alice, "account", c.actions...)
			x.MaxGas, x.MaxFee, x.Permission = 1_000_000, 10_000_000, "owner"
			r := k.block(k.signed(x, alice)).Receipts[0]
			wantStatus(t, c.name, r, c.want)
			auth := k.authority(alice.id())
			if changed := !reflect.DeepEqual(auth, alice.authority()); c.want != types.StatusOK && changed {
				t.Fatalf("a transaction that failed left %+v", auth)
			}
			if err := auth.Validate(); err != nil {
				t.Fatal(err)
			}
			if c.want != types.StatusOK {
				return
			}
			if r.Gas != types.GasPermission*uint64(len(c.actions)) || len(r.Events) != 1 || r.Events[0].Name != "authority" || r.Events[0].Accounts[0] != alice.id() {
				t.Fatalf("%+v", r)
			}
			switch c.name {
			case "add and link":
				if auth.Required("bank", "burn") != "pay" || auth.Find("pay").Keys[0].Key != bob.pub.Hash() {
					t.Fatalf("%+v", auth)
				}
				y := k.tx(alice, "bank", transfer(bob.id(), 1))
				wantErr(t, "the new key", k.authorise(k.signed(y, bob))[0], nil)
			case "link twice: the later counts":
				if auth.Required("bank", "burn") != "active" || len(auth.Links) != 1 {
					t.Fatalf("%+v", auth)
				}
			case "delete active":
				if auth.Required("bank", "burn") != "owner" {
					t.Fatalf("%+v", auth)
				}
			}
		})
	}
}

// TestChangesBuildOnEachOther: transactions of one block see what earlier ones of the same account changed, and not what
// failed.
func TestChangesBuildOnEachOther(t *testing.T) {
	k := newKit(t, nil)
	alice, bob := newKey("alice"), newKey("bob")
	act := func(actions ...types.Action) *Tx { return k.signed(k.tx(alice, "account", actions...), alice) }
	p := func(name, parent string) types.Action {
		return setPermission(types.Permission{Name: name, Parent: parent, Threshold: 1, Keys: []types.KeyWeight{bob.weight(1)}})
	}
	res := k.block(act(p("a", "owner")), act(p("b", "owner"), p("c", "nobody")), act(p("d", "a")), act(p("e", "b")))
	for i, want := range []string{types.StatusOK, account.ErrPermission, types.StatusOK, account.ErrPermission} {
		wantStatus(t, fmt.Sprint("transaction ", i), res.Receipts[i], want)
	}
	auth := k.authority(alice.id())
	if auth.Find("a") == nil || auth.Find("d") == nil || len(auth.Permissions) != 4 {
		t.Fatalf("%+v", auth)
	}
}

func TestCyclesOfAccounts(t *testing.T) {
	k := newKit(t, nil)
	keys := make([]key, 7)
	for i := range keys {
		keys[i] = newKey(fmt.Sprint("c", i))
		k.block(k.signed(k.tx(newKey("alice"), "bank", transfer(keys[i].id(), 100_000_000)), newKey("alice")))
	}
	name := func(from, to int) *Tx {
		a := setPermission(types.Permission{Name: "extra", Parent: "active", Threshold: 1,
			Accounts: []types.AccountWeight{{Account: keys[to].id(), Permission: "active", Weight: 1}}})
		return k.signed(k.tx(keys[from], "account", a), keys[from])
	}
	one := func(what string, from, to int, want string) {
		t.Helper()
		wantStatus(t, what, k.block(name(from, to)).Receipts[0], want)
	}
	one("itself", 0, 0, account.ErrCycle)
	one("another", 0, 1, types.StatusOK)
	one("back", 1, 0, account.ErrCycle)
	one("on", 1, 2, types.StatusOK)
	one("back over two", 2, 0, account.ErrCycle)
	one("on", 2, 3, types.StatusOK)
	one("on", 3, 4, types.StatusOK)
	one("back over four", 4, 0, account.ErrCycle)
	one("on to five", 4, 5, types.StatusOK) // its own chain is short
	one("a sixth before a chain of five", 6, 0, account.ErrTooDeep)
	one("back over five", 5, 0, account.ErrTooDeep)
	one("the fifth before the chain", 6, 2, types.StatusOK)
	// In one block.
	res := k.block(name(5, 6), name(6, 5))
	wantStatus(t, "first half of a cycle", res.Receipts[0], account.ErrCycle) // 6 leads over 2 to 5
	wantStatus(t, "second half", res.Receipts[1], types.StatusOK)
	a, b := newKey("alice"), newKey("bob")
	keys[0], keys[1] = a, b
	res = k.block(name(0, 1), name(1, 0))
	wantStatus(t, "first half of a cycle in one block", res.Receipts[0], types.StatusOK)
	wantStatus(t, "second half of a cycle in one block", res.Receipts[1], account.ErrCycle)
	// To many accounts.
	p := types.Permission{Name: "wide", Parent: "active", Threshold: 1}
	for i := range types.MaxAuthorities {
		p.Accounts = append(p.Accounts, types.AccountWeight{Account: types.AccountID{1, byte(i)}, Permission: "active", Weight: 1})
	}
	q, r := p, p
	q.Name, r.Name = "wide2", "wide3"
	q.Accounts, r.Accounts = append([]types.AccountWeight(nil), p.Accounts...), append([]types.AccountWeight(nil), p.Accounts...)
	for i := range p.Accounts {
		q.Accounts[i].Account[0], r.Accounts[i].Account[0] = 2, 3
	}
	carol := newKey("carol")
	wantStatus(t, "64 accounts", k.block(k.signed(k.tx(carol, "account", setPermission(p), setPermission(q)), carol)).Receipts[0], types.StatusOK)
	x := k.tx(carol, "account", setPermission(r))
	x.Authority = nil
	wantStatus(t, "96 accounts", k.block(k.signed(x, carol)).Receipts[0], account.ErrTooDeep)
}
