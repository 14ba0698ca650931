package ledger

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// rightToAsk signs the right to ask by keys.
func (k *kit) rightToAsk(q types.QueryAuth, keys ...key) []byte {
	s := types.SignedQuery{Raw: q.Encode()}
	for _, x := range keys {
		s.Signatures = append(s.Signatures, types.Signature{Key: x.pub, Sig: ed25519.Sign(x.priv, types.QuerySignBytes(k.l.Chain(), s.Raw))})
	}
	return s.Encode()
}

func TestQueryCaller(t *testing.T) {
	k := newKit(t, nil)
	alice, bob, carol, dave, eve := newKey("alice"), newKey("bob"), newKey("carol"), newKey("dave"), newKey("eve")
	k.give(alice, func(a *types.Authority) {
		a.Permissions = append(a.Permissions,
			types.Permission{Name: "read", Parent: "active", Threshold: 2, Keys: []types.KeyWeight{carol.weight(1), dave.weight(1)}},
			types.Permission{Name: "look", Parent: "read", Threshold: 1, Keys: []types.KeyWeight{eve.weight(1)}},
			types.Permission{Name: "lent", Parent: "read", Threshold: 1, Accounts: []types.AccountWeight{{Account: bob.id(), Permission: "active", Weight: 1}}})
		a.Links = []types.Link{{Pattern: "bank.*", Permission: "active"}, {Pattern: "bank.query", Permission: "read"}, {Pattern: "chains.query", Permission: "look"},
			{Pattern: "account.query", Permission: "lent"}}
	})
	k.give(bob, func(*types.Authority) {})
	argument := []byte("argument")
	good := types.QueryAuth{Account: alice.id(), Module: "bank", Path: "p", Argument: types.QueryArgumentHash(argument), Expires: k.slot + 10}
	with := func(change func(q *types.QueryAuth)) types.QueryAuth {
		q := good
		change(&q)
		return q
	}
	elsewhere := newKit(t, nil) // another chain would be made from another genesis
	elsewhere.l.chain[0]++
	forged := k.rightToAsk(good, alice)
	forged[len(forged)-1] ^= 1
	asTx := types.SignedQuery{Raw: good.Encode()}
	asTx.Signatures = []types.Signature{{Key: alice.pub, Sig: ed25519.Sign(alice.priv, types.TxSignBytes(k.l.Chain(), asTx.Raw))}}
	salted := newKey("frank").authority()
	salted.Salt = 1
	frank := func(q *types.QueryAuth) {
		q.Account, q.Authority = newKey("frank").id(), newKey("frank").authority().Encode()
	}
	for _, c := range []struct {
		name   string
		signed []byte
		err    error
		says   string
	}{
		{"the owner", k.rightToAsk(good, alice), nil, ""},
		{"keys of the linked permission", k.rightToAsk(good, carol, dave), nil, ""},
		{"named", k.rightToAsk(with(func(q *types.QueryAuth) { q.Permission = "read" }), dave, carol), nil, ""},
		{"an ancestor named", k.rightToAsk(with(func(q *types.QueryAuth) { q.Permission = "owner" }), alice), nil, ""},
		{"in the last slot", k.rightToAsk(with(func(q *types.QueryAuth) { q.Expires = k.slot }), alice), nil, ""},
		{"as far ahead as can be", k.rightToAsk(with(func(q *types.QueryAuth) { q.Expires = k.slot + TxLifetime }), alice), nil, ""},

		{"below the threshold", k.rightToAsk(good, carol), ErrUnauthorised, "not satisfied"},
		{"a stranger", k.rightToAsk(good, newKey("mallory")), ErrUnauthorised, "not satisfied"},
		{"a stranger besides", k.rightToAsk(good, alice, newKey("mallory")), ErrUnauthorised, "leave it out"},
		{"a child named", k.rightToAsk(with(func(q *types.QueryAuth) { q.Permission = "look" }), eve), ErrUnauthorised, `needs permission "read"`},
		{"keys of the child", k.rightToAsk(good, eve), ErrUnauthorised, "not satisfied"},
		{"expired", k.rightToAsk(with(func(q *types.QueryAuth) { q.Expires = k.slot - 1 }), alice), ErrExpired, ""},
		{"too far ahead", k.rightToAsk(with(func(q *types.QueryAuth) { q.Expires = k.slot + TxLifetime + 1 }), alice), ErrNotYet, ""},
		{"for another path", k.rightToAsk(with(func(q *types.QueryAuth) { q.Path = "q" }), alice), ErrUnauthorised, `for the question bank "q"`},
		{"for another module", k.rightToAsk(with(func(q *types.QueryAuth) { q.Module = "chains" }), alice), ErrUnauthorised, "for the question chains"},
		{"for no module", k.rightToAsk(with(func(q *types.QueryAuth) { q.Module = "none" }), alice), ErrUnknownModule, ""},
		{"for another argument", k.rightToAsk(with(func(q *types.QueryAuth) { q.Argument[0]++ }), alice), ErrUnauthorised, "another argument"},
		{"for another chain", elsewhere.rightToAsk(good, alice), ErrSignature, ""},
		{"in another's name", k.rightToAsk(with(func(q *types.QueryAuth) { q.Account = bob.id() }), alice), ErrUnauthorised, "not satisfied"},
		{"changed on the way", forged, ErrSignature, ""},
		{"signed as a transaction", asTx.Encode(), ErrSignature, ""},
		{"by nobody", k.rightToAsk(good), ErrSignature, "no signature"},
		{"twice by the same", k.rightToAsk(good, alice, alice), ErrSignature, "repeats"},
		{"no bytes", nil, ErrMalformed, ""},
		{"other bytes", (&types.SignedQuery{Raw: []byte{1, 2}}).Encode(), ErrMalformed, ""},
		{"a transaction", k.seal(k.tx(alice, "bank", transfer(bob.id(), 1)), alice), ErrMalformed, ""},

		{"an account that has revealed nothing", k.rightToAsk(with(func(q *types.QueryAuth) { q.Account = newKey("frank").id() }), newKey("frank")), ErrUnauthorised, "must carry it"},
		{"another's first authority", k.rightToAsk(with(func(q *types.QueryAuth) { frank(q); q.Authority = salted.Encode() }), newKey("frank")), ErrUnauthorised, "not the first one"},
		{"an authority besides the revealed one", k.rightToAsk(with(func(q *types.QueryAuth) { q.Authority = alice.authority().Encode() }), alice), nil, ""},
	} {
		id, err := k.l.QueryCaller(t.Context(), k.layer, k.slot, c.signed, "bank", "p", argument)
		if c.err == nil && (err != nil || id != alice.id()) {
			t.Errorf("%s: %s, %v", c.name, id, err)
		}
		if c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) || id != types.AccountID{}) {
			t.Errorf("%s: %s, %v; want %v that says %q", c.name, id, err, c.err, c.says)
		}
	}
	if id, err := k.l.QueryCaller(t.Context(), k.layer, k.slot, k.rightToAsk(with(frank), newKey("frank")), "bank", "p", argument); err != nil || id != newKey("frank").id() {
		t.Errorf("an account that shows its first authority: %s, %v", id, err)
	}
	lent := with(func(q *types.QueryAuth) { q.Module = "account" })
	if id, err := k.l.QueryCaller(t.Context(), k.layer, k.slot, k.rightToAsk(lent, bob), "account", "p", argument); err != nil || id != alice.id() {
		t.Errorf("by way of another account: %s, %v", id, err)
	}
}

// FuzzQueryCaller shows hostile bytes; nobody is found to ask but by a signature that was made.
func FuzzQueryCaller(f *testing.F) {
	k := newKit(f, nil)
	alice := newKey("alice")
	good := k.rightToAsk(types.QueryAuth{Account: alice.id(), Authority: alice.authority().Encode(), Module: "bank", Path: "p", Argument: types.QueryArgumentHash(nil),
		Expires: k.slot}, alice)
	f.Add(good)
	f.Add(k.seal(k.tx(alice, "bank", burn(1)), alice))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := k.l.QueryCaller(t.Context(), k.layer, k.slot, b, "bank", "p", nil)
		if err == nil && (id != alice.id() || string(b) != string(good)) {
			t.Fatalf("%s asks by %x", id, b)
		}
	})
}
