package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/core/ledger/chains"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// key is a key pair, and the account whose only key it is.
type key struct {
	pub  types.PublicKey
	priv ed25519.PrivateKey
}

func newKey(name string) key {
	seed := sha256.Sum256([]byte(name))
	priv := ed25519.NewKeyFromSeed(seed[:])
	return key{types.PublicKey{Scheme: types.SchemeEd25519, Key: []byte(priv.Public().(ed25519.PublicKey))}, priv}
}

func (k key) authority() *types.Authority { return types.SingleKeyAuthority(k.pub) }
func (k key) id() types.AccountID         { return k.authority().ID() }

func (k key) weight(w uint32) types.KeyWeight {
	return types.KeyWeight{Scheme: k.pub.Scheme, Key: k.pub.Hash(), Weight: w}
}

// Fees of the test chain.
const (
	perByte = 2
	perGas  = 3
	floor   = 500
	burnPPM = 250_000
	supply  = 1_000_000_000_000
)

var allNames = []string{"alice", "bob", "carol", "dave"}

func testGenesis() *chainspec.Genesis {
	g := &chainspec.Genesis{
		Format: 1, Name: "test", Token: "TST", Supply: supply, SlotMs: 500,
		Consensus: chainspec.Rules{Plugin: "none", Rules: "1", Config: []byte(`{}`)},
		Limits:    chainspec.Limits{BlockBytes: 8 << 20, TxBytes: 128 << 10, BlockGas: 40_000_000},
		Fees:      chainspec.Fees{PerByte: perByte, PerGas: perGas, Floor: floor, BurnPPM: burnPPM},
		Producers: []chainspec.Producer{{Name: "p", Key: newKey("producer").pub, Stake: 1}},
	}
	for _, n := range allNames {
		g.Allocations = append(g.Allocations, chainspec.Allocation{Name: n, Account: newKey(n).id(), Amount: supply / uint64(len(allNames))})
	}
	return g
}

// kit is a ledger over a state in memory, block by block.
type kit struct {
	t      testing.TB
	g      *chainspec.Genesis
	l      *Ledger
	layer  *state.Layer
	clock  uint64
	slot   uint64
	height uint64
	till   types.AccountID
	ext    map[string][][]byte
	salt   uint64
}

func as(name string, m module.Module) Named { return Named{Name: name, Module: m} }

// native returns the native modules of a chain.
func native(g *chainspec.Genesis) []Named {
	return []Named{
		as(AccountModule, account.New(TillItem, AuthorityItem)),
		as(types.ModuleBank, bank.New()),
		as(types.ModuleChains, chains.New(g.ID())),
	}
}

func newKit(t testing.TB, change func(*chainspec.Genesis), more ...Named) *kit {
	t.Helper()
	return newKitOf(t, Config{}, change, more...)
}

// must is for calls that cannot fail unless the test is wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// root returns the root of the state after a block.
func (k *kit) root(res *Result) types.Hash {
	k.t.Helper()
	layer, err := k.layer.Derive(k.t.Context(), res.Changes)
	if err != nil {
		k.t.Fatal(err)
	}
	return layer.Root()
}

// newKitOf is newKit with a configuration, whose genesis and modules it fills in.
func newKitOf(t testing.TB, cfg Config, change func(*chainspec.Genesis), more ...Named) *kit {
	t.Helper()
	g := testGenesis()
	if change != nil {
		change(g)
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	cfg.Genesis, cfg.Modules = g, append(native(g), more...)
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db, err := state.Open(t.Context(), storagetest.NewMemory(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	changes, err := l.GenesisChanges()
	if err != nil {
		t.Fatal(err)
	}
	layer, err := db.Base().Derive(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	return &kit{t: t, g: g, l: l, layer: layer, clock: 100, slot: 100, height: 1, till: newKey("producer").id()}
}

// tx makes a transaction of single-key account k that reveals its authority, with enough gas and fee.
func (k *kit) tx(from key, mod string, actions ...types.Action) types.Transaction {
	k.salt++
	return types.Transaction{
		Module: mod, Actions: actions, Account: from.id(), Authority: from.authority().Encode(), Expires: k.slot + 50, Salt: k.salt,
		MaxGas: 200_000, MaxFee: 1_000_000,
	}
}

// seal signs a transaction.
func (k *kit) seal(t types.Transaction, keys ...key) []byte {
	env := types.Envelope{Raw: t.Encode()}
	msg := types.TxSignBytes(k.l.Chain(), env.Raw)
	for _, s := range keys {
		env.Signatures = append(env.Signatures, types.Signature{Key: s.pub, Sig: ed25519.Sign(s.priv, msg)})
	}
	return env.Encode()
}

// signed signs and parses.
func (k *kit) signed(t types.Transaction, keys ...key) *Tx {
	k.t.Helper()
	tx, err := k.l.ParseTx(k.seal(t, keys...))
	if err != nil {
		k.t.Fatalf("parse: %v", err)
	}
	return tx
}

func (k *kit) authorise(txs ...*Tx) []error {
	k.t.Helper()
	errs, err := k.l.Authorise(k.t.Context(), k.layer, k.clock, txs)
	if err != nil {
		k.t.Fatalf("authorise: %v", err)
	}
	return errs
}

func (k *kit) header(clock uint64) Block {
	return Block{Height: k.height + 1, Slot: k.slot + 1, Clock: clock, Producer: newKey("producer").pub.Hash(), Till: k.till,
		Extensions: k.ext}
}

// block makes a block one tick later.
func (k *kit) block(txs ...*Tx) *Result {
	k.t.Helper()
	return k.blockAt(k.clock+1, txs...)
}

func (k *kit) blockAt(clock uint64, txs ...*Tx) *Result {
	k.t.Helper()
	for i, err := range k.authorise(txs...) {
		if err != nil {
			k.t.Fatalf("transaction %d: %v", i, err)
		}
	}
	res, err := k.l.Execute(k.t.Context(), k.layer, k.header(clock), txs)
	if err != nil {
		k.t.Fatalf("execute: %v", err)
	}
	k.apply(clock, txs, res)
	return res
}

// apply goes on to the state after a block, and checks what holds of every block.
func (k *kit) apply(clock uint64, txs []*Tx, res *Result) {
	k.t.Helper()
	layer, err := k.layer.Derive(k.t.Context(), res.Changes)
	if err != nil {
		k.t.Fatal(err)
	}
	burned := k.balance(types.BurnAccount)
	k.layer, k.clock, k.slot, k.height = layer, clock, k.slot+1, k.height+1
	if len(res.Receipts) < len(txs) {
		k.t.Fatalf("%d receipts for %d transactions", len(res.Receipts), len(txs))
	}
	var gas uint64
	for i, r := range res.Receipts {
		if _, err := types.DecodeReceipt(r.Encode()); err != nil {
			k.t.Fatalf("receipt %d: %v", i, err)
		}
		if i >= len(txs) {
			if r.ID != (types.TxID{}) || r.Fee != 0 || r.Gas != 0 {
				k.t.Fatalf("receipt %d of scheduled work: %+v", i, r)
			}
			continue
		}
		t := txs[i]
		if r.ID != t.ID || r.Status == "" || r.Fee > t.T.MaxFee || r.Gas > t.T.MaxGas || r.Fee < k.l.LeastFee(len(t.Envelope)) {
			k.t.Fatalf("receipt %d: %+v; max_fee %d, max_gas %d", i, r, t.T.MaxFee, t.T.MaxGas)
		}
		if want := min(k.l.book.current().of(len(t.Envelope), r.Gas), t.T.MaxFee); r.Fee != want {
			k.t.Fatalf("receipt %d: fee %d, want %d", i, r.Fee, want)
		}
		if r.Status != types.StatusOK && len(r.Events) > 0 {
			k.t.Fatalf("receipt %d: failed with %d events", i, len(r.Events))
		}
		gas += r.Gas
	}
	if gas != res.Gas {
		k.t.Fatalf("gas %d, the receipts sum to %d", res.Gas, gas)
	}
	if got := k.balance(types.BurnAccount) - burned; got != res.Burned {
		k.t.Fatalf("burned %d, the burn account got %d", res.Burned, got)
	}
	k.conserved()
}

// conserved checks that all balances and escrows sum to the supply.
func (k *kit) conserved() {
	k.t.Helper()
	total, err := k.l.Total(k.t.Context(), k.layer)
	if err != nil {
		k.t.Fatal(err)
	}
	if total.Burned != k.balance(types.BurnAccount) {
		k.t.Fatalf("%d are burned, the burn account has %d", total.Burned, k.balance(types.BurnAccount))
	}
	sum := total.Sum()
	if sum != k.g.Supply {
		k.t.Fatalf("balances and escrows sum to %d, the supply is %d", sum, k.g.Supply)
	}
}

func (k *kit) balance(id types.AccountID) uint64 {
	k.t.Helper()
	a, _, err := AccountOf(context.Background(), k.layer, id)
	if err != nil {
		k.t.Fatal(err)
	}
	return a.Balance
}

func (k *kit) authority(id types.AccountID) *types.Authority {
	k.t.Helper()
	_, a, err := AccountOf(context.Background(), k.layer, id)
	if err != nil {
		k.t.Fatal(err)
	}
	return a
}

func (k *kit) escrow(mod string, it module.Item) uint64 {
	k.t.Helper()
	v, err := k.layer.Get(context.Background(), []state.Item{escrowItem(mod, it)})
	if err != nil {
		k.t.Fatal(err)
	}
	n, err := decodeAmount(v[0])
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// put sets an item of the state.
func (k *kit) put(it state.Item, v []byte) {
	k.t.Helper()
	layer, err := k.layer.Derive(k.t.Context(), []state.Change{{Item: it, Value: v}})
	if err != nil {
		k.t.Fatal(err)
	}
	k.layer = layer
}

func transfer(to types.AccountID, amount uint64) types.Action {
	return types.Action{Name: "transfer", Body: types.TransferBody{To: to, Amount: amount}.Encode(), MaxSpend: amount}
}

func burn(amount uint64) types.Action {
	return types.Action{Name: "burn", Body: types.BurnBody{Amount: amount}.Encode(), MaxSpend: amount}
}

func setPermission(p types.Permission) types.Action {
	return types.Action{Name: "set_permission", Body: types.PermissionBody{Permission: p}.Encode()}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantStatus(t testing.TB, what string, r types.Receipt, want string) {
	t.Helper()
	if r.Status != want {
		t.Errorf("%s: status %q, want %q", what, r.Status, want)
	}
}

// scripted is a module that does what a test says.
type scripted struct {
	module.Module // nil: whatever is not overridden panics
	check         func([]module.Tx) []module.TxCheck
	execute       func(context.Context, *module.Block, module.Reader) (*module.Outcome, error)
}

func (s *scripted) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	if s.check == nil {
		return make([]module.TxCheck, len(txs)), nil
	}
	return s.check(txs), nil
}

func (s *scripted) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	return s.execute(ctx, b, r)
}

func blank(b *module.Block) *module.Outcome {
	return &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
}
