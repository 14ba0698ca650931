package transportudp

import "sync"

// tasks are carried out in order, one at a time, with no lock held.
type tasks struct {
	mu      sync.Mutex
	list    []func()
	running bool
}

// add appends a task. Whoever adds calls run as soon as it holds no lock.
func (t *tasks) add(f func()) {
	t.mu.Lock()
	t.list = append(t.list, f)
	t.mu.Unlock()
}

// run carries out what there is, unless somebody does already.
func (t *tasks) run() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running {
		return
	}
	t.running = true
	for len(t.list) > 0 {
		f := t.list[0]
		t.list[0] = nil
		if t.list = t.list[1:]; len(t.list) == 0 {
			t.list = nil
		}
		t.mu.Unlock()
		f()
		t.mu.Lock()
	}
	t.running = false
}
