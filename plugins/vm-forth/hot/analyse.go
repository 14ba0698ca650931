package hot

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

type block struct {
	first, end int
	st, rs     []val // at its start
	seen       bool
	succ       []int
}

// fits says whether a body that was analysed serves a stack.
func (f *fn) fits(ctx []val) bool {
	if len(ctx) < len(f.in) || f.short && len(ctx) != f.entry {
		return false
	}
	for i, k := range f.in {
		if ctx[len(ctx)-len(f.in)+i].k != k {
			return false
		}
	}
	return true
}

// analyse finds out what a word does to a stack. It returns nil if the word is being analysed, other than as the innermost.
func (t *translation) analyse(word int, ctx []val) (*fn, error) {
	for _, f := range t.memo[word] {
		if f.fits(ctx) {
			return f, nil
		}
	}
	for _, f := range t.active {
		if f.word == word {
			return nil, nil
		}
	}
	if t.count++; t.count > maxFunctions {
		return nil, unsuitable("its words are used with too many combinations of types")
	}
	f := &fn{t: t, word: word, entry: len(ctx)}
	f.start, f.end = t.body(word)
	if f.end-f.start > maxBody {
		return nil, unsuitable("a body of %d instructions, at most %d", f.end-f.start, maxBody)
	}
	f.split()
	t.active = append(t.active, f)
	defer func() { t.active = t.active[:len(t.active)-1] }()
	for round := 0; ; round++ {
		if round == maxRounds {
			return nil, unsuitable("the effect of a word that calls itself is not settled")
		}
		in, out, returns := f.in, f.out, f.returns
		if err := f.flow(ctx); err != nil {
			return nil, err
		}
		if !f.self || t.anew || f.sums && returns == f.returns && slices.Equal(in, f.in) && slices.Equal(out, f.out) {
			break
		}
		f.sums = true
	}
	if len(f.in) > maxResults || len(f.out) > maxResults {
		return nil, unsuitable("a word takes or leaves more than %d values", maxResults)
	}
	f.deepD = max(f.deepD, f.maxD)
	if f.self {
		f.deepD += max(f.growD, 0) * (int(t.lim.ReturnDepth)/max(f.stepR, 1) + 1)
	}
	t.memo[word] = append(t.memo[word], f)
	return f, nil
}

// split finds the blocks of a body.
func (f *fn) split() {
	ins := f.t.p.Ins
	leads := map[int]bool{f.start: true}
	for i := f.start; i <= f.end; i++ {
		switch in := &ins[i]; in.Op {
		case bytecode.OpJump, bytecode.OpJumpZero, bytecode.OpQDo, bytecode.OpLoop, bytecode.OpPlusLoop:
			leads[int(in.Arg)], leads[i+1] = true, true
		case bytecode.OpExit, bytecode.OpReturn, bytecode.OpFail:
			leads[i+1] = true
		}
	}
	f.at = map[int]int{}
	for i := f.start; i <= f.end; {
		j := i + 1
		for j <= f.end && !leads[j] {
			j++
		}
		f.at[i] = len(f.blocks)
		f.blocks = append(f.blocks, block{first: i, end: j})
		i = j
	}
}

// flow follows all paths from the start, until what is known at the start of each block is true of all that lead there.
func (f *fn) flow(ctx []val) error {
	for i := range f.blocks {
		f.blocks[i] = block{first: f.blocks[i].first, end: f.blocks[i].end}
	}
	f.low, f.maxD, f.maxR, f.localD, f.localR, f.growD, f.stepR, f.deepD = f.entry, 0, 0, 0, 0, 0, 1<<30, 0
	f.recursive, f.self, f.usesDepth, f.short = false, false, false, false
	var leaves []kind // below the guess, so that the guess is used while this is found out
	found := false
	st := make([]val, len(ctx))
	for i, c := range ctx {
		st[i] = val{k: c.k}
	}
	f.blocks[0].st, f.blocks[0].seen = st, true
	for work := []int{0}; len(work) > 0; {
		x := work[len(work)-1]
		work = work[:len(work)-1]
		w := walker{t: f.t, f: f, base: f.entry}
		edges, err := w.block(x)
		if err != nil {
			return err
		}
		if f.t.anew {
			return nil // all of it starts again
		}
		f.blocks[x].succ = f.blocks[x].succ[:0]
		for _, e := range edges {
			if e.to < 0 {
				if f.word == mainWord {
					found = true
					continue
				}
				if found && len(leaves) != len(e.st) {
					return unsuitable("a word leaves sometimes %d, sometimes %d values", len(leaves), len(e.st))
				}
				if !found {
					leaves, found = make([]kind, len(e.st)), true
				}
				for i, v := range e.st {
					leaves[i] = join(leaves[i], v.k)
				}
				continue
			}
			f.blocks[x].succ = append(f.blocks[x].succ, e.to)
			changed, err := f.blocks[e.to].meet(e)
			if err != nil {
				return err
			}
			if changed {
				work = append(work, e.to)
			}
		}
	}
	f.in, f.out, f.returns = nil, nil, found
	for _, v := range ctx[f.low:] {
		f.in = append(f.in, v.k)
	}
	if found && f.word != mainWord {
		if f.low > len(leaves) {
			return unsuitable("a word leaves less than it has looked at")
		}
		f.out = leaves[f.low:]
	}
	return nil
}

// meet adds what is known along an edge to what is known at the start of a block.
func (b *block) meet(e edge) (changed bool, err error) {
	if !b.seen {
		b.st, b.rs, b.seen = slices.Clone(e.st), slices.Clone(e.rs), true
		return true, nil
	}
	if len(b.st) != len(e.st) || len(b.rs) != len(e.rs) {
		return false, unsuitable("paths meet with different depths of a stack")
	}
	for _, two := range [][2][]val{{b.st, e.st}, {b.rs, e.rs}} {
		for i, v := range two[1] {
			have := &two[0][i]
			if *have == v {
				continue
			}
			k := join(have.k, v.k)
			if k == kNone {
				return false, unsuitable("paths meet with different things on the return stack")
			}
			if next := (val{k: k}); next != *have {
				*have, changed = next, true
			}
		}
	}
	return changed, nil
}

// edge is a way out of a block: to another, or, with to < 0, out of the body.
type edge struct {
	to     int
	st, rs []val
}
