package transporttest

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func identityCases() []Case {
	return []Case{
		{"node-is-authenticated", "votes are counted by who has sent them", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer func() { a.done() }()
			defer b.done()
			// b knows a only by what a proves.
			a.control.dial(f.id("b"), b.address)
			wantNode(t, f, a.control.event(f.id("b"), true), "b")
			stranger := b.control.anyUp()
			wantNode(t, f, stranger, "a")
			if !f.Authenticates {
				return
			}
			// A lane that is attached later tells the same.
			b.control.end()
			b.control = b.attach(transport.Control)
			wantNode(t, f, b.control.event(stranger.Peer, true), "a")
			// The node is its key: not its address, and not its session.
			a = a.moved()
			a.control.dial(f.id("b"), b.address)
			wantNode(t, f, a.control.event(f.id("b"), true), "b")
			wantNode(t, f, b.control.anyUp(), "a")
		}},
		{"wrong-node-is-refused", "who takes over an address must not take over the votes that are sent there", func(t T, f Factory) {
			if !f.Authenticates {
				t.Logf("the transport authenticates nobody")
				return
			}
			a, b, d := start(t, f, "a"), start(t, f, "b"), start(t, f, "d")
			defer a.done()
			defer b.done()
			defer d.done()
			c := f.id("c")
			a.control.dial(c, b.address)
			// up waits for a peer, and sees to it that nobody is taken for c.
			up := func(who string) {
				for {
					r := a.control.next("the event that " + who + " is up")
					switch {
					case r.err != nil:
						t.Fatalf("waiting for %s: %v", who, r.err)
					case r.Message != nil:
						t.Fatalf("a message comes from %x, which is nobody's", r.Message.Peer[:4])
					case r.Peer != nil && r.Peer.Up && r.Peer.Peer == c:
						t.Fatalf("node b answers at the address of c, and is taken for it")
					case r.Peer != nil && r.Peer.Up && r.Peer.Peer == f.id(who):
						return
					}
				}
			}
			// While another comes and goes there is time to go wrong.
			for range 3 {
				a.control.dial(f.id("d"), d.address)
				up("d")
				a.control.send("c", []byte("for c"), c, f.id("d"))
				if m := d.control.message("a message"); string(m.Payload) != "for c" {
					t.Fatalf("got %q", m.Payload)
				}
				b.control.send("c", []byte("from b"), f.id("a"))
				if _, err := a.Probe(t.Context(), c, 1); !errors.Is(err, transport.ErrNotConnected) {
					t.Fatalf("probe a node at whose address is another: %v, want ErrNotConnected", err)
				}
				if err := a.control.Hangup(f.id("d")); err != nil {
					t.Fatalf("hang up: %v", err)
				}
			}
			// Under its own name it is welcome, and has heard nothing so far.
			if err := a.control.Hangup(c); err != nil {
				t.Fatalf("hang up: %v", err)
			}
			a.control.dial(f.id("b"), b.address)
			up("b")
			a.control.send("c", []byte("for b"), f.id("b"))
			if m := b.control.message("a message"); m.Peer != f.id("a") || string(m.Payload) != "for b" {
				t.Fatalf("node b gets %q from %x, which was not for it", m.Payload, m.Peer[:4])
			}
		}},
		{"moved-stranger", "a node on a line whose address changes must not fall out of the chain", func(t T, f Factory) {
			if !f.Authenticates {
				t.Logf("the transport authenticates nobody, so one who has moved is another")
				return
			}
			a, b := start(t, f, "a"), start(t, f, "b")
			defer func() { a.done() }()
			defer b.done()
			a.control.dial(f.id("b"), b.address)
			before := b.control.event(f.id("a"), true)
			a.control.event(f.id("b"), true)
			listening := before.Address == a.address // some tell where it calls from, which is of no use
			a = a.moved()
			a.control.dial(f.id("b"), b.address)
			a.control.event(f.id("b"), true)
			for {
				e := b.control.event(f.id("a"), true)
				if e.Address == before.Address {
					continue // it is told once more that it was up
				}
				if listening && e.Address != a.address {
					t.Fatalf("node a is said to be at %s, and has moved to %s", e.Address, a.address)
				}
				break
			}
			b.control.send("c", []byte("there"), f.id("a"))
			want(t, a.control.message("a message at the new address"), f.id("b"), "c", []byte("there"))
			a.bulk.send("c", []byte("and back"), f.id("b"))
			want(t, b.bulk.message("a message from the new address"), f.id("a"), "c", []byte("and back"))
		}},
	}
}

// wantNode checks what the event that a peer is up tells about its node.
func wantNode(t T, f Factory, e *transport.PeerEvent, name string) {
	t.Helper()
	if !f.Authenticates {
		if e.Node != nil {
			t.Fatalf("the event has the node key %s, and the transport authenticates nobody", e.Node)
		}
		return
	}
	switch {
	case e.Peer != f.id(name):
		t.Fatalf("node %s is named %x, want %x", name, e.Peer, f.id(name))
	case e.Node == nil:
		t.Fatalf("the event of node %s has no node key", name)
	case e.Node.Hash() != types.Hash(e.Peer):
		t.Fatalf("node %s is named %x, and the hash of its key is %s", name, e.Peer, e.Node.Hash())
	}
}
