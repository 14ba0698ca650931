package model_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain makes the collector keep a large search below 1 GiB: what it holds is less, but grows by copying.
func TestMain(m *testing.M) {
	debug.SetMemoryLimit(750 << 20)
	os.Exit(m.Run())
}
