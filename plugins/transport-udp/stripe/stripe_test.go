package stripe

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

func frameBytes(f *Frame) []byte { return append(bytes.Clone(f.Meta()), f.Body...) }

func payload(i, size int) []byte {
	b := make([]byte, size)
	for k := range b {
		b[k] = byte(i*31 + k*7 + k>>8)
	}
	return b
}

// TestShuffled brings frames in any order, some twice, some returned and cut smaller first. Each message is delivered once,
// whole, and nothing is left on either side.
func TestShuffled(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s, r := NewSender(false, 500, 64<<20), NewReceiver(time.Minute)
		sizes := map[int]int{}
		var all [][]byte
		for i := range 60 {
			size := 8 + rng.IntN(200)
			if rng.IntN(4) == 0 {
				size = 8 + rng.IntN(100_000)
			}
			p := payload(i, size)
			binary.BigEndian.PutUint64(p, uint64(i))
			sizes[i] = size
			all = append(all, p)
			if s.Push(Message{Channel: "c", Priority: uint32(rng.IntN(3)), Payload: p}) != 0 {
				t.Fatal("dropped")
			}
		}
		room := func() int { return []int{500, 1200, 9000}[rng.IntN(3)] }
		var under []Frame
		got := map[int]bool{}
		for s.Waiting() || len(under) > 0 {
			var f Frame
			if rng.IntN(3) > 0 && s.Next(&f, room()) {
				if f.Len() > 9000 {
					t.Fatalf("frame of %d bytes", f.Len())
				}
				under = append(under, f)
				continue
			}
			if len(under) == 0 {
				continue
			}
			i := rng.IntN(len(under))
			f = under[i]
			switch rng.IntN(4) {
			case 0: // lost with its lane, or arrived without the confirmation
				under = append(under[:i], under[i+1:]...)
				if rng.IntN(2) == 0 {
					take(t, r, &f, all, got)
				}
				s.Return(&f)
			case 1: // twice
				take(t, r, &f, all, got)
			default:
				under = append(under[:i], under[i+1:]...)
				take(t, r, &f, all, got)
				s.Confirm(&f)
			}
		}
		if len(got) != len(all) || s.Bytes() != 0 || s.started != 0 || r.Held() != 0 || len(r.assemblies) != 0 || r.announced != 0 {
			t.Fatalf("seed %d: %d of %d messages; left: %d bytes, %d started, %d held, %d announced", seed, len(got), len(all), s.Bytes(), s.started, r.Held(), r.announced)
		}
	}
}

func take(t *testing.T, r *Receiver, f *Frame, all [][]byte, got map[int]bool) {
	t.Helper()
	ok, err := r.Take(0, f.ID, frameBytes(f))
	if !ok || err != nil {
		t.Fatalf("%s is not taken: %v", f.ID, err)
	}
	for _, d := range r.Delivered() {
		i := int(binary.BigEndian.Uint64(d.Payload))
		if got[i] || !bytes.Equal(d.Payload, all[i]) {
			t.Fatalf("message %d comes twice or altered", i)
		}
		got[i] = true
	}
}

// TestOrdered: frames of an ordered sender, taken in order, deliver each channel in order, though priorities differ.
func TestOrdered(t *testing.T) {
	s, r := NewSender(true, 500, 64<<20), NewReceiver(time.Minute)
	for i := range 200 {
		p := payload(i, 8+i%5*300)
		binary.BigEndian.PutUint64(p, uint64(i))
		s.Push(Message{Channel: string(rune('a' + i%3)), Priority: uint32(i * 7 % 4), Payload: p})
	}
	last := map[string]int{}
	n := 0
	for f := new(Frame); s.Next(f, 500); {
		if _, err := r.Take(0, f.ID, frameBytes(f)); err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Delivered() {
			i := int(binary.BigEndian.Uint64(d.Payload))
			if before, ok := last[d.Channel]; ok && i <= before {
				t.Fatalf("message %d after %d on %q", i, before, d.Channel)
			}
			last[d.Channel] = i
			n++
		}
		s.Confirm(f)
	}
	if n != 200 {
		t.Fatalf("%d messages", n)
	}
}

// TestSparse: what a hostile peer makes of lengths and offsets costs no more memory than it sends, times a factor, and a bound.
func TestSparse(t *testing.T) {
	r := NewReceiver(time.Minute)
	sent := 0
	piece := func(id, offset uint32, n int) (bool, error) {
		sent += n
		return r.Take(0, wire.Data, append(wire.AppendPieceHeader(nil, id, offset), make([]byte, n)...))
	}
	if _, err := r.Take(0, wire.FileName, wire.File{Message: 0, Length: MaxMessage, Channel: []byte("c")}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := piece(0, MaxMessage-1, 1); err != nil || r.Held() > 1000 {
		t.Fatalf("%d bytes are held for one, %v", r.Held(), err)
	}
	for id := range uint32(2 * MaxAssemblies) {
		for k := range uint32(20) {
			if _, err := piece(id, k*(MaxMessage/20)+id, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.Held() > MaxAssembly+slack || len(r.assemblies) > MaxAssemblies {
		t.Fatalf("%d bytes are held of %d that were sent, %d messages", r.Held(), sent, len(r.assemblies))
	}
}

func TestHostile(t *testing.T) {
	digest := sha256.Sum256([]byte("abcdef"))
	file := func(id, length uint32, d [32]byte) []byte {
		return wire.File{Message: id, Length: length, Digest: d, Channel: []byte("c")}.Append(nil)
	}
	piece := func(id, offset uint32, s string) []byte { return append(wire.AppendPieceHeader(nil, id, offset), s...) }
	type step struct {
		id   wire.ID
		body []byte
	}
	for name, steps := range map[string][]step{
		"length beyond the limit":   {{wire.FileName, file(0, MaxMessage+1, digest)}},
		"too much at once":          {{wire.FileName, file(0, MaxMessage, digest)}, {wire.FileName, file(1, MaxMessage, digest)}, {wire.FileName, file(2, 1, digest)}},
		"piece beyond the end":      {{wire.FileName, file(0, 6, digest)}, {wire.Data, piece(0, 4, "abc")}},
		"piece beyond any end":      {{wire.Data, piece(0, MaxMessage, "a")}},
		"offset that overflows":     {{wire.Data, piece(0, 1<<32-1, "ab")}},
		"announced shorter later":   {{wire.Data, piece(0, 100, "abc")}, {wire.FileName, file(0, 6, digest)}},
		"announced twice":           {{wire.FileName, file(0, 6, digest)}, {wire.FileName, file(0, 7, digest)}},
		"wrong digest":              {{wire.FileName, file(0, 6, digest)}, {wire.Data, piece(0, 0, "abcdeg")}},
		"overlap with other bytes":  {{wire.Data, piece(0, 0, "abX")}, {wire.FileName, file(0, 6, digest)}, {wire.Data, piece(0, 2, "cdef")}},
		"number far ahead":          {{wire.DataOver, wire.AppendOver(nil, idWindow)}},
		"number far behind":         {{wire.DataOver, wire.AppendOver(nil, 1<<32-idWindow-1)}},
		"whole and in pieces":       {{wire.Data, piece(0, 0, "abc")}, {wire.Data, wire.AppendMessage(wire.AppendFirst(nil, 0), "c", nil)}},
		"no message":                {{wire.Data, wire.AppendFirst(nil, 0)}},
		"empty":                     {{wire.Data, nil}},
		"not of a session":          {{wire.Start, nil}},
		"echo that wants an answer": {{wire.Data, []byte{byte(wire.Echo)}}},
	} {
		r := NewReceiver(time.Minute)
		for i, s := range steps {
			_, err := r.Take(0, s.id, s.body)
			if last := i == len(steps)-1; last != errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: step %d: %v", name, i, err)
			}
			if n := len(r.Delivered()); n > 0 {
				t.Errorf("%s: delivered", name)
			}
		}
	}
}

// TestQueueBounds: what does not fit displaces what is less urgent and old; one message is taken always; Full has hysteresis.
func TestQueueBounds(t *testing.T) {
	s := NewSender(false, 500, 10*(100+Overhead))
	push := func(priority uint32) int {
		return s.Push(Message{Channel: "c", Priority: priority, Payload: make([]byte, 100)})
	}
	for i := range 10 {
		if push(uint32(i%2)) != 0 {
			t.Fatal("dropped")
		}
	}
	if full, changed := s.Full(); !full || !changed {
		t.Fatal("not full")
	}
	if _, changed := s.Full(); changed {
		t.Fatal("full twice")
	}
	if push(2) != 1 || len(s.lists) != 2 { // the new one itself
		t.Fatal("a less urgent message is taken")
	}
	for range 5 {
		if push(0) != 1 {
			t.Fatal("an urgent message displaces none")
		}
	}
	if len(s.lists) != 1 || s.Bytes() > s.limit {
		t.Fatalf("%d lists, %d bytes", len(s.lists), s.Bytes())
	}
	var f Frame
	for s.Next(&f, 500) {
		s.Confirm(&f)
	}
	if full, changed := s.Full(); full || !changed || s.Bytes() != 0 {
		t.Fatal("still full")
	}
	if s.Push(Message{Channel: "c", Payload: make([]byte, 1<<20)}) != 0 {
		t.Fatal("a message alone is dropped")
	}
}

// TestUrgentHoldsUpNoneForEver: a large message that was begun goes on, if slowly, while there is always something more urgent.
func TestUrgentHoldsUpNoneForEver(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		s, r := NewSender(ordered, 500, 1<<20), NewReceiver(time.Minute)
		s.Push(Message{Channel: "large", Priority: 2, Payload: payload(0, 20_000)})
		var f Frame
		arrived := false
		for i := range 2000 {
			if i > 0 {
				for range 4 {
					s.Push(Message{Channel: "urgent", Payload: payload(i, 300)})
				}
			}
			if !s.Next(&f, 500) {
				t.Fatal("nothing waits")
			}
			if ok, err := r.Take(0, f.ID, frameBytes(&f)); !ok || err != nil {
				t.Fatal(ok, err)
			}
			s.Confirm(&f)
			for _, d := range r.Delivered() {
				if d.Channel == "large" {
					arrived = true
				}
			}
			if arrived {
				break
			}
		}
		if arrived {
			continue
		}
		t.Fatalf("ordered %t: the large message does not arrive", ordered)
	}
}

func TestSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var s spans
		var have [300]bool
		for range 60 {
			from := rng.IntN(290)
			to := from + 1 + rng.IntN(10)
			all, want := true, 0
			for i := from; i < to; i++ {
				if !have[i] {
					all = false
					want++
				}
				have[i] = true
			}
			if s.covered(from, to) != all {
				t.Fatalf("%v covers %d to %d: %t", s, from, to, !all)
			}
			if got := s.add(from, to); got != want {
				t.Fatalf("%d bytes are new, want %d", got, want)
			}
			prefix := 0
			for prefix < len(have) && have[prefix] {
				prefix++
			}
			if s.prefix() != prefix {
				t.Fatalf("prefix %d, want %d", s.prefix(), prefix)
			}
			for i := 1; i < len(s); i++ {
				if s[i].from <= s[i-1].to {
					t.Fatalf("%v", s)
				}
			}
		}
	}
}

// FuzzReceiver: whatever comes, nothing panics, memory keeps to its bound, and nothing is delivered twice. The input is a list of
// frames: identification, length(2), body.
func FuzzReceiver(f *testing.F) {
	s := NewSender(false, 500, 1<<20)
	s.Push(Message{Channel: "c", Payload: payload(1, 100)})
	s.Push(Message{Channel: "c", Payload: payload(2, 2000)})
	var seed []byte
	for fr := new(Frame); s.Next(fr, 500); {
		b := frameBytes(fr)
		seed = append(binary.BigEndian.AppendUint16(append(seed, byte(fr.ID)), uint16(len(b))), b...)
	}
	f.Add(seed)
	f.Add(append([]byte{byte(wire.Data), 0, 10, byte(wire.Piece), 0, 0, 0, 1, 0, 255, 255, 255, 7}, seed...))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReceiver(time.Minute)
		total := 0
		for len(in) >= 3 {
			id, n := wire.ID(in[0]), min(int(binary.BigEndian.Uint16(in[1:])), len(in)-3)
			b := in[3 : 3+n]
			in = in[3+n:]
			_, err := r.Take(0, id, b)
			total += n
			for _, d := range r.Delivered() {
				if len(d.Payload) > total {
					t.Fatalf("%d bytes delivered of %d", len(d.Payload), total)
				}
			}
			if r.Held() > firstBuffer*MaxAssemblies && r.Held() > MaxAssembly+slack {
				t.Fatalf("%d bytes held", r.Held())
			}
			if err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatal(err)
				}
				return
			}
		}
	})
}
