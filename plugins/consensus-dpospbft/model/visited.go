package model

// visited is an exact set of keys above 0: open addressing, at most half full.
type visited struct {
	slots []uint64
	used  int
	shift int
}

func newVisited() *visited { return &visited{slots: make([]uint64, 1<<12), shift: 64 - 12} }

// add puts a key into the set and tells whether it is new.
func (v *visited) add(key uint64) bool {
	if 2*v.used >= len(v.slots) {
		old := v.slots
		v.slots, v.used, v.shift = make([]uint64, 2*len(old)), 0, v.shift-1
		for _, k := range old {
			if k != 0 {
				v.add(k)
			}
		}
	}
	for i := key * 0x9e3779b97f4a7c15 >> v.shift; ; i++ {
		i &= uint64(len(v.slots) - 1)
		switch v.slots[i] {
		case 0:
			v.slots[i] = key
			v.used++
			return true
		case key:
			return false
		}
	}
}

// reset empties the set. It keeps the room, which the next tree will need too, unless that is a lot to clear.
func (v *visited) reset() {
	if len(v.slots) > 1<<21 {
		*v = *newVisited()
		return
	}
	clear(v.slots)
	v.used = 0
}
