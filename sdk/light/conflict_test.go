package light

import (
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestConflict(t *testing.T) {
	proven := func(c *testChain, h *types.Header, suffix int) Claim {
		return Claim{Header: h, Proof: c.prove(c.sets[h.Epoch], h, suffix), Set: c.sets[h.Epoch]}
	}
	for _, r := range []struct {
		name string
		want error // nil: it freezes
		a, b func(c *testChain) Claim
	}{
		{"two blocks at one height", nil,
			func(c *testChain) Claim { return c.claim(c.blocks[13]) },
			func(c *testChain) Claim { return c.claim(c.child(c.blocks[12], 2, 2, "rival")) }},
		{"in an epoch before", nil,
			func(c *testChain) Claim { return c.claim(c.blocks[7]) },
			func(c *testChain) Claim { return c.claim(c.child(c.blocks[6], 3, 1, "rival")) }},
		{"higher and not later", nil,
			func(c *testChain) Claim { return c.claim(c.blocks[12]) },
			func(c *testChain) Claim { h := clone(c.blocks[13]); h.Slot = c.blocks[12].Slot; return c.claim(h) }},
		{"a rival of a closing block that its suffix proves", nil,
			func(c *testChain) Claim { return proven(c, c.closing[1], 2) },
			func(c *testChain) Claim { return c.claim(c.child(c.blocks[9], 2, 1, "rival")) }},
		{"two suffixes", nil,
			func(c *testChain) Claim { return proven(c, c.closing[1], 2) },
			func(c *testChain) Claim { h := clone(c.proofs[1].Suffix[0]); h.BodyRoot[0] ^= 1; return c.claim(h) }},
		{"two closing blocks, one above the other", nil,
			func(c *testChain) Claim { return proven(c, c.closing[1], 0) },
			func(c *testChain) Claim {
				h := clone(c.proofs[1].Suffix[0])
				h.NextSet = c.sets[2].Hash()
				return c.claim(h)
			}},
		{"the same block", ErrNoConflict,
			func(c *testChain) Claim { return c.claim(c.blocks[13]) },
			func(c *testChain) Claim { return c.claim(c.blocks[13]) }},
		{"the same block with other signers", ErrNoConflict,
			func(c *testChain) Claim { return c.claim(c.blocks[13]) },
			func(c *testChain) Claim {
				h := c.blocks[13]
				return Claim{Header: h, Proof: &types.Finality{Cert: c.cert(c.sets[2], h, len(c.sets[2].Seats))}}
			}},
		{"parent and child", ErrNoConflict,
			func(c *testChain) Claim { return c.claim(c.blocks[13]) },
			func(c *testChain) Claim { return c.claim(c.blocks[12]) }},
		{"a closing block proven twice", ErrNoConflict,
			func(c *testChain) Claim { return proven(c, c.closing[1], 2) },
			func(c *testChain) Claim { return proven(c, c.closing[1], 0) }},
		{"a closing block and what follows it", ErrNoConflict,
			func(c *testChain) Claim { return proven(c, c.closing[1], 0) },
			func(c *testChain) Claim { return c.claim(c.proofs[1].Suffix[1]) }},
		{"what follows a closing block, and the next epoch", ErrNoConflict,
			func(c *testChain) Claim { return c.claim(c.blocks[11]) },
			func(c *testChain) Claim { return c.claim(c.proofs[1].Suffix[0]) }},
		{"an unknown epoch", ErrEpoch,
			func(c *testChain) Claim { return c.claim(c.blocks[13]) },
			func(c *testChain) Claim {
				x := c.claim(c.blocks[12])
				x.Header = clone(x.Header)
				x.Header.Epoch = 9
				return x
			}},
		{"one without a quorum", types.ErrBadCertificate,
			func(c *testChain) Claim { return c.claim(c.blocks[13]) },
			func(c *testChain) Claim {
				h := c.child(c.blocks[12], 2, 2, "rival")
				return Claim{Header: h, Proof: &types.Finality{Cert: c.cert(c.sets[2], h, int(c.sets[2].Threshold)-1)}}
			}},
		{"the other without a proof", types.ErrBadCertificate,
			func(*testChain) Claim { return Claim{} },
			func(c *testChain) Claim { return c.claim(c.blocks[13]) }},
	} {
		t.Run(r.name, func(t *testing.T) {
			for _, swap := range []bool{false, true} {
				c := threeEpochs()
				cl := c.client(t)
				c.advance(t, cl, 2)
				a, b := r.a(c), r.b(c)
				if swap {
					a, b = b, a
				}
				now := at(c.tip().Slot)
				if r.want != nil {
					refused{"", r.want, func(*testChain, *Client) error { return cl.Conflict(a, b, now) }}.check(t, c, cl)
					continue
				}
				if err := cl.Conflict(a, b, now); err != nil {
					t.Fatal(err)
				}
				isFrozen(t, c, again(t, cl), a, b)
			}
		})
	}

	t.Run("too late", func(t *testing.T) { // or sold keys could stop everything
		c := threeEpochs()
		cl := c.client(t)
		c.advance(t, cl, 2)
		a, b := c.claim(c.blocks[7]), c.claim(c.child(c.blocks[6], 3, 1, "rival"))
		refused{"", ErrExpired, func(*testChain, *Client) error { return cl.Conflict(a, b, at(c.closing[1].Slot)+14*day+1) }}.check(t, c, cl)
	})
}

// isFrozen checks that nothing is possible any more, and that the evidence is there.
func isFrozen(t *testing.T, c *testChain, cl *Client, a, b Claim) {
	t.Helper()
	f := cl.Frozen()
	if f == nil || f.A.Header.ID() != a.Header.ID() || f.B.Header.ID() != b.Header.ID() {
		t.Fatalf("evidence %+v", f)
	}
	for _, x := range []Claim{f.A, f.B} {
		if err := x.Proof.Verify(c.sets[x.Header.Epoch], x.Header); err != nil {
			t.Errorf("the evidence does not verify: %v", err)
		}
	}
	now := at(c.tip().Slot)
	x := c.claim(c.tip())
	for name, err := range map[string]error{
		"Advance":        cl.Advance(c.closing[1], c.sets[2], c.proofs[1], now),
		"Advance(nil)":   cl.Advance(nil, nil, nil, now),
		"Verify":         cl.Verify(x, now),
		"VerifyItem":     cl.VerifyItem(x, item, message(c.tip().Height-1), &types.StateProof{}, now),
		"VerifyMessage":  cl.VerifyMessage(x, message(c.tip().Height-1), types.MerkleProve(outbox(c.tip().Height-1), 1), now),
		"VerifyAncestor": cl.VerifyAncestor(x, c.blocks[1], types.MerkleProve(c.ids[:c.tip().Height], 1), now),
		"Conflict":       cl.Conflict(a, b, now),
	} {
		if !errors.Is(err, ErrFrozen) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
