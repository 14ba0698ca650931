package chain

import (
	"fmt"
	"sync"
	"time"
)

// Calls counts what a chain's modules are asked, and knows which of them was asked last to execute something of a block. Its method
// [Calls.Called] is what ledger.Config.Called is for. A nil *Calls knows nothing.
type Calls struct {
	chain   string
	metrics *Metrics

	mu     sync.Mutex
	module string // that executes, or has executed last
}

// NewCalls makes the calls of the chain with a name. metrics may be nil.
func NewCalls(chain string, metrics *Metrics) *Calls { return &Calls{chain: chain, metrics: metrics} }

// Called notes a call of a module's method: check, execute, extend, query, validate_params; or what it asks for: read, scan.
func (c *Calls) Called(module, method string) {
	if c == nil {
		return
	}
	c.metrics.called(c.chain, module, method)
	if method == "execute" {
		c.set(module)
	}
}

func (c *Calls) set(module string) {
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.module = module
	}
}

// executing returns the module that was asked last to execute something; "" if none was since set.
func (c *Calls) executing() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.module
}

// slowAfter is how long the execution of a block may take until the chain's status tells of it, and how often it tells anew.
const slowAfter = 2 * time.Second

// watch tells in the chain's status of what takes long, until it is ended.
type watch struct {
	c     *Chain
	text  func() string
	timer *time.Timer

	mu    sync.Mutex
	shown *string
	over  bool
}

// watchExecution watches the execution of a block.
func (c *Chain) watchExecution(height uint64) *watch {
	c.cfg.Calls.set("")
	since := c.cfg.Clock.Now().UTC().Format(time.TimeOnly)
	return c.watch(slowAfter, func() string {
		if m := c.cfg.Calls.executing(); m != "" {
			return fmt.Sprintf("module %q executes block %d since %s UTC", m, height, since)
		}
		return fmt.Sprintf("block %d is being executed since %s UTC", height, since)
	})
}

// watch has the status tell a text after a while, and again and again as it is then.
func (c *Chain) watch(after time.Duration, text func() string) *watch {
	w := &watch{c: c, text: text}
	w.mu.Lock() // until the timer is set
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(after, w.show)
	return w
}

func (w *watch) show() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	text := w.text()
	if w.c.stalled.CompareAndSwap(w.shown, &text) { // else the disk is full, which is worth more
		if w.shown == nil || *w.shown != text {
			w.c.log.Warn("the chain waits", "for", text)
		}
		w.shown = &text
	}
	w.timer.Reset(slowAfter)
}

// end ends it, and tells whether anything was told.
func (w *watch) end() (told bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
	if w.shown != nil {
		w.c.stalled.CompareAndSwap(w.shown, nil)
	}
	return w.shown != nil
}
