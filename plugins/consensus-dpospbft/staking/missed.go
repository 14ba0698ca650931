package staking

// missed tells what seat i of n missed between the slots of a parent and of its child, both excluded, with slots thinned out by
// 2^k: how many of its slots, and how many of its turns from beginning to end. The turn that the parent stands in, and that of
// the child, were not missed by whoever produced there; they count in slots only.
func missed(n, turn uint64, k uint, parent, child, i uint64) (slots, turns uint64) {
	from, to := parent>>k+1, (child+1<<k-1)>>k // indices of usable slots: those after the parent's, below the child's
	if from >= to {
		return 0, 0
	}
	slots = below(to, n, turn, i) - below(from, n, turn, i)
	if a, b := (from-1)/turn+1, to/turn; a < b {
		turns = below(b, n, 1, i) - below(a, n, 1, i)
	}
	return slots, turns
}

// below returns how many of the indices 0…x-1 belong to seat i, where n seats take turns of the given length.
func below(x, n, turn, i uint64) uint64 {
	round := n * turn
	rest := x % round
	return x/round*turn + min(rest-min(rest, i*turn), turn)
}
