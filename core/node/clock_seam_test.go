//go:build clockseam

package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/core/chain"
)

func TestMovedClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offset")
	if _, ok := newClock().(chain.SystemClock); !ok {
		t.Error("the clock is moved without a file")
	}
	t.Setenv("ALTO_CLOCK_OFFSET_FILE", path)
	c := newClock().(*movedClock)
	say := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.read = time.Time{}
	}
	ahead := func() time.Duration { return time.Until(c.Now()).Round(time.Minute) }
	if d := ahead(); d != 0 {
		t.Errorf("without a file: %s", d)
	}
	for text, want := range map[string]time.Duration{"3600000\n": time.Hour, "-7200000": -2 * time.Hour, "0": 0} {
		say(text)
		if d := ahead(); d != want {
			t.Errorf("%q: %s", text, d)
		}
	}
	say("60000")
	c.Now()
	say("nonsense")
	if d := ahead(); d != time.Minute {
		t.Errorf("after nonsense: %s", d)
	}
	say("freeze")
	if a, b := c.Now(), c.Now(); !a.Equal(b) {
		t.Error("it does not stand still")
	}
	say("0")
	if a, b := c.Now(), c.Now(); a.Equal(b) {
		t.Error("it still stands")
	}
}
