package mempool

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/sdk/types"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLedger(t testing.TB) *ledger.Ledger {
	t.Helper()
	g := &chainspec.Genesis{
		Format: 1, Name: "test", Token: "TST", Supply: 1, SlotMs: 500,
		Consensus:   chainspec.Rules{Plugin: "none", Rules: "1", Config: []byte(`{}`)},
		Limits:      chainspec.Limits{BlockBytes: 8 << 20, TxBytes: 128 << 10, BlockGas: 40_000_000},
		Fees:        chainspec.Fees{Floor: 10},
		Allocations: []chainspec.Allocation{{Name: "all", Account: types.AccountID{1}, Amount: 1}},
		Producers:   []chainspec.Producer{{Name: "p", Key: newKey("p").pub}},
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Genesis: g, Modules: []ledger.Named{
		{Name: "account", Module: account.New(ledger.TillItem, ledger.AuthorityItem)}, {Name: "bank", Module: bank.New()}}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type key struct {
	pub  types.PublicKey
	priv ed25519.PrivateKey
}

func newKey(name string) key {
	seed := sha256.Sum256([]byte(name))
	priv := ed25519.NewKeyFromSeed(seed[:])
	return key{types.PublicKey{Scheme: types.SchemeEd25519, Key: []byte(priv.Public().(ed25519.PublicKey))}, priv}
}

// slot is the slot at which the tests' transactions are made.
const slot = 1000

// transaction is one of account from.
func transaction(from byte, salt, expires, gas uint64) types.Transaction {
	return types.Transaction{Module: "bank", Actions: []types.Action{{Name: "burn", Body: []byte{0}}}, Account: types.AccountID{from}, Expires: expires,
		Salt: salt, MaxGas: gas, MaxFee: 1000}
}

func seal(l *ledger.Ledger, x types.Transaction, keys ...key) []byte {
	e := types.Envelope{Raw: x.Encode()}
	for _, k := range keys {
		e.Signatures = append(e.Signatures, types.Signature{Key: k.pub, Sig: ed25519.Sign(k.priv, types.TxSignBytes(l.Chain(), e.Raw))})
	}
	return e.Encode()
}

func parse(t testing.TB, p *Pool, envelopes ...[]byte) []*ledger.Tx {
	t.Helper()
	txs, errs := p.Parse(slot, envelopes)
	for i, err := range errs {
		if err != nil {
			t.Fatalf("envelope %d: %v", i, err)
		}
	}
	return txs
}

func yes(*ledger.Tx) bool { return true }

func TestParse(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{})
	k := newKey("a")
	good, waiting := seal(l, transaction(1, 1, slot+50, 1000), k), seal(l, transaction(1, 2, slot+50, 1000), k)
	if err := p.Add(parse(t, p, waiting)[0]); err != nil {
		t.Fatal(err)
	}
	late, early := seal(l, transaction(1, 3, slot-1, 1000), k), seal(l, transaction(1, 4, slot+ledger.TxLifetime+1, 1000), k)
	other := seal(l, transaction(1, 2, slot+50, 1000), newKey("b"))
	txs, errs := p.Parse(slot, [][]byte{good, waiting, late, early, {1}, nil, make([]byte, 200<<10), other})
	for i, want := range []error{nil, ErrKnown, ledger.ErrExpired, ledger.ErrNotYet, ledger.ErrMalformed, ledger.ErrMalformed, ledger.ErrTooLarge, nil} {
		if !errors.Is(errs[i], want) || want == nil && errs[i] != nil {
			t.Errorf("envelope %d: %v, want %v", i, errs[i], want)
		}
	}
	if txs[0] == nil || txs[1] == nil || txs[4] != nil {
		t.Error("transactions")
	}
}

func TestBounds(t *testing.T) {
	l := newLedger(t)
	k := newKey("a")
	size := len(seal(l, transaction(1, 1, slot+50, 1000), k))
	for _, c := range []struct {
		name string
		opts Options
		fits int // transactions of one account
		both int // and then of two others in turn
	}{
		{"number", Options{MaxTxs: 5, PerAccount: 100}, 5, 5},
		{"bytes", Options{MaxBytes: 5*size + size/2}, 5, 5},
		{"per account", Options{MaxTxs: 20}, 5, 15},
		{"per account of a small pool", Options{MaxTxs: 2}, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(l, c.opts)
			add := func(from byte, salt uint64) error {
				return p.Add(parse(t, p, seal(l, transaction(from, salt, slot+50, 1000), k))[0])
			}
			for i := range uint64(10) {
				if err := add(1, 1+i); (err == nil) != (int(i) < c.fits) || err != nil && !errors.Is(err, ErrFull) {
					t.Fatalf("transaction %d: %v", i, err)
				}
			}
			for i := range uint64(10) {
				_, _ = add(2, 1+i), add(3, 1+i)
			}
			if n, b := p.Size(); n != c.both || b != n*size {
				t.Fatalf("%d transactions of %d bytes, want %d of %d each", n, b, c.both, size)
			}
			// What leaves makes room.
			out := p.Take(slot, 1<<20, 1<<40, yes)
			p.Remove([]types.TxID{out[0].ID, out[0].ID, {9}})
			if err := add(out[0].T.Account[0], 99); err != nil {
				t.Fatal(err)
			}
			if n, b := p.Size(); n != c.both || b != n*size {
				t.Fatalf("%d transactions of %d bytes", n, b)
			}
			for _, x := range p.Take(slot, 1<<20, 1<<40, yes) {
				p.Remove([]types.TxID{x.ID})
			}
			if n, b := p.Size(); n != 0 || b != 0 || len(p.accounts) != 0 || p.head != nil || p.tail != nil {
				t.Fatalf("%d transactions of %d bytes, %d accounts are left", n, b, len(p.accounts))
			}
		})
	}
}

func TestTake(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{PerAccount: 1000})
	k := newKey("a")
	var ids []types.TxID
	gas := []uint64{1000, 5000, 1000, 40_000_000, 1000, 1000}
	for i, g := range gas {
		expires := uint64(slot + 50)
		if i == 4 {
			expires = slot + 5
		}
		x := parse(t, p, seal(l, transaction(byte(i%2), 1+uint64(i), expires, g), k))[0]
		if err := p.Add(x); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.ID)
	}
	size := uint64(len(p.Get(ids[:1])[0].Envelope))
	for _, c := range []struct {
		name             string
		slot, bytes, gas uint64
		use              func(*ledger.Tx) bool
		want             []int
	}{
		{"all", slot, 1 << 20, 1 << 40, yes, []int{0, 1, 2, 3, 4, 5}},
		{"gas", slot, 1 << 20, 7000, yes, []int{0, 1, 2}},
		{"one that does not fit is passed over", slot, 1 << 20, 9000, yes, []int{0, 1, 2, 4, 5}},
		{"no gas", slot, 1 << 20, 0, yes, nil},
		{"bytes of three", slot, 3 * (size + 4), 1 << 40, yes, []int{0, 1, 2}},
		{"nearly the bytes of three", slot, 3*(size+4) - 1, 1 << 40, yes, []int{0, 1}},
		{"no bytes", slot, 0, 1 << 40, yes, nil},
		{"one has expired", slot + 6, 1 << 20, 1 << 40, yes, []int{0, 1, 2, 3, 5}},
		{"none may stand yet", slot - ledger.TxLifetime, 1 << 20, 1 << 40, yes, nil},
		{"some are not used", slot, 1 << 20, 1 << 40, func(x *ledger.Tx) bool { return x.T.Account[0] == 1 }, []int{1, 3, 5}},
		{"what is not used takes no room", slot, 1 << 20, 6000, func(x *ledger.Tx) bool { return x.T.Account[0] == 1 }, []int{1, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []int
			for _, x := range p.Take(c.slot, c.bytes, c.gas, c.use) {
				got = append(got, slices.Index(ids, x.ID))
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			if n, _ := p.Size(); n != len(ids) {
				t.Fatalf("%d are left", n)
			}
		})
	}
	if got := p.Get([]types.TxID{ids[5], {1}, ids[0]}); got[0].ID != ids[5] || got[1] != nil || got[2].ID != ids[0] {
		t.Fatalf("%v", got)
	}
}

func TestAdvance(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{})
	k := newKey("a")
	for i := range uint64(10) {
		x := parse(t, p, seal(l, transaction(1, 1, slot+10*i, 1000), k))
		if err := errors.Join(append(p.Verify(x), p.Add(x[0]))...); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		slot          uint64
		dropped, left int
	}{{slot, 0, 10}, {slot + 10, 1, 9}, {slot + 11, 1, 8}, {slot + 5, 0, 8}, {slot + 89, 7, 1}, {slot + 91, 1, 0}, {slot + 200, 0, 0}} {
		if n := p.Advance(c.slot); n != c.dropped {
			t.Errorf("slot %d: %d dropped, want %d", c.slot, n, c.dropped)
		}
		if n, _ := p.Size(); n != c.left || len(p.verified) != c.left {
			t.Errorf("slot %d: %d wait, %d are remembered, want %d", c.slot, n, len(p.verified), c.left)
		}
	}
}

func TestVerify(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{})
	a, b := newKey("a"), newKey("b")
	const n = 600 // more than two chunks
	envelopes := make([][]byte, n)
	bad := map[int]string{3: "signature 0", 255: "signature 1", 256: "signature 0", 599: "signature 0"}
	for i := range envelopes {
		keys := []key{a}
		if i%5 == 0 {
			keys = append(keys, b)
		}
		envelopes[i] = seal(l, transaction(1, uint64(i), slot+50, 1000), keys...)
		if s := bad[i]; s != "" {
			e, _ := types.DecodeEnvelope(envelopes[i])
			e.Signatures[strings.Count(s, "1")].Sig[40] ^= 4
			envelopes[i] = e.Encode()
		}
	}
	txs := parse(t, p, envelopes...)
	txs[7] = nil
	check := func() {
		t.Helper()
		for i, err := range p.Verify(txs) {
			want := bad[i]
			if (err == nil) != (want == "") || err != nil && (!errors.Is(err, ledger.ErrSignature) || !strings.Contains(err.Error(), want)) {
				t.Fatalf("transaction %d: %v, want %q", i, err, want)
			}
		}
		if len(p.verified) != n-len(bad)-1 {
			t.Fatalf("%d are remembered", len(p.verified))
		}
	}
	check()
	// Once verified, never again: whoever comes with the same bytes, decoded anew, gets the answer without its signatures
	// being looked at. That they are not is shown by spoiling them behind the pool's back.
	txs = parse(t, p, envelopes...)
	txs[7] = nil
	for i, x := range txs {
		if x != nil && bad[i] == "" {
			x.Sigs[0].Sig = make([]byte, 64)
		}
	}
	check()
	// Other bytes of the same transaction are verified for themselves.
	forged := parse(t, p, seal(l, transaction(1, 0, slot+50, 1000), b))
	forged[0].Sigs[0].Sig = make([]byte, 64)
	if err := p.Verify(forged)[0]; !errors.Is(err, ledger.ErrSignature) {
		t.Fatalf("another envelope of a verified transaction: %v", err)
	}
}

func TestRemembersNoMoreThanItMay(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{MaxTxs: 4, MaxKnown: 10})
	for i := range uint64(50) {
		if err := p.Verify(parse(t, p, seal(l, transaction(1, i, slot+50, 1000), newKey("a"))))[0]; err != nil {
			t.Fatal(err)
		}
	}
	if len(p.verified) != 10 {
		t.Fatalf("%d are remembered", len(p.verified))
	}
	// Nothing from so far ahead that it would never be forgotten.
	x, err := l.ParseTx(seal(l, transaction(1, 99, 1<<60, 1000), newKey("a")))
	if err != nil {
		t.Fatal(err)
	}
	k := sha256.Sum256(x.Envelope)
	if p.Verify([]*ledger.Tx{x})[0] != nil {
		t.Fatal("a good signature")
	}
	if _, ok := p.verified[k]; ok {
		t.Fatal("it is remembered for ever")
	}
}

func TestConcurrency(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{MaxTxs: 200})
	envelopes := make([][]byte, 300)
	for i := range envelopes {
		x := transaction(byte(i%7), uint64(i/2), slot+uint64(i%40), 1000)
		envelopes[i] = seal(l, x, newKey(fmt.Sprint(i%3)))
	}
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 1))
			for range 60 {
				var batch [][]byte
				for range 8 {
					batch = append(batch, envelopes[r.IntN(len(envelopes))])
				}
				txs, errs := p.Parse(slot, batch)
				for i := range errs {
					if errs[i] != nil {
						txs[i] = nil
					}
				}
				for i, err := range p.Verify(txs) {
					if err != nil {
						t.Error(err)
					} else if txs[i] != nil {
						_ = p.Add(txs[i])
					}
				}
				out := p.Take(slot, 2000, 1<<40, yes)
				switch r.IntN(4) {
				case 0:
					for _, x := range out {
						p.Remove([]types.TxID{x.ID})
					}
				case 1:
					p.Advance(slot + r.Uint64N(5))
				case 2:
					for _, x := range out {
						p.Get([]types.TxID{x.ID})
						p.Has(x.ID)
					}
				}
			}
		})
	}
	wg.Wait()
	p.Advance(slot + 1000)
	if n, b := p.Size(); n != 0 || b != 0 || len(p.accounts) != 0 || p.head != nil || p.tail != nil || len(p.verified) != 0 {
		t.Fatalf("%d transactions, %d bytes, %d accounts are left", n, b, len(p.accounts))
	}
}
