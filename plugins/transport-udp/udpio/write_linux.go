package udpio

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// writeMessages is how many messages, which are datagrams or runs of them, a system call sends at most, writeDatagrams
	// how many datagrams.
	writeMessages, writeDatagrams = 64, 256
)

// segmentControl is the control message that asks for segments. The kernel takes the two bytes that follow the header.
type segmentControl struct {
	hdr  unix.Cmsghdr
	size uint16
	_    [6]byte
}

// writer writes. It belongs to the one caller of Write.
type writer struct {
	raw   syscall.RawConn
	six   bool
	gso   *atomic.Bool
	zones zones
	count *counters

	messages [writeMessages]message
	runs     [writeMessages]int // datagrams in each message
	names    [writeMessages]unix.RawSockaddrInet6
	controls [writeMessages]segmentControl
	iovecs   [2 * writeDatagrams]unix.Iovec
	packed   int // messages that are filled in
	used     int // iovecs that are

	send  transfer
	call  func(fd uintptr) bool // made once, so that writing allocates nothing
	first int                   // the message with which the next call of send begins
	sent  int                   // what it returned
	errno syscall.Errno
}

func (w *writer) init(raw syscall.RawConn, six bool, gso *atomic.Bool, count *counters) {
	w.raw, w.six, w.gso, w.count, w.send = raw, six, gso, count, sendmmsg
	for i := range w.messages {
		w.messages[i].hdr.Name = (*byte)(unsafe.Pointer(&w.names[i]))
		c := &w.controls[i].hdr
		c.Level, c.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
	}
	w.call = w.try
}

// try sends without waiting. It returns false if there is no room.
func (w *writer) try(fd uintptr) bool {
	for {
		n, errno := w.send(fd, w.messages[w.first:w.packed])
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return false
		case errno == 0 && n < 1: // never
			errno = unix.EIO
		}
		w.count.sendCalls.Add(1)
		if w.sent, w.errno = n, errno; errno != 0 {
			w.sent = 0
		}
		return true
	}
}

// write sends a batch. A run whose segments the system refused is sent again one by one, so that nothing is lost and each
// datagram has an error of its own.
func (w *writer) write(batch []Datagram) (refused int, err error) {
	for len(batch) > 0 {
		o, err := w.some(batch, w.gso.Load())
		refused += o.refused
		if err != nil {
			return refused, err
		}
		batch = batch[o.done:]
		if o.run == 0 {
			continue
		}
		single := 0
		for again := batch[:o.run]; len(again) > 0; {
			o, err := w.some(again, false)
			single += o.refused
			if err != nil {
				return refused + single, err
			}
			again = again[o.done:]
		}
		if unsupported(o.errno, single) {
			w.gso.Store(false)
		}
		refused += single
		batch = batch[o.run:]
	}
	return refused, nil
}

// unsupported tells from the error of a segmented write, and from how many of its datagrams were refused one by one,
// whether segments are to be used any longer. EINVAL means a kernel that cannot, but as well a segment that is too long
// for the device, and then the datagrams fail by themselves too.
func unsupported(errno syscall.Errno, refused int) bool {
	return refused == 0 || errno != unix.EINVAL && errno != unix.EMSGSIZE
}

// aboutSegments tells whether an error of a segmented write may be none of the datagrams'. EIO comes from a device, or an
// IPsec route, that cannot compute the checksums.
func aboutSegments(errno syscall.Errno) bool {
	switch errno {
	case unix.EIO, unix.EINVAL, unix.EMSGSIZE, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		return true
	}
	return false
}

// outcome tells how far a batch came. If run is not 0, the segmented write of so many datagrams, the next ones, failed.
type outcome struct {
	done, refused int
	run           int
	errno         syscall.Errno
}

// some sends datagrams from the beginning of a batch, at least one unless a run fails.
func (w *writer) some(batch []Datagram, gso bool) (outcome, error) {
	w.pack(batch, gso)
	defer w.forget()
	if w.packed == 0 {
		return outcome{done: 1, refused: 1}, nil
	}
	var o outcome
	retried := -1
	for w.first = 0; w.first < w.packed; {
		if err := w.raw.Write(w.call); err != nil {
			return o, err
		}
		for range w.sent {
			o.done += w.runs[w.first]
			w.first++
		}
		if w.errno == 0 {
			continue
		}
		n := w.runs[w.first]
		if n > 1 && aboutSegments(w.errno) {
			o.run, o.errno = n, w.errno
			return o, nil
		}
		if harmlessErrno(w.errno) && w.errno != unix.EMSGSIZE && retried != w.first {
			retried = w.first // it may be the error of an earlier datagram, in whose stead this one was not sent
			continue
		}
		for i := range n {
			batch[o.done+i].Err = datagramError(w.errno)
		}
		o.done += n
		o.refused += n
		w.first++
	}
	return o, nil
}

func datagramError(errno syscall.Errno) error {
	if errno == unix.EMSGSIZE {
		return ErrTooLong
	}
	return errno
}

// pack fills in messages for the first datagrams of a batch, up to one that is impossible. If that is the first there is
// no message, and its error is set.
func (w *writer) pack(batch []Datagram, gso bool) {
	w.packed, w.used = 0, 0
	for len(batch) > 0 && w.packed < writeMessages {
		most := (len(w.iovecs) - w.used) / 2
		if most == 0 {
			return
		}
		if most = min(most, maxSegments); !gso {
			most = 1
		}
		size := w.zones.encode(&w.names[w.packed], batch[0].To, w.six)
		if size == 0 {
			batch[0].Err = errAddress
			return
		}
		if batch[0].size() > MaxDatagram { // some kernels would try
			batch[0].Err = ErrTooLong
			return
		}
		n, segment := run(batch, most)
		from := w.used
		for i := range batch[:n] {
			d := &batch[i]
			d.Err = nil
			w.vector(d.Head)
			w.vector(d.Body)
		}
		m := &w.messages[w.packed]
		m.hdr.Namelen = size
		m.hdr.Iov = &w.iovecs[from]
		m.hdr.SetIovlen(w.used - from)
		m.hdr.Control = nil
		m.hdr.SetControllen(0)
		if n > 1 {
			c := &w.controls[w.packed]
			c.size = uint16(segment)
			m.hdr.Control = (*byte)(unsafe.Pointer(c))
			m.hdr.SetControllen(unix.CmsgSpace(2))
		}
		w.runs[w.packed] = n
		w.packed++
		batch = batch[n:]
	}
}

func (w *writer) vector(b []byte) {
	if len(b) > 0 {
		w.iovecs[w.used].Base = unsafe.SliceData(b)
		w.iovecs[w.used].SetLen(len(b))
		w.used++
	}
}

// forget lets go of the datagrams.
func (w *writer) forget() { clear(w.iovecs[:w.used]) }
