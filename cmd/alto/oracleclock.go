package main

import (
	"fmt"
	"math"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// chainClock estimates when, by the wall, a chain's clock shows what. The clock advances with the slots, so an estimate is good as
// long as the chain is not standing still.
type chainClock struct {
	clock uint64        // of the newest final block
	tick  time.Duration // what one of the clock lasts
	now   time.Time     // when it was asked for
}

func newChainClock(ref *client.Reference, terms oracle.Terms) chainClock {
	return chainClock{ref.Clock, time.Duration(terms.TickNs), time.Now()}
}

// until returns how long it is until a clock; negative if that is past.
func (c chainClock) until(clock uint64) time.Duration {
	if clock < c.clock {
		return -c.span(c.clock - clock)
	}
	return c.span(clock - c.clock)
}

// span returns how long so many ticks last.
func (c chainClock) span(ticks uint64) time.Duration {
	if c.tick <= 0 {
		return 0
	}
	if ticks > math.MaxInt64/uint64(c.tick) {
		return math.MaxInt64
	}
	return time.Duration(ticks) * c.tick
}

// time returns when the clock shows, or has shown, a value, to the second.
func (c chainClock) time(clock uint64) time.Time {
	return c.now.Add(c.until(clock)).Round(time.Second)
}

// in says how far off a clock is: "in about 2h5m", "about 3m ago" or "now".
func (c chainClock) in(clock uint64) string {
	switch d := c.until(clock); {
	case d > 0:
		return "in about " + roughly(d)
	case d < 0:
		return "about " + roughly(-d) + " ago"
	}
	return "now"
}

// at is a clock for people: with how far off it is, and the time of day.
func (c chainClock) at(clock uint64) string {
	layout, t := time.TimeOnly, c.time(clock)
	if d := c.until(clock); d > 12*time.Hour || d < -12*time.Hour {
		layout = "Mon Jan 2 15:04"
		if d > 300*24*time.Hour || d < -300*24*time.Hour {
			layout = "Jan 2 2006"
		}
	}
	return fmt.Sprintf("clock %d, %s (%s)", clock, c.in(clock), t.Format(layout))
}

// lasts is a number of ticks for people.
func (c chainClock) lasts(ticks uint64) string { return roughly(c.span(ticks)) }

// roughly writes a duration with as many digits as people care for: "0.4s", "12s", "2m5s", "3h12m", "2d3h".
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	two := func(big, small time.Duration, b, s string) string {
		d = d.Round(small)
		if rest := d % big; rest > 0 {
			return fmt.Sprintf("%d%s%d%s", d/big, b, rest/small, s)
		}
		return fmt.Sprintf("%d%s", d/big, b)
	}
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Minute-500*time.Millisecond:
		return d.Round(time.Second).String()
	case d < time.Hour-30*time.Second:
		return two(time.Minute, time.Second, "m", "s")
	case d < day-30*time.Minute:
		return two(time.Hour, time.Minute, "h", "m")
	}
	return two(day, time.Hour, "d", "h")
}

// span is a flag that is a duration, which may be in days.
type span time.Duration

// String implements pflag.Value.
func (s *span) String() string { return chainspec.FormatDuration(time.Duration(*s)) }

// Type implements pflag.Value.
func (s *span) Type() string { return "duration" }

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := chainspec.ParseDuration(text)
	*s = span(d)
	return err
}
