//go:build race

package main

// raced tells that this binary, and so every process of a network that it starts, runs under the race detector.
const raced = true
