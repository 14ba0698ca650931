package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// longChain returns a chain of so many blocks with a few transactions, which answers requests.
func longChain(t *testing.T, height uint64) *kit {
	t.Helper()
	k := newKit(t, &solo{target: height}, true)
	for range 20 {
		env, _ := k.transfer(alice, bob.id(), 5)
		k.submit(env)
	}
	k.run()
	k.final(height)
	return k
}

// repack changes a range.
func repack(b []byte, change func(blocks [][]byte, proof *types.Finality) ([][]byte, *types.Finality)) []byte {
	blocks, proof, err := decodeRange(b)
	if err != nil {
		panic(err)
	}
	blocks, proof = change(blocks, proof)
	return encodeRange(blocks, proof.Encode())
}

func TestCatchingUpFarBehind(t *testing.T) {
	far := longChain(t, 1300) // three ranges
	honest := types.Hash{7}
	k := newKit(t, &solo{}, false)
	k.net.join(honest, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, honest, p, b) })
	k.run()
	k.OnMessage(honest, MsgFinal, claimOf(1300))
	k.final(1300)
	for _, h := range []uint64{1, 2, 511, 512, 513, 1300} {
		a, errA := far.Block(t.Context(), h)
		b, errB := k.Block(t.Context(), h)
		if errA != nil || errB != nil || a.ID != b.ID || !bytes.Equal(a.Body(), b.Body()) || len(a.Receipts) != len(b.Receipts) {
			t.Errorf("block %d: %v, %v", h, errA, errB)
		}
	}
	if a, b := far.Status(), k.Status(); a.StateRoot != b.StateRoot || a.Burned != b.Burned || a.Burned == 0 {
		t.Errorf("%+v\n%+v", a, b)
	}
	if n := k.net.times(honest); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// A peer that lies is asked once and then left alone; the chain neither halts nor stops to catch up from others.
func TestRangesFromLiars(t *testing.T) {
	far := longChain(t, 30)
	g := testGenesis()
	g.Name = "other"
	other := &kit{t: t, g: g, fs: disktest.New(rand.New(rand.NewPCG(1, 1))), store: newMapStore(), net: newFakeNet()}
	other.open(&solo{target: 3}, true)
	other.run()
	other.final(3)
	type blocksCert = func([][]byte, *types.Finality) ([][]byte, *types.Finality)
	lie := func(f blocksCert) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) { return repack(b, f), nil }
	}
	cases := map[string]func(answer []byte) ([]byte, error){
		"garbage": func([]byte) ([]byte, error) { return []byte("garbage"), nil },
		"nothing": func([]byte) ([]byte, error) { return nil, nil },
		"refusal": func([]byte) ([]byte, error) { return nil, errors.New("busy") },
		"cut off": func(b []byte) ([]byte, error) { return b[:len(b)-1], nil },
		"empty":   lie(func(_ [][]byte, c *types.Finality) ([][]byte, *types.Finality) { return nil, c }),
		"a hole": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			return append(b[:3:3], b[4:]...), c
		}),
		"no start": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) { return b[2:], c }),
		"no end":   lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) { return b[:5], c }),
		"backwards": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			b[1], b[2] = b[2], b[1]
			return b, c
		}),
		"bad block": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			b[1] = []byte{1, 2, 3}
			return b, c
		}),
		"other body": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			b[1] = withBody(b[1], b[0])
			return b, c
		}),
		"no body": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			b[0] = encodeBlock(headerOf(b[0]).Encode(), nil)
			return b, c
		}),
		"forged header": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			h := headerOf(b[len(b)-1])
			h.StateRoot[0] ^= 1
			b[len(b)-1] = encodeBlock(h.Encode(), nil)
			return b, c
		}),
		"bad signature": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			c.Cert.Signatures[0][3] ^= 1
			return b, c
		}),
		"other's certificate": lie(func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			c.Cert.Height++
			return b, c
		}),
		"another chain": func([]byte) ([]byte, error) { return other.OnRequest(t.Context(), types.Hash{}, ReqRange, []byte{1}) },
		"what is final": func([]byte) ([]byte, error) {
			// Blocks that everybody has, with a certificate that verifies: nothing is gained by them.
			b, err := far.Block(t.Context(), 0)
			if err != nil {
				return nil, err
			}
			return encodeRange([][]byte{encodeBlock(b.Header.Encode(), b.Body())}, prove(far.Set(), b.Header).Encode()), nil
		},
	}
	liar, honest := types.Hash{1}, types.Hash{2}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, &solo{}, false)
			k.net.join(liar, func(ctx context.Context, p byte, b []byte) ([]byte, error) {
				answer, err := far.OnRequest(ctx, liar, p, b)
				if err != nil {
					return nil, err
				}
				return f(answer)
			})
			k.net.join(honest, func(ctx context.Context, p byte, b []byte) ([]byte, error) { return far.OnRequest(ctx, honest, p, b) })
			k.run()
			k.OnMessage(liar, MsgFinal, claimOf(1<<60))
			await(t, "the first question", func() bool { return k.net.times(liar) > 0 })
			k.OnMessage(liar, MsgFinal, claimOf(1<<60))
			k.OnMessage(honest, MsgFinal, claimOf(30))
			k.final(30)
			if err := k.stop(); err != nil {
				t.Error(err)
			}
			if n := k.net.times(liar); n != 1 { // the clock stands still, so that the pause never ends
				t.Errorf("the liar was asked %d times", n)
			}
		})
	}
}

func headerOf(block []byte) *types.Header {
	h, _, err := decodeBlock(bytes.Clone(block))
	if err != nil {
		panic(err)
	}
	return h
}

func withBody(block, other []byte) []byte {
	_, body, err := decodeBlock(other)
	if err != nil {
		panic(err)
	}
	if _, own, _ := decodeBlock(block); bytes.Equal(own, body) {
		body = (&types.Body{Txs: [][]byte{[]byte("x")}}).Encode()
	}
	return encodeBlock(headerOf(block).Encode(), body)
}

// What a quorum has signed and this node finds invalid is no lie: the chain halts and says so.
func TestRangeThatAQuorumSigned(t *testing.T) {
	far := longChain(t, 5)
	k := newKit(t, &solo{}, false)
	peer := types.Hash{1}
	k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) {
		answer, err := far.OnRequest(ctx, peer, p, b)
		if err != nil {
			return nil, err
		}
		return repack(answer, func(b [][]byte, c *types.Finality) ([][]byte, *types.Finality) {
			h, body, _ := decodeBlock(bytes.Clone(b[1]))
			h.StateRoot[0] ^= 1
			return [][]byte{b[0], encodeBlock(h.Encode(), body)}, prove(far.Set(), h)
		}), nil
	})
	k.run()
	k.OnMessage(peer, MsgFinal, claimOf(5))
	await(t, "the halt", func() bool { return k.Status().Halted != "" && k.Closed() })
	if err := k.stop(); !errors.Is(err, ErrHalted) {
		t.Errorf("%v", err)
	}
}

// A node that the others wait for catches up although nobody announces anything any more, and although the first answers fail.
func TestCatchingUpWithoutAnnouncements(t *testing.T) {
	far := longChain(t, 10)
	k := newKit(t, &solo{}, false, func(c *Config) { c.Clock = SystemClock{} })
	peer := types.Hash{1}
	k.net.join(peer, func(ctx context.Context, p byte, b []byte) ([]byte, error) {
		if k.net.times(peer) < 3 {
			return nil, fmt.Errorf("busy")
		}
		return far.OnRequest(ctx, peer, p, b)
	})
	k.run()
	k.OnMessage(peer, MsgFinal, claimOf(1)) // just one ahead
	k.final(1)
}

func FuzzDecodeRange(f *testing.F) {
	h := &types.Header{Height: 1}
	cert := &types.Certificate{Scheme: 1, Bitmap: []byte{1}, Signatures: [][]byte{make([]byte, 64)}}
	f.Add(encodeRange([][]byte{encodeBlock(h.Encode(), []byte("body"))}, (&types.Finality{Cert: cert}).Encode()))
	f.Add(encodeRange([][]byte{encodeBlock(h.Encode(), []byte("body"))}, (&types.Finality{Cert: cert, Suffix: []*types.Header{h, h}}).Encode()))
	f.Add(encodeRange(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		blocks, proof, err := decodeRange(b)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeRange(blocks, proof.Encode()), b) {
			t.Error("a range has two encodings")
		}
	})
}

func FuzzDecodeTxs(f *testing.F) {
	f.Add(EncodeTxs([][]byte{[]byte("a"), {}, []byte("bc")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeTxs(b)
		if err == nil && !bytes.Equal(EncodeTxs(list), b) {
			t.Error("a batch has two encodings")
		}
	})
}

func FuzzDecodeBlock(f *testing.F) {
	f.Add(encodeBlock((&types.Header{Height: 1, Consensus: []byte("c")}).Encode(), (&types.Body{Txs: [][]byte{{1}}}).Encode()))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := decodeBlock(b)
		if err == nil && !bytes.Equal(encodeBlock(h.Encode(), body), b) {
			t.Error("a block has two encodings")
		}
	})
}

func FuzzDecodeRecords(f *testing.F) {
	h := &types.Header{Height: 1}
	f.Add(encodeHeaderRecord(h, types.History{}.Append(h.ID()), 5), encodeReceipts([]types.Receipt{{Status: "ok"}}))
	set := types.EqualSet(3, always(3))
	g := &types.Header{Height: 1, NextSet: set.Hash()}
	proof := &types.Finality{Cert: certify(set, h), Suffix: []*types.Header{h}}
	f.Add(encodeFinal(h.ID(), proof), encodeEpoch(set, g, nil))
	f.Add(encodeFinal(h.ID(), proof), encodeEpoch(set, g, proof))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if h, hist, burned, err := decodeHeaderRecord(a); err == nil && !bytes.Equal(encodeHeaderRecord(h, hist, burned), a) {
			t.Error("a header's record has two encodings")
		}
		if rs, err := decodeReceipts(b); err == nil && !bytes.Equal(encodeReceipts(rs), b) {
			t.Error("receipts have two encodings")
		}
		if id, proof, err := decodeFinal(a); err == nil && !bytes.Equal(encodeFinal(id, proof), a) {
			t.Error("a record of a final block has two encodings")
		}
		if i, err := decodeEpoch(b); err == nil && !bytes.Equal(encodeEpoch(i.Set, i.Start, i.Proof), b) {
			t.Error("the record of an epoch has two encodings")
		}
	})
}
