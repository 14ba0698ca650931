package storage

import (
	"bytes"
	"fmt"
)

// CheckKeys checks the keys of a Get: each has 1 to MaxKeyBytes bytes. The error wraps ErrInvalid or ErrTooLarge.
func CheckKeys(keys [][]byte) error {
	for i, k := range keys {
		if err := checkKey(k); err != nil {
			return fmt.Errorf("key %d of %d: %w", i, len(keys), err)
		}
	}
	return nil
}

// CheckScan checks the arguments of a Scan. Start and end may have one byte more than a key, since a scan goes on from
// the last key followed by a zero byte.
func CheckScan(start, end []byte, limit int) error {
	if limit < 1 || limit > MaxPage {
		return fmt.Errorf("scan: limit %d is outside 1 to %d: %w", limit, MaxPage, ErrInvalid)
	}
	if n := max(len(start), len(end)); n > MaxKeyBytes+1 {
		return fmt.Errorf("scan: a bound of %d bytes, keys have at most %d: %w", n, MaxKeyBytes, ErrTooLarge)
	}
	return nil
}

// Bytes is what the batch counts against MaxBatchBytes.
func (b *Batch) Bytes() int64 {
	var n int64
	for _, kv := range b.Puts {
		n += int64(len(kv.Key)+len(kv.Value)) + ItemBytes
	}
	for _, k := range b.Deletes {
		n += int64(len(k)) + ItemBytes
	}
	return n
}

// Check checks the batch's form: To > From, keys and values within their limits, no key twice. The error wraps
// ErrInvalid or ErrTooLarge. It takes linear time if Puts and Deletes are sorted, and a map of all keys otherwise.
func (b *Batch) Check() error {
	if b.To <= b.From {
		return fmt.Errorf("batch from version %d to %d: %w", b.From, b.To, ErrInvalid)
	}
	if n := b.Bytes(); n > MaxBatchBytes {
		return fmt.Errorf("batch of %d bytes, at most %d are allowed: %w", n, int64(MaxBatchBytes), ErrTooLarge)
	}
	sorted := true
	for i, kv := range b.Puts {
		if err := checkKey(kv.Key); err != nil {
			return fmt.Errorf("put %d of %d: %w", i, len(b.Puts), err)
		}
		if len(kv.Value) > MaxValueBytes {
			return fmt.Errorf("put %d of %d: a value of %d bytes, at most %d are allowed: %w", i, len(b.Puts), len(kv.Value),
				MaxValueBytes, ErrTooLarge)
		}
		sorted = sorted && (i == 0 || bytes.Compare(b.Puts[i-1].Key, kv.Key) < 0)
	}
	for i, k := range b.Deletes {
		if err := checkKey(k); err != nil {
			return fmt.Errorf("delete %d of %d: %w", i, len(b.Deletes), err)
		}
		sorted = sorted && (i == 0 || bytes.Compare(b.Deletes[i-1], k) < 0)
	}
	if sorted {
		return b.checkSorted()
	}
	seen := make(map[string]struct{}, len(b.Puts)+len(b.Deletes))
	for _, kv := range b.Puts {
		seen[string(kv.Key)] = struct{}{}
	}
	for _, k := range b.Deletes {
		seen[string(k)] = struct{}{}
	}
	if len(seen) != len(b.Puts)+len(b.Deletes) {
		return fmt.Errorf("batch names a key twice: %w", ErrInvalid)
	}
	return nil
}

// checkSorted looks for keys that are in both lists; within a list they are strictly ascending.
func (b *Batch) checkSorted() error {
	for i, j := 0, 0; i < len(b.Puts) && j < len(b.Deletes); {
		switch c := bytes.Compare(b.Puts[i].Key, b.Deletes[j]); {
		case c == 0:
			return fmt.Errorf("batch puts and deletes the key %x: %w", b.Deletes[j], ErrInvalid)
		case c < 0:
			i++
		default:
			j++
		}
	}
	return nil
}

func checkKey(k []byte) error {
	if len(k) == 0 {
		return fmt.Errorf("empty key: %w", ErrInvalid)
	}
	if len(k) > MaxKeyBytes {
		return fmt.Errorf("key of %d bytes, at most %d are allowed: %w", len(k), MaxKeyBytes, ErrTooLarge)
	}
	return nil
}
