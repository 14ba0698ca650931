//go:build !race

package storagetest

const raced = false
