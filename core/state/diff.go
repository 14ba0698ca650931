package state

import (
	"slices"
	"sync"
)

// diff is items that were set, or deleted if their value is nil. It does not change once others know it.
type diff struct {
	items map[Item][]byte

	mu     sync.Mutex
	sorted map[string][]Entry // by module, as far as scans have asked for it
}

func newDiff(size int) *diff { return &diff{items: make(map[Item][]byte, size)} }

// sortedOf returns the items of a module in order.
func (d *diff) sortedOf(module string) []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, ok := d.sorted[module]
	if ok {
		return list
	}
	for it, value := range d.items {
		if it.Module == module {
			list = append(list, Entry{it, value})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return a.Item.pos().Compare(b.Item.pos()) })
	if d.sorted == nil {
		d.sorted = map[string][]Entry{}
	}
	d.sorted[module] = list
	return list
}
