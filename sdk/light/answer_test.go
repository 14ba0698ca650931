package light

import (
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// heldState is a state of two items of a module and one of another, its root, and the items with their proofs, the absence of a
// fourth among them.
func heldState() (root types.Hash, held []Held) {
	items := []Item{{Module: "names", Place: types.Place{1}, Key: "alice"}, {Module: "names", Place: types.Place{200}, Key: "bob"}, {Module: "bank", Place: types.Place{1}, Key: "alice"}}
	values := [][]byte{[]byte("hers"), {}, []byte("money")}
	leaf := func(i int) (types.StatePath, types.Hash) {
		p := types.StatePathOf(items[i].Module, items[i].Place, items[i].Key)
		return p, types.StateLeafHash(&p, types.StateValueHash(values[i]))
	}
	a, ha := leaf(0)
	b, hb := leaf(1)
	c, hc := leaf(2)
	low := a.CommonPrefix(&c) // the places of a and c are the same, that of b begins with another bit
	in := func(bit int, p, q *types.StatePath, hp, hq *types.Hash) types.Hash {
		if p.Bit(bit) == 1 {
			hp, hq = hq, hp
		}
		return types.StateBranchHash(bit, hp, hq)
	}
	ac := in(low, &a, &c, &ha, &hc)
	top := a.CommonPrefix(&b)
	root = in(top, &a, &b, &ac, &hb)
	steps := func(sibling types.Hash) []types.StateStep {
		return []types.StateStep{{Bit: uint16(top), Sibling: hb}, {Bit: uint16(low), Sibling: sibling}}
	}
	held = []Held{{items[0], values[0], &types.StateProof{Steps: steps(hc)}}, {items[1], values[1], &types.StateProof{Steps: []types.StateStep{{Bit: uint16(top), Sibling: ac}}}},
		{items[2], values[2], &types.StateProof{Steps: steps(ha)}}}
	absent := Item{Module: "names", Place: types.Place{201}, Key: "carol"}
	held = append(held, Held{absent, nil, &types.StateProof{Steps: []types.StateStep{{Bit: uint16(top), Sibling: ac}}, Other: &types.StateLeaf{Path: b, Value: types.StateValueHash(values[1])}}})
	return root, held
}

func TestAnswers(t *testing.T) {
	root, held := heldState()
	alice, bob, foreign, carol := held[0], held[1], held[2], held[3]
	with := func(h Held, change func(h *Held)) Held {
		change(&h)
		return h
	}
	for _, c := range []struct {
		name  string
		items []Held
		want  error
	}{
		{"values, an empty one, and absence", []Held{alice, bob, carol}, nil},
		{"nothing", nil, nil},
		{"an item of another module, well proven", []Held{alice, foreign}, ErrForeignItem},
		{"an item of another module under the name of the one", []Held{with(foreign, func(h *Held) { h.Item.Module = "names" })}, types.ErrBadProof},
		{"another value", []Held{alice, with(bob, func(h *Held) { h.Value = []byte("his") })}, types.ErrBadProof},
		{"absence instead of an empty value", []Held{with(bob, func(h *Held) { h.Value = nil })}, types.ErrBadProof},
		{"an empty value instead of absence", []Held{with(carol, func(h *Held) { h.Value = []byte{} })}, types.ErrBadProof},
		{"absence of what is", []Held{with(alice, func(h *Held) { h.Value, h.Proof = nil, carol.Proof })}, types.ErrBadProof},
		{"another key", []Held{with(alice, func(h *Held) { h.Item.Key = "alicia" })}, types.ErrBadProof},
		{"another place", []Held{with(alice, func(h *Held) { h.Item.Place[7]++ })}, types.ErrBadProof},
		{"the proof of another", []Held{with(alice, func(h *Held) { h.Proof = bob.Proof })}, types.ErrBadProof},
		{"no proof", []Held{with(alice, func(h *Held) { h.Proof = nil })}, types.ErrBadProof},
		{"the same twice", []Held{alice, bob, alice}, ErrRepeatedItem},
		{"more than can be", make([]Held, MaxAnswerItems+1), types.ErrBadProof},
	} {
		if err := AnswerIn(&types.Header{StateRoot: root}, "names", c.items); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := AnswerIn(&types.Header{StateRoot: types.Hash{1}}, "names", []Held{alice}); !errors.Is(err, types.ErrBadProof) {
		t.Errorf("under another root: %v", err)
	}
	if err := AnswerIn(&types.Header{StateRoot: root}, "bank", []Held{foreign}); err != nil {
		t.Errorf("the other module's own: %v", err)
	}
}

func TestVerifyAnswer(t *testing.T) {
	c := threeEpochs()
	cl := c.client(t)
	c.advance(t, cl, 2)
	now := at(c.tip().Slot)
	held := []Held{{Item: item, Value: message(c.tip().Height - 1), Proof: &types.StateProof{}}}
	if err := cl.VerifyAnswer(c.claim(c.tip()), item.Module, held, now); err != nil {
		t.Error(err)
	}
	if err := cl.VerifyAnswer(c.claim(c.blocks[12]), item.Module, held, now); !errors.Is(err, types.ErrBadProof) {
		t.Errorf("under an older block: %v", err)
	}
	x := c.claim(c.tip())
	x.Proof.Cert.Signatures[0] = make([]byte, 64)
	if err := cl.VerifyAnswer(x, item.Module, held, now); !errors.Is(err, types.ErrBadCertificate) {
		t.Errorf("a bad certificate: %v", err)
	}
}

// FuzzAnswerIn shows hostile proofs: under the root of a state, nothing is shown but what that state holds.
func FuzzAnswerIn(f *testing.F) {
	root, held := heldState()
	for _, h := range held {
		f.Add(h.Item.Module, h.Item.Place[:], h.Item.Key, h.Value, h.Value != nil, h.Proof.Encode())
	}
	f.Fuzz(func(t *testing.T, module string, place []byte, key string, value []byte, there bool, raw []byte) {
		proof, err := types.DecodeStateProof(raw)
		if err != nil {
			return
		}
		x := Held{Item: Item{Module: module, Key: key}, Value: value, Proof: proof}
		copy(x.Item.Place[:], place)
		if !there {
			x.Value = nil
		} else if value == nil {
			x.Value = []byte{}
		}
		if AnswerIn(&types.Header{StateRoot: root}, module, []Held{x}) != nil {
			return
		}
		for _, h := range held[:3] {
			if h.Item == x.Item {
				if x.Value == nil || string(h.Value) != string(x.Value) {
					t.Fatalf("%v is shown to hold %q", x.Item, x.Value)
				}
				return
			}
		}
		if x.Value != nil {
			t.Fatalf("%v is shown to hold %q", x.Item, x.Value)
		}
	})
}
