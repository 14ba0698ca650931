package udpio

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// waiting opens a socket whose Read waits in a thread of its own.
func waiting(t *testing.T) (*Socket, *waiter) {
	t.Helper()
	s := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Thread: true})
	w := batched(t, s, false).waiter
	if w == nil {
		t.Skip("this system forbids it")
	}
	return s, w
}

// TestThread: datagrams come as they do without.
func TestThread(t *testing.T) {
	s, _ := waiting(t)
	from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
	r := rand.New(rand.NewPCG(13, 14))
	for range 100 {
		var sent []Datagram
		for range 1 + r.IntN(5) {
			sent = append(sent, datagram(r, s.LocalAddr(), 1+r.IntN(1500)))
		}
		got := make(chan []Packet)
		go func() { got <- take(t, s, len(sent)) }()
		write(t, from, sent)
		compare(t, sent, <-got)
	}
}

// TestThreadDescriptors: closing leaves no descriptor, whether a Read waits or not, and closes none twice.
func TestThreadDescriptors(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(list)
	}
	waiting(t)
	before := count()
	for i := range 200 {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		s := New(conn, Config{Largest: 1500, Thread: true})
		read := make(chan error, 1)
		if i%2 == 0 {
			go func() {
				_, err := s.Read()
				read <- err
			}()
		} else {
			read <- net.ErrClosed
		}
		closed := make(chan error)
		for range 2 {
			go func() { closed <- s.Close() }()
		}
		if a, b := <-closed, <-closed; (a == nil) == (b == nil) {
			t.Fatalf("closed twice at a time: %v, %v", a, b)
		}
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	}
	if after := count(); after > before {
		t.Fatalf("%d descriptors became %d", before, after)
	}
}

// TestThreadForbidden: where the system does not allow the waiting, the runtime waits.
func TestThreadForbidden(t *testing.T) {
	s, w := waiting(t)
	asked := 0
	w.call = func(uintptr) { asked, w.errno = asked+1, syscall.Errno(unix.EPERM) }
	r := rand.New(rand.NewPCG(15, 16))
	for range 3 {
		got := make(chan []Packet)
		go func() { got <- take(t, s, 1) }()
		sent := []Datagram{datagram(r, s.LocalAddr(), 100)}
		write(t, s, sent)
		compare(t, sent, <-got)
	}
	done := make(chan error)
	go func() {
		_, err := s.Read()
		done <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if asked > 1 {
		t.Fatalf("it was tried %d times", asked)
	}
}
