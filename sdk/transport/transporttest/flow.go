package transporttest

import (
	"bytes"
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// bodyBytes is the size of a message that fills queues.
const bodyBytes = 128 << 10

func flowCases() []Case {
	return []Case{
		{"flow-tells-when-full", "a core that goes on sending fills the memory, or loses what it has sent", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			c := start(t, f, "c")
			defer c.done()
			join(a, c)
			most := f.Queue
			if most == 0 {
				most = 512 << 20
			}
			// b's core does not receive. What a sends to it is in step with what c gets and answers, so that the transport
			// has had time to say that the queue is full before the next message is sent.
			sent := 0
			w := walk{t: t, f: f, a: a, c: c}
			for !w.full {
				if sent*bodyBytes > most {
					t.Fatalf("%d bytes are queued for a peer that does not receive, and it is not said to be full", sent*bodyBytes)
				}
				a.bulk.send("c", body(sent), f.id("b"))
				sent++
				w.step()
			}
			for range 10 { // others are served meanwhile
				w.step()
			}
			// Only what was on its way when the transport said so may be lost: a message a step, for two steps each time.
			got := map[uint32]bool{}
			for len(got) < sent-2*w.times {
				m := b.bulk.message("a message that was sent before the queue was full")
				got[bodyNumber(t, f, m, sent)] = true
			}
			if w.full {
				a.bulk.flow(f.id("b"), false)
			}
			a.bulk.send("c", body(sent), f.id("b"))
			for {
				if m := b.bulk.message("a message for which there was room again"); bodyNumber(t, f, m, sent+1) == uint32(sent) {
					break
				}
			}
		}},
		{"slow-peer-holds-up-nobody", "one node that is slow must not slow down the chain", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			c := start(t, f, "c")
			defer c.done()
			join(a, c)
			for i := range 64 { // b's core takes none of them
				a.bulk.send("c", body(i), f.id("b"))
				if i%8 != 0 {
					continue
				}
				a.bulk.send("c", body(i), f.id("c"))
				for bodyNumber(t, f, c.bulk.message("a body for another peer"), 64) != uint32(i) {
				}
				for _, to := range []*node{b, c} {
					a.control.send("c", []byte("past the bodies"), f.id(to.name))
					want(t, to.control.message("a vote while bodies wait"), f.id("a"), "c", []byte("past the bodies"))
				}
			}
			bodyNumber(t, f, b.bulk.message("a body, now that it is taken"), 64)
		}},
	}
}

// walk is messages from a to c and their answers, one after the other, and what is said of b's queue meanwhile.
type walk struct {
	t     T
	f     Factory
	a, c  *node
	steps uint32
	full  bool // as said last
	times int  // that it was said to be full
}

func (w *walk) step() {
	w.t.Helper()
	w.steps++
	text := binary.BigEndian.AppendUint32([]byte("step "), w.steps)
	w.a.bulk.send("c", text, w.f.id("c"))
	for !bytes.Equal(w.c.bulk.message("a step, while another peer does not receive").Payload, text) {
	}
	w.c.bulk.send("c", text, w.f.id("a"))
	for {
		r := w.a.bulk.next("the answer to a step")
		switch {
		case r.err != nil:
			w.t.Fatalf("waiting for the answer to a step: %v", r.err)
		case r.Flow != nil && r.Flow.Peer == w.f.id("b"):
			if w.full = r.Flow.Full; w.full {
				w.times++
			}
		case r.Message != nil && bytes.Equal(r.Message.Payload, text):
			return
		}
	}
}

func body(i int) []byte {
	p := pattern(i, bodyBytes)
	binary.BigEndian.PutUint32(p, uint32(i))
	return p
}

// bodyNumber checks a message that a has sent, one of the first n bodies, and returns which.
func bodyNumber(t T, f Factory, m *transport.Message, n int) uint32 {
	t.Helper()
	if len(m.Payload) != bodyBytes {
		t.Fatalf("a message of %d bytes, want %d", len(m.Payload), bodyBytes)
	}
	i := binary.BigEndian.Uint32(m.Payload)
	if i >= uint32(n) {
		t.Fatalf("body %d of %d", i, n)
	}
	want(t, m, f.id("a"), "c", body(int(i)))
	return i
}
