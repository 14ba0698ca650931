// Package network carries the messages of a node's chains over one transport plugin.
//
// Peers come from the node's configuration, by the hash of their node key. When a connection comes up, both sides say
// hello: each sends a fresh nonce, and proves with a signature over the other's nonce that it holds its node key; with the
// proof comes the list of its chains. Until then nothing else from that peer is looked at. A message of a chain goes to those
// peers that have the chain.
//
// The transport may die at any instant. The network then listens, attaches and dials again; what was under way is lost, and
// those who need it ask again.
package network
