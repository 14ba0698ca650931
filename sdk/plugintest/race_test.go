//go:build race

package plugintest

// raced says that the race detector makes everything slow.
const raced = true
