//go:build clockseam

package node

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/core/chain"
)

// newClock returns the clock of the node's chains. In this build a test can move it: the file that ALTO_CLOCK_OFFSET_FILE names
// holds by how many milliseconds it is ahead of the machine's, or "freeze", with which it stands still.
func newClock() chain.Clock {
	path := os.Getenv("ALTO_CLOCK_OFFSET_FILE")
	if path == "" {
		return chain.SystemClock{}
	}
	return &movedClock{path: path}
}

// movedClock is a clock that a file moves.
type movedClock struct {
	path string

	mu     sync.Mutex
	read   time.Time // when the file was read last
	offset time.Duration
	frozen time.Time // not zero: the clock stands here
}

// rereadAfter is how long the content of the file is taken for what it is.
const rereadAfter = 50 * time.Millisecond

// Now implements chain.Clock.
func (c *movedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.read) >= rereadAfter {
		c.reread(now)
	}
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return time.Now().Add(c.offset)
}

func (c *movedClock) reread(now time.Time) {
	c.read = now
	b, err := os.ReadFile(c.path)
	if err != nil {
		return // as it was
	}
	text := strings.TrimSpace(string(b))
	if text == "freeze" {
		if c.frozen.IsZero() {
			c.frozen = now.Add(c.offset)
		}
		return
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.offset, c.frozen = time.Duration(ms)*time.Millisecond, time.Time{}
	}
}
