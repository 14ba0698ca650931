package udpio

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// joinedMessages is how many buffers are read into at once if the kernel joins datagrams, each of them long enough for
	// the longest that can be; separateMessages if it does not.
	joinedMessages, separateMessages = 16, 64
	joinedBuffer                     = 1 << 16
	// controlBuffer is room for the one control message that was asked for, and for some more.
	controlBuffer = 64
)

// reader reads. It belongs to the one caller of Read.
type reader struct {
	raw      syscall.RawConn
	largest  int
	gro      bool
	messages []message
	names    []unix.RawSockaddrInet6
	iovecs   []unix.Iovec
	buffers  [][]byte
	controls [][controlBuffer]byte
	zones    zones
	count    *counters

	receive transfer
	call    func(fd uintptr) bool // made once, so that reading allocates nothing
	look    func(fd uintptr) bool // like call, but says in none that there is nothing
	none    bool
	waiter  *waiter // nil: the runtime waits
	// forbidden says that the system does not let it wait.
	forbidden bool
	n         int // what the last call of receive returned
	errno     syscall.Errno
}

func (r *reader) init(raw syscall.RawConn, largest int, gro bool, count *counters) {
	n, size := separateMessages, largest+1
	if gro {
		n, size = joinedMessages, joinedBuffer
	}
	*r = reader{raw: raw, largest: largest, gro: gro, count: count, receive: recvmmsg, messages: make([]message, n),
		names: make([]unix.RawSockaddrInet6, n), iovecs: make([]unix.Iovec, n), buffers: make([][]byte, n), controls: make([][controlBuffer]byte, n)}
	all := make([]byte, n*size)
	for i := range r.messages {
		r.buffers[i] = all[i*size : (i+1)*size : (i+1)*size]
		r.iovecs[i].Base = unsafe.SliceData(r.buffers[i])
		r.iovecs[i].SetLen(size)
		h := &r.messages[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovecs[i]
		h.SetIovlen(1)
		if gro {
			h.Control = &r.controls[i][0]
		}
	}
	r.n = n
	r.call = r.try
	r.look = func(fd uintptr) bool {
		r.none = !r.try(fd)
		return true
	}
}

// try reads without waiting. It returns false if there is nothing.
func (r *reader) try(fd uintptr) bool {
	for {
		n, errno := r.receive(fd, r.messages)
		switch errno {
		case 0:
			r.n, r.errno = n, 0
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			r.n, r.errno = 0, errno
			return true
		}
	}
}

// receiveSome waits for datagrams and reads them.
func (r *reader) receiveSome() error {
	for r.waiter != nil && !r.forbidden {
		if err := r.raw.Read(r.look); err != nil || !r.none {
			return err
		}
		allowed, err := r.waiter.wait(r.raw)
		if err != nil {
			return err
		}
		r.forbidden = !allowed
	}
	return r.raw.Read(r.call)
}

func (r *reader) read(into []Packet) ([]Packet, error) {
	for i := range r.messages[:r.n] { // the kernel has written into these
		h := &r.messages[i].hdr
		h.Namelen = uint32(unsafe.Sizeof(r.names[i]))
		h.Flags = 0
		if r.gro {
			h.SetControllen(controlBuffer)
		}
	}
	if err := r.receiveSome(); err != nil {
		r.n = 0
		return into, err
	}
	if r.errno != 0 {
		if harmlessErrno(r.errno) {
			return into, nil
		}
		return into, os.NewSyscallError("recvmmsg", r.errno)
	}
	r.count.readCalls.Add(1)
	for i := range r.messages[:r.n] {
		m := &r.messages[i]
		from, ok := r.zones.decode(&r.names[i], m.hdr.Namelen)
		if !ok {
			continue
		}
		segment := 0
		if r.gro {
			segment = segmentSize(r.controls[i][:min(uint64(m.hdr.Controllen), controlBuffer)])
		}
		data := r.buffers[i][:min(int(m.len), len(r.buffers[i]))]
		long := split(data, segment, r.largest, m.hdr.Flags&unix.MSG_TRUNC != 0, func(b []byte) {
			into = append(into, Packet{From: from, Data: b})
		})
		if long > 0 {
			r.count.tooLong.Add(uint64(long))
		}
	}
	return into, nil
}

// segmentSize finds the length of the segments among control messages, 0 if nothing tells it.
func segmentSize(b []byte) int {
	for len(b) >= unix.SizeofCmsghdr {
		var h unix.Cmsghdr
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&h)), unix.SizeofCmsghdr), b)
		if uint64(h.Len) < unix.SizeofCmsghdr || uint64(h.Len) > uint64(len(b)) {
			return 0
		}
		data := b[unix.CmsgLen(0):max(int(h.Len), unix.CmsgLen(0))]
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO {
			switch {
			case len(data) >= 4:
				return int(int32(binary.NativeEndian.Uint32(data)))
			case len(data) >= 2:
				return int(binary.NativeEndian.Uint16(data))
			}
			return 0
		}
		b = b[min(unix.CmsgSpace(len(data)), len(b)):]
	}
	return 0
}
