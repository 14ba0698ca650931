package secure

const (
	windowWords = 64
	// WindowSize is how far numbers may come out of order.
	WindowSize = (windowWords - 1) * 64
)

// Window remembers which of the latest numbers have been seen. It is the sliding bitmap of RFC 6479: a ring of words, one
// more than is needed, so that moving on clears whole words.
type Window struct {
	top   uint64 // one more than the highest
	words [windowWords]uint64
}

// Bottom returns the lowest number that can still be fresh.
func (w *Window) Bottom() uint64 {
	if w.top <= WindowSize {
		return 0
	}
	return w.top - WindowSize
}

// Fresh tells whether a number was not seen before, and is not too old to tell.
func (w *Window) Fresh(n uint64) bool {
	if n >= w.top {
		return true
	}
	return n >= w.Bottom() && w.words[n/64%windowWords]>>(n%64)&1 == 0
}

// Mark notes a fresh number as seen and tells whether it is the highest so far.
func (w *Window) Mark(n uint64) bool {
	latest := n >= w.top
	if latest {
		first := w.top / 64
		if w.top%64 != 0 {
			first++
		}
		for i, k := first, 0; i <= n/64 && k < windowWords; i, k = i+1, k+1 {
			w.words[i%windowWords] = 0
		}
		w.top = n + 1
	}
	w.words[n/64%windowWords] |= 1 << (n % 64)
	return latest
}
