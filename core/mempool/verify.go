package mempool

import (
	"crypto/sha256"
	"runtime"
	"sync"

	"github.com/paloalto-chain/paloalto/core/ledger"
)

// Verify verifies the signatures of those transactions that have none verified yet, in batches over all processors. Entries
// that are nil are skipped.
func (p *Pool) Verify(txs []*ledger.Tx) []error {
	errs := make([]error, len(txs))
	var todo []*ledger.Tx
	var at []int
	p.mu.Lock()
	for i, t := range txs {
		if t == nil {
			continue
		}
		if _, ok := p.verified[t.Sum]; !ok {
			todo, at = append(todo, t), append(at, i)
		}
	}
	p.mu.Unlock()
	if len(todo) == 0 {
		return errs
	}
	results := verifyParallel(p.ledger, todo)
	p.mu.Lock()
	defer p.mu.Unlock()
	for j, err := range results {
		if err != nil {
			errs[at[j]] = err
		} else if todo[j].T.Expires <= p.slot+2*ledger.TxLifetime {
			p.remember(todo[j].Sum, todo[j].T.Expires)
		}
	}
	return errs
}

// Known returns the waiting transactions whose envelopes are these, byte for byte, nil where none is: what a block holds has
// mostly been decoded and verified before.
func (p *Pool) Known(envelopes [][]byte) []*ledger.Tx {
	sums := make([][32]byte, len(envelopes))
	workers := min(runtime.GOMAXPROCS(0), 1+len(envelopes)/chunk)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(envelopes); i += workers {
				sums[i] = sha256.Sum256(envelopes[i])
			}
		})
	}
	wg.Wait()
	out := make([]*ledger.Tx, len(envelopes))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range sums {
		if t := p.sums[sums[i]]; t != nil {
			if _, ok := p.verified[t.Sum]; ok {
				out[i] = t
			}
		}
	}
	return out
}

// remember notes that an envelope's signatures have been verified. If there are too many of them, some other is forgotten and
// will be verified again.
func (p *Pool) remember(key [32]byte, expires uint64) {
	if _, ok := p.verified[key]; !ok && len(p.verified) >= p.opts.MaxKnown {
		for k := range p.verified {
			delete(p.verified, k)
			break
		}
	}
	p.verified[key] = expires
}

// chunk is how many transactions one processor verifies in a batch: beyond it the gain per signature is small.
const chunk = 256

func verifyParallel(l *ledger.Ledger, txs []*ledger.Tx) []error {
	errs := make([]error, len(txs))
	var wg sync.WaitGroup
	for start := 0; start < len(txs); start += chunk {
		end := min(start+chunk, len(txs))
		wg.Go(func() { copy(errs[start:end], l.VerifySignatures(txs[start:end])) })
	}
	wg.Wait()
	return errs
}
