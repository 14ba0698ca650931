package chain

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// shortOf makes the short form of a block's body, and returns its transactions.
func shortOf(t *testing.T, k *kit, b *FinalBlock) (short []byte, txs []*ledger.Tx) {
	t.Helper()
	body, err := types.DecodeBody(b.Body())
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range body.Txs {
		tx, err := k.cfg.Ledger.ParseTx(raw)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	if len(txs) < 10 {
		t.Fatalf("the block has %d transactions, the test needs more", len(txs))
	}
	return encodeShort(b.ID, body, txs), txs
}

// pooled puts transactions into a chain's pool, verified as if they had been gossiped.
func pooled(t *testing.T, k *kit, txs []*ledger.Tx) {
	t.Helper()
	if err := errors.Join(k.pool.Verify(txs)...); err != nil {
		t.Fatal(err)
	}
	for _, tx := range txs {
		if err := k.pool.Add(tx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestShortBody pushes a block's body in short form to a node whose pool has all of its transactions, most, few or none; and
// by peers who lie.
func TestShortBody(t *testing.T) {
	type world struct {
		k, far        *kit
		b             *FinalBlock
		short         []byte
		txs           []*ledger.Tx
		pusher, other types.Hash
		asked         map[byte]int // by the purpose of the question to the pusher
	}
	serve := func(w *world) func(ctx context.Context, p byte, b []byte) ([]byte, error) {
		return func(ctx context.Context, p byte, b []byte) ([]byte, error) {
			w.k.net.mu.Lock()
			w.asked[p]++
			w.k.net.mu.Unlock()
			return w.far.OnRequest(ctx, w.pusher, p, b)
		}
	}
	only := func(t *testing.T, w *world, txs, bodies int) {
		t.Helper()
		w.k.net.mu.Lock()
		defer w.k.net.mu.Unlock()
		if w.asked[ReqTxs] != txs || w.asked[ReqBody] != bodies {
			t.Errorf("the pusher was asked %d times for transactions and %d times for the body, want %d and %d", w.asked[ReqTxs], w.asked[ReqBody], txs, bodies)
		}
	}
	for name, c := range map[string]struct {
		do    func(t *testing.T, w *world)
		check func(t *testing.T, w *world)
	}{
		"all is here": {func(t *testing.T, w *world) {
			pooled(t, w.k, w.txs)
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
		}, func(t *testing.T, w *world) { only(t, w, 0, 0) }},
		"some are missing": {func(t *testing.T, w *world) {
			pooled(t, w.k, append(append([]*ledger.Tx(nil), w.txs[1:4]...), w.txs[5:]...))
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
		}, func(t *testing.T, w *world) { only(t, w, 1, 0) }},
		"most are missing": {func(t *testing.T, w *world) {
			pooled(t, w.k, w.txs[:2])
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
		}, func(t *testing.T, w *world) { only(t, w, 0, 1) }},
		"malformed": {func(t *testing.T, w *world) {
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short[:len(w.short)-1]))
		}, func(t *testing.T, w *world) { only(t, w, 0, 1) }},
		"of another block": {func(t *testing.T, w *world) {
			pooled(t, w.k, w.txs)
			body, _ := types.DecodeBody(w.b.Body())
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, encodeShort(w.b.ID, body, w.txs[1:])))
		}, func(t *testing.T, w *world) { only(t, w, 0, 1) }},
		"a liar first": {func(t *testing.T, w *world) {
			pooled(t, w.k, w.txs)
			body, _ := types.DecodeBody(w.b.Body())
			w.k.OnMessage(w.other, MsgShort, pushed(w.b.ID, encodeShort(w.b.ID, body, w.txs[1:])))
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
		}, func(*testing.T, *world) {}},
		"who does not tell the missing": {func(t *testing.T, w *world) {
			w.k.net.join(w.other, serve(w)) // has the body too
			w.k.net.join(w.pusher, func(ctx context.Context, p byte, _ []byte) ([]byte, error) {
				if p == ReqTxs {
					return []byte{9, 9}, nil
				}
				<-ctx.Done()
				return nil, ctx.Err()
			})
			pooled(t, w.k, w.txs[1:])
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
		}, func(*testing.T, *world) {}},
		"wrong ones for the missing": {func(t *testing.T, w *world) {
			honest := serve(w)
			w.k.net.join(w.pusher, func(ctx context.Context, p byte, b []byte) ([]byte, error) {
				if p == ReqTxs {
					return EncodeTxs([][]byte{w.txs[3].Envelope}), nil
				}
				return honest(ctx, p, b)
			})
			pooled(t, w.k, w.txs[1:])
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
		}, func(t *testing.T, w *world) { only(t, w, 0, 1) }},
		"then in full": {func(t *testing.T, w *world) { // a whole body takes the place of the short form of the same peer
			w.k.OnMessage(w.pusher, MsgShort, pushed(w.b.ID, w.short))
			w.k.OnMessage(w.pusher, MsgBody, pushed(w.b.ID, w.b.Body()))
		}, func(t *testing.T, w *world) { only(t, w, 0, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			k, s, far, block := scripted(t)
			w := &world{k: k, far: far, b: block(1), pusher: types.Hash{1}, other: types.Hash{2}, asked: map[byte]int{}}
			w.short, w.txs = shortOf(t, k, w.b)
			k.net.join(w.pusher, serve(w))
			c.do(t, w)
			s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: w.b.Header}}}
			if got := next[*consensus.Checked](t, s); !got.OK || got.Block != w.b.ID {
				t.Fatalf("%+v", got)
			}
			c.check(t, w)
			await(t, "an empty cache", func() bool {
				k.bodies.mu.Lock()
				defer k.bodies.mu.Unlock()
				return len(k.bodies.m) == 0 && k.bodies.bytes == 0 && len(k.bodies.peers) == 0
			})
		})
	}
}

// TestShortBodyAfterTheCheck has the short form come when the check waits for it already.
func TestShortBodyAfterTheCheck(t *testing.T) {
	k, s, _, block := scripted(t)
	b := block(1)
	short, txs := shortOf(t, k, b)
	pooled(t, k, txs)
	s.ready <- &consensus.Ready{Check: []consensus.Check{{Header: b.Header}}}
	waits := make(chan bool, 1)
	await(t, "the waiting check", func() bool {
		k.do(func(context.Context) error { waits <- k.parked[b.ID] != nil; return nil })
		return <-waits
	})
	k.OnMessage(types.Hash{1}, MsgShort, pushed(b.ID, short))
	if got := next[*consensus.Checked](t, s); !got.OK {
		t.Fatalf("%+v", got)
	}
}

// TestShortBodyIsPushed reads what a producer pushes: small bodies whole, others in short form.
func TestShortBodyIsPushed(t *testing.T) {
	k := newKit(t, &solo{target: 2}, true)
	sent := make(chan []byte, 64)
	k.net.sent = func(purpose byte, payload []byte) {
		if purpose == MsgBody || purpose == MsgShort {
			sent <- append([]byte{purpose}, payload...)
		}
	}
	for range 20 {
		env, _ := k.transfer(alice, bob.id(), 5)
		k.submit(env)
	}
	k.run()
	k.final(1)
	b, err := k.Block(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	short, _ := shortOf(t, k, b)
	if got := <-sent; !bytes.Equal(got, append([]byte{MsgShort}, pushed(b.ID, short)...)) {
		t.Errorf("pushed: %q, %d bytes", got[0], len(got))
	}
	if len(short)*10 > len(b.Body()) {
		t.Errorf("the short form has %d bytes of %d", len(short), len(b.Body()))
	}
}

func FuzzShortBody(f *testing.F) {
	f.Add(encodeShort(types.BlockID{1}, &types.Body{Certificate: []byte("c"), Extensions: []types.Extension{{Module: "m", Data: []byte{1}}}}, []*ledger.Tx{{}, {}}))
	f.Add(encodePlaces(types.BlockID{1}, []int{0, 1, 7, 300}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeShort(b); err == nil && len(s.ids)*len(mempool.ShortID{}) > len(b) {
			t.Fatalf("%d ids in %d bytes", len(s.ids), len(b))
		}
		id, places, err := decodePlaces(b)
		if err != nil {
			return
		}
		for i := range places {
			if places[i] >= types.MaxBlockTxs || i > 0 && places[i] <= places[i-1] {
				t.Fatalf("places %v", places)
			}
		}
		if again := encodePlaces(id, places); !bytes.Equal(again, b) {
			t.Fatalf("%x is read as %v, which is written %x", b, places, again)
		}
	})
}
