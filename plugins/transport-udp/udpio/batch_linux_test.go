package udpio

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batched returns the backend of a socket; the test is skipped where the kernel does not have what it needs.
func batched(t *testing.T, s *Socket, gso bool) *batch {
	t.Helper()
	b, ok := s.back.(*batch)
	if !ok || gso && !b.gso.Load() {
		t.Skipf("this kernel has %s", s.Features())
	}
	return b
}

// length returns how many bytes a message has.
func (m *message) length() (n int) {
	for _, v := range unsafe.Slice(m.hdr.Iov, m.hdr.Iovlen) {
		n += int(v.Len)
	}
	return n
}

// refusing sends the messages for which f returns no error.
func refusing(f func(*message) syscall.Errno) transfer {
	return func(fd uintptr, ms []message) (int, syscall.Errno) {
		for i := range ms {
			if errno := f(&ms[i]); errno != 0 {
				if i == 0 {
					return 0, errno
				}
				return sendmmsg(fd, ms[:i])
			}
		}
		return sendmmsg(fd, ms)
	}
}

// uneven is a batch with runs and single datagrams.
func uneven(to netip.AddrPort) (out []Datagram) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 90 {
		size := 300
		if i%25 == 20 {
			size = 301 + i
		}
		out = append(out, datagram(r, to, size))
	}
	return out
}

// TestFallback: where the system does not segment, the datagrams are sent one by one, and so are all later ones.
func TestFallback(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EIO, unix.EINVAL, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EMSGSIZE} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			b := batched(t, from, true)
			asked := 0
			b.send = refusing(func(m *message) syscall.Errno {
				if m.hdr.Control != nil {
					asked++
					return errno
				}
				return 0
			})
			for range 2 {
				sent := uneven(to.LocalAddr())
				write(t, from, sent)
				compare(t, sent, take(t, to, len(sent)))
				if f := from.Features(); f.GSO || !f.Batches || asked != 1 {
					t.Fatalf("features are %s, and segments were asked for %d times", f, asked)
				}
			}
		})
	}
}

// TestTooLongForDevice: segments that are too long for the device are told one by one; segmentation is not to blame.
func TestTooLongForDevice(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EINVAL, unix.EMSGSIZE} { // what older and newer kernels say
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			b := batched(t, from, true)
			const mtu = 400
			b.send = refusing(func(m *message) syscall.Errno {
				if m.hdr.Control != nil && (*segmentControl)(unsafe.Pointer(m.hdr.Control)).size > mtu {
					return errno
				}
				if m.hdr.Control == nil && m.length() > mtu {
					return unix.EMSGSIZE
				}
				return 0
			})
			r := rand.New(rand.NewPCG(1, 1))
			var sent, want []Datagram
			for _, size := range []int{400, 400, 400, 401, 401, 401, 100, 400, 400, 500, 400} {
				sent = append(sent, datagram(r, to.LocalAddr(), size))
			}
			refused, err := from.Write(sent)
			if refused != 4 || err != nil {
				t.Fatalf("%d refused, %v", refused, err)
			}
			for i, d := range sent {
				if long := d.size() > mtu; long != errors.Is(d.Err, ErrTooLong) {
					t.Fatalf("datagram %d of %d bytes: %v", i, d.size(), d.Err)
				} else if !long {
					want = append(want, d)
				}
			}
			compare(t, want, take(t, to, len(want)))
			if !from.Features().GSO {
				t.Fatal("segmentation was given up")
			}
		})
	}
}

// TestTooLongForLoopback: what the kernel itself says when a datagram does not fit the device. Over IPv6 the longest
// datagrams do not fit the loopback device of Linux.
func TestTooLongForLoopback(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			s := open(t, "udp", "[::1]:0", Config{Largest: 1 << 16, Without: w.without})
			lo, err := net.InterfaceByIndex(1)
			if err != nil || lo.MTU-48 >= MaxDatagram {
				t.Skip("the loopback device takes all datagrams", err)
			}
			r := rand.New(rand.NewPCG(1, 1))
			fits := datagram(r, s.LocalAddr(), lo.MTU-48)
			batch := []Datagram{fits, datagram(r, s.LocalAddr(), lo.MTU-47), datagram(r, s.LocalAddr(), 100)}
			refused, err := s.Write(batch)
			if refused != 1 || err != nil || !errors.Is(batch[1].Err, ErrTooLong) {
				t.Fatalf("%d refused, %v; %v", refused, err, batch[1].Err)
			}
			compare(t, []Datagram{batch[0], batch[2]}, take(t, s, 2))
		})
	}
}

// TestErrorOfEarlier: an error that an earlier datagram left behind costs no other datagram; one that stays is the
// datagram's own.
func TestErrorOfEarlier(t *testing.T) {
	for times, wantRefused := range []int{0, 0, 90 - 60} {
		from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: Features{GSO: true}})
		to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
		b := batched(t, from, false)
		failed := map[*message]int{}
		count := 0
		b.send = func(fd uintptr, ms []message) (int, syscall.Errno) {
			if count++; count <= 3 { // the first 60 go well
				return sendmmsg(fd, ms[:min(20, len(ms))])
			}
			if failed[&ms[0]]++; failed[&ms[0]] <= times {
				return 0, unix.ECONNREFUSED
			}
			clear(failed)
			return sendmmsg(fd, ms[:1])
		}
		sent := uneven(to.LocalAddr())
		refused, err := from.Write(sent)
		if refused != wantRefused || err != nil {
			t.Fatalf("with %d errors: %d refused, want %d; %v", times, refused, wantRefused, err)
		}
		compare(t, sent, take(t, to, len(sent)-refused))
		for i := range sent {
			if want := i >= len(sent)-refused; want != errors.Is(sent[i].Err, unix.ECONNREFUSED) {
				t.Fatalf("datagram %d: %v", i, sent[i].Err)
			}
		}
	}
}

// TestSomeAtATime: the kernel may take fewer messages than it is given.
func TestSomeAtATime(t *testing.T) {
	from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
	to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
	b := batched(t, from, false)
	calls := 0
	b.send = func(fd uintptr, ms []message) (int, syscall.Errno) {
		if calls++; calls%3 == 0 {
			return 0, unix.EINTR
		}
		return sendmmsg(fd, ms[:1])
	}
	for range 3 {
		sent := uneven(to.LocalAddr())
		write(t, from, sent)
		compare(t, sent, take(t, to, len(sent)))
	}
}

// TestSystemCalls: a batch takes as few system calls as it can.
func TestSystemCalls(t *testing.T) {
	for _, c := range []struct {
		name            string
		without         Features
		n, size         int
		mostSent, reads uint64
	}{
		{"segments", Features{}, 100, 1200, 1, 1},
		{"small segments", Features{}, 128, 200, 1, 1},
		{"batches", Features{GSO: true, GRO: true}, 128, 200, 2, 3},
		{"plain", Features{Batches: true}, 10, 200, 10, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: c.without})
			to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: c.without})
			if c.without == (Features{}) {
				batched(t, from, true)
			}
			r := rand.New(rand.NewPCG(1, 1))
			var sent []Datagram
			for range c.n {
				sent = append(sent, datagram(r, to.LocalAddr(), c.size))
			}
			write(t, from, sent)
			compare(t, sent, take(t, to, c.n))
			if s, r := from.Stats(), to.Stats(); s.SendCalls > c.mostSent || r.ReadCalls > c.reads {
				t.Fatalf("%d calls to send and %d to read, want at most %d and %d", s.SendCalls, r.ReadCalls, c.mostSent, c.reads)
			}
		})
	}
}

// TestOddSegments: whatever the kernel says about segments, nothing is read beyond what came.
func TestOddSegments(t *testing.T) {
	s := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
	b := batched(t, s, false)
	if !b.gro {
		t.Skip("this kernel does not join datagrams")
	}
	for _, c := range []struct {
		segment int32
		length  uint32 // of what came
		flags   int32
		control int // bytes of control messages
		family  uint16
		want    []int // lengths
	}{
		{400, 1000, 0, unix.CmsgSpace(4), unix.AF_INET, []int{400, 400, 200}},
		{0, 1000, 0, unix.CmsgSpace(4), unix.AF_INET, []int{1000}},
		{-7, 1000, 0, unix.CmsgSpace(4), unix.AF_INET, []int{1000}},
		{1 << 30, 1000, 0, unix.CmsgSpace(4), unix.AF_INET, []int{1000}},
		{400, 1000, unix.MSG_TRUNC, unix.CmsgSpace(4), unix.AF_INET, []int{400, 400}},
		{400, 1000, unix.MSG_CTRUNC, unix.CmsgLen(0) - 1, unix.AF_INET, []int{1000}},
		{400, 1000, 0, 1 << 20, unix.AF_INET, []int{400, 400, 200}},
		{60000, 1 << 31, 0, unix.CmsgSpace(4), unix.AF_INET, nil},
		{400, 1000, 0, unix.CmsgSpace(4), unix.AF_UNIX, nil},
	} {
		b.receive = func(_ uintptr, ms []message) (int, syscall.Errno) {
			h := &ms[0].hdr
			*(*unix.RawSockaddrInet6)(unsafe.Pointer(h.Name)) = unix.RawSockaddrInet6{Family: c.family}
			h.Flags, ms[0].len = c.flags, c.length
			cm := (*unix.Cmsghdr)(unsafe.Pointer(h.Control))
			cm.Level, cm.Type = unix.IPPROTO_UDP, unix.UDP_GRO
			cm.SetLen(unix.CmsgLen(4))
			*(*int32)(unsafe.Add(unsafe.Pointer(h.Control), unix.CmsgLen(0))) = c.segment
			h.SetControllen(c.control)
			return 1, 0
		}
		packets, err := b.read(nil)
		if err != nil || len(packets) != len(c.want) {
			t.Fatalf("%+v: %d datagrams, %v", c, len(packets), err)
		}
		for i, p := range packets {
			if len(p.Data) != c.want[i] {
				t.Fatalf("%+v: datagram %d has %d bytes", c, i, len(p.Data))
			}
		}
	}
}

// FuzzSegmentSize: control messages of any content are read within their bounds.
func FuzzSegmentSize(f *testing.F) {
	good := make([]byte, unix.CmsgSpace(4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&good[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_GRO
	h.SetLen(unix.CmsgLen(4))
	good[unix.CmsgLen(0)] = 42
	other := append([]byte(nil), good...)
	(*unix.Cmsghdr)(unsafe.Pointer(&other[0])).Type = 1
	if n := segmentSize(good); n&0xff != 42 && n>>24 != 42 {
		f.Fatalf("a message that says 42 was read as %d", n)
	}
	if n := segmentSize(append(other, good...)); n != segmentSize(good) {
		f.Fatalf("behind another message it was read as %d", n)
	}
	f.Add(good)
	f.Add(append(other, good...))
	f.Add(good[:len(good)-6])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := append([]byte(nil), b...)
		segmentSize(b)
		if string(before) != string(b) {
			t.Fatal("it wrote")
		}
	})
}

// TestDontFragment: the kernel was told, in both families where there are both.
func TestDontFragment(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run(address, func(t *testing.T) {
			s := open(t, "udp", address, Config{Largest: 1500})
			if !s.Features().DF {
				t.Fatal("datagrams may be fragmented")
			}
			six := s.conn.LocalAddr().(*net.UDPAddr).IP.To4() == nil
			if err := control(s.conn, func(fd int) error {
				if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER); err != nil || v != unix.IP_PMTUDISC_PROBE {
					t.Errorf("IPv4: %d, %v", v, err)
				}
				if six {
					if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER); err != nil || v != unix.IPV6_PMTUDISC_PROBE {
						t.Errorf("IPv6: %d, %v", v, err)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	loopback, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		in   string
		six  bool
		want string // nothing if it cannot be reached
	}{
		{"1.2.3.4:258", false, "1.2.3.4:258"},
		{"1.2.3.4:258", true, "1.2.3.4:258"},
		{"[::ffff:1.2.3.4]:258", false, "1.2.3.4:258"},
		{"[::ffff:1.2.3.4]:258", true, "1.2.3.4:258"},
		{"[2001:db8::1]:65535", true, "[2001:db8::1]:65535"},
		{"[2001:db8::1]:65535", false, ""},
		{"[fe80::1%" + loopback.Name + "]:1", true, "[fe80::1%" + loopback.Name + "]:1"},
		{"[fe80::1%1]:1", true, "[fe80::1%" + loopback.Name + "]:1"},
		{"[fe80::1%4000000000]:1", true, "[fe80::1%4000000000]:1"},
		{"[fe80::1%nothing]:1", true, ""},
	} {
		var z zones
		var name unix.RawSockaddrInet6
		size := z.encode(&name, netip.MustParseAddrPort(c.in), c.six)
		got := ""
		if size > 0 {
			a, ok := z.decode(&name, size)
			if !ok {
				t.Errorf("%s: its form is not understood", c.in)
			}
			got = a.String()
		}
		if got != c.want {
			t.Errorf("%s (IPv6 socket: %v): got %q, want %q", c.in, c.six, got, c.want)
		}
	}
	var z zones
	if z.encode(&unix.RawSockaddrInet6{}, netip.AddrPort{}, true) != 0 || z.encode(&unix.RawSockaddrInet6{}, netip.AddrPort{}, false) != 0 {
		t.Error("the zero address was taken")
	}
	for i := range uint32(10 * zonesLimit) { // a liar's zones are not kept for ever
		z.name(1<<20 + i)
	}
	if len(z.names) > zonesLimit {
		t.Errorf("%d zones are remembered", len(z.names))
	}
}

// TestNoAllocation: a datagram costs no memory.
func TestNoAllocation(t *testing.T) {
	for _, w := range ways {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(w.name+" "+address, func(t *testing.T) {
				s := open(t, "udp", address, Config{Largest: 1500, Without: w.without})
				r := rand.New(rand.NewPCG(1, 1))
				var sent []Datagram
				for range 50 {
					sent = append(sent, datagram(r, s.LocalAddr(), 1200))
				}
				if n := testing.AllocsPerRun(20, func() {
					write(t, s, sent)
					for n := 0; n < len(sent); {
						packets, err := s.Read()
						if err != nil {
							t.Fatal(err)
						}
						n += len(packets)
					}
				}); n > 0 {
					t.Fatalf("%.1f allocations for %d datagrams", n, len(sent))
				}
			})
		}
	}
}
