package consensustest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// word is what a node may say once: one payload for a purpose and ordinal.
func word(u consensus.Unsigned) string { return fmt.Sprintf("%s %d", u.Purpose, u.Ordinal) }

func signCases() []Case {
	return []Case{
		{"follower-never-signs", "a node without a seat has no key, and none of its votes counts", func(t T, f Factory) {
			w, _ := alone(t, f)
			defer w.done()
			c := w.add(-1)
			c.onReady = func(r *consensus.Ready) {
				if len(r.Sign) > 0 || r.Build != nil {
					t.Errorf("a node without a seat is asked for %d signatures, and for a body: %t", len(r.Sign), r.Build != nil)
				}
			}
			for _, n := range w.nodes {
				n.start()
			}
			if !w.run(30, w.finalAt(3)) {
				t.Errorf("a follower does not follow: it is at height %d, the producer at %d", c.final.Height, w.nodes[0].final.Height)
			}
		}},
		{"keeps-its-word", "what was to be signed before a crash must never be contradicted after it", func(t T, f Factory) {
			for crash := 1; crash <= 4; crash++ {
				keepsItsWord(t, f, crash)
			}
		}},
		{"asks-for-signatures-again", "a vote that was decided and not sent may be the one that is missing", func(t T, f Factory) {
			for crash := 1; crash <= 4; crash++ {
				w, c, lost := crashBeforeSigning(t, f, crash, true)
				again := map[string][]byte{}
				c.onReady = func(r *consensus.Ready) {
					for _, u := range r.Sign {
						again[word(u)] = u.Payload
					}
				}
				c.start()
				w.run(20, func() bool {
					return !slices.ContainsFunc(lost, func(u consensus.Unsigned) bool { return again[word(u)] == nil })
				})
				for _, u := range lost {
					if p := again[word(u)]; !bytes.Equal(p, u.Payload) {
						t.Errorf("after a crash at the signature no. %d the payload for %q is %x, want %x as before", crash, word(u), p, u.Payload)
					}
				}
				w.done()
			}
		}},
		{"own-vote-comes-back", "what the guard refused to sign must not count", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.sign = func(consensus.Unsigned) bool { return false }
			c.onReady = func(r *consensus.Ready) {
				if len(r.Final) > 0 {
					t.Errorf("a block is final without any signature")
				}
			}
			c.start()
			w.run(8, nil)
		}},
		{"survives-a-refusal", "after a restart the guard may refuse what the engine could not know of", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			asked := 0
			c.sign = func(consensus.Unsigned) bool { asked++; return asked > 3 }
			c.start()
			if !w.run(30, w.finalAt(2)) {
				t.Errorf("nothing becomes final after three refused signatures")
			}
		}},
	}
}

// crashBeforeSigning runs a producer until the nth Ready that asks for signatures, of which only what was to be persisted is
// done; then the run is ended. It returns what was not signed. With records, those that still come are kept.
func crashBeforeSigning(t T, f Factory, nth int, records bool) (*world, *core, []consensus.Unsigned) {
	t.Helper()
	w, c := alone(t, f)
	var lost []consensus.Unsigned
	n := 0
	c.onReady = func(r *consensus.Ready) {
		if len(r.Sign) > 0 {
			n++
		}
		if n < nth {
			return
		}
		if lost == nil {
			lost = r.Sign
		} else if !records { // what comes after the crash is lost whole
			r.Persist, r.Snapshot = nil, nil
		}
		r.Sign, r.Send, r.Build, r.Check, r.Final = nil, nil, nil, nil, nil
	}
	c.start()
	if !w.run(20, func() bool { return lost != nil }) {
		w.done()
		t.Fatalf("in 20 slots a producer that is alone has asked for signatures %d times", n)
	}
	c.stop()
	c.onReady = nil
	return w, c, lost
}

// keepsItsWord crashes before and after the nth signature, and watches what is asked for afterwards.
func keepsItsWord(t T, f Factory, nth int) {
	t.Helper()
	w, c, lost := crashBeforeSigning(t, f, nth, false)
	defer w.done()
	said := map[string][]byte{}
	for _, u := range lost {
		said[word(u)] = u.Payload
	}
	for life := range 3 {
		c.onReady = func(r *consensus.Ready) {
			for _, u := range r.Sign {
				if p, ok := said[word(u)]; ok && !bytes.Equal(p, u.Payload) {
					t.Errorf("in life %d after a crash at signature no. %d: for %q another payload is to be signed than before", life+2, nth, word(u))
				}
				said[word(u)] = u.Payload
			}
		}
		c.start()
		if life == 0 {
			w.settle() // still in the slot of the crash
		} else {
			w.run(2, nil)
		}
		c.stop()
	}
}
