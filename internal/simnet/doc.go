// Package simnet is a network of nodes in virtual time, for tests: an event queue that a seed determines, links that lose,
// delay, duplicate and reorder, partitions, and clocks that are wrong. Nothing in it looks at the real clock or starts a
// goroutine, so a run takes as long as its events do, and the same seed gives the same run, to the byte.
//
// A test makes a [World], a [Net] of some nodes in it and a [Clock] for each, schedules events with [World.At], sends with
// [Net.Send], and lets [World.Step] carry out one event after the other; between two it may look at everything. What makes a
// run what it is can be mixed into a hash with [World.Note]: two runs of a seed must end with the same [World.Trace].
package simnet
