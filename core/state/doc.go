// Package state keeps a chain's state: items with values, and the tree over them whose root is in the block headers.
//
// The life of a state. [Open] reads what a store holds and gives a [DB], whose Base is the committed state, as a [Layer].
// A block is executed on the layer of its parent; what it changes makes a further layer, with [Layer.Derive], which knows
// its root at once. Layers form a tree as blocks do. When a block is proven, [DB.Commit] writes its layer and those below
// it to the store in one batch, and that layer becomes the Base. Layers above it stay what they are; all others, forks
// and what the Base was before, are dropped, and every call on them but Root fails with [ErrStale].
//
// Any number of goroutines may use a DB and its layers at once; of commits, one at a time goes on. A layer never changes.
//
// # The tree
//
// sdk/types defines its hashes. All of it is in memory: 72 bytes a leaf and 80 a branch, in chunks without a pointer (see
// arena.go). Deriving a layer makes new nodes where something changes and shares all others with the parent's tree. Each
// layer remembers the nodes that it made and those that it did without; a commit frees the latter, dropping a fork the
// former.
//
// # What the store holds
//
//	's' 'm'                          where the state stands (record)
//	's' 'i' n module place key       the value of an item; n is the length of module in one byte
//	's' 'p' path                     a page: all leaves from path up to the path of the next page
//	's' 'd' number part              a delta: the leaves that a commit changed
//
// The pages hold the leaves of the tree as they stood some commits ago, not all of the same age: each commit rewrites a
// share of those that have changed, so that every page gets its turn once in Options.PageEvery commits and no commit has
// to write many. The deltas of all commits that some page lacks are kept. To open a state is to read all pages, put the
// leaves of the deltas in, in their order, and hash; the root has to be the one in the record.
package state
