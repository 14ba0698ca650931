// Package dishonest tests that a chain survives a module that breaks the rules, in the process that a module is on a node: see
// internal/testplugins/dishonest. Whatever the module does, the bank goes on, all nodes come to the same state, and no token is
// made or lost. Where it breaks on one node alone, that node halts that chain and says what is to blame, and the others go on.
package dishonest
