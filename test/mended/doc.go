// Package mended tests what becomes of a chain whose module plugin, in a process of its own, does not survive a block on one node:
// that the node halts that chain alone and says what is to blame, that the others go on, and that it goes on when a build of the
// plugin that survives is put in place.
package mended
