package staking

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Limits of what producers put into their blocks.
const (
	maxExtensionItems = 4       // pieces of evidence in one extension
	maxShared         = 4 << 10 // up to which one extension has more than one piece, in bytes
	maxExtensionTries = 8       // pieces whose signatures are verified in one block, besides those in transactions
	maxOffered        = 64      // pieces that wait for this node's next block
	blobOverhead      = 3       // of a piece in an extension
	settledBlocks     = 1_000
	maxHanded         = 200 // times that a piece is handed out: what is still not executed then is refused by all
)

// accusation is evidence, decoded.
type accusation struct {
	id     types.Hash
	kind   uint64
	epoch  uint64
	slot   uint64
	seat   uint32
	verify func(chain types.Hash, set *types.Set) error
}

func readEvidence(raw []byte) (*accusation, error) {
	v, err := evidence.Decode(raw)
	if err != nil {
		return nil, err
	}
	return &accusation{v.ID(), uint64(v.Kind), v.Epoch, v.Slot, v.Seat, v.Verify}, nil
}

// extensions judges what producers have put into the block. What is wrong with it is nobody's business.
func (e *effect) extensions() error {
	tries := 0
	for _, raw := range e.x.b.Extensions {
		items, err := decodeExtension(raw)
		if err != nil {
			continue
		}
		for _, v := range items {
			if tries >= maxExtensionTries {
				return nil
			}
			var f *failure
			switch err := e.accuse(v, types.AccountID{}); {
			case err == nil:
				tries++
			case errors.As(err, &f):
				if f.name == ErrBadEvidence {
					tries++
				}
			default:
				return err
			}
		}
	}
	return nil
}

func encodeExtension(items [][]byte) []byte {
	size := 2
	for _, v := range items {
		size += len(v) + blobOverhead
	}
	e := types.NewEncoder(size)
	e.Byte(recordFormat)
	e.Uint(uint64(len(items)))
	for _, v := range items {
		e.Blob(v)
	}
	return e.Bytes()
}

func decodeExtension(raw []byte) (items [][]byte, err error) {
	d := types.NewDecoder(raw)
	if f := d.Byte(); f != recordFormat {
		d.Fail("format %d is unknown", f)
	}
	for range d.Count(maxExtensionItems, 1) {
		items = append(items, d.Blob(types.MaxExtensionBytes))
	}
	return items, d.Finish()
}

// defendant finds out whom evidence accuses: the set of the epoch, the slot before its first block, and the seat's account.
func (e *effect) defendant(v *accusation) (set *types.Set, start uint64, a types.AccountID, err error) {
	x := e.x
	if x.ep != nil && v.epoch == x.ep.Number {
		if uint64(v.seat) >= uint64(len(x.seats)) {
			return nil, 0, a, fail(ErrBadEvidence, "seat %d of %d", v.seat, len(x.seats))
		}
		return x.set, x.ep.Start, x.seats[v.seat].Account, nil
	}
	if x.ep != nil && v.epoch > x.ep.Number {
		return nil, 0, a, fail(ErrUnknownEpoch, "epoch %d, this is %d", v.epoch, x.ep.Number)
	}
	r, err := e.get(setItem(v.epoch))
	if err != nil {
		return nil, 0, a, err
	}
	rec, _ := r.(*setRecord)
	if rec == nil {
		return nil, 0, a, fail(ErrExpired, "the set of epoch %d is not kept any more", v.epoch)
	}
	if set, err = types.DecodeSet(rec.Set); err != nil {
		return nil, 0, a, fmt.Errorf("the state is not what this module wrote: %w", err)
	}
	if uint64(v.seat) >= uint64(len(rec.Accounts)) || len(rec.Accounts) != len(set.Seats) {
		return nil, 0, a, fail(ErrBadEvidence, "seat %d of %d", v.seat, len(set.Seats))
	}
	return set, rec.Start, rec.Accounts[v.seat], nil
}

// accuse judges evidence, and convicts whom it is against. What is known already costs no signature.
func (e *effect) accuse(raw []byte, by types.AccountID) error {
	x := e.x
	v, err := x.judge(raw)
	if err != nil {
		return fail(ErrBadEvidence, "%v", err)
	}
	it := proofItem(v.epoch, v.seat)
	if r, err := e.get(it); err != nil {
		return err
	} else if r != nil {
		return fail(ErrKnownEvidence, "seat %d of epoch %d was convicted", v.seat, v.epoch)
	}
	set, start, a, err := e.defendant(v)
	if err != nil {
		return err
	}
	p, err := e.producer(a)
	switch {
	case err != nil:
		return err
	case p == nil:
		return fmt.Errorf("the state is not what this module wrote: seat %d of epoch %d is of %s, who is no producer", v.seat, v.epoch, a)
	case p.Status == Tombstoned:
		return fail(ErrKnownEvidence, "producer %s was convicted in another epoch", a)
	case v.slot <= start:
		return fail(ErrBadEvidence, "slot %d is before epoch %d, which begins after slot %d", v.slot, v.epoch, start)
	}
	if err := v.verify(x.b.Chain, set); err != nil {
		return fail(ErrBadEvidence, "%v", err)
	}
	slashed, err := e.slash(a)
	if err != nil {
		return err
	}
	if p, err = e.producer(a); err != nil { // slashing has changed it
		return err
	}
	q := *p
	q.Status = Tombstoned
	e.put(producerItem(a), &q)
	e.put(it, &conviction{v.id, v.kind, a, v.slot, x.b.Height, x.b.Clock, slashed})
	e.then = append(e.then, func() {
		if s := x.seatOf(a); s != nil {
			s.Guilty = true
		}
	})
	data := map[string]any{"id": v.id, "kind": evidence.Kind(v.kind).String(), "producer": a, "epoch": v.epoch, "seat": v.seat, "slot": v.slot, "slashed": slashed}
	accounts := []types.AccountID{a}
	if by != (types.AccountID{}) {
		data["by"], accounts = by, append(accounts, by)
	}
	e.tell("convicted", data, accounts...)
	return nil
}

// share returns amount · ppm / 1,000,000, rounded down.
func share(amount, ppm uint64) uint64 {
	hi, lo := bits.Mul64(amount, ppm)
	q, _ := bits.Div64(hi, lo, MillionPPM) // ppm is at most a million, so hi is less
	return q
}

// slash burns a share of all that an account has staked, what waits to be released included.
func (e *effect) slash(a types.AccountID) (uint64, error) {
	o, err := e.owner(a)
	if err != nil || o == nil {
		return 0, err
	}
	next := *o
	sum := share(o.Stake, e.x.p.SlashPPM)
	next.Stake -= sum
	next.Unbonding = nil
	for _, u := range o.Unbonding {
		s := share(u.Amount, e.x.p.SlashPPM)
		if sum += s; u.Amount > s {
			next.Unbonding = append(next.Unbonding, unbonding{u.Clock, u.Amount - s})
		}
	}
	if sum == 0 {
		return 0, nil
	}
	e.give(a, types.BurnAccount, sum)
	return sum, e.restake(a, o, &next)
}

// offer is evidence that this node has found.
type offer struct {
	raw []byte
	*accusation
	handed atomic.Uint32
}

// Offer takes evidence that this node has found, encoded; Extend puts it into the node's next blocks until it has been
// executed, or is void. Against each seat of an epoch the shortest piece is kept. It may be called at any time.
func (m *Module) Offer(raw []byte) {
	v, err := m.judge(raw)
	if err != nil {
		return
	}
	fresh := &offer{raw: append([]byte{}, raw...), accusation: v}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, o := range m.offered {
		if o.epoch == v.epoch && o.seat == v.seat { // one conviction is all that can come of it
			if len(raw) < len(o.raw) {
				m.offered[i] = fresh
			}
			return
		}
	}
	if len(m.offered) >= maxOffered {
		m.offered = m.offered[1:]
	}
	m.offered = append(m.offered, fresh)
}

func (m *Module) waiting() []*offer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*offer{}, m.offered...)
}

// forget drops offers that nothing more can come of.
func (m *Module) forget(done map[*offer]bool) {
	if len(done) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	keep := m.offered[:0:0]
	for _, o := range m.offered {
		if !done[o] {
			keep = append(keep, o)
		}
	}
	m.offered = keep
}

// Extend implements module.Module: it returns evidence of this node that the state does not know yet.
func (m *Module) Extend(ctx context.Context, _ uint64, r module.Reader) ([]byte, error) {
	if err := m.open(ctx, "extend"); err != nil {
		return nil, err
	}
	list := m.waiting()
	if len(list) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(list, func(a, b *offer) int { return len(a.raw) - len(b.raw) })
	out, done, err := m.extend(ctx, list, r)
	if err != nil {
		return nil, fmt.Errorf("staking: extend: %w", err)
	}
	m.forget(done)
	if len(out) == 0 {
		return nil, nil
	}
	return encodeExtension(out), nil
}

// extend chooses from a list, the shortest first. A long piece goes alone, when no short one waits: where the limit of a block
// leaves no room for it, it must not keep out the others.
func (m *Module) extend(ctx context.Context, list []*offer, r module.Reader) (out [][]byte, done map[*offer]bool, err error) {
	x := &run{cfg: &m.cfg, judge: m.judge, ctx: ctx, r: r, known: map[module.Item]record{}, touched: map[types.AccountID]bool{}}
	e := x.effect(module.BlockTx)
	got, err := e.get(epochItem())
	if err != nil {
		return nil, nil, err
	}
	ep, _ := got.(*epoch)
	if ep == nil {
		return nil, nil, nil
	}
	done = map[*offer]bool{}
	size := 2
	for _, o := range list {
		if o.epoch > ep.Number || len(out) >= maxExtensionItems {
			continue
		}
		known, err := e.get(proofItem(o.epoch, o.seat))
		if err != nil {
			return nil, nil, err
		}
		if c, ok := known.(*conviction); ok {
			if c.Height+settledBlocks < ep.Height { // no other branch will do without it
				done[o] = true
			}
			continue
		}
		a, found, err := x.accused(e, ep, o.accusation)
		if err != nil {
			return nil, nil, err
		}
		if !found {
			done[o] = true
			continue
		}
		p, err := e.producer(a)
		if err != nil {
			return nil, nil, err
		}
		if p == nil || p.Status == Tombstoned || len(out) > 0 && size+len(o.raw)+blobOverhead > maxShared {
			continue
		}
		if size += len(o.raw) + blobOverhead; o.handed.Add(1) >= maxHanded {
			done[o] = true
		}
		out = append(out, o.raw)
	}
	return out, done, nil
}

// accused returns the account that evidence is against, if that is still known.
func (x *run) accused(e *effect, ep *epoch, v *accusation) (a types.AccountID, found bool, err error) {
	if v.epoch == ep.Number {
		r, err := e.get(seatsItem(int(v.seat / chunkSeats)))
		c, _ := r.(*seatChunk)
		if c == nil || int(v.seat%chunkSeats) >= len(c.Seats) || uint64(v.seat) >= ep.Seats {
			return a, false, err
		}
		return c.Seats[v.seat%chunkSeats].Account, true, nil
	}
	r, err := e.get(setItem(v.epoch))
	s, _ := r.(*setRecord)
	if s == nil || uint64(v.seat) >= uint64(len(s.Accounts)) {
		return a, false, err
	}
	return s.Accounts[v.seat], true, nil
}
