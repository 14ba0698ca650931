// Package nodes holds integration tests: several real nodes with real plugins in one process, over a transport in memory.
package nodes
