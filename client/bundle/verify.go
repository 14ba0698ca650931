package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Trust is what the reader believes from elsewhere. Everything that is set must be found in the bundle; if nothing is, the
// bundle shows only that it is consistent with the chain's id that it names itself.
type Trust struct {
	Chain      types.Hash // the chain's id, which is the hash of its genesis document
	Checkpoint types.Hash // id of a block that opens an epoch of the bundle
	Height     uint64     // of Checkpoint, if it is known; else 0
	SetHash    types.Hash // of the set of an epoch of the bundle
}

// Options say how to verify.
type Options struct {
	Trust
	NowMs    uint64        // Unix time
	Trusting time.Duration // how long signers are believed; 0: as the genesis document says
}

// Report is what was verified.
type Report struct {
	Chain   types.Hash `json:"chain"`
	Name    string     `json:"name"`
	Anchor  string     `json:"anchor"` // what it rests on: checkpoint, set or chain; none if nothing was trusted
	Start   Opened     `json:"start"`  // where verification began
	Epochs  []Opened   `json:"epochs"` // that it went through
	Block   *Final     `json:"block,omitempty"`
	Account *Account   `json:"account,omitempty"` // every item of which is proven

	TrustedUntilMs uint64 `json:"trusted_until_ms"` // until when this can be believed, and gone on from
}

// Opened is an epoch, and the block that it began with.
type Opened struct {
	Epoch   uint64        `json:"epoch"`
	Height  uint64        `json:"height"`
	ID      types.BlockID `json:"id"`
	SetHash types.Hash    `json:"set_hash"`
	Seats   int           `json:"seats"`
	Signed  uint64        `json:"signed"` // weight that has signed for the block; 0 for the start, which is believed
}

// Final is a block that is final.
type Final struct {
	Height    uint64        `json:"height"`
	ID        types.BlockID `json:"id"`
	Epoch     uint64        `json:"epoch"`
	Slot      uint64        `json:"slot"`
	TimeMs    uint64        `json:"time_ms"` // Unix time at which the slot began
	StateRoot types.Hash    `json:"state_root"`
	Signed    uint64        `json:"signed"`
	Threshold uint64        `json:"threshold"`
	Above     int           `json:"above"` // blocks between it and the one that was signed
}

// step is a header that opens an epoch, with the set that it names.
type step struct {
	header *types.Header
	set    *types.Set
	proof  *types.Finality // nil: of the start
}

func invalid(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
}

// Verify checks all that the bundle says, and says what that is. It fails with [ErrInvalid] or [ErrTrust], and in addition
// with light.ErrExpired where only time has passed.
func (b *Bundle) Verify(o Options) (*Report, error) {
	g, err := b.genesis(o)
	if err != nil {
		return nil, err
	}
	steps, err := b.steps(g)
	if err != nil {
		return nil, err
	}
	rep := &Report{Chain: b.Chain, Name: g.Name, Epochs: []Opened{}}
	first, err := rep.anchor(steps, o.Trust)
	if err != nil {
		return nil, err
	}
	at := Origin(g, o.Trusting)
	at.Opened, at.Set = steps[first].header, steps[first].set
	at.ID = at.Opened.ID()
	c, err := light.New(at, light.AllSchemes())
	if err != nil {
		return nil, invalid("start", err)
	}
	rep.Start = opened(steps[first], nil)
	for i, s := range steps[first+1:] {
		before := steps[first+i].set
		if err := c.Advance(s.header, s.set, s.proof, o.NowMs); err != nil {
			return nil, invalid(fmt.Sprintf("epoch %d, which the block at height %d is to open", s.set.Epoch, s.header.Height), err)
		}
		rep.Epochs = append(rep.Epochs, opened(s, before))
	}
	if b.Block != nil {
		h, err := b.block(c, rep, g, o.NowMs)
		if err == nil && b.Account != nil {
			err = b.account(h)
			rep.Account = b.Account
		}
		if err != nil {
			return nil, err
		}
	}
	rep.TrustedUntilMs = c.TrustedUntilMs()
	return rep, nil
}

// genesis reads the document and holds it against the id.
func (b *Bundle) genesis(o Options) (*chainspec.Genesis, error) {
	var doc bytes.Buffer
	if err := json.Compact(&doc, b.Genesis); err != nil {
		return nil, invalid("genesis document", err)
	}
	g, err := chainspec.DecodeGenesis(doc.Bytes())
	if err != nil {
		return nil, invalid("genesis document", err)
	}
	if id := g.ID(); id != b.Chain {
		return nil, invalid("genesis document", fmt.Errorf("it is that of chain %s, the bundle is about chain %s", id, b.Chain))
	}
	if !o.Chain.IsZero() && o.Chain != b.Chain {
		return nil, fmt.Errorf("%w: it is about chain %s, trusted is chain %s", ErrTrust, b.Chain, o.Chain)
	}
	return g, nil
}

// steps decodes the headers and sets, and checks a start that is to be genesis against the document.
func (b *Bundle) steps(g *chainspec.Genesis) ([]step, error) {
	out := make([]step, 0, 1+len(b.Epochs))
	add := func(what string, header, set, proof Hex, start bool) (err error) {
		var s step
		if s.header, err = types.DecodeHeader(header); err != nil {
			return invalid(what+": header", err)
		}
		if s.set, err = types.DecodeSet(set); err != nil {
			return invalid(what+": set", err)
		}
		if !start {
			if s.proof, err = types.DecodeFinality(proof); err != nil {
				return invalid(what+": finality proof", err)
			}
		}
		out = append(out, s)
		return nil
	}
	if err := add("start", b.Start.Header, b.Start.Set, nil, true); err != nil {
		return nil, err
	}
	for i, e := range b.Epochs {
		if err := add(fmt.Sprintf("epoch %d", out[0].set.Epoch+uint64(i)+1), e.Header, e.Set, e.Finality, false); err != nil {
			return nil, err
		}
	}
	if s := out[0]; s.header.Height == 0 {
		first := Origin(g, 0)
		if s.set.Hash() != first.Opened.NextSet {
			return nil, invalid("start: set", errors.New("it is not that of the genesis document's producers"))
		}
		if s.header.ID() != first.ID {
			return nil, invalid("start: header", errors.New("it is not the chain's genesis block"))
		}
	}
	return out, nil
}

// anchor finds what is trusted, and returns where to begin.
func (r *Report) anchor(steps []step, t Trust) (first int, err error) {
	find := func(what string, is func(s step) bool) (int, error) {
		for i, s := range steps {
			if is(s) {
				return i, nil
			}
		}
		return 0, fmt.Errorf("%w: it has no epoch with %s; it has epochs %d to %d", ErrTrust, what, steps[0].set.Epoch, steps[len(steps)-1].set.Epoch)
	}
	var on []string
	if !t.Chain.IsZero() && steps[0].header.Height == 0 {
		on = append(on, "chain")
	}
	if !t.SetHash.IsZero() {
		if first, err = find("set "+t.SetHash.String(), func(s step) bool { return s.set.Hash() == t.SetHash }); err != nil {
			return 0, err
		}
		on = append(on, "set")
	}
	if !t.Checkpoint.IsZero() {
		i, err := find("checkpoint "+t.Checkpoint.String(), func(s step) bool {
			return s.header.ID() == t.Checkpoint && (t.Height == 0 || s.header.Height == t.Height)
		})
		if err != nil {
			return 0, err
		}
		if t.SetHash.IsZero() || i < first {
			first = i // so that what lies between the two is verified
		}
		on = append(on, "checkpoint")
	}
	if len(on) == 0 {
		if !t.Chain.IsZero() {
			return 0, fmt.Errorf("%w: it begins at height %d, and the chain's id vouches for genesis only; give the checkpoint or the set's hash that you trust",
				ErrTrust, steps[0].header.Height)
		}
		on = append(on, "none")
	}
	r.Anchor = strings.Join(on, ", ")
	return first, nil
}

// block verifies the block in question.
func (b *Bundle) block(c *light.Client, rep *Report, g *chainspec.Genesis, nowMs uint64) (*types.Header, error) {
	headers := make([]*types.Header, 0, 1+len(b.Block.Path))
	for i, raw := range append([]Hex{b.Block.Header}, b.Block.Path...) {
		h, err := types.DecodeHeader(raw)
		if err != nil {
			return nil, invalid(fmt.Sprintf("block: header %d", i), err)
		}
		headers = append(headers, h)
	}
	proof, err := types.DecodeFinality(b.Block.Finality)
	if err != nil {
		return nil, invalid("block: finality proof", err)
	}
	top, h := headers[len(headers)-1], headers[0]
	if err := c.Verify(light.Claim{Header: top, Proof: proof}, nowMs); err != nil {
		return nil, invalid(fmt.Sprintf("block at height %d", top.Height), err)
	}
	if err := Linked(headers); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	rep.Block = &Final{Height: h.Height, ID: h.ID(), Epoch: h.Epoch, Slot: h.Slot, TimeMs: g.TimeMs + h.Slot*g.SlotMs, StateRoot: h.StateRoot,
		Signed: signed(proof, c.Set()), Threshold: c.Set().Threshold, Above: len(headers) - 1}
	return h, nil
}

// account verifies the items of the account in the state whose root the block has.
func (b *Bundle) account(h *types.Header) error {
	for i, it := range b.Account.Items {
		what := fmt.Sprintf("account %s: item %d of %s", b.Account.Account, i, it.Module)
		proof, err := types.DecodeStateProof(it.Proof)
		if err != nil {
			return invalid(what, err)
		}
		x := light.Item{Module: it.Module, Key: string(it.Key)}
		if copy(x.Place[:], it.Place) != len(x.Place) || len(it.Place) != len(x.Place) {
			return invalid(what, fmt.Errorf("a place of %d bytes", len(it.Place)))
		}
		if err := light.ItemIn(h, x, it.value(), proof); err != nil {
			return invalid(what, err)
		}
	}
	return nil
}

// value returns the value, nil if there is none. An empty one is one.
func (it *Item) value() []byte {
	if it.Value == nil {
		return nil
	}
	return append([]byte{}, *it.Value...)
}

// Lookup returns the value of an item, and whether the account has it at all.
func (a *Account) Lookup(module string, place types.Place, key string) (value []byte, ok bool) {
	for i := range a.Items {
		if it := &a.Items[i]; it.Module == module && bytes.Equal(it.Place, place[:]) && string(it.Key) == key {
			return it.value(), true
		}
	}
	return nil, false
}

func opened(s step, before *types.Set) Opened {
	o := Opened{Epoch: s.set.Epoch, Height: s.header.Height, ID: s.header.ID(), SetHash: s.set.Hash(), Seats: len(s.set.Seats)}
	if before != nil {
		o.Signed = signed(s.proof, before)
	}
	return o
}

// signed returns the weight behind a proof that is valid.
func signed(f *types.Finality, set *types.Set) (w uint64) {
	for i, s := range set.Seats {
		if i/8 < len(f.Cert.Bitmap) && f.Cert.Bitmap[i/8]>>(i%8)&1 == 1 {
			w += s.Weight
		}
	}
	return w
}
