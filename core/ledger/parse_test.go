package ledger

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestParseTx(t *testing.T) {
	k := newKit(t, nil)
	alice, bob := newKey("alice"), newKey("bob")
	good := k.tx(alice, "bank", transfer(bob.id(), 1))
	env := k.seal(good, alice)
	n := uint64(len(env))
	with := func(change func(*types.Transaction)) []byte {
		x := good
		x.Actions = slices.Clone(good.Actions)
		change(&x)
		return k.seal(x, alice)
	}
	signatures := func(change func(*types.Envelope)) []byte {
		e, err := types.DecodeEnvelope(env)
		if err != nil {
			t.Fatal(err)
		}
		change(e)
		return e.Encode()
	}
	for _, c := range []struct {
		name string
		env  []byte
		want error
	}{
		{"as it is", env, nil},
		{"empty", nil, ErrMalformed},
		{"cut", env[:len(env)-1], ErrMalformed},
		{"longer", append(bytes.Clone(env), 0), ErrMalformed},
		{"no transaction", (&types.Envelope{Raw: []byte{9}, Signatures: make([]types.Signature, 1)}).Encode(), ErrMalformed},
		{"as large as allowed", with(func(x *types.Transaction) {
			x.MaxFee = 10_000_000
			x.Actions[0].Body = make([]byte, int(k.g.Limits.TxBytes)-len(k.seal(good, alice))+len(good.Actions[0].Body)-7)
		}), nil},
		{"too large", make([]byte, k.g.Limits.TxBytes+1), ErrTooLarge},
		{"no actions", with(func(x *types.Transaction) { x.Actions = nil }), ErrMalformed},
		{"256 actions", with(func(x *types.Transaction) { x.Actions = make([]types.Action, 256); x.MaxFee = 1 << 40 }), nil},
		{"257 actions", with(func(x *types.Transaction) { x.Actions = make([]types.Action, 257); x.MaxFee = 1 << 40 }), ErrMalformed},
		{"unknown module", with(func(x *types.Transaction) { x.Module = "bonk" }), ErrUnknownModule},
		{"no module", with(func(x *types.Transaction) { x.Module = "" }), ErrUnknownModule},
		{"namespace of the ledger", with(func(x *types.Transaction) { x.Module = spaceBalance }), ErrUnknownModule},
		{"no signature", signatures(func(e *types.Envelope) { e.Signatures = nil }), ErrSignature},
		{"a key twice", signatures(func(e *types.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }), ErrSignature},
		{"unknown scheme", signatures(func(e *types.Envelope) { e.Signatures[0].Key.Scheme = 99 }), ErrSignature},
		{"short key", signatures(func(e *types.Envelope) { e.Signatures[0].Key.Key = e.Signatures[0].Key.Key[:31] }), ErrSignature},
		{"gas of a block", with(func(x *types.Transaction) { x.MaxGas = k.g.Limits.BlockGas }), nil},
		{"gas above the block's", with(func(x *types.Transaction) { x.MaxGas = k.g.Limits.BlockGas + 1 }), ErrBlockGas},
		{"least fee", with(func(x *types.Transaction) { x.MaxFee = k.l.LeastFee(int(n)) }), nil},
		{"fee below the least", with(func(x *types.Transaction) { x.MaxFee = k.l.LeastFee(int(n)-1) - 1 }), ErrFee},
		{"sum of max_spend", with(func(x *types.Transaction) {
			x.Actions = []types.Action{{Name: "a", MaxSpend: 1 << 63}, {Name: "b", MaxSpend: 1 << 63}}
		}), ErrOverflow},
		{"max_spend and max_fee", with(func(x *types.Transaction) {
			x.Actions = []types.Action{{Name: "a", MaxSpend: ^uint64(0) - 1_000}}
		}), ErrOverflow},
	} {
		t.Run(c.name, func(t *testing.T) {
			tx, err := k.l.ParseTx(c.env)
			wantErr(t, "parse", err, c.want)
			if (err == nil) != (tx != nil) {
				t.Fatalf("%v, %v", tx, err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Fatalf("text: %q", err)
			}
		})
	}
	tx := k.signedAs(env)
	if tx.Spend != 1 || tx.Reserve != 1+good.MaxFee || tx.ID != types.TxIDOf(k.l.Chain(), good.Encode()) {
		t.Fatalf("%+v", tx)
	}
}

func TestVerifySignatures(t *testing.T) {
	k := newKit(t, nil)
	other := newKit(t, func(g *chainspec.Genesis) { g.Name = "other" })
	alice, bob, carol := newKey("alice"), newKey("bob"), newKey("carol")
	x := k.tx(alice, "bank", transfer(bob.id(), 1))
	valid := k.signed(x, alice, bob, carol)
	spoil := func(change func(*types.Envelope)) *Tx {
		e, err := types.DecodeEnvelope(k.seal(x, alice, bob, carol))
		if err != nil {
			t.Fatal(err)
		}
		change(e)
		return k.signedAs(e.Encode())
	}
	bad := spoil(func(e *types.Envelope) { e.Signatures[1].Sig[3] ^= 1 })
	short := spoil(func(e *types.Envelope) { e.Signatures[2].Sig = e.Signatures[2].Sig[:63] })
	swapped := spoil(func(e *types.Envelope) {
		e.Signatures[0].Sig, e.Signatures[1].Sig = e.Signatures[1].Sig, e.Signatures[0].Sig
	})
	changed := spoil(func(e *types.Envelope) {
		y := x
		y.Salt++
		e.Raw = y.Encode()
	})
	foreign := k.signedAs(other.seal(x, alice))
	bare := spoil(func(e *types.Envelope) { // signed without domain and chain
		e.Signatures = e.Signatures[:1]
		e.Signatures[0].Sig = ed25519.Sign(alice.priv, e.Raw)
	})
	errs := k.l.VerifySignatures([]*Tx{valid, bad, valid, short, swapped, changed, foreign, bare, valid})
	for i, want := range []string{"", "signature 1", "", "signature 2", "signature 0", "signature 0", "signature 0", "signature 0", ""} {
		switch {
		case want == "" && errs[i] != nil:
			t.Errorf("transaction %d: %v", i, errs[i])
		case want != "" && (!errors.Is(errs[i], ErrSignature) || !strings.Contains(errs[i].Error(), want+" of")):
			t.Errorf("transaction %d: %v, want %q", i, errs[i], want)
		}
	}
	for _, err := range append(k.l.VerifySignatures([]*Tx{valid, valid}), k.l.VerifySignatures(nil)...) {
		wantErr(t, "all valid", err, nil)
	}
	if got := k.l.VerifySignatures([]*Tx{short}); !errors.Is(got[0], ErrSignature) {
		t.Errorf("nothing that can be verified: %v", got)
	}
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		expires, slot uint64
		want          error
	}{
		{100, 100, nil}, {100, 99, nil}, {100, 101, ErrExpired}, {100 + TxLifetime, 100, nil}, {101 + TxLifetime, 100, ErrNotYet},
		{^uint64(0), 100, ErrNotYet}, {0, 0, nil}, {0, 1, ErrExpired},
	} {
		tx := &Tx{T: &types.Transaction{Expires: c.expires}}
		wantErr(t, fmt.Sprintf("expires at %d, block at %d", c.expires, c.slot), tx.CheckExpiry(c.slot), c.want)
	}
}

// TestIDs: the signed bytes of one transaction have one id, whoever signs, and those of another another.
func TestIDs(t *testing.T) {
	k, other := newKit(t, nil), newKit(t, func(g *chainspec.Genesis) { g.Name = "other" })
	alice, bob := newKey("alice"), newKey("bob")
	x := k.tx(alice, "bank", transfer(bob.id(), 1))
	a, b, c := k.signed(x, alice), k.signed(x, alice, bob), other.signed(x, alice)
	if a.ID != b.ID || a.ID == c.ID {
		t.Fatalf("ids %s, %s, on another chain %s", a.ID, b.ID, c.ID)
	}
	x.Salt++
	if d := k.signed(x, alice); d.ID == a.ID {
		t.Fatal("another transaction has the same id")
	}
}

func TestNew(t *testing.T) {
	g := testGenesis()
	m := native(g)
	for _, c := range []struct {
		name    string
		modules []Named
	}{
		{"none", nil},
		{"account is not the first", []Named{m[1], m[0]}},
		{"twice", []Named{m[0], m[1], m[1]}},
		{"no name", []Named{m[0], as("", m[1].Module)}},
		{"long name", []Named{m[0], as(strings.Repeat("x", types.MaxNameBytes+1), m[1].Module)}},
		{"name with a zero byte", []Named{m[0], as("a\x00b", m[1].Module)}},
	} {
		if _, err := New(Config{Genesis: g, Modules: c.modules}); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
	l, err := New(Config{Genesis: g, Modules: m})
	if err != nil || l.Module("bank") == nil || l.Module("bonk") != nil || len(l.ModuleNames()) != 3 || l.MaxBlockBytes() != 8<<20 {
		t.Fatal(err)
	}
	for name, change := range map[string]func(g *chainspec.Genesis){
		"less than the supply": func(g *chainspec.Genesis) { g.Allocations[0].Amount-- },
		"more than the supply": func(g *chainspec.Genesis) { g.Allocations[0].Amount++ },
		"overflow":             func(g *chainspec.Genesis) { g.Allocations[0].Amount, g.Allocations[1].Amount = 1<<63, 1<<63 },
		"many schedules": func(g *chainspec.Genesis) {
			a := &g.Allocations[0]
			for range maxVestings + 1 {
				a.Amount--
				g.Allocations = append(g.Allocations, chainspec.Allocation{Name: "v", Account: a.Account, Amount: 1, Vesting: &chainspec.Vesting{Duration: 1}})
				a = &g.Allocations[0]
			}
		},
	} {
		g := testGenesis()
		change(g)
		l, err := New(Config{Genesis: g, Modules: native(g)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.GenesisChanges(); err == nil {
			t.Errorf("genesis with %s: accepted", name)
		}
	}
}
