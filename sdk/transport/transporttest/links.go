package transporttest

import (
	"context"
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func linkCases() []Case {
	return []Case{
		{"second-attach-replaces-the-first", "a host that was restarted attaches while the old lane lingers", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			old := []*lane{a.control, a.bulk}
			a.control, a.bulk = a.attach(transport.Control), a.attach(transport.Bulk)
			for i, l := range old {
				if err := l.failure("the end of a lane that was replaced"); !errors.Is(err, transport.ErrClosed) {
					t.Fatalf("%s: a lane that was replaced ends with %v, want ErrClosed", transport.Lane(i), err)
				}
				l.end()
			}
			a.control.send("c", []byte("new"), f.id("b"))
			want(t, b.control.message("a message"), f.id("a"), "c", []byte("new"))
			b.bulk.send("c", []byte("to the new"), f.id("a"))
			want(t, a.bulk.message("a message"), f.id("b"), "c", []byte("to the new"))
		}},
		{"control-begins-with-who-is-up", "the new host must know whom it can reach", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			a.control.end()
			a.control = a.attach(transport.Control)
			a.control.event(f.id("b"), true)
		}},
		{"recv-returns-after-close", "a core that cannot leave a lane cannot stop", func(t T, f Factory) {
			a := start(t, f, "a")
			defer a.done()
			for _, l := range []*lane{a.control, a.bulk} {
				if err := l.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
				_ = l.failure("the end of a closed lane")
				if _, err := l.Recv(); !errors.Is(err, transport.ErrClosed) {
					t.Fatalf("receive on a closed lane: %v, want ErrClosed", err)
				}
			}
		}},
		{"send-fails-after-close", "a sender must learn that nobody sends", func(t T, f Factory) {
			a := start(t, f, "a")
			defer a.done()
			if err := a.control.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			if err := a.control.Send(transport.Outgoing{Peers: []transport.PeerID{f.id("b")}}); !errors.Is(err, transport.ErrClosed) {
				t.Fatalf("send on a closed lane: %v, want ErrClosed", err)
			}
		}},
		{"close-again", "both the one that ends and the one that is ended close", func(t T, f Factory) {
			a := start(t, f, "a")
			defer a.done()
			for range 3 {
				if err := a.bulk.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
			}
		}},
		{"link-ends-with-its-context", "a node that stops ends all it has begun", func(t T, f Factory) {
			a := start(t, f, "a")
			defer a.done()
			a.control.end()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			k, err := a.Attach(ctx, transport.Control)
			if err != nil {
				t.Fatalf("attach: %v", err)
			}
			a.control = watch(t, f, k)
			cancel()
			_ = a.control.failure("the end of a lane whose context has ended")
		}},
		{"attach-needs-a-lane", "a third lane would never be served", func(t T, f Factory) {
			a := bare(t, f, "a")
			defer a.done()
			if _, err := a.Attach(t.Context(), transport.Bulk+1); !errors.Is(err, transport.ErrInvalid) {
				t.Fatalf("attach to lane 2: %v, want ErrInvalid", err)
			}
		}},
	}
}
