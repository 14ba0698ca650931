package simnet

// Clock is a node's clock. It may be off by a while, jump, and stand still.
type Clock struct {
	w      *World
	offset int64 // milliseconds that it is ahead
	frozen bool
	at     uint64
}

// NewClock makes a clock that is ahead of the world by offset milliseconds.
func NewClock(w *World, offset int64) *Clock { return &Clock{w: w, offset: offset} }

// Now returns what the clock shows.
func (c *Clock) Now() uint64 {
	if c.frozen {
		return c.at
	}
	t := int64(c.w.now) + c.offset
	return uint64(max(t, 0))
}

// Offset returns how far the clock is ahead, in milliseconds, unless it stands still.
func (c *Clock) Offset() int64 { return c.offset }

// Set makes the clock be ahead of the world by offset milliseconds, and go.
func (c *Clock) Set(offset int64) { c.offset, c.frozen = offset, false }

// Freeze makes the clock stand still.
func (c *Clock) Freeze() {
	c.at = c.Now()
	c.frozen = true
}

// Frozen tells whether the clock stands still.
func (c *Clock) Frozen() bool { return c.frozen }
