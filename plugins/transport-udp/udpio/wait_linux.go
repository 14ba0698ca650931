package udpio

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// waitLimit bounds one wait in milliseconds, and so what closing the socket takes if it is done past Socket.Close.
const waitLimit = 1000

// waiter waits for datagrams in a system call, so in a thread of its own, as long as the system lets it.
type waiter struct {
	event int // descriptor of the counter that ends the waiting
	fds   [2]unix.PollFd
	errno error
	call  func(fd uintptr) // made once, so that waiting allocates nothing
	once  sync.Once
}

// newWaiter returns nil if the system does not give what it takes.
func newWaiter() *waiter {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &waiter{event: event}
	w.call = w.poll
	return w
}

func (w *waiter) poll(fd uintptr) {
	w.fds = [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(w.event), Events: unix.POLLIN}}
	_, w.errno = unix.Poll(w.fds[:], waitLimit)
}

// wait waits until there is something to be read, for a while, or for close. It returns false if the system forbids that. The
// socket, and so the counter, stay open as long as it waits.
func (w *waiter) wait(raw syscall.RawConn) (allowed bool, err error) {
	if err := raw.Control(w.call); err != nil {
		return true, err
	}
	return w.errno == nil || w.errno == unix.EINTR, nil
}

// close ends the waiting and closes the socket, which returns when nobody uses it any more, and then the counter.
func (w *waiter) close(socket func() error) (err error) {
	closed := false
	w.once.Do(func() {
		closed = true
		_, _ = unix.Write(w.event, []byte{1, 1, 1, 1, 1, 1, 1, 1}) // any number, in the order of any machine
		err = socket()
		_ = unix.Close(w.event)
	})
	if !closed {
		return socket()
	}
	return err
}
