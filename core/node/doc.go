// Package node is the composition root: a data folder, a key, a node configuration and genesis documents become a running
// node with its plugins, its network and its chains.
//
// The life of a node. [Start] starts the plugin host and the transport, opens every chain that the configuration names or
// that was started from a record before, and connects to the peers. From then on each chain runs by itself: one that halts is
// reported in [Node.Status] and leaves the others alone. The native module chains of each running chain is watched: when a
// child is recorded in a final block and this node holds one of its producer keys, or was told to follow it, the node starts the
// child from the record. [Node.Close] ends everything in the opposite order.
//
// The data folder:
//
//	chains/<id>/genesis.json   the resolved genesis document, written before the chain is started
//	chains/<id>/journal/       the chain's write-ahead log
//	plugins/<kind>-<name>/     what the plugin's process may write; a folder for each chain in it
//	logs/                      the plugins' standard error
package node
