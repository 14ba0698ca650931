//go:build race

package storagetest

// raced says that the race detector makes everything slow.
const raced = true
