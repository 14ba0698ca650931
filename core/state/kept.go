package state

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// keptMost is how many batches may be kept before the store is told to sync.
const keptMost = 64

// kept is the batches that the store may lose in a crash since they are not durable. A store that keeps nothing over its
// process never makes anything durable; its batches are kept until there are too many, and after that there is no way
// back but to open the state again.
type kept struct {
	batches  []storage.Batch // each goes on from the one before
	bytes    int64
	volatile bool // the store did not make durable what it was told to
	gaveUp   bool // nothing is kept any more
}

func (k *kept) wantSync(most int64) bool {
	return !k.volatile && (len(k.batches) >= keptMost || k.bytes > most)
}

// add keeps a batch that the store has taken, and lets go of what is durable.
func (k *kept) add(b storage.Batch, st storage.Status, most int64) {
	if k.gaveUp {
		return
	}
	k.batches = append(k.batches, b)
	k.bytes += b.Bytes()
	n := 0
	for n < len(k.batches) && k.batches[n].To <= st.Durable {
		k.bytes -= k.batches[n].Bytes()
		n++
	}
	k.batches = append([]storage.Batch(nil), k.batches[n:]...)
	k.volatile = b.Sync && st.Durable < b.To || k.volatile && n == 0
	if k.volatile && k.bytes > most {
		*k = kept{volatile: true, gaveUp: true}
	}
}

// replay applies again what a store has lost.
func (k *kept) replay(ctx context.Context, store storage.Store, from, to uint64) (st storage.Status, err error) {
	st.Version = from
	for _, b := range k.batches {
		if b.From != st.Version {
			continue
		}
		if st, err = store.Apply(ctx, b); err != nil {
			return st, fmt.Errorf("apply version %d again: %w", b.To, err)
		}
	}
	if st.Version != to {
		return st, fmt.Errorf("it has fallen back from version %d to %d; open the state again: %w", to, from, ErrLost)
	}
	return st, nil
}
