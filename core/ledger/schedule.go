package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The queue of scheduled work: one item an entry, in the order of (clock, id). An entry that was postponed lies under a later
// clock, with the clock that it was made for behind the module's name; spaceMoved tells where, so that the module can
// still cancel it by the clock and id that it knows.
//
//	clock (8) ‖ id (32) ‖ module
//	clock (8) ‖ id (32) ‖ module ‖ 0 ‖ clock that it was made for (8) ‖ strikes (1)

// dueEntry is an entry of the schedule that has fallen due.
type dueEntry struct {
	module.Due
	clock   uint64 // that it was made for
	strikes uint8  // how often it has made its module break the rules
	value   []byte // as it lies in the state
}

func scheduleKey(clock uint64, id [32]byte, mod string) string {
	k := binary.BigEndian.AppendUint64(make([]byte, 0, 50+len(mod)), clock)
	return string(append(append(k, id[:]...), mod...))
}

func movedKey(to uint64, d *dueEntry, mod string) string {
	k := append([]byte(scheduleKey(to, d.ID, mod)), 0)
	return string(append(binary.BigEndian.AppendUint64(k, d.clock), d.strikes))
}

func scheduleItem(key string) state.Item { return state.Item{Module: spaceSchedule, Key: key} }

func movedItem(key string) state.Item { return state.Item{Module: spaceMoved, Key: key} }

func encodeScheduled(it module.Item, data []byte) []byte {
	e := types.NewEncoder(32 + len(it.Key) + len(data))
	e.Raw(it.Place[:])
	e.String(it.Key)
	e.Blob(data)
	return e.Bytes()
}

// decodeScheduled reads an entry of the queue.
func decodeScheduled(key string, value []byte) (d dueEntry, mod string, moved bool, err error) {
	if len(key) < 41 {
		return dueEntry{}, "", false, fmt.Errorf("schedule: a key of %d bytes in the state", len(key))
	}
	d = dueEntry{clock: binary.BigEndian.Uint64([]byte(key[:8])), value: value}
	copy(d.ID[:], key[8:40])
	mod, rest, moved := strings.Cut(key[40:], "\x00")
	if moved {
		if len(rest) != 9 {
			return dueEntry{}, "", false, fmt.Errorf("schedule: a postponed entry's key of %d bytes in the state", len(key))
		}
		d.clock, d.strikes = binary.BigEndian.Uint64([]byte(rest[:8])), min(rest[8], maxStrikes)
	}
	x := types.NewDecoder(value)
	copy(d.Item.Place[:], x.Raw(8))
	d.Item.Key = x.String(module.MaxKeyBytes)
	d.Data = x.Blob(module.MaxValueBytes)
	if err := x.Finish(); err != nil {
		return dueEntry{}, "", false, fmt.Errorf("schedule: %w", err)
	}
	return d, mod, moved, nil
}

// takeDue removes what has fallen due from the queue, at most module.MaxDuePerBlock entries, and returns it by module.
func (w *work) takeDue(ctx context.Context) (map[string][]dueEntry, error) {
	end := binary.BigEndian.AppendUint64(nil, satAdd(w.b.Clock, 1))
	entries, _, err := w.view.Scan(ctx, spaceSchedule, state.ScanPos{}, state.ScanPos{Key: string(end)}, module.MaxDuePerBlock)
	if err != nil {
		return nil, err
	}
	out := map[string][]dueEntry{}
	for _, en := range entries {
		d, mod, moved, err := decodeScheduled(en.Item.Key, en.Value)
		if err != nil {
			return nil, err
		}
		w.set(en.Item, nil)
		if moved {
			w.set(movedItem(scheduleKey(d.clock, d.ID, mod)), nil)
		}
		if w.l.group(mod) >= 0 {
			out[mod] = append(out[mod], d)
		}
	}
	return out, nil
}
