package secure

import (
	"net/netip"
	"time"
)

// Rates bound the handshakes that are begun for others: so many a second, and so many at once before that counts.
type Rates struct {
	Address, AddressBurst int // of one IPv4 address or one /64 of IPv6
	Known, KnownBurst     int // the same for those that this node has dialled, or of whose links it expects further lanes
	Total, TotalBurst     int // of all addresses together that are not known
}

// DefaultRates let a burst of honest callers through and hold a flood to a few hundredths of a processor.
// The lanes of a link are opened in bursts of a few at each socket, and several nodes may have one address, so who is known has
// more; but it has a bound too, for who is known may be hostile nevertheless.
func DefaultRates() Rates {
	return Rates{Address: 10, AddressBurst: 20, Known: 50, KnownBurst: 256, Total: 250, TotalBurst: 500}
}

// limitTable is for how many addresses the rates are kept.
const limitTable = 4096

// Limits counts handshakes.
type Limits struct {
	rates Rates
	total bucket
	by    map[holder]*bucket
	order []holder
	next  int
}

// holder has a rate. Strangers at the address of a node that is known use up nothing of its own.
type holder struct {
	at    netip.Addr
	known bool
}

// NewLimits returns limits of which nothing is used yet.
func NewLimits(rates Rates) *Limits {
	return &Limits{rates: rates, total: bucket{left: float64(rates.TotalBurst)}, by: map[holder]*bucket{}}
}

// Take takes one handshake of an address, or tells that there is none left. Known addresses, see [Rates], are not held up by what
// all others use up together, nor by others at their own address. Loopback addresses, which whole networks share, have no limit of
// their own.
func (l *Limits) Take(now time.Duration, at netip.Addr, known bool) bool {
	l.total.fill(now, l.rates.Total, l.rates.TotalBurst)
	if !known && l.total.left < 1 {
		return false
	}
	rate, burst := l.rates.Address, l.rates.AddressBurst
	if known {
		rate, burst = l.rates.Known, l.rates.KnownBurst
	}
	if !at.IsLoopback() && !l.of(now, holder{prefix(at), known}, burst).take(now, rate, burst) {
		return false
	}
	if !known {
		l.total.left--
	}
	return true
}

// Size returns for how many addresses something is kept.
func (l *Limits) Size() int { return len(l.by) }

// prefix is what counts as one address.
func prefix(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, _ := a.Prefix(64) // 64 bits are fine for every IPv6 address
	return p.Addr()
}

func (l *Limits) of(now time.Duration, at holder, burst int) *bucket {
	b := l.by[at]
	if b != nil {
		return b
	}
	b = &bucket{left: float64(burst), last: now}
	if len(l.order) < limitTable {
		l.order = append(l.order, at)
	} else { // the oldest; with the total rate it has been there for seconds
		delete(l.by, l.order[l.next])
		l.order[l.next] = at
		l.next = (l.next + 1) % limitTable
	}
	l.by[at] = b
	return b
}

// bucket is a token bucket.
type bucket struct {
	left float64
	last time.Duration
}

func (b *bucket) fill(now time.Duration, rate, burst int) {
	b.left = min(b.left+max(now-b.last, 0).Seconds()*float64(rate), float64(burst))
	b.last = max(now, b.last)
}

func (b *bucket) take(now time.Duration, rate, burst int) bool {
	b.fill(now, rate, burst)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
