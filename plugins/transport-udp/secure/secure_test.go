package secure

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func randomness(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func seedFrom(r io.Reader) (s [SeedSize]byte) {
	_, _ = io.ReadFull(r, s[:])
	return s
}

func nodeKey(i byte) ed25519.PrivateKey {
	seed := [32]byte{i, 1}
	return ed25519.NewKeyFromSeed(seed[:])
}

func testIdentity(tb testing.TB, r io.Reader, node byte) *Identity {
	tb.Helper()
	id, err := NewIdentity(r)
	if err != nil {
		tb.Fatal(err)
	}
	key := nodeKey(node)
	cert := transport.EncodeBinding(types.Ed25519Key(key.Public().(ed25519.PublicKey)), ed25519.Sign(key, transport.BindingBytes(id.Public())))
	if _, err := id.Certify(cert); err != nil {
		tb.Fatal(err)
	}
	return id
}

// pair are both ends of a session.
func pair(tb testing.TB, rotation Rotation) (a, b *Session) {
	tb.Helper()
	r := randomness(1)
	x, y := testIdentity(tb, r, 1), testIdentity(tb, r, 2)
	call, err := NewCall(x, seedFrom(r), []byte("params"))
	if err != nil {
		tb.Fatal(err)
	}
	answer, err := NewAnswer(y, seedFrom(r), []byte("params"), call.First(), []byte("hello"))
	if err != nil {
		tb.Fatal(err)
	}
	third, rx, err := call.Finish(answer.Second(), rotation)
	if err != nil {
		tb.Fatal(err)
	}
	ry, err := answer.Finish(third, rotation)
	if err != nil {
		tb.Fatal(err)
	}
	return rx.Session, ry.Session
}

func TestHandshakeProvesBothNodes(t *testing.T) {
	r := randomness(1)
	x, y := testIdentity(t, r, 1), testIdentity(t, r, 2)
	call, _ := NewCall(x, seedFrom(r), []byte("params"))
	answer, err := NewAnswer(y, seedFrom(r), []byte("params"), call.First(), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	third, rx, err := call.Finish(answer.Second(), DefaultRotation())
	if err != nil {
		t.Fatal(err)
	}
	ry, err := answer.Finish(third, DefaultRotation())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rx.Node.Key, nodeKey(2).Public().(ed25519.PublicKey)) || !bytes.Equal(ry.Node.Key, nodeKey(1).Public().(ed25519.PublicKey)) {
		t.Fatal("the wrong node is proven")
	}
	if string(rx.Extra) != "hello" || !bytes.Equal(rx.Static[:], y.Public()) || !bytes.Equal(ry.Static[:], x.Public()) {
		t.Fatalf("the caller learns %q", rx.Extra)
	}
	sealed, _ := rx.Session.Seal(0, append(make([]byte, 12+CounterSize), "text"...), 12)
	if got, _, err := ry.Session.Open(sealed, 12); err != nil || string(got) != "text" {
		t.Fatalf("opened %q, %v", got, err)
	}
}

// TestHandshakeAltered changes every bit of every message, and the parameters. Nothing is accepted, and the genuine
// message that comes after it is.
func TestHandshakeAltered(t *testing.T) {
	r := randomness(2)
	x, y := testIdentity(t, r, 1), testIdentity(t, r, 2)
	call, _ := NewCall(x, seedFrom(r), []byte("params"))
	answer, _ := NewAnswer(y, seedFrom(r), []byte("params"), call.First(), []byte("hello"))
	second := answer.Second()
	for i := range second {
		bad := bytes.Clone(second)
		bad[i] ^= 1 << (i % 8)
		if i == 32 {
			bad[i] = second[i] ^ 1 // the highest bit of a Curve25519 key is ignored in a product, but not in the hash
		}
		if _, _, err := call.Finish(bad, DefaultRotation()); !errors.Is(err, ErrHandshake) {
			t.Fatalf("second message with byte %d altered: %v", i, err)
		}
	}
	low := append([]byte{VersionXX}, make([]byte, len(second)-1)...) // a point of low order
	if _, _, err := call.Finish(low, DefaultRotation()); !errors.Is(err, ErrHandshake) {
		t.Fatalf("a point of low order: %v", err)
	}
	for n := range len(second) {
		if _, _, err := call.Finish(second[:n], DefaultRotation()); !errors.Is(err, ErrHandshake) {
			t.Fatalf("second message of %d bytes: %v", n, err)
		}
	}
	third, _, err := call.Finish(second, DefaultRotation())
	if err != nil {
		t.Fatalf("the genuine message after altered ones: %v", err)
	}
	for i := range third {
		bad := bytes.Clone(third)
		bad[i] ^= 1 << (i % 8)
		if _, err := answer.Finish(bad, DefaultRotation()); !errors.Is(err, ErrHandshake) {
			t.Fatalf("third message with byte %d altered: %v", i, err)
		}
	}
	if _, err := answer.Finish(third, DefaultRotation()); err != nil {
		t.Fatalf("the genuine message after altered ones: %v", err)
	}
	other, err := NewAnswer(y, seedFrom(r), []byte("Params"), call.First(), nil)
	if err != nil {
		t.Fatal(err)
	}
	call, _ = NewCall(x, seedFrom(r), []byte("params"))
	if _, _, err := call.Finish(other.Second(), DefaultRotation()); !errors.Is(err, ErrHandshake) {
		t.Fatalf("other parameters: %v", err)
	}
	if _, err := NewAnswer(y, seedFrom(r), nil, append([]byte{9}, call.First()[1:]...), nil); !errors.Is(err, ErrVersion) {
		t.Fatalf("an unknown version: %v", err)
	}
}

// TestHandshakeOfAThief uses the certificate of another node.
func TestHandshakeOfAThief(t *testing.T) {
	r := randomness(3)
	x, y := testIdentity(t, r, 1), testIdentity(t, r, 2)
	thief, _ := NewIdentity(r)
	thief.certificate = x.certificate
	call, _ := NewCall(thief, seedFrom(r), nil)
	answer, _ := NewAnswer(y, seedFrom(r), nil, call.First(), nil)
	third, _, err := call.Finish(answer.Second(), DefaultRotation())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := answer.Finish(third, DefaultRotation()); !errors.Is(err, ErrIdentity) {
		t.Fatalf("a stolen certificate: %v", err)
	}
}

func seal(tb testing.TB, s *Session, now time.Duration, text string) []byte {
	tb.Helper()
	b, err := s.Seal(now, append(append([]byte("clear"), make([]byte, CounterSize)...), text...), 5)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestRotation: keys change by number, bytes and time, under loss, repetition and reordering. What the window has room for
// opens once, and nothing twice.
func TestRotation(t *testing.T) {
	for _, c := range []struct {
		name     string
		rotation Rotation
		least    uint64 // generations
	}{
		{"by number", Rotation{Datagrams: 3000, Bytes: 1 << 40, Time: time.Hour}, 6},
		{"by bytes", Rotation{Datagrams: 1 << 40, Bytes: 40 << 10, Time: time.Hour}, 6},
		{"by time", Rotation{Datagrams: 1 << 40, Bytes: 1 << 40, Time: 3 * time.Second}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := pair(t, c.rotation)
			rng := rand.New(rand.NewPCG(5, 7))
			type flying struct {
				data []byte
				n    uint32
				at   int
			}
			var net []flying
			opened := map[uint32]bool{}
			sent := 0
			for step := range 20_000 {
				if step < 19_000 {
					n := uint32(sent)
					sent++
					d := seal(t, a, time.Duration(step)*time.Millisecond, string(binary.BigEndian.AppendUint32(nil, n)))
					for range 1 + rng.IntN(2) {
						if rng.IntN(10) > 0 {
							net = append(net, flying{bytes.Clone(d), n, step + rng.IntN(1000)})
						}
					}
				}
				for i := 0; i < len(net); {
					if net[i].at > step {
						i++
						continue
					}
					f := net[i]
					net[i] = net[len(net)-1]
					net = net[:len(net)-1]
					inner, _, err := b.Open(f.data, 5)
					switch {
					case err == nil && opened[f.n]:
						t.Fatalf("number %d is opened twice", f.n)
					case err == nil && binary.BigEndian.Uint32(inner) != f.n:
						t.Fatalf("number %d opens as %x", f.n, inner)
					case err == nil:
						opened[f.n] = true
					case errors.Is(err, ErrReplayed) && opened[f.n]:
					default:
						t.Fatalf("number %d: %v", f.n, err)
					}
				}
			}
			out, in := a.Generation()
			if out < c.least || in > 0 {
				t.Fatalf("generation %d, %d", out, in)
			}
			if _, got := b.Generation(); got != out {
				t.Fatalf("the receiver is at generation %d of %d", got, out)
			}
			if len(b.in.past) > maxPast || len(b.in.ahead) > maxAhead {
				t.Fatalf("%d earlier and %d later keys are kept", len(b.in.past), len(b.in.ahead))
			}
		})
	}
}

// TestRotationAfterAnOutage: the receiver follows though all datagrams of some generations were lost, and forgets the keys
// of before.
func TestRotationAfterAnOutage(t *testing.T) {
	a, b := pair(t, Rotation{Datagrams: 10, Bytes: 1 << 40, Time: time.Hour})
	first := seal(t, a, 0, "first")
	for range 10 * maxAhead {
		seal(t, a, 0, "lost")
	}
	if got, latest, err := b.Open(seal(t, a, 0, "there"), 5); err != nil || !latest || string(got) != "there" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, _, err := b.Open(first, 5); !errors.Is(err, ErrForged) {
		t.Fatalf("a datagram under a forgotten key: %v", err)
	}
	for range 10 * (maxAhead + 1) {
		seal(t, a, 0, "lost")
	}
	if _, _, err := b.Open(seal(t, a, 0, "too far"), 5); !errors.Is(err, ErrForged) {
		t.Fatalf("a datagram too many generations ahead: %v", err)
	}
}

func TestSessionExhausted(t *testing.T) {
	a, b := pair(t, DefaultRotation())
	a.out.number = maxNumber - 1
	if _, _, err := b.Open(seal(t, a, 0, "last"), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Seal(0, make([]byte, 20), 5); !errors.Is(err, ErrExhausted) {
		t.Fatalf("beyond the last number: %v", err)
	}
	a, _ = pair(t, Rotation{Datagrams: 1, Bytes: 1 << 40, Time: time.Hour})
	a.out.generation, a.out.datagrams = maxGen, 1
	if _, err := a.Seal(0, make([]byte, 20), 5); !errors.Is(err, ErrExhausted) {
		t.Fatalf("beyond the last key: %v", err)
	}
}

// TestForged alters every bit of a datagram, sends it back to its sender, and cuts it.
func TestForged(t *testing.T) {
	a, b := pair(t, DefaultRotation())
	d := seal(t, a, 0, "genuine")
	for i := range 8 * len(d) {
		bad := bytes.Clone(d)
		bad[i/8] ^= 1 << (i % 8)
		if _, _, err := b.Open(bad, 5); !errors.Is(err, ErrForged) {
			t.Fatalf("bit %d altered: %v", i, err)
		}
	}
	for n := range d {
		if _, _, err := b.Open(bytes.Clone(d[:n]), min(n, 5)); !errors.Is(err, ErrForged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, _, err := a.Open(bytes.Clone(d), 5); !errors.Is(err, ErrForged) {
		t.Fatalf("sent back: %v", err)
	}
	if _, _, err := b.Open(bytes.Clone(d), 5); err != nil {
		t.Fatalf("the genuine one after all of these: %v", err)
	}
	if _, _, err := b.Open(d, 5); !errors.Is(err, ErrReplayed) {
		t.Fatalf("again: %v", err)
	}
}

// TestWindow compares with a set of all numbers.
func TestWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []int64{3, 70, 1000, WindowSize, 3 * WindowSize, 1 << 20} {
		var w Window
		seen, top := map[uint64]bool{}, uint64(0)
		for range 20_000 {
			n := uint64(max(int64(top)+rng.Int64N(2*spread)-spread, 0))
			old := n+WindowSize < top
			if got, want := w.Fresh(n), !seen[n] && !old; got != want {
				t.Fatalf("spread %d: number %d below %d is fresh: %t", spread, n, top, got)
			}
			if w.Fresh(n) {
				if latest := w.Mark(n); latest != (n >= top) {
					t.Fatalf("number %d below %d is the latest: %t", n, top, latest)
				}
				seen[n], top = true, max(top, n+1)
			}
		}
	}
}

func TestCookies(t *testing.T) {
	c, _ := NewCookies(randomness(1))
	at, other := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.1:1001")
	for _, start := range []time.Duration{0, time.Minute, 255 * cookieSlot, 1000 * cookieSlot} {
		k := c.Make(start, at)
		for _, x := range []struct {
			name string
			now  time.Duration
			at   netip.AddrPort
			k    []byte
			good bool
		}{
			{"at once", start, at, k[:], true},
			{"in the next slot", start + cookieSlot, at, k[:], true},
			{"too late", start + 2*cookieSlot, at, k[:], false},
			{"256 slots late", start + 256*cookieSlot, at, k[:], false},
			{"another port", start, other, k[:], false},
			{"cut", start, at, k[:15], false},
			{"none", start, at, nil, false},
		} {
			if got := c.Good(x.now, x.at, x.k); got != x.good {
				t.Errorf("made at %s, %s: good is %t", start, x.name, got)
			}
		}
		for i := range 8 * len(k) {
			bad := k
			bad[i/8] ^= 1 << (i % 8)
			if c.Good(start, at, bad[:]) {
				t.Fatalf("bit %d altered", i)
			}
		}
	}
	second, _ := NewCookies(randomness(2))
	if k := c.Make(0, at); second.Good(0, at, k[:]) {
		t.Fatal("the cookie of another node is good")
	}
}

// TestLimits floods from many addresses: the rate and the memory hold, and who is known is not held up.
func TestLimits(t *testing.T) {
	rates := DefaultRates()
	l := NewLimits(rates)
	known := netip.MustParseAddr("198.51.100.1")
	taken, mine := 0, 0
	const seconds = 20
	for i := range seconds * 10_000 {
		now := time.Duration(i) * time.Second / 10_000
		var a [16]byte
		binary.BigEndian.PutUint32(a[:], 0x20010db8)
		binary.BigEndian.PutUint32(a[4:], uint32(i))
		if l.Take(now, netip.AddrFrom16(a), false) {
			taken++
		}
		if i%2000 == 0 && l.Take(now, known, true) {
			mine++
		}
	}
	if most := rates.TotalBurst + seconds*rates.Total; taken > most || taken < most-10 {
		t.Fatalf("%d handshakes in %d seconds, want %d", taken, seconds, most)
	}
	if mine != seconds*5 {
		t.Fatalf("%d of %d handshakes of a known address", mine, seconds*5)
	}
	if l.Size() > limitTable {
		t.Fatalf("%d addresses are kept", l.Size())
	}
	// One network of IPv6 is one address.
	l = NewLimits(rates)
	taken = 0
	for i := range 1000 {
		var a [16]byte
		copy(a[:], []byte{0x20, 1, 0xd, 0xb8})
		binary.BigEndian.PutUint32(a[12:], uint32(i))
		if l.Take(0, netip.AddrFrom16(a), false) {
			taken++
		}
	}
	if taken != rates.AddressBurst || l.Size() != 1 {
		t.Fatalf("%d handshakes of one /64, %d addresses", taken, l.Size())
	}
	// Strangers at the address of a node that is known leave it its own, with which it opens all lanes of a link at once; that
	// has an end as well.
	l = NewLimits(rates)
	taken, mine = 0, 0
	for range 1000 {
		if l.Take(0, known, false) {
			taken++
		}
		if l.Take(0, known, true) {
			mine++
		}
	}
	if taken != rates.AddressBurst || mine != rates.KnownBurst {
		t.Fatalf("%d handshakes of strangers and %d of a known node at one address", taken, mine)
	}
	// Loopback has no limit but that of all together.
	for range 1000 {
		if !l.Take(0, netip.MustParseAddr("127.0.0.1"), true) {
			t.Fatal("a handshake of a known node on loopback was refused")
		}
	}
}

func TestJarIsBounded(t *testing.T) {
	var j Jar
	for i := range 3 * jarSize {
		j.Put(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1), Cookie{byte(i)})
	}
	if len(j.cookies) != jarSize || len(j.order) != jarSize {
		t.Fatalf("%d cookies", len(j.cookies))
	}
}

// FuzzHandshake: no message makes a panic, none that was made up is taken, and the genuine one is taken after it.
func FuzzHandshake(f *testing.F) {
	r := randomness(4)
	x, y := testIdentity(f, r, 1), testIdentity(f, r, 2)
	seed := seedFrom(r)
	call, _ := NewCall(x, seed, nil)
	answer, _ := NewAnswer(y, seed, nil, call.First(), []byte("hello"))
	third, _, _ := call.Finish(answer.Second(), DefaultRotation())
	f.Add(call.First(), answer.Second(), third)
	f.Add([]byte{1}, []byte{1}, []byte{1})
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		if a, err := NewAnswer(y, seed, nil, one, nil); err == nil {
			_, _ = a.Finish(three, DefaultRotation())
		}
		c, _ := NewCall(x, seed, nil)
		if _, _, err := c.Finish(two, DefaultRotation()); err == nil && !bytes.Equal(two, answer.Second()) {
			t.Fatal("a second message that nobody made is taken")
		}
		a, _ := NewAnswer(y, seed, nil, c.First(), []byte("hello"))
		if _, err := a.Finish(three, DefaultRotation()); err == nil && !bytes.Equal(three, third) {
			t.Fatal("a third message that nobody made is taken")
		}
		if bytes.Equal(three, third) {
			return
		}
		if _, err := a.Finish(third, DefaultRotation()); err != nil && !errors.Is(err, ErrIdentity) {
			t.Fatalf("the genuine message after %x: %v", three, err)
		}
	})
}

// FuzzOpen: nothing that was not sealed opens.
func FuzzOpen(f *testing.F) {
	a, _ := pair(f, DefaultRotation())
	f.Add(seal(f, a, 0, "text"), uint64(3))
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, counter uint64) {
		x, y := pair(t, DefaultRotation())
		good := seal(t, x, 0, "text")
		same := bytes.Equal(b, good)
		if len(b) >= 5+CounterSize && !same {
			binary.BigEndian.PutUint64(b[5:], counter)
			same = bytes.Equal(b, good)
		}
		if _, _, err := y.Open(b, min(5, len(b))); (err == nil) != same {
			t.Fatalf("%x: %v", b, err)
		}
		if _, _, err := y.Open(good, 5); err != nil && !same {
			t.Fatal(err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	x, _ := pair(b, DefaultRotation())
	buf := make([]byte, 1200, 1300)
	b.SetBytes(1200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Seal(0, buf, 12); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	r := randomness(1)
	x, y := testIdentity(b, r, 1), testIdentity(b, r, 2)
	for b.Loop() {
		call, _ := NewCall(x, seedFrom(r), nil)
		answer, _ := NewAnswer(y, seedFrom(r), nil, call.First(), nil)
		third, _, _ := call.Finish(answer.Second(), DefaultRotation())
		if _, err := answer.Finish(third, DefaultRotation()); err != nil {
			b.Fatal(err)
		}
	}
}
