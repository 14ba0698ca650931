// Package chain runs one chain: it drives the consensus engine, builds and checks blocks, executes them on layers of state
// above the last committed block, commits what a quorum has proven, and recovers after a crash at any instant.
//
// Three goroutines share the work. The driver carries out what the engine asks for, in the order that the engine's contract
// demands: records durable, then signed behind the guard, then sent. The worker owns the tree of blocks: it builds, checks,
// executes and finalises, one thing after the other, so that votes never wait for an execution. The syncer fetches
// certified ranges from peers when the node has fallen behind.
//
// A block goes through these states. Known: its header is here. Checked: its body is in the journal and it is valid on the
// state of its parent, so the engine may vote. Executed: its layer stands above its parent's. Final: a verified certificate
// names it or a descendant. Proven: a final child carries the root that its execution came to. Committed: proven, and its layer
// is in the storage plugin. The disk never holds a state that no quorum has signed.
package chain
