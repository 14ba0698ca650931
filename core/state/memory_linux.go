package state

import "syscall"

// mapMemory returns zeroed memory outside Go's heap, in large pages if possible, or nil if there is none.
func mapMemory(size int) []byte {
	m, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	_ = syscall.Madvise(m, syscall.MADV_HUGEPAGE) // a system without large pages is slower, not wrong
	return m
}

func unmapMemory(m []byte) { _ = syscall.Munmap(m) }
