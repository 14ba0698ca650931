package transporttest

import (
	"errors"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func listenCases() []Case {
	return []Case{
		{"listen-again-is-the-same", "after a lane is lost the core does everything again", func(t T, f Factory) {
			n := start(t, f, "a")
			defer n.done()
			again, err := n.Listen(t.Context(), n.address)
			if err != nil || again != n.address {
				t.Fatalf("listen again on %s: %q, %v", n.address, again, err)
			}
		}},
		{"listen-after-restart", "the address is in every peer's configuration", func(t T, f Factory) {
			n := start(t, f, "a")
			defer func() { n.done() }()
			address := n.address
			for range 3 {
				n = n.restart()
			}
			if n.address != address {
				t.Fatalf("listens on %s, want %s", n.address, address)
			}
		}},
		{"bad-listen-address", "the core ends the node for this error only", func(t T, f Factory) {
			n := bare(t, f, "a")
			defer n.done()
			for _, a := range []string{"", "nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x", strings.Repeat("a", 300) + ":1"} {
				if _, err := n.Listen(t.Context(), a); !errors.Is(err, transport.ErrAddress) {
					t.Fatalf("listen on %.40q: %v, want ErrAddress", a, err)
				}
			}
		}},
		{"address-in-use", "two nodes on one address would take each other's votes", func(t T, f Factory) {
			a, b := start(t, f, "a"), bare(t, f, "b")
			defer a.done()
			defer b.done()
			if _, err := b.Listen(t.Context(), a.address); !errors.Is(err, transport.ErrAddress) {
				t.Fatalf("listen on an address in use: %v, want ErrAddress", err)
			}
		}},
		{"closed-instance", "a core that goes on with a closed transport would wait for votes for ever", func(t T, f Factory) {
			n := start(t, f, "a")
			closing := n.close
			n.close = nil
			if err := closing(); err != nil {
				t.Fatalf("close: %v", err)
			}
			_ = n.control.failure("the end of the control lane")
			_ = n.bulk.failure("the end of the bulk lane")
			if _, err := n.Listen(t.Context(), n.address); err == nil {
				t.Errorf("listen on a closed transport gives no error")
			}
			if _, err := n.Attach(t.Context(), transport.Control); err == nil {
				t.Errorf("attach to a closed transport gives no error")
			}
			if _, err := n.Probe(t.Context(), f.id("b"), 1); err == nil {
				t.Errorf("probe with a closed transport gives no error")
			}
			if _, err := n.Stats(t.Context()); err == nil {
				t.Errorf("the stats of a closed transport give no error")
			}
			n.control.end()
			n.bulk.end()
		}},
	}
}
