// Package localnet runs a network of nodes on this machine: the folder that holds it, the processes of its nodes, and the
// supervisor that starts and ends them.
//
// A network's folder:
//
//	network.json      what the network consists of: nodes, ports, chains ([State])
//	genesis/          the resolved genesis documents, one a chain
//	keys/             the keys of genesis accounts that were made for this network
//	nodes/<name>/     a node's data folder, with node.hcl, its key and its log
//	token             what the supervisor's socket asks for
//	lock              held by the supervisor while it runs
//
// One supervisor process runs a network. Nodes hold the reading end of a pipe that ends with it, and plugins end with their
// node, so nothing outlives the supervisor, however it ends. Ports and data stay the same over down and up.
package localnet
