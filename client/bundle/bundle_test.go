package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const (
	genesisMs = 1_700_000_000_000
	slotMs    = 500
)

// testChain is a chain of three epochs with real keys, whose last block lies four blocks above the last closing one.
type testChain struct {
	g      *chainspec.Genesis
	id     types.Hash
	keys   map[types.Hash]ed25519.PrivateKey
	sets   []*types.Set
	opened []*types.Header
	blocks []*types.Header // of the last epoch
	path   types.StatePath
}

func (c *testChain) key(i int) types.PublicKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "bundle %d", i))
	priv := ed25519.NewKeyFromSeed(seed[:])
	pub := types.Ed25519Key(priv.Public().(ed25519.PublicKey))
	c.keys[pub.Hash()] = priv
	return pub
}

func (c *testChain) set(epoch uint64, keys ...int) *types.Set {
	var pubs []types.PublicKey
	for _, k := range keys {
		pubs = append(pubs, c.key(k))
	}
	return types.EqualSet(epoch, pubs)
}

var (
	owner = types.AccountID{4, 2}
	place = types.Place{1}
	value = []byte{7}
)

func newChain() *testChain {
	c := &testChain{keys: map[types.Hash]ed25519.PrivateKey{}}
	rules := func(name, config string) chainspec.Rules {
		return chainspec.Rules{Plugin: name, Rules: "1", Config: json.RawMessage(config)}
	}
	c.g = &chainspec.Genesis{Format: chainspec.GenesisFormat, Name: "main", Token: "ALTO", Supply: 5, TimeMs: genesisMs, SlotMs: slotMs,
		Consensus:   rules("dpospbft", `{"trusting":3600000000000}`),
		Limits:      chainspec.Limits{BlockBytes: 1 << 20, TxBytes: 1 << 16, BlockGas: 1 << 20},
		Allocations: []chainspec.Allocation{{Name: "all", Account: owner, Amount: 5}}}
	for i := range 4 {
		c.g.Producers = append(c.g.Producers, chainspec.Producer{Name: fmt.Sprintf("p%d", i), Key: c.key(i)})
	}
	c.id = c.g.ID()
	c.path = types.StatePathOf("balance", place, "k")
	root := types.StateLeafHash(&c.path, types.StateValueHash(value))
	c.sets = []*types.Set{c.set(0, 0, 1, 2, 3), c.set(1, 1, 2, 3, 4), c.set(2, 5, 2, 3, 4)}
	tip := &types.Header{Chain: c.id, NextSet: c.sets[0].Hash()}
	c.opened = append(c.opened, tip)
	grow := func(epoch uint64) *types.Header {
		h := &types.Header{Chain: c.id, Height: tip.Height + 1, Slot: tip.Slot + 2, Epoch: epoch, Parent: tip.ID(), StateRoot: root}
		tip = h
		return h
	}
	for e := range uint64(2) {
		grow(e)
		x := grow(e)
		x.NextSet = c.sets[e+1].Hash()
		c.opened = append(c.opened, x)
	}
	for range 4 {
		c.blocks = append(c.blocks, grow(2))
	}
	return c
}

func (c *testChain) prove(epoch int, h *types.Header) *types.Finality {
	set := c.sets[epoch]
	cert := &types.Certificate{Scheme: types.CertEd25519List, SetHash: set.Hash(), Epoch: set.Epoch, Slot: h.Slot, Height: h.Height, Block: h.ID(), Bitmap: []byte{7}}
	msg := types.SignBytes(h.Chain, types.PurposeCommit, types.CommitPayload(cert.SetHash, cert.Epoch, cert.Slot, cert.Height, cert.Block))
	for i := range 3 {
		cert.Signatures = append(cert.Signatures, ed25519.Sign(c.keys[set.Seats[i].Key.Hash()], msg))
	}
	return &types.Finality{Cert: cert}
}

// bundle shows blocks[1] by the certificate of blocks[3], and an account in its state.
func (c *testChain) bundle(from int) *Bundle {
	b := &Bundle{Format: Format, Chain: c.id, Genesis: c.g.Encode(), Start: Start{c.opened[from].Encode(), c.sets[from].Encode()}, Epochs: []Epoch{}}
	for e := from + 1; e < len(c.sets); e++ {
		b.Epochs = append(b.Epochs, Epoch{c.opened[e].Encode(), c.prove(e-1, c.opened[e]).Encode(), c.sets[e].Encode()})
	}
	b.Block = &Block{Header: c.blocks[1].Encode(), Finality: c.prove(2, c.blocks[3]).Encode(), Path: []Hex{c.blocks[2].Encode(), c.blocks[3].Encode()}}
	v := Hex(value)
	proof := (&types.StateProof{}).Encode()
	b.Account = &Account{owner, []Item{{"balance", place[:], []byte("k"), &v, proof}}}
	return b
}

func now() uint64 { return genesisMs + 100*slotMs }

func TestVerify(t *testing.T) {
	c := newChain()
	genesis := c.id
	for _, r := range []struct {
		name   string
		from   int
		trust  Trust
		anchor string
		start  uint64
	}{
		{"nothing is trusted", 0, Trust{}, "none", 0},
		{"the chain", 0, Trust{Chain: genesis}, "chain", 0},
		{"a set", 0, Trust{SetHash: c.sets[1].Hash()}, "set", 2},
		{"a checkpoint", 0, Trust{Checkpoint: c.opened[2].ID(), Height: 4}, "checkpoint", 4},
		{"a checkpoint without its height", 1, Trust{Checkpoint: c.opened[1].ID()}, "checkpoint", 2},
		{"two, of which the earlier is begun with", 0, Trust{Checkpoint: c.opened[1].ID(), SetHash: c.sets[2].Hash()}, "set, checkpoint", 2},
		{"chain and checkpoint", 2, Trust{Chain: genesis, Checkpoint: c.opened[2].ID()}, "checkpoint", 4},
	} {
		t.Run(r.name, func(t *testing.T) {
			raw, err := c.bundle(r.from).Encode()
			if err != nil {
				t.Fatal(err)
			}
			b, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			rep, err := b.Verify(Options{Trust: r.trust, NowMs: now()})
			if err != nil {
				t.Fatal(err)
			}
			if rep.Anchor != r.anchor || rep.Start.Height != r.start || rep.Chain != c.id || rep.Name != "main" {
				t.Errorf("%+v", rep)
			}
			if n := len(rep.Epochs); n != 2-int(r.start/2) || n > 0 && (rep.Epochs[n-1].Signed != 3 || rep.Epochs[n-1].Epoch != 2 || rep.Epochs[n-1].SetHash != c.sets[2].Hash()) {
				t.Errorf("epochs %+v", rep.Epochs)
			}
			if x := rep.Block; x == nil || x.ID != c.blocks[1].ID() || x.Above != 2 || x.Signed != 3 || x.Threshold != 3 || x.TimeMs != genesisMs+x.Slot*slotMs {
				t.Errorf("block %+v", x)
			}
			if v, ok := rep.Account.Lookup("balance", place, "k"); !ok || !bytes.Equal(v, value) {
				t.Errorf("account %+v", rep.Account)
			}
			if _, ok := rep.Account.Lookup("balance", place, "l"); ok {
				t.Error("an item that is not there")
			}
		})
	}
}

// TestLies: each change of a good bundle is found, and the error says where.
func TestLies(t *testing.T) {
	c := newChain()
	other := newChain()
	other.g.Supply, other.g.Allocations[0].Amount = 6, 6
	flip := func(h Hex, i int) Hex {
		out := bytes.Clone(h)
		out[i] ^= 1
		return out
	}
	for _, r := range []struct {
		name  string
		want  error
		text  string
		spoil func(b *Bundle, o *Options)
	}{
		{"another genesis document", ErrInvalid, "genesis document: it is that of chain", func(b *Bundle, _ *Options) { b.Genesis = other.g.Encode() }},
		{"no genesis document", ErrInvalid, "genesis document: ", func(b *Bundle, _ *Options) { b.Genesis = nil }},
		{"another chain is trusted", ErrTrust, "trusted is chain", func(_ *Bundle, o *Options) { o.Chain = types.Hash{1} }},
		{"another checkpoint is trusted", ErrTrust, "no epoch with checkpoint", func(_ *Bundle, o *Options) { o.Checkpoint = types.Hash{1} }},
		{"its height is another", ErrTrust, "no epoch with checkpoint", func(_ *Bundle, o *Options) { o.Checkpoint, o.Height = c.opened[1].ID(), 3 }},
		{"a block that opens nothing is trusted", ErrTrust, "no epoch with checkpoint", func(_ *Bundle, o *Options) { o.Checkpoint = c.blocks[1].ID() }},
		{"another set is trusted", ErrTrust, "no epoch with set", func(_ *Bundle, o *Options) { o.SetHash = types.Hash{1} }},
		{"the chain vouches for genesis only", ErrTrust, "vouches for genesis only", func(b *Bundle, o *Options) { *b, o.Chain = *c.bundle(1), c.id }},
		{"a first set of others", ErrInvalid, "start: set: it is not that of the genesis document", func(b *Bundle, _ *Options) { b.Start.Set = c.sets[1].Encode() }},
		{"a genesis block that has more", ErrInvalid, "start: header: it is not the chain's genesis block", func(b *Bundle, _ *Options) {
			h := *c.opened[0]
			h.StateRoot[0] = 1
			b.Start.Header = h.Encode()
		}},
		{"a start that closes nothing", ErrInvalid, "start: ", func(b *Bundle, _ *Options) {
			*b = *c.bundle(1)
			b.Start.Header = c.blocks[0].Encode()
		}},
		{"a header that is none", ErrInvalid, "epoch 2: header: ", func(b *Bundle, _ *Options) { b.Epochs[1].Header = b.Epochs[1].Header[:20] }},
		{"a set that is none", ErrInvalid, "epoch 1: set: ", func(b *Bundle, _ *Options) { b.Epochs[0].Set = Hex{1} }},
		{"a proof that is none", ErrInvalid, "epoch 1: finality proof: ", func(b *Bundle, _ *Options) { b.Epochs[0].Finality = nil }},
		{"a closing block with another time", types.ErrBadCertificate, "epoch 1, which the block at height 2 is to open: ", func(b *Bundle, _ *Options) {
			h := *c.opened[1]
			h.Slot++
			b.Epochs[0].Header = h.Encode()
		}},
		{"a signature of a closing block", types.ErrBadCertificate, "epoch 2, which the block at height 4 is to open: ", func(b *Bundle, _ *Options) {
			b.Epochs[1].Finality = flip(b.Epochs[1].Finality, len(b.Epochs[1].Finality)-20)
		}},
		{"another set", light.ErrSet, "epoch 2, which the block at height 4 is to open: ", func(b *Bundle, _ *Options) { b.Epochs[1].Set = c.set(2, 5, 2, 3, 9).Encode() }},
		{"an epoch is left out", light.ErrEpoch, "epoch 2, which", func(b *Bundle, _ *Options) { b.Epochs = b.Epochs[1:] }},
		{"a block of another", types.ErrBadCertificate, "block at height 8: ", func(b *Bundle, _ *Options) {
			h := *c.blocks[3]
			h.StateRoot[0] ^= 1
			b.Block.Path[1] = h.Encode()
		}},
		{"the block itself", ErrInvalid, "block at height 6: it is not the parent of the block at height 7", func(b *Bundle, _ *Options) {
			h := *c.blocks[1]
			h.StateRoot[0] ^= 1
			b.Block.Header = h.Encode()
		}},
		{"a header between is left out", ErrInvalid, "block at height 6: it is not the parent of the block at height 8", func(b *Bundle, _ *Options) { b.Block.Path = b.Block.Path[1:] }},
		{"a proof of the block before", types.ErrBadCertificate, "block at height 8: ", func(b *Bundle, _ *Options) { b.Block.Finality = c.prove(2, c.blocks[2]).Encode() }},
		{"a block signed by the wrong set", types.ErrBadCertificate, "block at height 8: ", func(b *Bundle, _ *Options) { b.Block.Finality = c.prove(1, c.blocks[3]).Encode() }},
		{"another value", types.ErrBadProof, "item 0 of balance: ", func(b *Bundle, _ *Options) { v := Hex{8}; b.Account.Items[0].Value = &v }},
		{"no value", types.ErrBadProof, "item 0 of balance: ", func(b *Bundle, _ *Options) { b.Account.Items[0].Value = nil }},
		{"another key", types.ErrBadProof, "item 0 of balance: ", func(b *Bundle, _ *Options) { b.Account.Items[0].Key = Hex("x") }},
		{"a short place", ErrInvalid, "a place of 3 bytes", func(b *Bundle, _ *Options) { b.Account.Items[0].Place = Hex{1, 2, 3} }},
		{"a long place", ErrInvalid, "a place of 9 bytes", func(b *Bundle, _ *Options) { b.Account.Items[0].Place = append(b.Account.Items[0].Place, 0) }},
		{"a proof of an item that is none", ErrInvalid, "item 0 of balance: ", func(b *Bundle, _ *Options) { b.Account.Items[0].Proof = Hex{9, 9, 9} }},
		{"too late", light.ErrExpired, "trusting period", func(_ *Bundle, o *Options) { o.NowMs = genesisMs + 3_600_001 }},
		{"too early", light.ErrFuture, "height 8", func(_ *Bundle, o *Options) { o.NowMs = genesisMs + 8*2*slotMs - driftMs - 1 }},
	} {
		t.Run(r.name, func(t *testing.T) {
			b, o := c.bundle(0), Options{NowMs: now()}
			r.spoil(b, &o)
			rep, err := b.Verify(o)
			if !errors.Is(err, r.want) || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), r.text) {
				t.Errorf("got %v, %+v; want %v with %q", err, rep, r.want, r.text)
			}
		})
	}
	if _, err := c.bundle(0).Verify(Options{NowMs: genesisMs + 3_600_001, Trusting: 1 << 62}); err != nil {
		t.Errorf("a longer trusting period: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := newChain().bundle(0).Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	many := func(n int, what string) string { return "[" + strings.Repeat(what+",", n) + what + "]" }
	for name, s := range map[string]string{
		"nothing": "", "no JSON": "x", "another format": strings.Replace(text, Format, "alto-certificate/2", 1),
		"an unknown field":                 strings.Replace(text, `"chain"`, `"chains"`, 1),
		"two":                              text + text,
		"odd hexadecimal":                  strings.Replace(text, `"set": "`, `"set": "0`, 1),
		"an account without a block":       `{"format":"` + Format + `","account":{"account":"` + owner.String() + `","items":[]}}`,
		"too many epochs":                  `{"format":"` + Format + `","epochs":` + many(MaxEpochs, "{}") + `}`,
		"too many headers above the block": `{"format":"` + Format + `","block":{"path":` + many(MaxPath, `""`) + `}}`,
		"too many items":                   `{"format":"` + Format + `","block":{},"account":{"account":"` + owner.String() + `","items":` + many(MaxItems, "{}") + `}}`,
		"too large":                        strings.Repeat(" ", MaxBytes+1),
	} {
		if _, err := Decode([]byte(s)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzVerify changes bytes of a file: whatever becomes of it, it is refused, or still says the same of the block.
func FuzzVerify(f *testing.F) {
	c := newChain()
	for from := range 3 {
		raw, err := c.bundle(from).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"format":"` + Format + `"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Decode(raw)
		if err != nil {
			return
		}
		rep, err := b.Verify(Options{Trust: Trust{Chain: c.id}, NowMs: now()})
		if err != nil || rep.Block == nil {
			return
		}
		for _, h := range c.blocks {
			if h.ID() == rep.Block.ID {
				return
			}
		}
		for _, h := range c.opened {
			if h.ID() == rep.Block.ID {
				return
			}
		}
		t.Errorf("block %s is proven, which the chain does not have", hex.EncodeToString(rep.Block.ID[:]))
	})
}
