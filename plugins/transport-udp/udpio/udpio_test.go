package udpio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ways are all ways to move datagrams. On a system that lacks features some are the same.
var ways = []struct {
	name    string
	without Features
}{
	{"all", Features{}},
	{"batches", Features{GRO: true, GSO: true}},
	{"gro", Features{GSO: true}},
	{"gso", Features{GRO: true}},
	{"plain", Features{Batches: true}},
}

// open opens a socket on loopback; the test is skipped where the machine lacks the family.
func open(t testing.TB, network, address string, cfg Config) *Socket {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Skipf("no %s here: %v", network, err)
	}
	u := conn.(*net.UDPConn)
	_ = u.SetReadBuffer(4 << 20)
	// A datagram that does not arrive ends the test with an error instead of blocking it for ever.
	_ = u.SetReadDeadline(time.Now().Add(20 * time.Second))
	s := New(u, cfg)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// families are pairs of sockets: where each listens, and the address by which the second is reached.
var families = []struct{ name, from, to, at string }{
	{"v4", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
	{"v6", "[::1]:0", "[::1]:0", "::1"},
	{"both to v4", ":0", "127.0.0.1:0", "127.0.0.1"},
	{"both to v6", ":0", "[::1]:0", "::1"},
	{"v4 to both", "127.0.0.1:0", ":0", "127.0.0.1"},
	{"v6 to both", "[::1]:0", ":0", "::1"},
}

func reach(s *Socket, ip string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), s.LocalAddr().Port())
}

// datagram makes one of random content, divided at random.
func datagram(r *rand.Rand, to netip.AddrPort, size int) Datagram {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	at := r.IntN(size + 1)
	return Datagram{To: to, Head: b[:at], Body: b[at:]}
}

func content(d *Datagram) []byte { return slices.Concat(d.Head, d.Body) }

// take reads until so many datagrams are there, and returns copies.
func take(t testing.TB, s *Socket, n int) []Packet {
	t.Helper()
	var got []Packet
	for len(got) < n {
		packets, err := s.Read()
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(got), n, err)
		}
		for _, p := range packets {
			got = append(got, Packet{p.From, bytes.Clone(p.Data)})
		}
	}
	if len(got) > n {
		t.Fatalf("%d datagrams instead of %d", len(got), n)
	}
	return got
}

func write(t testing.TB, s *Socket, batch []Datagram) {
	t.Helper()
	if refused, err := s.Write(batch); refused != 0 || err != nil {
		t.Fatalf("%d refused, %v", refused, err)
	}
	for i := range batch {
		if batch[i].Err != nil {
			t.Fatalf("datagram %d: %v", i, batch[i].Err)
		}
	}
}

func compare(t testing.TB, sent []Datagram, got []Packet) {
	t.Helper()
	for i := range got {
		if want := content(&sent[i]); !bytes.Equal(got[i].Data, want) {
			t.Fatalf("datagram %d of %d bytes is not the one of %d bytes that was sent", i, len(got[i].Data), len(want))
		}
	}
}

// TestArrive: every datagram arrives by itself, unaltered and in order, in every pairing of ways and families.
func TestArrive(t *testing.T) {
	for _, f := range families {
		for _, out := range ways {
			for _, in := range ways {
				t.Run(fmt.Sprintf("%s/%s to %s", f.name, out.name, in.name), func(t *testing.T) {
					from := open(t, "udp", f.from, Config{Largest: 1500, Without: out.without})
					to := open(t, "udp", f.to, Config{Largest: MaxDatagram, Without: in.without})
					at := reach(to, f.at)
					r := rand.New(rand.NewPCG(1, 2))
					most := longest(t, from, to, at)
					for round := range 6 {
						sent := mixed(r, at, round, most)
						write(t, from, sent)
						got := take(t, to, len(sent))
						compare(t, sent, got)
						for _, p := range got {
							if p.From.Port() != from.LocalAddr().Port() || p.From.Addr() != at.Addr() {
								t.Fatalf("from %s", p.From)
							}
						}
					}
				})
			}
		}
	}
}

// mixed makes datagrams of all sizes, no more than any receive buffer holds.
func mixed(r *rand.Rand, to netip.AddrPort, round, most int) (out []Datagram) {
	size, total := 1200, 0
	for len(out) < 100 && total < 90<<10 {
		switch k := r.IntN(20); {
		case round == 0: // one long run
		case round == 1:
			size = r.IntN(2)
		case k == 0:
			size = r.IntN(min(most, 20000))
		case k < 4:
			size = r.IntN(1500)
		case k < 6:
			size = max(size-1, 0)
		case k < 12 && total == 0:
			size = most
		}
		out = append(out, datagram(r, to, size))
		total += size
	}
	return out
}

// longest returns how long a datagram may be on the way to an address of this machine, which a second socket has.
func longest(t testing.TB, from, to *Socket, at netip.AddrPort) int {
	t.Helper()
	for _, size := range []int{MaxDatagram, 1<<16 - 48, 16<<10 - 48, 9000, 1452} {
		batch := []Datagram{{To: at, Head: make([]byte, size)}}
		refused, err := from.Write(batch)
		if err != nil || refused == 1 && !errors.Is(batch[0].Err, ErrTooLong) {
			t.Fatalf("%d bytes: %v, %v", size, err, batch[0].Err)
		}
		if refused == 0 {
			take(t, to, 1)
			return size
		}
	}
	t.Fatal("not even 1,452 bytes can be sent")
	return 0
}

// TestManyReceivers: runs to several receivers in one batch keep to their addresses.
func TestManyReceivers(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: w.without})
			var to []*Socket
			for range 5 {
				to = append(to, open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: w.without}))
			}
			r := rand.New(rand.NewPCG(3, 4))
			var sent []Datagram
			each := make([][]Datagram, len(to))
			for len(sent) < 700 { // several system calls of any kind
				k := r.IntN(len(to))
				for range 1 + r.IntN(5) {
					d := datagram(r, to[k].LocalAddr(), 100)
					sent, each[k] = append(sent, d), append(each[k], d)
				}
			}
			write(t, from, sent)
			for k := range to {
				compare(t, each[k], take(t, to[k], len(each[k])))
			}
			if s := from.Stats(); s.Written != uint64(len(sent)) || s.Refused != 0 {
				t.Fatalf("counted %+v for %d datagrams", s, len(sent))
			}
		})
	}
}

// TestTooLongToTake: what is longer than agreed is dropped and counted, whatever is around it.
func TestTooLongToTake(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1000, Without: w.without})
			r := rand.New(rand.NewPCG(5, 6))
			var sent, want []Datagram
			for _, size := range []int{1000, 1001, 1001, 1001, 1000, 9000, 999, 999, 1, 5000, 1000} {
				d := datagram(r, to.LocalAddr(), size)
				if sent = append(sent, d); size <= 1000 {
					want = append(want, d)
				}
			}
			write(t, from, sent)
			compare(t, want, take(t, to, len(want)))
			if s := to.Stats(); s.TooLong != 5 || s.Read != 6 {
				t.Fatalf("counted %+v, want 6 and 5 that are too long", s)
			}
		})
	}
}

// TestRefused: a datagram that cannot be sent is told and lost; those around it arrive.
func TestRefused(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: w.without})
			to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: w.without})
			r := rand.New(rand.NewPCG(7, 8))
			at := to.LocalAddr()
			batch := []Datagram{
				datagram(r, netip.AddrPort{}, 100), // no address
				datagram(r, at, 100),
				datagram(r, at, MaxDatagram+1),
				datagram(r, at, MaxDatagram+1),
				datagram(r, at, 100),
				datagram(r, netip.MustParseAddrPort("[::1]:9"), 100), // a family that the socket does not have
				datagram(r, at, 100),
				datagram(r, at, 1<<17),
			}
			bad := []int{0, 2, 3, 5, 7}
			var want []Datagram
			refused, err := from.Write(batch)
			if refused != len(bad) || err != nil {
				t.Fatalf("%d refused, %v", refused, err)
			}
			for i, d := range batch {
				if long := d.size() > MaxDatagram; slices.Contains(bad, i) != (d.Err != nil) || long != errors.Is(d.Err, ErrTooLong) {
					t.Fatalf("datagram %d: %v", i, d.Err)
				}
				if d.Err == nil {
					want = append(want, d)
				}
			}
			compare(t, want, take(t, to, len(want)))
			if s := from.Stats(); s.Written != 3 || s.Refused != 5 {
				t.Fatalf("counted %+v", s)
			}
			write(t, from, want) // the errors of an earlier batch are not those of a later one
			compare(t, want, take(t, to, len(want)))
		})
	}
}

// TestNobodyListens: what a host answers for a port where nobody listens ends neither reading nor writing.
func TestNobodyListens(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			gone := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			_ = gone.Close()
			s := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: w.without})
			r := rand.New(rand.NewPCG(9, 10))
			for range 20 {
				d := datagram(r, s.LocalAddr(), 100)
				write(t, s, []Datagram{datagram(r, gone.conn.LocalAddr().(*net.UDPAddr).AddrPort(), 100), d})
				compare(t, []Datagram{d}, take(t, s, 1))
			}
		})
	}
}

// TestClose: closing ends a Read that waits and every later call.
func TestClose(t *testing.T) {
	for i := range 2 * len(ways) {
		w, thread := ways[i/2], i%2 == 1
		t.Run(fmt.Sprintf("%s, thread %t", w.name, thread), func(t *testing.T) {
			s := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: w.without, Thread: thread})
			peer := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
			r := rand.New(rand.NewPCG(11, 12))
			var all sync.WaitGroup
			read := make(chan struct{})
			all.Go(func() {
				for {
					_, err := s.Read()
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					select {
					case read <- struct{}{}:
					default:
					}
				}
			})
			all.Go(func() {
				batch := []Datagram{datagram(r, s.LocalAddr(), 500), datagram(r, s.LocalAddr(), 500)}
				for {
					refused, err := s.Write(batch)
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if refused != 0 || err != nil {
						t.Error(refused, err)
						return
					}
				}
			})
			write(t, peer, []Datagram{datagram(rand.New(rand.NewPCG(1, 1)), s.LocalAddr(), 10)})
			<-read
			_, _ = s.Stats(), s.Features()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			all.Wait()
			if err := s.Close(); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("the second close: %v", err)
			}
			if _, err := s.Read(); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("read after close: %v", err)
			}
			if _, err := s.Write([]Datagram{{To: peer.LocalAddr()}}); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("write after close: %v", err)
			}
		})
	}
}

// TestManyWriters: many peers write at the same time to one reader; each one's datagrams keep their order.
func TestManyWriters(t *testing.T) {
	const peers, each, window = 8, 600, 20
	to := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500})
	room := make([]chan struct{}, peers) // so that no buffer overflows
	index := map[netip.AddrPort]int{}
	var all sync.WaitGroup
	done := make(chan struct{})
	defer func() {
		close(done)
		all.Wait()
	}()
	for i := range peers {
		room[i] = make(chan struct{}, each)
		from := open(t, "udp", "127.0.0.1:0", Config{Largest: 1500, Without: ways[i%len(ways)].without})
		index[from.LocalAddr()] = i
		all.Go(func() {
			for n := 0; n < each; n += window {
				if n >= 2*window {
					for range window {
						select {
						case <-room[i]:
						case <-done:
							return
						}
					}
				}
				var batch []Datagram
				for k := n; k < n+window; k++ {
					batch = append(batch, Datagram{To: to.LocalAddr(), Head: binary.BigEndian.AppendUint32(nil, uint32(k)), Body: make([]byte, 60*i)})
				}
				if refused, err := from.Write(batch); refused != 0 || err != nil {
					t.Error(refused, err)
				}
			}
		})
	}
	next := make([]int, peers)
	for got := 0; got < peers*each; {
		packets, err := to.Read()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packets {
			i, ok := index[p.From]
			if !ok || len(p.Data) != 4+60*i || int(binary.BigEndian.Uint32(p.Data)) != next[i] {
				t.Fatalf("%d bytes, %x… from %s (%d), whose next is %d", len(p.Data), p.Data[:4], p.From, i, next[i])
			}
			next[i]++
			got++
			room[i] <- struct{}{}
		}
	}
}

func TestFeaturesString(t *testing.T) {
	if s := (Features{}).String(); s != "none" {
		t.Error(s)
	}
	if s := (Features{Batches: true, GRO: true, GSO: true, DF: true}).String(); s != "batches gro gso df" {
		t.Error(s)
	}
}
