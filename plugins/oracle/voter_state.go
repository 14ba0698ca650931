package prophecy

import (
	"context"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// Bounds of what extend looks at.
const (
	maxOpenDisputes = 512 // the first that began; the others have their turn when these are over
	disputesAtATime = 64
)

// goneAfter is how long a dispute may be missing from the states that are looked at before it counts as over: it may be
// missing from a rival branch only.
const goneAfter = time.Minute

// heardLong is how long the node goes on with a dispute that no state has shown it.
const heardLong = 48 * time.Hour

// openDisputes reads the ids of the questions that are disputed. whole tells whether these are all.
func (v *voter) openDisputes(ctx context.Context, r module.Reader) (ids [][32]byte, whole bool, err error) {
	start, end := oracle.DisputeIndexRange()
	for len(ids) < maxOpenDisputes {
		page, more, err := r.Scan(ctx, module.BlockTx, start, end, module.MaxScan)
		if err != nil {
			return nil, false, err
		}
		for _, p := range page {
			id, err := oracle.ParseDisputeIndex(p.Item)
			if err != nil {
				return nil, false, err
			}
			ids = append(ids, id)
		}
		if !more {
			return ids, true, nil
		}
		if len(page) == 0 {
			return nil, false, fmt.Errorf("%w: an empty page of a scan that has more", module.ErrInvalid)
		}
		start = next(page[len(page)-1].Item)
	}
	return ids, false, nil
}

// look reads the records and disputes of some questions.
func (v *voter) look(ctx context.Context, r module.Reader, ids [][32]byte) ([]disputed, error) {
	items := make([]module.Item, len(ids))
	for i, id := range ids {
		items[i] = oracle.Item(id)
	}
	values, err := read(ctx, r, items)
	if err != nil {
		return nil, err
	}
	var out []disputed
	items = items[:0]
	for i, id := range ids {
		if values[i] == nil {
			continue
		}
		rec, err := oracle.DecodeRecord(values[i])
		if err != nil {
			return nil, fmt.Errorf("question %x: %w", id[:4], err)
		}
		if rec.State.Disputed() {
			out = append(out, disputed{record: rec})
			items = append(items, oracle.DisputeItem(id, rec.Life()), oracle.CommitsItem(id, rec.Life()))
		}
	}
	if values, err = read(ctx, r, items); err != nil {
		return nil, err
	}
	kept := out[:0]
	for i, d := range out {
		if values[2*i] == nil {
			continue
		}
		if d.dispute, err = oracle.DecodeDispute(values[2*i], values[2*i+1]); err != nil {
			return nil, fmt.Errorf("question %x: %w", d.record.ID[:4], err)
		}
		kept = append(kept, d)
	}
	return kept, nil
}

func read(ctx context.Context, r module.Reader, items []module.Item) ([][]byte, error) {
	if len(items) == 0 {
		return nil, nil
	}
	values, err := r.Read(ctx, module.BlockTx, items)
	if err == nil && len(values) != len(items) {
		err = fmt.Errorf("%w: %d values for %d items", module.ErrInvalid, len(values), len(items))
	}
	return values, err
}

// learn takes note of what a state shows. whole says that it shows all disputes that there are.
func (v *voter) learn(facts []disputed, whole bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.cfg.now()
	var mine []entryKey
	for _, d := range facts {
		if d.dispute.Seat(*v.cfg.key) >= 0 {
			mine = append(mine, entryKey{d.dispute.ID, d.dispute.Life})
		}
	}
	v.all.look(mine)
	for _, d := range facts {
		if d.dispute.Seat(*v.cfg.key) < 0 {
			if e := v.all.by[entryKey{d.dispute.ID, lifeUnknown}]; e != nil && e.hearsay() {
				e.reason, e.at = "this node's producer has no seat in the dispute", now
				e.finish()
			}
			continue
		}
		e := v.all.claim(d.dispute.ID, d.dispute.Life, now)
		if e == nil {
			continue // there is no room, which is told
		}
		e.facts, e.seen = &d, now
		if e.question == nil {
			e.question = &oracle.Question{ID: d.record.ID, Text: d.record.Text, Sources: d.record.Sources}
		}
		v.pursue(e)
	}
	v.dismiss(now, whole)
}

// dismiss ends what has been missing for long; whole says that what is missing from the last state is over there. What the
// operator has said ahead of a dispute stays. The lock is held.
func (v *voter) dismiss(now time.Time, whole bool) {
	for _, e := range v.all.by {
		switch gone := now.Sub(e.seen); {
		case e.over:
		case e.hearsay() && gone > heardLong: // it need not have been a dispute, or this node's business
			e.finish()
		case e.life != lifeUnknown && whole && gone > goneAfter:
			if e.belief == nil && e.offered == nil && e.where != missed && !e.late {
				e.late = true
				v.tellLate(e, "the dispute is over, and this node had no answer in time")
			}
			e.finish()
		}
	}
	for k := range v.salts {
		if e := v.all.by[k]; e == nil || e.over {
			delete(v.salts, k)
		}
	}
}

// deriveSalts makes the salts known that are not yet.
func (v *voter) deriveSalts(ctx context.Context, facts []disputed) error {
	for _, d := range facts {
		k := entryKey{d.dispute.ID, d.dispute.Life}
		v.mu.Lock()
		_, known := v.salts[k]
		known = known || v.all.by[k] == nil
		v.mu.Unlock()
		if known {
			continue
		}
		salt, err := v.salt(ctx, k)
		if err != nil {
			return err
		}
		v.mu.Lock()
		v.salts[k] = salt
		v.mu.Unlock()
	}
	return nil
}

// salt asks the host for the salt of a dispute. Each life of a question has its own, since the first life's is open to all
// once it is revealed.
func (v *voter) salt(ctx context.Context, k entryKey) (salt [32]byte, err error) {
	b, err := v.cfg.host.Derive(ctx, fmt.Sprintf("ballot/1/%x/%d", k.id, k.life))
	if err == nil && len(b) != len(salt) {
		err = fmt.Errorf("%d bytes", len(b))
	}
	if err != nil {
		return salt, fmt.Errorf("salt of the ballot on question %x: %w", k.id[:4], err)
	}
	return [32]byte(b), nil
}
