package state

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	chunkBits = 10
	chunkLen  = 1 << chunkBits
	chunkMask = chunkLen - 1

	// smallChunks is how many chunks of an arena come from Go's heap; so a chain with few items takes little.
	smallChunks = 16
	// regionBytes is how much memory is asked of the system at once for further chunks.
	regionBytes = 16 << 20
)

// arena holds values of one kind, named by numbers from 1, in chunks that never move. T must be free of pointers.
// Reading and writing values is as safe as with variables: whoever shares numbers between goroutines has to order the
// accesses; take and give may be called at any time.
//
// All but the first chunks lie outside Go's heap, in large pages where the system has them. An update of a block visits
// tens of thousands of nodes all over the memory, and spends most of its time on misses of the address cache if pages
// are small. It also keeps the collector from letting the heap grow by as much again as the tree takes.
type arena[T any] struct {
	chunks atomic.Pointer[[]*[chunkLen]T]
	mu     sync.Mutex
	next   uint32   // lowest number that was never handed out
	free   []uint32 // handed back
	region []byte   // what is left of the newest region
	mapped *regions
}

// regions is memory of the system's, handed back together.
type regions struct{ list [][]byte }

func (r *regions) unmap() {
	for _, m := range r.list {
		unmapMemory(m)
	}
}

func newArena[T any](mapped *regions) *arena[T] {
	a := &arena[T]{next: 1, mapped: mapped}
	a.chunks.Store(&[]*[chunkLen]T{})
	return a
}

func (a *arena[T]) at(i uint32) *T { return &(*a.chunks.Load())[i>>chunkBits][i&chunkMask] }

// take appends n numbers of unused values to dst.
func (a *arena[T]) take(dst []uint32, n int) []uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	reused := min(n, len(a.free))
	dst = append(dst, a.free[len(a.free)-reused:]...)
	a.free = a.free[:len(a.free)-reused]
	for n -= reused; n > 0; n-- {
		if chunks := *a.chunks.Load(); int(a.next>>chunkBits) >= len(chunks) {
			// Readers may hold the old list, whose entries stay valid: append changes none of them.
			chunks = append(chunks, a.chunk(len(chunks)))
			a.chunks.Store(&chunks)
		}
		dst = append(dst, a.next)
		a.next++
	}
	return dst
}

// chunk returns memory for the chunk after n others.
func (a *arena[T]) chunk(n int) *[chunkLen]T {
	size := int(unsafe.Sizeof([chunkLen]T{}))
	if n >= smallChunks && len(a.region) < size {
		if a.region = mapMemory(regionBytes); a.region != nil {
			a.mapped.list = append(a.mapped.list, a.region)
		}
	}
	if n < smallChunks || len(a.region) < size {
		return new([chunkLen]T)
	}
	c := (*[chunkLen]T)(unsafe.Pointer(unsafe.SliceData(a.region)))
	a.region = a.region[size:]
	return c
}

// give hands numbers back whose values are no longer used by anybody.
func (a *arena[T]) give(list []uint32) {
	a.mu.Lock()
	a.free = append(a.free, list...)
	a.mu.Unlock()
}

// used returns how many values are in use.
func (a *arena[T]) used() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.next) - 1 - len(a.free)
}
