package client_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// liar is a chain whose answers are changed on the way. Each function is given a copy.
type liar struct {
	*apitest.Chain
	block   func(*api.Block)
	epoch   func(*api.Epoch)
	account func(*api.Account)
	query   func(*api.QueryAnswer)
	tx      func(*api.Tx)
	genesis []byte
	asked   atomic.Int64 // for blocks
}

func (l *liar) Genesis() []byte {
	if l.genesis != nil {
		return l.genesis
	}
	return l.Chain.Genesis()
}

func (l *liar) Block(ctx context.Context, height uint64) (*api.Block, error) {
	l.asked.Add(1)
	b, err := l.Chain.Block(ctx, height)
	if err != nil || l.block == nil {
		return b, err
	}
	c := *b
	h := *b.Header
	c.Header, c.Receipts, c.TxIDs = &h, append([]types.Receipt(nil), b.Receipts...), append([]types.TxID(nil), b.TxIDs...)
	if b.Finality != nil {
		f := *b.Finality
		cert := *f.Cert
		f.Cert = &cert
		c.Finality = &f
	}
	l.block(&c)
	c.ID = c.Header.ID()
	return &c, nil
}

func (l *liar) Epoch(ctx context.Context, number uint64) (api.Epoch, error) {
	e, err := l.Chain.Epoch(ctx, number)
	if err == nil && l.epoch != nil {
		h := *e.Opened
		e.Opened = &h
		if e.Proof != nil {
			p := *e.Proof
			e.Proof = &p
		}
		l.epoch(&e)
	}
	return e, err
}

func (l *liar) Account(ctx context.Context, id types.AccountID, prove bool) (api.Account, error) {
	a, err := l.Chain.Account(ctx, id, prove)
	if err == nil && l.account != nil {
		l.account(&a)
	}
	return a, err
}

func (l *liar) Tx(ctx context.Context, id types.TxID) (api.Tx, error) {
	t, err := l.Chain.Tx(ctx, id)
	if err == nil && l.tx != nil && t.Stage == api.Final {
		l.tx(&t)
	}
	return t, err
}

// lightRig is a liar, and a client of it.
func lightRig(t *testing.T) (*liar, *client.Client) {
	l := &liar{Chain: apitest.NewChain("root")}
	n := apitest.NewNode("north")
	n.Add(l)
	at, _ := start(t, n, api.DefaultAddress, api.Options{})
	return l, dial(t, at, client.Options{})
}

func follow(t *testing.T, l *liar, c *client.Client) *client.Light {
	t.Helper()
	x, err := c.Light(within(t), client.Trust{Chain: l.ID(), Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func submit(t *testing.T, l *liar, c *client.Client) types.TxID {
	t.Helper()
	key, account := alice()
	env, id, err := c.Make(within(t), "root", account, "bank", transfer(), client.BuildOptions{}, key)
	if err == nil {
		_, err = c.SubmitAndWait(within(t), "root", env, client.Accepted)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// threeEpochs are blocks 1 to 5, of which 5 is shown to be final by the second block above it; 6 to 9; and 10 to 13. A
// transaction is in 1, 5, 6, 9 and 10.
func threeEpochs(t *testing.T, l *liar, c *client.Client) map[uint64]types.TxID {
	ids := map[uint64]types.TxID{}
	for _, x := range []struct {
		height uint64
		f      func()
	}{
		{1, func() { l.Advance(4) }}, {5, func() { l.Close(2) }}, {6, func() { l.Advance(3) }}, {9, func() { l.Close(0) }}, {10, func() { l.Advance(4) }},
	} {
		ids[x.height] = submit(t, l, c)
		x.f()
	}
	return ids
}

func TestLightBlock(t *testing.T) {
	l, c := lightRig(t)
	ids := threeEpochs(t, l, c)
	forth, back := follow(t, l, c), follow(t, l, c)
	for i := range uint64(12) {
		for height, x := range map[uint64]*client.Light{i + 1: forth, 12 - i: back} {
			b, err := x.Block(within(t), height)
			if err != nil {
				t.Errorf("block %d: %v", height, err)
				continue
			}
			want, has := ids[height]
			if b.Header.Height != height || len(b.TxIDs) != b.TxCount || has != (len(b.TxIDs) == 1) || has && (b.TxIDs[0] != want || len(b.Receipts) != 1) {
				t.Errorf("block %d: %+v", height, b)
			}
		}
	}
	for _, height := range []uint64{13, 14} {
		if _, err := forth.Block(within(t), height); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("block %d without the one above it: %v", height, err)
		}
	}
	if e, set := back.Epoch(); e.Number != 2 || e.Opened.Height != 9 || set.Hash() != l.Set().Hash() {
		t.Errorf("epoch %+v", e)
	}
}

func TestLightStart(t *testing.T) {
	l, c := lightRig(t)
	threeEpochs(t, l, c)
	ctx := within(t)
	e, err := c.Epoch(ctx, "root", 1)
	if err != nil {
		t.Fatal(err)
	}
	at := client.Trust{Chain: l.ID(), Checkpoint: e.Opened.ID(), Height: e.Opened.Height, Now: l.Now}
	x, err := c.Light(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Block(ctx, 11); err != nil {
		t.Errorf("a block of a later epoch: %v", err)
	}
	if _, err := x.Block(ctx, 2); !errors.Is(err, client.ErrUnproven) || !errors.Is(err, light.ErrEpoch) {
		t.Errorf("a block before the checkpoint: %v", err)
	}
	for name, spoil := range map[string]func(*client.Trust){
		"another id":                   func(t *client.Trust) { t.Checkpoint[0]++ },
		"another height":               func(t *client.Trust) { t.Height = 9 },
		"a block that closes nothing":  func(t *client.Trust) { t.Height, t.Checkpoint = 2, e.Opened.Parent },
		"another chain than was asked": func(*client.Trust) { l.genesis = apitest.NewChain("other").Genesis() },
		"another one, and no checkpoint": func(t *client.Trust) {
			l.genesis = apitest.NewChain("other").Genesis()
			t.Checkpoint, t.Height = types.BlockID{}, 0
		},
		"no genesis document": func(*client.Trust) { l.genesis = []byte("{}") },
	} {
		bad := at
		spoil(&bad)
		if _, err := c.Light(ctx, bad); !errors.Is(err, client.ErrUnproven) {
			t.Errorf("%s: %v", name, err)
		}
		l.genesis = nil
	}
	if _, err := c.Light(ctx, client.Trust{}); !errors.Is(err, api.ErrUnknownChain) {
		t.Errorf("nothing is trusted: %v", err)
	}
}

// Producers are believed for as long as the genesis document says, counted from the last that is known of them.
func TestLightExpires(t *testing.T) {
	for _, r := range []struct {
		name     string
		trusting time.Duration
		advance  bool
		ok       bool
	}{{"never asked", 0, false, false}, {"asked in between", 0, true, true}, {"told otherwise", 3 * apitest.Trusting, false, true}} {
		l, c := lightRig(t)
		l.Advance(1)
		x, err := c.Light(within(t), client.Trust{Chain: l.ID(), Trusting: r.trusting, Now: l.Now})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l.Skip(uint64(apitest.Trusting.Milliseconds()) / 500 * 2 / 3)
			l.Close(1)
			if r.advance {
				if err := x.Advance(within(t)); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.Advance(2)
		_, err = x.Block(within(t), 4)
		if (err == nil) != r.ok || err != nil && (!errors.Is(err, client.ErrUnproven) || !errors.Is(err, light.ErrExpired)) {
			t.Errorf("%s: %v", r.name, err)
		}
		if err := x.Advance(within(t)); (err == nil) != r.ok {
			t.Errorf("%s: advance: %v", r.name, err)
		}
	}
}

func TestLightFindsLies(t *testing.T) {
	at := func(height uint64, f func(*api.Block)) func(*liar) {
		return func(l *liar) {
			l.block = func(b *api.Block) {
				if b.Header.Height == height {
					f(b)
				}
			}
		}
	}
	other := apitest.NewChain("other")
	other.Advance(8)
	for _, r := range []struct {
		name   string
		height uint64
		spoil  func(*liar)
	}{
		{"the set of others", 6, func(l *liar) {
			l.epoch = func(e *api.Epoch) {
				s := *other.Set()
				s.Epoch = 1
				e.Set, e.Opened.NextSet = &s, s.Hash()
			}
		}},
		{"no proof of an epoch", 6, func(l *liar) { l.epoch = func(e *api.Epoch) { e.Proof = nil } }},
		{"a suffix that is cut", 6, func(l *liar) { l.epoch = func(e *api.Epoch) { e.Proof.Suffix = e.Proof.Suffix[:1] } }},
		{"a suffix that is left out", 6, func(l *liar) { l.epoch = func(e *api.Epoch) { e.Proof.Suffix = nil } }},
		{"a suffix of the closing block that is cut", 5, at(5, func(b *api.Block) { b.Finality.Suffix = b.Finality.Suffix[:1] })},
		{"a suffix that is changed", 5, at(5, func(b *api.Block) {
			h := *b.Finality.Suffix[0]
			h.ReceiptsRoot[0]++
			b.Finality.Suffix = []*types.Header{&h, b.Finality.Suffix[1]}
		})},
		{"receipts of a closing block", 5, at(5, func(b *api.Block) { b.Receipts[0].Fee++ })},
		{"another chain", 6, func(l *liar) {
			l.block = func(b *api.Block) { x, _ := other.Block(context.Background(), b.Header.Height); *b = *x }
		}},
		{"a certificate of an earlier epoch", 6, at(6, func(b *api.Block) { b.Header.Epoch = 0 })},
		{"a later epoch than there is", 6, at(6, func(b *api.Block) { b.Header.Epoch = 2 })},
		{"a header changed", 3, at(3, func(b *api.Block) { b.Header.StateRoot[0]++ })},
		{"the signed header changed", 3, at(4, func(b *api.Block) { b.Header.StateRoot[0]++ })},
		{"another slot than was signed", 3, at(4, func(b *api.Block) { b.Finality.Cert.Slot++ })},
		{"too few signatures", 3, at(4, func(b *api.Block) {
			b.Finality.Cert.Bitmap, b.Finality.Cert.Signatures = []byte{0b0011}, b.Finality.Cert.Signatures[:2]
		})},
		{"a signature of another", 3, at(4, func(b *api.Block) {
			s := append([][]byte(nil), b.Finality.Cert.Signatures...)
			s[0] = s[1]
			b.Finality.Cert.Signatures = s
		})},
		{"the time to come", 3, func(l *liar) {
			at(4, func(b *api.Block) { b.Header.Slot += 1000; b.Finality.Cert = l.Certify(b.Header) })(l)
		}},
		{"a fee", 1, at(1, func(b *api.Block) { b.Receipts[0].Fee++ })},
		{"receipts hidden", 1, at(1, func(b *api.Block) { b.Receipts = nil })},
		{"a receipt too much", 3, at(3, func(b *api.Block) { b.Receipts = append(b.Receipts, types.Receipt{}) })},
		{"another body", 1, at(1, func(b *api.Block) { b.Body, b.TxIDs = (&types.Body{}).Encode(), nil })},
		{"no body", 1, at(1, func(b *api.Block) { b.Body = nil })},
		{"a body that is none", 1, at(1, func(b *api.Block) { b.Body = []byte{9} })},
	} {
		l, c := lightRig(t)
		ids := threeEpochs(t, l, c)
		x := follow(t, l, c)
		r.spoil(l)
		if _, err := x.Block(within(t), r.height); !errors.Is(err, client.ErrUnproven) {
			t.Errorf("%s: %v", r.name, err)
		}
		l.block, l.epoch = nil, nil
		if b, err := x.Block(within(t), r.height); err != nil {
			t.Errorf("%s: the truth afterwards: %v", r.name, err)
		} else if id, ok := ids[r.height]; ok && b.TxIDs[0] != id {
			t.Errorf("%s: the truth afterwards: %v", r.name, b.TxIDs)
		}
	}
	l, c := lightRig(t)
	threeEpochs(t, l, c)
	x := follow(t, l, c)
	at(1, func(b *api.Block) { b.TxIDs[0][0]++ })(l) // what the body says is returned, not what the node says besides
	if b, err := x.Block(within(t), 1); err != nil || b.TxIDs[0] != l.id(t, 1) {
		t.Errorf("ids besides the body: %v", err)
	}
}

// id is that of the first transaction of a block.
func (l *liar) id(t *testing.T, height uint64) types.TxID {
	b, err := l.Chain.Block(within(t), height)
	if err != nil {
		t.Fatal(err)
	}
	return b.TxIDs[0]
}

// Who hides that an epoch is over can't pass off a block that only carried votes as the one at its height.
func TestLightKnowsSuffixBlocks(t *testing.T) {
	l, c := lightRig(t)
	l.Advance(2)
	first := follow(t, l, c) // of epoch 0
	l.Close(2)
	x, err := l.Chain.Block(within(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	l.Advance(2)
	l.block = func(b *api.Block) {
		if i := b.Header.Height - 4; i < 2 {
			*b = api.Block{Header: x.Finality.Suffix[i], Body: (&types.Body{}).Encode()}
			if i == 1 {
				b.Finality = &types.Finality{Cert: x.Finality.Cert}
			}
		}
	}
	if b, err := first.Block(within(t), 4); !errors.Is(err, client.ErrUnproven) || !strings.Contains(err.Error(), "dropped at the end of the epoch") {
		t.Errorf("while the end is not known: %v %v", b, err)
	}
	if err := first.Advance(within(t)); err != nil {
		t.Fatal(err)
	}
	if b, err := first.Block(within(t), 4); !errors.Is(err, client.ErrUnproven) || !errors.Is(err, light.ErrSuffix) {
		t.Errorf("when the end is known: %v %v", b, err)
	}
	l.block = nil
	if b, err := first.Block(within(t), 4); err != nil || b.Header.Epoch != 1 {
		t.Errorf("the truth: %v", err)
	}
}

func TestLightAccount(t *testing.T) {
	_, id := alice()
	for _, r := range []struct {
		name  string
		spoil func(*api.Account)
		block func(*api.Block)
	}{
		{"the truth", nil, nil},
		{"besides the proofs", func(a *api.Account) { a.Balance = 1e9; a.Height = 1 }, nil},
		{"another balance", func(a *api.Account) { a.Proofs[0].Value = []byte{9, 0} }, nil},
		{"no balance", func(a *api.Account) { a.Proofs[0].Value = nil }, nil},
		{"an authority", func(a *api.Account) { a.Proofs[1].Value = types.SingleKeyAuthority(apitest.Key("x").Public()).Encode() }, nil},
		{"a proof left out", func(a *api.Account) { a.Proofs = a.Proofs[1:] }, nil},
		{"a proof that is none", func(a *api.Account) { a.Proofs[1].Proof = nil }, nil},
		{"another key", func(a *api.Account) { a.Proofs[0].Key = []byte("k") }, nil},
		{"another height", func(a *api.Account) { a.ProofHeight-- }, nil},
		{"another state", nil, func(b *api.Block) { b.Header.StateRoot[0]++ }},
	} {
		for _, suffix := range []int{0, 2} {
			l, c := lightRig(t)
			l.SetAccount(api.Account{ID: id, Balance: 70})
			l.Track(id)
			x := follow(t, l, c)
			l.Advance(2)
			l.Close(suffix)
			l.SetAccount(api.Account{ID: id, Balance: 80})
			l.Advance(2)
			l.account, l.block = r.spoil, r.block
			a, err := x.Account(within(t), id)
			if strings.HasSuffix(r.name, "truth") || strings.HasPrefix(r.name, "besides") {
				if err != nil || a.Balance != 80 || a.Authority != nil || a.At.Height != 5 || a.ID != id {
					t.Errorf("%s: %+v %v", r.name, a, err)
				}
			} else if !errors.Is(err, client.ErrUnproven) {
				t.Errorf("%s: %+v %v", r.name, a, err)
			}
		}
	}
	l, c := lightRig(t)
	x := follow(t, l, c)
	rich := types.AccountID{5}
	l.SetAccount(api.Account{ID: rich, Balance: 1e9})
	l.Track(rich)
	l.Advance(2)
	l.account = func(a *api.Account) {
		if of, err := l.Chain.Account(context.Background(), rich, true); err == nil {
			a.Proofs, a.ProofHeight = of.Proofs, of.ProofHeight
		}
	}
	if a, err := x.Account(within(t), id); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("what another account has: %+v %v", a, err)
	}
	if a, err := x.Account(within(t), rich); err != nil || a.Balance != 1e9 {
		t.Errorf("the other account: %+v %v", a, err)
	}
	l, c = lightRig(t)
	x = follow(t, l, c)
	l.SetAccount(api.Account{ID: id, Balance: 70})
	l.Track(id)
	l.Advance(3)
	l.Close(1) // the newest block is one that closes, and the proof leads to it by way of what carried the votes
	if a, err := x.Account(within(t), id); err != nil || a.Balance != 70 || a.At.Height != 4 {
		t.Errorf("at the end of an epoch: %+v %v", a, err)
	}
	l.SetAccount(api.Account{ID: id})
	l.Advance(2)
	if a, err := x.Account(within(t), id); err != nil || a.Balance != 0 {
		t.Errorf("an account that has nothing: %+v %v", a, err)
	}
}

// A transaction is waited for that gets into a closing block, or into the first one of the next epoch.
func TestLightSubmitAndWait(t *testing.T) {
	key, account := alice()
	type result struct {
		tx  api.Tx
		err error
	}
	for _, r := range []struct {
		name   string
		before func(l *liar) // what makes it final
		after  func(l *liar) // what its receipt is proven by
		height uint64
	}{
		{"in the midst of an epoch", func(l *liar) { l.Advance(1) }, func(l *liar) { l.Advance(1) }, 3},
		{"in a closing block", func(l *liar) { l.Close(0) }, func(l *liar) { l.Advance(1) }, 3},
		{"in one that a suffix makes final", func(l *liar) { l.Close(3) }, func(*liar) {}, 3},
		{"before a closing block", func(l *liar) { l.Advance(1) }, func(l *liar) { l.Close(2) }, 3},
		{"after several epochs", func(l *liar) { l.Forget(); l.Close(0); l.Close(1); l.Close(2) }, func(l *liar) { l.Advance(2) }, 6},
	} {
		t.Run(r.name, func(t *testing.T) {
			l, c := lightRig(t)
			l.Advance(2)
			x := follow(t, l, c)
			env, id, err := c.Make(within(t), "root", account, "bank", transfer(), client.BuildOptions{}, key)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan result, 1)
			go func() {
				tx, err := x.SubmitAndWait(within(t), env)
				done <- result{tx, err}
			}()
			await(t, "it waits", func() bool { return l.Subscribers() == 1 })
			r.before(l)
			if r.height > 3 { // it was lost, and is submitted again
				await(t, "it waits again", func() bool { return l.Status().Waiting == 1 })
				l.Advance(1)
			}
			await(t, "it asks for the block", func() bool { return l.asked.Load() > 0 })
			r.after(l)
			got := <-done
			if tx := got.tx; got.err != nil || tx.ID != id || tx.Stage != api.Final || tx.Height != r.height || tx.Receipt == nil || tx.Receipt.Fee != 100 || tx.Block.IsZero() {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What a node says of a transaction's fate is not believed where it can be proven.
func TestLightSubmitAndWaitFindsLies(t *testing.T) {
	key, account := alice()
	for _, r := range []struct {
		name string
		ok   bool
		tx   func(*api.Tx)
		in   func(*api.Block)
	}{
		{"the truth", true, nil, nil},
		{"that it has failed", true, func(x *api.Tx) { x.Receipt = &types.Receipt{ID: x.ID, Status: "ErrInsufficient"} }, nil},
		{"another index", true, func(x *api.Tx) { x.Index = 7 }, nil},
		{"another block", false, func(x *api.Tx) { x.Height-- }, nil},
		{"a block that does not have it", false, nil, func(b *api.Block) { b.Body = (&types.Body{}).Encode() }},
		{"another receipt", false, nil, func(b *api.Block) { b.Receipts[0].Status = "ErrInsufficient" }},
	} {
		l, c := lightRig(t)
		l.Advance(2)
		x := follow(t, l, c)
		l.tx = r.tx
		l.block = func(b *api.Block) {
			if r.in != nil && b.Header.Height == 3 {
				r.in(b)
			}
		}
		env, id, err := c.Make(within(t), "root", account, "bank", transfer(), client.BuildOptions{}, key)
		if err == nil {
			_, err = c.SubmitAndWait(within(t), "root", env, client.Accepted)
		}
		if err != nil {
			t.Fatal(err)
		}
		l.Close(1)
		tx, err := x.SubmitAndWait(within(t), env)
		if tx.ID != id || (err == nil) != r.ok || err != nil && !errors.Is(err, client.ErrUnproven) {
			t.Errorf("%s: %+v %v", r.name, tx, err)
		}
	}
}
