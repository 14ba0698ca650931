package udpio

import (
	"net"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// message is the kernel's struct mmsghdr.
type message struct {
	hdr unix.Msghdr
	len uint32
}

// transfer is a system call that moves messages: sendmmsg or recvmmsg. It returns how many it moved.
type transfer func(fd uintptr, messages []message) (int, syscall.Errno)

func sendmmsg(fd uintptr, m []message) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func recvmmsg(fd uintptr, m []message) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// batch moves many datagrams a system call.
type batch struct {
	reader
	writer
	gro bool
	gso *atomic.Bool
}

func (b *batch) features() Features { return Features{Batches: true, GRO: b.gro, GSO: b.gso.Load()} }

// close closes the socket.
func (b *batch) close(socket func() error) error {
	if b.waiter == nil {
		return socket()
	}
	return b.waiter.close(socket)
}

// newBatch returns nil if the system does not have the calls, or something forbids them.
func newBatch(conn *net.UDPConn, cfg Config, count *counters) backend {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	var six, gro, gso bool
	err = control(conn, func(fd int) error {
		if _, errno := sendmmsg(uintptr(fd), nil); errno != 0 {
			return errno
		}
		if _, errno := recvmmsg(uintptr(fd), nil); errno != 0 && !harmlessErrno(errno) {
			return errno
		}
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			return err
		}
		six = domain == unix.AF_INET6
		if !cfg.Without.GSO {
			_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
			gso = err == nil
		}
		if !cfg.Without.GRO {
			gro = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
		}
		return nil
	})
	if err != nil {
		return nil
	}
	b := &batch{gro: gro, gso: new(atomic.Bool)}
	b.gso.Store(gso)
	b.reader.init(raw, cfg.Largest, gro, count)
	if cfg.Thread {
		b.waiter = newWaiter()
	}
	b.writer.init(raw, six, b.gso, count)
	return b
}
