package transporttest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func deliveryCases() []Case {
	return []Case{
		{"delivers-both-ways", "without it there is no chain", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.control.send("c", []byte("from a"), f.id("b"))
			want(t, b.control.message("a message"), f.id("a"), "c", []byte("from a"))
			b.control.send("c", []byte("from b"), f.id("a"))
			want(t, a.control.message("a message"), f.id("b"), "c", []byte("from b"))
		}},
		{"bulk-on-the-bulk-lane", "a vote behind a body comes too late", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.bulk.send("c", []byte("bulk body"), f.id("b"))
			want(t, b.bulk.message("a message on the bulk lane"), f.id("a"), "c", []byte("bulk body"))
		}},
		{"empty-and-binary", "channels are the bytes of a chain's id", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			long := string(pattern(1, transport.MaxChannel))
			for _, c := range []string{"", "\x00\xff", long} {
				a.control.send(c, nil, f.id("b"))
				want(t, b.control.message("an empty message"), f.id("a"), c, nil)
			}
		}},
		{"order-within-a-channel", "a proposal after its votes costs a round", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			for i := range several {
				a.control.send("ordered", numbered(i), f.id("b"))
			}
			for i := range several {
				m := b.control.message(fmt.Sprintf("message %d", i))
				if got := number(t, m); got != i {
					t.Fatalf("message %d comes in place of %d", got, i)
				}
			}
		}},
		{"bulk-arrives-whole", "a body of which a piece is missing is asked for again", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			for i := range several {
				a.bulk.send("bulk", numbered(i), f.id("b"))
			}
			// In any order, and perhaps more than once.
			for got := map[int]bool{}; len(got) < several; {
				m := b.bulk.message(fmt.Sprintf("one of the %d messages that are missing", several-len(got)))
				i := number(t, m)
				want(t, m, f.id("a"), "bulk", numbered(i))
				got[i] = true
			}
		}},
		{"largest-message-whole", "a block's body is one message", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			x, y := pattern(1, transport.MaxPayload), pattern(2, transport.MaxPayload)
			sent := make(chan error, 2) // both ends send at once, each perhaps until the other receives
			send := func(l *lane, to transport.PeerID, payload []byte) {
				sent <- l.Send(transport.Outgoing{Peers: []transport.PeerID{to}, Channel: "c", Payload: payload})
			}
			go send(a.bulk, f.id("b"), x)
			go send(b.bulk, f.id("a"), y)
			want(t, b.bulk.message("a large message"), f.id("a"), "c", x)
			want(t, a.bulk.message("a large message"), f.id("b"), "c", y)
			for range 2 {
				if err := <-sent; err != nil {
					t.Fatalf("send a large message: %v", err)
				}
			}
		}},
		{"too-large-is-refused", "what one node takes all must", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			for _, l := range []*lane{a.control, a.bulk} {
				err := l.Send(transport.Outgoing{Peers: []transport.PeerID{f.id("b")}, Payload: make([]byte, transport.MaxPayload+1)})
				if !errors.Is(err, transport.ErrTooLarge) {
					t.Fatalf("a payload one byte too large: %v, want ErrTooLarge", err)
				}
				l.send("c", []byte("after"), f.id("b"))
			}
			want(t, b.control.message("the message after"), f.id("a"), "c", []byte("after"))
			want(t, b.bulk.message("the message after"), f.id("a"), "c", []byte("after"))
		}},
		{"malformed-is-refused", "the core learns of its mistake", func(t T, f Factory) {
			n := start(t, f, "a")
			defer n.done()
			for what, o := range map[string]transport.Outgoing{
				"a channel one byte too long": {Channel: strings.Repeat("c", transport.MaxChannel+1)},
				"one receiver too many":       {Peers: make([]transport.PeerID, transport.MaxPeers+1)},
			} {
				if err := n.control.Send(o); !errors.Is(err, transport.ErrInvalid) {
					t.Fatalf("%s: %v, want ErrInvalid", what, err)
				}
			}
		}},
		{"several-receivers", "a vote is sent to all in one call", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			c := start(t, f, "c")
			defer c.done()
			join(a, c)
			a.control.send("c", []byte("vote"), f.id("b"), f.id("c"))
			want(t, b.control.message("a vote"), f.id("a"), "c", []byte("vote"))
			want(t, c.control.message("a vote"), f.id("a"), "c", []byte("vote"))
		}},
		{"unknown-peer-is-no-error", "one peer that is gone must not cost the others a vote", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.control.send("c", []byte("lost"), f.id("nobody"))
			a.control.send("c", []byte("kept"), f.id("nobody"), f.id("b"))
			want(t, b.control.message("the message for b"), f.id("a"), "c", []byte("kept"))
		}},
	}
}

// several is how many messages make an order.
const several = 300

// numbered is a message with a number. Some are large.
func numbered(i int) []byte {
	size := 8
	if i%29 == 0 {
		size = 40_000
	}
	p := pattern(i, size)
	binary.BigEndian.PutUint64(p, uint64(i))
	return p
}

// number reads the number of a message of numbered.
func number(t T, m *transport.Message) int {
	t.Helper()
	if len(m.Payload) >= 8 {
		if i := binary.BigEndian.Uint64(m.Payload); i < several {
			return int(i)
		}
	}
	t.Fatalf("a message of %d bytes on channel %q that nobody has sent", len(m.Payload), m.Channel)
	panic("unreachable")
}
