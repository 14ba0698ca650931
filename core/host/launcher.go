package host

import "runtime"

// launcher starts processes from one thread that lives as long as the host: the kernel sends a parent-death signal when
// the thread that created the child ends, which for any other goroutine's thread may be at any time.
type launcher struct {
	work chan func()
	done chan struct{}
}

func newLauncher() *launcher {
	l := &launcher{make(chan func()), make(chan struct{})}
	go func() {
		defer close(l.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for f := range l.work {
			f()
		}
	}()
	return l
}

// do runs f on the thread and waits for it.
func (l *launcher) do(f func()) {
	done := make(chan struct{})
	l.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

func (l *launcher) close() {
	close(l.work)
	<-l.done
}
