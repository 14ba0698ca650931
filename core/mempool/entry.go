package mempool

import "github.com/paloalto-chain/paloalto/core/ledger"

// entry is a transaction that waits.
type entry struct {
	envelopes  []envelope // the first that came in front; never empty
	prev, next *entry
}

type envelope struct {
	tx    *ledger.Tx
	taken int // how often it was given to a builder; refused if one has found that it authorises nothing
}

const (
	refused = 1 << 30
	inVain  = 2 // so often an envelope may be taken before it can be displaced: once it may be on its way
)

func (e *entry) tx() *ledger.Tx { return e.envelopes[0].tx }

// least returns the envelope that was taken least, the oldest of several.
func (e *entry) least() *envelope {
	best := &e.envelopes[0]
	for i := range e.envelopes {
		if e.envelopes[i].taken < best.taken {
			best = &e.envelopes[i]
		}
	}
	return best
}

// most returns the index of the envelope that was taken most, of the oldest of several, or -1 if none was taken in vain.
func (e *entry) most() int {
	best := 0
	for i := range e.envelopes {
		if e.envelopes[i].taken > e.envelopes[best].taken {
			best = i
		}
	}
	if e.envelopes[best].taken < inVain {
		return -1
	}
	return best
}
