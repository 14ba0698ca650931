package state

import (
	"slices"
	"sort"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const (
	pageLeaves  = 256 // of a page that comes from splitting a larger one
	pageMost    = 2 * pageLeaves
	pageLeast   = pageLeaves / 4 // a page with fewer takes in those behind it
	deltaLeaves = 50_000         // most leaves of a part of a delta: 3.6 MB
)

// pages is what the store holds of the tree. A commit makes a new one, which counts once the commit has succeeded.
type pages struct {
	number uint64          // of commits
	table  []page          // ascending; the first begins with the lowest path
	cursor types.StatePath // the next page to be rewritten is the one with this path
	deltas []delta         // ascending
	all    bool            // pages in the store are not to be trusted: the next commit rewrites all
}

// page is a range of paths, up to the next page.
type page struct {
	first types.StatePath
	since uint64 // the oldest commit whose changes it lacks, or 0
}

// delta is the changes of a commit, in parts.
type delta struct {
	number uint64
	parts  int
}

func (p *pages) end(i int) *types.StatePath {
	if i+1 < len(p.table) {
		return &p.table[i+1].first
	}
	return nil
}

// find returns which page a path is in.
func (p *pages) find(path *types.StatePath) int {
	return sort.Search(len(p.table), func(i int) bool { return p.table[i].first.Compare(path) > 0 }) - 1
}

// mark notes that a commit has changed leaves, which are sorted.
func (p *pages) mark(number uint64, leaves []types.StateLeaf) {
	for i, at := 0, 0; at < len(leaves); i++ {
		n := len(leaves) - at
		if end := p.end(i); end != nil {
			n = sort.Search(n, func(j int) bool { return leaves[at+j].Path.Compare(end) >= 0 })
		}
		if at += n; n > 0 && p.table[i].since == 0 {
			p.table[i].since = number
		}
	}
}

// next returns what the pages come to with a further commit that changes leaves and leads to the tree n, and adds to the
// batch what has to be written for that. The pages themselves stay as they are.
func (p *pages) next(f *forest, n ref, leaves []types.StateLeaf, every int, b *storage.Batch) *pages {
	q := &pages{number: p.number + 1, table: slices.Clone(p.table), deltas: slices.Clone(p.deltas)}
	q.mark(q.number, leaves)
	// In any `every` commits, this comes to as many pages as there are.
	size := uint64(len(q.table))
	at, count := q.find(&p.cursor), int(size*q.number/uint64(every)-size*(q.number-1)/uint64(every))
	if p.all {
		at, count = 0, len(q.table)
	}
	q.cursor = q.rewrite(f, n, at, count, b)
	q.dropDeltas(b)
	if q.oldest() <= q.number { // else all pages were rewritten with this commit
		q.addDelta(leaves, b)
	}
	return q
}

func (q *pages) addDelta(leaves []types.StateLeaf, b *storage.Batch) {
	d := delta{number: q.number}
	for part := range slices.Chunk(leaves, deltaLeaves) {
		b.Puts = append(b.Puts, storage.KV{Key: deltaKey(q.number, d.parts), Value: encodeLeaves(part)})
		d.parts++
	}
	if d.parts > 0 {
		q.deltas = append(q.deltas, d)
	}
}

// rewrite brings up to count pages up to date, from one on, and returns where to go on.
func (q *pages) rewrite(f *forest, n ref, at, count int, b *storage.Batch) types.StatePath {
	done := slices.Clone(q.table[:at])
	var leaves []types.StateLeaf
	for ; count > 0 && at < len(q.table); count-- {
		pg := q.table[at]
		if pg.since == 0 {
			done = append(done, pg)
			at++
			continue
		}
		leaves = f.collect(leaves[:0], n, &pg.first, q.end(at))
		for at++; len(leaves) < pageLeast && at < len(q.table); at++ {
			leaves = f.collect(leaves, n, &q.table[at].first, q.end(at))
			b.Deletes = append(b.Deletes, pageKey(&q.table[at].first))
		}
		first := pg.first
		for {
			size := len(leaves)
			if size > pageMost {
				size = pageLeaves
			}
			b.Puts = append(b.Puts, storage.KV{Key: pageKey(&first), Value: encodeLeaves(leaves[:size])})
			done = append(done, page{first: first})
			if leaves = leaves[size:]; len(leaves) == 0 {
				break
			}
			first = leaves[0].Path
		}
	}
	var cursor types.StatePath // from the beginning, if the end was reached
	if at < len(q.table) {
		cursor = q.table[at].first
	}
	q.table = append(done, q.table[at:]...)
	return cursor
}

// oldest returns the oldest commit that some page lacks; there is none if it lies ahead.
func (q *pages) oldest() uint64 {
	oldest := q.number + 1
	for _, pg := range q.table {
		if pg.since != 0 {
			oldest = min(oldest, pg.since)
		}
	}
	return oldest
}

// dropDeltas deletes the deltas that no page lacks.
func (q *pages) dropDeltas(b *storage.Batch) {
	oldest := q.oldest()
	for len(q.deltas) > 0 && q.deltas[0].number < oldest {
		for part := range q.deltas[0].parts {
			b.Deletes = append(b.Deletes, deltaKey(q.deltas[0].number, part))
		}
		q.deltas = q.deltas[1:]
	}
}
