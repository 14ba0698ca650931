//go:build !race

package staking

const raceEnabled = false
