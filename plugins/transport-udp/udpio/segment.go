package udpio

// maxSegments is how many datagrams a segmented write may hold. Newer kernels take 128.
const maxSegments = 64

// run returns how many datagrams at the beginning of a batch, at most so many, can go as one segmented write, and the
// length of its segments: they have the same address and length, only the last may be shorter, none is empty, and together
// they are no longer than a datagram can be.
func run(batch []Datagram, most int) (n, segment int) {
	first := &batch[0]
	segment = first.size()
	n = 1
	for total := segment; n < min(most, len(batch)) && segment > 0; n++ {
		d := &batch[n]
		size := d.size()
		total += size
		if size == 0 || size > segment || total > MaxDatagram || d.To != first.To {
			break
		}
		if size < segment {
			n++
			break
		}
	}
	return n, segment
}

// split cuts what a read returned into the datagrams that the kernel joined, calling f for each that is not longer than
// largest, and returns how many were. A segment of 0 or less says that nothing was joined. If the buffer was too short
// the last datagram is incomplete, so it is left out and counted as one that is too long.
func split(b []byte, segment, largest int, truncated bool, f func([]byte)) (tooLong int) {
	if segment <= 0 || segment > len(b) {
		segment = len(b)
	}
	for {
		n := min(segment, len(b))
		last := n == len(b)
		if n > largest || last && truncated {
			tooLong++
		} else {
			f(b[:n:n])
		}
		if b = b[n:]; last {
			return tooLong
		}
	}
}
