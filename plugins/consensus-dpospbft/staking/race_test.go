//go:build race

package staking

const raceEnabled = true
