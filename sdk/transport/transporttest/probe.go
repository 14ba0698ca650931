package transporttest

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func probeCases() []Case {
	return []Case{
		{"probe-counts", "routes are chosen by what it says", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			const n = 20
			r, err := a.Probe(t.Context(), f.id("b"), n)
			if err != nil {
				t.Fatalf("probe: %v", err)
			}
			if r.Sent != n || r.Lost < 0 || r.Lost >= n {
				t.Fatalf("of %d datagrams %d were sent, %d lost", n, r.Sent, r.Lost)
			}
			if r.Reordered < 0 || r.Reordered > r.Sent {
				t.Fatalf("of %d datagrams %d were overtaken", r.Sent, r.Reordered)
			}
			if r.Out > absurd || r.In > absurd {
				t.Fatalf("goodput of %d and %d bytes a second", r.Out, r.In)
			}
			if r.Min <= 0 || r.Min > r.P50 || r.P50 > r.P99 {
				t.Fatalf("round trips of %s, %s, %s", r.Min, r.P50, r.P99)
			}
		}},
		{"probe-of-nobody", "people mistype", func(t T, f Factory) {
			a := start(t, f, "a")
			defer a.done()
			if _, err := a.Probe(t.Context(), f.id("nobody"), 1); !errors.Is(err, transport.ErrUnknownPeer) {
				t.Fatalf("probe an unknown peer: %v, want ErrUnknownPeer", err)
			}
		}},
		{"probe-without-connection", "a link that is down has no round trip", func(t T, f Factory) {
			a, b := start(t, f, "a"), start(t, f, "b")
			defer a.done()
			b.done()
			a.control.dial(f.id("b"), b.address)
			for { // Dial is carried out after it returns if the plugin is elsewhere
				_, err := a.Probe(t.Context(), f.id("b"), 1)
				if errors.Is(err, transport.ErrNotConnected) {
					return
				}
				if !errors.Is(err, transport.ErrUnknownPeer) {
					t.Fatalf("probe a peer that is not there: %v, want ErrNotConnected", err)
				}
			}
		}},
		{"probe-is-bounded", "a probe is no flood", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			for _, n := range []int{-1, 0, transport.MaxProbe + 1} {
				if _, err := a.Probe(t.Context(), f.id("b"), n); !errors.Is(err, transport.ErrInvalid) {
					t.Fatalf("probe with %d datagrams: %v, want ErrInvalid", n, err)
				}
			}
		}},
	}
}

// absurd is more bytes, or bytes a second, than a link has: what a number below zero looks like that has lost its sign.
const absurd = 1 << 48
