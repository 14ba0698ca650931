package stripe

import "sort"

// maxSpans is how many gaps a message that is arriving may have. Lanes that lose half of all they send stay far below it.
const maxSpans = 8192

// span is the bytes from one offset up to another.
type span struct{ from, to int }

// spans are disjoint, in order, and do not touch.
type spans []span

// covered tells whether all of the range is there.
func (s spans) covered(from, to int) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].to >= to })
	return i < len(s) && s[i].from <= from
}

// add adds a range and returns by how many bytes the spans have grown. It returns -1 if they would be too many.
func (s *spans) add(from, to int) int {
	a := *s
	if n := len(a); n > 0 && a[n-1].to == from { // nearly always
		a[n-1].to = to
		return to - from
	}
	i := sort.Search(len(a), func(i int) bool { return a[i].to >= from }) // first that touches or lies after
	j := sort.Search(len(a), func(i int) bool { return a[i].from > to })  // first that lies after
	if i == j {
		if len(a) >= maxSpans {
			return -1
		}
		a = append(a, span{})
		copy(a[i+1:], a[i:])
		a[i] = span{from, to}
		*s = a
		return to - from
	}
	had := 0
	for _, x := range a[i:j] {
		had += x.to - x.from
	}
	a[i] = span{min(from, a[i].from), max(to, a[j-1].to)}
	grown := a[i].to - a[i].from - had
	*s = append(a[:i+1], a[j:]...)
	return grown
}

// prefix is how many bytes there are from the beginning on.
func (s spans) prefix() int {
	if len(s) > 0 && s[0].from == 0 {
		return s[0].to
	}
	return 0
}
