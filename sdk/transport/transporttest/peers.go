package transporttest

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func peerCases() []Case {
	return []Case{
		{"event-names-the-address", "people find a peer by its address", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer a.done()
			defer b.done()
			a.control.dial(f.id("b"), b.address)
			if e := a.control.event(f.id("b"), true); e.Address != b.address {
				t.Fatalf("the event says %q, want %q", e.Address, b.address)
			}
		}},
		{"dial-before-the-peer-listens", "nodes start in any order", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer a.done()
			b.done()
			a.control.dial(f.id("b"), b.address)
			b = startAt(t, f, "b", b.address)
			defer b.done()
			a.control.event(f.id("b"), true)
			a.control.send("c", []byte("hello"), f.id("b"))
			if m := b.control.message("a message"); string(m.Payload) != "hello" {
				t.Fatalf("got %q", m.Payload)
			}
		}},
		{"restarted-peer-is-down-then-up", "the core greets a new process anew", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			b = b.restart()
			defer b.done()
			b.control.dial(f.id("a"), a.address)
			a.control.event(f.id("b"), false)
			a.control.event(f.id("b"), true)
			b.control.event(f.id("a"), true)
			a.control.send("c", []byte("votes"), f.id("b"))
			a.bulk.send("c", []byte("body"), f.id("b"))
			want(t, b.control.message("a message"), f.id("a"), "c", []byte("votes"))
			want(t, b.bulk.message("a message"), f.id("a"), "c", []byte("body"))
		}},
		{"peer-is-found-again", "a peer that restarts need not know who was connected", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer a.done()
			a.control.dial(f.id("b"), b.address)
			a.control.event(f.id("b"), true)
			b = b.restart()
			defer b.done()
			a.control.event(f.id("b"), false)
			a.control.event(f.id("b"), true)
			a.bulk.send("c", []byte("again"), f.id("b"))
			if m := b.bulk.message("a message"); string(m.Payload) != "again" {
				t.Fatalf("got %q", m.Payload)
			}
		}},
		{"hangup-ends-a-connection", "a peer that was removed must hear nothing", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer a.done()
			defer b.done()
			a.control.dial(f.id("b"), b.address)
			a.control.event(f.id("b"), true)
			from := b.control.anyUp().Peer
			if err := a.control.Hangup(f.id("b")); err != nil {
				t.Fatalf("hang up: %v", err)
			}
			a.control.event(f.id("b"), false)
			b.control.event(from, false)
			a.control.send("c", []byte("lost"), f.id("b"))
			a.control.dial(f.id("b"), b.address)
			a.control.event(f.id("b"), true)
			a.control.send("c", []byte("kept"), f.id("b"))
			if m := b.control.message("a message"); string(m.Payload) != "kept" {
				t.Fatalf("got %q, sent after Hangup", m.Payload)
			}
		}},
		{"hangup-of-nobody", "the core hangs up without asking who is there", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			if err := a.control.Hangup(f.id("nobody")); err != nil {
				t.Fatalf("hang up a peer that was never dialled: %v", err)
			}
			a.control.send("c", []byte("on"), f.id("b"))
			want(t, b.control.message("a message"), f.id("a"), "c", []byte("on"))
		}},
		{"dial-again-moves-the-peer", "a node that moved keeps its key", func(t T, f Factory) {
			// Two nodes at once have the same key: the one that moved still runs at its old address.
			a, b, c := start(t, f, "a"), start(t, f, "peer"), start(t, f, "peer")
			defer a.done()
			defer b.done()
			defer c.done()
			a.control.dial(f.id("peer"), b.address)
			a.control.event(f.id("peer"), true)
			a.control.dial(f.id("peer"), c.address)
			a.control.event(f.id("peer"), false)
			a.control.event(f.id("peer"), true)
			a.control.send("c", []byte("moved"), f.id("peer"))
			if m := c.control.message("a message at the new address"); string(m.Payload) != "moved" {
				t.Fatalf("got %q", m.Payload)
			}
		}},
		{"dial-twice-is-once", "the core dials all its peers again after a lane is lost", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.control.dial(f.id("b"), b.address)
			a.control.send("c", []byte("still there"), f.id("b"))
			r := b.control.next("a message")
			for r.err == nil && r.Flow != nil {
				r = b.control.next("a message")
			}
			if r.Message == nil {
				t.Fatalf("dialling again breaks the connection: %+v, %v", r.Peer, r.err)
			}
		}},
		{"bad-dial-address", "a mistake in the configuration is told at once", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			for _, addr := range []string{"", "nonsense", ":1", "127.0.0.1:0", "127.0.0.1:99999"} {
				if err := a.control.Dial(f.id("x"), addr); !errors.Is(err, transport.ErrAddress) {
					t.Fatalf("dial %q: %v, want ErrAddress", addr, err)
				}
			}
			a.control.send("c", []byte("on"), f.id("b"))
			want(t, b.control.message("a message"), f.id("a"), "c", []byte("on"))
		}},
		{"stranger-has-one-name", "a node that is not in the configuration proves who it is under that name", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer b.done()
			a.control.dial(f.id("b"), b.address)
			name := b.control.anyUp().Peer
			a.control.event(f.id("b"), true)
			a.control.send("c", []byte("1"), f.id("b"))
			want(t, b.control.message("a stranger's message"), name, "c", []byte("1"))
			b.control.send("c", []byte("2"), name)
			want(t, a.control.message("an answer"), f.id("b"), "c", []byte("2"))
			a = a.restart()
			defer a.done()
			a.control.dial(f.id("b"), b.address)
			b.control.event(name, false)
			if again := b.control.anyUp().Peer; again != name {
				t.Fatalf("the same address is named %x, then %x", name, again)
			}
		}},
		{"strangers-differ", "two strangers under one name are one peer", func(t T, f Factory) {
			a, b, c := start(t, f, "a"), start(t, f, "b"), start(t, f, "c")
			defer a.done()
			defer b.done()
			defer c.done()
			a.control.dial(f.id("c"), c.address)
			first := c.control.anyUp().Peer
			b.control.dial(f.id("c"), c.address)
			if second := c.control.anyUp().Peer; second == first {
				t.Fatalf("two addresses are both named %x", first)
			}
		}},
		{"stranger-is-renamed-when-dialled", "the core knows its peers by the names that it gave", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer a.done()
			defer b.done()
			a.control.dial(f.id("b"), b.address)
			a.control.event(f.id("b"), true)
			name := b.control.anyUp().Peer
			b.control.dial(f.id("a"), a.address)
			if f.Authenticates { // it has that name already
				if name != f.id("a") {
					t.Fatalf("a stranger is named %x, and by its key %x", name, f.id("a"))
				}
			} else {
				b.control.event(name, false)
				b.control.event(f.id("a"), true)
			}
			a.control.send("c", []byte("1"), f.id("b"))
			want(t, b.control.message("a message"), f.id("a"), "c", []byte("1"))
		}},
	}
}
