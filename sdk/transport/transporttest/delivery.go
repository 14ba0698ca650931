package transporttest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func deliveryCases() []Case {
	return []Case{
		{"delivers-both-ways", "without it there is no chain", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.control.send("c", []byte("from a"), id("b"))
			want(t, b.control.message("a message"), id("a"), "c", []byte("from a"))
			b.control.send("c", []byte("from b"), id("a"))
			want(t, a.control.message("a message"), id("b"), "c", []byte("from b"))
		}},
		{"bulk-on-the-bulk-lane", "a vote behind a body comes too late", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.bulk.send("c", []byte("bulk body"), id("b"))
			want(t, b.bulk.message("a message on the bulk lane"), id("a"), "c", []byte("bulk body"))
		}},
		{"empty-and-binary", "channels are the bytes of a chain's id", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			long := string(pattern(1, transport.MaxChannel))
			for _, c := range []string{"", "\x00\xff", long} {
				a.control.send(c, nil, id("b"))
				want(t, b.control.message("an empty message"), id("a"), c, nil)
			}
		}},
		{"order-within-a-channel", "a proposal after its votes costs a round", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			const n = 300
			for i := range n {
				size := 8
				if i%29 == 0 {
					size = 40_000
				}
				p := pattern(i, size)
				binary.BigEndian.PutUint64(p, uint64(i))
				a.control.send("ordered", p, id("b"))
				a.bulk.send("ordered", p, id("b"))
			}
			for _, l := range []*lane{b.control, b.bulk} {
				for i := range n {
					m := l.message(fmt.Sprintf("message %d", i))
					if got := binary.BigEndian.Uint64(m.Payload); got != uint64(i) {
						t.Fatalf("message %d comes in place of %d", got, i)
					}
				}
			}
		}},
		{"largest-message-whole", "a block's body is one message", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			x, y := pattern(1, transport.MaxPayload), pattern(2, transport.MaxPayload)
			var wg sync.WaitGroup
			wg.Go(func() { a.bulk.send("c", x, id("b")) })
			wg.Go(func() { b.bulk.send("c", y, id("a")) })
			want(t, b.bulk.message("a large message"), id("a"), "c", x)
			want(t, a.bulk.message("a large message"), id("b"), "c", y)
			wg.Wait()
		}},
		{"too-large-is-refused", "what one node takes all must", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			for _, l := range []*lane{a.control, a.bulk} {
				err := l.Send(transport.Outgoing{Peers: []transport.PeerID{id("b")}, Payload: make([]byte, transport.MaxPayload+1)})
				if !errors.Is(err, transport.ErrTooLarge) {
					t.Fatalf("a payload one byte too large: %v, want ErrTooLarge", err)
				}
				l.send("c", []byte("after"), id("b"))
			}
			want(t, b.control.message("the message after"), id("a"), "c", []byte("after"))
			want(t, b.bulk.message("the message after"), id("a"), "c", []byte("after"))
		}},
		{"malformed-is-refused", "the core learns of its mistake", func(t T, f Factory) {
			n := start(t, f)
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
			c := start(t, f)
			defer c.done()
			a.control.dial(id("c"), c.address)
			c.control.dial(id("a"), a.address)
			a.control.event(id("c"), true)
			c.control.event(id("a"), true)
			a.control.send("c", []byte("vote"), id("b"), id("c"))
			want(t, b.control.message("a vote"), id("a"), "c", []byte("vote"))
			want(t, c.control.message("a vote"), id("a"), "c", []byte("vote"))
		}},
		{"unknown-peer-is-no-error", "one peer that is gone must not cost the others a vote", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.control.send("c", []byte("lost"), id("nobody"))
			a.control.send("c", []byte("kept"), id("nobody"), id("b"))
			want(t, b.control.message("the message for b"), id("a"), "c", []byte("kept"))
		}},
	}
}
