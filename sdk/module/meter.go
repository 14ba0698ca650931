package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Compare orders items by place, then key, as scans do, then module.
func (i Item) Compare(j Item) int {
	if c := bytes.Compare(i.Place[:], j.Place[:]); c != 0 {
		return c
	}
	if c := strings.Compare(i.Key, j.Key); c != 0 {
		return c
	}
	return strings.Compare(i.Module, j.Module)
}

// MaxItem is greater than every item of which a module can make use: the end of a scan over everything.
var maxKey = strings.Repeat("\xff", MaxKeyBytes)

// MaxItem returns an item that no other is greater than, as the end of a scan over all of a module's items.
func MaxItem() Item {
	return Item{Place: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Key: maxKey}
}

// meter stands between a module and the core's Reader. It bounds what a module reads, and remembers what must decide the
// call whatever the module makes of the error: a malformed read, which is a fault, or a read that the core could not do.
type meter struct {
	r      Reader
	txs    int // reads for 0…txs-1 are legal, and for BlockTx
	block  int // budget of BlockTx
	mu     sync.Mutex
	used   map[int]int
	denied map[int]int
	stop   error // sticky
	done   bool
}

func newMeter(r Reader, txs, block int) *meter {
	return &meter{r: r, txs: txs, block: block, used: map[int]int{}, denied: map[int]int{}}
}

// finish ends the reader's life and returns what decides the call, if anything does.
func (m *meter) finish() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = true
	return m.stop
}

// refused tells whether some read was refused for being one too many.
func (m *meter) refused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.denied) > 0
}

// verdict is the outcome of a call that returned err: err, or what overrules it.
func (m *meter) verdict(err error) error {
	if stop := m.finish(); stop != nil {
		return stop
	}
	if refusal(err) != nil && m.refused() {
		return faultf("the module takes a refused read for a failure of the block: %v", err)
	}
	return err
}

func (m *meter) fail(err error) error {
	m.stop = err
	return err
}

// refusal returns which of the errors it is that a Reader refuses a read with, nil if none.
func refusal(err error) error {
	if errors.Is(err, ErrFault) {
		return nil
	}
	for _, s := range []error{ErrReadLimit, ErrInvalid} {
		if errors.Is(err, s) {
			return s
		}
	}
	return nil
}

func (m *meter) deny(tx int, why error, format string, args ...any) error {
	m.denied[tx]++
	if m.denied[tx] > MaxRefusals {
		return m.fail(faultf("%d reads refused to transaction %d, and the module goes on", m.denied[tx], tx))
	}
	return fmt.Errorf("%w: %s", why, fmt.Sprintf(format, args...))
}

// charge is called with mu held. It counts n reads for tx.
func (m *meter) charge(ctx context.Context, tx, n int) error {
	switch {
	case m.stop != nil:
		return m.stop
	case m.done:
		return fmt.Errorf("%w: the call that the reader belongs to has ended", ErrClosed)
	case tx != BlockTx && (tx < 0 || tx >= m.txs):
		return m.fail(faultf("read for transaction %d of %d", tx, m.txs))
	}
	if err := ctx.Err(); err != nil {
		return m.fail(fmt.Errorf("module: read: %w", err))
	}
	limit := MaxReadsPerTx
	if tx == BlockTx {
		limit = m.block
	}
	if m.used[tx]+n > limit {
		return m.deny(tx, ErrReadLimit, "%d after %d for transaction %d, at most %d", n, m.used[tx], tx, limit)
	}
	m.used[tx] += n
	return nil
}

// after sorts an error of the core's reader: a refusal is for the module to handle, all else ends the call.
func (m *meter) after(tx int, err error) error {
	if why := refusal(err); why != nil {
		return m.deny(tx, why, "%v", err)
	}
	return m.fail(err)
}

// Read implements [Reader].
func (m *meter) Read(ctx context.Context, tx int, items []Item) ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop == nil && !m.done {
		if len(items) > MaxReadItems {
			return nil, m.fail(faultf("one read of %d items, at most %d", len(items), MaxReadItems))
		}
		for _, it := range items {
			if err := it.check(); err != nil {
				return nil, m.fail(faultf("read of %v", err))
			}
		}
	}
	if err := m.charge(ctx, tx, max(len(items), 1)); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, nil
	}
	values, err := m.r.Read(ctx, tx, items)
	if err != nil {
		return nil, m.after(tx, err)
	}
	if len(values) != len(items) {
		return nil, m.fail(fmt.Errorf("module: read: %d values for %d items", len(values), len(items)))
	}
	return values, nil
}

// Scan implements [Reader].
func (m *meter) Scan(ctx context.Context, tx int, start, end Item, limit int) ([]Value, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop == nil && !m.done {
		if limit < 1 {
			return nil, false, m.fail(faultf("scan of %d items", limit))
		}
		for _, it := range []Item{start, end} {
			if err := it.check(); err != nil {
				return nil, false, m.fail(faultf("scan from or to %v", err))
			}
		}
	}
	limit = min(limit, MaxScan)
	if err := m.charge(ctx, tx, limit); err != nil {
		return nil, false, err
	}
	if start.Module != "" || end.Module != "" {
		return nil, false, m.deny(tx, ErrInvalid, "a scan in another module, %.80q", max(start.Module, end.Module))
	}
	if start.Compare(end) >= 0 {
		return nil, false, nil
	}
	values, more, err := m.r.Scan(ctx, tx, start, end, limit)
	if err != nil {
		return nil, false, m.after(tx, err)
	}
	if len(values) > limit {
		return nil, false, m.fail(fmt.Errorf("module: scan: %d values, %d were asked for", len(values), limit))
	}
	size := 0
	for i, v := range values {
		if size += len(v.Item.Key) + len(v.Data) + RecordBytes; size > MaxScanBytes && i > 0 {
			return values[:i], true, nil
		}
	}
	return values, more, nil
}
